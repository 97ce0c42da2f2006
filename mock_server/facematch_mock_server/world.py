"""One mock world: all the state behind one server, and how it behaves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import attrs

from ._ground import Ground
from ._keys import Keys
from ._ledger import FIRST_OWNER, Ledger, Ledgers
from ._rates import Rates
from ._sessions import Sessions
from .claims import Behaviours
from .claims.mock import CLAIMS as OWN
from .clock import VirtualClock
from .faults import Faults
from .ids import Ids
from .journal import KEPT, Entry, Journal
from .protocols import Decider
from .state import Section, Store
from .vendors import Vendor, vendor_named

#: Two pictures of 5 MiB and the form around them, with room to spare.
MAX_BODY_BYTES = 16 * 1024 * 1024


@attrs.frozen(kw_only=True)
class _Chosen:
    """How a world behaves, found good before anything is changed."""

    edition: str
    switches: Mapping[str, Any]
    turned: frozenset[str]
    behaviours: Behaviours


def _choose(
    kind: Vendor, edition: str | None, switches: Mapping[str, Any], turned: Collection[str]
) -> _Chosen:
    edition = edition or kind.default_edition
    chosen, settings = kind.choose(edition, switches)
    return _Chosen(
        edition=edition,
        switches=dict(switches),
        turned=frozenset(turned),
        behaviours=Behaviours((*kind.claims, *OWN), chosen, settings=settings, turned=turned),
    )


class World:
    """One vendor's world of its own. Nothing in it is shared, but for what `beside` says. Safe
    across threads.

    Args:
        decider: Decides what is seen in pictures; None for outcomes, cards, then the bytes.
        vendor: Whose behaviour it is, by name.
        edition: Of the vendor's documents; None for the vendor's default.
        switches: Single behaviours and numbers apart from the edition; `Control.behaviours` lists
            them.
        turned: Ids of claims taken for false, to see what rests on them.
        clock: None for one that stands still at the machine's time.
        seed: Of ids and chances; the same one repeats them. None for another one each time.
        control: Whether the control API is served.
        control_token: If set, the control API asks for it and no longer for a loopback host.
        journal_size: How many requests are remembered.
        digests: Whether files are digested (SHA-256).
        store: Where sessions, credit and the like are written down; None for nowhere. What it
            kept from before is there again.
        deliver_to: Hosts beyond the loopback that webhooks are sent to.

    Attributes:
        behaviours: What is in force.
        kind: The vendor and all that may be set of it.
        ground: What it shares with the worlds `beside` it.
        keys, ledgers, rates, sessions, faults, journal, ids, clock: The state.
        records: What the vendor remembers beyond that; of a class of its own.
        store: Where it is written down.

    Raises:
        ValueError: an unknown vendor, edition, switch or claim, or a value that does not fit.
        StoreError: the store cannot be used.
    """

    def __init__(
        self,
        decider: Decider | None = None,
        *,
        vendor: str = "didit",
        edition: str | None = None,
        switches: Mapping[str, Any] | None = None,
        turned: Collection[str] = (),
        clock: VirtualClock | None = None,
        seed: int | None = None,
        control: bool = True,
        control_token: str | None = None,
        journal_size: int = KEPT,
        digests: bool = True,
        store: Store | None = None,
        deliver_to: Collection[str] = (),
    ) -> None:
        if decider is None:
            from .deciding import Deciding  # not above: it loads Pillow

            decider = Deciding()
        kind = vendor_named(vendor)
        chosen = _choose(kind, edition, switches or {}, turned)
        ground = Ground(
            decider,
            clock=clock,
            seed=seed,
            control=control,
            control_token=control_token,
            journal_size=journal_size,
            digests=digests,
            store=store,
            deliver_to=deliver_to,
        )
        self._stand_on(ground, kind, chosen, decider)

    def beside(
        self,
        vendor: str,
        *,
        edition: str | None = None,
        switches: Mapping[str, Any] | None = None,
        turned: Collection[str] = (),
    ) -> World:
        """The world of another vendor with the same clock, faults, journal, ids and store.

        Keys, credit, sessions, limits, outcomes and behaviour are its own.

        Raises:
            ValueError: as for a world, or the vendor has one here already.
            StoreError: the store cannot be used.
        """
        ground = self.ground
        if any(world.vendor == vendor for world in ground.worlds):
            raise ValueError(f"the vendor {vendor} is named twice")
        kind = vendor_named(vendor)
        chosen = _choose(kind, edition, switches or {}, turned)
        beside = getattr(ground.decider, "beside", None)
        world = World.__new__(World)
        world._stand_on(  # noqa: SLF001 - one of our own
            ground, kind, chosen, ground.decider if beside is None else beside()
        )
        return world

    def _stand_on(self, ground: Ground, kind: Vendor, chosen: _Chosen, decider: Decider) -> None:
        self.ground = ground
        self.kind = kind
        self.decider = decider
        self.clock = ground.clock
        self.digest = ground.digest
        self.store = Section(ground.store, kind.section) if kind.section else ground.store
        self._awaiting: list[Callable[[], None]] = []
        with ground.store.together():
            if not ground.worlds:
                ground.runs.save()
            self._settle(chosen)
        ground.worlds.append(self)
        charges, sessions = self.ledgers.entries()[-1:], self.sessions.all()[-1:]
        ground.runs.begin(*(one.at for one in charges), *(one.created_at for one in sessions))

    def _settle(self, chosen: _Chosen) -> None:
        kind, behaviours = self.kind, chosen.behaviours
        self._chosen = chosen
        self.behaviours = behaviours
        self.keys = Keys(self.store, kind.first_keys)
        # Of a vendor that knows no credit nothing is charged either.
        start = behaviours["credit.start"] if "credit.start" in behaviours else Decimal(0)
        self.ledgers = Ledgers(start, self.store)
        self.rates = Rates({scope: behaviours[key] for scope, key in kind.rate_limits.items()})
        self.sessions = Sessions(self.store)
        self.records: Any = kind.records(self.store)

    @property
    def edition(self) -> str:
        """Of the vendor's documents."""
        return self._chosen.edition

    @property
    def switches(self) -> Mapping[str, Any]:
        """What was set apart from the edition."""
        return self._chosen.switches

    @property
    def faults(self) -> Faults:
        """The rules of all vendors of the server."""
        return self.ground.faults

    @property
    def journal(self) -> Journal:
        """Of all vendors of the server."""
        return self.ground.journal

    @property
    def ids(self) -> Ids:
        """Of all vendors of the server."""
        return self.ground.ids

    @property
    def deliver_to(self) -> frozenset[str]:
        """Hosts beyond the loopback that webhooks are sent to."""
        return self.ground.deliver_to

    @property
    def address(self) -> str | None:
        """Scheme and host of its server while that runs; None without one."""
        return self.ground.address

    @property
    def is_open(self) -> bool:
        """Whether its server is bound beyond the loopback, so that any name may be its own."""
        return self.ground.is_open

    @property
    def vendor(self) -> str:
        """Whose behaviour it is."""
        return self.kind.name

    @property
    def ledger(self) -> Ledger:
        """The credit of the keys that a world begins with."""
        return self.ledgers.of(FIRST_OWNER)

    @property
    def owners(self) -> tuple[str, ...]:
        """Who has keys, and so credit and sessions, in the order they came."""
        return tuple(dict.fromkeys((FIRST_OWNER, *(key.owner for key in self.keys.all()))))

    def known_owner(self, owner: str) -> str:
        """`owner`; LookupError if nobody of that name has a key."""
        if owner not in self.owners:
            raise LookupError("there is no owner of that name; GET /__mock__/owners lists them")
        return owner

    def reset(
        self, *, edition: str | None = None, switches: Mapping[str, Any] | None = None
    ) -> None:
        """Begin again: no session, no charge, no fault, no outcome, an empty journal.

        The worlds beside this one begin again, too, as they were settled. The clock goes on,
        because time does not go back. A request under way ends in the state it began in, or the
        new one.

        Args:
            edition: Another one for this world; None for the same.
            switches: Others for this world; None for the same.

        Raises:
            ValueError: as for the world; then nothing was changed.
        """
        before, ground = self._chosen, self.ground
        # First what may be refused: a world is changed whole or not at all.
        chosen = _choose(
            self.kind,
            edition or before.edition,
            before.switches if switches is None else switches,
            before.turned,
        )
        # The lock is given back before the block ends: no block may wait for another one's end.
        with ground.store.together(), ground.settling:
            ground.begin_again()
            for world in ground.worlds:
                world._settle(chosen if world is self else world._chosen)  # noqa: SLF001 - as above
        for world in ground.worlds:
            clear = getattr(world.decider, "clear", None)
            if clear is not None:
                clear()

    def when_written(self, awake: Callable[[], None]) -> None:
        """Call `awake` each time that what a request changed was written down."""
        self._awaiting.append(awake)

    def together(self) -> AbstractContextManager[None]:
        """As `Ground.together`."""
        return self.ground.together()

    def written(self) -> None:
        """What this thread changed is written down now: what waited for that goes on.

        Within a block of `together` nothing is written yet, and nothing is done.
        """
        if self.ground.is_in_block:
            return
        self.records.written()
        for awake in self._awaiting:
            awake()

    def close(self) -> None:
        """Give the file of the store back; from then on nothing changes. May be called twice."""
        self.ground.close()

    def log(self, **fields: Any) -> None:
        """Write into the journal; `fields` are those of `Entry` but the time."""
        self.journal.add(Entry(at=self.clock.now(), **fields))

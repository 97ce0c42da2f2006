"""One mock world: all the state behind one server, and how it behaves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ._keys import Keys
from ._ledger import FIRST_OWNER, Ledger, Ledgers
from ._rates import Rates
from ._runs import Runs
from ._sessions import Sessions
from .claims import Behaviours
from .clock import VirtualClock
from .digests import Digests
from .faults import Faults
from .ids import Ids
from .journal import KEPT, Entry, Journal
from .protocols import Decider
from .state import Memory, Store
from .vendors import vendor_named

#: Two pictures of 5 MiB and the form around them, with room to spare.
MAX_BODY_BYTES = 16 * 1024 * 1024


class World:
    """A world of its own: nothing in it is shared with another one. Safe across threads.

    Args:
        decider: Decides what is seen in pictures; None for outcomes, cards, then the bytes.
        vendor: Whose behaviour it is, ``didit``.
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
        if control_token is not None and not (control_token.isascii() and len(control_token) > 7):
            raise ValueError("a control token has at least 8 characters of ASCII")
        self.decider = decider
        self.clock = clock or VirtualClock()
        self.control = control
        self.control_token = control_token
        self.digest = Digests().of if digests else None
        self.kind = vendor_named(vendor)
        self.store = store or Memory()
        self.deliver_to = frozenset(host.lower() for host in deliver_to)
        self._awaiting: list[Callable[[], None]] = []
        self._seed = seed
        self._journal_size = journal_size
        self._runs = Runs(self.store, self.clock)
        with self.store.together():
            self._settle(edition, switches or {}, turned)
        charges, sessions = self.ledgers.entries()[-1:], self.sessions.all()[-1:]
        self._runs.begin(*(one.at for one in charges), *(one.created_at for one in sessions))

    def _settle(
        self,
        edition: str | None,
        switches: Mapping[str, Any],
        turned: Collection[str],
        *,
        forget: bool = False,
    ) -> None:
        kind = self.kind
        edition = edition or kind.default_edition
        # First what may be refused: a world is changed whole or not at all.
        chosen, settings = kind.choose(edition, switches)
        behaviours = Behaviours(kind.claims, chosen, settings=settings, turned=turned)
        if forget:
            self.store.clear()
        self._runs.save()
        self.edition = edition
        self.switches = dict(switches)
        self.turned = frozenset(turned)
        self.behaviours = behaviours
        self.ids = Ids(self._seed, run=self._runs.number)
        self.faults = Faults(self._seed or 0)
        self.journal = Journal(self._journal_size)
        self.keys = Keys(self.store)
        self.ledgers = Ledgers(behaviours["credit.start"], self.store)
        self.rates = Rates({scope: behaviours[key] for scope, key in kind.rate_limits.items()})
        self.sessions = Sessions(self.store)
        self.records: Any = kind.records(self.store)

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

        The clock goes on, because time does not go back. A request under way ends in the state it
        began in, or the new one.

        Args:
            edition: Another one; None for the same.
            switches: Others; None for the same.

        Raises:
            ValueError: as for the world; then nothing was changed.
        """
        with self.store.together():
            self._settle(
                edition or self.edition,
                self.switches if switches is None else switches,
                self.turned,
                forget=True,
            )
        clear = getattr(self.decider, "clear", None)
        if clear is not None:
            clear()

    def when_written(self, awake: Callable[[], None]) -> None:
        """Call `awake` each time that what a request changed was written down."""
        self._awaiting.append(awake)

    def written(self) -> None:
        """What this thread changed is written down now: what waited for that goes on."""
        self.records.written()
        for awake in self._awaiting:
            awake()

    def close(self) -> None:
        """Give the file of the store back; from then on nothing changes. May be called twice."""
        self._runs.end()
        self.store.close()

    def log(self, **fields: Any) -> None:
        """Write into the journal; `fields` are those of `Entry` but the time."""
        self.journal.add(Entry(at=self.clock.now(), **fields))

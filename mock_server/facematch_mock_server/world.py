"""One mock world: all the state behind one server, and how it behaves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ._keys import Keys
from ._ledger import Ledger
from ._rates import Rates
from ._sessions import Sessions
from .claims import Behaviours
from .clock import VirtualClock
from .digests import Digests
from .faults import Faults
from .ids import Ids
from .journal import KEPT, Entry, Journal
from .protocols import Decider
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

    Attributes:
        behaviours: What is in force.
        kind: The vendor and all that may be set of it.
        keys, ledger, rates, sessions, faults, journal, ids, clock: The state.

    Raises:
        ValueError: an unknown vendor, edition, switch or claim, or a value that does not fit.
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
        self._seed = seed
        self._journal_size = journal_size
        self._settle(edition, switches or {}, turned)

    def _settle(
        self, edition: str | None, switches: Mapping[str, Any], turned: Collection[str]
    ) -> None:
        kind = self.kind
        edition = edition or kind.default_edition
        # First what may be refused: a world is changed whole or not at all.
        chosen, settings = kind.choose(edition, switches)
        behaviours = Behaviours(kind.claims, chosen, settings=settings, turned=turned)
        self.edition = edition
        self.switches = dict(switches)
        self.turned = frozenset(turned)
        self.behaviours = behaviours
        self.ids = Ids(self._seed)
        self.faults = Faults(self._seed or 0)
        self.journal = Journal(self._journal_size)
        self.keys = Keys()
        self.ledger = Ledger(behaviours["credit.start"])
        self.rates = Rates({scope: behaviours[key] for scope, key in kind.rate_limits.items()})
        self.sessions = Sessions()

    @property
    def vendor(self) -> str:
        """Whose behaviour it is."""
        return self.kind.name

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
        self._settle(
            edition or self.edition,
            self.switches if switches is None else switches,
            self.turned,
        )
        clear = getattr(self.decider, "clear", None)
        if clear is not None:
            clear()

    def log(self, **fields: Any) -> None:
        """Write into the journal; `fields` are those of `Entry` but the time."""
        self.journal.add(Entry(at=self.clock.now(), **fields))

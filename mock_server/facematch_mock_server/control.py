"""What a test may do to a mock world, as a Python object."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ._keys import Key, KeyKind
from ._ledger import Charge, amount
from ._sessions import Session
from .claims import Claim, explain
from .faults import Fault
from .journal import Entry
from .world import World


class Control:
    """The verbs of one world; the control API has the same over HTTP. Safe across threads.

    Args:
        world: The world.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    # Outcomes

    def set_outcome(self, kind: str, **found: Any) -> Any:
        """Set what the next calls find; see `facematch_mock_server.deciding.Deciding.set_outcome`.

        Args:
            kind: ``match`` or ``liveness``.
            found: ``score``, ``review``, ``faces``, ``attack``, ``quality``, ``luminance``,
                ``times``, ``digest``, ``picture``.

        Returns:
            The outcome as it waits.

        Raises:
            ValueError: a value that does not fit, or the world's decider takes no outcomes.
        """
        set_outcome = getattr(self._world.decider, "set_outcome", None)
        if set_outcome is None:
            raise ValueError("the decider of this world takes no outcomes")
        try:
            return set_outcome(kind, **found)
        except TypeError as error:
            raise ValueError(f"no such outcome: {error}") from None

    def outcomes(self) -> tuple[Any, ...]:
        """The outcomes that still wait."""
        return tuple(getattr(self._world.decider, "outcomes", ()))

    def clear_outcomes(self) -> None:
        """Drop all outcomes."""
        clear = getattr(self._world.decider, "clear", None)
        if clear is not None:
            clear()

    # Faults

    def add_fault(self, fault: Fault) -> None:
        """Add a fault after the others."""
        self._world.faults.add(fault)

    def faults(self) -> tuple[Fault, ...]:
        """The faults that still wait."""
        return self._world.faults.rules

    def clear_faults(self) -> None:
        """Drop all faults."""
        self._world.faults.clear()

    # Time

    def now(self) -> dt.datetime:
        """The time of the world, UTC."""
        return self._world.clock.now()

    def advance(self, seconds: float) -> dt.datetime:
        """Let that many seconds pass at once; ValueError unless from 0 on."""
        return self._world.clock.advance(seconds)

    # Money

    def balance(self) -> Decimal:
        """The credit that is left, in USD."""
        return self._world.ledger.balance

    def set_balance(self, balance: Decimal | int | str) -> None:
        """Set the credit; ValueError unless an amount from 0 on with at most four places."""
        self._world.ledger.balance = amount(balance)

    def charges(self) -> tuple[Charge, ...]:
        """What was charged, in order."""
        return self._world.ledger.entries

    # Keys and limits

    def add_key(
        self,
        kind: KeyKind | str = KeyKind.LIVE,
        *,
        key: str | None = None,
        allowed: bool = True,
        expires: dt.date | None = None,
    ) -> str:
        """Let a key in, and give its text.

        Args:
            kind: Live or sandbox.
            key: Its text; None for a new one.
            allowed: Whether it has the right to the call.
            expires: Its last day, UTC; None for never.

        Raises:
            ValueError: another kind, or a text that cannot be a key.
        """
        text = secrets.token_urlsafe(24) if key is None else key
        self._world.keys.add(text, Key(kind=KeyKind(kind), allowed=allowed, expires=expires))
        return text

    def revoke_key(self, key: str) -> None:
        """Take a key back; LookupError if there is none."""
        self._world.keys.revoke(key)

    def keys(self) -> tuple[Key, ...]:
        """The keys without their texts."""
        return self._world.keys.all()

    def limits(self) -> dict[str, int | None]:
        """Requests in a window by scope; None for no limit."""
        return self._world.rates.limits

    def set_limit(self, scope: str, limit: int | None) -> None:
        """Change a limit at once; ValueError for an unknown scope or a wrong number."""
        self._world.rates.set_limit(scope, limit)

    # The world

    def behaviours(self) -> dict[str, Any]:
        """Vendor, edition, what was switched, and all that may be; changed by `reset` only."""
        world, kind = self._world, self._world.kind
        return {
            "vendor": world.vendor,
            "edition": world.edition,
            "editions": list(kind.editions),
            "switches": dict(world.switches),
            "chosen": dict(kind.choose(world.edition, world.switches)[0]),
            "known": {**kind.switches, **{n: what for n, (_, what) in kind.settings.items()}},
        }

    def reset(
        self, *, edition: str | None = None, switches: Mapping[str, Any] | None = None
    ) -> None:
        """Begin again with a fresh world; see `World.reset`."""
        self._world.reset(edition=edition, switches=switches)

    def journal(self) -> tuple[Entry, ...]:
        """What was asked and answered, the oldest first."""
        return self._world.journal.entries

    def clear_journal(self) -> None:
        """Forget what was asked."""
        self._world.journal.clear()

    def sessions(self) -> tuple[Session, ...]:
        """The saved calls, in order."""
        return self._world.sessions.all()

    def claims(self) -> tuple[Claim, ...]:
        """The claims in force."""
        return self._world.behaviours.claims

    def explain(self, claim_id: str) -> str:
        """One claim in a few lines; LookupError if there is none of that id."""
        return explain(claim_id)

"""`CallStore`: what a budget asks of whatever remembers for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from facematch_core.models import Charged, Environment

from ._records import BudgetKey, Entry, Standing, State

#: No call takes longer; what is reserved for more was left behind by a process that is gone.
LONGEST_CALL = timedelta(hours=1)


class CallStore(Protocol):
    """Remembers attempts and sums. Safe across threads and after a fork.

    Raises:
        ConfigurationError: by each method, if the store cannot be read or written.
    """

    def reserve(self, entry: Entry, cap: Decimal) -> Standing | None:
        """Set its amount aside, if spent, reserved and unknown stay within `cap` with it.

        To compare and to add are one step: no other reservation comes between, whichever thread,
        process or machine makes it.

        Returns:
            None if it is done; else what stands, which leaves no room.

        Raises:
            ConfigurationError: this try was reserved before for the same sum.
        """
        ...

    def settle(
        self,
        entry: Entry,
        billed: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
    ) -> bool:
        """Say what became of it: YES is spent, NO is free again, UNKNOWN stays set aside.

        Returns:
            False if nothing changed: it was settled before, or UNKNOWN already.
        """
        ...

    def standing(self, key: BudgetKey) -> Standing | None:
        """One sum; None if nothing was ever reserved for it."""
        ...

    def standings(self) -> tuple[Standing, ...]:
        """All sums, by name."""
        ...

    def open_entries(self, key: BudgetKey | None = None) -> tuple[Entry, ...]:
        """What is reserved or unknown, for one sum or for all, the oldest first."""
        ...

    def close(self) -> None:
        """Give back what it holds. It may be used again, which opens it again."""


def is_abandoned(entry: Entry, now: datetime) -> bool:
    """Whether it is reserved by a process that is gone.

    Where that cannot be told, time decides. A process that is there may wait for days until a
    vendor's quota lets its call through.
    """
    if entry.state is not State.RESERVED:
        return False
    gone = entry.owner.is_gone()
    return now - entry.attempt.started_at > LONGEST_CALL if gone is None else gone


def doubt_abandoned(store: CallStore, now: datetime, key: BudgetKey | None = None) -> int:
    """Count what was left behind as unknown: it may have been sent. How many there were.

    Args:
        store: Where.
        now: The time of day, UTC.
        key: Of one sum only; None for all.
    """
    left = [entry for entry in store.open_entries(key) if is_abandoned(entry, now)]
    return sum(store.settle(entry, Charged.UNKNOWN, at=now) for entry in left)

"""`MemoryStore`: budgets of one process, gone with it."""

from __future__ import annotations

import os
import threading
import weakref
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from facematch_core.errors import ConfigurationError
from facematch_core.models import Charged, Environment

from ._records import EXACT, BudgetKey, Entry, Standing, State

_Id: TypeAlias = tuple[str, int, BudgetKey]

#: What a settled amount becomes a part of; NO is a part of nothing any more.
_WHERE = {Charged.YES: "spent", Charged.UNKNOWN: "unknown"}


class MemoryStore:
    """Remembers for this process, until it ends. What is settled is kept as sums alone.

    Safe across threads. The child of a fork counts on for itself from what stood; what other
    threads of its parent had reserved stays set aside there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standings: dict[BudgetKey, Standing] = {}
        self._open: dict[_Id, Entry] = {}
        _all.add(self)

    def reserve(self, entry: Entry, cap: Decimal) -> Standing | None:
        """As `CallStore` says."""
        with self._lock:
            if _id(entry) in self._open:
                raise ConfigurationError(twice(entry))
            before = self._standings.get(entry.key, Standing(key=entry.key, cap=cap))
            before = attrs.evolve(before, cap=cap)
            if EXACT.add(before.used, entry.amount) > cap:
                return before
            self._standings[entry.key] = _moved(before, entry.amount, None, "reserved")
            attempt = attrs.evolve(entry.attempt, caller_ref=None)
            self._open[_id(entry)] = attrs.evolve(entry, attempt=attempt)
            return None

    def settle(
        self,
        entry: Entry,
        billed: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
    ) -> bool:
        """As `CallStore` says."""
        with self._lock:
            known = self._open.get(_id(entry))
            if known is None or known.billed is billed:
                return False
            self._standings[entry.key] = _moved(
                self._standings[entry.key], known.amount, known.state.value, _WHERE.get(billed)
            )
            if billed is not Charged.UNKNOWN:
                del self._open[_id(entry)]
                return True
            self._open[_id(entry)] = attrs.evolve(
                known,
                state=State.UNKNOWN,
                billed=billed,
                error=error,
                ended_at=at,
                answered_from=answered_from,
            )
            return True

    def standing(self, key: BudgetKey) -> Standing | None:
        """As `CallStore` says."""
        with self._lock:
            return self._standings.get(key)

    def standings(self) -> tuple[Standing, ...]:
        """As `CallStore` says."""
        with self._lock:
            return tuple(sorted(self._standings.values(), key=lambda one: by_name(one.key)))

    def open_entries(self, key: BudgetKey | None = None) -> tuple[Entry, ...]:
        """As `CallStore` says."""
        with self._lock:
            found = [one for one in self._open.values() if key in (None, one.key)]
        return tuple(sorted(found, key=by_age))

    def close(self) -> None:
        """There is nothing to give back."""


def by_name(key: BudgetKey) -> tuple[str, ...]:
    """The order of sums."""
    return (key.name, key.unit, key.environment, key.period, key.window)


def by_age(entry: Entry) -> tuple[datetime, str, int, tuple[str, ...]]:
    """The order of attempts."""
    return (entry.attempt.started_at, entry.attempt.id, entry.number, by_name(entry.key))


def twice(entry: Entry) -> str:
    """What is wrong if one try is reserved twice for one sum."""
    return (
        f"Try {entry.number} of attempt {entry.attempt.id} is already reserved in the budget "
        f"{entry.key.name!r}: give each budget of a verifier a name or a period of its own."
    )


def _id(entry: Entry) -> _Id:
    return (entry.attempt.id, entry.number, entry.key)


def _moved(standing: Standing, amount: Decimal, out_of: str | None, into: str | None) -> Standing:
    changes: dict[str, Any] = {}
    if out_of is not None:
        changes[out_of] = EXACT.subtract(getattr(standing, out_of), amount)
    if into is not None:
        changes[into] = EXACT.add(getattr(standing, into), amount)
    return attrs.evolve(standing, **changes)


_all: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _renew_locks() -> None:
    """In the child of a fork: a thread that held one is not there any more."""
    for store in tuple(_all):
        store._lock = threading.Lock()  # noqa: SLF001 - ours


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)

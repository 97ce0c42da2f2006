"""`MemoryStore`: budgets of one process, gone with it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from facematch_core._forks import fork_safe_lock
from facematch_core.errors import ConfigurationError
from facematch_core.models import Charged, Environment

from .records import EXACT, BudgetKey, BudgetState, CallStore, Reservation, State, reserved_twice

#: Guards all stores of the process: what is done under it are a few additions.
_lock = fork_safe_lock()

#: What an amount becomes a part of at the end; NO is a part of nothing any more.
_INTO = {Charged.YES: "spent", Charged.UNKNOWN: "unknown"}


class MemoryStore(CallStore):
    """Remembers for this process, until it ends. What is final is kept as sums alone.

    Safe across threads. The child of a fork counts on for itself from what stood; what other
    threads of its parent had reserved stays set aside there.
    """

    def __init__(self) -> None:
        self._budgets: dict[BudgetKey, BudgetState] = {}
        self._open: dict[tuple[str, int, BudgetKey], Reservation] = {}

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, wait_s: float | None = None
    ) -> BudgetState | None:
        this = _id(reservation)
        with _lock:
            if this in self._open:
                raise ConfigurationError(reserved_twice(reservation))
            state = self._budgets.get(reservation.key) or BudgetState(key=reservation.key, cap=cap)
            state = attrs.evolve(state, cap=cap)
            if EXACT.add(state.used, reservation.amount) > cap:
                return state
            self._move(state, reservation.amount, into="reserved")
            call = attrs.evolve(reservation.call, caller_ref=None)
            self._open[this] = attrs.evolve(reservation, call=call)
            return None

    def finalize(
        self,
        reservation: Reservation,
        charged: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
        wait_s: float | None = None,
    ) -> bool:
        this = _id(reservation)
        with _lock:
            known = self._open.get(this)
            if known is None or known.charged is charged:
                return False
            state = self._budgets[reservation.key]
            self._move(state, known.amount, out_of=known.state.value, into=_INTO.get(charged))
            if charged is not Charged.UNKNOWN:
                del self._open[this]
                return True
            self._open[this] = attrs.evolve(
                known,
                state=State.UNKNOWN,
                charged=charged,
                error=error,
                ended_at=at,
                answered_from=answered_from,
            )
            return True

    def budget(self, key: BudgetKey, *, wait_s: float | None = None) -> BudgetState | None:
        with _lock:
            return self._budgets.get(key)

    def budgets(self) -> tuple[BudgetState, ...]:
        with _lock:
            return tuple(sorted(self._budgets.values(), key=lambda one: one.key.order))

    def open_reservations(
        self, key: BudgetKey | None = None, *, wait_s: float | None = None
    ) -> tuple[Reservation, ...]:
        with _lock:
            found = [one for one in self._open.values() if key in (None, one.key)]
        return tuple(sorted(found, key=lambda one: one.order))

    def close(self) -> None:
        """There is nothing to give back."""

    def _move(
        self, state: BudgetState, amount: Decimal, *, out_of: str | None = None, into: str | None
    ) -> None:
        sums: dict[str, Any] = {}
        if out_of is not None:
            sums[out_of] = EXACT.subtract(getattr(state, out_of), amount)
        if into is not None:
            sums[into] = EXACT.add(getattr(state, into), amount)
        self._budgets[state.key] = attrs.evolve(state, **sums)


def _id(reservation: Reservation) -> tuple[str, int, BudgetKey]:
    return (reservation.call.id, reservation.number, reservation.key)

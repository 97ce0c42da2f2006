"""`MemoryStore`: budgets of one process, gone with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import ConfigurationError
from facematch_core.models import Charged, Environment

from . import records
from .records import EXACT, BudgetKey, BudgetState, CallStore, Reservation, State

#: Guards all stores of the process: what is done under it are a few additions.
_lock = fork_safe_lock()


@attrs.define
class _Sums:
    """The sums of one budget, which are replaced as a whole."""

    state: BudgetState

    def change(self, change: Callable[[BudgetState], BudgetState | None]) -> bool:
        """Replace the sums by what `change` makes of them; False if it returns None."""
        while (after := change(before := self.state)) is not None:
            # No finaliser, which could change the sums, runs between this check and the assignment.
            if self.state is before:
                self.state = after
                return True
        return False


class MemoryStore(CallStore):
    """Remembers for this process, until it ends. What is final is kept as sums alone.

    Safe across threads. The child of a fork counts on for itself from what stood; what other
    threads of its parent had reserved stays set aside there.
    """

    def __init__(self) -> None:
        self._sums: dict[BudgetKey, _Sums] = {}
        #: Open reservations by state: an outage may leave very many unknown.
        self._open: dict[State, dict[tuple[str, int, BudgetKey], Reservation]]
        self._open = {State.RESERVED: {}, State.UNKNOWN: {}}

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        key, identity = reservation.key, _identity(reservation)

        def set_aside(state: BudgetState) -> BudgetState | None:
            if EXACT.add(state.used, reservation.amount) > cap:
                return None
            reserved = EXACT.add(state.reserved, reservation.amount)
            return attrs.evolve(state, cap=cap, reserved=reserved)

        with _lock:
            if any(identity in entries for entries in self._open.values()):
                raise ConfigurationError(records.describe_second_reservation(reservation))
            sums = self._sums.setdefault(key, _Sums(BudgetState(key=key, cap=cap)))
            if not sums.change(set_aside):
                return attrs.evolve(sums.state, cap=cap)
            self._open[State.RESERVED][identity] = reservation
            return None

    def finalize(
        self,
        reservation: Reservation,
        charged: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> bool:
        identity = _identity(reservation)
        with _lock:
            # Taken out first, so that nobody moves its amount twice.
            entry = self._open[State.RESERVED].pop(identity, None)
            if entry is None and charged is not Charged.UNKNOWN:
                entry = self._open[State.UNKNOWN].pop(identity, None)
            if entry is None:
                return False
            amount, source = entry.amount, entry.state.value
            target = records.SUM_BY_CHARGE.get(charged)

            def move(state: BudgetState) -> BudgetState:
                sums: dict[str, Any] = {source: EXACT.subtract(getattr(state, source), amount)}
                if target is not None:
                    sums[target] = EXACT.add(getattr(state, target), amount)
                return attrs.evolve(state, **sums)

            self._sums[reservation.key].change(move)
            if charged is Charged.UNKNOWN:
                self._open[State.UNKNOWN][identity] = attrs.evolve(
                    entry,
                    state=State.UNKNOWN,
                    charged=charged,
                    error=error,
                    ended_at=at,
                    answered_from=answered_from,
                )
            return True

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        with _lock:
            sums = self._sums.get(key)
        return None if sums is None else sums.state

    def budgets(self) -> tuple[BudgetState, ...]:
        with _lock:
            states = [sums.state for sums in self._sums.values()]
        return tuple(sorted(states, key=lambda state: state.key.order))

    def open_reservations(
        self,
        key: BudgetKey | None = None,
        state: State | None = None,
        *,
        deadline: Deadline = NO_DEADLINE,
    ) -> tuple[Reservation, ...]:
        with _lock:
            entries = [
                entry
                for group_state, reservations in self._open.items()
                if state in (None, group_state)
                for entry in tuple(reservations.values())
                if key in (None, entry.key)
            ]
        return tuple(sorted(entries, key=lambda entry: entry.order))

    def close(self) -> None:
        """There is nothing to give back."""


def _identity(reservation: Reservation) -> tuple[str, int, BudgetKey]:
    return (reservation.call.id, reservation.number, reservation.key)

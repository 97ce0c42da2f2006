"""`MemoryStore`: a budget store in memory, which is lost when the process ends."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import ConfigurationError
from facematch_core.models import Charged, Environment

from . import records
from .records import EXACT, BudgetKey, BudgetState, CallStore, Reservation, State

#: One lock for all memory stores in the process, because it is held for microseconds only.
_lock = fork_safe_lock()

_Identity: TypeAlias = tuple[str, int, BudgetKey]


class MemoryStore(CallStore):
    """A budget store in memory. Calls with a known charge are stored only as sums.

    Thread-safe. A forked child gets a copy, in which the parent's calls in flight stay reserved.
    """

    def __init__(self) -> None:
        self._sums: dict[BudgetKey, BudgetState] = {}
        #: Open reservations, grouped by state because an outage may leave thousands unknown.
        self._open: dict[State, dict[_Identity, Reservation]]
        self._open = {State.RESERVED: {}, State.UNKNOWN: {}}

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        key, identity = reservation.key, _identity(reservation)
        with _lock:
            if any(identity in entries for entries in self._open.values()):
                raise ConfigurationError(records.describe_second_reservation(reservation))
            state = attrs.evolve(self._sums.get(key) or BudgetState(key=key, cap=cap), cap=cap)
            if EXACT.add(state.used, reservation.amount) > cap:
                return state
            reserved = EXACT.add(state.reserved, reservation.amount)
            self._sums[key] = attrs.evolve(state, reserved=reserved)
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
            entry = self._open[State.RESERVED].pop(identity, None)
            if entry is None and charged is not Charged.UNKNOWN:
                entry = self._open[State.UNKNOWN].pop(identity, None)
            if entry is None:
                return False
            state, source = self._sums[entry.key], entry.state.value
            sums: dict[str, Any] = {source: EXACT.subtract(getattr(state, source), entry.amount)}
            if (target := records.SUM_BY_CHARGE.get(charged)) is not None:
                sums[target] = EXACT.add(getattr(state, target), entry.amount)
            self._sums[entry.key] = attrs.evolve(state, **sums)
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
            return self._sums.get(key)

    def budgets(self) -> tuple[BudgetState, ...]:
        with _lock:
            return tuple(sorted(self._sums.values(), key=lambda state: state.key.order))

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
                for entry in reservations.values()
                if key in (None, entry.key)
            ]
        return tuple(sorted(entries, key=lambda entry: entry.order))

    def close(self) -> None:
        """Do nothing, because a memory store has no connections."""


def _identity(reservation: Reservation) -> _Identity:
    return (reservation.call.id, reservation.number, reservation.key)

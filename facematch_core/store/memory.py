"""`MemoryStore`: a budget store in memory, which is lost when the process ends."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

import attrs

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import ConfigurationError
from facematch_core.models import Charged, Environment

from . import records
from .records import EXACT, BudgetKey, BudgetState, CallStore, Reservation, State

#: One lock for all memory stores in the process, because it is held for microseconds only.
_lock = fork_safe_lock()

#: The call's id, the number of the attempt, and the budget's key: one reservation for each.
_Identity: TypeAlias = tuple[str, int, BudgetKey]


class MemoryStore(CallStore):
    """A budget store in memory. Calls with a known charge are stored only as sums.

    Thread-safe. A forked child gets a copy, in which the parent's calls in flight stay reserved.
    """

    def __init__(self) -> None:
        self._budgets: dict[BudgetKey, BudgetState] = {}
        #: The reservations that are not final.
        self._open: dict[_Identity, Reservation] = {}

    def __reduce__(self) -> NoReturn:
        # Also for `copy`: a copy would allow the same amount again.
        raise TypeError(
            "A Budget without a store cannot be pickled or copied, because its copy would be a "
            "second limit: give it store=SqlStore(URL), or make one in each process."
        )

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        """Reserve an amount; return the budget's state if it would exceed the cap, else None.

        Raise ConfigurationError if the attempt has a reservation already.
        """
        key = reservation.key
        identity = _identity(reservation)
        with _lock:
            if identity in self._open:
                raise ConfigurationError(records.describe_second_reservation(reservation))
            state = self._budgets.get(key) or BudgetState(key=key, cap=cap)
            state = attrs.evolve(state, cap=cap)
            if EXACT.add(state.used, reservation.amount) > cap:
                return state
            reserved = EXACT.add(state.reserved, reservation.amount)
            self._budgets[key] = attrs.evolve(state, reserved=reserved)
            self._open[identity] = reservation
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
        """Move a reservation into the sum of its charge; return whether this changed anything.

        An unknown charge stays open until it is known. A known one never becomes unknown.
        """
        identity = _identity(reservation)
        with _lock:
            stored = self._open.get(identity)
            # An unknown charge may become known, but not the other way round.
            if stored is None or charged is stored.charged:
                return False
            del self._open[identity]
            budget = self._budgets[stored.key]
            # The states of an open reservation are also the names of their sums.
            old_sum = stored.state.value
            sums: dict[str, Any] = {
                old_sum: EXACT.subtract(getattr(budget, old_sum), stored.amount)
            }
            new_sum = records.SUM_NAME_BY_CHARGE.get(charged)
            if new_sum is not None:
                sums[new_sum] = EXACT.add(getattr(budget, new_sum), stored.amount)
            self._budgets[stored.key] = attrs.evolve(budget, **sums)
            if charged is Charged.UNKNOWN:
                self._open[identity] = attrs.evolve(
                    stored,
                    state=State.UNKNOWN,
                    charged=charged,
                    error=error,
                    ended_at=at,
                    answered_from=answered_from,
                )
            return True

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        with _lock:
            return self._budgets.get(key)

    def budgets(self) -> tuple[BudgetState, ...]:
        with _lock:
            return tuple(sorted(self._budgets.values(), key=lambda state: state.key.order))

    def open_reservations(
        self,
        key: BudgetKey | None = None,
        state: State | None = None,
        *,
        deadline: Deadline = NO_DEADLINE,
    ) -> tuple[Reservation, ...]:
        """Return the open reservations, oldest call first. Nothing here waits for `deadline`."""
        with _lock:
            reservations = list(self._open.values())
        if state is not None:
            reservations = [each for each in reservations if each.state is state]
        if key is not None:
            reservations = [each for each in reservations if each.key == key]
        return tuple(sorted(reservations, key=lambda reservation: reservation.order))

    def close(self) -> None:
        """Do nothing, because a memory store has no connections."""


def _identity(reservation: Reservation) -> _Identity:
    return (reservation.call.id, reservation.number, reservation.key)

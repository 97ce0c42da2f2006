"""The store interface `CallStore`, and its records: reservations and the sums of budgets."""

from __future__ import annotations

import enum
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Final, Protocol

import attrs

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import InvalidRequest
from facematch_core.models import CallRecord, Charged, Environment

#: Decimal context for exact sums, because the program's own context may round.
EXACT: Final = Context(prec=60)

#: Seconds until an open reservation expires and becomes unknown. No call takes this long.
LEASE_S: Final = 900.0


class Period(enum.StrEnum):
    """The period after which a budget is reset."""

    #: The budget is reset at midnight UTC. A call belongs to the day on which it started.
    DAY = "day"
    #: The budget is never reset.
    TOTAL = "total"


class State(enum.StrEnum):
    """The state of a reservation."""

    #: The call has not ended yet.
    RESERVED = "reserved"
    #: The call has ended, and its charge is known.
    FINAL = "settled"
    #: The call has ended or expired, and its charge is unknown.
    UNKNOWN = "unknown"


#: The sum that a finished call's amount is added to. The amount of a free call is not added.
SUM_NAME_BY_CHARGE: Final = {Charged.YES: "spent", Charged.UNKNOWN: "unknown"}


@attrs.frozen(kw_only=True)
class BudgetKey:
    """The key of a budget's sums for one environment and one period.

    Attributes:
        name: The budget's name.
        currency: The currency code, three capital letters; None if the budget counts calls.
        environment: The backend's environment, so that calls to a mock are counted separately.
        period: The period after which the budget is reset.
        window: The day, such as ``2026-11-20``; empty for `TOTAL`.
    """

    name: str
    currency: str | None
    environment: Environment
    period: Period
    window: str = ""

    @property
    def unit(self) -> str:
        """The unit of the amounts: ``calls``, or the currency."""
        return self.currency or "calls"

    @property
    def ends_at(self) -> datetime | None:
        """Start of the next day, UTC; None for `TOTAL`."""
        if self.period is not Period.DAY:
            return None
        return datetime.combine(date.fromisoformat(self.window), time(), UTC) + timedelta(days=1)

    @property
    def order(self) -> tuple[str, ...]:
        """The sort key."""
        return (self.name, self.unit, self.environment, self.period, self.window)


@attrs.frozen(kw_only=True)
class BudgetState:
    """The sums of a budget, in calls or in its currency.

    Attributes:
        key: The key of the budget.
        cap: The spending limit, as of the last reservation.
        spent: The amount of charged calls.
        reserved: The amount of calls in flight, including the calls of a recently killed process.
        unknown: The amount of calls with an unknown charge.
    """

    key: BudgetKey
    cap: Decimal
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    unknown: Decimal = Decimal(0)

    @property
    def used(self) -> Decimal:
        """The sum of `spent`, `reserved` and `unknown`."""
        return EXACT.add(EXACT.add(self.spent, self.reserved), self.unknown)

    @property
    def free(self) -> Decimal:
        """The amount that may still be reserved, at least 0."""
        return max(Decimal(0), EXACT.subtract(self.cap, self.used))


@attrs.frozen(kw_only=True)
class Reservation:
    """A reservation in one budget for one attempt of a call. Contains no picture or API key.

    Attributes:
        call: The call record, without `caller_ref`.
        number: Number of the attempt, from 1.
        key: The key of the budget.
        amount: The reserved amount: 1 call, or the price of the call.
        state: The state of the reservation.
        charged: Whether the attempt was charged; None before it ends.
        error: Class name of the attempt's error; None for a result, and before it ends.
        ended_at: End of the attempt, UTC; None before it ends.
        answered_from: The environment that answered, or None.
    """

    call: CallRecord
    number: int
    key: BudgetKey
    amount: Decimal
    state: State = State.RESERVED
    charged: Charged | None = None
    error: str | None = None
    ended_at: datetime | None = None
    answered_from: Environment | None = None

    @property
    def order(self) -> tuple[datetime, str, int, tuple[str, ...]]:
        """The sort key: the oldest call first."""
        return (self.call.started_at, self.call.id, self.number, self.key.order)


class CallStore(Protocol):
    """The interface of a budget store. Thread-safe, and safe to use after a fork.

    If the store is busy or unavailable, every method waits until `deadline` or the store's own
    timeout, whichever comes first. Every method may raise these errors:

    Raises:
        StoreUnavailable: the store was busy or unavailable until the deadline or timeout.
        ConfigurationError: the store cannot be read or written.
    """

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        """Reserve the amount, unless the sum of spent, reserved and unknown would exceed `cap`.

        The check and the reservation are atomic across threads, processes and machines.

        Returns:
            None if the amount was reserved; else the state of the exceeded budget.

        Raises:
            ConfigurationError: this attempt already has a reservation with the same key.
        """

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
        """Record a finished attempt's charge: the amount is spent (YES), free (NO) or unknown.

        Returns:
            Whether anything changed. False if the attempt was already final or already UNKNOWN.

        Raises:
            StoreUnavailable: the charge was not written yet. The store holds it in memory and
                writes it in the next transaction or on `close`.
        """

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        """Return a budget's sums; None if nothing was ever reserved in that budget."""

    def budgets(self) -> tuple[BudgetState, ...]:
        """Return the sums of all budgets, sorted by name."""

    def open_reservations(
        self,
        key: BudgetKey | None = None,
        state: State | None = None,
        *,
        deadline: Deadline = NO_DEADLINE,
    ) -> tuple[Reservation, ...]:
        """Return the open reservations with `key` and `state` (None: any), oldest first."""

    def close(self) -> None:
        """Close the connections. The next method call reconnects."""


def expire_reservations(
    store: CallStore,
    now: datetime,
    key: BudgetKey | None = None,
    *,
    deadline: Deadline = NO_DEADLINE,
) -> int:
    """Mark expired reservations as unknown, because their calls may have been sent.

    The amounts still count against the budget, and a late response can still finalize them. `key`
    selects a budget; None selects all budgets. Return the number of changed reservations.
    """
    count = 0
    for reservation in store.open_reservations(key, State.RESERVED, deadline=deadline):
        if (now - reservation.call.started_at).total_seconds() >= LEASE_S:
            count += store.finalize(reservation, Charged.UNKNOWN, at=now, deadline=deadline)
    return count


def describe_second_reservation(reservation: Reservation) -> str:
    return (
        f"Attempt {reservation.number} of call {reservation.call.id} is already reserved in the "
        f"budget {reservation.key.name!r}: give each budget of a verifier its own name or period."
    )


def seconds_of(days: float) -> float:
    """Return the seconds of the days after which `forget` deletes a row, a century at most.

    Raise `InvalidRequest` if `days` is not a number of 0 or more.
    """
    if type(days) not in (int, float) or not 0 <= days < math.inf:
        raise InvalidRequest("days must be a number of 0 or more.")
    return min(days, 36_525) * 86_400.0

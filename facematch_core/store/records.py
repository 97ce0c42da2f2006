"""The records of a store: reservations of calls, and the sums of budgets."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Final, Protocol

import attrs

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.models import CallRecord, Charged, Environment

#: Decimal context for sums: the program's own context may round early.
EXACT: Final = Context(prec=60)

#: Seconds after which an open reservation becomes unknown: no call takes longer.
LEASE_S: Final = 900.0


class Period(enum.StrEnum):
    """The period after which a budget starts again."""

    #: The UTC day on which a call began.
    DAY = "day"
    #: Never: the budget is a total.
    TOTAL = "total"


class State(enum.StrEnum):
    """The state of a reservation."""

    #: The call is about to be sent, or under way.
    RESERVED = "reserved"
    #: The call has ended, and its charge is known.
    FINAL = "settled"
    #: The call has ended, and its charge is not known.
    UNKNOWN = "unknown"


#: The sum that takes the amount of a finished call; a call that was not charged is in no sum.
SUM_BY_CHARGE: Final = {Charged.YES: "spent", Charged.UNKNOWN: "unknown"}


@attrs.frozen(kw_only=True)
class BudgetKey:
    """The sum that a call counts for.

    Attributes:
        name: The owner: a vendor or a profile.
        currency: Three letters; None if calls are counted.
        environment: The environment that the backend was set to: calls of a mock never count
            together with a vendor's.
        period: The period after which the sum starts again.
        window: The day (``2026-11-20``); empty for `TOTAL`.
    """

    name: str
    currency: str | None
    environment: Environment
    period: Period
    window: str = ""

    @property
    def unit(self) -> str:
        """``calls``, or the currency."""
        return self.currency or "calls"

    @property
    def ends_at(self) -> datetime | None:
        """The start of the next window, UTC; None for `TOTAL`."""
        if self.period is not Period.DAY:
            return None
        return datetime.combine(date.fromisoformat(self.window), time(), UTC) + timedelta(days=1)

    @property
    def order(self) -> tuple[str, ...]:
        """Sort key of sums."""
        return (self.name, self.unit, self.environment, self.period, self.window)


@attrs.frozen(kw_only=True)
class BudgetState:
    """The sums of a budget, in calls or in its currency.

    Attributes:
        key: The budget.
        cap: The most that may be spent, as of the last reservation.
        spent: Amount of charged calls.
        reserved: Amount of calls under way, and of calls whose process was killed a moment ago.
        unknown: Amount of calls whose charge is not known.
    """

    key: BudgetKey
    cap: Decimal
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    unknown: Decimal = Decimal(0)

    @property
    def used(self) -> Decimal:
        """Spent, reserved and unknown together."""
        return EXACT.add(EXACT.add(self.spent, self.reserved), self.unknown)

    @property
    def free(self) -> Decimal:
        """The amount that may still be reserved, at least 0."""
        return max(Decimal(0), EXACT.subtract(self.cap, self.used))


@attrs.frozen(kw_only=True)
class Reservation:
    """A try of a call, as one budget counts it. Holds no picture and no key.

    Attributes:
        call: The call, without `caller_ref`.
        number: 1 for the first try.
        key: The sum that it counts for.
        amount: 1 call, or the price of the call.
        state: Whether the call is under way, and whether its charge is known.
        charged: The charge; None while the call is under way.
        error: Class name of the call's error; None for a result, and while under way.
        ended_at: When the call ended, UTC; None while it is under way.
        answered_from: The environment of the answer; None if unknown.
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
        """Sort key of reservations: the oldest call first."""
        return (self.call.started_at, self.call.id, self.number, self.key.order)


class CallStore(Protocol):
    """Keeps reservations and sums. Safe across threads and after a fork.

    A method waits for a store that is busy or away until `deadline`, or until the store's own
    patience ends, whichever is first.

    Raises:
        StoreUnavailable: by each method: the store was busy or away until then.
        ConfigurationError: by each method: the store cannot be read or written.
    """

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        """Reserve the amount, if spent, reserved and unknown stay within `cap` with it.

        Comparing and adding is one atomic step across threads, processes and machines.

        Returns:
            None if the amount is reserved; else the state of the full budget.

        Raises:
            ConfigurationError: this try was already reserved for the same sum.
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
        """Note the charge of a finished try: YES is spent, NO is released, UNKNOWN stays reserved.

        Returns:
            False if nothing changed: the try was final before, or already UNKNOWN.

        Raises:
            StoreUnavailable: nothing was written. The store keeps the charge in memory, and writes
                it in the transaction of its next step, or when it is closed.
        """

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        """Return a sum; None if nothing was ever reserved for it."""

    def budgets(self) -> tuple[BudgetState, ...]:
        """Return all sums, sorted by name."""

    def open_reservations(
        self,
        key: BudgetKey | None = None,
        state: State | None = None,
        *,
        deadline: Deadline = NO_DEADLINE,
    ) -> tuple[Reservation, ...]:
        """Return open reservations, oldest first: of one sum or state; None for all."""

    def close(self) -> None:
        """Close connections. The next step opens them again."""


def expire_reservations(
    store: CallStore,
    now: datetime,
    key: BudgetKey | None = None,
    *,
    deadline: Deadline = NO_DEADLINE,
) -> int:
    """Mark old open reservations as unknown: their calls may have been sent. Return their number.

    The amounts stay reserved. An answer that comes later still finalizes them. `key` is the sum to
    look at; None for all.
    """
    count = 0
    for reservation in store.open_reservations(key, State.RESERVED, deadline=deadline):
        if (now - reservation.call.started_at).total_seconds() >= LEASE_S:
            count += store.finalize(reservation, Charged.UNKNOWN, at=now, deadline=deadline)
    return count


def describe_second_reservation(reservation: Reservation) -> str:
    return (
        f"Try {reservation.number} of call {reservation.call.id} is already reserved in the budget "
        f"{reservation.key.name!r}: give each budget of a verifier a name or a period of its own."
    )

"""Records of a store: reservations of calls, and sums of budgets."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Final, Protocol

import attrs

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.models import CallRecord, Charged, Environment

#: Decimal context for exact sums: the program's own context may round.
EXACT: Final = Context(prec=60)

#: Seconds until an open reservation expires and becomes unknown: no call takes longer.
LEASE_S: Final = 900.0


class Period(enum.StrEnum):
    """The period after which a budget is reset."""

    #: The UTC day on which a call started.
    DAY = "day"
    #: The budget is never reset.
    TOTAL = "total"


class State(enum.StrEnum):
    """The state of a reservation."""

    #: The call is about to be sent, or under way.
    RESERVED = "reserved"
    #: The call has ended, and the charge is known.
    FINAL = "settled"
    #: The call has ended, and the charge is unknown.
    UNKNOWN = "unknown"


#: The sum that the amount of a finished call is added to. A free call is added to none.
SUM_BY_CHARGE: Final = {Charged.YES: "spent", Charged.UNKNOWN: "unknown"}


@attrs.frozen(kw_only=True)
class BudgetKey:
    """The key of the sum that a call counts towards.

    Attributes:
        name: The budget's owner, such as a vendor or a profile.
        currency: Three letters; None if calls are counted.
        environment: The backend's environment: a mock's calls never count with a vendor's.
        period: The period after which the sum is reset.
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
        """The sort key of sums."""
        return (self.name, self.unit, self.environment, self.period, self.window)


@attrs.frozen(kw_only=True)
class BudgetState:
    """The sums of a budget, in calls or in its currency.

    Attributes:
        key: The budget.
        cap: The spending limit, as of the last reservation.
        spent: The amount of charged calls.
        reserved: The amount of calls under way, including calls of a process killed recently.
        unknown: The amount of calls whose charge is unknown.
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
    """The amount that one budget reserves for a try. Contains no picture and no API key.

    Attributes:
        call: The call, without `caller_ref`.
        number: 1 for the first try.
        key: The sum that the try counts towards.
        amount: 1 call, or the price of the call.
        state: Whether the call is under way, and whether its charge is known.
        charged: The charge; None while the call is under way.
        error: Class name of the call's error; None for a result, and while under way.
        ended_at: The end of the call, UTC; None while the call is under way.
        answered_from: The environment that answered; None if unknown.
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
        """The sort key of reservations: the oldest call first."""
        return (self.call.started_at, self.call.id, self.number, self.key.order)


class CallStore(Protocol):
    """Keeps reservations and sums. Safe across threads and after a fork.

    If the store is busy or unavailable, every method waits until `deadline` or the store's own
    timeout, whichever is first.

    Raises:
        StoreUnavailable: by every method: the store was busy or unavailable for all that time.
        ConfigurationError: by every method: the store cannot be read or written.
    """

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        """Reserve the amount unless the sum of spent, reserved and unknown would exceed `cap`.

        The check and the reservation are atomic across threads, processes and machines.

        Returns:
            None if the amount is reserved; else the state of the full budget.

        Raises:
            ConfigurationError: this try is already reserved in the same sum.
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
        """Record the charge of a finished try: YES is spent, NO released; UNKNOWN stays reserved.

        Returns:
            False if nothing changed: the try was already final, or already UNKNOWN.

        Raises:
            StoreUnavailable: nothing was written. The store keeps the charge in memory and writes
                it with the next step or `close`.
        """

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        """Return a budget's sums; None if nothing was ever reserved in the budget."""

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
        """Close the connections. The next step reconnects."""


def expire_reservations(
    store: CallStore,
    now: datetime,
    key: BudgetKey | None = None,
    *,
    deadline: Deadline = NO_DEADLINE,
) -> int:
    """Mark expired reservations as unknown, because the calls may have been sent.

    The amounts stay reserved, and a late response still finalizes the reservation. `key` selects a
    sum; None selects all. Returns the number of changed reservations.
    """
    count = 0
    for reservation in store.open_reservations(key, State.RESERVED, deadline=deadline):
        if (now - reservation.call.started_at).total_seconds() >= LEASE_S:
            count += store.finalize(reservation, Charged.UNKNOWN, at=now, deadline=deadline)
    return count


def describe_second_reservation(reservation: Reservation) -> str:
    return (
        f"Try {reservation.number} of call {reservation.call.id} is already reserved in the budget "
        f"{reservation.key.name!r}: give each budget of a verifier its own name or period."
    )

"""What a store remembers: calls that may be charged, and sums of them."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Final, Protocol

import attrs

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.models import CallRecord, Charged, Environment

#: For sums: a program may have set its own context to round early.
EXACT: Final = Context(prec=60)

#: Seconds after which a reservation that nobody finalized is unknown: no call takes longer.
LEASE_S: Final = 900.0


class Period(enum.StrEnum):
    """How long a budget lasts until it begins anew."""

    #: A day in UTC: the one in which a call began.
    DAY = "day"
    #: For good.
    TOTAL = "total"


class State(enum.StrEnum):
    """How far a reservation has come."""

    #: Its price is set aside: the call is about to be sent, or under way.
    RESERVED = "reserved"
    #: Whether it was charged is known.
    FINAL = "settled"
    #: It is over, and whether it was charged is not known.
    UNKNOWN = "unknown"


#: The sum that an amount becomes a part of at the end; one that was not charged leaves all sums.
SUM_BY_CHARGE: Final = {Charged.YES: "spent", Charged.UNKNOWN: "unknown"}


@attrs.frozen(kw_only=True)
class BudgetKey:
    """Which sum a call counts for.

    Attributes:
        name: Whose it is: a vendor or a profile.
        currency: Three letters; None if calls are counted.
        environment: Where the backend was set to answer from: calls of a mock never count
            together with those of a vendor.
        period: How long it lasts.
        window: Which day (``2026-11-20``); empty for `TOTAL`.
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
        """When a new window begins, UTC; None for good."""
        if self.period is not Period.DAY:
            return None
        day = date.fromisoformat(self.window)
        if day == date.max:
            return None
        return datetime.combine(day, time(), UTC) + timedelta(days=1)

    @property
    def order(self) -> tuple[str, ...]:
        """What sums are sorted by."""
        return (self.name, self.unit, self.environment, self.period, self.window)


@attrs.frozen(kw_only=True)
class BudgetState:
    """One sum, in calls or in its currency.

    Attributes:
        key: Which.
        cap: The most that may be spent, as of the last reservation.
        spent: Charged, as far as can be known.
        reserved: Set aside for calls that are under way, or whose process ended a moment ago.
        unknown: Set aside for calls whose charge is not known.
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
        """What may still be reserved, at least 0."""
        return max(Decimal(0), EXACT.subtract(self.cap, self.used))


@attrs.frozen(kw_only=True)
class Reservation:
    """One try of one call, as one budget counts it. No picture, no key.

    Attributes:
        call: The call, without `caller_ref`.
        number: 1 for the first try.
        key: Which sum it counts for.
        amount: How much: 1 call, or its price.
        state: How far it has come.
        charged: What is known of the charge; None while it is under way.
        error: Class name of the error that it ended in; None for a result, and while under way.
        ended_at: When it ended, UTC; None while it is under way.
        answered_from: Where the answer came from; None if nothing says so.
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
        """What reservations are sorted by: the oldest call first."""
        return (self.call.started_at, self.call.id, self.number, self.key.order)


class CallStore(Protocol):
    """Remembers calls and sums. Safe across threads and after a fork.

    `deadline` says until when a method may wait for a store that is busy or away; the store's own
    patience ends before a deadline that is further off.

    Raises:
        StoreUnavailable: by each method, if the store was busy or away until then.
        ConfigurationError: by each method, if it cannot be read or written for another reason.
    """

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        """Set its amount aside, if spent, reserved and unknown stay within `cap` with it.

        To compare and to add are one step: no other reservation comes between, whichever thread,
        process or machine makes it.

        Returns:
            None if it is done; else the state of the budget, which leaves no room.

        Raises:
            ConfigurationError: this try was reserved before for the same sum.
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
        """Say what became of it: YES is spent, NO is free again, UNKNOWN stays set aside.

        Returns:
            False if nothing changed: it was final before, or UNKNOWN already.

        Raises:
            StoreUnavailable: it was not written. The store keeps it in memory, and writes it in the
                same transaction as whatever it is asked next, or when it is closed.
        """

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        """One sum; None if nothing was ever reserved for it."""

    def budgets(self) -> tuple[BudgetState, ...]:
        """All sums, by name."""

    def open_reservations(
        self,
        key: BudgetKey | None = None,
        state: State | None = None,
        *,
        deadline: Deadline = NO_DEADLINE,
    ) -> tuple[Reservation, ...]:
        """What is reserved or unknown, or only one of them, the oldest first; None for all sums."""

    def close(self) -> None:
        """Give back what it holds. It may be used again, which opens it again."""


def expire_reservations(
    store: CallStore,
    now: datetime,
    key: BudgetKey | None = None,
    *,
    lease_s: float = LEASE_S,
    deadline: Deadline = NO_DEADLINE,
) -> int:
    """Count what nobody finished in time as unknown: it may have been sent. How many there were.

    The amounts stay set aside, and an answer that comes all the same finalizes them as ever.

    Args:
        store: Where.
        now: The time of day, UTC.
        key: Of one sum only; None for all.
        lease_s: How many seconds after the start of its call a reservation is given up, at least 0:
            longer than any deadline or job, and 0 if no process uses the store.
        deadline: As `CallStore` says.
    """
    count = 0
    for reservation in store.open_reservations(key, State.RESERVED, deadline=deadline):
        if (now - reservation.call.started_at).total_seconds() >= lease_s:
            count += store.finalize(reservation, Charged.UNKNOWN, at=now, deadline=deadline)
    return count


def describe_second_reservation(reservation: Reservation) -> str:
    return (
        f"Try {reservation.number} of call {reservation.call.id} is already reserved in the budget "
        f"{reservation.key.name!r}: give each budget of a verifier a name or a period of its own."
    )

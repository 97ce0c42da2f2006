"""What a store of attempts remembers: calls that may be charged, and sums of them."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Final

import attrs

from facematch_core.models import CallRecord, Charged, Environment

from ._owner import Owner

#: For sums: a program may have set its own context to round early.
EXACT: Final = Context(prec=60)


class Period(enum.StrEnum):
    """How long a budget lasts until it begins anew."""

    #: A day in UTC: the one in which an attempt began.
    DAY = "day"
    #: One run of a program, or one that was given a name.
    RUN = "run"
    #: For good.
    TOTAL = "total"


class State(enum.StrEnum):
    """How far an attempt has come."""

    #: Its price is set aside: it is about to be sent, or under way.
    RESERVED = "reserved"
    #: Whether it was charged is known.
    SETTLED = "settled"
    #: It is over, and whether it was charged is not known.
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class BudgetKey:
    """Which sum an attempt counts for.

    Attributes:
        name: Whose it is: a vendor or a profile.
        currency: Three letters; None if calls are counted.
        environment: Where the backend was set to answer from: what a mock is asked never counts
            with what a vendor is.
        period: How long it lasts.
        window: Which day (``2026-11-20``) or run; empty for `TOTAL`.
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
        """When a new window begins, UTC; None for a run, and for good."""
        if self.period is not Period.DAY:
            return None
        return datetime.combine(date.fromisoformat(self.window), time(), UTC) + timedelta(days=1)


@attrs.frozen(kw_only=True)
class Standing:
    """One sum, in calls or in its currency.

    Attributes:
        key: Which.
        cap: The most that may be spent, as whoever reserved last had it set.
        spent: Charged, as far as can be known.
        reserved: Set aside for attempts that are under way.
        unknown: Set aside for attempts whose charge is not known.
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
class Entry:
    """One try of one attempt, as one budget counts it. No picture, no key.

    Attributes:
        attempt: The call, without `caller_ref` unless the store was told to keep it.
        number: 1 for the first try.
        key: Which sum it counts for.
        amount: How much: 1 call, or its price.
        owner: Which process makes it.
        state: How far it has come.
        billed: What is known of the charge; None while it is under way.
        error: Class name of the error that it ended in; None for a result, and while under way.
        ended_at: When it ended, UTC; None while it is under way.
        answered_from: Where the answer came from; None if nothing told.
    """

    attempt: CallRecord
    number: int
    key: BudgetKey
    amount: Decimal
    owner: Owner
    state: State = State.RESERVED
    billed: Charged | None = None
    error: str | None = None
    ended_at: datetime | None = None
    answered_from: Environment | None = None

"""What a store remembers: calls that may be charged, sums of them, and which process made them."""

from __future__ import annotations

import enum
import os
import platform
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Final, Protocol

import attrs

from facematch_core.models import CallRecord, Charged, Environment

#: For sums: a program may have set its own context to round early.
EXACT: Final = Context(prec=60)

#: How long a reservation holds if nobody can say whether its process is still there. No call takes
#: longer.
LEASE: Final = timedelta(hours=1)

#: What the window of a run begins with that nobody gave a name: it is over with its process.
UNNAMED_RUN: Final = "@"


class Period(enum.StrEnum):
    """How long a budget lasts until it begins anew."""

    #: A day in UTC: the one in which a call began.
    DAY = "day"
    #: One run of a program, or one that was given a name.
    RUN = "run"
    #: For good.
    TOTAL = "total"


class State(enum.StrEnum):
    """How far a reservation has come."""

    #: Its price is set aside: the call is about to be sent, or under way.
    RESERVED = "reserved"
    #: Whether it was charged is known. (The word in stores of 0.1.)
    FINAL = "settled"
    #: It is over, and whether it was charged is not known.
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class BudgetKey:
    """Which sum a call counts for.

    Attributes:
        name: Whose it is: a vendor or a profile.
        currency: Three letters; None if calls are counted.
        environment: Where the backend was set to answer from: calls of a mock never count
            together with those of a vendor.
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
        reserved: Set aside for calls that are under way.
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
class Owner:
    """One process.

    Attributes:
        host: Name of its machine or container.
        pid: Its number there.
        run: An id of this one process, which no later one with the same number has.
    """

    host: str
    pid: int
    run: str

    @staticmethod
    def here() -> Owner:
        """This process; another one in the child of a fork."""
        return _here

    def is_gone(self) -> bool | None:
        """Whether it has ended; None if that is not known.

        It is not known on another machine, nor for a process number that is in use: that may be
        another process by now.
        """
        here = Owner.here()
        if self.host != here.host:
            return None
        if self.pid == here.pid:
            return self.run != here.run
        if os.name == "nt":
            # To ask there would end it.
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            # Somebody else's, so it exists; or no number of a process.
            pass
        return None


def _find_out() -> None:
    global _here  # noqa: PLW0603 - the one place that says which process this is
    _here = Owner(host=platform.node()[:200], pid=os.getpid(), run=str(uuid.uuid4()))


_here: Owner
_find_out()
if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_find_out)


@attrs.frozen(kw_only=True)
class Reservation:
    """One try of one call, as one budget counts it. No picture, no key.

    Attributes:
        call: The call, without `caller_ref` unless the store keeps that.
        number: 1 for the first try.
        key: Which sum it counts for.
        amount: How much: 1 call, or its price.
        owner: Which process makes it.
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
    owner: Owner
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

    Raises:
        ConfigurationError: by each method, if the store cannot be read or written.
    """

    def reserve(self, reservation: Reservation, cap: Decimal) -> BudgetState | None:
        """Set its amount aside, if spent, reserved and unknown stay within `cap` with it.

        To compare and to add are one step: no other reservation comes between, whichever thread,
        process or machine makes it.

        Returns:
            None if it is done; else the state of the budget, which leaves no room.

        Raises:
            ConfigurationError: this try was reserved before for the same sum.
        """
        ...

    def finalize(
        self,
        reservation: Reservation,
        charged: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
    ) -> bool:
        """Say what became of it: YES is spent, NO is free again, UNKNOWN stays set aside.

        Returns:
            False if nothing changed: it was final before, or UNKNOWN already.
        """
        ...

    def budget(self, key: BudgetKey) -> BudgetState | None:
        """One sum; None if nothing was ever reserved for it."""
        ...

    def budgets(self) -> tuple[BudgetState, ...]:
        """All sums, by name."""
        ...

    def open_reservations(self, key: BudgetKey | None = None) -> tuple[Reservation, ...]:
        """What is reserved or unknown, for one sum or for all, the oldest first."""
        ...

    def close(self) -> None:
        """Give back what it holds. It may be used again, which opens it again."""


def has_expired(reservation: Reservation, now: datetime) -> bool:
    """Whether its process is gone; where that is not known, whether it began over an hour ago.

    A living process may wait as long as it likes: for a vendor's quota of the day, perhaps.
    """
    if reservation.state is not State.RESERVED:
        return False
    gone = reservation.owner.is_gone()
    return now - reservation.call.started_at > LEASE if gone is None else gone


def expire_reservations(store: CallStore, now: datetime, key: BudgetKey | None = None) -> int:
    """Count what was left behind as unknown: it may have been sent. How many there were.

    The amounts stay set aside, and a process that is there all the same finalizes them as ever.

    Args:
        store: Where.
        now: The time of day, UTC.
        key: Of one sum only; None for all.
    """
    left = [one for one in store.open_reservations(key) if has_expired(one, now)]
    return sum(store.finalize(one, Charged.UNKNOWN, at=now) for one in left)


def reserved_twice(reservation: Reservation) -> str:
    """What is wrong if one try is reserved twice for one sum."""
    return (
        f"Try {reservation.number} of call {reservation.call.id} is already reserved in the budget "
        f"{reservation.key.name!r}: give each budget of a verifier a name or a period of its own."
    )

"""Clocks, rate windows, and the deadline and cancellation of a call."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import threading
import time
from contextvars import ContextVar
from typing import Protocol

import attrs

from facematch_core.errors import ConfigurationError
from facematch_core.models import Billing

__all__ = ["NO_DEADLINE", "Clock", "Deadline", "RateWindow", "SystemClock"]


class Clock(Protocol):
    """The clock that a verifier uses; tests pass their own."""

    def now(self) -> dt.datetime:
        """Return the current time in UTC."""
        ...

    def monotonic(self) -> float:
        """Return a monotonic time in seconds, from an arbitrary start."""
        ...

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`, which is 0 or more."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@attrs.frozen
class RateWindow:
    """A sliding rate limit: at most `limit` calls in any window of `seconds`.

    Args:
        limit: Calls per window, at least 1.
        seconds: Length of the window, above 0.

    Raises:
        ConfigurationError: a value is out of range.

    Example:
        >>> (window,) = verifier.backend.capabilities.rate_windows
        >>> print(f"{window.limit} calls in {window.seconds:g} s")
        300 calls in 60 s
    """

    limit: int
    seconds: float

    def __attrs_post_init__(self) -> None:
        """Raise ConfigurationError unless the limit and the seconds are above 0."""
        if type(self.limit) is not int or self.limit < 1:
            raise ConfigurationError(
                "RateWindow: limit must be a whole number of calls, at least 1, not "
                f"{self.limit!r:.40}. Leave the window out if there is no limit."
            )
        if type(self.seconds) not in {int, float} or not 0 < self.seconds < math.inf:
            raise ConfigurationError(
                f"RateWindow: seconds must be a number above 0, not {self.seconds!r:.40}."
            )


_SYSTEM_CLOCK = SystemClock()


@attrs.frozen(kw_only=True)
class Deadline:
    """The deadline of a call. Create one with `Deadline.after`.

    Attributes:
        limit_s: The total limit in seconds, for messages; None if there is no limit.
        ends_at: The end on the monotonic clock; infinite if there is no limit.
        clock: The clock that the deadline uses.
        share: The earlier deadline for the first byte, if a failover has a next member; else None.
    """

    limit_s: float | None = None
    ends_at: float = math.inf
    clock: Clock = attrs.field(default=_SYSTEM_CLOCK, repr=False, eq=False)
    share: Deadline | None = None

    @classmethod
    def after(
        cls, limit_s: float | None, clock: Clock = _SYSTEM_CLOCK, *, since: float | None = None
    ) -> Deadline:
        """Return a deadline `limit_s` seconds (None: no limit) after `since`, by default now."""
        if limit_s is None:
            return cls(clock=clock)
        start = clock.monotonic() if since is None else since
        return cls(limit_s=limit_s, ends_at=start + limit_s, clock=clock)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self.ends_at != math.inf

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.clock.monotonic() >= self.ends_at

    def left_s(self) -> float:
        """Return the seconds left: at least 0, infinite if there is no limit."""
        return max(0.0, self.ends_at - self.clock.monotonic())

    def timeout_s(self) -> float | None:
        """Return the seconds left, at least 0, as a `timeout` argument; None without a limit."""
        return self.left_s() if self.is_limited else None

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and `seconds` from now."""
        return self.earlier(Deadline.after(seconds, self.clock))

    def earlier(self, other: Deadline) -> Deadline:
        """Return the earlier of this deadline and another on the same clock."""
        return other if other.ends_at < self.ends_at else self

    def sending_within(self, seconds: float) -> Deadline:
        """Return this deadline, with the first byte due within `seconds`."""
        return attrs.evolve(self, share=Deadline.after(seconds, self.clock))

    @property
    def send_by(self) -> Deadline:
        """The deadline for the first byte; nothing may be sent after it."""
        return self.share or self

    @property
    def once_sent(self) -> Deadline:
        """This deadline without `share`, for a call whose first byte was sent."""
        return self if self.share is None else attrs.evolve(self, share=None)


#: A deadline without a limit.
NO_DEADLINE = Deadline()


class CallCancelled(BaseException):
    """The call was cancelled; nothing more is sent. `billing` is the charge so far, or None.

    Derived from `BaseException`, so that plug-ins do not catch it as a vendor's error.
    """

    def __init__(self, billing: Billing | None = None) -> None:
        super().__init__()
        self.billing = billing


class Cancellation:
    """A flag shared by a caller and the thread that makes its call."""

    #: The context in which the thread prepares each picture: a semaphore, or none.
    preparing: contextlib.AbstractContextManager[object] = contextlib.nullcontext()

    def __init__(self, deadline: Deadline = NO_DEADLINE) -> None:
        self.deadline = deadline  # starts before the thread does
        #: Whether `cancel` was called.
        self.is_cancelled = False
        self._end = threading.Event()

    def cancel(self) -> None:
        """Cancel the call. A request in flight is completed; no further request is sent."""
        self.is_cancelled = True
        self._end.set()

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Sleep; raise `CallCancelled` as soon as `cancel` is called."""
        if self is not UNCANCELLED and isinstance(clock, SystemClock):
            self._end.wait(seconds)
        else:
            clock.sleep(seconds)  # a test's clock
        if self.is_cancelled:
            raise CallCancelled


UNCANCELLED = Cancellation()

#: The cancellation of this thread's call; never cancelled outside an async verifier.
CANCELLATION: ContextVar[Cancellation] = ContextVar("facematch_cancellation", default=UNCANCELLED)

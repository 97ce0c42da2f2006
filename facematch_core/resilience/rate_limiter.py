"""`RateLimiter`: keep calls within a vendor's rate limit."""

from __future__ import annotations

import collections
import functools
import math
import os

import attrs

from facematch_core.base.deadline import Clock, RateWindow, SystemClock
from facematch_core.base.functions import must_be
from facematch_core.base.threads import fork_safe_lock
from facematch_core.call import bill
from facematch_core.call.attempt import Attempt, Leave, Outcome, Policy
from facematch_core.errors import RateLimited

#: One lock for the state of all rate limiters in this process.
_lock = fork_safe_lock()

#: Seconds added to each window, because the vendor's clock differs from ours.
MARGIN_S = 0.05
#: The shortest sleep in seconds. Rounding could turn a shorter sleep into 0.
MIN_SLEEP_S = 0.001
#: Maximum sleep in seconds before checking the queue again, because other calls may have left it.
MAX_SLEEP_S = 1.0
#: The longest pause in seconds after a throttled call, unless the window is longer.
MAX_PAUSE_S = 900.0


@attrs.define(eq=False)
class RateLimiter(Policy):
    """Delays calls, in order of arrival, so that they stay within a vendor's rate limit.

    A call occupies a slot from its arrival until one window after its first byte was sent. A failed
    call occupies its slot, too, but a call that was not sent releases it. Because the vendor
    receives calls slightly later, it may still throttle some of them. A throttled call is free,
    delays other calls by its `retry_after_s`, and can be retried by a `Retry`.

    If a call would have to wait longer than `max_wait_s` or past its deadline, `RateLimited` is
    raised immediately. The error's `retry_after_s` is the estimated wait.

    Use one limiter per window: a vendor with two rate limits needs two. Open one verifier per
    process and share it between threads. Processes do not share a limiter, so give each of four
    worker processes a quarter of the rate.

    Args:
        window: The rate limit. A backend's published limits are in ``capabilities.rate_windows``.
        max_wait_s: The maximum wait before a call, in seconds, 0 or more.
        clock: A clock, for tests.

    Raises:
        ConfigurationError: a value is out of range.

    Example:
        >>> quarter = RateWindow(limit=75, seconds=60)  # for each of four worker processes
        >>> with open_verifier("didit", policies=[RateLimiter(quarter, max_wait_s=5)]) as verifier:
        ...     print(verifier.verify(selfie, document).decision)
        match
    """

    window: RateWindow = attrs.field(
        validator=must_be("one RateWindow", lambda value: isinstance(value, RateWindow))
    )
    max_wait_s: float = attrs.field(
        default=60.0,
        validator=must_be(
            "a number of seconds, 0 or more",
            lambda value: type(value) in (int, float) and 0 <= value < math.inf,
        ),
        kw_only=True,
    )
    clock: Clock = attrs.field(factory=SystemClock, kw_only=True, repr=False)
    #: Calls that have not been sent yet (waiting or admitted), in order of arrival.
    _unsent: list[Attempt] = attrs.field(init=False, factory=list, repr=False)
    #: Send times of the latest calls on the monotonic clock, oldest first, as many as a window
    #: allows.
    _sent_at: collections.deque[float] = attrs.field(init=False, repr=False)
    #: End of the pause that the vendor requested, on the monotonic clock.
    _paused_until: float = attrs.field(init=False, default=-math.inf, repr=False)

    def __attrs_post_init__(self) -> None:
        self._sent_at = collections.deque(maxlen=self.window.limit)

    def enter(self, attempt: Attempt) -> Leave:
        """Wait until the rate limit allows the call.

        Raises:
            RateLimited: the wait would be too long; nothing was sent.
        """
        arrived_at = self.clock.monotonic()
        with _lock:
            self._unsent.append(attempt)
        try:
            while (wait_s := self._wait_s(attempt, arrived_at)) > 0:
                attempt.sleep(max(min(wait_s, MAX_SLEEP_S), MIN_SLEEP_S), self.clock)
        except BaseException:
            with _lock:
                self._remove_unsent(attempt)
            raise
        return functools.partial(self._leave, attempt)

    def _leave(self, attempt: Attempt, outcome: Outcome) -> None:
        """Record an attempt's end: free the slot of an unsent call, and note a requested pause."""
        error = outcome.error
        with _lock:
            now = self.clock.monotonic()
            # A backend that does not report when it sends may have sent the call until now.
            if self._remove_unsent(attempt) and outcome.may_be_sent:
                self._sent_at.append(now)
            if outcome.was_called and isinstance(error, RateLimited) and error.retry_after_s:
                # Not much longer than a window, in case the vendor's value is absurd.
                pause_s = min(error.retry_after_s, max(MAX_PAUSE_S, self.window.seconds))
                self._paused_until = max(self._paused_until, now + pause_s)

    def sent(self, attempt: Attempt) -> None:
        """Record the send time of a call."""
        with _lock:
            if self._remove_unsent(attempt):
                self._sent_at.append(self.clock.monotonic())

    def _wait_s(self, attempt: Attempt, arrived_at: float) -> float:
        """Return the seconds until the call may be sent; raise `RateLimited` if too many.

        `arrived_at` is the monotonic time at which the call arrived.
        """
        with _lock:
            now = self.clock.monotonic()
            opens_at = self._slot_opens_at(attempt, now)
        wait_s = max(0.0, opens_at - now)
        if wait_s == 0:
            return 0.0
        # Compare durations, because the deadline may use a different clock.
        if wait_s >= attempt.deadline.send_by.left_s():
            raise self._too_long(attempt, wait_s, exceeded="the call's deadline")
        if opens_at - arrived_at > self.max_wait_s:
            exceeded = f"max_wait_s ({self.max_wait_s:g} s)"
            raise self._too_long(attempt, wait_s, exceeded=exceeded)
        return wait_s

    def _slot_opens_at(self, attempt: Attempt, now: float) -> float:
        """Return the monotonic time at which a call may be sent. The caller holds the lock."""
        # A forked child inherits its parent's unsent calls. Treat those calls as sent.
        process = os.getpid()
        for call in list(self._unsent):
            if call.process != process:
                self._unsent.remove(call)
                self._sent_at.append(now)
        window_s = self.window.seconds + MARGIN_S
        calls_ahead = self._unsent.index(attempt)
        # The calls ahead are sent first, `limit` of them in each window.
        windows_ahead, calls_ahead_in_window = divmod(calls_ahead, self.window.limit)
        remaining_slots = self.window.limit - calls_ahead_in_window
        opens_at = now
        if len(self._sent_at) >= remaining_slots:
            # Sent calls occupy the remaining slots. Wait until the oldest of them has left.
            opens_at = max(now, self._sent_at[-remaining_slots] + window_s)
        return max(self._paused_until, opens_at + windows_ahead * window_s)

    def _too_long(self, attempt: Attempt, wait_s: float, *, exceeded: str) -> RateLimited:
        """Return the error for a wait that is longer than `exceeded`."""
        window = f"{self.window.limit} in {self.window.seconds:g} s"
        return RateLimited(
            f"{attempt.call.backend}: the rate limit ({window}) or the vendor's retry-after "
            f"requires a wait of {wait_s:.3g} s. That is longer than {exceeded}: nothing was sent.",
            retry_after_s=wait_s,
            billing=bill.refused_by("a rate limiter"),
        )

    def _remove_unsent(self, attempt: Attempt) -> bool:
        """Remove a call from `_unsent`; return whether it was there. The caller holds the lock."""
        try:
            self._unsent.remove(attempt)
        except ValueError:
            return False
        return True

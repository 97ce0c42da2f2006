"""`RateLimiter`: keep calls within a vendor's rate limit."""

from __future__ import annotations

import collections
import contextlib
import math
import os

import attrs

from facematch_core.base.deadline import Clock, RateWindow, SystemClock
from facematch_core.call import bill
from facematch_core.call.attempt import Attempt, Leave, Outcome, Policy
from facematch_core.errors import RateLimited

from .shared import lock, must_be

#: Seconds added to each window, because the vendor's clock differs from ours.
MARGIN_S = 0.05
#: The shortest sleep in seconds. Rounding could turn a shorter sleep into 0.
SHORTEST_S = 0.001
#: Maximum sleep in seconds before checking the queue again, because other calls may have left it.
LONGEST_SLEEP_S = 1.0
#: The longest pause in seconds after a throttled call, unless the window is longer.
LONGEST_HOLD_S = 900.0


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
    _queue: list[Attempt] = attrs.field(init=False, factory=list, repr=False)
    #: Send times of the latest calls, as many as one window allows.
    _sent_at: collections.deque[float] = attrs.field(init=False, repr=False)
    #: End of the pause that the vendor requested, on the monotonic clock.
    _held_until: float = attrs.field(init=False, default=-math.inf, repr=False)

    def __attrs_post_init__(self) -> None:
        self._sent_at = collections.deque(maxlen=self.window.limit)

    def enter(self, attempt: Attempt) -> Leave:
        """Wait until the rate limit allows the call.

        Raises:
            RateLimited: the wait would be too long; nothing was sent.
        """
        arrived_at = self.clock.monotonic()
        with lock:
            self._queue.append(attempt)
        try:
            while (wait_s := self._wait_s(attempt, arrived_at)) > 0:
                attempt.sleep(max(min(wait_s, LONGEST_SLEEP_S), SHORTEST_S), self.clock)
        except BaseException:
            with lock:
                self._remove(attempt)
            raise

        def leave(outcome: Outcome) -> None:
            error = outcome.error
            with lock:
                now = self.clock.monotonic()
                if self._remove(attempt) and outcome.may_be_sent:
                    self._sent_at.append(now)
                if outcome.was_called and isinstance(error, RateLimited) and error.retry_after_s:
                    hold_s = min(error.retry_after_s, max(LONGEST_HOLD_S, self.window.seconds))
                    self._held_until = max(self._held_until, now + hold_s)

        return leave

    def sent(self, attempt: Attempt) -> None:
        """Record the send time of a call."""
        with lock:
            if self._remove(attempt):
                self._sent_at.append(self.clock.monotonic())

    def _wait_s(self, attempt: Attempt, arrived_at: float) -> float:
        """Return the seconds until the call may be sent; raise `RateLimited` if too many."""
        limit, length_s = self.window.limit, self.window.seconds + MARGIN_S
        with lock:
            now = self.clock.monotonic()
            # A forked child inherits its parent's queue. Treat those calls as sent.
            for call in [call for call in self._queue if call.process != os.getpid()]:
                self._queue.remove(call)
                self._sent_at.append(now)
            turns, rest = divmod(self._queue.index(attempt), limit)
            full = limit - rest
            is_full = len(self._sent_at) >= full
            first = self._sent_at[-full] + length_s if is_full else now
            opens_at = max(self._held_until, max(first, now) + turns * length_s)
        wait_s = max(0.0, opens_at - now)
        # Compare durations, because the deadline may use a different clock.
        is_late = wait_s >= attempt.deadline.send_by.left_s()
        if wait_s and (is_late or opens_at - arrived_at > self.max_wait_s):
            bound = "the call's deadline" if is_late else f"max_wait_s ({self.max_wait_s:g} s)"
            raise RateLimited(
                f"{attempt.call.backend}: the rate limit ({limit} in {self.window.seconds:g} s) or "
                f"the vendor's retry-after requires a wait of {wait_s:.3g} s. That is longer than "
                f"{bound}: nothing was sent.",
                retry_after_s=wait_s,
                billing=bill.refused_by("a rate limiter"),
            )
        return wait_s

    def _remove(self, attempt: Attempt) -> bool:
        """Remove a call from the queue; return whether it was queued. The caller holds the lock."""
        with contextlib.suppress(ValueError):
            self._queue.remove(attempt)
            return True
        return False

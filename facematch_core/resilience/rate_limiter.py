"""`RateLimiter`: keep calls within a vendor's published rate limit."""

from __future__ import annotations

import collections
import contextlib
import math
import os

import attrs

from facematch_core.base.deadline import Clock, RateWindow, SystemClock
from facematch_core.errors import RateLimited
from facematch_core.models import Billing, Charged

from . import policy

#: Seconds added to a window, because the vendor's clock differs from ours.
MARGIN_S = 0.05
#: The shortest sleep in seconds; rounding would turn a shorter one into 0.
SHORTEST_S = 0.001
#: The longest sleep in seconds before the queue is checked again: calls may have left the queue.
LONGEST_SLEEP_S = 1.0
#: The longest pause in seconds after one throttled call, unless the window is longer.
LONGEST_HOLD_S = 900.0


@attrs.define(eq=False)
class RateLimiter(policy.Policy):
    """Delays calls until the vendor's rate window has room, first come, first served.

    A call takes a slot when it arrives. The slot is free again one window after the call's first
    byte was sent. The vendor counts the call slightly later, so it occasionally throttles a call. A
    throttled call is free, delays other calls by its `retry_after_s`, and is retried by a `Retry`.
    A failed call counts; a call that was not sent does not.

    If a call would wait longer than `max_wait_s` or past its deadline, it raises `RateLimited`
    immediately. The error's `retry_after_s` is the estimated wait.

    Use one limiter per window: a vendor with two rates needs two. Open one verifier per process and
    share it between threads. Processes count separately: give each of four workers a quarter.

    Args:
        window: The rate. A backend's published rates are its ``capabilities.rate_windows``.
        max_wait_s: The longest wait of one call, in seconds, 0 or more.
        clock: The clock, for tests; otherwise the verifier's.

    Raises:
        ConfigurationError: a value is out of range.
    """

    window: RateWindow = attrs.field(
        validator=policy.must_be("one RateWindow", lambda value: isinstance(value, RateWindow))
    )
    max_wait_s: float = attrs.field(
        default=60.0,
        validator=policy.must_be(
            "a number of seconds, 0 or more",
            lambda value: type(value) in (int, float) and 0 <= value < math.inf,
        ),
        kw_only=True,
    )
    clock: Clock = attrs.field(factory=SystemClock, kw_only=True, repr=False)
    #: Calls that wait or passed but have not been sent yet, in order of arrival.
    _queue: list[policy.Attempt] = attrs.field(init=False, factory=list, repr=False)
    #: Send times of the latest calls, at most one window's limit.
    _sent_at: collections.deque[float] = attrs.field(init=False, repr=False)
    #: End of the pause that the vendor asked for, on the monotonic clock.
    _held_until: float = attrs.field(init=False, default=-math.inf, repr=False)

    def __attrs_post_init__(self) -> None:
        self._sent_at = collections.deque(maxlen=self.window.limit)

    def enter(self, attempt: policy.Attempt) -> policy.Leave:
        """Wait until the window has room for a call.

        Raises:
            RateLimited: the wait would be too long; nothing was sent.
        """
        arrived_at = self.clock.monotonic()
        with policy.lock:
            self._queue.append(attempt)
        try:
            while (wait_s := self._wait_s(attempt, arrived_at)) > 0:
                attempt.sleep(max(min(wait_s, LONGEST_SLEEP_S), SHORTEST_S), self.clock)
        except BaseException:
            with policy.lock:
                self._remove(attempt)
            raise

        def leave(outcome: policy.Outcome) -> None:
            error = outcome.error
            with policy.lock:
                now = self.clock.monotonic()
                if self._remove(attempt) and outcome.sent:
                    self._sent_at.append(now)
                if outcome.was_asked and isinstance(error, RateLimited) and error.retry_after_s:
                    hold_s = min(error.retry_after_s, max(LONGEST_HOLD_S, self.window.seconds))
                    self._held_until = max(self._held_until, now + hold_s)

        return leave

    def sent(self, attempt: policy.Attempt) -> None:
        """Record the send time of a call."""
        with policy.lock:
            if self._remove(attempt):
                self._sent_at.append(self.clock.monotonic())

    def _wait_s(self, attempt: policy.Attempt, arrived_at: float) -> float:
        """Return the seconds until the window may have room; raise `RateLimited` if too many."""
        limit, length_s = self.window.limit, self.window.seconds + MARGIN_S
        with policy.lock:
            now = self.clock.monotonic()
            # Calls inherited from the parent of a fork may have been sent, so they count as sent.
            for call in [call for call in self._queue if call.process != os.getpid()]:
                self._queue.remove(call)
                self._sent_at.append(now)
            turns, rest = divmod(self._queue.index(attempt), limit)
            full = limit - rest
            is_full = len(self._sent_at) >= full
            first = self._sent_at[-full] + length_s if is_full else now
            opens_at = max(self._held_until, max(first, now) + turns * length_s)
        wait_s = max(0.0, opens_at - now)
        # Compare durations: the deadline may use another clock.
        is_late = wait_s >= attempt.deadline.send_by.left_s()
        if wait_s and (is_late or opens_at - arrived_at > self.max_wait_s):
            bound = "the call's deadline" if is_late else f"max_wait_s ({self.max_wait_s:g} s)"
            raise RateLimited(
                f"{attempt.call.backend}: the rate limit ({limit} in {self.window.seconds:g} s) or "
                f"the vendor's retry-after allows no call for {wait_s:.3g} s. That is longer than "
                f"{bound}: nothing was sent.",
                retry_after_s=wait_s,
                billing=Billing(Charged.NO, "refused by a rate limiter; nothing was sent"),
            )
        return wait_s

    def _remove(self, attempt: policy.Attempt) -> bool:
        """Remove a call from the queue; return whether it was queued. The caller holds the lock."""
        with contextlib.suppress(ValueError):
            self._queue.remove(attempt)
            return True
        return False

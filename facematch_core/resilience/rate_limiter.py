"""Keeping to the rates that a vendor publishes."""

from __future__ import annotations

import collections
import contextlib
import math
import weakref
from collections.abc import Iterable
from typing import Any, Literal

import attrs

from facematch_core.base.clock import Clock, RateWindow
from facematch_core.errors import ConfigurationError, RateLimited
from facematch_core.models import Billing, Charged

from . import policy

#: How much longer a window is taken to be, because the vendor's clock is not ours.
MARGIN_S = 0.05
#: A shorter sleep than this would be lost in rounding.
SHORTEST_S = 0.001
#: The longest sleep before the queue is looked at again: calls may have left it.
LONGEST_SLEEP_S = 1.0
#: How long an answer of the vendor's holds everybody back at most, unless a window is longer.
LONGEST_HOLD_S = 900.0


def _windows(value: Any) -> tuple[RateWindow, ...]:
    is_list = isinstance(value, Iterable) and not isinstance(value, RateWindow)
    windows = tuple(value) if is_list else ()
    if not windows or not all(isinstance(window, RateWindow) for window in windows):
        raise ConfigurationError(
            "RateLimiter: windows must be a list of RateWindow, at least one: leave the rate "
            "limiter out if there is no limit."
        )
    return windows


_max_wait = policy.must_be(
    "a number of seconds, 0 or more",
    lambda value: policy.is_number(value) and 0 <= value < math.inf,
)
_count_from = policy.must_be('"sent" or "ended"', lambda value: value in ("sent", "ended"))


@attrs.define(eq=False)
class RateLimiter(policy.Policy):
    """Holds calls back until the vendor's windows have room for them, first come, first served.

    A call takes its place in every window when it comes, and leaves it when the window's time has
    passed since the call was *sent*, that is since its first byte left. The vendor counts it a
    little later, and not always by the same little: now and then one call too many arrives there.
    It is refused with 429, costs nothing, and holds the others back as long as the vendor says; a
    `Retry` makes it again.

    With ``count_from="ended"`` the window's time begins when the call has ended. The vendor has
    counted it by then, so the rate is never exceeded, and a short window is not used to the full:
    of two calls a second that take two seconds each, it lets through a third. Take it for a vendor
    that punishes a call too many.

    Refused calls count; what never left this machine does not. Two requests of one call (a new
    login, say) count as one.

    A call that would have to wait longer than `max_wait_s`, or beyond its deadline, is refused at
    once with `RateLimited`, whose `retry_after_s` says when there may be room.

    One per account of a vendor in a process: open one verifier, and use that from all threads. A
    new one knows of no call of the one before. It knows of no other process: with four of them,
    give each a quarter. The child of a fork begins with a copy, in which no call is under way.

    Args:
        windows: The rates, all of which apply. A backend's published ones are its
            ``capabilities.rate_windows``.
        count_from: When the time of a window begins for a call: ``"sent"`` or ``"ended"``.
        max_wait_s: The longest wait of one call, from 0 on.
        max_hold_s: How long one `RateLimited` answer that says how long to wait may hold everybody
            back, above 0; None for 15 minutes or the longest window, whichever is longer.
        clock: Time, for tests; the verifier's.

    Raises:
        ConfigurationError: there is no window, or a value is out of range.
    """

    windows: tuple[RateWindow, ...] = attrs.field(converter=_windows)
    count_from: Literal["sent", "ended"] = attrs.field(
        default="sent", validator=_count_from, kw_only=True
    )
    max_wait_s: float = attrs.field(default=60.0, validator=_max_wait, kw_only=True)
    max_hold_s: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(policy.positive_seconds), kw_only=True
    )
    clock: Clock = attrs.field(
        default=None, converter=policy.or_system_clock, kw_only=True, repr=False
    )
    #: Calls that wait, or were let through and are not counted yet, in the order of their arrival.
    _queue: list[weakref.ref[policy.Attempt]] = attrs.field(init=False, factory=list, repr=False)
    #: When the last calls were sent or ended, as many as the largest window holds.
    _counted_at: collections.deque[float] = attrs.field(init=False, repr=False)
    #: When the vendor takes calls again, on the monotonic clock.
    _held_until: float = attrs.field(init=False, default=-math.inf, repr=False)

    def __attrs_post_init__(self) -> None:
        self._counted_at = collections.deque(maxlen=max(window.limit for window in self.windows))

    def enter(self, attempt: policy.Attempt) -> policy.Leave:
        """Let a call through when there is room for it.

        Raises:
            RateLimited: that would be too late; nothing was sent.
        """
        arrived_at = self.clock.monotonic()
        with policy.lock:
            self._queue.append(weakref.ref(attempt))
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
                    self._counted_at.append(now)
                if outcome.was_asked and isinstance(error, RateLimited) and error.retry_after_s:
                    longest_s = max(LONGEST_HOLD_S, *(window.seconds for window in self.windows))
                    hold_s = min(self.max_hold_s or longest_s, error.retry_after_s)
                    self._held_until = max(self._held_until, now + hold_s)

        return leave

    def sent(self, attempt: policy.Attempt) -> None:
        """Begin the time of the windows for a call, unless that is counted from its end."""
        if self.count_from == "sent":
            with policy.lock:
                if self._remove(attempt):
                    self._counted_at.append(self.clock.monotonic())

    def _wait_s(self, attempt: policy.Attempt, arrived_at: float) -> float:
        """Seconds until there may be room, 0 if there is; `RateLimited` if that is too late."""
        with policy.lock:
            now = self.clock.monotonic()
            for reference in tuple(self._queue):
                # Interrupted somewhere, or of the process before a fork: it may have been sent.
                if policy.under_way(reference) is None:
                    with contextlib.suppress(ValueError):  # a finaliser was first
                        self._queue.remove(reference)
                        self._counted_at.append(now)
            attempts = [reference() for reference in tuple(self._queue)]
            # So many others, sent from now on, are before it.
            before = attempts.index(attempt) if attempt in attempts else 0
            opens_at = self._held_until
            for window in self.windows:
                length_s = window.seconds + MARGIN_S
                turns, rest = divmod(before, window.limit)
                full = window.limit - rest
                is_full = len(self._counted_at) >= full
                first = self._counted_at[-full] + length_s if is_full else now
                opens_at = max(opens_at, max(first, now) + turns * length_s)
        wait_s = max(0.0, opens_at - now)
        # Durations are compared, because the clock of the deadline may be another one.
        is_late = wait_s >= attempt.deadline.send_by.left_s()
        if wait_s and (is_late or opens_at - arrived_at > self.max_wait_s):
            rates = ", ".join(f"{window.limit} in {window.seconds:g} s" for window in self.windows)
            limit = "the call's deadline" if is_late else f"max_wait_s ({self.max_wait_s:g} s)"
            raise RateLimited(
                f"{attempt.call.backend} allows no further call for {wait_s:.3g} s, "
                f"by its rates ({rates}) or its own answer. That is longer than {limit}: nothing "
                "was sent.",
                retry_after_s=wait_s,
                billing=Billing(Charged.NO, "held back by a rate limiter; nothing was sent"),
            )
        return wait_s

    def _remove(self, attempt: policy.Attempt) -> bool:
        """Remove a call from the queue, with the lock held; whether it was there."""
        with contextlib.suppress(ValueError):  # a finaliser was first
            self._queue.remove(weakref.ref(attempt))
            return True
        return False

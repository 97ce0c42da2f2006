"""Keeping to the rates that a vendor publishes."""

from __future__ import annotations

import collections
import copy
import math
import weakref
from collections.abc import Iterable
from typing import Any, ClassVar

import attrs

from facematch_core.clock import Clock, RateWindow
from facematch_core.errors import ConfigurationError, RateLimited
from facematch_core.models import Billing, Charged

from . import policy

#: The vendor's clock is not ours: a window is taken to be this much longer.
MARGIN_S = 0.05
#: A shorter wait than this would be lost in rounding.
SHORTEST_S = 0.001
#: How long a vendor's word holds everybody back, unless a window is longer.
LONGEST_HOLD_S = 900.0


def _windows(given: Any) -> tuple[RateWindow, ...]:
    if isinstance(given, RateWindow) or not isinstance(given, Iterable):
        raise ConfigurationError("RateLimiter: windows must be a list of RateWindow.")
    windows = tuple(given)
    for window in windows:
        if not isinstance(window, RateWindow):
            raise ConfigurationError(
                "RateLimiter: windows must be a list of RateWindow, not of "
                f"{type(window).__name__}."
            )
    if not windows:
        raise ConfigurationError(
            "RateLimiter: windows is empty; leave the rate limiter out if there is no limit."
        )
    return windows


def _max_wait(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise policy.out_of_range(instance, attribute, "a number of seconds, 0 or more")


@attrs.define(eq=False)
class _Window:
    """One window, and when the calls ended that it still holds."""

    rate: RateWindow
    ended: collections.deque[float] = attrs.field(factory=collections.deque)

    @property
    def length_s(self) -> float:
        return self.rate.seconds + MARGIN_S

    def note(self, now: float) -> None:
        """A call has ended."""
        self.ended.append(now)
        if len(self.ended) > self.rate.limit:
            self.ended.popleft()

    def opens_at(self, before: int, now: float) -> float:
        """When the call with `before` others under way before it may go, at the earliest.

        Those others end now at the earliest; as many as fit fill one window after the other.
        """
        while self.ended and self.ended[0] + self.length_s <= now:
            self.ended.popleft()
        turns, left = divmod(before, self.rate.limit)
        full = len(self.ended) + left - self.rate.limit
        first = self.ended[full] + self.length_s if full >= 0 else now
        return first + turns * self.length_s


@attrs.define(eq=False)
class _Queue:
    """What the calls of one key have in common; used with the lock held.

    Attributes:
        windows: The rates.
        line: Who waits or is under way, in the order in which they came.
        held_until: Until when the vendor wants no call, on the monotonic clock.
    """

    windows: tuple[_Window, ...]
    line: list[weakref.ref[policy.Ticket]] = attrs.field(factory=list)
    held_until: float = -math.inf

    def note(self, now: float) -> None:
        """A call has ended."""
        for window in self.windows:
            window.note(now)

    def opens_at(self, ticket: policy.Ticket, now: float) -> float:
        """When the call with this ticket may go, at the earliest; who has vanished leaves."""
        line: list[weakref.ref[policy.Ticket]] = []
        before = 0
        for reference in self.line:
            other = reference()
            if other is ticket:
                before = len(line)
            if other is not None and other.is_valid:
                line.append(reference)
            else:
                # Interrupted somewhere, or of the process before a fork: it may have been sent.
                self.note(now)
        self.line = line
        return max(self.held_until, *(window.opens_at(before, now) for window in self.windows))

    def remove(self, ticket: policy.Ticket) -> None:
        """It has ended, or given up."""
        self.line = [reference for reference in self.line if reference() is not ticket]


@attrs.define(eq=False)
class RateLimiter(policy.Policy):
    """Holds calls back until the vendor's windows have room for them, first come, first served.

    A call takes its place in every window when it comes, and leaves it when the window's time has
    passed since the call *ended*: nobody here can know when in between the vendor counted it, and
    so the rate is never exceeded. In a short window that costs some speed: with one call a second
    and answers that take a second, every other second is used. Refused calls count; what never
    left this machine does not. Two requests of one call (a new login, say) count as one.

    A `RateLimited` answer that says how long to wait holds everybody back until then, for
    `max_hold_s` at the most.

    A call that would have to wait longer than `max_wait_s`, or beyond its deadline, is refused at
    once with `RateLimited`, whose `retry_after_s` says when there may be room.

    One per key of a vendor: give the same object to all verifiers that use it. It knows of no other
    process: with four of them, give each a quarter. The child of a fork begins with a copy, in
    which no call is under way.

    Args:
        windows: The rates, all of which apply. A backend's published ones are its
            ``capabilities.rate_windows``.
        max_wait_s: The longest wait of one call, from 0 on.
        max_hold_s: How long one answer of the vendor's may hold everybody back, above 0; None for
            15 minutes or the longest window, whichever is longer. One absurd number
            (``Retry-After: 999999999``) must not close the vendor for this process.
        name: Of the vendor, for messages; None for the name of the backend.
        clock: Time, for tests; the verifier's.

    Raises:
        ConfigurationError: there is no window, or a value is out of range.
    """

    waits: ClassVar[bool] = True

    windows: tuple[RateWindow, ...] = attrs.field(converter=_windows)
    max_wait_s: float = attrs.field(default=60.0, validator=_max_wait, kw_only=True)
    max_hold_s: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(policy.positive_seconds), kw_only=True
    )
    name: str | None = attrs.field(default=None, kw_only=True)
    clock: Clock = attrs.field(default=None, converter=policy.or_system, kw_only=True, repr=False)
    _queue: _Queue = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._queue = _Queue(tuple(_Window(window) for window in self.windows))

    def with_max_wait(self, max_wait_s: float) -> RateLimiter:
        """One with another `max_wait_s` that shares the windows, the line and the vendor's word."""
        other = copy.copy(self)
        other.max_wait_s = max_wait_s
        return other

    def adopt(self, other: RateLimiter) -> None:
        """Go on with what `other`, of the same account and clock, has let through.

        For rates that change while a program runs. Of calls that `other` no longer counted nothing
        is known.
        """
        with policy.lock:
            longest = max((window.ended for window in other._queue.windows), key=len)
            for window in self._queue.windows:
                window.ended = collections.deque([*longest][-window.rate.limit :])
            self._queue.held_until = other._queue.held_until

    def enter(self, context: policy.AttemptContext) -> policy.Leave:
        """Let a call through when there is room for it.

        Raises:
            RateLimited: that would be too late; nothing was sent.
        """
        ticket = policy.Ticket()
        came = self.clock.monotonic()
        with policy.lock:
            self._queue.line.append(weakref.ref(ticket))
        try:
            while (wait_s := self._wait_s(ticket, came, context)) > 0:
                (context.sleep or self.clock.sleep)(max(wait_s, SHORTEST_S))
        except BaseException:
            with policy.lock:
                self._queue.remove(ticket)
            raise
        return lambda outcome: self._leave(ticket, outcome)

    def _wait_s(self, ticket: policy.Ticket, came: float, context: policy.AttemptContext) -> float:
        """Seconds until there may be room, 0 if there is; `RateLimited` if that is too late."""
        with policy.lock:
            now = self.clock.monotonic()
            opens_at = self._queue.opens_at(ticket, now)
        if opens_at <= now:
            return 0.0
        late = context.until is not None and opens_at >= context.until
        if late or opens_at - came > self.max_wait_s:
            raise self._refusal(context, opens_at - now, late=late)
        return opens_at - now

    def _leave(self, ticket: policy.Ticket, outcome: policy.Outcome) -> None:
        error = outcome.error
        with policy.lock:
            now = self.clock.monotonic()
            if outcome.sent:
                self._queue.note(now)
            self._queue.remove(ticket)
            if (
                isinstance(error, RateLimited)
                and outcome.asked_s is not None
                and error.retry_after_s
            ):
                longest_s = max(LONGEST_HOLD_S, *(window.seconds for window in self.windows))
                hold_s = min(self.max_hold_s or longest_s, error.retry_after_s)
                self._queue.held_until = max(self._queue.held_until, now + hold_s)

    def _refusal(self, context: policy.AttemptContext, wait_s: float, *, late: bool) -> RateLimited:
        rates = ", ".join(f"{window.limit} in {window.seconds:g} s" for window in self.windows)
        limit = "the call's deadline" if late else f"max_wait_s ({self.max_wait_s:g} s)"
        return RateLimited(
            f"{self.name or context.call.backend} allows no further call for {wait_s:.3g} s, "
            f"by its rates ({rates}) or its own answer. That is longer than {limit}: nothing was "
            "sent.",
            retry_after_s=wait_s,
            billing=Billing(Charged.NO, "held back by a rate limiter; nothing was sent"),
        )

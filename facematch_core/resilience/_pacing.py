"""Keeping to the rates that a vendor publishes."""

from __future__ import annotations

import collections
import copy
import math
import weakref
from collections.abc import Iterable
from typing import Any, ClassVar

import attrs

from facematch_core import Billing
from facematch_core._basics import Clock, RateWindow
from facematch_core.errors import ConfigurationError, RateLimited
from facematch_core.models import Charged

from ._gate import AttemptContext, Leave, Outcome, Policy
from ._guard import Guard, Mark, or_system

#: The vendor's clock is not ours: a window is taken to be this much longer.
MARGIN_S = 0.05
#: A shorter wait than this would be lost in rounding.
SHORTEST_S = 0.001


def _windows(given: Any) -> tuple[RateWindow, ...]:
    if isinstance(given, RateWindow) or not isinstance(given, Iterable):
        raise ConfigurationError("pacing: windows must be a list of RateWindow.")
    windows = tuple(given)
    for window in windows:
        if not isinstance(window, RateWindow):
            raise ConfigurationError(
                f"pacing: windows must be a list of RateWindow, not of {type(window).__name__}."
            )
    if not windows:
        raise ConfigurationError("pacing: windows is empty; leave the gate out if nothing is set.")
    return windows


def _seconds(_: object, __: object, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ConfigurationError("pacing: max_wait_s must be a number of seconds from 0 on.")


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
    """What the calls of one key have in common, besides the windows."""

    #: Who waits or is on the way, in the order in which they came.
    line: list[weakref.ref[Mark]] = attrs.field(factory=list)
    held_until: float = -math.inf


@attrs.define(eq=False)
class RateLimiter(Policy):
    """Holds calls back until the vendor's windows have room for them, first come, first served.

    A call takes its place in every window when it comes, and leaves it when the window's time has
    passed since it *ended*: at which moment between the vendor counts it, nobody here can know, and
    so the rate is never exceeded. In a short window that costs some speed: with one call a second
    and answers that take a second, every other second is used. Refused calls count; what never
    left this machine does not. Two requests of one call (a new login, say) count as one.

    A `RateLimited` answer that says how long to wait holds everybody back until then, but for
    `max_hold_s` at the most: one absurd number must not close the vendor for this process.

    A call that would have to wait longer than `max_wait_s`, or beyond its deadline, is refused at
    once with `RateLimited`, whose `retry_after_s` says when there may be room. While it waits, no
    lock is held.

    One per key of a vendor: give the same object to all verifiers that use it. It knows of no other
    process: with four of them, give each a quarter. A child made by fork begins with a copy.

    Args:
        windows: The rates, all of them to be kept. A backend's published ones are its
            ``capabilities.rate_windows``.
        max_wait_s: The longest wait of one call, from 0 on.
        max_hold_s: The longest time that a vendor's own word holds calls back, from 0 on.
        name: Of the vendor, for messages; None for the name of the backend.
        clock: Time, for tests; the verifier's.

    Raises:
        ConfigurationError: there is no window, or a value is out of range.
    """

    waits: ClassVar[bool] = True

    windows: tuple[RateWindow, ...] = attrs.field(converter=_windows)
    max_wait_s: float = attrs.field(default=60.0, validator=_seconds, kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    clock: Clock = attrs.field(
        default=None,
        converter=or_system,
        kw_only=True,
        repr=False,
    )
    #: The longest time for which a vendor's own "come back later" holds everybody back, above 0.
    max_hold_s: float = attrs.field(default=900.0, validator=_seconds, kw_only=True)
    _guard: Guard = attrs.field(init=False, factory=Guard, repr=False)
    _kept: tuple[_Window, ...] = attrs.field(init=False, repr=False)
    _queue: _Queue = attrs.field(init=False, factory=_Queue, repr=False)

    def __attrs_post_init__(self) -> None:
        self._kept = tuple(_Window(window) for window in self.windows)

    def adopt(self, other: RateLimiter) -> None:
        """Go on with what `other`, of the same account and clock, has let through.

        For rates that change while a program runs. Of calls that `other` no longer counted nothing
        is known.
        """
        with other._guard.lock:
            longest = max((window.ended for window in other._kept), key=len)
            for window in self._kept:
                window.ended = collections.deque([*longest][-window.rate.limit :])
            self._queue.held_until = other._queue.held_until

    def enter(self, context: AttemptContext) -> Leave:
        """Let a call through when there is room for it.

        Raises:
            RateLimited: that would be too late; nothing was sent.
        """
        mark = Mark()
        came = self.clock.monotonic()
        with self._guard.lock:
            self._queue.line.append(weakref.ref(mark))
        try:
            while (wait_s := self._wait_s(mark, came, context)) > 0:
                (context.sleep or self.clock.sleep)(max(wait_s, SHORTEST_S))
        except BaseException:
            with self._guard.lock:
                self._remove(mark)
            raise
        return lambda ending: self._leave(mark, ending)

    def _wait_s(self, mark: Mark, came: float, context: AttemptContext) -> float:
        """Seconds until there may be room, 0 if there is; `RateLimited` if that is too late."""
        with self._guard.lock:
            now = self.clock.monotonic()
            before = self._before(mark, now)
            opens_at = max(
                self._queue.held_until, *(window.opens_at(before, now) for window in self._kept)
            )
        if opens_at <= now:
            return 0.0
        late = context.until is not None and opens_at >= context.until
        if late or opens_at - came > self.max_wait_s:
            raise self._refusal(context, opens_at - now, late=late)
        return opens_at - now

    def _before(self, mark: Mark, now: float) -> int:
        """How many stand before `mark` in the line; who has vanished leaves it."""
        line: list[weakref.ref[Mark]] = []
        place = 0
        for reference in self._queue.line:
            other = reference()
            if other is mark:
                place = len(line)
            if other is not None and other.here:
                line.append(reference)
            else:
                # Broken off somewhere, or of the process before the fork: it may have been sent.
                self._note(now)
        self._queue.line = line
        return place

    def _remove(self, mark: Mark) -> None:
        self._queue.line = [reference for reference in self._queue.line if reference() is not mark]

    def _note(self, now: float) -> None:
        for window in self._kept:
            window.note(now)

    def _leave(self, mark: Mark, ending: Outcome) -> None:
        with self._guard.lock:
            now = self.clock.monotonic()
            if ending.sent:
                self._note(now)
            self._remove(mark)
            error = ending.error
            if isinstance(error, RateLimited) and not ending.refused and error.retry_after_s:
                self._queue.held_until = max(
                    self._queue.held_until, now + min(error.retry_after_s, self.max_hold_s)
                )

    def _refusal(self, context: AttemptContext, wait_s: float, *, late: bool) -> RateLimited:
        than = "the call's deadline" if late else f"max_wait_s ({self.max_wait_s:g} s)"
        return RateLimited(
            f"{self.name or context.call.backend} has no room for another call in the next "
            f"{wait_s:.3g} s, by its rates ({_told(self.windows)}) or its own word. That is beyond "
            f"{than}: nothing was sent.",
            retry_after_s=wait_s,
            billing=Billing(Charged.NO, "held back by pacing; nothing was sent"),
        )


def _told(windows: tuple[RateWindow, ...]) -> str:
    return ", ".join(f"{window.limit} in {window.seconds:g} s" for window in windows)


def sharing(pacing: RateLimiter, max_wait_s: float) -> RateLimiter:
    """`pacing` with another patience: windows, line and what holds everybody back are the same."""
    other = copy.copy(pacing)
    other.max_wait_s = max_wait_s
    return other

"""Asking nobody who does not answer."""

from __future__ import annotations

import collections
import enum
import math
import weakref
from collections.abc import Callable, Sequence

import attrs

from facematch_core import Billing
from facematch_core._basics import Clock
from facematch_core.errors import (
    BreakerOpen,
    ConfigurationError,
    DeadlineExceeded,
    EnvironmentMismatch,
    InsufficientCredit,
    OutcomeUnknown,
    RateLimited,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.models import Charged

from ._gate import AttemptContext, Leave, Outcome, Policy, log
from ._guard import Guard, Mark, or_system

UNSENT = "refused by a breaker; nothing was sent"


class BreakerState(enum.StrEnum):
    """Whom a breaker lets through."""

    #: Every call.
    CLOSED = "closed"
    #: Nobody, until some time has passed.
    OPEN = "open"
    #: One call, to see; nobody else until it has ended.
    HALF_OPEN = "half_open"
    #: Nobody, until `CircuitBreaker.reset`.
    NO_CREDIT = "no_credit"


class _Seen(enum.Enum):
    """What an ending says of the vendor."""

    UP = enum.auto()
    DOWN = enum.auto()
    NO_CREDIT = enum.auto()
    NOTHING = enum.auto()


#: The first class that fits. A refusal is an answer too; a throttle is pacing's business, and may
#: be some gateway's; an answer that cannot be read is paid for and useless, such as a page of
#: maintenance that says 200.
_SAYS: tuple[tuple[type[VendorError], _Seen], ...] = (
    # The caller's own deadline says that the caller was in a hurry.
    (DeadlineExceeded, _Seen.NOTHING),
    (EnvironmentMismatch, _Seen.NOTHING),
    (InsufficientCredit, _Seen.NO_CREDIT),
    (RateLimited, _Seen.NOTHING),
    (VendorUnavailable, _Seen.DOWN),
    (OutcomeUnknown, _Seen.DOWN),
    (UnexpectedResponse, _Seen.DOWN),
    (VendorError, _Seen.UP),
)


def _seen(ending: Outcome) -> _Seen:
    if ending.answered:
        return _Seen.UP
    if ending.refused:
        return _Seen.NOTHING
    error = ending.error
    if isinstance(error, VendorUnavailable) and not error.retryable:
        # The caller's time was up before the vendor was asked.
        return _Seen.NOTHING
    return next((says for cls, says in _SAYS if isinstance(error, cls)), _Seen.NOTHING)


def _count(_: object, __: object, value: object) -> None:
    if type(value) is not int or value < 1:
        raise ConfigurationError("breaker: failures must be a whole number from 1 on.")


def _seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigurationError(f"breaker: {attribute.name} must be a number of seconds above 0.")


@attrs.define(kw_only=True, eq=False)
class CircuitBreaker(Policy):
    """Stops asking a vendor that is down, and tries one call now and then until it answers again.

    While closed it holds nobody up: calls run side by side. After `failures` failures in a row,
    none older than `within_s`, it opens: calls are refused with `BreakerOpen` before anything is
    sent. When `open_s` is over, exactly one call is let through, the probe, and all others are
    still refused. If it is answered the breaker closes; if it fails, it opens for twice as long as
    before, up to `longest_open_s`, because a probe that times out may be charged. A probe that
    tells nothing of the vendor (Ctrl-C, refused by a later gate, throttled) frees its place.

    A failure is what an outage looks like: no connection, an answer 5xx, no or no readable answer.
    A refused request, a bad key, a throttle and a negative verdict are none.

    Once the vendor says that there is no credit, every further call is refused with
    `InsufficientCredit` until somebody calls `reset`: time does not fill an account.

    One per account of a vendor: give the same object to all verifiers that ask it. A child process
    made by fork begins with a copy, in which nothing is under way.

    Args:
        failures: How many in a row open it, at least 1. Any answer in between begins the count
            anew.
        within_s: Older failures than this do not count, above 0.
        open_s: How long it is open at first, above 0.
        longest_open_s: How long it is open at the most; `open_s` if that is longer. Above 0.
        name: Of the vendor, for messages; None for the name of the backend.
        clock: Time, for tests; the verifier's.

    Raises:
        ConfigurationError: a value is out of range.
    """

    failures: int = attrs.field(default=5, validator=_count)
    within_s: float = attrs.field(default=60.0, validator=_seconds)
    open_s: float = attrs.field(default=30.0, validator=_seconds)
    longest_open_s: float = attrs.field(default=300.0, validator=_seconds)
    name: str | None = None
    clock: Clock = attrs.field(default=None, converter=or_system, repr=False)
    _guard: Guard = attrs.field(init=False, factory=Guard, repr=False)
    _failed_at: collections.deque[float] = attrs.field(
        init=False, factory=collections.deque, repr=False
    )
    #: When a probe may be made, on the monotonic clock; None while closed.
    _opens_at: float | None = attrs.field(init=False, default=None, repr=False)
    _opened_for: float = attrs.field(init=False, default=0.0, repr=False)
    _no_credit: bool = attrs.field(init=False, default=False, repr=False)
    _probe: weakref.ref[Mark] | None = attrs.field(init=False, default=None, repr=False)
    _probing_try: tuple[str, int] | None = attrs.field(init=False, default=None, repr=False)
    #: Counts openings and closings: what began before one says nothing of the time after it.
    _turns: int = attrs.field(init=False, default=0, repr=False)
    _resets: int = attrs.field(init=False, default=0, repr=False)

    @property
    def state(self) -> BreakerState:
        """Whom it lets through now."""
        now = self.clock.monotonic()
        with self._guard.lock:
            return self._state(now)

    def _state(self, now: float) -> BreakerState:
        if self._no_credit:
            return BreakerState.NO_CREDIT
        if self._opens_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._opens_at else BreakerState.HALF_OPEN

    def reset(self) -> None:
        """Close it, whatever was seen: after a top-up, or when the vendor is known to be up.

        What comes of calls that have begun before does not count any more.
        """
        with self._guard.lock:
            self._close()
            self._no_credit = False
            self._resets += 1

    def adopt(self, other: CircuitBreaker) -> None:
        """Go on with what `other`, of the same account and clock, has seen of the vendor.

        For limits that change while a program runs: a vendor that is down is not asked anew.
        """
        with other._guard.lock:
            self._failed_at = collections.deque(other._failed_at)
            self._opens_at, self._opened_for = other._opens_at, other._opened_for
            self._no_credit = other._no_credit

    def enter(self, context: AttemptContext) -> Leave:
        """Let a call through, or refuse it at once.

        Raises:
            BreakerOpen: the vendor is down; `retry_after_s` says when it is asked again.
            InsufficientCredit: the account had no credit, and `reset` was not called since.
        """
        now = self.clock.monotonic()
        refused: VendorError | None = None
        probe: Mark | None = None
        with self._guard.lock:
            state = self._state(now)
            if state is BreakerState.HALF_OPEN and not self._probing():
                probe = Mark()
                self._probe = weakref.ref(probe)
                self._probing_try = context.call.id, context.number
            elif state is not BreakerState.CLOSED:
                refused = self._refusal(state, context, now)
            begun = (self._turns, self._resets)
        if refused is not None:
            raise refused
        return self._leaving(begun, probe)

    def recheck(self, context: AttemptContext) -> None:
        """Refuse a try that waited, if the breaker has opened meanwhile.

        Raises:
            BreakerOpen, InsufficientCredit: as by `enter`.
        """
        now = self.clock.monotonic()
        with self._guard.lock:
            state = self._state(now)
            own = self._probing_try == (context.call.id, context.number)
            if state is BreakerState.CLOSED or (state is BreakerState.HALF_OPEN and own):
                return
            refused = self._refusal(state, context, now)
        raise refused

    def check(self, contexts: Sequence[AttemptContext]) -> None:
        """Refuse now what `enter` would refuse; while one call tries the vendor, nobody is.

        Raises:
            BreakerOpen, InsufficientCredit: as by `enter`.
        """
        now = self.clock.monotonic()
        with self._guard.lock:
            state = self._state(now)
            if state in (BreakerState.CLOSED, BreakerState.HALF_OPEN):
                return
            refused = self._refusal(state, contexts[-1], now)
        raise refused

    def _probing(self) -> bool:
        mark = None if self._probe is None else self._probe()
        return mark is not None and mark.here

    def _refusal(self, state: BreakerState, context: AttemptContext, now: float) -> VendorError:
        name = self.name or context.call.backend
        if state is BreakerState.NO_CREDIT:
            return InsufficientCredit(
                f"The account at {name} had no credit when it was last asked: nothing was sent. "
                "Top it up, then call reset() of the breaker.",
                billing=Billing(Charged.NO, UNSENT),
            )
        if state is BreakerState.HALF_OPEN:
            when, after_s = "as soon as the call that tries it is answered", None
        else:
            after_s = max(0.0, (self._opens_at or now) - now)
            when = f"in {after_s:.3g} s"
        return BreakerOpen(
            f"{name} is down: nothing was sent. It is asked again {when}.",
            retry_after_s=after_s,
            billing=Billing(Charged.NO, UNSENT),
        )

    def _leaving(self, begun: tuple[int, int], probe: Mark | None) -> Callable[[Outcome], None]:
        def leave(ending: Outcome) -> None:
            seen = _seen(ending)
            now = self.clock.monotonic()
            with self._guard.lock:
                was = self._state(now)
                self._note(seen, now, begun, probe)
                state = self._state(now)
            if state is not was:
                log.warning(
                    "The breaker of %s is %s now, was %s.", self.name or "a vendor", state, was
                )

        return leave

    def _note(self, seen: _Seen, now: float, begun: tuple[int, int], probe: Mark | None) -> None:
        turn, resets = begun
        trying = probe is not None and self._probe is not None and self._probe() is probe
        if trying:
            self._probe = None
        if seen is _Seen.NO_CREDIT and resets == self._resets:
            self._no_credit = True
        if turn != self._turns or seen is _Seen.NOTHING:
            return
        if trying:
            if seen is _Seen.DOWN:
                self._open(now, min(2 * self._opened_for, max(self.longest_open_s, self.open_s)))
            else:
                self._close()
        elif seen is not _Seen.DOWN:
            self._failed_at.clear()
        else:
            self._failed_at.append(now)
            while self._failed_at[0] < now - self.within_s:
                self._failed_at.popleft()
            if len(self._failed_at) >= self.failures:
                self._open(now, self.open_s)

    def _open(self, now: float, seconds: float) -> None:
        self._turns += 1
        self._failed_at.clear()
        self._opened_for = seconds
        self._opens_at = now + seconds

    def _close(self) -> None:
        self._turns += 1
        self._failed_at.clear()
        self._opens_at = self._probe = None

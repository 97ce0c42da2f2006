"""Not asking a vendor that is down."""

from __future__ import annotations

import collections
import enum
import weakref
from collections.abc import Sequence

import attrs

from facematch_core import errors
from facematch_core.base.clock import Clock
from facematch_core.models import Billing, Charged

from . import policy

_REFUSED = Billing(Charged.NO, "refused by a circuit breaker; nothing was sent")


class BreakerState(enum.StrEnum):
    """Which calls a circuit breaker lets through."""

    #: All of them.
    CLOSED = "closed"
    #: None, until some time has passed.
    OPEN = "open"
    #: One, the probe; no other until it has ended.
    HALF_OPEN = "half_open"
    #: None, because the account had no credit, until some time has passed.
    NO_CREDIT = "no_credit"


class _Evidence(enum.Enum):
    """What one try says of the vendor."""

    WORKS = enum.auto()
    #: It answered, and that says no more.
    ANSWERS = enum.auto()
    NO_CREDIT = enum.auto()
    FAILS = enum.auto()
    NOTHING = enum.auto()


#: The first class that fits counts. A refusal is an answer, too; a throttle may be a gateway's; an
#: answer that cannot be read is paid and useless, such as a page of maintenance that says 200.
_EVIDENCE: tuple[tuple[type[errors.VendorError], _Evidence], ...] = (
    (errors.InsufficientCredit, _Evidence.NO_CREDIT),
    (errors.RateLimited, _Evidence.ANSWERS),
    (errors.EnvironmentMismatch, _Evidence.ANSWERS),
    (errors.VendorUnavailable, _Evidence.FAILS),
    (errors.OutcomeUnknown, _Evidence.FAILS),
    (errors.UnexpectedResponse, _Evidence.FAILS),
    (errors.VendorError, _Evidence.WORKS),
)


def _read_evidence(outcome: policy.Outcome) -> _Evidence:
    if outcome.answered:
        return _Evidence.WORKS
    error = outcome.error
    if not outcome.was_asked or not isinstance(error, errors.VendorError):
        return _Evidence.NOTHING
    if isinstance(error, errors.VendorUnavailable) and not error.retryable:
        # Without a status, the deadline ended before anything was sent.
        return _Evidence.FAILS if error.status_code is None else _Evidence.ANSWERS
    return next(evidence for kind, evidence in _EVIDENCE if isinstance(error, kind))


_count = policy.must_be(
    "a whole number, 1 or more", lambda value: type(value) is int and value >= 1
)


@attrs.define(kw_only=True, eq=False)
class CircuitBreaker(policy.Policy):
    """Stops asking a vendor that is down, and tries one call now and then until it answers again.

    While closed it lets all calls through, side by side. Once `failures` of the last `of_last`
    calls failed, none older than `within_s`, it opens: calls are refused with `BreakerOpen` before
    anything is sent.
    When `open_s` is over, exactly one call is let through, the probe; all others are still refused.
    If the probe is answered the breaker closes. If it fails, the breaker opens for twice as long as
    before, up to `longest_open_s`, because a probe whose answer is lost may be charged. A probe
    that says nothing of the vendor (Ctrl-C, refused by a later policy, throttled) makes room for
    another one.

    A call that may have waited in a `RateLimiter` is checked again before it is sent.

    A failure is what an outage looks like: no connection, an answer 5xx, no or no readable answer,
    none before the deadline, however short that was. A refused request, a bad key, a throttle and a
    negative verdict are none.

    Once the vendor says that there is no credit, calls are refused with `InsufficientCredit`. Such
    an answer costs nothing, so one call is let through every `longest_open_s`, until one is
    answered or somebody calls `reset`.

    One per verifier; use that from all threads. The child of a fork begins with a copy, in which no
    call is under way.

    Args:
        failures: How many open it, at least 1.
        of_last: Of how many calls that say something of the vendor, at least `failures`; None for
            half as many again: 7 for 5.
        within_s: Older calls than this do not count, above 0.
        open_s: How long it is open at first, above 0.
        longest_open_s: The longest that it stays open, above 0; `open_s` if that is longer.
        clock: Time, for tests; the verifier's.

    Raises:
        ConfigurationError: a value is out of range.
    """

    failures: int = attrs.field(default=5, validator=_count)
    of_last: int | None = attrs.field(default=None, validator=attrs.validators.optional(_count))
    within_s: float = attrs.field(default=300.0, validator=policy.positive_seconds)
    open_s: float = attrs.field(default=30.0, validator=policy.positive_seconds)
    longest_open_s: float = attrs.field(default=300.0, validator=policy.positive_seconds)
    clock: Clock = attrs.field(default=None, converter=policy.or_system_clock, repr=False)
    #: When the last calls ended, and whether they failed.
    _ends: collections.deque[tuple[float, bool]] = attrs.field(init=False, repr=False)
    #: When a probe may be made, on the monotonic clock; None while closed.
    _opens_at: float | None = attrs.field(init=False, default=None, repr=False)
    #: The length of the pause, 0 while closed.
    _pause_s: float = attrs.field(init=False, default=0.0, repr=False)
    _has_no_credit: bool = attrs.field(init=False, default=False, repr=False)
    _probe: weakref.ref[policy.Attempt] | None = attrs.field(init=False, default=None, repr=False)
    #: Openings and closings: a call from before one says nothing of the time after it.
    _changes: int = attrs.field(init=False, default=0, repr=False)

    def __attrs_post_init__(self) -> None:
        of_last = self.failures * 3 // 2 if self.of_last is None else self.of_last
        if of_last < self.failures:
            raise errors.ConfigurationError(
                f"CircuitBreaker: of_last must be {self.failures} or more, as failures is, not "
                f"{of_last}."
            )
        self._ends = collections.deque(maxlen=of_last)

    @property
    def state(self) -> BreakerState:
        """Which calls it lets through now."""
        with policy.lock:
            return self._state(self.clock.monotonic())

    def reset(self) -> None:
        """Close it, whatever was seen: after a top-up, or when the vendor is known to be up.

        Calls that began before no longer count.
        """
        with policy.lock:
            self._close()

    def enter(self, attempt: policy.Attempt) -> policy.Leave:
        """Let a call through, or refuse it at once.

        Raises:
            BreakerOpen: the vendor is down; `retry_after_s` says when it is asked again.
            InsufficientCredit: the account had no credit; the message says when that is tried.
        """
        changes = self._admit(attempt)

        def leave(outcome: policy.Outcome) -> None:
            with policy.lock:
                now = self.clock.monotonic()
                previous = self._state(now)
                is_probe = attempt is policy.under_way(self._probe)
                if is_probe:
                    self._probe = None
                if is_probe or changes == self._changes:
                    self._learn(outcome, now, is_probe=is_probe)
                state = self._state(now)
            if state is not previous:
                name = attempt.call.backend
                policy.log.warning(
                    "The circuit breaker of %s is %s now, was %s.", name, state, previous
                )

        return leave

    def recheck(self, attempt: policy.Attempt) -> None:
        """Refuse a call if the breaker has opened while it waited; errors as `enter`."""
        self._admit(attempt)

    def check(self, attempts: Sequence[policy.Attempt]) -> None:
        """Refuse if the first of these calls would be refused now; errors as `enter`."""
        for attempt in attempts[:1]:
            with policy.lock:
                self._refuse(attempt, self.clock.monotonic())

    def _admit(self, attempt: policy.Attempt) -> int:
        """Let a call through, as the probe if there is none; how many changes there were so far."""
        with policy.lock:
            now = self.clock.monotonic()
            if attempt is not policy.under_way(self._probe):
                self._refuse(attempt, now)
                if self._state(now) is BreakerState.HALF_OPEN:
                    self._probe = weakref.ref(attempt)
            return self._changes

    # All below is called with the lock held.

    def _state(self, now: float) -> BreakerState:
        if self._opens_at is None:
            return BreakerState.CLOSED
        if now >= self._opens_at:
            return BreakerState.HALF_OPEN
        return BreakerState.NO_CREDIT if self._has_no_credit else BreakerState.OPEN

    def _refuse(self, attempt: policy.Attempt, now: float) -> None:
        if self._opens_at is None:
            return
        after_s, when = None, "as soon as the call that tries it is answered"
        if now < self._opens_at:
            after_s = self._opens_at - now
            when = f"in {after_s:.3g} s"
        elif policy.under_way(self._probe) is None:
            return
        name = attempt.call.backend
        if self._has_no_credit:
            raise errors.InsufficientCredit(
                f"The account at {name} had no credit at the last call: nothing was sent. It will "
                f"be tried again {when}; after a top-up, call reset() on the circuit breaker.",
                billing=_REFUSED,
            )
        raise errors.BreakerOpen(
            f"{name} is down: nothing was sent. It will be tried again {when}.",
            retry_after_s=after_s,
            billing=_REFUSED,
        )

    def _learn(self, outcome: policy.Outcome, now: float, *, is_probe: bool) -> None:
        evidence = _read_evidence(outcome)
        if evidence is _Evidence.NOTHING:
            return
        is_failure, since = evidence is _Evidence.FAILS, now - self.within_s
        self._ends.append((now, is_failure))
        if evidence is _Evidence.NO_CREDIT:
            self._open(now, has_no_credit=True)
        elif evidence is _Evidence.WORKS and is_probe:
            self._close()
        elif is_failure:
            failures = sum(has_failed and at >= since for at, has_failed in tuple(self._ends))
            if is_probe or failures >= self.failures:
                self._open(now)

    def _open(self, now: float, *, has_no_credit: bool = False) -> None:
        longest_s = max(self.longest_open_s, self.open_s)
        self._changes += 1
        self._ends.clear()
        self._has_no_credit = has_no_credit
        doubled_s = min(2 * self._pause_s or self.open_s, longest_s)
        self._pause_s = longest_s if has_no_credit else doubled_s
        self._opens_at = now + self._pause_s

    def _close(self) -> None:
        self._changes += 1
        self._ends.clear()
        self._pause_s, self._has_no_credit = 0.0, False
        self._opens_at = self._probe = None

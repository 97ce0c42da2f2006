"""`CircuitBreaker`: stop calls to a vendor that is down, and probe the vendor regularly."""

from __future__ import annotations

import enum

import attrs

from facematch_core import errors
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.call import bill
from facematch_core.call.attempt import Attempt, Leave, Outcome, Policy

from .shared import lock, log, must_be, positive_seconds

_REFUSED = bill.refused_by("a circuit breaker")

#: Errors that indicate an outage. A maintenance page with status 200 is an `UnexpectedResponse`.
_OUTAGE = (errors.VendorUnavailable, errors.OutcomeUnknown, errors.UnexpectedResponse)

#: Errors that occur whether or not the vendor is down. For example, a gateway may throttle calls.
_UNCLEAR = (errors.RateLimited, errors.EnvironmentMismatch, errors.BreakerOpen)


class BreakerState(enum.StrEnum):
    """The state of a circuit breaker."""

    #: All calls are allowed.
    CLOSED = "closed"
    #: No call is allowed until `open_s` has elapsed.
    OPEN = "open"
    #: Only the next call is allowed, as the probe. Others are refused until the probe ends.
    HALF_OPEN = "half_open"


def is_outage(error: errors.FaceMatchError | None) -> bool | None:
    """Return whether an error indicates an outage; None if this is unclear."""
    if error is None:
        return False
    if not isinstance(error, errors.VendorError) or isinstance(error, _UNCLEAR):
        return None
    if isinstance(error, errors.VendorUnavailable) and not error.retryable and error.status_code:
        return None  # for example, the vendor has lost the state of an earlier request
    return isinstance(error, _OUTAGE)


@attrs.define(kw_only=True, eq=False)
class CircuitBreaker(Policy):
    """Refuses calls to a vendor that is down, except for one probe per `open_s`.

    The breaker opens after `failures` consecutive failed calls. While it is open, calls raise
    `BreakerOpen` before anything is sent. After `open_s`, one call is allowed as a probe. If the
    vendor responds, the breaker closes. If the probe fails, the breaker stays open for another
    `open_s`. If the probe is inconclusive (Ctrl-C, throttled, refused by a later policy), the next
    call becomes the probe.

    A call fails if its error indicates an outage: no connection, a 5xx, a lost or unreadable
    response, or no response before the deadline. A rejected request, an invalid key or a mismatch
    is a response, not a failure. Throttled calls and calls that were not sent are ignored.

    Put the breaker after a `RateLimiter`, so that a call is checked after its wait, right before it
    is sent. Thread-safe. A forked child starts with a copy of the state.

    Args:
        failures: Consecutive failed calls that open the breaker, 1 or more.
        open_s: Seconds from opening to a probe, and between two probes, above 0.
        clock: A clock, for tests.

    Raises:
        ConfigurationError: a value is out of range.
    """

    failures: int = attrs.field(
        default=5,
        validator=must_be(
            "a whole number, 1 or more", lambda value: type(value) is int and value >= 1
        ),
    )
    open_s: float = attrs.field(default=30.0, validator=positive_seconds)
    clock: Clock = attrs.field(factory=SystemClock, repr=False)
    #: Number of failed calls since the last response.
    _failed: int = attrs.field(init=False, default=0, repr=False)
    #: Time of the next probe, on the monotonic clock; None while closed.
    _probe_at: float | None = attrs.field(init=False, default=None, repr=False)
    #: The running probe. If it never ends, another call becomes the probe at `_probe_at`.
    _probe: object | None = attrs.field(init=False, default=None, repr=False)
    #: The error of the last failed call, for the message of `BreakerOpen`.
    _reason: str = attrs.field(init=False, default="", repr=False)

    @property
    def state(self) -> BreakerState:
        """The current state."""
        with lock:
            if self._probe_at is None:
                return BreakerState.CLOSED
            is_due = self.clock.monotonic() >= self._probe_at
            return BreakerState.HALF_OPEN if is_due or self._probe else BreakerState.OPEN

    def reset(self) -> None:
        """Close the breaker, for example if an operator knows that the vendor is up again."""
        with lock:
            self._failed, self._probe_at, self._probe = 0, None, None

    def enter(self, attempt: Attempt) -> Leave:
        """Allow a call unless the breaker is open.

        Raises:
            BreakerOpen: the vendor is down; `retry_after_s` is the time until the next probe.
        """
        name = attempt.call.backend
        self.admit(attempt, name)

        def leave(outcome: Outcome) -> None:
            known = outcome.has_result or (outcome.was_called and outcome.error is not None)
            self.learn(attempt, name, is_outage(outcome.error) if known else None, outcome.error)

        return leave

    def admit(self, call: object, name: str) -> None:
        """Allow a call to `name` (as the probe if one is due), or raise `BreakerOpen`."""
        with lock:
            now = self.clock.monotonic()
            if self._probe_at is None:
                return
            if now >= self._probe_at:
                self._probe, self._probe_at = call, now + self.open_s
                return
            after_s, reason = self._probe_at - now, self._reason
        raise errors.BreakerOpen(
            f"{name} is down: nothing was sent. Retry in {after_s:.3g} s. "
            f"The last call failed with {reason}",
            retry_after_s=after_s,
            billing=_REFUSED,
        )

    def learn(
        self, call: object, name: str, failed: bool | None, error: errors.FaceMatchError | None
    ) -> None:
        """Record that a call ended; `failed` is None if the vendor's state remains unclear."""
        before = self.state
        with lock:
            now, is_probe = self.clock.monotonic(), call is self._probe
            if is_probe:
                self._probe = None
            elif self._probe_at is not None:
                return  # this call started before the breaker opened
            if failed is None:
                self._probe_at = now if is_probe else None
            elif failed:
                self._failed += 1
                self._reason = f"{type(error).__name__}: {getattr(error, 'message', '')[:300]}"
                if self._failed >= self.failures:
                    self._probe_at = now + self.open_s
            else:
                self._failed, self._probe_at = 0, None
        if (after := self.state) is not before:
            log.warning("The circuit breaker of %s is now %s (was %s).", name, after, before)

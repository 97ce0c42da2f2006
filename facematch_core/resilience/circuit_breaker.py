"""`CircuitBreaker`: stop calls to a vendor that is down, and probe the vendor regularly."""

from __future__ import annotations

import enum
import logging

import attrs

from facematch_core import errors
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.functions import must_be, positive_seconds
from facematch_core.base.threads import fork_safe_lock
from facematch_core.call import bill
from facematch_core.call.attempt import Attempt, Leave, Outcome, Policy

logger = logging.getLogger("facematch")

#: One lock for the state of all circuit breakers in this process.
_lock = fork_safe_lock()

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


class VendorHealth(enum.Enum):
    """What the end of a call shows about its vendor."""

    #: The vendor has responded, for example with a result, a rejection or a refused key.
    RESPONDS = "responds"
    #: The call failed as calls do during an outage.
    FAILS = "fails"
    #: The call shows neither: it was throttled, interrupted or not sent, for example.
    UNCLEAR = "unclear"


def health_after(error: errors.FaceMatchError | None) -> VendorHealth:
    """Return what a call shows that ended with `error` (None: with a result)."""
    if error is None:
        return VendorHealth.RESPONDS
    if not isinstance(error, errors.VendorError) or isinstance(error, _UNCLEAR):
        return VendorHealth.UNCLEAR
    if isinstance(error, errors.VendorUnavailable) and not error.retryable and error.status_code:
        return VendorHealth.UNCLEAR  # e.g. the vendor has lost the state of an earlier request
    if isinstance(error, _OUTAGE):
        return VendorHealth.FAILS
    return VendorHealth.RESPONDS


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

    Example:
        >>> breaker = CircuitBreaker(failures=5, open_s=30)
        >>> with open_verifier("didit", policies=[breaker]) as verifier:
        ...     result = verifier.verify(selfie, document)
        >>> print(breaker.state)
        closed
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
    #: When the next call becomes the probe, on the monotonic clock; None while closed.
    _probe_at: float | None = attrs.field(init=False, default=None, repr=False)
    #: The call that is the running probe, or None. If it never ends, another call becomes the
    #: probe at `_probe_at`.
    _probe: object | None = attrs.field(init=False, default=None, repr=False)
    #: The error of the last failed call, for the message of `BreakerOpen`.
    _last_error: str = attrs.field(init=False, default="", repr=False)

    @property
    def state(self) -> BreakerState:
        """The current state."""
        with _lock:
            if self._probe_at is None:
                return BreakerState.CLOSED
            if self._probe is not None or self.clock.monotonic() >= self._probe_at:
                return BreakerState.HALF_OPEN
            return BreakerState.OPEN

    def reset(self) -> None:
        """Close the breaker, for example if an operator knows that the vendor is up again."""
        with _lock:
            self._close()

    def enter(self, attempt: Attempt) -> Leave:
        """Allow a call unless the breaker is open.

        Raises:
            BreakerOpen: the vendor is down; `retry_after_s` is the time until the next probe.
        """
        vendor = attempt.call.backend
        self.admit(attempt, vendor)

        def leave(outcome: Outcome) -> None:
            self.note_end(attempt, vendor, _health_shown_by(outcome), outcome.error)

        return leave

    def admit(self, call: object, vendor: str) -> None:
        """Allow a call (as the probe if one is due), or raise `BreakerOpen`.

        `call` identifies the call by identity, for `note_end`. `vendor` is for messages.
        """
        with _lock:
            now = self.clock.monotonic()
            if self._probe_at is None:
                return
            if now >= self._probe_at:
                self._probe = call
                self._probe_at = now + self.open_s
                return
            after_s = self._probe_at - now
            last_error = self._last_error
        raise errors.BreakerOpen(
            f"{vendor} is down: nothing was sent. Retry in {after_s:.3g} s. "
            f"The last call failed with {last_error}",
            retry_after_s=after_s,
            billing=_REFUSED,
        )

    def note_end(
        self,
        call: object,
        vendor: str,
        health: VendorHealth,
        error: errors.FaceMatchError | None = None,
    ) -> None:
        """Record what the end of an admitted call shows. `error` is its error, for messages."""
        before = self.state
        with _lock:
            self._update(call, health, error)
        after = self.state
        if after is not before:
            logger.warning("The circuit breaker of %s is now %s (was %s).", vendor, after, before)

    def _update(
        self, call: object, health: VendorHealth, error: errors.FaceMatchError | None
    ) -> None:
        """Change the state after the end of a call. The caller holds the lock."""
        is_probe = call is self._probe
        if self._probe_at is not None and not is_probe:
            return  # this call started before the breaker opened, or another probe replaced it
        self._probe = None
        if health is VendorHealth.RESPONDS:
            self._close()
        elif health is VendorHealth.FAILS:
            self._failed += 1
            self._last_error = f"{type(error).__name__}: {getattr(error, 'message', '')[:300]}"
            if self._failed >= self.failures:
                self._probe_at = self.clock.monotonic() + self.open_s
        elif is_probe:
            # The next call becomes the probe.
            self._probe_at = self.clock.monotonic()

    def _close(self) -> None:
        """Close the breaker and forget its failed calls. The caller holds the lock."""
        self._failed = 0
        self._probe_at = None
        self._probe = None


def _health_shown_by(outcome: Outcome) -> VendorHealth:
    if outcome.has_result or (outcome.was_called and outcome.error is not None):
        return health_after(outcome.error)
    # A later policy has refused the call, or an exception such as Ctrl-C has interrupted it.
    return VendorHealth.UNCLEAR

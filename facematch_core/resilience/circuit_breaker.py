"""Not asking a vendor that is down."""

from __future__ import annotations

import collections
import enum
import weakref
from collections.abc import Sequence
from typing import Any, Literal

import attrs

from facematch_core import errors
from facematch_core.clock import Clock
from facematch_core.models import Billing, Charged

from . import policy

UNSENT = "refused by a circuit breaker; nothing was sent"


class BreakerState(enum.StrEnum):
    """Which calls a circuit breaker lets through."""

    #: All of them.
    CLOSED = "closed"
    #: None, until some time has passed.
    OPEN = "open"
    #: One, the probe; no other until it has ended.
    HALF_OPEN = "half_open"
    #: None, until `CircuitBreaker.reset`.
    NO_CREDIT = "no_credit"


#: What an outcome says of the vendor.
_Sign = Literal["up", "down", "no_credit", "nothing"]


#: The first class that fits. A refusal is an answer too; a throttle may be some gateway's; a
#: deadline says how patient its caller is; an answer that cannot be read is paid for and useless,
#: such as a page of maintenance that says 200.
_SIGNS: tuple[tuple[type[errors.VendorError], _Sign], ...] = (
    (errors.InsufficientCredit, "no_credit"),
    (errors.RateLimited, "nothing"),
    (errors.DeadlineExceeded, "nothing"),
    (errors.EnvironmentMismatch, "nothing"),
    (errors.VendorUnavailable, "down"),
    (errors.OutcomeUnknown, "down"),
    (errors.UnexpectedResponse, "down"),
    (errors.VendorError, "up"),
)


def _sign_of(outcome: policy.Outcome) -> _Sign:
    if outcome.answered:
        return "up"
    if outcome.asked_s is None:
        return "nothing"
    error = outcome.error
    if isinstance(error, errors.VendorUnavailable) and not error.retryable:
        # The deadline ended before anything was sent.
        return "nothing"
    return next((sign for kind, sign in _SIGNS if isinstance(error, kind)), "nothing")


@attrs.define(eq=False)
class _CallTicket(policy.Ticket):
    """A ticket that says after how many changes and resets its call was let through."""

    changes: int = attrs.field(init=False, default=0)
    resets: int = attrs.field(init=False, default=0)


def _failures(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not int or value < 1:
        raise policy.out_of_range(instance, attribute, "a whole number, 1 or more")


@attrs.define(kw_only=True, eq=False)
class CircuitBreaker(policy.Policy):
    """Stops asking a vendor that is down, and tries one call now and then until it answers again.

    While closed it lets all calls through, side by side. After `failures` failures in a row, none
    older than `within_s`, it opens: calls are refused with `BreakerOpen` before anything is sent.
    When `open_s` is over, exactly one call is let through, the probe; all others are still refused.
    If the probe is answered the breaker closes. If it fails, the breaker opens for twice as long as
    before, up to `longest_open_s`, because a probe whose answer is lost may be charged. A probe
    that says nothing of the vendor (Ctrl-C, refused by a later policy, throttled, out of time)
    makes room for another one.

    A call that may have waited in a `RateLimiter` is checked again before it is sent.

    A failure is what an outage looks like: no connection, an answer 5xx, no or no readable answer.
    A refused request, a bad key, a throttle, a negative verdict and the end of a caller's own
    deadline are none.

    Once the vendor says that there is no credit, every further call is refused with
    `InsufficientCredit` until somebody calls `reset`: time does not fill an account.

    One per account of a vendor: give the same object to all verifiers that ask it. The child of a
    fork begins with a copy, in which no call is under way.

    Args:
        failures: How many in a row open it, at least 1. Any answer in between starts the count
            again.
        within_s: Older failures than this do not count, above 0.
        open_s: How long it is open at first, above 0.
        longest_open_s: The longest that it stays open, above 0; `open_s` if that is longer.
        name: Of the vendor, for messages; None for the name of the backend.
        clock: Time, for tests; the verifier's.

    Raises:
        ConfigurationError: a value is out of range.
    """

    failures: int = attrs.field(default=5, validator=_failures)
    within_s: float = attrs.field(default=60.0, validator=policy.positive_seconds)
    open_s: float = attrs.field(default=30.0, validator=policy.positive_seconds)
    longest_open_s: float = attrs.field(default=300.0, validator=policy.positive_seconds)
    name: str | None = None
    clock: Clock = attrs.field(default=None, converter=policy.or_system, repr=False)
    _failed_at: collections.deque[float] = attrs.field(
        init=False, factory=collections.deque, repr=False
    )
    #: When a probe may be made, on the monotonic clock; None while closed.
    _opens_at: float | None = attrs.field(init=False, default=None, repr=False)
    _opened_for: float = attrs.field(init=False, default=0.0, repr=False)
    _no_credit: bool = attrs.field(init=False, default=False, repr=False)
    _probe: weakref.ref[_CallTicket] | None = attrs.field(init=False, default=None, repr=False)
    #: Openings and closings: a call from before one says nothing of the time after it.
    _changes: int = attrs.field(init=False, default=0, repr=False)
    _resets: int = attrs.field(init=False, default=0, repr=False)
    _tickets: weakref.WeakKeyDictionary[policy.AttemptContext, _CallTicket] = attrs.field(
        init=False, factory=weakref.WeakKeyDictionary, repr=False
    )

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
            self._no_credit = False
            self._resets += 1

    def adopt(self, other: CircuitBreaker) -> None:
        """Go on with what `other`, of the same account and clock, has seen of the vendor.

        For limits that change while a program runs: a vendor that is down is not asked anew.
        """
        with policy.lock:
            self._failed_at = collections.deque(other._failed_at)
            self._opens_at, self._opened_for = other._opens_at, other._opened_for
            self._no_credit = other._no_credit

    def enter(self, context: policy.AttemptContext) -> policy.Leave:
        """Let a call through, or refuse it at once.

        Raises:
            BreakerOpen: the vendor is down; `retry_after_s` says when it is asked again.
            InsufficientCredit: the account had no credit, and `reset` was not called since.
        """
        ticket = _CallTicket()
        self._admit(ticket, context)
        return lambda outcome: self._leave(ticket, outcome)

    def recheck(self, context: policy.AttemptContext) -> None:
        """Refuse a call if the breaker has opened while it waited; errors as `enter`."""
        with policy.lock:
            ticket = self._tickets.get(context)
        self._admit(ticket or _CallTicket(), context)

    def check(self, contexts: Sequence[policy.AttemptContext]) -> None:
        """Refuse if the first of these calls would be refused now; errors as `enter`."""
        for context in contexts[:1]:
            with policy.lock:
                refusal = self._refusal(context, self.clock.monotonic())
            if refusal is not None:
                raise refusal

    def _admit(self, ticket: _CallTicket, context: policy.AttemptContext) -> None:
        with policy.lock:
            if ticket is self._current_probe():
                return
            now = self.clock.monotonic()
            refusal = self._refusal(context, now)
            if refusal is None:
                ticket.changes, ticket.resets = self._changes, self._resets
                self._tickets[context] = ticket
                if self._state(now) is BreakerState.HALF_OPEN:
                    self._probe = weakref.ref(ticket)
        if refusal is not None:
            raise refusal

    def _leave(self, ticket: _CallTicket, outcome: policy.Outcome) -> None:
        with policy.lock:
            now = self.clock.monotonic()
            was = self._state(now)
            self._count(_sign_of(outcome), now, ticket)
            state = self._state(now)
        if state is not was:
            policy.log.warning(
                "The circuit breaker of %s is %s now, was %s.", self.name or "a vendor", state, was
            )

    # All below is called with the lock held.

    def _state(self, now: float) -> BreakerState:
        if self._no_credit:
            return BreakerState.NO_CREDIT
        if self._opens_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._opens_at else BreakerState.HALF_OPEN

    def _current_probe(self) -> _CallTicket | None:
        ticket = None if self._probe is None else self._probe()
        return ticket if ticket is not None and ticket.is_valid else None

    def _refusal(self, context: policy.AttemptContext, now: float) -> errors.VendorError | None:
        name, state = self.name or context.call.backend, self._state(now)
        if state is BreakerState.CLOSED:
            return None
        if state is BreakerState.NO_CREDIT:
            return errors.InsufficientCredit(
                f"The account at {name} had no credit at the last call: nothing was sent. "
                "Top it up, then call reset() on the circuit breaker.",
                billing=Billing(Charged.NO, UNSENT),
            )
        if state is BreakerState.HALF_OPEN and self._current_probe() is None:
            return None
        after_s, when = None, "as soon as the call that tries it is answered"
        if state is BreakerState.OPEN and self._opens_at is not None:
            after_s = self._opens_at - now
            when = f"in {after_s:.3g} s"
        return errors.BreakerOpen(
            f"{name} is down: nothing was sent. It will be tried again {when}.",
            retry_after_s=after_s,
            billing=Billing(Charged.NO, UNSENT),
        )

    def _count(self, sign: _Sign, now: float, ticket: _CallTicket) -> None:
        is_probe = ticket is self._current_probe()
        if is_probe:
            self._probe = None
        if sign == "no_credit" and ticket.resets == self._resets:
            self._no_credit = True
        if ticket.changes != self._changes or sign == "nothing":
            return
        if is_probe:
            if sign == "down":
                self._open(now, min(2 * self._opened_for, max(self.longest_open_s, self.open_s)))
            else:
                self._close()
        elif sign != "down":
            self._failed_at.clear()
        else:
            self._failed_at.append(now)
            while self._failed_at[0] < now - self.within_s:
                self._failed_at.popleft()
            if len(self._failed_at) >= self.failures:
                self._open(now, self.open_s)

    def _open(self, now: float, seconds: float) -> None:
        self._changes += 1
        self._failed_at.clear()
        self._opened_for = seconds
        self._opens_at = now + seconds

    def _close(self) -> None:
        self._changes += 1
        self._failed_at.clear()
        self._opens_at = self._probe = None

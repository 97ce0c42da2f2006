"""The `Policy` interface, and `enter_all`, which applies all policies to one attempt of a call."""

from __future__ import annotations

import abc
import enum
import functools
import logging
import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs

from facematch_core.base.deadline import (
    CANCELLATION,
    NO_DEADLINE,
    CallCancelled,
    Cancellation,
    Clock,
    Deadline,
)
from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import ConfigurationError, FaceMatchError, OutcomeUnknown, VendorError
from facematch_core.models import Billing, CallRecord, Charged, Environment

log = logging.getLogger("facematch")

#: One lock for the state of all circuit breakers and rate limiters in this process.
lock = fork_safe_lock()


class Sending(enum.IntEnum):
    """Whether an attempt has sent its first byte."""

    UNSENT = 0
    #: Nothing was sent, and the attempt must not send anything.
    STOPPED = 1
    #: The backend is running and does not report when it sends.
    PERHAPS = 2
    SENT = 3


# Compared by identity: all methods of a `Policy` get the same object for an attempt.
@attrs.define(kw_only=True, eq=False)
class Attempt:
    """One attempt to make a call. Policies must not change it.

    Attributes:
        call: The call record; its id is the same in every attempt.
        number: Number of the attempt, from 1.
        paid: Whether the backend declares that the operation costs money.
        environment: The backend's configured environment; None if unknown.
        deadline: The call's deadline. Its `send_by` is the deadline for the first byte.
    """

    call: CallRecord
    number: int
    paid: bool
    environment: Environment | None
    deadline: Deadline = NO_DEADLINE
    #: Called with the previous state when `sending` becomes PERHAPS or SENT.
    on_sending: Callable[[Attempt, Sending], None] = attrs.field(
        default=lambda *_: None, repr=False
    )
    sending: Sending = attrs.field(default=Sending.UNSENT, init=False)
    was_asked: bool = attrs.field(default=False, init=False)
    vendor_id: str | None = attrs.field(default=None, init=False)
    #: The charge, once it is certain. A later Ctrl-C does not change it.
    billing: Billing | None = attrs.field(default=None, init=False)
    # Read now, in the calling thread: a plug-in may report the first byte from another thread.
    _cancellation: Cancellation = attrs.field(factory=CANCELLATION.get, init=False, repr=False)
    # Different threads may call `begin_sending` and `stop` at the same time.
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)
    #: Id of the process that makes the attempt. A forked child inherits its parent's attempts.
    process: int = attrs.field(factory=os.getpid, init=False, repr=False)

    def sleep(self, seconds: float, clock: Clock | None = None) -> None:
        """Sleep on `clock` (None for the deadline's); wake up early if the call is cancelled."""
        self._cancellation.sleep(seconds, clock or self.deadline.clock)

    def begin_sending(self, sending: Sending = Sending.SENT) -> None:
        """Record that the first byte may be sent; raise `CallCancelled` if sending is forbidden."""
        with self._lock:
            before = self.sending
            if before >= sending:
                return
            is_cancelled = before is Sending.UNSENT and self._cancellation.is_cancelled
            if before is Sending.STOPPED or is_cancelled:
                raise CallCancelled
            self.sending = sending
        self.on_sending(self, before)

    def stop(self) -> bool:
        """Forbid sending; return whether nothing has been sent."""
        with self._lock:
            if self.sending is Sending.UNSENT:
                self.sending = Sending.STOPPED
            return self.sending is Sending.STOPPED

    def accept(self, vendor_id: str | None, billing: Billing) -> None:
        """Record the vendor's id and charge for an accepted request; more requests follow."""
        self.vendor_id = vendor_id
        # If this request was free, a later request of the call may still be charged.
        if not (self.paid and billing.charged is Charged.NO):
            self.billing = billing

    def billing_after(self, error: BaseException) -> Billing:
        """Return the charge for an attempt that ended with `error`."""
        if isinstance(error, (VendorError, CallCancelled)) and error.billing is not None:
            return error.billing
        if self.billing is not None:
            return self.billing
        is_foreign = not isinstance(error, FaceMatchError)  # for example, Ctrl-C
        is_unknown = is_foreign and self.sending >= Sending.PERHAPS
        return Billing(Charged.UNKNOWN if is_unknown else Charged.NO)


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of an attempt, which is passed to the policies.

    Attributes:
        charged: Whether the attempt was charged. UNKNOWN if interrupted after the first byte.
        sent: Whether anything may have been sent.
        environment: The environment that answered; None if unknown.
        error: The `FaceMatchError`; None for a result or any other exception, such as Ctrl-C.
        answered: Whether the attempt has a result.
        was_asked: Whether the backend was called. False, for example, if a policy refused.
    """

    charged: Charged
    sent: bool
    environment: Environment | None = None
    error: FaceMatchError | None = None
    answered: bool = False
    was_asked: bool = False

    @classmethod
    def refused(cls, error: BaseException) -> Outcome:
        """Return the outcome of an attempt that ended before the backend was called."""
        return cls(
            charged=error.billing.charged if isinstance(error, VendorError) else Charged.NO,
            sent=isinstance(error, OutcomeUnknown),
            environment=getattr(error, "environment", None),
            error=error if isinstance(error, FaceMatchError) else None,
        )


#: The function that `Policy.enter` returns. It is called once, when the attempt has ended.
Leave: TypeAlias = Callable[[Outcome], None]


class Policy(abc.ABC):
    """The interface of an object that refuses, delays or counts calls. Must be thread-safe.

    All methods get the same `Attempt` object for an attempt.
    """

    @abc.abstractmethod
    def enter(self, attempt: Attempt) -> Leave:
        """Allow an attempt, possibly after a wait, or refuse it by raising an error.

        Raises:
            FaceMatchError: the attempt is refused; nothing was sent, and nothing stays reserved.
        """

    def sent(self, attempt: Attempt) -> None:  # noqa: B027 - optional
        """Record that an attempt is about to send its first byte. Must not wait or raise.

        May be called more than once per attempt, but not for an attempt that sends nothing.
        """

    def check(self, attempts: Sequence[Attempt]) -> None:  # noqa: B027 - optional
        """Raise if `enter` would refuse any of these calls, made one after the other.

        Reserves nothing. `enter` may still refuse, because other threads may make calls meanwhile.

        Raises:
            FaceMatchError: one of the calls would be refused.
        """

    def close(self) -> None:  # noqa: B027 - optional
        """Release the policy's resources. May be called more than once."""


def enter_all(policies: Iterable[Policy], attempt: Attempt) -> Callable[[Outcome], list[Exception]]:
    """Enter the policies in order. If one refuses, exit the policies that were already entered.

    Return a function that exits all policies in reverse order and returns their exceptions.
    """
    entered: list[Leave] = []
    try:
        for policy in policies:
            entered.append(policy.enter(attempt))  # noqa: PERF401 - the list is left if one raises
    except BaseException as error:
        _leave_all(entered, Outcome.refused(error))
        raise
    return functools.partial(_leave_all, entered)


def _leave_all(entered: list[Leave], outcome: Outcome) -> list[Exception]:
    failures: list[Exception] = []
    interruption: BaseException | None = None
    for leave in reversed(entered):
        try:
            leave(outcome)
        except Exception as error:  # noqa: BLE001 - a paid result must survive a broken policy
            log.error("A policy failed to record an outcome: %s.", type(error).__name__)  # noqa: TRY400 - a traceback may show secrets
            failures.append(error.with_traceback(None))
        except BaseException as error:  # noqa: BLE001 - on Ctrl-C, first leave the other policies
            interruption = interruption or error
    if interruption is not None:
        raise interruption
    return failures


def must_be(
    what: str, is_right: Callable[[Any], bool]
) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    """Return an attrs validator that raises the error "NAME must be `what`."."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not is_right(value):
            raise ConfigurationError(f"{type(instance).__name__}: {attribute.name} must be {what}.")

    return check


positive_seconds = must_be(
    "a number of seconds above 0",
    lambda value: type(value) in (int, float) and 0 < value < math.inf,
)

"""The interface of a policy, and how one try of a call passes all policies."""

from __future__ import annotations

import abc
import enum
import logging
import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs

from facematch_core.base.cancellation import CANCELLATION, CallCancelled, Cancellation
from facematch_core.base.clock import Clock
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import ConfigurationError, FaceMatchError, OutcomeUnknown, VendorError
from facematch_core.models import Billing, CallRecord, Charged, Environment

log = logging.getLogger("facematch")

#: Guards the state of every circuit breaker and rate limiter of the process.
lock = fork_safe_lock()


class Sending(enum.IntEnum):
    """Whether a try has sent its first byte, and whether it still may."""

    UNSENT = 0
    #: The try will never send: its time is over.
    STOPPED = 1
    #: The backend is working, and does not report when it sends.
    PERHAPS = 2
    SENT = 3


# Compared by identity: a policy recognises in `sent` the try that it let through in `enter`.
@attrs.define(kw_only=True, eq=False)
class Attempt:
    """A try of a call. Policies read it, and do not change it.

    Attributes:
        call: The call; its id is the same in every try.
        number: 1 for the first try.
        paid: Whether the backend declares that the operation costs money.
        environment: The environment that the backend is set to; None if unknown.
        deadline: The caller's deadline, on the verifier's clock. Its `send_by` is the end of the
            time for everything before the first byte.
    """

    call: CallRecord
    number: int
    paid: bool
    environment: Environment | None
    deadline: Deadline = NO_DEADLINE
    #: Called with the previous state when the try starts to send, perhaps or certainly.
    on_sending: Callable[[Attempt, Sending], None] = attrs.field(
        default=lambda *_: None, repr=False
    )
    sending: Sending = attrs.field(default=Sending.UNSENT, init=False)
    was_asked: bool = attrs.field(default=False, init=False)
    vendor_id: str | None = attrs.field(default=None, init=False)
    #: The bill, once it is certain: a later Ctrl-C does not change it.
    billing: Billing | None = attrs.field(default=None, init=False)
    # The calling thread's: a plug-in may report the first byte from another thread.
    _cancellation: Cancellation = attrs.field(factory=CANCELLATION.get, init=False, repr=False)
    # Two threads race for it: one reports the first byte, the other ends the time to send.
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)
    #: The process that makes it: the child of a fork finds tries of its parent.
    process: int = attrs.field(factory=os.getpid, init=False, repr=False)

    def sleep(self, seconds: float, clock: Clock | None = None) -> None:
        """Sleep on `clock` (None: the verifier's), and wake up if the call is cancelled."""
        self._cancellation.sleep(seconds, clock or self.deadline.clock)

    def begin_sending(self, sending: Sending = Sending.SENT) -> None:
        """Note that the first byte may leave now; raise `CallCancelled` if it must not."""
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
        """Forbid the first byte from now on; return whether none has left."""
        with self._lock:
            if self.sending is Sending.UNSENT:
                self.sending = Sending.STOPPED
            return self.sending is Sending.STOPPED

    def accept(self, vendor_id: str | None, billing: Billing) -> None:
        """Note the id and bill of an accepted call that goes on with further requests."""
        self.vendor_id = vendor_id
        # A free first request does not make the next one free.
        if not (self.paid and billing.charged is Charged.NO):
            self.billing = billing

    def billing_after(self, error: BaseException) -> Billing:
        """Return the bill of a try that ended with `error`."""
        if isinstance(error, (VendorError, CallCancelled)) and error.billing is not None:
            return error.billing
        if self.billing is not None:
            return self.billing
        is_foreign = not isinstance(error, FaceMatchError)  # Ctrl-C, say
        is_unknown = is_foreign and self.sending >= Sending.PERHAPS
        return Billing(Charged.UNKNOWN if is_unknown else Charged.NO)


@attrs.frozen(kw_only=True)
class Outcome:
    """The end of a try.

    Attributes:
        charged: Whether it was charged; UNKNOWN also if it was interrupted after the first byte.
        sent: Whether a byte may have left.
        environment: Where the answer came from; None if unknown.
        error: The error instead of a result; None for a result, and for a foreign exception such
            as Ctrl-C, after which `answered` is False.
        answered: Whether there is a result.
        was_asked: Whether the backend was called: no policy refused the try, and its deadline was
            not over before.
    """

    charged: Charged
    sent: bool
    environment: Environment | None = None
    error: FaceMatchError | None = None
    answered: bool = False
    was_asked: bool = False

    @classmethod
    def refused(cls, error: BaseException) -> Outcome:
        """Return the outcome of a try that ended before the backend was called."""
        return cls(
            charged=error.billing.charged if isinstance(error, VendorError) else Charged.NO,
            sent=isinstance(error, OutcomeUnknown),
            environment=getattr(error, "environment", None),
            error=error if isinstance(error, FaceMatchError) else None,
        )


#: Called once, when the try has ended.
Leave: TypeAlias = Callable[[Outcome], None]


class Policy(abc.ABC):
    """Refuses, delays or counts calls. Safe across threads.

    Every method gets the same `Attempt` object for a try.
    """

    @abc.abstractmethod
    def enter(self, attempt: Attempt) -> Leave:
        """Let a try through, perhaps after a wait, or refuse it.

        Raises:
            FaceMatchError: the try is refused; nothing was sent, and nothing stays reserved.
        """

    def sent(self, attempt: Attempt) -> None:  # noqa: B027 - optional
        """Note that the first byte of a try may leave now. Must not wait or raise.

        May be called more than once for a try, and never for a try that is not sent.
        """

    def check(self, attempts: Sequence[Attempt]) -> None:  # noqa: B027 - optional
        """Raise if `enter` would refuse one of these calls, made one after the other.

        Reserves nothing: `enter` decides, because another thread may be first.

        Raises:
            FaceMatchError: one of them would be refused.
        """

    def close(self) -> None:  # noqa: B027 - optional
        """Release what the policy holds. May be called more than once."""


def enter_all(policies: Iterable[Policy], attempt: Attempt) -> Callable[[Outcome], list[Exception]]:
    """Enter the policies in order; if one refuses, leave the earlier ones.

    Returns a function that leaves all policies, last one first, and returns their failures.
    """
    entered: list[Leave] = []
    try:
        for policy in policies:
            entered.append(policy.enter(attempt))  # noqa: PERF401 - the list is left if one raises
    except BaseException as error:
        _leave_all(entered, Outcome.refused(error))
        raise
    return lambda outcome: _leave_all(entered, outcome)


def _leave_all(entered: list[Leave], outcome: Outcome) -> list[Exception]:
    failures: list[Exception] = []
    interruption: BaseException | None = None
    for leave in reversed(entered):
        try:
            leave(outcome)
        except Exception as error:  # noqa: BLE001 - a paid result must survive a broken policy
            log.error("A policy failed to note an outcome: %s.", type(error).__name__)  # noqa: TRY400 - a traceback may show secrets
            failures.append(error.with_traceback(None))
        except BaseException as error:  # noqa: BLE001 - Ctrl-C: the other policies are left first
            interruption = interruption or error
    if interruption is not None:
        raise interruption
    return failures


def must_be(
    what: str, is_right: Callable[[Any], bool]
) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    """Return a validator whose error says what the setting must be."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not is_right(value):
            raise ConfigurationError(f"{type(instance).__name__}: {attribute.name} must be {what}.")

    return check


positive_seconds = must_be(
    "a number of seconds above 0",
    lambda value: type(value) in (int, float) and 0 < value < math.inf,
)

"""What a policy is, and how one try of a call passes all of them."""

from __future__ import annotations

import abc
import enum
import logging
import math
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs

from facematch_core.base.cancellation import (
    CANCELLATION,
    CallCancelled,
    Cancellation,
    find_callers_exception,
)
from facematch_core.base.clock import Clock, SystemClock
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import ConfigurationError, FaceMatchError, OutcomeUnknown, VendorError
from facematch_core.models import Billing, CallRecord, Charged, Environment, FailedAttempt

log = logging.getLogger("facematch")

#: Guards the state of every circuit breaker and rate limiter of the process.
lock = fork_safe_lock()


class Sending(enum.IntEnum):
    """Whether the first byte of a try has left, and whether it still may."""

    UNSENT = 0
    #: It never will, for its time is over.
    STOPPED = 1
    #: The backend was asked, and does not say when it sends.
    PERHAPS = 2
    SENT = 3


# By identity: a policy knows in `recheck` and `sent` what it let through in `enter`.
@attrs.define(kw_only=True, eq=False)
class Attempt:
    """One try of one call. A policy meets it just before it is made, and changes nothing of it.

    Attributes:
        call: The call; its id is the same in every try.
        number: 1 for the first try.
        paid: Whether its backend declares that the operation costs money.
        environment: Where the backend is set to answer from; None if nobody knows.
        deadline: When the caller's deadline ends, on the verifier's clock; its `send_by` is when
            whatever comes before the first byte must be over.
    """

    call: CallRecord
    number: int
    paid: bool
    environment: Environment | None
    deadline: Deadline = NO_DEADLINE
    #: How the tries before it ended.
    earlier: tuple[FailedAttempt, ...] = ()
    #: Called when it has begun to send, perhaps or certainly, with what it was before.
    on_sending: Callable[[Attempt, Sending], None] = attrs.field(
        default=lambda *_: None, repr=False
    )
    sending: Sending = attrs.field(default=Sending.UNSENT, init=False)
    was_asked: bool = attrs.field(default=False, init=False)
    vendor_id: str | None = attrs.field(default=None, init=False)
    #: What it cost, once that is certain: a Ctrl-C after that changes nothing.
    billing: Billing | None = attrs.field(default=None, init=False)
    # Of the thread that makes the call: a plug-in may report the first byte from another one.
    _cancellation: Cancellation = attrs.field(factory=CANCELLATION.get, init=False, repr=False)
    # Between the first byte and the end of the time for it, which two threads may ask.
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)
    _process: int = attrs.field(factory=os.getpid, init=False, repr=False)

    def sleep(self, seconds: float, clock: Clock | None = None) -> None:
        """Wait for so many seconds, at least 0: how a policy waits, so that a cancelled call ends.

        By `clock`; None for the verifier's.
        """
        self._cancellation.sleep(seconds, clock or self.deadline.clock)

    def begin_sending(self, sending: Sending = Sending.SENT) -> None:
        """The first byte may leave from now on; `CallCancelled` if it may not."""
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
        """Let no first byte leave any more; whether none has left."""
        with self._lock:
            if self.sending is Sending.UNSENT:
                self.sending = Sending.STOPPED
            return self.sending is Sending.STOPPED

    def accept(self, vendor_id: str | None, billing: Billing) -> None:
        """An answer with which the call goes on said this."""
        self.vendor_id = vendor_id
        # What was free so far says nothing of the request that is sent next.
        if not (self.paid and billing.charged is Charged.NO):
            self.billing = billing

    def billing_after(self, error: BaseException) -> Billing:
        """What it cost, if it ended with `error`."""
        if isinstance(error, (VendorError, CallCancelled)) and error.billing is not None:
            return error.billing
        if self.billing is not None:
            return self.billing
        is_foreign = not isinstance(error, FaceMatchError)  # Ctrl-C, say
        is_unknown = is_foreign and self.sending >= Sending.PERHAPS
        return Billing(Charged.UNKNOWN if is_unknown else Charged.NO)


def under_way(reference: weakref.ref[Attempt] | None) -> Attempt | None:
    """The try that a policy let through, if it still is under way in this process."""
    # Weak: an interrupted thread never reports an end. Those of a parent stay in memory for good.
    attempt = reference() if reference else None
    return attempt if attempt is not None and attempt._process == os.getpid() else None  # noqa: SLF001 - of no use to others


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one try.

    Attributes:
        charged: Whether it was charged; UNKNOWN also if it was broken off after the first byte.
        sent: Whether a byte may have left.
        environment: Where the answer came from; None if nothing says so.
        error: What kept it from a result; None if one came. For another exception than ours
            (Ctrl-C, say) it is None, too, and `answered` is False.
        answered: Whether there is a result.
        was_asked: Whether the backend was asked: no policy refused the try, and its deadline was
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
        """A policy refused it, or it was broken off before the backend was asked."""
        return cls(
            charged=error.billing.charged if isinstance(error, VendorError) else Charged.NO,
            sent=isinstance(error, OutcomeUnknown),
            environment=getattr(error, "environment", None),
            error=error if isinstance(error, FaceMatchError) else None,
        )


#: To be called once, with what became of the try.
Leave: TypeAlias = Callable[[Outcome], None]


class Policy(abc.ABC):
    """One thing that may refuse, delay or count a call. Safe across threads.

    All its methods are given the same object for a try.
    """

    @abc.abstractmethod
    def enter(self, attempt: Attempt) -> Leave:
        """Let a try through, perhaps after a wait, or refuse it.

        Raises:
            FaceMatchError: it is refused; nothing was sent, and nothing stays set aside.
        """

    def recheck(self, attempt: Attempt) -> None:  # noqa: B027 - most have nothing to add
        """Refuse a try that has entered all policies, if something changed while one held it back.

        Raises:
            FaceMatchError: it is refused; nothing was sent. It leaves all policies next.
        """

    def sent(self, attempt: Attempt) -> None:  # noqa: B027 - likewise
        """Note that the first byte of a try may leave now. It must not wait or raise.

        May be called more than once for one try, and never for one that is not sent.
        """

    def check(self, attempts: Sequence[Attempt]) -> None:  # noqa: B027 - likewise
        """Refuse now what `enter` would refuse if these calls were made one after the other.

        Nothing is set aside, and another thread may be first: `enter` has the last word.

        Raises:
            FaceMatchError: one of them would be refused.
        """

    def close(self) -> None:  # noqa: B027 - most policies hold nothing
        """Release what the policy holds. May be called more than once."""


def enter_all(policies: Iterable[Policy], attempt: Attempt) -> Callable[[Outcome], list[Exception]]:
    """Enter one policy after the other; if one refuses, those before it are left again.

    What is returned leaves all of them, the last one first, and says how some failed there.
    """
    policies = tuple(policies)
    entered: list[Leave] = []
    try:
        for policy in policies:
            entered.append(policy.enter(attempt))  # noqa: PERF401 - what was entered is left again
        for policy in policies:
            policy.recheck(attempt)
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
        except BaseException as error:  # noqa: BLE001 - a paid result must survive a broken policy, and the others hear of it
            if not isinstance(error, Exception):
                interruption = interruption or error
                continue
            interruption = interruption or find_callers_exception(error)
            log.error("A policy failed to note an outcome: %s.", type(error).__name__)  # noqa: TRY400 - a traceback may show what it held
            failures.append(error if error is interruption else error.with_traceback(None))
    if interruption is not None:
        raise interruption
    return failures


def or_system_clock(clock: Clock | None) -> Clock:
    return clock or SystemClock()


def must_be(
    what: str, is_right: Callable[[Any], bool]
) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    """A validator; its error says what the setting must be."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not is_right(value):
            raise ConfigurationError(f"{type(instance).__name__}: {attribute.name} must be {what}.")

    return check


def is_number(value: Any) -> bool:
    return type(value) in (int, float)


positive_seconds = must_be(
    "a number of seconds above 0", lambda value: is_number(value) and 0 < value < math.inf
)

"""What a policy is, and how one try of a call passes all of them."""

from __future__ import annotations

import abc
import logging
import math
import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs

from facematch_core.base.cancellation import find_callers_exception
from facematch_core.base.clock import Clock, SystemClock
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import ConfigurationError, FaceMatchError, OutcomeUnknown, VendorError
from facematch_core.models import CallRecord, Charged, Environment

log = logging.getLogger("facematch")

#: Guards the state of every circuit breaker and rate limiter of the process.
lock = fork_safe_lock()


# By identity: a policy knows in `recheck` and `sent` what it let through in `enter`.
@attrs.frozen(kw_only=True, eq=False)
class AttemptContext:
    """One try of one call, just before it is made.

    Attributes:
        call: The call; its id is the same in every try.
        number: 1 for the first try.
        paid: Whether its backend declares that the operation costs money.
        environment: Where the backend is set to answer from; None if nobody knows.
        deadline: When the caller's deadline ends, on the verifier's clock; its `send_by` is when
            whatever comes before the first byte must be over.
        sleep: Waits for so many seconds, at least 0. A policy waits with this alone, so that a
            cancelled call can end the wait with an exception; None for the policy's own clock.
    """

    call: CallRecord
    number: int
    paid: bool
    environment: Environment | None
    deadline: Deadline = NO_DEADLINE
    sleep: Callable[[float], None] | None = attrs.field(default=None, repr=False)
    _process: int = attrs.field(factory=os.getpid, init=False, repr=False)


def under_way(reference: weakref.ref[AttemptContext] | None) -> AttemptContext | None:
    """The try that a policy let through, if it still is under way in this process."""
    # Weak: an interrupted thread never reports an end. Those of a parent stay in memory for good.
    context = reference() if reference else None
    return context if context is not None and context._process == os.getpid() else None  # noqa: SLF001 - of no use to others


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
    def enter(self, context: AttemptContext) -> Leave:
        """Let a try through, perhaps after a wait, or refuse it.

        Raises:
            FaceMatchError: it is refused; nothing was sent, and nothing stays set aside.
        """

    def recheck(self, context: AttemptContext) -> None:  # noqa: B027 - most have nothing to add
        """Refuse a try that has entered all policies, if something changed while one held it back.

        Raises:
            FaceMatchError: it is refused; nothing was sent. It leaves all policies next.
        """

    def sent(self, context: AttemptContext) -> None:  # noqa: B027 - likewise
        """Note that the first byte of a try may leave now. It must not wait or raise.

        May be called more than once for one try, and never for one that is not sent.
        """

    def check(self, contexts: Sequence[AttemptContext]) -> None:  # noqa: B027 - likewise
        """Refuse now what `enter` would refuse if these calls were made one after the other.

        Nothing is set aside, and another thread may be first: `enter` has the last word.

        Raises:
            FaceMatchError: one of them would be refused.
        """

    def close(self) -> None:  # noqa: B027 - most policies hold nothing
        """Release what the policy holds. May be called more than once."""


def enter_all(
    policies: Iterable[Policy], context: AttemptContext
) -> Callable[[Outcome], list[Exception]]:
    """Enter one policy after the other; if one refuses, those before it are left again.

    What is returned leaves all of them, the last one first, and says how some failed there.
    """
    policies = tuple(policies)
    entered: list[Leave] = []
    try:
        for policy in policies:
            entered.append(policy.enter(context))  # noqa: PERF401 - what was entered is left again
        for policy in policies:
            policy.recheck(context)
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

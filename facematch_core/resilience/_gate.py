"""What stands before the calls of one verifier, and learns what became of each."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, TypeAlias

import attrs

from facematch_core.errors import FaceMatchError, OutcomeUnknown, VendorError
from facematch_core.models import Answer, CallRecord, Charged, Environment

log = logging.getLogger("facematch")


@attrs.frozen(kw_only=True)
class AttemptContext:
    """One try of one call, just before it is made.

    Attributes:
        call: The call; its id is the same in every try.
        number: 1 for the first try.
        paid: Whether its backend declares that the operation costs money.
        environment: Where the backend is set to answer from.
        until: When the caller's deadline ends, on the verifier's monotonic clock; None for never.
        sleep: How a policy lets time pass, so that a call can be cancelled meanwhile; None for the
            policy's own clock.
    """

    call: CallRecord
    number: int
    paid: bool
    environment: Environment
    until: float | None
    sleep: Callable[[float], None] | None = None


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one try.

    Attributes:
        charged: Whether it was charged; UNKNOWN also if it was broken off after the first byte.
        sent: Whether a byte may have left.
        environment: Where the answer came from; None if nothing tells.
        error: What kept it from a result; None if one came. Another exception than ours (Ctrl-C,
            say) is None, too, with `answered` False.
        answered: Whether there is a result.
        refused: Whether a later gate refused it: the backend was not asked.
    """

    charged: Charged
    sent: bool
    environment: Environment | None = None
    error: FaceMatchError | None = None
    answered: bool = False
    refused: bool = False

    @classmethod
    def of(cls, answer: Answer) -> Outcome:
        """There is a result."""
        return cls(
            charged=answer.billing.charged,
            sent=True,
            environment=answer.environment,
            answered=True,
        )

    @classmethod
    def of_error(cls, error: BaseException, *, sent: bool) -> Outcome:
        """There is none."""
        if not isinstance(error, FaceMatchError):
            return cls(charged=Charged.UNKNOWN if sent else Charged.NO, sent=sent)
        charged = error.billing.charged if isinstance(error, VendorError) else Charged.NO
        return cls(
            charged=charged,
            sent=sent or isinstance(error, OutcomeUnknown),
            environment=getattr(error, "environment", None),
            error=error,
        )


#: To be called once, with what became of the try.
Leave: TypeAlias = Callable[[Outcome], None]


class Policy(abc.ABC):
    """One thing that may stop, delay or count a call. Safe across threads and after a fork."""

    @abc.abstractmethod
    def enter(self, context: AttemptContext) -> Leave:
        """Let a try through, perhaps after waiting, or refuse it.

        Raises:
            FaceMatchError: it is refused; nothing was sent, and nothing is reserved any more.
        """

    #: Whether it may hold a call back. After a wait, all are asked again by `recheck`.
    waits: ClassVar[bool] = False

    def recheck(self, context: AttemptContext) -> None:  # noqa: B027 - most have nothing to add
        """Look again at a try that waited for a later policy, just before it is sent.

        Raises:
            FaceMatchError: it is refused after all; nothing was sent.
        """

    def check(self, contexts: Sequence[AttemptContext]) -> None:  # noqa: B027 - likewise
        """Refuse now what `enter` would refuse if these calls were made one after the other.

        Nothing is set aside, and another thread may be first: `enter` has the last word.

        Raises:
            FaceMatchError: one of them would be refused.
        """

    def close(self) -> None:  # noqa: B027 - most gates hold nothing
        """Give back what the gate holds. May be called more than once."""


def enter_all(policies: Iterable[Policy], context: AttemptContext) -> Leave:
    """Enter one policy after the other; if one refuses, those before it are left again.

    After one that may have held the call back, those before it look again: a breaker may have
    opened meanwhile.
    """
    entered: list[tuple[Policy, Leave]] = []
    try:
        for policy in policies:
            leave = policy.enter(context)
            entered.append((policy, leave))
            if policy.waits:
                for before, _ in entered[:-1]:
                    before.recheck(context)
    except BaseException as error:
        _leave(entered, attrs.evolve(Outcome.of_error(error, sent=False), refused=True))
        raise
    return lambda outcome: _leave(entered, outcome)


def _leave(entered: list[tuple[Policy, Leave]], outcome: Outcome) -> None:
    for _, leave in reversed(entered):
        try:
            leave(outcome)
        except Exception as error:  # noqa: BLE001 - a paid result must survive a broken policy
            log.error("A policy failed to note an outcome: %s.", type(error).__name__)  # noqa: TRY400 - a traceback may show what it held

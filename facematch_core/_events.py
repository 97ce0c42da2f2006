"""What a verifier tells its `on_event` hook: one typed record per step of a call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from ._enums import Billed, Environment, Operation
from ._reconcile import Attempt
from .errors import FaceMatchError, OutcomeUnknown

if TYPE_CHECKING:
    from ._clock import Clock
    from ._rules import Answer
    from .backend import Backend

#: The one logger of the core. Records are written at DEBUG, a failing hook at ERROR.
log = logging.getLogger("facematch")


@attrs.frozen(kw_only=True)
class Event:
    """What every record carries. No record holds a picture, a key or the caller's data.

    Attributes:
        attempt_id: Our id of the call; all records of one call share it.
        backend: Name of the backend.
        operation: What was asked.
        environment: What the backend is set to, or what the answer said.
        at: Time of day, UTC.
    """

    attempt_id: str
    backend: str
    operation: Operation
    environment: Environment
    at: datetime

    #: Whether this kind of record may be counted at all.
    countable: ClassVar[bool] = False

    @property
    def counts(self) -> bool:
        """Whether this may be counted as real: an answer or a charge, and only in PRODUCTION."""
        return self.countable and self.environment is Environment.PRODUCTION


@attrs.frozen(kw_only=True)
class Started(Event):
    """A call has begun; nothing has left yet.

    Attributes:
        attempt: What to give to `FaceVerifier.reconcile` if no other record of the call follows,
            without `caller_ref`.
    """

    attempt: Attempt


@attrs.frozen(kw_only=True)
class Sent(Event):
    """The first byte may have left this machine.

    Attributes:
        attempt: That of `Started`.
    """

    attempt: Attempt


@attrs.frozen(kw_only=True)
class Repeated(Event):
    """A try failed, was certainly not charged, and is made again.

    Attributes:
        number: Of the next try, from 2 on.
        error: Class name of the error of the last one.
        wait_s: Seconds until then, above 0.
    """

    number: int
    error: str
    wait_s: float


@attrs.frozen(kw_only=True)
class Answered(Event):
    """There is a result.

    Attributes:
        decision: Its decision, as text.
        elapsed_s: Seconds since `Started`.
    """

    countable = True

    decision: str
    elapsed_s: float


@attrs.frozen(kw_only=True)
class Charged(Event):
    """The vendor charged for the call, as far as can be known.

    Attributes:
        ground: How we know.
        error: Class name of the error, or None if a result came.
        elapsed_s: Seconds since `Started`.
    """

    countable = True

    ground: str | None
    error: str | None
    elapsed_s: float


@attrs.frozen(kw_only=True)
class Refused(Event):
    """The call ended in an error and was not charged.

    Attributes:
        error: Class name of the error.
        elapsed_s: Seconds since `Started`.
    """

    error: str
    elapsed_s: float


@attrs.frozen(kw_only=True)
class Unknown(Event):
    """The call ended in an error, and whether it was charged is not known.

    Attributes:
        error: Class name of the error, or None if a result came whose charge is not known.
        elapsed_s: Seconds since `Started`.
        reconcilable: Whether a look at the vendor's records can tell.
    """

    countable = True

    error: str | None
    elapsed_s: float
    reconcilable: bool


@attrs.frozen(kw_only=True)
class Teller:
    """Hands the records of one verifier to its hook and to the log."""

    backend: Backend
    hook: Callable[[Event], None] | None
    clock: Clock

    def tell(
        self,
        record: type[Event],
        attempt_id: str,
        operation: Operation,
        environment: Environment | None = None,
        **more: Any,
    ) -> None:
        """Make one record and hand it on, if anybody listens."""
        if self.hook is None and not log.isEnabledFor(logging.DEBUG):
            return
        event = record(
            attempt_id=attempt_id,
            backend=self.backend.name,
            operation=operation,
            environment=environment or self.backend.environment,
            at=self.clock.now(),
            **more,
        )
        log.debug("%s", event)
        if self.hook is None:
            return
        try:
            self.hook(event)
        except Exception as error:  # noqa: BLE001 - a paid result must survive a broken hook
            log.error("The event hook failed with %s.", type(error).__name__)  # noqa: TRY400 - a traceback may show what the hook held

    def answered(self, result: Answer, operation: Operation) -> None:
        """Tell a result and what it cost."""
        about = (str(result.attempt_id), operation, result.environment)
        took: dict[str, Any] = {"elapsed_s": result.elapsed_s}
        self.tell(Answered, *about, decision=result.decision.value, **took)
        if result.billed is Billed.YES:
            self.tell(Charged, *about, ground=result.billed_ground, error=None, **took)
        elif result.billed is Billed.UNKNOWN:
            kept = result.session_id is not None
            self.tell(Unknown, *about, error=None, reconcilable=kept, **took)

    def failed(
        self, error: FaceMatchError, attempt_id: str, operation: Operation, elapsed_s: float
    ) -> None:
        """Tell an error and what it cost."""
        about = (attempt_id, operation, getattr(error, "environment", None))
        took: dict[str, Any] = {"error": type(error).__name__, "elapsed_s": max(0.0, elapsed_s)}
        billed = getattr(error, "billed", Billed.NO)
        if billed is Billed.YES:
            self.tell(Charged, *about, ground=getattr(error, "billed_ground", None), **took)
        elif billed is Billed.UNKNOWN:
            later = isinstance(error, OutcomeUnknown) and error.reconcilable
            self.tell(Unknown, *about, reconcilable=later, **took)
        else:
            self.tell(Refused, *about, **took)

    def broken_off(self, reason: str, attempt: Attempt, elapsed_s: float) -> None:
        """Tell that a call was ended from outside after its request had begun to leave."""
        about: dict[str, Any] = {"error": reason, "elapsed_s": max(0.0, elapsed_s)}
        about["reconcilable"] = self._can_tell(attempt)
        self.tell(Unknown, attempt.id, attempt.operation, **about)

    def _can_tell(self, attempt: Attempt) -> bool:
        """Whether the vendor's records can tell what became of `attempt`: its backend knows."""
        from .backend import Backend

        if not attempt.kept or type(self.backend).reconcile is Backend.reconcile:
            return False
        ask = getattr(self.backend, "reconcilable", None)
        try:
            return ask is None or bool(ask(attempt))
        except Exception:  # noqa: BLE001 - a plug-in's bug must not take the place of a Ctrl-C
            return False

"""Events for the `on_event` hook: one `CallEvent` per step of a call.

A call emits one of these sequences::

    STARTED → SENT → ANSWERED → CHARGED or UNKNOWN (no third event if the call was free)
    STARTED → SENT → CHARGED, REFUSED or UNKNOWN   (an error that was charged, free or unknown)
    STARTED → REFUSED                              (nothing was sent)

RETRYING is emitted between two attempts, POSTPONED after an attempt. A successful start of a
session emits CHARGED without ANSWERED. Each later request about the session emits one FOLLOWED_UP.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs

from facematch_core.backend import Backend
from facematch_core.backend.base import can_be_sought
from facematch_core.base.deadline import CANCELLATION, UNCANCELLED, Clock
from facematch_core.errors import EnvironmentMismatch, FaceMatchError, OutcomeUnknown, VendorError
from facematch_core.models import Answer, Billing, CallRecord, Charged, Environment, Operation

__all__ = ["CallEvent", "EventKind"]

#: The core's only logger. Events are logged at DEBUG, and a failing hook at ERROR.
log = logging.getLogger("facematch")


class EventKind(enum.StrEnum):
    """The step of a call that an event reports."""

    #: The call has begun; nothing has been sent yet.
    STARTED = "started"
    #: The first byte is about to be sent.
    SENT = "sent"
    #: An attempt failed without a charge and will be retried.
    RETRYING = "retrying"
    #: The budget store was unavailable after an attempt; the charge will be written later.
    POSTPONED = "postponed"
    #: The call returned a result.
    ANSWERED = "answered"
    #: The vendor charged for the call, as far as we can know.
    CHARGED = "charged"
    #: The call ended without a result and was not charged.
    REFUSED = "refused"
    #: The call ended, and it is unknown whether it was charged.
    UNKNOWN = "unknown"
    #: A request to read or delete a session succeeded or failed. It is free and not counted.
    FOLLOWED_UP = "followed_up"


@attrs.frozen(kw_only=True)
class CallEvent:
    """A step of a call. Contains no picture, no key and none of the caller's data.

    Attributes:
        kind: The step.
        call_id: Our id of the call; all events of one call share it.
        backend: Name of the backend.
        operation: The operation.
        environment: The environment that the response states, else the configured one, or None.
        at: Time of the event, UTC.
        call: The call record for `FaceVerifier.reconcile`, without `caller_ref`. Set in STARTED and
            SENT (in case the program crashes before the last event), in UNKNOWN, and in CHARGED if
            there is no result; else None.
        attempt: Number of the attempt, from 1 (RETRYING: the next); None in STARTED and POSTPONED.
        wait_s: Seconds until the next attempt, above 0, in RETRYING; else None.
        decision: The decision in ANSWERED, as text; else None.
        error: Class name of the error, or None.
        status_code: HTTP status of the error response, 100-599, in CHARGED, REFUSED, UNKNOWN and
            FOLLOWED_UP; None if there was no error response.
        ground: The reason for CHARGED, or None.
        reconcilable: Whether `reconcile` can find the outcome, in UNKNOWN; else None.
        elapsed_s: Seconds since STARTED, at least 0, in ANSWERED and the last event; else None.
    """

    kind: EventKind
    call_id: str
    backend: str
    operation: Operation
    environment: Environment | None
    at: datetime
    call: CallRecord | None = None
    attempt: int | None = None
    wait_s: float | None = None
    decision: str | None = None
    error: str | None = None
    status_code: int | None = None
    ground: str | None = None
    reconcilable: bool | None = None
    elapsed_s: float | None = None

    @property
    def counts(self) -> bool:
        """Whether to count this event (a result or possible charge outside test environments)."""
        real = self.environment in (None, Environment.PRODUCTION)
        return real and self.kind in (EventKind.ANSWERED, EventKind.CHARGED, EventKind.UNKNOWN)


@attrs.frozen
class EventEmitter:
    backend: Backend
    hook: Callable[[CallEvent], None] | None
    clock: Clock
    #: Whether to emit only FOLLOWED_UP, at the end of each request.
    follows_up: bool = False

    def emit(
        self,
        kind: EventKind,
        record: CallRecord,
        environment: Environment | None = None,
        *,
        attach_call: bool = False,
        **more: object,
    ) -> None:
        is_heard = self.hook is not None or log.isEnabledFor(logging.DEBUG)
        if not is_heard or self.follows_up is not (kind is EventKind.FOLLOWED_UP):
            return
        event = CallEvent(
            kind=kind,
            call_id=record.id,
            backend=self.backend.name,
            operation=record.operation,
            environment=environment or self.backend.environment,
            at=self.clock.now(),
            # Events contain none of the caller's data.
            call=attrs.evolve(record, caller_ref=None) if attach_call else None,
            **more,  # type: ignore[arg-type]  # the fields of one kind
        )
        log.debug("%s", event)
        if self.hook is None:
            return
        # Calls that the hook makes must not inherit this call's deadline and cancellation.
        token = CANCELLATION.set(UNCANCELLED)
        try:
            self.hook(event)
        except Exception as error:  # noqa: BLE001 - a paid result must survive a broken hook
            log.error("The event hook failed with %s.", type(error).__name__)  # noqa: TRY400 - a traceback may show what the hook held
        finally:
            CANCELLATION.reset(token)

    def answered(self, result: Answer, call: CallRecord, *, attempt: int) -> None:
        environment = result.environment
        about: dict[str, Any] = {"elapsed_s": result.elapsed_s, "attempt": attempt}
        decision = result.decision.value
        self.emit(EventKind.ANSWERED, call, environment, decision=decision, **about)
        if result.billing.charged is not Charged.NO:
            kept = result.ids.session is not None
            self.ended(call, environment, result.billing, reconcilable=kept, **about)

    def failed(
        self,
        error: BaseException,
        call: CallRecord,
        billing: Billing,
        elapsed_s: float,
        *,
        attempt: int,
    ) -> None:
        if isinstance(error, EnvironmentMismatch) and error.result is not None:
            result = attrs.evolve(error.result, environment=error.environment)
            self.answered(result, call, attempt=attempt)
            return
        if isinstance(error, FaceMatchError):
            kept = isinstance(error, OutcomeUnknown) and error.reconcilable
        else:  # interrupted, for example by Ctrl-C
            kept = billing.charged is Charged.UNKNOWN and can_be_sought(self.backend, call)
        environment = status_code = None
        if isinstance(error, VendorError):
            environment, status_code = error.environment, error.status_code
        self.ended(
            call,
            environment,
            billing,
            reconcilable=kept,
            elapsed_s=max(0.0, elapsed_s),
            error=type(error).__name__,
            status_code=status_code,
            attempt=attempt,
        )

    def ended(
        self,
        call: CallRecord,
        environment: Environment | None,
        billing: Billing,
        *,
        reconcilable: bool = False,
        **about: Any,
    ) -> None:
        """Emit the event for the end of a call and its charge."""
        if self.follows_up:
            self.emit(EventKind.FOLLOWED_UP, call, environment, **about)
        elif billing.charged is Charged.YES:
            about |= {"ground": billing.ground, "attach_call": "error" in about}
            self.emit(EventKind.CHARGED, call, environment, **about)
        elif billing.charged is Charged.UNKNOWN:
            about |= {"reconcilable": reconcilable, "attach_call": True}
            self.emit(EventKind.UNKNOWN, call, environment, **about)
        else:
            self.emit(EventKind.REFUSED, call, environment, **about)

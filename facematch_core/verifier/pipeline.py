"""The pipeline of a call, from the caller's options to the result.

The steps are: validate the options, prepare the pictures, make attempts, and judge the answer.
"""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from typing import Any, TypeAlias, TypeVar, cast

import attrs

from facematch_core import errors, models
from facematch_core.backend import CALL_ID_KEY, Backend, Capabilities
from facematch_core.backend.base import can_be_sought, report_fault
from facematch_core.backend.calls import Call, LivenessCall, LookUp, MatchCall, Request
from facematch_core.backend.session_types import SessionAnswer
from facematch_core.base.deadline import CANCELLATION, CallCancelled, Clock, Deadline
from facematch_core.base.exceptions import find_callers_exception
from facematch_core.base.masking import ResultMasker, plain_json
from facematch_core.base.threads import HelperThreads, NoThread
from facematch_core.errors import FaceMatchError, StoreUnavailable, VendorError, VendorUnavailable
from facematch_core.images.image import Image, ImageLimits
from facematch_core.models import Answer, Billing, CallRecord, Charged, Operation, Retention
from facematch_core.resilience import Attempt, Outcome, Policy, Retry
from facematch_core.resilience.policy import Sending, enter_all

from .events import EventEmitter, EventKind
from .policy import CallOptions, ResultPolicy

R = TypeVar("R")

#: A function that exits the policies of an attempt and returns the errors that they raised.
LeaveAll: TypeAlias = Callable[[Outcome], list[Exception]]
#: Names of a call's pictures, in order.
PICTURES = ("probe", "reference")


def picture_limits(can: Capabilities) -> dict[str, ImageLimits]:
    """Return the vendor's limits for pictures, by picture name."""
    return {"probe": can.image_limits, "reference": can.reference_limits or can.image_limits}


def load_images(pictures: list[Any], names: Sequence[str] = PICTURES) -> list[Image]:
    """Load a call's pictures and empty the list, so that no traceback keeps the pictures alive."""
    images: list[Image] = []
    for name in names[: len(pictures)]:
        try:
            images.append(Image.of(pictures.pop(0)))
        except errors.InvalidImage as error:
            failure = error.of(name)
            break
    else:
        return images
    pictures.clear()
    images.clear()
    raise failure


@attrs.frozen(kw_only=True)
class Pipeline:
    """Makes a verifier's calls to its backend."""

    backend: Backend
    result_policy: ResultPolicy
    policies: tuple[Policy, ...]
    retry: Retry | None
    fit_images: bool
    events: EventEmitter
    clock: Clock
    #: Threads for backends that do not enforce the deadline themselves.
    helpers: HelperThreads

    def run(self, images: Sequence[Image], options: CallOptions) -> Answer:
        """Make a match or liveness call."""
        record, metadata = self._validate(options)

        def prepare() -> dict[str, Any]:
            return {
                "threshold": record.threshold,
                "retention": record.retention,
                "caller_ref": record.caller_ref,
                "metadata": metadata,
                "options": options.options,
                **self.prepare(images),
            }

        return self.carry_out(
            record,
            MatchCall if options.operation is Operation.MATCH else LivenessCall,
            prepare,
            functools.partial(self.result_policy.apply, call=record, metadata=metadata),
            deadline=options.deadline,
            retry=self.retry if options.retry is None else options.retry or None,
        )

    def carry_out(
        self,
        record: CallRecord,
        kind: type[Request],
        prepare: Callable[[], Mapping[str, Any]],
        judge: Callable[..., R],
        *,
        deadline: Deadline,
        retry: Retry | None,
    ) -> R:
        """Make a request, with retries, and return its result.

        Args:
            record: The call record.
            kind: The class of the request.
            prepare: Returns the remaining fields of the request.
            judge: Converts an answer to a result, given `elapsed_s` and the request's masker.
            deadline: The deadline for all attempts together.
            retry: The retry policy, or None.
        """
        started = self.clock.monotonic()
        if CANCELLATION.get().is_cancelled:
            raise CallCancelled
        attempt = self._new_attempt(record, deadline, kind)
        masker = ResultMasker(private_keys=self.backend.capabilities.private_keys)
        try:
            self.events.emit(EventKind.STARTED, record, attach_call=True)
            request = kind(
                call_id=record.id, deadline=deadline, clock=self.clock, masker=masker, **prepare()
            )
            while True:
                try:
                    answer = self._try(request, attempt)
                    break
                except FaceMatchError as error:
                    # If a policy refused the attempt, retry only if its store was unavailable.
                    was_asked = attempt.billing is not None or isinstance(error, StoreUnavailable)
                    if retry is None or not was_asked or CANCELLATION.get().is_cancelled:
                        raise
                    if (wait_s := retry.wait_s(error, attempt)) is None:
                        raise
                    error_name = type(error).__name__
                # Outside the except block, so that the next error is not chained to this error. A
                # Ctrl-C during the wait then ends the new attempt, which has sent nothing.
                attempt = self._new_attempt(record, deadline, kind, attempt.number + 1)
                self.events.emit(
                    EventKind.RETRYING,
                    record,
                    attempt=attempt.number,
                    error=error_name,
                    wait_s=wait_s,
                )
                attempt.sleep(wait_s, self.clock)
            elapsed_s = self.clock.monotonic() - started
            result = self.judge(judge, answer, elapsed_s=elapsed_s, masker=masker)
        except BaseException as error:
            self._note_failure(error, attempt, self.clock.monotonic() - started)
            raise
        if isinstance(result, (models.MatchResult, models.LivenessResult)):
            self.events.answered(result, record, attempt=attempt.number)
        else:
            self.events.ended(
                record,
                _known_environment(answer),
                answer.billing,
                elapsed_s=max(0.0, elapsed_s),
                attempt=attempt.number,
            )
        return result

    def judge(self, judge: Callable[..., R], answer: Any, **facts: Any) -> R:
        """Convert an answer to a result; raise `UnexpectedResponse` if it is unusable."""
        try:
            return judge(answer, **facts)
        except FaceMatchError:
            raise
        except Exception as error:  # noqa: BLE001 - the caller must learn what was charged
            problem = report_fault(error)
        # Raised outside the except block: the plug-in's exception may contain a key or a picture.
        raise errors.UnexpectedResponse(
            f"The answer of {self.backend.name} cannot be used ({problem}): report this to its "
            "author.",
            billing=answer.billing,
            ids=answer.ids,
        )

    def check_call(
        self, images: Sequence[Image], options: CallOptions, *, after: tuple[Operation, ...] = ()
    ) -> list[Image]:
        """Return the prepared pictures; raise any error that `run` would raise before sending."""
        record, _ = self._validate(options)
        prepared = [*self.prepare(images).values()]
        if images:
            records = [*(attrs.evolve(record, operation=earlier) for earlier in after), record]
            attempts = [self._new_attempt(record, options.deadline) for record in records]
            for policy in self.policies:
                policy.check(attempts)
        return prepared

    def reconcile(self, record: CallRecord, deadline: Deadline) -> models.Reconciliation:
        """Search the vendor's records for a call. Free of charge."""
        request = LookUp.of(record, deadline=deadline, clock=self.clock)
        attempt = self._new_attempt(record, deadline, LookUp)
        try:
            return cast(models.Reconciliation, self._call_backend(request, attempt))
        except VendorError as error:
            error.ids = attrs.evolve(error.ids, call=record.id)
            error.backend = error.backend or self.backend.name
            raise

    def _validate(self, options: CallOptions) -> tuple[CallRecord, dict[str, Any] | None]:
        """Check options against the backend's capabilities; return a call record and metadata."""
        self.result_policy.check_environment()
        can, operation = self.backend.capabilities, options.operation
        if operation not in can.operations:
            raise errors.Unsupported.of_operation(self.backend.name, operation)
        threshold, review = self.result_policy.thresholds(options)
        if options.retention not in (*Retention,):
            raise errors.InvalidRequest(
                "retention must be Retention.MINIMAL or Retention.KEEP, not "
                f"{type(options.retention).__name__}."
            )
        retention = Retention(options.retention)
        if retention not in can.retention:
            raise self.unsupported("retention", f"does not support the retention {retention}")
        self.check_own_options(options.options, can.options)
        if options.caller_ref is not None:
            check_text("caller_ref", options.caller_ref)
        if not (
            options.retry is None or options.retry is False or isinstance(options.retry, Retry)
        ):
            raise errors.InvalidRequest(
                f"retry must be a Retry, False or None, not {type(options.retry).__name__}."
            )
        record = CallRecord(
            id=str(uuid.uuid4()),
            operation=operation,
            backend=self.backend.name,
            started_at=self.clock.now(),
            kept=retention is Retention.KEEP,
            caller_ref=options.caller_ref,
            threshold=threshold,
            review_threshold=review,
        )
        return record, None if options.metadata is None else _copy_metadata(options.metadata)

    def check_own_options(self, options: Any, kind: type | None) -> None:
        """Raise `Unsupported` unless `options` is None or of the backend's own class."""
        if options is not None and not isinstance(options, kind or ()):
            problem = "takes no options of its own"
            if kind is not None:
                problem = f"takes options of type {kind.__name__}, not {type(options).__name__}"
            raise self.unsupported("options", problem)

    def unsupported(self, option: str, problem: str) -> errors.Unsupported:
        """Return the error for an unsupported option."""
        name = self.backend.name
        return errors.Unsupported(f"The backend {name} {problem}.", backend=name, what=option)

    def prepare(
        self, images: Sequence[Image], limits_by_name: Mapping[str, ImageLimits] | None = None
    ) -> dict[str, Image]:
        """Return the pictures by name, prepared for the vendor."""
        limits_by_name, prepared = limits_by_name or picture_limits(self.backend.capabilities), {}
        for image, (name, limits) in zip(images, limits_by_name.items(), strict=False):
            try:
                prepared[name] = image.prepared(limits, fit=self.fit_images)
            except errors.InvalidImage as error:
                failure = error.of(name)
                break
        else:
            return prepared
        # Raised outside the except block, because the first error's traceback holds the pictures.
        raise failure

    def _new_attempt(
        self, record: CallRecord, deadline: Deadline, kind: type[Request] = Call, number: int = 1
    ) -> Attempt:
        is_billed = kind.is_billed
        if is_billed is None:
            is_billed = record.operation in self.backend.capabilities.billed_operations
        return Attempt(
            call=record,
            number=number,
            paid=is_billed,
            # Calls to an unknown environment are treated as production calls.
            environment=self.backend.environment or models.Environment.PRODUCTION,
            deadline=deadline,
            on_sending=self._note_sending,
        )

    def _note_sending(self, attempt: Attempt, before: Sending) -> None:
        if before is Sending.UNSENT:
            for policy in self.policies:
                policy.sent(attempt)
        if attempt.sending is Sending.SENT:
            self.events.emit(EventKind.SENT, attempt.call, attach_call=True, attempt=attempt.number)

    def _try(self, request: Request, attempt: Attempt) -> Answer | SessionAnswer:
        """Enter the policies, make one attempt, and return the backend's answer."""
        if CANCELLATION.get().is_cancelled:
            raise CallCancelled
        leave: LeaveAll | None = None
        try:
            leave = enter_all(self.policies, attempt)
            answer: Answer | SessionAnswer = self._call_backend(request, attempt)
            attempt.billing = answer.billing
        except BaseException as error:
            if leave is not None:
                attempt.billing = attempt.billing_after(error)
                self._leave(leave, attempt, attempt.billing.charged, error)
            raise
        self._leave(leave, attempt, answer.billing.charged, answer)
        return answer

    def _note_failure(self, error: BaseException, attempt: Attempt, elapsed_s: float) -> None:
        """Add the call record to an error, and emit the final event."""
        billing = attempt.billing_after(error)
        vendor_id = error.ids.vendor if isinstance(error, VendorError) else attempt.vendor_id
        record = attrs.evolve(attempt.call, vendor_id=vendor_id)
        if isinstance(error, VendorError):
            error.ids = attrs.evolve(error.ids, call=record.id)
            error.backend = error.backend or self.backend.name
            error.call = None if billing.charged is Charged.NO else record
        if isinstance(error, errors.OutcomeUnknown):
            error.reconcilable = error.reconcilable or can_be_sought(self.backend, record)
            if error.reconcilable:
                error.message += " `FaceVerifier.reconcile` can look the call up."
                error.args = (error.message,)
        self.events.failed(error, record, billing, elapsed_s, attempt=attempt.number)

    def _leave(self, leave: LeaveAll, attempt: Attempt, charged: Charged, end: object) -> None:
        """Exit all policies, given the attempt's answer or error (`end`)."""
        is_answer = not isinstance(end, BaseException)
        outcome = Outcome(
            charged=charged,
            sent=is_answer or attempt.sending is Sending.SENT or charged is not Charged.NO,
            environment=_known_environment(end),
            error=end if isinstance(end, FaceMatchError) else None,
            answered=is_answer,
            was_asked=attempt.was_asked,
        )
        for failure in leave(outcome):
            if isinstance(failure, FaceMatchError):
                # The store holds the charge in memory and writes it with the next transaction.
                name = type(failure).__name__
                self.events.emit(EventKind.POSTPONED, attempt.call, error=name)

    def _call_backend(self, call: Request, attempt: Attempt) -> Any:
        """Return the backend's answer; convert a plug-in's exceptions to a `FaceMatchError`."""
        backend, result_type = self.backend, call.way.answer
        interruption: BaseException | None = None
        try:
            answer: Any = self._call_in_time(call, attempt)
        except FaceMatchError as error:
            if call.is_billed is False and isinstance(error, VendorError):
                error.billing = _BILLINGS[False]
            # A plug-in's error may wrongly state that nothing was sent.
            if attempt.sending is not Sending.SENT or _proves_charge(error):
                raise
            problem = f"failed with {type(error).__name__} after it began to send, and no ground"
        except Exception as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            interruption = find_callers_exception(error)
            problem = f"failed with {report_fault(error)}"
        else:
            if type(answer) is result_type:
                if isinstance(answer, SessionAnswer):
                    answer = attrs.evolve(answer, billing=_BILLINGS[bool(call.is_billed)])
                return answer
            problem = f"answered with {type(answer).__name__}, not {result_type.__name__}"
        # Raised outside the except block: the plug-in's exception may contain a key or a picture.
        if interruption is not None:
            raise interruption
        if attempt.paid and attempt.sending >= Sending.PERHAPS:
            raise errors.OutcomeUnknown(
                f"The backend {backend.name} {problem}, and the call may have been charged: report "
                "this to its author."
            )
        unsent = ", and nothing was sent" if attempt.paid else ""
        raise errors.BackendUnavailable(
            f"The backend {backend.name} {problem}{unsent}: report this to its author."
        )

    def _call_in_time(self, call: Request, attempt: Attempt) -> object:
        """Call the backend within the deadline."""
        backend, deadline = self.backend, call.deadline
        if deadline.send_by.left_s() <= 0:
            time_limit = "Its share of the deadline"
            if deadline.is_over:
                time_limit = f"The deadline of {deadline.limit_s:g} s"
            raise VendorUnavailable(
                f"{time_limit} expired before anything was sent.", retryable=False
            )
        call = attrs.evolve(call, on_sent=attempt.begin_sending, on_accepted=attempt.accept)
        ask = functools.partial(getattr(backend, call.way.method), call)
        if isinstance(call, LookUp) and call.record is not None:
            ask = functools.partial(backend.reconcile, call.record, deadline=deadline)
        send_by = deadline.send_by
        if attempt.paid and not backend.reports_sent:
            # Such a backend may send immediately, so an earlier `send_by` has no effect.
            ask, send_by = functools.partial(_call_silent, ask, attempt), deadline
        attempt.was_asked = True
        if backend.keeps_deadline or not send_by.is_limited:
            return ask()
        return self._call_on_helper(ask, send_by, call, attempt)

    def _call_on_helper(
        self, ask: Callable[[], object], send_by: Deadline, call: Request, attempt: Attempt
    ) -> object:
        """Call the backend in a helper thread, and abandon the thread after the deadline."""
        name, deadline, future = self.backend.name, call.deadline, None
        try:
            future = self.helpers.start(ask, send_by)
            wait([future], send_by.timeout_s())
            is_unsent = not future.done() and attempt.stop()
            if not is_unsent:
                wait([future], deadline.timeout_s())
            if future.done() and not is_unsent:
                return future.result()
        except NoThread as error:
            is_unsent, problem = True, f"was not called: {error}"
        else:
            done = "answered" if call.is_billed is False else "sent anything"
            problem = f"had not {done} when its time limit of {send_by.limit_s:.3g} s expired"
        finally:
            # Send nothing more, even after a Ctrl-C.
            attempt.stop()
            del future  # break the reference cycle between this frame and the future's error
        if is_unsent:
            nothing = "Nothing is charged" if call.is_billed is False else "Nothing was sent"
            raise VendorUnavailable(
                f"The backend {name} {problem}. {nothing}.",
                billing=Billing(Charged.NO, "nothing was sent within the deadline"),
                retryable=isinstance(call, LookUp),  # the next lookup has its own deadline
            )
        raise errors.DeadlineExceeded(
            f"The backend {name} was called, and the deadline of {deadline.limit_s:g} s expired "
            "before it answered. The call may have been executed and charged.",
            billing=Billing(Charged.UNKNOWN, "no answer within the deadline"),
        )


#: The charge for the start of a session (True) and for later requests about the session (False).
_BILLINGS = {
    True: Billing(Charged.YES, "counted at its start"),
    False: Billing(Charged.NO, "later requests about it are free"),
}


def _call_silent(ask: Callable[[], object], attempt: Attempt) -> object:
    """Call a backend that does not report when it sends."""
    attempt.begin_sending(Sending.PERHAPS)
    return ask()


def _known_environment(end: object) -> models.Environment | None:
    """Return the environment of an answer or error, or None."""
    environment = getattr(end, "environment", None)
    return environment if isinstance(environment, models.Environment) else None


def _proves_charge(error: FaceMatchError) -> bool:
    """Return whether an error, raised after sending, proves whether the call was charged."""
    return isinstance(error, VendorError) and (
        not isinstance(error, VendorUnavailable)
        or error.billing.charged is not Charged.NO
        or error.status_code is not None
        or error.billing.ground is not None
    )


def check_text(name: str, text: Any) -> None:
    """Raise if `text` is not a string, is empty, or cannot be encoded as UTF-8."""
    try:
        if isinstance(text, str) and text and text.encode():
            return
    except UnicodeEncodeError:
        pass
    raise errors.InvalidRequest(f"{name} must be a non-empty string that can be encoded as UTF-8.")


def _copy_metadata(metadata: Any) -> dict[str, Any]:
    """Return a deep copy of metadata; raise if JSON would change it."""
    try:
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False)
        text.encode()
        copy = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        copy = None
    # JSON converts the keys 1, None and True to strings, and results omit deeply nested values.
    if copy is None or copy != metadata or plain_json(copy) != copy:
        raise errors.InvalidRequest(
            "metadata must be a dictionary of JSON values with string keys and at most 64 levels: "
            "no bytes, no NaN, no other objects."
        )
    if CALL_ID_KEY in copy:
        raise errors.InvalidRequest(
            f"metadata must not contain the key {CALL_ID_KEY}, which is reserved for our call id: "
            "rename the entry."
        )
    return dict(copy)

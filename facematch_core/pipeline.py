"""One call, from the caller's options to the result, top to bottom.

::

    validate → prepare → for each try: admit → send → parse → apply policy

`Pipeline.run` is that line. Options have two shapes: as the caller wrote them (`CallOptions`), and
valid, as the call that the backend is given (`MatchCall`, `LivenessCall`) beside its record.
Sending and parsing are the backend's; judging is `policy`'s; what may stop, delay or count a try
is a `Policy`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from ._cancellation import CANCELLATION, CallCancelled, Cancellation
from .backend import (
    CALL_ID_KEY,
    Backend,
    Call,
    LivenessCall,
    MatchCall,
    OutOfTime,
    new_call_id,
    run_within,
    without_private,
)
from .calibration import Calibration
from .clock import Clock
from .errors import (
    BackendUnavailable,
    ConfigurationError,
    DeadlineExceeded,
    FaceMatchError,
    InvalidImage,
    InvalidRequest,
    OutcomeUnknown,
    ScaleWarning,
    StoreUnavailable,
    Unsupported,
    VendorError,
    VendorUnavailable,
)
from .events import EventEmitter, EventKind
from .images import Image
from .models import (
    Answer,
    Billing,
    CallRecord,
    Charged,
    Environment,
    Operation,
    Retention,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    percentage,
)
from .policy import ANSWERS, ResultPolicy
from .resilience import AttemptContext, Outcome, Policy, Retry, enter_all

C = TypeVar("C", bound=Call)

#: What the pictures of a call are called, in their order.
PICTURES = ("probe", "reference")


def load_images(*given: object) -> tuple[list[Image], InvalidImage | None]:
    """The pictures of a call as its caller gave them, or what is wrong with one of them.

    The error is handed back, not raised, so that the caller can first let go of the bytes: a
    traceback that shows local variables must not show a face.
    """
    images = []
    for value, picture in zip(given, PICTURES, strict=False):
        try:
            images.append(Image.of(value))
        except InvalidImage as error:
            return [], error.of(picture)
    return images, None


@attrs.frozen(kw_only=True)
class CallOptions:
    """What is asked, and the options of the call as its caller wrote them."""

    operation: Operation
    threshold: Any = None
    review_threshold: Any = None
    max_fmr: Any = None
    rotate: Any = False
    retention: Any = Retention.MINIMAL
    caller_ref: Any = None
    metadata: Any = attrs.field(default=None, repr=False)
    options: Any = attrs.field(default=None, repr=False)
    deadline_s: Any = None
    #: What the names of the thresholds begin with, as the caller wrote them.
    prefix: str = ""


@attrs.frozen(kw_only=True)
class Defaults:
    """Thresholds that a verifier was opened with, 0-100; None leaves the backend's own.

    Attributes:
        threshold, liveness_threshold: Where a pass begins.
        review_threshold, liveness_review_threshold: Up to which score a pass needs a person.
        calibration: Thresholds by false match rate; None if there are none.

    Raises:
        ConfigurationError: one is no percentage, or a review threshold is not above its threshold.
    """

    threshold: float | None = None
    liveness_threshold: float | None = None
    review_threshold: float | None = None
    liveness_review_threshold: float | None = None
    calibration: Calibration | None = None

    @classmethod
    def of_arguments(cls, calibration: Calibration | None, **thresholds: Any) -> Defaults:
        """From the arguments of a verifier."""
        try:
            values = {name: _number(name, given) for name, given in thresholds.items()}
        except InvalidRequest as error:
            problem = error.message
        else:
            return cls(calibration=calibration, **values)
        raise ConfigurationError(problem)

    def __attrs_post_init__(self) -> None:
        for operation in ANSWERS:
            threshold, review = self.of(operation)
            if threshold is not None and review is not None and review <= threshold:
                raise ConfigurationError(
                    f"The review threshold of {operation} must be above its threshold "
                    f"({threshold:g}), not {review:g}."
                )

    def of(self, operation: Operation) -> tuple[float | None, float | None]:
        """The threshold and the review threshold of one operation."""
        if operation is Operation.MATCH:
            return self.threshold, self.review_threshold
        return self.liveness_threshold, self.liveness_review_threshold


@attrs.frozen(kw_only=True)
class Pipeline:
    """Makes the calls of one verifier to one backend."""

    backend: Backend
    defaults: Defaults
    policy: ResultPolicy
    policies: tuple[Policy, ...]
    retry: Retry | None
    fit_images: bool
    events: EventEmitter
    clock: Clock

    def run(
        self, images: Sequence[Image], options: CallOptions, *, since: float | None = None
    ) -> Answer:
        """One call.

        Args:
            images: As the caller gave them, the probe first.
            options: What is asked, as the caller wrote it.
            since: When the deadline began, on the monotonic clock; None for now.
        """
        started = self.clock.monotonic()
        cancellation = CANCELLATION.get()
        if cancellation is not None:
            cancellation.check()
        fields, record = self._validated(options)
        progress = _Progress(self, record, cancellation)
        self.events.emit(EventKind.STARTED, record, call=progress.written)
        try:
            call = _as_call(
                options.operation, self._prepared(images), fields, record.id, progress.on_sent
            )
            answer = self._asked(call, record, progress, started if since is None else since)
            elapsed_s = self.clock.monotonic() - started
            result = self.policy.apply(answer, record, metadata=call.metadata, elapsed_s=elapsed_s)
        except FaceMatchError as error:
            _complete(error, self.backend, record)
            self.events.failed(error, record, self.clock.monotonic() - started)
            raise
        except BaseException as error:
            # Ctrl-C, say: if the request has begun to leave, the bill is open.
            if progress.sent or isinstance(error, CallCancelled):
                elapsed_s = self.clock.monotonic() - started
                self.events.broken_off(error, record, elapsed_s, sent=progress.sent)
            raise
        self.events.answered(result, record)
        return result

    def refuse(
        self, images: Sequence[Image], options: CallOptions, *, after: tuple[Operation, ...] = ()
    ) -> list[Image]:
        """Raise what `run` would raise before it sends anything; else the prepared pictures.

        Args:
            images, options: Those of the call; no pictures to look at the options alone.
            after: The calls that will be made before it and count for the same budget.
        """
        fields, record = self._validated(options)
        prepared = self._prepared(images)
        if images:
            deadline_s = fields["deadline_s"]
            until = None if deadline_s is None else self.clock.monotonic() + deadline_s
            coming = (*(attrs.evolve(record, operation=one) for one in after), record)
            contexts = [self._context(one, 1, until, None) for one in coming]
            for policy in self.policies:
                policy.check(contexts)
        return prepared

    # Validate.

    def _validated(self, options: CallOptions) -> tuple[dict[str, Any], CallRecord]:
        """The fields of the call, and what has to be remembered of it."""
        self.policy.check_environment()
        operation, backend, can = options.operation, self.backend.name, self.backend.capabilities
        if operation not in can.operations:
            raise Unsupported(
                f"The backend {backend} has no {operation} call: choose a backend that has "
                "(`facematch backends` lists them).",
                backend=backend,
                what=operation,
            )
        threshold, review = self.thresholds(options)
        fields = {
            "threshold": threshold,
            "rotate": _rotate(options.rotate, self.backend),
            "retention": _retention(options.retention, self.backend),
            "caller_ref": _caller_ref(options.caller_ref),
            "metadata": _metadata(options.metadata),
            "options": _own_options(options.options, self.backend),
            "deadline_s": deadline(options.deadline_s),
        }
        record = CallRecord(
            id=new_call_id(),
            operation=operation,
            backend=backend,
            started_at=self.clock.now(),
            kept=fields["retention"] is Retention.KEEP,
            caller_ref=fields["caller_ref"],
            threshold=threshold,
            review_threshold=review,
        )
        return fields, record

    def thresholds(self, options: CallOptions) -> tuple[Threshold | None, Threshold | None]:
        """Where a pass begins, and up to where it needs a person, for a call with these options."""
        threshold = self._threshold(options)
        review = self._review_threshold(options, threshold)
        return threshold, review

    def _threshold(self, options: CallOptions) -> Threshold | None:
        operation = options.operation
        can, calibration = self.backend.capabilities, self.defaults.calibration
        if options.max_fmr is not None:
            if operation is not Operation.MATCH:
                raise InvalidRequest(
                    f"max_fmr is for comparisons of two faces, and this is a call of {operation}: "
                    "give a threshold."
                )
            if options.threshold is not None:
                raise InvalidRequest(
                    "threshold and max_fmr both say where a match begins: give only one."
                )
            if calibration is None:
                raise ConfigurationError(
                    f"max_fmr needs a calibration of {self.backend.name}, and this verifier has "
                    "none: `facematch compare threshold` writes one, and calibration= or the "
                    "profile names it."
                )
            # It fitted when the verifier was opened, which may be long ago.
            calibration.check(self.backend, self.clock.now())
            value = calibration.threshold_for(options.max_fmr)
            return Threshold(value, can.threshold_rule, ThresholdSource.CALIBRATION)
        profile, _ = self.defaults.of(operation)
        for given, source in (
            (_number(f"{options.prefix}threshold", options.threshold), ThresholdSource.CALLER),
            (profile, ThresholdSource.PROFILE),
            (can.default_for(operation), ThresholdSource.DEFAULT),
        ):
            if given is not None:
                return Threshold(given, can.threshold_rule, source)
        return None

    def _review_threshold(
        self, options: CallOptions, threshold: Threshold | None
    ) -> Threshold | None:
        asked, (_, profile) = options.review_threshold, self.defaults.of(options.operation)
        name = f"{options.prefix}review_threshold"
        value = profile if asked is None else _number(name, asked)
        if value is None:
            return None
        source = ThresholdSource.PROFILE if asked is None else ThresholdSource.CALLER
        if threshold is not None and threshold.value is not None and value <= threshold.value:
            of_this_call = (ThresholdSource.CALLER, ThresholdSource.CALIBRATION)
            if asked is None and threshold.source in of_this_call:
                # The call alone is stricter than the profile's review: nothing is left to review.
                return None
            raise InvalidRequest(
                f"review_threshold must be above threshold ({threshold.value:g}), not {value:g}."
            )
        return Threshold(value, ThresholdRule.ABOVE, source)

    # Prepare.

    def _prepared(self, images: Sequence[Image]) -> list[Image]:
        limits = self.backend.capabilities.image_limits
        prepared = []
        for image, picture in zip(images, PICTURES, strict=False):
            try:
                prepared.append(image.prepared(limits, fit=self.fit_images))
            except InvalidImage as error:
                refused = error.of(picture)
                break
        else:
            return prepared
        # Outside the except block: the first error's frames hold the pictures.
        raise refused

    # For each try: admit, send.

    def _asked(
        self, call: MatchCall | LivenessCall, record: CallRecord, progress: _Progress, since: float
    ) -> Answer:
        """The backend's answer to one try after another, each admitted by every policy."""
        until = None if call.deadline_s is None else since + call.deadline_s
        attempt = 1
        while True:
            if progress.cancellation is not None:
                progress.cancellation.check()
            context = self._context(record, attempt, until, progress.cancellation)
            progress.context = context
            leave: Callable[[Outcome], list[Exception]] | None = None
            asked_at: float | None = None
            try:
                leave = enter_all(self.policies, context)
                given = _within(call, until, self.clock)
                asked_at = self.clock.monotonic()
                answer = self._sent(given, progress, paid=context.paid)
            except BaseException as error:
                if leave is None and not isinstance(error, StoreUnavailable):
                    raise  # another refusal of a policy
                unseen = progress.sent and not isinstance(error, FaceMatchError)
                asked_s = None if asked_at is None else self.clock.monotonic() - asked_at
                sent = progress.seen_sent or unseen
                if leave is not None:
                    # Named nowhere: an outcome holds the error, and the error this frame.
                    left = leave(Outcome.of_error(error, sent=sent, asked_s=asked_s))
                    self._left(left, record)
                wait_s = self._wait_s(error, context, progress.cancellation)
                if wait_s is None:
                    raise
                failed = type(error).__name__
            else:
                asked_s = self.clock.monotonic() - asked_at
                self._left(leave(Outcome.of(answer, asked_s=asked_s)), record)
                return answer
            # Outside the except block: what the next try raises has nothing to do with this one.
            # What follows, a Ctrl-C while waiting too, begins with nothing sent.
            progress.sent = progress.seen_sent = False
            attempt += 1
            self.events.emit(
                EventKind.RETRYING, record, attempt=attempt, error=failed, wait_s=wait_s
            )
            (context.sleep or self.clock.sleep)(wait_s)

    def _left(self, failures: list[Exception], record: CallRecord) -> None:
        """Report an outcome that a store will be told later."""
        for failure in failures:
            if isinstance(failure, StoreUnavailable):
                self.events.emit(EventKind.POSTPONED, record, error=type(failure).__name__)

    def _context(
        self,
        record: CallRecord,
        attempt: int,
        until: float | None,
        cancellation: Cancellation | None,
    ) -> AttemptContext:
        sleep = None
        if cancellation is not None:
            sleep = functools.partial(cancellation.sleep, clock=self.clock)
        return AttemptContext(
            call=record,
            number=attempt,
            paid=record.operation in self.backend.capabilities.billed_operations,
            # Calls whose environment nobody knows count with the real ones.
            environment=self.backend.environment or Environment.PRODUCTION,
            until=until,
            sleep=sleep,
        )

    def _wait_s(
        self, error: BaseException, context: AttemptContext, cancellation: Cancellation | None
    ) -> float | None:
        """Seconds until the call is made again; None if it is not."""
        if self.retry is None or not isinstance(error, (VendorError, StoreUnavailable)):
            return None
        if cancellation is not None and cancellation.cancelled:
            return None
        return self.retry.wait_s(error, context, self.clock.monotonic())

    def _sent(self, call: MatchCall | LivenessCall, progress: _Progress, *, paid: bool) -> Answer:
        """The backend's answer; whatever else it raises becomes an error of our tree."""
        backend, wanted = self.backend, ANSWERS[call.operation]
        if paid and not backend.reports_sent:
            # Nobody will say when the first byte leaves, so it may have from here on.
            progress.begin_unseen()
        try:
            answer = _ask(backend, call, progress)
        except VendorError as error:
            if not (progress.seen_sent and _unfounded(error)):
                raise
            what = f"failed with {type(error).__name__} after it began to send, and no ground"
        except FaceMatchError as error:
            if not progress.seen_sent:
                raise
            # A refusal says "nothing was sent", and that is no longer true.
            what = f"failed with {type(error).__name__}"
        except Exception as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            what = f"failed with {type(error).__name__}{_place(error)}"
        else:
            if type(answer) is wanted:
                return answer
            what = f"answered with {type(answer).__name__}, not {wanted.__name__}"
        # Outside the except block: the plug-in's exception may hold a key or a picture.
        if paid and progress.sent:
            raise OutcomeUnknown(
                f"The backend {backend.name} {what}, and the call may have been charged: report "
                "this to its author.",
                reconcilable=call.retention is Retention.KEEP,
            )
        unsent = ", and nothing was sent" if paid else ""
        raise BackendUnavailable(
            f"The backend {backend.name} {what}{unsent}: report this to its author."
        )


class _Progress:
    """How far one call has come: the one thing in it that changes."""

    def __init__(
        self, pipeline: Pipeline, record: CallRecord, cancellation: Cancellation | None
    ) -> None:
        self._events = pipeline.events
        self._policies = pipeline.policies
        self.cancellation = cancellation
        #: The current try, as the policies know it.
        self.context: AttemptContext | None = None
        #: The record without what is the caller's, for events.
        self.written = attrs.evolve(record, caller_ref=None)
        #: Whether a byte of the current try may have left.
        self.sent = False
        #: Whether the backend itself said so.
        self.seen_sent = False

    def on_sent(self) -> None:
        """The backend is about to let the first byte of a try leave."""
        if self.seen_sent:
            return
        if self.cancellation is not None and not self.sent:
            self.cancellation.commit()
        self.sent = self.seen_sent = True
        self._tell()
        self._events.emit(EventKind.SENT, self.written, call=self.written)

    def begin_unseen(self) -> None:
        """The backend is asked, and does not say when it sends."""
        if self.cancellation is not None:
            self.cancellation.commit()
        self.sent = True
        self._tell()

    def _tell(self) -> None:
        if self.context is not None:
            for policy in self._policies:
                policy.sent(self.context)


def _as_call(
    operation: Operation,
    images: list[Image],
    fields: dict[str, Any],
    call_id: str,
    on_sent: Callable[[], None],
) -> MatchCall | LivenessCall:
    fields = {"probe": images[0], "call_id": call_id, "on_sent": on_sent, **fields}
    if operation is Operation.MATCH:
        return MatchCall(reference=images[1], **fields)
    return LivenessCall(**fields)


def _ask(backend: Backend, call: MatchCall | LivenessCall, progress: _Progress) -> object:
    """The backend's answer; one that does not end by itself is left behind when time is up."""

    def ask(on_sent: Callable[[], None]) -> object:
        given = attrs.evolve(call, on_sent=on_sent)
        if isinstance(given, MatchCall):
            return backend.match(given)
        return backend.check_liveness(given)

    seconds = None if backend.keeps_deadline else call.deadline_s
    with contextlib.suppress(OutOfTime):
        return run_within(seconds, ask, call.on_sent)
    if progress.sent:
        raise DeadlineExceeded(
            f"The backend {backend.name} was asked, and the deadline of {call.deadline_s:g} s ran "
            "out before it answered. The call may have been executed and charged.",
            billing=Billing(Charged.UNKNOWN, "no answer within the deadline"),
            reconcilable=call.retention is Retention.KEEP,
        )
    raise VendorUnavailable(
        f"The backend {backend.name} had not finished when the deadline of {call.deadline_s:g} s "
        "ran out. Nothing was sent.",
        billing=Billing(Charged.NO, "nothing was sent within the deadline"),
        retryable=False,
    )


def _within(call: C, until: float | None, clock: Clock) -> C:
    """`call` with what is left of its time; `VendorUnavailable` if nothing is."""
    if until is None:
        return call
    left_s = until - clock.monotonic()
    if left_s <= 0:
        raise VendorUnavailable(
            f"The deadline of {call.deadline_s:g} s ran out before anything was sent.",
            retryable=False,
        )
    return attrs.evolve(call, deadline_s=left_s)


def _complete(error: FaceMatchError, backend: Backend, record: CallRecord) -> None:
    """Fill in what only the verifier knows."""
    if not isinstance(error, VendorError):
        return
    error.ids = attrs.evolve(error.ids, call=record.id)
    error.backend = error.backend or backend.name
    error.call = None if error.billing.charged is Charged.NO else record


def _unfounded(error: VendorError) -> bool:
    """Whether `error` says "not charged" of a call that has begun to leave, and not why."""
    return (
        isinstance(error, VendorUnavailable)
        and error.billing.charged is Charged.NO
        and error.status_code is None
        and error.billing.ground is None
    )


def _place(error: BaseException) -> str:
    """File and line of the plug-in's own code, never its data."""
    ours, place = (str(Path(__file__).parent), "<"), ""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(ours):
            place = f" in {Path(file).name}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


# The options of a call, one by one.


def deadline(asked: Any) -> float | None:
    """`deadline_s` as a float, or None for no limit; `InvalidRequest` for anything else."""
    if asked is None:
        return None
    if isinstance(asked, bool) or not isinstance(asked, (int, float)) or not 0 < asked < 1e9:
        raise InvalidRequest("deadline_s must be a number of seconds above 0.")
    return float(asked)


def _number(name: str, given: Any) -> float | None:
    """A threshold as a float, with a warning where a fraction was probably meant."""
    if given is None:
        return None
    if isinstance(given, Threshold):
        if given.value is None:
            raise InvalidRequest(f"{name} must have a value from 0 to 100.")
        return given.value
    if isinstance(given, Mapping):
        raise InvalidRequest(
            f"{name} is one number here: only a failover takes one per member, by its name."
        )
    try:
        value = percentage(name, given)
    except (TypeError, ValueError) as error:
        problem = str(error)
    else:
        if 0 < value <= 1:
            _warn_of_fraction(name, value)
        return value
    raise InvalidRequest(problem)


def _warn_of_fraction(name: str, value: float) -> None:
    package = str(Path(__file__).parent)
    frame, level = sys._getframe(1), 2  # noqa: SLF001 - the caller's line is what is warned of
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"{name}={value:g} lies on a scale from 0 to 100, so nearly everybody passes: did you mean "
        f"{value * 100:g}? Write Threshold({value:g}) if not.",
        ScaleWarning,
        stacklevel=level - 1,
    )


def _rotate(asked: Any, backend: Backend) -> bool:
    if not isinstance(asked, bool):
        raise InvalidRequest(f"rotate must be True or False, not {type(asked).__name__}.")
    if asked and not backend.capabilities.rotate:
        raise Unsupported(
            f"The backend {backend.name} cannot try quarter turns: leave rotate out and turn the "
            "picture upright first.",
            backend=backend.name,
            what="rotate",
        )
    return asked


def _retention(asked: Any, backend: Backend) -> Retention:
    try:
        retention = Retention(asked)
    except ValueError:
        raise InvalidRequest(
            f"retention must be Retention.MINIMAL or Retention.KEEP, not {type(asked).__name__}."
        ) from None
    if retention not in backend.capabilities.retention:
        raise Unsupported(
            f"The backend {backend.name} cannot ask for retention {retention}.",
            backend=backend.name,
            what="retention",
        )
    return retention


def _caller_ref(asked: Any) -> str | None:
    if asked is None:
        return None
    if not isinstance(asked, str) or not asked:
        raise InvalidRequest("caller_ref must be text that is not empty: leave it out otherwise.")
    if not _encodes(asked):
        raise InvalidRequest("caller_ref must be text that can be written as UTF-8.")
    return asked


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _metadata(asked: Any) -> dict[str, Any] | None:
    if asked is None:
        return None
    wrong = InvalidRequest(
        "metadata must be a dictionary of JSON values with text keys; no bytes, no NaN, no objects."
    )
    if not isinstance(asked, Mapping):
        raise wrong
    try:
        text = json.dumps(dict(asked), allow_nan=False)
        copy = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        copy = None
    # Keys that JSON turns into text (1, None, True) would come back as something else.
    if copy is None or copy != asked or not _encodes(json.dumps(copy, ensure_ascii=False)):
        raise wrong
    if without_private(copy, demographic_keys=()) != copy:
        raise InvalidRequest("metadata is nested too deeply: keep it within 64 levels.")
    if CALL_ID_KEY in copy:
        raise InvalidRequest(
            f"metadata has an entry {CALL_ID_KEY}, under which a kept call carries our own id of "
            "it: give yours another name."
        )
    return dict(copy)


def _own_options(asked: Any, backend: Backend) -> Any:
    wanted = backend.capabilities.options
    if asked is None or (wanted is not None and isinstance(asked, wanted)):
        return asked
    if wanted is None:
        raise Unsupported(
            f"The backend {backend.name} has no options of its own.",
            backend=backend.name,
            what="options",
        )
    raise Unsupported(
        f"The backend {backend.name} takes options of type {wanted.__name__}, not "
        f"{type(asked).__name__}.",
        backend=backend.name,
        what="options",
    )

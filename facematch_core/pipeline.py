"""One call, from the caller's options to the result, top to bottom.

Validate → prepare → for each try: admit → send → parse → judge. Sending and parsing are the
backend's, judging is `policy`'s; what may stop, delay or count a try is a `Policy`.
"""

from __future__ import annotations

import enum
import functools
import json
import math
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from . import errors
from ._cancellation import CANCELLATION, CallCancelled, Cancellation, callers_exception
from .backend import (
    CALL_ID_KEY,
    Backend,
    Call,
    LivenessCall,
    MatchCall,
    OutOfTime,
    new_call_id,
    run_within,
    tell_fault,
    without_private,
)
from .calibration import Calibration
from .clock import Clock
from .deadline import Deadline
from .errors import FaceMatchError, StoreUnavailable, VendorError, VendorUnavailable
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

#: What leaves the policies of a try, and says how some failed there.
Leave: TypeAlias = Callable[[Outcome], list[Exception]]
#: What the pictures of a call are called, in their order.
PICTURES = ("probe", "reference")
#: So many calls of a verifier may run on although their deadline is over: engines cannot be
#: stopped, and each keeps a core and two pictures. With more of them the next call waits, so that
#: callers who ask again and again do not bring the machine down.
_MOST_LEFT_BEHIND = 8


def load_images(*given: object) -> tuple[list[Image], errors.InvalidImage | None]:
    """The pictures of a call, or what is wrong with one: raised when the bytes are let go of."""
    images = []
    for value, picture in zip(given, PICTURES, strict=False):
        try:
            images.append(Image.of(value))
        except errors.InvalidImage as error:
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
    #: When the deadline began, on the verifier's monotonic clock; None for now.
    since: float | None = None
    #: Seconds from now within which the first byte must leave, because another vendor can be asked.
    send_within_s: float | None = None


@attrs.frozen(kw_only=True)
class Defaults:
    """What a verifier was opened with, for calls that say nothing else."""

    #: Where a pass begins, and up to which score it needs a person.
    thresholds: Mapping[Operation, tuple[float | None, float | None]]
    deadline_s: float | None
    calibration: Calibration | None

    @classmethod
    def of_arguments(
        cls, calibration: Calibration | None = None, deadline_s: Any = None, **thresholds: Any
    ) -> Defaults:
        """From the arguments of a verifier; `ConfigurationError` if one is out of range."""
        wrong = errors.ConfigurationError
        values = {name: _number(name, given, wrong) for name, given in thresholds.items()}
        pairs = {}
        for operation, prefix in ((Operation.MATCH, ""), (Operation.LIVENESS, "liveness_")):
            threshold = values.get(f"{prefix}threshold")
            review = values.get(f"{prefix}review_threshold")
            if threshold is not None and review is not None and review <= threshold:
                raise wrong(
                    f"The review threshold of {operation} must be above its threshold "
                    f"({threshold:g}), not {review:g}."
                )
            pairs[operation] = threshold, review
        seconds = deadline(deadline_s, wrong)
        return cls(calibration=calibration, deadline_s=seconds, thresholds=pairs)


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
    #: Calls that still run although their deadline is over.
    left_behind: set[Future[Any]] = attrs.field(factory=set, init=False, repr=False, eq=False)

    def run(self, images: Sequence[Image], options: CallOptions) -> Answer:
        """One call."""
        started = self.clock.monotonic()
        cancellation = CANCELLATION.get()
        if cancellation is not None:
            cancellation.check()
        fields, record = self._validated(options)
        progress = _Progress(self, record, cancellation)
        if fields["deadline_s"] is not None:
            began = started if options.since is None else options.since
            progress.until = began + fields["deadline_s"]
        if options.send_within_s is not None:
            progress.send_until = started + options.send_within_s
        try:
            self.events.emit(EventKind.STARTED, record, carries_call=True)
            pictures: dict[str, Any] = dict(zip(PICTURES, self._prepared(images), strict=False))
            kind = MatchCall if options.operation is Operation.MATCH else LivenessCall
            call = kind(
                clock=self.clock,
                on_sent=progress.on_sent,
                on_accepted=progress.on_accepted,
                **fields,
                **pictures,
            )
            answer = self._asked(call, progress)
            result = self.policy.apply(
                answer,
                record,
                metadata=call.metadata,
                elapsed_s=self.clock.monotonic() - started,
            )
        except BaseException as error:
            billing = progress.billing(error)
            vendor_id = error.ids.vendor if isinstance(error, VendorError) else progress.vendor_id
            known = attrs.evolve(record, vendor_id=vendor_id)
            if isinstance(error, VendorError):
                error.ids = attrs.evolve(error.ids, call=record.id)
                error.backend = error.backend or self.backend.name
                error.call = None if billing.charged is Charged.NO else known
            self.events.failed(error, known, billing, self.clock.monotonic() - started)
            raise
        self.events.answered(result, record)
        return result

    def refuse(
        self, images: Sequence[Image], options: CallOptions, *, after: tuple[Operation, ...] = ()
    ) -> list[Image]:
        """Raise what `run` after those calls would raise unsent; else the prepared pictures."""
        fields, record = self._validated(options)
        prepared = self._prepared(images)
        if images:
            seconds = fields["deadline_s"]
            began = self.clock.monotonic() if options.since is None else options.since
            until = None if seconds is None else began + seconds
            records = [*(attrs.evolve(record, operation=one) for one in after), record]
            contexts = [self._context(one, 1, until) for one in records]
            for policy in self.policies:
                policy.check(contexts)
        return prepared

    # Validate.

    def _validated(self, options: CallOptions) -> tuple[dict[str, Any], CallRecord]:
        """The fields of the call, and what has to be remembered of it."""
        self.policy.check_environment()
        operation, backend, can = options.operation, self.backend.name, self.backend.capabilities
        if operation not in can.operations:
            raise self._unsupported(
                operation,
                f"has no {operation} call: choose a backend that has (`facematch backends` lists "
                "them)",
            )
        threshold, review = self.thresholds(options)
        if not isinstance(options.rotate, bool):
            raise errors.InvalidRequest(
                f"rotate must be True or False, not {type(options.rotate).__name__}."
            )
        if options.rotate and not can.rotate:
            raise self._unsupported(
                "rotate",
                "cannot try quarter turns: leave rotate out and turn the picture upright first",
            )
        if options.retention not in (*Retention,):
            raise errors.InvalidRequest(
                "retention must be Retention.MINIMAL or Retention.KEEP, not "
                f"{type(options.retention).__name__}."
            )
        retention = Retention(options.retention)
        if retention not in can.retention:
            raise self._unsupported("retention", f"cannot ask for retention {retention}")
        if options.options is not None and not isinstance(options.options, can.options or ()):
            problem = "has no options of its own"
            if can.options is not None:
                given = type(options.options).__name__
                problem = f"takes options of type {can.options.__name__}, not {given}"
            raise self._unsupported("options", problem)
        if options.caller_ref is not None:
            _check_caller_ref(options.caller_ref)
        seconds = options.deadline_s
        record = CallRecord(
            id=new_call_id(),
            operation=operation,
            backend=backend,
            started_at=self.clock.now(),
            kept=retention is Retention.KEEP,
            caller_ref=options.caller_ref,
            threshold=threshold,
            review_threshold=review,
        )
        fields = {
            "call_id": record.id,
            "threshold": threshold,
            "rotate": options.rotate,
            "retention": retention,
            "caller_ref": options.caller_ref,
            "metadata": None if options.metadata is None else _metadata(options.metadata),
            "options": options.options,
            "deadline_s": self.defaults.deadline_s if seconds is None else deadline(seconds),
        }
        return fields, record

    def _unsupported(self, what: str, problem: str) -> errors.Unsupported:
        name = self.backend.name
        return errors.Unsupported(f"The backend {name} {problem}.", backend=name, what=what)

    def thresholds(self, options: CallOptions) -> tuple[Threshold | None, Threshold | None]:
        """Where a pass begins, and up to where it needs a person, for a call with these options."""
        rule = self.backend.capabilities.threshold_rule
        default, default_review = self.defaults.thresholds[options.operation]
        threshold, asked = None, options.review_threshold
        if options.max_fmr is not None:
            threshold = Threshold(self._calibrated(options), rule, ThresholdSource.CALIBRATION)
        elif options.threshold is not None:
            value = _number(f"{options.prefix}threshold", options.threshold)
            threshold = Threshold(value, rule, ThresholdSource.CALLER)
        elif default is not None:
            threshold = Threshold(default, rule, ThresholdSource.PROFILE)
        elif (own := self.backend.capabilities.default_for(options.operation)) is not None:
            threshold = Threshold(own, rule, ThresholdSource.DEFAULT)
        limit, source = default_review, ThresholdSource.PROFILE
        if asked is not None:
            limit = _number(f"{options.prefix}review_threshold", asked)
            source = ThresholdSource.CALLER
        if limit is None:
            return threshold, None
        if threshold is not None and threshold.value is not None and limit <= threshold.value:
            of_this_call = (ThresholdSource.CALLER, ThresholdSource.CALIBRATION)
            if asked is None and threshold.source in of_this_call:
                # The call alone is stricter than the profile's review: nothing is left to review.
                return threshold, None
            raise errors.InvalidRequest(
                f"review_threshold must be above threshold ({threshold.value:g}), not {limit:g}."
            )
        return threshold, Threshold(limit, ThresholdRule.ABOVE, source)

    def _calibrated(self, options: CallOptions) -> float:
        calibration = self.defaults.calibration
        if options.operation is not Operation.MATCH:
            raise errors.InvalidRequest(
                "max_fmr is for comparisons of two faces, and this is a call of "
                f"{options.operation}: give a threshold."
            )
        if options.threshold is not None:
            raise errors.InvalidRequest(
                "threshold and max_fmr both say where a match begins: give only one."
            )
        if calibration is None:
            raise errors.ConfigurationError(
                f"max_fmr needs a calibration of {self.backend.name}, and this verifier has none: "
                "`facematch compare threshold` writes one, and calibration= or the profile names "
                "it."
            )
        # It fitted when the verifier was opened, which may be long ago.
        calibration.check(self.backend, self.clock.now())
        return calibration.threshold_for(options.max_fmr)

    # Prepare.

    def _prepared(self, images: Sequence[Image]) -> list[Image]:
        can, prepared = self.backend.capabilities, []
        for image, picture in zip(images, PICTURES, strict=False):
            try:
                limits = can.limits_for(picture)
                prepared.append(image.prepared(limits, fit=self.fit_images))
            except errors.InvalidImage as error:
                refused = error.of(picture)
                break
        else:
            return prepared
        # Outside the except block: the first error's frames hold the pictures.
        raise refused

    # For each try: admit, send.

    def _asked(self, call: Call, progress: _Progress) -> Answer:
        """The backend's answer to one try after another, each admitted by every policy."""
        number, cancellation, record = 1, progress.cancellation, progress.record
        sleep = None
        if cancellation is not None:
            sleep = functools.partial(cancellation.sleep, clock=self.clock)
        while True:
            if cancellation is not None:
                cancellation.check()
            context = progress.context = self._context(
                record, number, progress.until, progress.send_until, sleep
            )
            leave: Leave | None = None
            try:
                leave = enter_all(self.policies, context)
                answer = self._sent(call, progress, paid=context.paid)
                progress.bill = answer.billing
            except BaseException as error:
                if leave is not None:
                    self._left(leave, progress, error)
                elif not isinstance(error, StoreUnavailable):
                    raise  # another refusal of a policy
                wait_s = None
                stopped = cancellation is not None and cancellation.cancelled
                if self.retry is not None and isinstance(error, FaceMatchError) and not stopped:
                    wait_s = self.retry.wait_s(error, context)
                if wait_s is None:
                    raise
                failed = type(error).__name__
            else:
                self._left(leave, progress, answer)
                return answer
            # Outside the except block: what the next try raises has nothing to do with this one.
            # What follows, a Ctrl-C while waiting too, begins with nothing sent.
            progress.state, progress.asked_at = State.NOT_SENT, None
            progress.bill = progress.vendor_id = None
            number += 1
            self.events.emit(
                EventKind.RETRYING, record, attempt=number, error=failed, wait_s=wait_s
            )
            (context.sleep or self.clock.sleep)(wait_s)

    def _left(self, leave: Leave, progress: _Progress, ended: Answer | BaseException) -> None:
        """Leave all policies with the answer of the try, or with what ended it."""
        if isinstance(ended, BaseException):
            billing, is_answer = progress.billing(ended), False
        else:
            billing, is_answer = ended.billing, True
        if is_answer and self.retry is not None and progress.context is not None:
            self.retry.give_back(progress.context)
        began, charged = progress.asked_at, billing.charged
        outcome = Outcome(
            charged=charged,
            sent=is_answer or progress.state is State.SENT or charged is not Charged.NO,
            environment=getattr(ended, "environment", None),
            error=ended if isinstance(ended, FaceMatchError) else None,
            answered=is_answer,
            asked_s=None if began is None else self.clock.monotonic() - began,
        )
        for failure in leave(outcome):
            if isinstance(failure, FaceMatchError):
                # The store keeps it in memory, and writes it with its next transaction.
                name = type(failure).__name__
                self.events.emit(EventKind.POSTPONED, progress.record, error=name)

    def _context(
        self,
        record: CallRecord,
        number: int,
        until: float | None,
        send_until: float | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> AttemptContext:
        deadline, share = (
            Deadline(ends_at=math.inf if end is None else end, clock=self.clock)
            for end in (until, send_until)
        )
        return AttemptContext(
            call=record,
            number=number,
            paid=record.operation in self.backend.capabilities.billed_operations,
            # Calls whose environment nobody knows count with the real ones.
            environment=self.backend.environment or Environment.PRODUCTION,
            deadline=deadline,
            send_by=deadline.earlier(share),
            sleep=sleep,
        )

    def _sent(self, call: Call, progress: _Progress, *, paid: bool) -> Answer:
        """The backend's answer; whatever else it raises becomes an error of our tree."""
        backend, wanted = self.backend, ANSWERS[call.operation]
        ask: Callable[[Any], object] = (
            backend.match if isinstance(call, MatchCall) else backend.check_liveness
        )
        own: BaseException | None = None
        in_time = self._within(call, progress)
        progress.asked_at = self.clock.monotonic()
        if paid and not backend.reports_sent:
            # Nobody will say when the first byte leaves, so it may have from here on.
            progress.on_sent(State.MAYBE)
        try:
            if in_time is call or backend.keeps_deadline:
                answer = ask(in_time)
            else:
                answer = self._ask_on_a_thread(ask, in_time, progress, call.deadline_s)
        except FaceMatchError as error:
            # A refusal says "nothing was sent", and that may no longer be true.
            if progress.state is not State.SENT or _knows_its_bill(error):
                raise
            what = f"failed with {type(error).__name__} after it began to send, and no ground"
        except Exception as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            own = callers_exception(error)
            tell_fault(error)
            what = f"failed with {type(error).__name__}{_place(error)}"
        else:
            if type(answer) is wanted:
                return answer
            what = f"answered with {type(answer).__name__}, not {wanted.__name__}"
        # Outside the except block: the plug-in's exception may hold a key or a picture.
        if own is not None:
            raise own
        if paid and progress.state is not State.NOT_SENT:
            raise errors.OutcomeUnknown(
                f"The backend {backend.name} {what}, and the call may have been charged: report "
                "this to its author.",
                reconcilable=call.retention is Retention.KEEP,
            )
        unsent = ", and nothing was sent" if paid else ""
        raise errors.BackendUnavailable(
            f"The backend {backend.name} {what}{unsent}: report this to its author."
        )

    def _within(self, call: Call, progress: _Progress) -> Call:
        """`call` with what is left of its time; `VendorUnavailable` if nothing is."""
        until, send_until = progress.until, progress.send_until
        if until is None and send_until is None:
            return call
        full = len(self.left_behind) >= _MOST_LEFT_BEHIND and not self.backend.keeps_deadline
        if full:
            soonest = min(time for time in (until, send_until) if time is not None)
            seconds = soonest - self.clock.monotonic()
            wait(set(self.left_behind), seconds, return_when=FIRST_COMPLETED)
        now = self.clock.monotonic()
        left_s = None if until is None else until - now
        send_within_s = None if send_until is None else send_until - now
        if left_s is not None and left_s <= 0:
            time = f"The deadline of {call.deadline_s:g} s"
        elif send_within_s is not None and send_within_s <= 0:
            time = "Its share of the deadline"
        else:
            return attrs.evolve(call, deadline_s=left_s, send_within_s=send_within_s)
        raise VendorUnavailable(f"{time} ran out before anything was sent.", retryable=False)

    def _ask_on_a_thread(
        self,
        ask: Callable[[Any], object],
        call: Call,
        progress: _Progress,
        limit_s: float | None,
    ) -> object:
        """The backend's answer; one that does not end by itself is left behind when time is up."""
        # What never says when it sends could not be stopped before that.
        send_within_s = call.send_within_s if self.backend.reports_sent else None
        try:
            return run_within(
                call.deadline_s,
                lambda on_sent: ask(attrs.evolve(call, on_sent=on_sent)),
                call.on_sent,
                send_within_s=send_within_s,
            )
        except OutOfTime as over:
            self.left_behind.add(over.running)
            over.running.add_done_callback(self.left_behind.discard)
        if progress.state is not State.NOT_SENT:
            raise errors.DeadlineExceeded(
                f"The backend {self.backend.name} was asked, and the deadline of {limit_s:g} s ran "
                "out before it answered. The call may have been executed and charged.",
                billing=Billing(Charged.UNKNOWN, "no answer within the deadline"),
                reconcilable=call.retention is Retention.KEEP,
            )
        time = (
            f"the deadline of {limit_s:g} s" if send_within_s is None else "its share of the time"
        )
        raise VendorUnavailable(
            f"The backend {self.backend.name} had not finished when {time} ran out. Nothing was "
            "sent.",
            billing=Billing(Charged.NO, "nothing was sent within the deadline"),
            retryable=False,
        )


class State(enum.IntEnum):
    """How far a try has come."""

    NOT_SENT = 0
    #: It began, and its backend does not say when it sends.
    MAYBE = 1
    SENT = 2


class _Progress:
    """How far one call has come: the one thing in it that changes."""

    def __init__(
        self, pipeline: Pipeline, record: CallRecord, cancellation: Cancellation | None
    ) -> None:
        self._events, self._policies = pipeline.events, pipeline.policies
        self._lock = threading.Lock()
        self.record, self.cancellation = record, cancellation
        #: Ends of the deadline, and of the time to the first byte, on the verifier's clock.
        self.until: float | None = None
        self.send_until: float | None = None
        #: Of the current try; its context is what the policies know it by.
        self.context: AttemptContext | None = None
        self.state = State.NOT_SENT
        self.asked_at: float | None = None
        #: What it cost, once that is known: a Ctrl-C after that changes nothing.
        self.bill: Billing | None = None
        self.vendor_id: str | None = None

    def on_sent(self, state: State = State.SENT) -> None:
        """The first byte of a try may leave from now on."""
        with self._lock:
            if self.state >= state:
                return
            is_first = self.state is State.NOT_SENT
            if is_first and self.cancellation is not None:
                self.cancellation.commit()
            self.state = state
        if is_first and self.context is not None:
            for policy in self._policies:
                policy.sent(self.context)
        if state is State.SENT:
            self._events.emit(EventKind.SENT, self.record, carries_call=True)

    def on_accepted(self, vendor_id: str | None, billing: Billing) -> None:
        """An answer of a call that goes on said this."""
        self.vendor_id, self.bill = vendor_id, billing

    def billing(self, error: BaseException) -> Billing:
        """What the current try cost that ended with `error`."""
        if isinstance(error, (VendorError, CallCancelled)) and error.billing is not None:
            self.bill = error.billing
        elif self.bill is None:
            foreign = not isinstance(error, FaceMatchError)  # Ctrl-C, say
            open_ = foreign and self.state is not State.NOT_SENT
            self.bill = Billing(Charged.UNKNOWN if open_ else Charged.NO)
        return self.bill


def _knows_its_bill(error: FaceMatchError) -> bool:
    """Whether what `error` says of the bill may be believed of a call that has begun to leave.

    Not if it says "not charged", and not why.
    """
    return isinstance(error, VendorError) and (
        not isinstance(error, VendorUnavailable)
        or error.billing.charged is not Charged.NO
        or error.status_code is not None
        or error.billing.ground is not None
    )


def _place(error: BaseException) -> str:
    """File and line of the plug-in's own code, never its data: where its author has to look."""
    ours, place = (str(Path(__file__).parent), "<"), ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith(ours):
            place = f" in {Path(frame.f_code.co_filename).name}, line {line}"
    return place


# The options of a call, one by one.


def deadline(seconds: Any, refusal: type[FaceMatchError] = errors.InvalidRequest) -> float | None:
    """`deadline_s` as a float, or None for no limit."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 1e9:
        raise refusal("deadline_s must be a number of seconds above 0.")
    return float(seconds)


def _number(
    name: str, value: Any, refusal: type[FaceMatchError] = errors.InvalidRequest
) -> float | None:
    """A threshold as a float."""
    if isinstance(value, Threshold):
        value = "unknown" if value.value is None else value.value
    try:
        return None if value is None else percentage(value, name)
    except (TypeError, ValueError) as error:
        raise refusal(str(error)) from None


def _check_caller_ref(text: Any) -> None:
    try:
        if isinstance(text, str) and text and text.encode():
            return
    except UnicodeEncodeError:
        pass
    raise errors.InvalidRequest(
        "caller_ref must be text that is not empty and can be written as UTF-8."
    )


def _metadata(given: Any) -> dict[str, Any]:
    """A copy, if it is what JSON can carry without a change."""
    try:
        text = json.dumps(dict(given), allow_nan=False, ensure_ascii=False)
        text.encode()
        copy = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        copy = None
    # Keys that JSON turns into text (1, None, True) would come back as something else, and what
    # is nested deeper than that would be left out of the result.
    if copy is None or copy != given or without_private(copy, demographic_keys=()) != copy:
        raise errors.InvalidRequest(
            "metadata must be a dictionary of JSON values with text keys, at most 64 levels deep; "
            "no bytes, no NaN, no objects."
        )
    if CALL_ID_KEY in copy:
        raise errors.InvalidRequest(
            f"metadata has an entry {CALL_ID_KEY}, under which a kept call carries our own id of "
            "it: give yours another name."
        )
    return dict(copy)

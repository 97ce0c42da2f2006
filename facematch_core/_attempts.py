"""One call, in a fixed order: prepare and check, send, settle, tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from . import _rules
from ._age import AgeResult
from ._asked import PICTURES, Asked, Checked, Defaults, check
from ._calls import AgeCall, Call, LivenessCall, MatchCall, SearchCall, new_attempt_id
from ._cards import warn_of_cards
from ._clock import Clock
from ._enums import Billed, Environment, Operation, Retention, ThresholdSource
from ._events import Repeated, Sent, Started, Teller
from ._images import Image
from ._reconcile import Attempt
from ._results import LivenessResult, MatchResult
from ._rules import Answer
from ._search import SearchResult
from ._settling import settled
from .backend import Backend
from .errors import (
    BackendUnusable,
    EnvironmentMismatch,
    FaceMatchError,
    InvalidImage,
    OutcomeUnknown,
    VendorError,
    VendorUnavailable,
)
from .gates._gate import Ending, Gate, Passage, enter_all
from .gates._retries import Retries


@attrs.frozen(kw_only=True)
class Attempts:
    """Makes calls to one backend, each with an id of its own."""

    backend: Backend
    defaults: Defaults
    fit_images: bool
    keep_demographics: bool
    required: Environment | None
    teller: Teller
    clock: Clock
    gates: tuple[Gate, ...] = ()
    retries: Retries | None = None

    def make(
        self, operation: Operation, images: list[Image], asked: Asked, *, since: float | None = None
    ) -> Answer:
        """One call from the caller's options to a settled result.

        Args:
            since: When the deadline began, on the monotonic clock; None for now.
        """
        started = self.clock.monotonic()
        checked = self._check(operation, asked)
        attempt = self._attempt(operation, checked)
        written = attempt if attempt.caller_ref is None else attrs.evolve(attempt, caller_ref=None)
        sent: list[bool] = []

        def on_sent() -> None:
            if not sent:
                sent.append(True)
                self.teller.tell(Sent, attempt.id, operation, attempt=written)

        self.teller.tell(Started, attempt.id, operation, attempt=written)
        try:
            prepared = self._prepared(images)
            warn_of_cards(prepared, self.backend)
            call = _as_data(operation, prepared, checked, attempt.id, on_sent)
            result = self._through(call, attempt, sent, started if since is None else since)
            result = self._settled(result, checked, attempt, self.clock.monotonic() - started)
        except FaceMatchError as error:
            if isinstance(error, VendorError):
                error.attempt_id = error.attempt_id or attempt.id
                error.backend = error.backend or self.backend.name
                error.attempt = None if error.billed is Billed.NO else attempt
            elif isinstance(error, EnvironmentMismatch) and error.billed is not Billed.NO:
                error.attempt_id = error.attempt_id or attempt.id
                error.attempt = attempt
            self.teller.failed(error, attempt.id, operation, self.clock.monotonic() - started)
            raise
        except BaseException as error:
            # Ctrl-C, say: if the request has begun to leave, the bill is open.
            if sent:
                elapsed = self.clock.monotonic() - started
                self.teller.broken_off(type(error).__name__, attempt, elapsed)
            raise
        self.teller.answered(result, operation)
        self.require(result, attempt)
        return result

    def _attempt(self, operation: Operation, checked: Checked) -> Attempt:
        return Attempt(
            id=new_attempt_id(),
            operation=operation,
            backend=self.backend.name,
            started_at=self.clock.now(),
            kept=checked.retention is Retention.KEEP,
            caller_ref=checked.caller_ref,
            threshold=checked.threshold,
            review_threshold=checked.review_threshold,
            minimum_age=checked.own.get("minimum_age"),
        )

    def refuse(self, operation: Operation, images: list[Image], asked: Asked) -> list[Image]:
        """Raise what `make` would raise before it sends anything; else the prepared pictures."""
        self._check(operation, asked)
        return self._prepared(images)

    def _check(self, operation: Operation, asked: Asked) -> Checked:
        self.check_environment()
        if asked.max_fmr is not None and self.defaults.calibration is not None:
            # It fitted when the verifier was opened, which may be long ago.
            self.defaults.calibration.check(self.backend, self.clock.now())
        return check(
            asked,
            operation=operation,
            backend=self.backend.name,
            can=self.backend.capabilities,
            defaults=self.defaults,
        )

    def check_environment(self) -> None:
        """Refuse to ask where no answer could come from the environment that is wanted."""
        name, environment = self.backend.name, self.backend.environment
        if environment is not Environment.MOCK and self.required is None:
            return
        possible = self.backend.environments
        if environment is Environment.MOCK and environment not in possible:
            raise EnvironmentMismatch(
                f"The backend {name} is set to mock, but its address is the real vendor's: nothing "
                "was sent. Set base_url to the address of the mock.",
                environment=Environment.PRODUCTION,
            )
        if self.required is not None and self.required not in possible:
            raise EnvironmentMismatch(
                f"The backend {name} is set to {environment}, but {self.required} is required: "
                "nothing was sent.",
                environment=environment,
            )

    def _prepared(self, images: list[Image]) -> list[Image]:
        limits = self.backend.capabilities.image_limits
        prepared: list[Image] = []
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

    def _through(self, call: Call, attempt: Attempt, sent: list[bool], since: float) -> Answer:
        """The backend's answer to one try after another, each through every gate."""
        until = None if call.deadline_s is None else since + call.deadline_s
        number = 1
        while True:
            passage = Passage(
                attempt=attempt,
                number=number,
                paid=call.operation in self.backend.capabilities.billed_operations,
                environment=self.backend.environment,
                until=until,
            )
            leave = enter_all(self.gates, passage)
            try:
                answer = self._ask(self._within(call, since), sent)
            except BaseException as error:
                leave(Ending.of_error(error, sent=bool(sent)))
                wait_s = self._wait_s(error, passage)
                if wait_s is None:
                    raise
                failed = type(error).__name__
            else:
                leave(Ending.of(answer))
                return answer
            # Outside the except block: what the next try raises has nothing to do with this one.
            # What follows, a Ctrl-C while waiting too, begins with nothing sent.
            sent.clear()
            number += 1
            about: dict[str, Any] = {"number": number, "error": failed, "wait_s": wait_s}
            self.teller.tell(Repeated, attempt.id, attempt.operation, **about)
            self.clock.sleep(wait_s)

    def _wait_s(self, error: BaseException, passage: Passage) -> float | None:
        """Seconds until the call is made again; None if it is not."""
        if self.retries is None or not isinstance(error, VendorError):
            return None
        return self.retries.wait_s(error, passage, self.clock.monotonic())

    def _within(self, call: Call, since: float) -> Call:
        """`call` with what is left of its time; `VendorUnavailable` if nothing is."""
        if call.deadline_s is None:
            return call
        left = call.deadline_s - (self.clock.monotonic() - since)
        if left <= 0:
            raise VendorUnavailable(
                f"The deadline of {call.deadline_s:g} s ran out before anything was sent.",
                retryable=False,
            )
        return attrs.evolve(call, deadline_s=left)

    def _ask(self, call: Call, sent: list[bool]) -> Answer:
        """The backend's answer; whatever else it raises becomes an error of our tree."""
        wanted = ANSWERS[call.operation]
        answer: object
        try:
            answer = _ASK[call.operation](self.backend, call)
        except (VendorError, EnvironmentMismatch) as error:
            if not sent or not _unfounded(error):
                raise
            what = f"failed with {type(error).__name__} after it began to send, and no ground"
        except FaceMatchError as error:
            if not sent:
                raise
            # A refusal says "nothing was sent", and that is no longer true.
            what = f"failed with {type(error).__name__}"
        except Exception as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            what = f"failed with {type(error).__name__}"
        else:
            # Not a subclass either: the JSON form is that of the class itself.
            if type(answer) is wanted:
                return answer
            what = f"answered with {type(answer).__name__}, not {wanted.__name__}"
        # Outside the except block: the plug-in's exception may hold a key or a picture.
        raise self._broken(what, call, sent=bool(sent))

    def _broken(self, what: str, call: Call, *, sent: bool) -> FaceMatchError:
        name = self.backend.name
        if sent or call.operation in self.backend.capabilities.billed_operations:
            return OutcomeUnknown(
                f"The backend {name} {what}, and the call may have been charged: report this to "
                "its author.",
                reconcilable=call.retention is Retention.KEEP,
            )
        return BackendUnusable(f"The backend {name} {what}: report this to its author.")

    def _settled(
        self, result: Answer, checked: Checked, attempt: Attempt, elapsed_s: float
    ) -> Answer:
        result = settled(
            result,
            self.backend,
            attempt,
            metadata=checked.metadata,
            elapsed_s=elapsed_s,
            keep_demographics=self.keep_demographics,
        )
        return self.doubted(result, attempt)

    def doubted(self, result: Answer, attempt: Attempt) -> Answer:
        """A pass as REVIEW if a calibration set its threshold, and for other answers than this."""
        calibration, threshold = self.defaults.calibration, attempt.threshold
        if (
            calibration is None
            or threshold is None
            or threshold.source is not ThresholdSource.CALIBRATION
        ):
            return result
        scale = None if result.score is None else result.score.scale
        return _rules.doubted(result, calibration.doubt_of(scale, result.model))

    def require(self, result: Answer, attempt: Attempt | None = None) -> None:
        """Refuse to hand out a result from another environment than the required one."""
        if self.required is not None and result.environment is not self.required:
            raise EnvironmentMismatch(
                f"The answer of {self.backend.name} came from {result.environment}, but "
                f"{self.required} is required: check the address and the key.",
                environment=result.environment,
                billed=result.billed,
                attempt_id=result.attempt_id,
                attempt=None if result.billed is Billed.NO else attempt,
            )


def _unfounded(error: FaceMatchError) -> bool:
    """Whether `error` says "not charged" of a call that has begun to leave, and not why."""
    return (
        isinstance(error, VendorUnavailable)
        and error.billed is Billed.NO
        and error.status_code is None
        and error.billed_ground is None
    )


def _as_data(
    operation: Operation,
    images: list[Image],
    checked: Checked,
    attempt_id: str,
    on_sent: Callable[[], None],
) -> Call:
    fields: dict[str, Any] = {
        "threshold": checked.threshold,
        "rotate": checked.rotate,
        "retention": checked.retention,
        "caller_ref": checked.caller_ref,
        "metadata": checked.metadata,
        "options": checked.options,
        "deadline_s": checked.deadline_s,
        "attempt_id": attempt_id,
        "on_sent": on_sent,
    }
    fields |= checked.own
    if operation is Operation.MATCH:
        return MatchCall(probe=images[0], reference=images[1], **fields)
    return _OF_ONE_PICTURE[operation](probe=images[0], **fields)


_OF_ONE_PICTURE: dict[Operation, type[Call]] = {
    Operation.LIVENESS: LivenessCall,
    Operation.SEARCH: SearchCall,
    Operation.AGE: AgeCall,
}

#: How a backend is asked.
_ASK: dict[Operation, Callable[[Backend, Any], object]] = {
    Operation.MATCH: lambda backend, call: backend.match(call),
    Operation.LIVENESS: lambda backend, call: backend.check_liveness(call),
    Operation.SEARCH: lambda backend, call: backend.search_faces(call),
    Operation.AGE: lambda backend, call: backend.estimate_age(call),
}

#: What it has to answer with.
ANSWERS: dict[Operation, type[Answer]] = {
    Operation.MATCH: MatchResult,
    Operation.LIVENESS: LivenessResult,
    Operation.SEARCH: SearchResult,
    Operation.AGE: AgeResult,
}

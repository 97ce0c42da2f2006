"""One call, in a fixed order: prepare and check, send, settle, tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import attrs

from . import _rules
from ._asked import PICTURES, Asked, Checked, Defaults, check
from ._calls import Call, LivenessCall, MatchCall, new_attempt_id
from ._clock import Clock
from ._enums import Environment, Operation, Retention
from ._events import Sent, Started, Teller
from ._images import Image
from ._results import LivenessResult, MatchResult
from ._rules import Answer
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

    def make(
        self, operation: Operation, images: list[Image], asked: Asked, *, since: float | None = None
    ) -> Answer:
        """One call from the caller's options to a settled result.

        Args:
            since: When the deadline began, on the monotonic clock; None for now.
        """
        started = self.clock.monotonic()
        checked = self._check(operation, asked)
        attempt_id = new_attempt_id()
        sent: list[bool] = []

        def on_sent() -> None:
            if not sent:
                sent.append(True)
                self.teller.tell(Sent, attempt_id, operation)

        self.teller.tell(Started, attempt_id, operation)
        try:
            call = _as_data(operation, self._prepared(images), checked, attempt_id, on_sent)
            call = self._within(call, started if since is None else since)
            result = self._ask(call, sent)
        except FaceMatchError as error:
            if isinstance(error, VendorError):
                error.attempt_id = attempt_id
                error.backend = self.backend.name
            self.teller.failed(error, attempt_id, operation, self.clock.monotonic() - started)
            raise
        return self._settle(result, call, checked, self.clock.monotonic() - started)

    def refuse(self, operation: Operation, images: list[Image], asked: Asked) -> None:
        """Raise what `make` would raise before it sends anything."""
        self._check(operation, asked)
        self._prepared(images)

    def _check(self, operation: Operation, asked: Asked) -> Checked:
        environment = self.backend.environment
        if self.required is not None and environment is not self.required:
            raise EnvironmentMismatch(
                f"The backend {self.backend.name} is set to {environment}, but {self.required} is "
                "required: nothing was sent.",
                environment=environment,
            )
        return check(
            asked,
            operation=operation,
            backend=self.backend.name,
            can=self.backend.capabilities,
            defaults=self.defaults,
        )

    def _prepared(self, images: list[Image]) -> list[Image]:
        limits = self.backend.capabilities.image_limits
        prepared = []
        for image, picture in zip(images, PICTURES, strict=False):
            try:
                prepared.append(image.prepared(limits, fit=self.fit_images))
            except InvalidImage as error:
                raise error.of(picture) from None
        return prepared

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
        answer: object
        try:
            if isinstance(call, MatchCall):
                answer = self.backend.match(call)
            else:
                answer = self.backend.check_liveness(cast(LivenessCall, call))
        except FaceMatchError:
            raise
        except Exception as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            what = f"failed with {type(error).__name__}"
        else:
            wanted = MatchResult if isinstance(call, MatchCall) else LivenessResult
            if isinstance(answer, wanted):
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

    def _settle(
        self,
        result: Answer,
        call: Call,
        checked: Checked,
        elapsed_s: float,
    ) -> Answer:
        mocked = result.environment is Environment.MOCK
        result = attrs.evolve(
            result,
            backend=self.backend.name,
            attempt_id=call.attempt_id,
            caller_ref=call.caller_ref,
            metadata=call.metadata,
            elapsed_s=max(0.0, elapsed_s),
            threshold=call.threshold if result.threshold is None else result.threshold,
            environment=Environment.MOCK if mocked else self.backend.environment,
        )
        if not self.keep_demographics:
            keys = self.backend.capabilities.demographic_keys
            result = _rules.without_demographics(result, keys)
        result = _rules.reviewed(_rules.consistent(result), checked.review_threshold)
        self.teller.answered(result, call.operation)
        if self.required is not None and result.environment is not self.required:
            raise EnvironmentMismatch(
                f"The answer of {self.backend.name} came from {result.environment}, but "
                f"{self.required} is required: check the address and the key.",
                environment=result.environment,
                billed=result.billed,
                attempt_id=call.attempt_id,
            )
        return result


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
    if operation is Operation.LIVENESS:
        return LivenessCall(probe=images[0], **fields)
    return MatchCall(probe=images[0], reference=images[1], **fields)

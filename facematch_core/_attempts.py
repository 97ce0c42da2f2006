"""One call, in a fixed order: prepare and check, send, settle, tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import attrs

from . import _rules
from ._asked import PICTURES, Asked, Checked, Defaults, check
from ._calls import Call, LivenessCall, MatchCall, new_attempt_id
from ._cards import warn_of_cards
from ._clock import Clock
from ._enums import Environment, Operation, Retention
from ._events import Sent, Started, Teller
from ._images import Image
from ._private import without_private
from ._results import LivenessResult, MatchResult
from ._rules import Answer
from .backend import Backend
from .errors import (
    BackendUnusable,
    EnvironmentMismatch,
    FaceMatchError,
    InvalidImage,
    OutcomeUnknown,
    UnexpectedResponse,
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
            prepared = self._prepared(images)
            warn_of_cards(prepared, self.backend)
            call = _as_data(operation, prepared, checked, attempt_id, on_sent)
            call = self._within(call, started if since is None else since)
            result = self._ask(call, sent)
            result = self._settled(result, call, checked, self.clock.monotonic() - started)
        except FaceMatchError as error:
            if isinstance(error, VendorError):
                error.attempt_id = error.attempt_id or attempt_id
                error.backend = error.backend or self.backend.name
            self.teller.failed(error, attempt_id, operation, self.clock.monotonic() - started)
            raise
        except BaseException as error:
            # Ctrl-C, say: if the request has begun to leave, the bill is open.
            if sent:
                elapsed = self.clock.monotonic() - started
                self.teller.broken_off(type(error).__name__, attempt_id, operation, elapsed)
            raise
        self.teller.answered(result, operation)
        self._require(result)
        return result

    def refuse(self, operation: Operation, images: list[Image], asked: Asked) -> list[Image]:
        """Raise what `make` would raise before it sends anything; else the prepared pictures."""
        self._check(operation, asked)
        return self._prepared(images)

    def _check(self, operation: Operation, asked: Asked) -> Checked:
        if self.required is not None and self.required not in self.backend.environments:
            environment = self.backend.environment
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
        except (VendorError, EnvironmentMismatch):
            raise
        except FaceMatchError as error:
            if not sent:
                raise
            # A refusal says "nothing was sent", and that is no longer true.
            what = f"failed with {type(error).__name__}"
        except Exception as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            what = f"failed with {type(error).__name__}"
        else:
            wanted = MatchResult if isinstance(call, MatchCall) else LivenessResult
            # Not a subclass either: the JSON form is that of the two.
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

    def _settled(self, result: Answer, call: Call, checked: Checked, elapsed_s: float) -> Answer:
        """`result` with what this side knows, by the rules that all backends share."""
        try:
            return self._ruled(result, call, checked, elapsed_s)
        except Exception as error:  # noqa: BLE001 - it may be paid for: the caller must learn that
            what = type(error).__name__
        raise UnexpectedResponse(
            f"The result of {self.backend.name} cannot be used ({what}): report this to its "
            "author.",
            billed=result.billed,
            billed_ground=result.billed_ground,
            request_id=result.request_id,
        )

    def _ruled(self, result: Answer, call: Call, checked: Checked, elapsed_s: float) -> Answer:
        can = self.backend.capabilities
        told = result.environment is not Environment.PRODUCTION
        result = attrs.evolve(
            result,
            attempt_id=result.attempt_id or call.attempt_id,
            caller_ref=call.caller_ref,
            metadata=call.metadata,
            elapsed_s=max(0.0, elapsed_s),
            threshold=call.threshold if result.threshold is None else result.threshold,
            # PRODUCTION is what a result says that knows nothing better.
            environment=result.environment if told else self.backend.environment,
            raw=without_private(
                result.raw,
                demographic_keys=() if self.keep_demographics else can.demographic_keys,
                media_keys=can.media_keys,
            ),
        )
        if not self.keep_demographics:
            result = _rules.without_demographics(result)
        result = _rules.borne_out(result, call.threshold)
        return _rules.reviewed(result, checked.review_threshold)

    def _require(self, result: Answer) -> None:
        if self.required is not None and result.environment is not self.required:
            raise EnvironmentMismatch(
                f"The answer of {self.backend.name} came from {result.environment}, but "
                f"{self.required} is required: check the address and the key.",
                environment=result.environment,
                billed=result.billed,
                attempt_id=result.attempt_id,
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
    if operation is Operation.LIVENESS:
        return LivenessCall(probe=images[0], **fields)
    return MatchCall(probe=images[0], reference=images[1], **fields)

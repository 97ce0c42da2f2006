"""What every result passes before a caller sees it: the one place where results are judged.

Answers of calls, what reconciliation finds, and what is read from stored calls all go through
here. Each rule turns a pass into REVIEW, never the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs

from .backend import Backend, without_private
from .calibration import Calibration
from .errors import EnvironmentMismatch, InvalidRequest, UnexpectedResponse
from .models import (
    Answer,
    Billing,
    CallRecord,
    Charged,
    Decision,
    Environment,
    Face,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    Result,
    ResultWarning,
    Severity,
    Threshold,
    ThresholdSource,
    WarningCode,
)

R = TypeVar("R", bound=Result)

#: What a call of each operation answers. Not a subclass of it: the JSON form is that of the class.
ANSWERS: dict[Operation, type[Answer]] = {
    Operation.MATCH: MatchResult,
    Operation.LIVENESS: LivenessResult,
}


@attrs.frozen(kw_only=True)
class ResultPolicy:
    """The rules of one verifier.

    Attributes:
        backend: Who answers.
        calibration: What thresholds by false match rate come from; None if there are none.
        keep_demographics: Whether guesses about people stay in results.
        required: Where every answer must come from; None if that does not matter.
    """

    backend: Backend
    calibration: Calibration | None = None
    keep_demographics: bool = False
    required: Environment | None = None

    def check_environment(self) -> None:
        """Refuse to ask where no answer could come from the environment that is wanted.

        Raises:
            EnvironmentMismatch: nothing was sent.
        """
        backend = self.backend
        if backend.environment is not Environment.MOCK and self.required is None:
            return
        possible = backend.environments
        unsent = Billing(Charged.NO, "nothing was sent")
        if backend.environment is Environment.MOCK and Environment.MOCK not in possible:
            raise EnvironmentMismatch(
                f"The backend {backend.name} is set to mock, but its address is the real vendor's: "
                "nothing was sent. Set base_url to the address of the mock.",
                environment=Environment.PRODUCTION,
                billing=unsent,
            )
        if self.required is not None and self.required not in possible:
            if backend.environment is None:
                what = "does not say which environment it asks (set its environment)"
            else:
                what = f"is set to {backend.environment}"
            raise EnvironmentMismatch(
                f"The backend {backend.name} {what}, but {self.required} is required: nothing was "
                "sent.",
                environment=backend.environment,
                billing=unsent,
            )

    def apply(
        self,
        result: Answer,
        call: CallRecord,
        *,
        metadata: Mapping[str, Any] | None,
        elapsed_s: float,
    ) -> Answer:
        """`result` with what this side knows of its call, after every rule.

        Args:
            result: As the backend gave it.
            call: What was asked.
            metadata: As the caller gave it.
            elapsed_s: Seconds since the call began; below 0 if the clock went back.

        Raises:
            EnvironmentMismatch: it is of another environment than the one that is set or required.
            UnexpectedResponse: the rules cannot be applied to it.
        """
        try:
            ruled = self._ruled(result, call, metadata, max(0.0, elapsed_s))
        except Exception as error:  # noqa: BLE001 - it may be paid for: the caller must learn that
            what = type(error).__name__
        else:
            self._check_origin(result.environment, ruled)
            return ruled
        raise UnexpectedResponse(
            f"The result of {self.backend.name} cannot be used ({what}): report this to its "
            "author.",
            billing=result.billing,
            ids=result.ids,
        )

    def _ruled(
        self, result: Answer, call: CallRecord, metadata: Mapping[str, Any] | None, elapsed_s: float
    ) -> Answer:
        can = self.backend.capabilities
        keep = self.keep_demographics
        changes: dict[str, Any] = {} if keep else _without_demographics(result)
        result = attrs.evolve(
            result,
            ids=attrs.evolve(result.ids, call=call.id, caller=call.caller_ref),
            environment=result.environment or self.backend.environment,
            metadata=metadata,
            elapsed_s=elapsed_s,
            raw=without_private(
                result.raw,
                demographic_keys=() if keep else can.demographic_keys,
                media_keys=can.media_keys,
            ),
            **changes,
        )
        return self.check_calibration(judge(result, call), call)

    def _check_origin(self, said: Environment | None, result: Answer) -> None:
        """Refuse to hand out an answer that contradicts the setting or the requirement."""
        declared = self.backend.environment
        if None not in (said, declared) and said is not declared:
            problem = f"came from {said}, but the backend is set to {declared}"
        elif self.required is not None and result.environment is not self.required:
            came = result.environment or "an unknown environment"
            problem = f"came from {came}, but {self.required} is required"
        else:
            return
        raise EnvironmentMismatch(
            f"The answer of {self.backend.name} {problem}: check the address and the key.",
            environment=result.environment,
            billing=result.billing,
            ids=result.ids,
            result=result,
        )

    def check_calibration(self, result: Answer, call: CallRecord) -> Answer:
        """A pass as REVIEW if a calibration set its threshold, and for other answers than this."""
        threshold = call.threshold
        if self.calibration is None or threshold is None or not passes(result):
            return result
        if threshold.source is not ThresholdSource.CALIBRATION:
            return result
        scale = None if result.score is None else result.score.scale
        doubt = self.calibration.doubt_of(scale, result.model)
        return result if doubt is None else _in_doubt(result, WarningCode.THRESHOLD_CONFLICT, doubt)


def judge(result: R, call: CallRecord) -> R:
    """`result` by the rules of `call`: what its answer would have been.

    A pass that the thresholds of the call do not support, or that carries a grave warning, becomes
    REVIEW. For results that come from a vendor's records instead of an answer.

    Raises:
        InvalidRequest: it does not carry the id of this call, or answers another question.
    """
    wanted = ANSWERS[call.operation]
    if type(result) is not wanted:
        raise InvalidRequest(
            f"A call of {call.operation} answers with a {wanted.__name__}, not with a "
            f"{type(result).__name__}: this result belongs to another call."
        )
    if result.ids.call != call.id:
        raise InvalidRequest("The result does not carry the id of this call: it is another's.")
    answer = attrs.evolve(
        cast(Answer, result),
        threshold=call.threshold if result.threshold is None else result.threshold,
        review_threshold=call.review_threshold,
    )
    # The rules keep the kind of what they are given.
    return cast(R, review(check_score(answer, call.threshold), call.review_threshold))


def passes(result: Answer) -> bool:
    """Whether the decision lets somebody in."""
    return result.decision in (Decision.MATCH, LivenessDecision.LIVE)


def check_score(result: Answer, asked: Threshold | None) -> Answer:
    """Turn a pass into REVIEW if its own score does not support it.

    We ignore a verdict of "approved" with a score below a threshold, or with none to compare:
    a person should look. Equality is left to the backend, whose vendor may have changed its rule.

    Args:
        result: The answer.
        asked: The threshold that was asked for, beside the one that the result names: a vendor may
            have ignored the field.
    """
    values = [t.value for t in (result.threshold, asked) if t is not None and t.value is not None]
    if not values or not passes(result):
        return result
    threshold, score = max(values), result.score
    if score is not None and score.value >= threshold:
        return result
    if score is None:
        text = f"The answer is a pass without a score to compare with {threshold:g}."
        return _in_doubt(result, WarningCode.SCORE_UNAVAILABLE, text)
    text = f"The answer is a pass, but its score {score.value:g} is below {threshold:g}."
    return _in_doubt(result, WarningCode.THRESHOLD_CONFLICT, text)


def review(result: Answer, review_threshold: Threshold | None) -> Answer:
    """Turn a pass into REVIEW where a person should look.

    That is so if its score is not above `review_threshold` (a score that is None is not), or if it
    carries a grave warning: its vendor declines because of such a warning, so the answer
    contradicts itself. Other decisions stay.
    """
    if not passes(result):
        return result
    score = None if result.score is None else result.score.value
    low = review_threshold is not None and not review_threshold.passes(score)
    grave = any(warning.severity.is_grave for warning in result.warnings)
    return _for_review(result) if low or grave else result


def _for_review(result: Answer, *warnings: ResultWarning) -> Answer:
    if isinstance(result, MatchResult):
        return attrs.evolve(result, decision=Decision.REVIEW, warnings=warnings or result.warnings)
    return attrs.evolve(
        result, decision=LivenessDecision.REVIEW, warnings=warnings or result.warnings
    )


def _in_doubt(result: Answer, code: WarningCode, text: str) -> Answer:
    if any(warning.code is code for warning in result.warnings):
        return _for_review(result)
    warning = ResultWarning(code=code, severity=Severity.ERROR, text=text)
    return _for_review(result, *result.warnings, warning)


def _without_demographics(result: Answer) -> dict[str, tuple[Face, ...] | None]:
    names = ["probe_faces"] + ["reference_faces"] * isinstance(result, MatchResult)
    faces = {name: getattr(result, name) for name in names}
    return {
        name: found and tuple(attrs.evolve(face, demographics=None) for face in found)
        for name, found in faces.items()
    }

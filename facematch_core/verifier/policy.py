"""Where every result is judged before a caller sees it: of a call, of a reconciliation, stored.

Each rule turns a pass into REVIEW, never the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs

from facematch_core import models
from facematch_core.backend import Backend
from facematch_core.base.cancellation import find_callers_exception
from facematch_core.base.masking import ResultMasker
from facematch_core.errors import EnvironmentMismatch, InvalidRequest, UnexpectedResponse

from .calibration import Calibration

R = TypeVar("R", bound=models.Result)

#: What a call of each operation answers. Not a subclass of it: the JSON form is that of the class.
RESULT_TYPES: dict[models.Operation, type[models.Answer]] = {
    models.Operation.MATCH: models.MatchResult,
    models.Operation.LIVENESS: models.LivenessResult,
}


@attrs.frozen(kw_only=True)
class ResultPolicy:
    """The rules of one verifier."""

    backend: Backend
    calibration: Calibration | None = None
    keep_demographics: bool = False
    #: Where every answer must come from; None if that does not matter.
    required: models.Environment | None = None

    def check_environment(self, *, of_sessions: bool = False) -> None:
        """Refuse to ask where no answer could come from the environment that is wanted."""
        backend, required, environment = self.backend, self.required, self.backend.environment
        mock = models.Environment.MOCK
        if environment is not mock and required is None:
            return
        possible = backend.session_environments if of_sessions else backend.environments
        if environment is mock and mock not in possible:
            environment = models.Environment.PRODUCTION
            problem = "is set to mock, but its address is the real vendor's"
            advice = " Set base_url to the address of the mock."
        elif required is not None and required not in possible:
            what = f"is set to {environment}"
            if environment is None:
                what = "does not say which environment it asks (set its environment)"
            problem, advice = f"{what}, but {required} is required", ""
        else:
            return
        raise EnvironmentMismatch(
            f"The backend {backend.name} {problem}: nothing was sent.{advice}",
            environment=environment,
            billing=models.Billing(models.Charged.NO, "nothing was sent"),
        )

    def new_masker(self) -> ResultMasker:
        """What takes out of the results of one call what this verifier does not show."""
        can = self.backend.capabilities
        return ResultMasker(
            demographic_keys=None if self.keep_demographics else can.demographic_keys,
            media_keys=can.media_keys,
        )

    def apply(
        self,
        result: models.Answer,
        call: models.CallRecord,
        *,
        metadata: Mapping[str, Any] | None,
        elapsed_s: float,
    ) -> models.Answer:
        """`result` with what this side knows of its call, after every rule.

        It is walked again here: a plug-in may have changed its `raw` in place since it was masked.
        """
        environment, declared = result.environment, self.backend.environment
        failure: BaseException
        try:
            verdict = judge_fields(
                result, call.threshold, call.review_threshold, calibration=self.calibration
            )
            fields = verdict | {
                "ids": attrs.evolve(result.ids, call=call.id, caller=call.caller_ref),
                "environment": environment or declared,
                "metadata": metadata,
                "elapsed_s": max(0.0, elapsed_s),
            }
            judged = self.new_masker().mask(result, None, **fields)
        except Exception as error:  # noqa: BLE001 - it may be paid for: the caller must learn that
            failure = find_callers_exception(error) or UnexpectedResponse(
                f"The result of {self.backend.name} cannot be used ({type(error).__name__}): "
                "report this to its author.",
                billing=result.billing,
                ids=result.ids,
            )
        else:
            problem = find_mismatch(environment, declared, self.required)
            if problem is None:
                return judged
            failure = EnvironmentMismatch(
                f"The answer of {self.backend.name} {problem}: check the address and the key.",
                environment=judged.environment,
                billing=judged.billing,
                ids=judged.ids,
                result=judged,
            )
        raise failure


def find_mismatch(
    environment: models.Environment | None,
    declared: models.Environment | None,
    required: models.Environment | None,
) -> str | None:
    """Why an answer from this environment, as it says itself, is refused; None if it is not."""
    if None not in (environment, declared) and environment is not declared:
        return f"came from {environment}, but the backend is set to {declared}"
    if required is not None and (environment or declared) is not required:
        origin = environment or declared or "an unknown environment"
        return f"came from {origin}, but {required} is required"
    return None


def judge(result: R, call: models.CallRecord) -> R:
    """`result` by the rules of `call`: what its answer would have been.

    A pass that the thresholds of the call do not support, or that carries a grave warning, becomes
    REVIEW. For results that come from a vendor's records instead of an answer.

    Raises:
        InvalidRequest: it does not carry the id of this call, or answers another question.
    """
    result_type = RESULT_TYPES[call.operation]
    if type(result) is not result_type:
        raise InvalidRequest(
            f"A call of {call.operation} answers with a {result_type.__name__}, not with a "
            f"{type(result).__name__}: this result belongs to another call."
        )
    if result.ids.call != call.id:
        raise InvalidRequest("The result does not carry the id of this call: it is another's.")
    answer = cast(models.Answer, result)
    return attrs.evolve(result, **judge_fields(answer, call.threshold, call.review_threshold))


def judge_fields(
    result: models.Answer,
    requested: models.Threshold | None,
    review: models.Threshold | None,
    *,
    calibration: Calibration | None = None,
) -> dict[str, Any]:
    """What of `result` its own rules set: thresholds, decision and warnings.

    A vendor may ignore a threshold, so both that and its own count; equality is the backend's. A
    vendor declines because of a grave warning, and a calibration may be for other answers.
    """
    score = result.score
    threshold = requested if result.threshold is None else result.threshold
    fields: dict[str, Any] = {"threshold": threshold, "review_threshold": review}
    if result.decision not in (models.Decision.MATCH, models.LivenessDecision.LIVE):
        return fields
    values = [t.value for t in (threshold, requested) if t is not None and t.value is not None]
    value = None if score is None else score.value
    code, doubt = models.WarningCode.THRESHOLD_CONFLICT, None
    if values and value is None:
        code = models.WarningCode.SCORE_UNAVAILABLE
        doubt = f"The answer is a pass without a score to compare with {max(values):g}."
    elif values and value is not None and value < max(values):
        doubt = f"The answer is a pass, but its score {value:g} is below {max(values):g}."
    elif (review is not None and not review.passes(value)) or any(
        warning.severity.is_grave for warning in result.warnings
    ):
        fields["decision"] = type(result.decision).REVIEW
    elif calibration and requested and requested.source is models.ThresholdSource.CALIBRATION:
        doubt = calibration.doubt_of(None if score is None else score.scale, result.model)
    if doubt is not None:
        fields["decision"] = type(result.decision).REVIEW
        if all(warning.code is not code for warning in result.warnings):
            warning = models.ResultWarning(code=code, severity=models.Severity.ERROR, text=doubt)
            fields["warnings"] = (*result.warnings, warning)
    return fields

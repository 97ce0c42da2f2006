"""What every result passes before a caller sees it: the one place where results are judged.

Answers of calls, what reconciliation finds, and what is read from stored calls all go through
here. Each rule turns a pass into REVIEW, never the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs

from . import models
from ._cancellation import callers_exception
from .backend import Backend, without_private
from .calibration import Calibration
from .errors import EnvironmentMismatch, InvalidRequest, UnexpectedResponse

R = TypeVar("R", bound=models.Result)

#: What a call of each operation answers. Not a subclass of it: the JSON form is that of the class.
ANSWERS: dict[models.Operation, type[models.Answer]] = {
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

    def check_environment(self) -> None:
        """Refuse to ask where no answer could come from the environment that is wanted."""
        backend, wanted, environment = self.backend, self.required, self.backend.environment
        mock = models.Environment.MOCK
        if environment is not mock and wanted is None:
            return
        possible = backend.environments
        if environment is mock and mock not in possible:
            environment = models.Environment.PRODUCTION
            problem = "is set to mock, but its address is the real vendor's"
            advice = " Set base_url to the address of the mock."
        elif wanted is not None and wanted not in possible:
            what = f"is set to {environment}"
            if environment is None:
                what = "does not say which environment it asks (set its environment)"
            problem, advice = f"{what}, but {wanted} is required", ""
        else:
            return
        raise EnvironmentMismatch(
            f"The backend {backend.name} {problem}: nothing was sent.{advice}",
            environment=environment,
            billing=models.Billing(models.Charged.NO, "nothing was sent"),
        )

    def apply(
        self,
        result: models.Answer,
        call: models.CallRecord,
        *,
        metadata: Mapping[str, Any] | None,
        elapsed_s: float,
    ) -> models.Answer:
        """`result` with what this side knows of its call, after every rule."""
        can, keep = self.backend.capabilities, self.keep_demographics
        said, declared = result.environment, self.backend.environment
        failure: BaseException
        try:
            changes = _judged(result, call, self.calibration)
            for name in () if keep else ("probe_faces", "reference_faces"):
                if faces := getattr(result, name, None):
                    changes[name] = tuple(
                        face if face.demographics is None else attrs.evolve(face, demographics=None)
                        for face in faces
                    )
            ruled = attrs.evolve(
                result,
                ids=attrs.evolve(result.ids, call=call.id, caller=call.caller_ref),
                environment=said or declared,
                metadata=metadata,
                elapsed_s=max(0.0, elapsed_s),
                raw=without_private(
                    result.raw,
                    demographic_keys=() if keep else can.demographic_keys,
                    media_keys=can.media_keys,
                ),
                **changes,
            )
        except Exception as error:  # noqa: BLE001 - it may be paid for: the caller must learn that
            failure = callers_exception(error) or UnexpectedResponse(
                f"The result of {self.backend.name} cannot be used ({type(error).__name__}): "
                "report this to its author.",
                billing=result.billing,
                ids=result.ids,
            )
        else:
            if None not in (said, declared) and said is not declared:
                problem = f"came from {said}, but the backend is set to {declared}"
            elif self.required is not None and ruled.environment is not self.required:
                came = ruled.environment or "an unknown environment"
                problem = f"came from {came}, but {self.required} is required"
            else:
                return ruled
            failure = EnvironmentMismatch(
                f"The answer of {self.backend.name} {problem}: check the address and the key.",
                environment=ruled.environment,
                billing=ruled.billing,
                ids=ruled.ids,
                result=ruled,
            )
        raise failure


def judge(result: R, call: models.CallRecord) -> R:
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
    return attrs.evolve(result, **_judged(cast(models.Answer, result), call, None))


def _judged(
    result: models.Answer, call: models.CallRecord, calibration: Calibration | None
) -> dict[str, Any]:
    """What of `result` the rules of `call` set: thresholds, decision and warnings.

    A pass becomes REVIEW, and nothing else changes, where

    - its own score does not support it: it is below a threshold, or there is none to compare. Both
      the threshold that was asked for and the one that the result names count, because a vendor
      may have ignored the field. Equality is left to the backend, whose vendor may have its rule;
    - its score is not above the review threshold, or it carries a grave warning: its vendor
      declines because of such a warning, so the answer contradicts itself;
    - a calibration set the threshold, and for other answers than this one.
    """
    asked, limit, score = call.threshold, call.review_threshold, result.score
    told = asked if result.threshold is None else result.threshold
    fields: dict[str, Any] = {"threshold": told, "review_threshold": limit}
    if result.decision not in (models.Decision.MATCH, models.LivenessDecision.LIVE):
        return fields
    values = [t.value for t in (told, asked) if t is not None and t.value is not None]
    value = None if score is None else score.value
    code, doubt = models.WarningCode.THRESHOLD_CONFLICT, None
    if values and value is None:
        code = models.WarningCode.SCORE_UNAVAILABLE
        doubt = f"The answer is a pass without a score to compare with {max(values):g}."
    elif values and value is not None and value < max(values):
        doubt = f"The answer is a pass, but its score {value:g} is below {max(values):g}."
    elif (limit is not None and not limit.passes(value)) or any(
        warning.severity.is_grave for warning in result.warnings
    ):
        fields["decision"] = type(result.decision).REVIEW
    elif calibration and asked and asked.source is models.ThresholdSource.CALIBRATION:
        doubt = calibration.doubt_of(None if score is None else score.scale, result.model)
    if doubt is not None:
        fields["decision"] = type(result.decision).REVIEW
        if all(warning.code is not code for warning in result.warnings):
            warning = models.ResultWarning(code=code, severity=models.Severity.ERROR, text=doubt)
            fields["warnings"] = (*result.warnings, warning)
    return fields

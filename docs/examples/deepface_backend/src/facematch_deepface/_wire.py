"""What a DeepFace server says of two pictures: tables and pure functions.

Facts are from the source of serengil/deepface 0.0.100, read 2026-11-20; what is ours says so. A
400 is read in `_refusals`.
"""

from typing import Any

import attrs
from facematch_core import (
    Billing,
    Charged,
    Decision,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    RequestRejected,
    ResultWarning,
    ScaleSource,
    Score,
    Severity,
    WarningCode,
)
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.http import BodyShape, ErrorRow, ErrorTable, rows

NAME = "deepface"

#: Ours: who runs a DeepFace server for others may ask money for it, and no answer says so.
FREE = "DeepFace charges nobody: the server is one's own"

#: `confidence` is 51-100 where the server says "verified", and 0-49 where it does not.
CUT = 50.0

#: Ours: how far below 0 rounding may leave the distance of a picture to itself.
ROUNDING = 1e-6

#: Whatever the server cannot do is a 400: a picture, the name of a model, a fault of its own.
ERRORS: ErrorTable = rows(
    [400],
    ErrorRow(RequestRejected, Charged.NO, FREE, "the server did not compare"),
    [BodyShape.JSON_OBJECT],
)

BELOW = ResultWarning(
    code=WarningCode.LOW_SIMILARITY,
    severity=Severity.INFORMATION,
    text="the server says verified, and its confidence does not reach the threshold",
)
OWN_CUT = ResultWarning(
    code=WarningCode.THRESHOLD_CONFLICT,
    text="the server says not verified by its own cut, which no threshold can lower",
)
NOT_ENFORCED = ResultWarning(
    code=WarningCode.OTHER,
    text="enforce_detection is off: what was compared may be no face",
)
NO_NUMBER = ResultWarning(
    code=WarningCode.SCORE_UNAVAILABLE,
    text="the server gives no number of how live a face is to hold against the threshold",
)


@attrs.frozen(kw_only=True)
class Model:
    """What an answer must be an answer to.

    Attributes:
        name: The setting ``model_name``.
        metric: The setting ``distance_metric``.
        is_enforced: The setting ``enforce_detection``.
    """

    name: str
    metric: str
    is_enforced: bool = True

    @property
    def scale(self) -> str:
        """The scale of `confidence`, whose formula is another one for each model and metric."""
        return f"{NAME}/{self.name}/{self.metric}"


def match_result(call: MatchCall, body: Any, model: Model) -> MatchResult:
    """The result in the body of an answer 200.

    Raises:
        Exception: of any kind, if the body is not as documented, or of another model or metric.
    """
    assert call.threshold is not None  # there is a default
    check_model(body, model)
    score = Score(
        number(body["confidence"]),
        model.scale,
        raw=distance(body["distance"]),
        raw_name="distance",
        source=ScaleSource.DOCUMENTED,
    )
    passes = call.threshold.passes(score.value) is True
    decision, warnings = decide(flag(body["verified"]), passes, model.is_enforced)
    return MatchResult(
        decision=decision,
        score=score,
        warnings=warnings,
        backend=NAME,
        model=model.name,
        billing=Billing(Charged.NO, FREE),
        raw=body,
    )


def decide(
    is_verified: bool, passes: bool, is_enforced: bool
) -> tuple[Decision, tuple[ResultWarning, ...]]:
    """The verdict is the server's; a threshold can make it stricter, and never laxer.

    Of a model without a formula every mismatch has a confidence of 49: a threshold of 40 that
    overruled the server would accept everybody.
    """
    if not is_verified:
        return Decision.NO_MATCH, (OWN_CUT,) if passes else ()
    if not passes:
        return Decision.NO_MATCH, (BELOW,)
    if not is_enforced:
        return Decision.REVIEW, (NOT_ENFORCED,)
    return Decision.MATCH, ()


def liveness_result(call: LivenessCall, body: Any, model: Model) -> LivenessResult:
    """No spoof was seen in a picture that was compared with itself.

    Raises:
        Exception: of any kind, if the body is not as documented, or not that of such a picture.
    """
    check_model(body, model)
    if not flag(body["verified"]):
        raise ValueError("a picture that is not like itself")
    held = call.threshold is not None
    return LivenessResult(
        decision=LivenessDecision.REVIEW if held else LivenessDecision.LIVE,
        warnings=(NO_NUMBER,) if held else (),
        method="anti_spoofing",
        backend=NAME,
        model=model.name,
        billing=Billing(Charged.NO, FREE),
        raw=body,
    )


def check_model(body: Any, model: Model) -> None:
    """See that the answer is of what was asked for: another model's number has another scale.

    Raises:
        ValueError: it names another model or metric.
    """
    if (text(body["model"]), text(body["similarity_metric"])) != (model.name, model.metric):
        raise ValueError("an answer of another model or metric")


def text(value: object) -> str:
    """A text, and nothing that could be made one."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__}, not a text")
    return value


def flag(value: object) -> bool:
    """True or false; 1 and "true" are neither."""
    if not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__}, not true or false")
    return value


def number(value: object) -> float:
    """A number; true, null and "93" are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__}, not a number")
    return float(value)


def distance(value: object) -> float:
    """A number that is not below 0, lower being more alike."""
    if number(value) < -ROUNDING:
        raise ValueError("a distance below 0")
    return number(value)

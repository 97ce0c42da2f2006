"""From what the engine found to a result: pure functions and tables."""

from __future__ import annotations

import math

import attrs

from facematch_core import (
    Billing,
    Box,
    Charged,
    Decision,
    Environment,
    Face,
    MatchResult,
    ResultWarning,
    ScaleSource,
    Score,
    Severity,
    WarningCode,
)
from facematch_core.backend import MatchCall

from ._found import Found
from ._score import SCALE, score_from_distance

#: Model file and its version, as dlib names it.
MODEL = "dlib_face_recognition_resnet_model_v1"

GROUND = "runs on this machine"


@attrs.frozen
class Limit:
    """A property of a face beyond which its picture gets a warning. The numbers are ours."""

    attribute: str
    below: float
    above: float
    code: WarningCode
    says: str


#: Where the median score of photographs against their own degraded copies falls to about 96, by
#: ``benchmarks/quality_limits.py`` on the sample photographs and 61 others.
LIMITS = (
    Limit("face_px", 40, math.inf, WarningCode.LOW_QUALITY, "is small"),
    Limit("sharpness", 12, math.inf, WarningCode.LOW_QUALITY, "is blurred"),
    Limit("luminance", 8, math.inf, WarningCode.TOO_DARK, "is dark"),
    Limit("luminance", 0, 88, WarningCode.TOO_BRIGHT, "is bright"),
)


def warnings_of(found: Found, picture: str) -> tuple[ResultWarning, ...]:
    """What is worth saying of one picture.

    Args:
        found: What the engine saw in it.
        picture: ``probe`` or ``reference``, for the sentence.
    """
    if not found.boxes:
        return (
            ResultWarning(
                code=WarningCode.NO_FACE,
                severity=Severity.ERROR,
                text=f"No face was found in the {picture}.",
            ),
        )
    warnings = [
        ResultWarning(code=limit.code, text=f"The face in the {picture} {limit.says}.")
        for limit in LIMITS
        if (value := getattr(found, limit.attribute)) is not None
        and not limit.below <= value <= limit.above
    ]
    if len(found.boxes) > 1:
        text = f"The {picture} shows {len(found.boxes)} faces; the largest one was compared."
        warnings.insert(0, ResultWarning(code=WarningCode.MULTIPLE_FACES, text=text))
    return tuple(warnings)


def faces_of(found: Found) -> tuple[Face, ...]:
    """The faces of one picture, the largest first."""
    width, height = found.size
    return tuple(
        Face(
            box=Box(
                left=box.left,
                top=box.top,
                right=box.right,
                bottom=box.bottom,
                of_width=width,
                of_height=height,
            ),
            confidence=box.confidence,
            rotation=found.angle,
        )
        for box in found.boxes
    )


def match_result(
    call: MatchCall, probe: Found, reference: Found, distance: float | None
) -> MatchResult:
    """The result of one comparison.

    Args:
        call: What was asked; its threshold is always set, the backend has a default.
        distance: Euclidean distance of the two embeddings; None if a picture has no face.
    """
    score = None
    if distance is not None:
        score = Score(
            score_from_distance(distance),
            SCALE,
            raw=distance,
            raw_name="euclidean distance",
            source=ScaleSource.DOCUMENTED,
        )
    passes = call.threshold.passes(score.value) if call.threshold and score else None
    decision = {True: Decision.MATCH, False: Decision.NO_MATCH, None: Decision.INCONCLUSIVE}
    return MatchResult(
        decision=decision[passes],
        score=score,
        threshold=call.threshold,
        warnings=warnings_of(probe, "probe") + warnings_of(reference, "reference"),
        backend="local",
        model=MODEL,
        billing=Billing(Charged.NO, GROUND),
        environment=Environment.LOCAL,
        probe_faces=faces_of(probe),
        reference_faces=faces_of(reference),
        raw={} if distance is None else {"distance": distance},
    )

"""From what the engine found to a result: pure functions and tables."""

from __future__ import annotations

import math

import attrs

from facematch_core import Box, Face, ResultWarning, WarningCode
from facematch_core.backend import NO_FACE
from facematch_core.backend.engine import Compared

from ._faces import PictureFaces
from ._score import score_from_distance

#: Model file and its version, as dlib names it.
MODEL = "dlib_face_recognition_resnet_model_v1"


@attrs.frozen
class QualityLimit:
    """A property of a face beyond which its picture gets a warning. The numbers are ours."""

    attribute: str
    below: float
    above: float
    code: WarningCode
    problem: str


#: Where the median score of photographs (the samples and 61 others) against their own degraded
#: copies, shrunk, blurred, darkened or brightened step by step, falls to about 96.
LIMITS = (
    QualityLimit("face_px", 40, math.inf, WarningCode.LOW_QUALITY, "is small"),
    QualityLimit("sharpness", 12, math.inf, WarningCode.LOW_QUALITY, "is blurred"),
    QualityLimit("luminance", 8, math.inf, WarningCode.TOO_DARK, "is dark"),
    QualityLimit("luminance", 0, 88, WarningCode.TOO_BRIGHT, "is bright"),
)


def warnings_of(faces: PictureFaces, picture: str) -> tuple[ResultWarning, ...]:
    """What is worth saying of one picture, ``probe`` or ``reference``."""
    if not faces.boxes:
        return (attrs.evolve(NO_FACE, text=f"No face was found in the {picture}."),)
    warnings = [
        ResultWarning(code=limit.code, text=f"The face in the {picture} {limit.problem}.")
        for limit in LIMITS
        if (value := getattr(faces, limit.attribute)) is not None
        and not limit.below <= value <= limit.above
    ]
    if len(faces.boxes) > 1:
        text = f"The {picture} shows {len(faces.boxes)} faces; the largest one was compared."
        warnings.insert(0, ResultWarning(code=WarningCode.MULTIPLE_FACES, text=text))
    return tuple(warnings)


def faces_of(faces: PictureFaces) -> tuple[Face, ...]:
    """The faces of one picture, the largest first."""
    width, height = faces.size
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
            rotation=faces.angle,
        )
        for box in faces.boxes
    )


def compare(probe: PictureFaces, reference: PictureFaces, distance: float | None) -> Compared:
    """What the engine says of one comparison; no distance where a picture has no face."""
    return Compared(
        score=None if distance is None else score_from_distance(distance),
        raw_score=distance,
        raw_name=None if distance is None else "euclidean distance",
        probe_faces=faces_of(probe),
        reference_faces=faces_of(reference),
        warnings=warnings_of(probe, "probe") + warnings_of(reference, "reference"),
        model=MODEL,
        raw={} if distance is None else {"distance": distance},
    )

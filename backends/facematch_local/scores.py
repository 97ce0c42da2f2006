"""Compute scores and results from embeddings. All functions are pure.

The score is 100 times the cosine similarity of two embeddings, or 0 if that is negative. In our
measurements, pictures of one person score about 73, and pictures of two people score about 12. A
score is not a probability.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from facematch_core import ResultWarning, WarningCode
from facematch_core.backend import NO_FACE
from facematch_core.backend.engine import Compared
from facematch_core.models import Box, Face

from .faces import PictureFaces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The score scale: engine and model.
SCALE = "local/sface-2021dec"

#: The model file's name in OpenCV's model zoo.
MODEL = "face_recognition_sface_2021dec_int8bq"


def scores_from_embeddings(
    probes: NDArray[np.floating], references: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the score of every probe against every reference.

    Args:
        probes, references: Embeddings from `LocalBackend.embeddings`, one per row.

    Returns:
        Scores 0-100, float64, shape (M, N), with two decimals; NaN where a row is NaN.
    """
    import numpy as np

    rows = np.asarray(probes, dtype=np.float64)
    columns = np.asarray(references, dtype=np.float64)
    cosines = rows @ columns.T
    scores: NDArray[np.float64] = np.round(100 * np.clip(cosines, 0, 1), 2)
    return scores


@attrs.frozen
class QualityLimit:
    """The usual range of a face property. A picture with a value outside it gets a warning."""

    attribute: str
    below: float
    above: float
    code: WarningCode
    problem: str


#: Degraded copies outside these limits cause false non-matches. Ordinary photographs are within.
LIMITS = (
    QualityLimit("face_px", 30, math.inf, WarningCode.LOW_QUALITY, "is small"),
    QualityLimit("sharpness", 20, math.inf, WarningCode.LOW_QUALITY, "is blurred"),
    QualityLimit("luminance", 20, math.inf, WarningCode.TOO_DARK, "is dark"),
    QualityLimit("luminance", 0, 75, WarningCode.TOO_BRIGHT, "is bright"),
)


def warnings_of(faces: PictureFaces, picture: str) -> tuple[ResultWarning, ...]:
    """Return the warnings for one picture, ``probe`` or ``reference``."""
    if not faces.boxes:
        return (attrs.evolve(NO_FACE, text=f"No face was found in the {picture}."),)
    warnings = []
    if len(faces.boxes) > 1:
        text = f"The {picture} shows {len(faces.boxes)} faces; the largest was compared."
        warnings.append(ResultWarning(code=WarningCode.MULTIPLE_FACES, text=text))
    for limit in LIMITS:
        value = getattr(faces, limit.attribute)
        if value is not None and not limit.below <= value <= limit.above:
            text = f"The face in the {picture} {limit.problem}."
            warnings.append(ResultWarning(code=limit.code, text=text))
    return tuple(warnings)


def faces_of(faces: PictureFaces) -> tuple[Face, ...]:
    """Return the faces of one picture, the largest first."""
    width, height = faces.size
    found = []
    for face in faces.boxes:
        box = Box(
            left=face.left,
            top=face.top,
            right=face.right,
            bottom=face.bottom,
            of_width=width,
            of_height=height,
        )
        found.append(Face(box=box, confidence=face.confidence, rotation=faces.angle))
    return tuple(found)


def compare_faces(probe: PictureFaces, reference: PictureFaces) -> Compared:
    """Compare the largest faces of two pictures. The score is None if a picture has no face."""
    compared = Compared(
        score=None,
        probe_faces=faces_of(probe),
        reference_faces=faces_of(reference),
        warnings=warnings_of(probe, "probe") + warnings_of(reference, "reference"),
        model=MODEL,
    )
    if probe.embedding is None or reference.embedding is None:
        return compared
    cosine = float(probe.embedding.astype(float) @ reference.embedding.astype(float))
    ((score,),) = scores_from_embeddings(probe.embedding[None], reference.embedding[None])
    return attrs.evolve(
        compared,
        score=float(score),
        raw_score=cosine,
        raw_name="cosine",
        raw={"cosine": cosine},
    )

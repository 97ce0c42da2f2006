"""From the distance of two embeddings to a score and a result, and back: pure functions, tables.

The network was trained to put two pictures of one person less than 0.6 apart and those of two
persons more than 0.6 apart. The curve keeps that boundary at 50; the fourth power makes it flat
where pictures are surely alike or surely not, and steep in between. A score is no probability.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from facematch_core import Box, Face, ResultWarning, WarningCode
from facematch_core.backend import NO_FACE
from facematch_core.backend.engine import Compared

from .faces import PictureFaces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Name of the scale: engine and model.
SCALE = "local/dlib-resnet-v1"

#: The Euclidean distance at which the score is 50.
BOUNDARY = 0.6

_STEEPNESS = 4

#: From here on the score is 0.00 whatever the distance; the power would overflow much later.
_FAR = 10 * BOUNDARY

#: Model file and its version, as dlib names it.
MODEL = "dlib_face_recognition_resnet_model_v1"


def score_from_distance(distance: float) -> float:
    """The score of a distance: 100 at 0, 50 at 0.6, towards 0 beyond, never rising.

    Args:
        distance: Euclidean distance of two embeddings, at least 0; in practice 0-1.2.

    Returns:
        0-100, rounded to two decimals: what is shown is what is compared with a threshold.

    Raises:
        ValueError: the distance is negative or not a number.
    """
    if not distance >= 0:
        raise ValueError(f"a distance is at least 0, this one is {distance}")
    halvings = (min(distance, _FAR) / BOUNDARY) ** _STEEPNESS
    return round(100 * math.exp2(-halvings), 2)


def distance_from_score(score: float) -> float:
    """The distance that has this score: 0 at 100, 0.6 at 50, infinite at 0.

    Args:
        score: 0-100.

    Raises:
        ValueError: the score is outside of 0-100 or not a number.
    """
    if not 0 <= score <= 100:
        raise ValueError(f"a score is 0-100, this one is {score}")
    if score == 0:
        return math.inf
    return float(BOUNDARY * math.log2(100 / score) ** (1 / _STEEPNESS))


def scores_from_embeddings(
    probes: NDArray[np.floating], references: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The score of every probe with every reference, by one matrix product.

    Args:
        probes, references: Embeddings as `LocalBackend.embeddings` gives them, one in a row.

    Returns:
        float64, (M, N), scores as `score_from_distance` gives them; NaN where a row is NaN.
    """
    import numpy as np

    a, b = np.asarray(probes, dtype=np.float64), np.asarray(references, dtype=np.float64)
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    ratio = np.sqrt(np.maximum(squared, 0)) / BOUNDARY
    far = _FAR / BOUNDARY
    scores: NDArray[np.float64] = np.round(100 * 0.5 ** np.minimum(ratio, far) ** _STEEPNESS, 2)
    return scores


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


def compare_faces(probe: PictureFaces, reference: PictureFaces, distance: float | None) -> Compared:
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

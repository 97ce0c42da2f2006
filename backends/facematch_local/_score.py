"""From the distance of two embeddings to a score, and back.

The network was trained to put two pictures of one person less than 0.6 apart and those of two
persons more than 0.6 apart. The curve keeps that boundary at 50; the fourth power makes it flat
where pictures are surely alike or surely not, and steep in between. A score is no probability.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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

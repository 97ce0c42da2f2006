"""The backend `local`: real matching on this machine, with no account and no network.

For trying, testing and small work; it is no certified recogniser, and it has no liveness check.
"""

from .backend import LocalBackend
from .scores import SCALE, distance_from_score, score_from_distance, scores_from_embeddings

__all__ = [
    "SCALE",
    "LocalBackend",
    "distance_from_score",
    "score_from_distance",
    "scores_from_embeddings",
]

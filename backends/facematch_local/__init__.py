"""Backend `local`: face comparison on this machine, without an account or a network.

Suitable for trials, tests and small workloads. It is not certified and has no liveness check.
"""

from .backend import LocalBackend
from .scores import SCALE, scores_from_embeddings

__all__ = [
    "SCALE",
    "LocalBackend",
    "scores_from_embeddings",
]

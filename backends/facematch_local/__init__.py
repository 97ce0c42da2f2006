"""Backend `local`: face comparison on this machine, without an account or a network.

Suitable for trials, tests and small workloads. It is not certified and has no liveness check.
"""

import facematch_core

#: The version, which is also facematch_core's: both come from one checkout.
__version__ = "0.3.0"

if facematch_core.__version__ != __version__:
    raise ImportError(
        f"facematch_local {__version__} needs facematch_core {__version__}, and "
        f"{facematch_core.__version__} is installed: install both from one checkout"
    )

from .backend import LocalBackend
from .scores import SCALE, scores_from_embeddings

__all__ = [
    "SCALE",
    "LocalBackend",
    "scores_from_embeddings",
]

"""The backend `didit`: face match and passive liveness of Didit.

Its answers mean what Didit's documents of three editions say (early 2026, July 2026, November
2026); which one the vendor speaks is not asked and need not be known.
"""

from ._backend import DiditBackend
from ._words import LIVENESS_SCALE, MATCH_SCALE

__all__ = ["LIVENESS_SCALE", "MATCH_SCALE", "DiditBackend"]

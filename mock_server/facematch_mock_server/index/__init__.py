"""The index of faces: who was seen before, and who is like whom."""

from __future__ import annotations

from ._face import IndexedFace, Listing
from ._identity import Identity, identity_of, likeness
from ._index import FaceIndex, Near

__all__ = ["FaceIndex", "Identity", "IndexedFace", "Listing", "Near", "identity_of", "likeness"]

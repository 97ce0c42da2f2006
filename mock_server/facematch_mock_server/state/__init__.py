"""What a world remembers, in memory or in a file."""

from __future__ import annotations

from ._collection import Collection
from ._records import Memory, Store, StoreError
from ._section import Section

__all__ = ["Collection", "Memory", "Section", "Store", "StoreError"]

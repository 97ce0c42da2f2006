"""A part of a store: the records of one of several vendors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from ._records import Record, Store


class Section:
    """A store whose kinds of records begin with a name of their own. Safe across threads.

    Args:
        store: The whole one.
        name: What its kinds begin with in it.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    @property
    def keeps(self) -> bool:
        """As of the whole store."""
        return self._store.keeps

    @property
    def era(self) -> int:
        """As of the whole store."""
        return self._store.era

    def put(self, kind: str, key: str, record: Record | None, *, era: int | None = None) -> None:
        """As `Store.put`."""
        self._store.put(self._name + kind, key, record, era=era)

    def load(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """As `Store.load`."""
        return self._store.load(self._name + kind)

    def together(self) -> AbstractContextManager[None]:
        """As `Store.together`, with what the other parts put."""
        return self._store.together()

    def clear(self) -> None:
        """Take every record away, those of the other parts too."""
        self._store.clear()

    def check(self) -> None:
        """As `Store.check`."""
        self._store.check()

    def close(self) -> None:
        """Give the whole store back."""
        self._store.close()

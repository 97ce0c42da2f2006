"""Where the state of a world is written down, so that another process finds it again.

What a world remembers stands in memory. A store only takes a copy of each change, as a small JSON
record, and gives all of them back when a world begins. No picture, no key and no token goes into a
record. What the secrets of webhooks are made of does, because they must be the same after a
restart: whoever can read the file (its owner alone, mode 0600) can sign as the mock does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

#: A record is made only where it is kept: memory alone needs none.
Record = Callable[[], Mapping[str, Any]]


class StoreError(OSError):
    """A store cannot be used; the text says why and what to do, `filename` which one."""

    def __str__(self) -> str:
        return f"{self.strerror}: {self.filename}" if self.filename else str(self.strerror)


class Store(Protocol):
    """Takes the changes of one world. Safe across threads.

    Attributes:
        keeps: Whether anything outlives the process.
        era: Changes with each `clear`.
    """

    @property
    def keeps(self) -> bool:
        """As above."""
        ...

    @property
    def era(self) -> int:
        """As above."""
        ...

    def put(self, kind: str, key: str, record: Record | None, *, era: int | None = None) -> None:
        """Write a record down, or take it away if it is None.

        Of two changes of one record the one that was put later counts, so the caller holds its own
        lock meanwhile. With the `era` of whoever puts, nothing is done if that era is over.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    def load(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and record of all that was kept of a kind, in the order they were first put."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Everything put inside, in this thread, is there together or not at all.

        When the block ends it is written. Blocks may be nested; the outermost counts.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    def clear(self) -> None:
        """Take every record away."""
        ...

    def check(self) -> None:
        """StoreError if nothing is taken any more."""
        ...

    def close(self) -> None:
        """Give the file back. May be called more than once."""
        ...


class Memory:
    """Keeps nothing beyond the process."""

    keeps = False
    era = 0

    def put(self, kind: str, key: str, record: Record | None, *, era: int | None = None) -> None:
        """Nothing to do."""

    def load(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Nothing was kept."""
        return iter(())

    def together(self) -> AbstractContextManager[None]:
        """Nothing to do."""
        return nullcontext()

    def clear(self) -> None:
        """Nothing to do."""

    def check(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

"""Records of one kind, by key: in memory, with a copy of each change in the store."""

from __future__ import annotations

import errno
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from ._plain import from_plain, to_plain
from ._records import Record, Store, StoreError

T = TypeVar("T")


class Collection(Generic[T]):
    """Records of one attrs class, in the order they were added. Safe across threads.

    Args:
        store: Takes a copy of each change, and gives what it kept from before.
        kind: Their name in the store.
        shape: Their class: frozen, of plain values (text, numbers, times, enums, other such
            classes, tuples of them, ``Mapping[str, Any]`` for JSON).
        limit: How many of the newest are kept, from 1 on; None for all.

    Raises:
        StoreError: the store cannot be used, or has such a record in a shape that is not known. A
            change that cannot be written raises it, too, and is not made.
    """

    def __init__(
        self, store: Store, kind: str, shape: type[T], *, limit: int | None = None
    ) -> None:
        self._store = store
        self._kind = kind
        self._limit = limit
        self._lock = threading.RLock()
        # A request that is under way in a reset goes on with the records of before, which nobody
        # wants to find again.
        self._era = store.era
        self._all: OrderedDict[str, T] = OrderedDict()
        for key, record in store.load(kind):
            try:
                self._all[key] = from_plain(shape, record)
            except Exception:  # noqa: BLE001 - cattrs raises whatever a class or a hook raises
                raise StoreError(
                    errno.EINVAL,
                    f"the mock's store has {kind} in a shape that this facematch does not know; "
                    "name another file, or use the facematch that made it",
                ) from None

    def __len__(self) -> int:
        with self._lock:
            return len(self._all)

    def find(self, key: str) -> T | None:
        """The record of that key, or None."""
        with self._lock:
            return self._all.get(key)

    def all(self) -> tuple[T, ...]:
        """In the order they were added."""
        with self._lock:
            return tuple(self._all.values())

    def items(self) -> tuple[tuple[str, T], ...]:
        """Keys and records in the order they were added."""
        with self._lock:
            return tuple(self._all.items())

    def last_key(self) -> str | None:
        """The key of the record that was added last, or None."""
        with self._lock:
            return next(reversed(self._all), None)

    def put(self, key: str, record: T) -> None:
        """Add a record, or replace the one of that key in its place."""
        with self._lock:
            # First what may fail.
            self._keep(key, lambda: to_plain(record))
            self._all[key] = record
            while self._limit is not None and len(self._all) > self._limit:
                oldest, _ = self._all.popitem(last=False)
                self._keep(oldest, None)

    def change(self, key: str, change: Callable[[T], T]) -> T | None:
        """Replace the record of that key by what `change` makes of it; None if there is none.

        Nobody else changes a record of this collection meanwhile. An exception of `change` is
        handed on, and nothing is changed.
        """
        with self._lock:
            record = self._all.get(key)
            if record is None:
                return None
            changed = change(record)
            if changed is not record:
                self.put(key, changed)
            return changed

    def remove(self, key: str) -> T | None:
        """Take a record away; None if there is none."""
        with self._lock:
            if key in self._all:
                self._keep(key, None)
            return self._all.pop(key, None)

    def clear(self) -> None:
        """Take all away."""
        with self._lock:
            for key in self._all:
                self._keep(key, None)
            self._all.clear()

    def _keep(self, key: str, record: Record | None) -> None:
        self._store.put(self._kind, key, record, era=self._era)

"""Records by key and in order, and the value of what was not set."""

from __future__ import annotations

import enum
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs


class Unset(enum.Enum):
    """The value of what was not set. None is another one: no score."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return self.name


UNSET = Unset.UNSET

T = TypeVar("T")


class Collection(Generic[T]):
    """Records in the order they were added, the newest up to `limit`. Safe across threads."""

    def __init__(self, *, limit: int | None = None) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._all: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        with self._lock:
            return len(self._all)

    def find(self, key: str) -> T | None:
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

    def put(self, key: str, record: T) -> T | None:
        """Add a record, or replace the one of that key in its place; the oldest record if it had to
        go for it, else None."""
        with self._lock:
            self._all[key] = record
            is_full = self._limit is not None and len(self._all) > self._limit
            return self._all.popitem(last=False)[1] if is_full else None

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
            return self._all.pop(key, None)


class Kept(Generic[T]):
    """What one world remembers, the newest up to `most`, in order. Safe across threads."""

    def __init__(self, most: int | None = None) -> None:
        self._lock = threading.Lock()
        self._kept: deque[T] = deque(maxlen=most)
        #: Those that were used and still wait, by id: equal ones may wait beside them.
        self._used: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def all(self) -> tuple[T, ...]:
        with self._lock:
            return tuple(self._kept)

    @property
    def unused(self) -> tuple[T, ...]:
        """Those that were never used, the oldest one first."""
        with self._lock:
            return tuple(one for one in self._kept if id(one) not in self._used)

    def add(self, one: T) -> None:
        with self._lock:
            self._kept.append(one)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._used.clear()

    def _count(self, index: int, one: Any) -> None:
        """That one, which holds so many `times`, was used once more; under the lock."""
        self._used.pop(id(one), None)
        if one.times == 1:
            del self._kept[index]
            return
        left = one if one.times is None else attrs.evolve(one, times=one.times - 1)
        self._kept[index] = self._used[id(left)] = left

"""Records by key: in memory, with a copy of each change in a store."""

from __future__ import annotations

import datetime as dt
import enum
import errno
import functools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import attrs

if TYPE_CHECKING:
    from cattrs import Converter

#: A record is made only where it is kept: memory alone needs none.
Record = Callable[[], Mapping[str, Any]]


class Unset(enum.Enum):
    """The value of what was not set. None is another one: no score."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return self.name


UNSET = Unset.UNSET


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


T = TypeVar("T")
K = TypeVar("K")


@functools.cache
def _converter() -> Converter:
    # Loaded late: a world in memory writes no record.
    from cattrs import Converter

    converter = Converter()
    converter.register_unstructure_hook(enum.StrEnum, lambda word: word.value)
    converter.register_unstructure_hook(dt.datetime, lambda at: at.isoformat())
    converter.register_structure_hook(dt.datetime, lambda text, _: dt.datetime.fromisoformat(text))
    converter.register_unstructure_hook(dt.date, lambda day: day.isoformat())
    converter.register_structure_hook(dt.date, lambda text, _: dt.date.fromisoformat(text))
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))
    # A generic type is no class, so it is found by asking; what is JSON already stays as it is.
    converter.register_structure_hook_func(_is_json, lambda value, _: value)
    converter.register_unstructure_hook_func(_is_json, lambda value: value)
    return converter


def _is_json(wanted: Any) -> bool:
    return wanted in (Mapping[str, Any], Any)


def to_plain(value: Any) -> dict[str, Any]:
    """`value`, an instance of an attrs class, as plain JSON."""
    plain: dict[str, Any] = _converter().unstructure(value)
    return plain


def from_plain(cls: type[T], plain: Mapping[str, Any]) -> T:
    """What `to_plain` gave."""
    return _converter().structure(plain, cls)


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


class Kept(Generic[K]):
    """What one world remembers in memory alone, in the order it came. Safe across threads.

    Args:
        most: How many are remembered, the newest ones; None for all.
    """

    def __init__(self, most: int | None = None) -> None:
        self._lock = threading.Lock()
        self._kept: deque[K] = deque(maxlen=most)

    @property
    def all(self) -> tuple[K, ...]:
        """The oldest one first."""
        with self._lock:
            return tuple(self._kept)

    def add(self, one: K) -> None:
        """Add one after the others."""
        with self._lock:
            self._kept.append(one)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()

    def _count(self, index: int, one: Any) -> None:
        """That one, which holds so many `times`, was used once more; under the lock."""
        if one.times is None:
            return
        if one.times > 1:
            self._kept[index] = attrs.evolve(one, times=one.times - 1)
        else:
            del self._kept[index]


class Section:
    """A store whose kinds of records begin with a name of their own. Safe across threads.

    Args:
        store: The whole one.
        name: What its kinds begin with in it.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self.keeps = store.keeps

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

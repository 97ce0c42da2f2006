"""Collections of records, selections from them, queues of rules, and the value `UNSET`."""

from __future__ import annotations

import enum
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import attrs


class Unset(enum.Enum):
    """The type of `UNSET`, the default for arguments where None means something else (no score)."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return self.name


UNSET = Unset.UNSET

T = TypeVar("T")


class Selection(tuple[T, ...]):  # noqa: SLOT001 - a tuple takes none
    """Records, oldest first; `left_out` is the number of older records beyond the limit."""

    left_out = 0


def select(
    records: Iterable[T],
    *,
    since: int = 0,
    limit: int | None = None,
    fits: Callable[[T], bool] | None = None,
    **attributes: Any,
) -> Selection[T]:
    """Return the newest `limit` records numbered above `since` that match `attributes`."""
    for name, number in (("since", since), ("limit", limit)):
        if number is not None and (type(number) is not int or number < 0):
            raise ValueError(f"{name} must be a whole number from 0, not {number!r:.40}")
    # An attribute that is None selects every record.
    criteria = {name: value for name, value in attributes.items() if value is not None}
    for name, value in criteria.items():
        if not isinstance(value, (str, int)):
            raise ValueError(f"{name} must be a string, not {value!r:.40}")  # noqa: TRY004
    matches: list[Any] = []
    for record in records:
        if record.number <= since:  # type: ignore[attr-defined]  # each has one
            continue
        has_attributes = all(getattr(record, name) == value for name, value in criteria.items())
        if has_attributes and (fits is None or fits(record)):
            matches.append(record)
    left_out = 0 if limit is None else max(0, len(matches) - limit)
    selection = Selection(matches[left_out:])
    selection.left_out = left_out
    return selection


class Collection(Generic[T]):
    """Records in the order they were added. Thread-safe."""

    def __init__(
        self, *, limit: int | None = None, forget: Callable[[T], object] = lambda _: None
    ) -> None:
        #: Only the newest `limit` records are stored; `forget` is called with each dropped record.
        self._limit = limit
        self._forget = forget
        #: The number of the newest record.
        self._last = 0
        self._lock = threading.RLock()
        self._all: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._all)

    def find(self, key: str) -> T | None:
        return self._all.get(key)

    def all(self) -> tuple[T, ...]:
        with self._lock:
            return tuple(self._all.values())

    def items(self) -> tuple[tuple[str, T], ...]:
        with self._lock:
            return tuple(self._all.items())

    def put(self, key: str, record: T) -> T:
        """Insert or replace a record; return the stored one."""
        with self._lock:
            self._all[key] = record
            if self._limit is not None and len(self._all) > self._limit:
                _, oldest = self._all.popitem(last=False)
                self._forget(oldest)
            return record

    def append(self, make: Callable[..., T], key: str | None = None, **fields: Any) -> T:
        """Add `make(**fields, number=...)` with the next number, which is also the default key."""
        with self._lock:
            self._last += 1
            record = make(**fields, number=self._last)
            return self.put(str(self._last) if key is None else key, record)

    def change(self, key: str, change: Callable[[T], T]) -> T | None:
        """Atomically replace a record with `change(record)`. Return the result; None if unknown."""
        with self._lock:
            record = self._all.get(key)
            if record is None:
                return None
            changed = change(record)
            return record if changed is record else self.put(key, changed)

    def remove(self, key: str) -> T | None:
        with self._lock:
            return self._all.pop(key, None)


def check_text(name: str, value: object) -> None:
    """Raise ValueError for a value with a lone surrogate, which cannot be sent."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} contains a lone surrogate, which cannot be sent") from None


def check_string(name: str, text: object) -> None:
    """Raise ValueError for a value that is no string, or cannot be sent."""
    if not isinstance(text, str):
        raise ValueError(f"{name} must be a string, or None")  # noqa: TRY004 - as for any bad value
    check_text(name, text)


def check_word(name: str, value: object, words: Iterable[str]) -> None:
    """Raise ValueError for a value that is none of the words."""
    allowed = list(words)
    if value not in allowed:
        raise ValueError(f"unknown {name} {value!r:.40}; must be one of {', '.join(allowed)}")


def require(record: T | None, what: str) -> T:
    """Return the record; raise LookupError if it is None."""
    if record is None:
        raise LookupError(f"there is no {what} with that id")
    return record


def check_times(times: object) -> None:
    """Raise ValueError unless `times` is a valid number of calls for a rule."""
    if times is not None and (type(times) is not int or times < 1):
        raise ValueError("times must be 1 or more (a whole number), or null (None) for every call")


class RuleQueue(Generic[T]):
    """A queue of rules, each of which applies to `times` calls. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rules: list[T] = []
        #: Used rules that are still queued, keyed by `id()` because queued rules may be equal.
        self._used_rules: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def all(self) -> tuple[T, ...]:
        with self._lock:
            return tuple(self._rules)

    @property
    def unused(self) -> tuple[T, ...]:
        """The rules that were never used, oldest first."""
        with self._lock:
            return tuple(rule for rule in self._rules if id(rule) not in self._used_rules)

    def add(self, rule: T) -> None:
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._used_rules.clear()

    def _use(self, index: int) -> T:
        """Use a rule once, and return it as it was before. The caller must hold the lock."""
        rule: Any = self._rules[index]
        self._used_rules.pop(id(rule), None)
        if rule.times == 1:
            del self._rules[index]
        else:
            remaining_rule = (
                rule if rule.times is None else attrs.evolve(rule, times=rule.times - 1)
            )
            self._rules[index] = self._used_rules[id(remaining_rule)] = remaining_rule
        return rule  # type: ignore[no-any-return]  # the rule is a `T`

"""What the control API does, as a table: each operation with what it takes and gives in JSON."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

import attrs

from .journal import SECRET
from .state import UNSET, Selection, check_text

#: How many records an answer lists unless another number of them is sent.
LISTED = 1000


def _make_reader(
    words: str, *kinds: type, parse: Callable[[Any], Any] = lambda value: value
) -> Callable[[Any], Any]:
    """Reads a value of these kinds (a flag is no number); refuses every other in these words."""

    def check(value: Any) -> Any:
        if type(value) in kinds:
            with contextlib.suppress(ValueError):
                return parse(value)
        shown = value if isinstance(value, Decimal) else repr(value)
        raise ValueError(f"must be {words}, not {shown!s:.40}")

    return check


def _read_count(value: int | str) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ValueError
    return int(text)


def _read_seconds(value: Any) -> list[Any]:
    span = value if isinstance(value, list) else [value]
    if not 1 <= len(span) <= 2:
        raise ValueError("must be a number, or the least and the most")
    return [*map(KINDS["number"], span)]


def _read_pair(value: Any) -> dict[str, str]:
    name, equals, text = str(value).partition("=")
    if not equals:
        raise ValueError("must be NAME=VALUE")
    return {name: text}


def _list_of(kind: type) -> Callable[[list[Any]], list[Any]]:
    def check(items: list[Any]) -> list[Any]:
        if not all(isinstance(item, kind) for item in items):
            raise ValueError
        return items

    return check


#: What reads each kind of value; ``any`` is checked by whom it is for.
KINDS: Mapping[str, Callable[[Any], Any]] = {
    "any": lambda value: value,
    "text": _make_reader("a string", str),
    # A fraction arrives as a Decimal, and may be sent as text like an amount of money.
    "number": _make_reader("a number", int, Decimal, str,
        parse=lambda value: value if isinstance(value, int) else float(value)),
    # In a query numbers are text.
    "count": _make_reader("a whole number from 0", int, str, parse=_read_count),
    "flag": _make_reader("true or false", bool),
    "names": _make_reader("a list of strings", list, parse=_list_of(str)),
    "object": _make_reader("an object", dict),
    "objects": _make_reader("a list of objects", list, parse=_list_of(dict)),
    "date": _make_reader("a date, YYYY-MM-DD", str, parse=dt.date.fromisoformat),
    "pair": _read_pair,
    "seconds": _read_seconds,
}  # fmt: skip


R = TypeVar("R")


class NotYet(TimeoutError):
    """What is waited for has not come; it may, within `timeout_s` since it was asked for first."""

    def __init__(self, sentence: str, timeout_s: float) -> None:
        super().__init__(sentence)
        self.timeout_s = timeout_s


class Extension(Generic[R]):
    """What `Control` has for one vendor and not for every one. Safe across threads."""

    OPERATIONS: ClassVar[Sequence[Operation]] = ()

    def __init__(self, control: Any) -> None:
        self._control = control

    @property
    def _records(self) -> R:
        # As they are now: a reset gives the account others.
        records: R = self._control.world.records
        return records

    @property
    def _open_records(self) -> R:
        """As `_records`, for a change; ValueError once the account is closed."""
        records: R = self._control.open_world.records
        return records


@attrs.frozen
class Operation:
    """One operation of the control API; `path` is that below the prefix, ``{}`` for the rest of it.

    `run` is called with the `Control`, or with what it has as `of`; `takes` has the kind of each
    value that can be sent, by name (one with ``!`` is needed). The answer is the result of `run`,
    or of `then`, under the name `gives`, None for one that is an object itself.
    """

    method: str
    path: str
    run: Callable[..., Any]
    says: str
    takes: Mapping[str, str] = attrs.field(factory=dict)
    gives: str | None = None
    then: Callable[[Any], Any] | None = None
    of: str | None = None

    def act(self, control: Any, *rest: str, **values: Any) -> Any:
        """What `run` gives, or `then`."""
        target = control if self.of is None else getattr(control, self.of)
        result = self.run(target, *rest, **values)
        return result if self.then is None else self.then(target)

    def __call__(self, control: Any, rest: str, sent: Mapping[str, Any]) -> Any:
        """What it gives, as JSON; ValueError for what was sent and does not fit."""
        result = self.act(control, *([rest] if "{}" in self.path else []), **read(self.takes, sent))
        if self.gives is None:
            return {} if result is None else plain(result)
        answer = {self.gives: plain(result)}
        return answer | {"left_out": result.left_out} if isinstance(result, Selection) else answer


def operations_of_extensions(vendor: Any) -> dict[tuple[str, str], Operation]:
    """What a vendor has beyond the operations of every one, by method and path."""
    return {
        (operation.method, operation.path): attrs.evolve(operation, of=name)
        for name in vendor.extensions
        for operation in vendor.extension_class(name).OPERATIONS
    }


def takes_of(kind: type) -> dict[str, str]:
    """What an operation takes that makes one of these of its fields."""
    # A number may be sent as text; of the rest the class says what does not fit.
    return {
        f"{field.name}{'!' * (field.default is attrs.NOTHING)}": (
            "number" if "float" in str(field.type) else "any"
        )
        for field in attrs.fields(kind)
    }


def read(takes: Mapping[str, str], sent: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an object, by what an `Operation` takes; ValueError for what does not fit."""
    kinds = {name.rstrip("!"): kind for name, kind in takes.items()}
    for name in sorted(sent):
        if name not in kinds:
            names = ", ".join(kinds) or "nothing"
            # What is no word may be a key in the place of a name.
            shown = repr(name) if re.fullmatch("[A-Za-z_]{1,40}", name) else "a name that was sent"
            raise ValueError(f"{shown} is not known here; this takes {names}")
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        is_needed = f"{name}!" in takes
        if is_needed and name not in sent:
            raise ValueError(f"{name} is missing")
        if name in sent:
            # Null is nothing, where a value may be left out; some values are null themselves.
            is_left_out = sent[name] is None and not is_needed
            try:
                values[name] = None if is_left_out else KINDS[kind](sent[name])
            except ValueError as problem:
                is_secret = name == "client" or SECRET.search(name)
                words = str(problem).partition(", not ")[0] if is_secret else problem
                raise ValueError(f"{name} {words}") from None
            # A made-up body may hold what is no text; of an object each part is read by itself.
            if kind not in ("object", "objects") and name not in ("body", "fields"):
                check_text(name, values[name])
    return values


def listing(
    path: str, run: Callable[..., Any], says: str, gives: str | None, /, **filters: str
) -> Operation:
    """An operation that lists what `run` selects: by these filters, `since` and `limit`."""

    def run_newest(target: Any, limit: int | None = None, **sent: Any) -> Any:
        return run(target, limit=LISTED if limit is None else limit, **sent)

    takes = {**filters, "since": "count", "limit": "count"}
    return Operation("GET", path, run_newest, says, takes, gives)


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: times in ISO 8601, amounts of money as text."""
    return _shape_of(type(value))(value)  # type: ignore[arg-type]  # a class has a hash


_SHAPES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((type(None), bool, int, float, str), lambda value: value),
    (dt.datetime, lambda time: time.isoformat(timespec="microseconds")),
    (dt.date, lambda day: day.isoformat()),
    (Decimal, "{:.4f}".format),
    # A body is there as it is sent: what is signed are its bytes.
    (bytes, bytes.decode),
    (Mapping, lambda mapping: {str(name): plain(value) for name, value in mapping.items()}),
    ((list, tuple), lambda items: [plain(item) for item in items]),
    ((set, frozenset), lambda items: sorted(plain(item) for item in items)),
)


@functools.cache
def _shape_of(kind: type) -> Callable[[Any], Any]:
    """What makes JSON of a value of that class."""
    for kinds, shape in _SHAPES:
        if issubclass(kind, kinds):
            return shape
    if not attrs.has(kind):
        return str
    names = [field.name for field in attrs.fields(kind) if "secret" not in field.metadata]

    def fields(record: Any) -> dict[str, Any]:
        values = ((name, getattr(record, name)) for name in names)
        # What was not set is left out: null would say that there is no score.
        return {name: plain(value) for name, value in values if value is not UNSET}

    return fields

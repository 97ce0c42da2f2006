"""The operations of the control API: methods that are marked as such, and JSON for them."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar, Union

import attrs

from .masking import SECRET, mask_fields
from .state import UNSET, Selection, Unset, check_text

#: How many records an answer lists unless another number of them is sent.
LISTED = 1000

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


class NotYet(TimeoutError):
    """What is waited for has not come; it may, within `timeout_s` since it was asked for first."""

    def __init__(self, sentence: str, timeout_s: float) -> None:
        super().__init__(sentence)
        self.timeout_s = timeout_s


class Extension(Generic[R]):
    """What `Control` has for one vendor and not for every one. Safe across threads."""

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


@attrs.frozen(kw_only=True)
class _Mark:
    """What `operation` says of a method."""

    method: str
    path: str
    gives: str | None
    then: str | None
    named: Mapping[str, str]
    more: Callable[[Any], Mapping[str, Any]]


def operation(
    method: str,
    path: str,
    *,
    gives: str | None = None,
    then: str | None = None,
    named: Mapping[str, str] | None = None,
    more: Callable[[Any], Mapping[str, Any]] = lambda _: {},
) -> Callable[[F], F]:
    """Marks a method as an operation of the control API, which takes its arguments by name.

    Its docstring begins with the help, and annotations say what is taken; what cannot be sent (a
    picture's bytes) is none of it.

    Args:
        method, path: Where it is asked for, below the prefix; ``{}`` at the end of the path is the
            first argument.
        gives: The name of the result in the answer; None for one that is an object itself.
        then: The method whose result is given instead.
        named: What an argument is called over HTTP, where that is another name.
        more: From a vendor to the annotations of what ``**`` takes, by the names of its arguments.
    """
    mark = _Mark(method=method, path=path, gives=gives, then=then, named=named or {}, more=more)

    def keep_mark(function: F) -> F:
        function.__dict__["mark"] = mark
        return function

    return keep_mark


@attrs.frozen(kw_only=True)
class Operation:
    """One operation of the control API at one vendor.

    Attributes:
        method, path: As for `operation`.
        says: What it does, in a sentence.
        takes: The annotation of each value that can be sent, by name.
        needed: The names of those that must be.
    """

    method: str
    path: str
    says: str
    takes: Mapping[str, Any]
    needed: frozenset[str]
    _run: Callable[..., Any]
    _mark: _Mark
    #: What `Control` has it as; None for a method of its own.
    _of: str | None

    def __call__(self, control: Any, rest: str, sent: Mapping[str, Any]) -> Any:
        """What it gives, as JSON; ValueError for what was sent and does not fit."""
        target = control if self._of is None else getattr(control, self._of)
        values = read(self.takes, self.needed, sent)
        if "limit" in self.takes:
            values.setdefault("limit", LISTED)
        arguments = {shown: name for name, shown in self._mark.named.items()}
        values = {arguments.get(name, name): value for name, value in values.items()}
        result = self._run(target, *([rest] if "{}" in self.path else []), **values)
        if self._mark.then is not None:
            result = getattr(target, self._mark.then)()
        gives = self._mark.gives
        if gives is None:
            return {} if result is None else plain(result)
        answer = {gives: plain(result)}
        return answer | {"left_out": result.left_out} if isinstance(result, Selection) else answer


def list_operations(owner: type, of: str | None, vendor: Any) -> Iterator[Operation]:
    """The operations among the methods of a class, which `Control` has as `of`."""
    methods = {name: each for kind in owner.__mro__[::-1] for name, each in vars(kind).items()}
    for run in methods.values():
        mark: _Mark | None = getattr(run, "mark", None)
        if mark is None:
            continue
        more = mark.more(vendor).items()
        takes, needed = {mark.named.get(name, name): hint for name, hint in more}, set()
        hints = typing.get_type_hints(run)
        _, *parameters = inspect.signature(run).parameters.values()
        for parameter in parameters["{}" in mark.path :]:
            hint = hints.get(parameter.name)
            if parameter.kind is not parameter.VAR_KEYWORD and bytes not in _members(hint):
                name = mark.named.get(parameter.name, parameter.name)
                takes[name] = hint
                needed |= {name} if parameter.default is parameter.empty else set()
        yield Operation(
            method=mark.method,
            path=mark.path,
            says=re.split(r"[.;:](\s|$)", " ".join((run.__doc__ or "").split()))[0] + ".",
            takes=takes,
            needed=frozenset(needed),
            run=run,
            mark=mark,
            of=of,
        )


def read_fields(kind: type, sent: Mapping[str, Any]) -> Any:
    """One of these of its fields; ValueError for what does not fit."""
    fields = attrs.fields(kind)
    needed = frozenset(field.name for field in fields if field.default is attrs.NOTHING)
    return kind(**read(annotations_of(kind), needed, sent))


def hints_of(function: Callable[..., Any], *, without: str) -> dict[str, Any]:
    """The annotations of what a method takes, but for one of them."""
    hints = typing.get_type_hints(function).items()
    return {name: hint for name, hint in hints if name not in ("return", without)}


def annotations_of(kind: type) -> dict[str, Any]:
    # A number may be sent as text; of the rest the class says what does not fit.
    return {
        field.name: float if "float" in str(field.type) else Any for field in attrs.fields(kind)
    }


def read(takes: Mapping[str, Any], needed: frozenset[str], sent: Mapping[str, Any]) -> Any:
    """What was sent, by the annotations of its names; ValueError for what does not fit."""
    for name in sorted(sent):
        if name not in takes:
            names = ", ".join(takes) or "nothing"
            # What is no word may be a key in the place of a name.
            shown = repr(name) if re.fullmatch("[A-Za-z_]{1,40}", name) else "a name that was sent"
            raise ValueError(f"{shown} is not known here; this takes {names}")
    for name in takes:
        if name in needed and name not in sent:
            raise ValueError(f"{name} is missing")
    values: dict[str, Any] = {}
    for name, value in sent.items():
        members = _members(takes[name])
        if value is None and name not in needed:
            # Null is nothing, where it is no value itself.
            if {type(None), Any} & members:
                values[name] = None
            continue
        try:
            values[name] = _reader_of(frozenset(members))(value)
        except ValueError as problem:
            is_secret = name == "client" or SECRET.search(name)
            words = str(problem).partition(", not ")[0] if is_secret else problem
            raise ValueError(f"{name} {words}") from None
        # A made-up body may hold what is no text; of an object each part is read by itself.
        if not isinstance(value, (dict, list)) or name == "field":
            check_text(name, values[name])
    return values


def _members(annotation: Any) -> set[Any]:
    """The types of an annotation: a word of a literal is a text, a list is whatever is in it."""
    origin = typing.get_origin(annotation)
    if origin in (Union, types.UnionType):
        return set().union(*map(_members, typing.get_args(annotation)))
    if origin is Literal:
        return {str}
    if origin is None:
        is_word = isinstance(annotation, type) and issubclass(annotation, str)
        return {str if is_word else annotation}
    return {
        dict if issubclass(origin, Mapping) else list if issubclass(origin, Iterable) else origin
    }


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


class Typed(str):
    """A value of a query, where numbers and fields are texts."""

    __slots__ = ()


def _read_count(value: int | Typed) -> int:
    text = str(value)
    if isinstance(value, Typed) and not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ValueError
    return int(text)


def _read_pair(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    name, equals, text = str(value).partition("=")
    if not equals:
        raise ValueError
    return {name: text}


_NUMBER = _make_reader("a number", int, float, Decimal, str,
    parse=lambda value: value if isinstance(value, int) else float(value))  # fmt: skip
#: What reads a value, by its type. A fraction arrives as a Decimal, and may be sent as text like an
#: amount of money; what is of several types, or of any, is checked by whom it is for.
_READERS: Mapping[frozenset[Any], Callable[[Any], Any]] = {
    frozenset({str}): _make_reader("a string", str, Typed, parse=str),
    frozenset({float}): _NUMBER,
    frozenset({float, list}): lambda value: (
        [*map(_NUMBER, value)] if isinstance(value, list) else _NUMBER(value)
    ),
    frozenset({int}): _make_reader("a whole number from 0", int, Typed, parse=_read_count),
    frozenset({bool}): _make_reader("true or false", bool),
    frozenset({dt.date}): _make_reader("a date, YYYY-MM-DD", str, parse=dt.date.fromisoformat),
    frozenset({list}): _make_reader("a list", list),
    frozenset({dict}): _make_reader("an object, or NAME=VALUE", dict, Typed, parse=_read_pair),
}


@functools.cache
def _reader_of(members: frozenset[Any]) -> Callable[[Any], Any]:
    return _READERS.get(members - {type(None), Unset}, lambda value: value)


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
        values = {name: getattr(record, name) for name in names}
        if isinstance(values.get("field"), Mapping):
            # What a rule waits for may be a password.
            values["field"] = mask_fields(values["field"])
        # What was not set is left out: null would say that there is no score.
        return {name: plain(value) for name, value in values.items() if value is not UNSET}

    return fields

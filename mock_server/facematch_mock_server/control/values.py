"""Values of the control API: JSON and query texts read by annotation, results written as JSON."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, Union

import attrs

from facematch_mock_server.base.masking import SECRET, mask_fields
from facematch_mock_server.base.state import UNSET, Unset, check_text


def read_fields(kind: type, sent: Mapping[str, Any]) -> Any:
    """Make a record of an attrs class. Raises ValueError for fields that do not fit."""
    fields = attrs.fields(kind)
    needed = frozenset(field.name for field in fields if field.default is attrs.NOTHING)
    return kind(**read(annotations_of(kind), needed, sent))


def annotations_of(kind: type) -> dict[str, Any]:
    """Return the fields of an attrs class; a number may be sent as text."""
    return {
        field.name: float if "float" in str(field.type) else Any for field in attrs.fields(kind)
    }


def read(takes: Mapping[str, Any], needed: frozenset[str], sent: Mapping[str, Any]) -> Any:
    """Read the values that were sent, by annotation. Raises ValueError for wrong ones."""
    for name in sorted(sent):
        if name not in takes:
            names = ", ".join(takes) or "nothing"
            # Text that is not a word may be a key in the place of a name.
            shown = repr(name) if re.fullmatch("[A-Za-z_]{1,40}", name) else "a name that was sent"
            raise ValueError(f"{shown} is not known here; this takes {names}")
    for name in takes:
        if name in needed and name not in sent:
            raise ValueError(f"{name} is missing")
    values: dict[str, Any] = {}
    for name, value in sent.items():
        members = members_of(takes[name])
        if value is None and name not in needed:
            # Null counts as left out, unless it is a value.
            if {type(None), Any} & members:
                values[name] = None
            continue
        try:
            values[name] = _reader_of(frozenset(members))(value)
        except ValueError as problem:
            is_secret = name == "client" or SECRET.search(name)
            words = str(problem).partition(", not ")[0] if is_secret else problem
            raise ValueError(f"{name} {words}") from None
        # Each part of an object is checked separately.
        if not isinstance(value, (dict, list)) or name == "field":
            check_text(name, values[name])
    return values


def members_of(annotation: Any) -> set[Any]:
    """Return the types of an annotation; a literal is a text."""
    origin = typing.get_origin(annotation)
    if origin in (Union, types.UnionType):
        return set().union(*map(members_of, typing.get_args(annotation)))
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
    """Make a reader of values of these types, which refuses others in these words."""

    def check(value: Any) -> Any:
        if type(value) in kinds:
            with contextlib.suppress(ValueError):
                return parse(value)
        shown = value if isinstance(value, Decimal) else repr(value)
        raise ValueError(f"must be {words}, not {shown!s:.40}")

    return check


class Typed(str):
    """A value of a query, in which numbers and fields are texts."""

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
#: Readers by type. A fraction arrives as a Decimal, and may be sent as text like an amount of
#: money; the method itself checks a value of several types.
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
    """Return `value` as JSON: times in ISO 8601, amounts of money as text."""
    return _shape_of(type(value))(value)  # type: ignore[arg-type]  # a class has a hash


_SHAPES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((type(None), bool, int, float, str), lambda value: value),
    (dt.datetime, lambda time: time.isoformat(timespec="microseconds")),
    (dt.date, lambda day: day.isoformat()),
    (Decimal, "{:.4f}".format),
    # A webhook's body is shown as it is sent, for its signature.
    (bytes, bytes.decode),
    (Mapping, lambda mapping: {str(name): plain(value) for name, value in mapping.items()}),
    ((list, tuple), lambda items: [plain(item) for item in items]),
    ((set, frozenset), lambda items: sorted(plain(item) for item in items)),
)


@functools.cache
def _shape_of(kind: type) -> Callable[[Any], Any]:
    """Return the function that makes JSON of values of a class."""
    for kinds, shape in _SHAPES:
        if issubclass(kind, kinds):
            return shape
    if hasattr(kind, "to_dict"):
        return lambda record: record.to_dict()
    if not attrs.has(kind):
        return str
    names = [field.name for field in attrs.fields(kind) if "secret" not in field.metadata]

    def fields(record: Any) -> dict[str, Any]:
        values = {name: getattr(record, name) for name in names}
        if isinstance(values.get("field"), Mapping):
            # The field of a rule may be a password.
            values["field"] = mask_fields(values["field"])
        # Unset values are left out: null would mean no score.
        return {name: plain(value) for name, value in values.items() if value is not UNSET}

    return fields

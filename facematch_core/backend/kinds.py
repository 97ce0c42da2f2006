"""Read the types of settings and arguments from annotations, and describe them in error texts."""

from __future__ import annotations

import contextlib
import enum
import functools
import json
import os
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from facematch_core.base.masking import Secret


@attrs.frozen
class AcceptedTypes:
    """What an annotation accepts besides None."""

    classes: tuple[type, ...]
    #: The values of `Literal`.
    literals: tuple[Any, ...]


def accepted_types(annotation: object) -> AcceptedTypes | None:
    """Return what an annotation accepts; None if it has types other than classes and `Literal`."""
    classes: list[type] = []
    literals: list[Any] = []
    for member in union_members(annotation):
        if isinstance(member, type):
            classes.append(member)
        elif typing.get_origin(member) is typing.Literal:
            literals.extend(typing.get_args(member))
        else:
            return None
    return AcceptedTypes(tuple(classes), tuple(literals))


def union_members(annotation: object) -> tuple[Any, ...]:
    """Return the members of a union without None; for any other annotation, the annotation."""
    if not is_union(annotation):
        return (annotation,)
    members = typing.get_args(annotation)
    return tuple(member for member in members if member is not type(None))


def is_union(annotation: object) -> bool:
    """Return whether an annotation is a union."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def describe_type(annotation: object) -> str:
    """Describe for an error text what an annotation accepts: "text or a whole number"."""
    return " or ".join(_describe_member(member) for member in union_members(annotation))


def _describe_member(member: object) -> str:
    """Describe one member of a union."""
    origin = typing.get_origin(member)
    arguments = typing.get_args(member)
    if isinstance(member, type) and issubclass(member, enum.Enum):
        values = ", ".join(f'"{item.value}"' for item in member)
        return f"one of {values}"
    if origin is typing.Literal:
        values = ", ".join(json.dumps(value) for value in arguments)
        return f"one of {values}"
    if origin is dict:
        key_type, value_type = arguments
        if value_type is Any:
            return "a table"
        return f"a table from {describe_type(key_type)} to {describe_type(value_type)}"
    if origin is tuple:  # of any length, with one type
        return f"a list of {describe_type(arguments[0])}"
    if member in _DESCRIPTIONS:
        return _DESCRIPTIONS[member]
    return str(getattr(member, "__name__", "a value"))


_DESCRIPTIONS: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: 'an amount, written as text ("50.00") or a whole number',
    Path: "a path",
    Secret: '{ env = "NAME" } or { file = "path" }',
}


@functools.lru_cache(maxsize=64)
def type_hints(cls: type) -> Mapping[str, Any]:
    """Return the annotations of a class. Cached: this is the slowest step of opening a backend."""
    return types.MappingProxyType(typing.get_type_hints(cls))


def describe_value(value: object) -> str:
    """Return a value's type and length, but not the value, because it may be a misplaced key."""
    type_name = type(value).__name__
    if isinstance(value, dict) and value:
        # The items may be what is wrong, such as the amounts of `price = { match = 0.05 }`.
        names = sorted({type(item).__name__ for item in value.values()})
        return f"a table of {' and '.join(names)}"
    if isinstance(value, (str, list, dict)):
        return f"{type_name} of length {len(value)}"
    return type_name


#: Most names that a hint lists.
_LISTED_NAMES = 20


def suggest_name(name: str, known_names: Iterable[str], *, min_similarity: float = 0.6) -> str:
    """Return a hint with the most similar known name, or up to 20 known names if none is similar.

    A name is similar from `min_similarity` on (0-1, by `difflib`).
    """
    import difflib  # imported late: only error texts need it

    known = sorted(known_names)
    if not known:
        return "none are known."
    similar = difflib.get_close_matches(name, known, n=1, cutoff=min_similarity)
    if similar:
        return f"did you mean {similar[0]}?"
    listed = ", ".join(known[:_LISTED_NAMES])
    if len(known) > _LISTED_NAMES:
        return f"known: {listed} and {len(known) - _LISTED_NAMES} more."
    return f"known: {listed}."


#: Whether error texts show arguments as command-line options.
_SHOWS_OPTIONS: ContextVar[bool] = ContextVar("facematch_shows_options", default=False)


@contextlib.contextmanager
def show_arguments_as_options() -> Iterator[None]:
    """Context manager that makes error texts show arguments as command-line options."""
    token = _SHOWS_OPTIONS.set(True)
    try:
        yield
    finally:
        _SHOWS_OPTIONS.reset(token)


def format_argument(name: str, value: object) -> str:
    """Format an argument for an error text: as `` `mated=0` ``, or as an option: ``--mated 0``.

    As options, True is a flag (``--allow-mock``). A list is an option for each item (``--no-score a
    --no-score b``), and so is a mapping (``--below a=80``); the option of a plural is its singular.
    """
    if not _SHOWS_OPTIONS.get():
        return f"`{name}={value!r}`"
    option_of_item = _option(name.removesuffix("s"))
    if isinstance(value, list):
        return " ".join(f"{option_of_item} {_typed(item)}" for item in value)
    if isinstance(value, Mapping):
        assignments = [quote_command([f"{key}={item}"]) for key, item in value.items()]
        return " ".join(f"{option_of_item} {assignment}" for assignment in assignments)
    if value is True:
        return _option(name)
    return f"{_option(name)} {_typed(value)}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _typed(value: object) -> str:
    return quote_command([value]) if isinstance(value, str) else repr(value)


def quote_command(command: Sequence[str]) -> str:
    """Return a command, given by its words, as text quoted for this system's shell."""
    if os.name == "nt":
        import subprocess  # imported late: it would add 5 ms to every import

        return subprocess.list2cmdline(command)
    import shlex  # imported late: only error texts need it

    return shlex.join(command)

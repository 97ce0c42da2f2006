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

from facematch_core.base.masking import Secret


def choices_of(annotation: Any) -> tuple[Any, ...]:
    """Return the types in an annotation, without `None`."""
    if is_union(annotation):
        return tuple(t for t in typing.get_args(annotation) if t is not type(None))
    return (annotation,)


def kinds_of(annotation: Any) -> tuple[tuple[type, ...], tuple[Any, ...]] | None:
    """Return the classes and `Literal` values in an annotation; None if it has other types."""
    classes: list[type] = []
    words: list[Any] = []
    for choice in choices_of(annotation):
        if isinstance(choice, type):
            classes.append(choice)
        elif typing.get_origin(choice) is typing.Literal:
            words += typing.get_args(choice)
        else:
            return None
    return tuple(classes), tuple(words)


def is_union(annotation: Any) -> bool:
    """Return whether an annotation is a union."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def kind_words(annotation: Any) -> str:
    """Describe an annotation for an error text."""
    words = []
    for choice in choices_of(annotation):
        kind, inner = typing.get_origin(choice), typing.get_args(choice)
        if isinstance(choice, type) and issubclass(choice, enum.Enum):
            words.append("one of " + ", ".join(f'"{member.value}"' for member in choice))
        elif kind is typing.Literal:
            words.append("one of " + ", ".join(json.dumps(word) for word in inner))
        elif kind is dict and inner[1] is not Any:
            words.append(f"a table from {kind_words(inner[0])} to {kind_words(inner[1])}")
        elif kind in (dict, tuple):
            words.append("a table" if kind is dict else f"a list of {kind_words(inner[0])}")
        else:
            words.append(_WORDS.get(choice, str(getattr(choice, "__name__", "a value"))))
    return " or ".join(words)


_WORDS: dict[Any, str] = {
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


def describe(value: object) -> str:
    """Return a value's type and length, but not the value, because it may be a misplaced key."""
    kind = type(value).__name__
    return f"{kind} of length {len(value)}" if isinstance(value, (str, list, dict)) else kind


def nearest(word: str, words: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return a hint with the closest known word, or up to 20 known words if none is close.

    `likeness` (0-1) is the minimum similarity for a word to count as close.
    """
    import difflib

    names = sorted(words)
    close = difflib.get_close_matches(word, names, n=1, cutoff=likeness)
    if close:
        return f"did you mean {close[0]}?"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"known: {', '.join(names[:20])}{more}." if names else "none are known."


#: Whether error texts show arguments as command-line options.
_AT_SHELL: ContextVar[bool] = ContextVar("facematch_at_shell", default=False)


@contextlib.contextmanager
def speak_to_shell() -> Iterator[None]:
    """Context manager that makes error texts show arguments as command-line options."""
    token = _AT_SHELL.set(True)
    try:
        yield
    finally:
        _AT_SHELL.reset(token)


def argument(name: str, value: object) -> str:
    """Format an argument as `` `mated=0` ``, or ``--mated 0`` at a shell (repeated for a list)."""
    values = value if isinstance(value, list) else [value]
    option = f"--{(name if values is not value else name[:-1]).replace('_', '-')}"
    words = (option if each is True else f"{option} {each!r}" for each in values)
    return " ".join(words) if _AT_SHELL.get() else f"`{name}={value!r}`"


def typed(words: Sequence[str]) -> str:
    """Quote a command for this system's shell."""
    if os.name == "nt":
        import subprocess  # imported late: it would add 5 ms to every import

        return subprocess.list2cmdline(words)
    import shlex  # imported late: only error texts need it

    return shlex.join(words)

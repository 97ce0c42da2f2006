"""`-o name=value`: a backend's own options, typed by its attrs class."""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from facematch_core._nearest import nearest
from facematch_core._settings import BOOLEANS, choices_of
from facematch_core.errors import InvalidRequest, UnsupportedOption

if typing.TYPE_CHECKING:
    from facematch_core.backend import Backend

#: Type to how its text is read and what it is called.
_READERS: dict[Any, tuple[Any, str]] = {
    bool: (lambda text: BOOLEANS[text], "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    str: (str, "text"),
    Path: (Path, "a path"),
}


def option_names(options: type | None) -> tuple[str, ...]:
    """The names that a backend's class of options takes."""
    if options is None:
        return ()
    return tuple(field.alias or field.name for field in attrs.fields(options) if field.init)


def vendor_options(backend: Backend, given: Mapping[str, str]) -> Any:
    """The options of one backend, from text.

    Returns:
        An instance of its class of options; None if nothing was given. For a backend without
        options `given` itself, which the core refuses in its own words.

    Raises:
        UnsupportedOption: the backend has no option of that name.
        InvalidRequest: a value of another type, or one that the backend refuses.
    """
    options = backend.capabilities.options
    if not given or options is None:
        return given or None
    hints = typing.get_type_hints(options)
    names = option_names(options)
    for name in given:
        if name not in names:
            raise UnsupportedOption(
                f"The backend {backend.name} has no option {name[:60]!r}; {nearest(name, names)}",
                backend=backend.name,
                option=name,
            )
    values = {name: _value(name, text, hints.get(name, str)) for name, text in given.items()}
    try:
        return options(**values)
    except (TypeError, ValueError) as error:
        # The first argument only: validators of attrs add the field and the class to it.
        raise InvalidRequest(f"The options do not fit: {next(iter(error.args), error)}") from None


def _value(name: str, text: str, wanted: Any) -> Any:
    called = []
    for choice in choices_of(wanted):
        if isinstance(choice, type) and issubclass(choice, enum.Enum):
            reader: Any = {str(member.value): member for member in choice}.__getitem__
            called.append("one of " + ", ".join(str(member.value) for member in choice))
        elif choice in _READERS:
            reader, word = _READERS[choice]
            called.append(word)
        else:
            continue
        try:
            return reader(text)
        except (KeyError, ValueError):
            continue
    if not called:
        raise InvalidRequest(f"The option {name} cannot be given as text: use Python for it.")
    raise InvalidRequest(f"The option {name} must be {' or '.join(called)}, not {text[:60]!r}.")

"""A backend's settings: strict types, and for each one where it came from.

Settings are the arguments of the backend's attrs class. No message holds a value: it may be a key
that stands in the wrong place.
"""

from __future__ import annotations

import enum
import math
import os
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from ._nearest import nearest
from ._secrets import Secret
from .backend import Backend
from .errors import ConfigurationError


@attrs.frozen(kw_only=True)
class Setting:
    """One setting of a backend, resolved.

    Attributes:
        name: The argument.
        value: Its value; a `Secret` never shows itself.
        origin: Where it came from, for people: ``default``, ``argument``, ``$NAME`` or a file.
    """

    name: str
    value: Any
    origin: str


def described(value: object) -> str:
    """Type and length of a value, never the value."""
    kind = type(value).__name__
    return f"{kind} of length {len(value)}" if isinstance(value, (str, list, dict)) else kind


def resolve(
    cls: type[Backend],
    *,
    given: Mapping[str, Any],
    in_file: Mapping[str, Any],
    where: str,
    folder: Path,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Setting, ...]:
    """The settings of a backend: arguments first, then the file, then the environment.

    Args:
        cls: The backend's class.
        given: From the caller, of the declared types already.
        in_file: From a configuration file, as TOML types.
        where: File and profile, for messages; empty without a file.
        folder: What relative paths in the file are relative to.
        environ: The environment.

    Raises:
        ConfigurationError: an unknown setting, a wrong type, or a needed one that is missing.
    """
    fields = fields_of(cls)
    place_of = f"{where}: " if where else ""
    for source, place in ((given, "argument"), (in_file, where)):
        for name in source:
            if name not in fields:
                raise ConfigurationError(
                    f"{place}: the backend {cls.name} has no setting {name[:60]!r}; "
                    f"{nearest(name, fields)}"
                )
    settings = []
    for name, (wanted, default) in fields.items():
        variable = cls.environment_variables.get(name)
        key = f"{place_of}{name}"
        if name in given:
            value = _argument(given[name], wanted, f"argument: {name}")
            origin = value.origin if isinstance(value, Secret) else "argument"
        elif name in in_file:
            value = _from_file(in_file[name], wanted, key, folder)
            origin = value.origin if isinstance(value, Secret) else where
        elif variable and environ.get(variable):
            value, origin = _from_text(environ[variable], wanted, f"${variable}"), f"${variable}"
        elif default is not attrs.NOTHING:
            value, origin = default, "default"
        else:
            hint = f"set the environment variable {variable}" if variable else f"set {name}"
            raise ConfigurationError(f"{place_of}The backend {cls.name} needs {name}: {hint}.")
        settings.append(Setting(name=name, value=value, origin=origin))
    return tuple(settings)


def fields_of(cls: type[Backend]) -> dict[str, tuple[Any, Any]]:
    """The settings of a backend, by name: the declared type, and the default or `attrs.NOTHING`."""
    if not attrs.has(cls):
        return {}
    hints = typing.get_type_hints(cls)
    return {
        field.alias or field.name: (hints.get(field.name, Any), _default(field))
        for field in attrs.fields(cls)
        if field.init
    }


def _default(field: attrs.Attribute[Any]) -> Any:
    # attrs types Factory as a function, so that isinstance does not narrow.
    default: Any = field.default
    if hasattr(default, "factory"):
        return None if default.takes_self else default.factory()
    return default


def _argument(value: Any, wanted: Any, key: str) -> Any:
    choices = choices_of(wanted)
    if Secret in choices and isinstance(value, str):
        return Secret(value)
    if Path in choices and isinstance(value, str):
        return Path(value)
    if float in choices and type(value) is int:
        return float(value)
    for choice in choices:
        # An enum may be named by its word, as in a file.
        if isinstance(choice, type) and issubclass(choice, enum.Enum):
            named = _enum_reader(choice)(value, key, Path())
            if named is not None:
                return named
    if value is None and wanted is not None and type(None) in typing.get_args(wanted):
        return None
    classes = tuple(choice for choice in choices if isinstance(choice, type))
    if len(classes) == len(choices) and not isinstance(value, classes):
        raise _wrong(key, wanted, value)
    if isinstance(value, bool) and bool not in choices and classes:
        raise _wrong(key, wanted, value)
    return value


def choices_of(wanted: Any) -> tuple[Any, ...]:
    """The types that a setting may have, `None` left out."""
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return tuple(t for t in typing.get_args(wanted) if t is not type(None))
    return (wanted,)


def _wrong(key: str, wanted: Any, value: object) -> ConfigurationError:
    names = " or ".join(_word(choice) for choice in choices_of(wanted))
    return ConfigurationError(f"{key} must be {names}, not {described(value)}.")


def _word(choice: Any) -> str:
    if isinstance(choice, type) and issubclass(choice, enum.Enum):
        return "one of " + ", ".join(f'"{member.value}"' for member in choice)
    words = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
    if choice is Secret:
        return '{ env = "NAME" } or { file = "path" }'
    return words.get(choice, "a path" if choice is Path else getattr(choice, "__name__", "a value"))


def _from_file(value: Any, wanted: Any, key: str, folder: Path) -> Any:
    for choice in choices_of(wanted):
        if choice is Any:
            return value
        reader = _FROM_FILE.get(choice)
        if isinstance(choice, type) and issubclass(choice, enum.Enum):
            reader = _enum_reader(choice)
        if reader is None:
            continue
        read = reader(value, key, folder)
        if read is not None:
            return read
    raise _wrong(key, wanted, value)


def _enum_reader(choice: type[enum.Enum]) -> Callable[[Any, str, Path], Any]:
    def read(value: Any, _key: str, _folder: Path) -> Any:
        values = {member.value: member for member in choice}
        return values.get(value) if isinstance(value, str) else None

    return read


def _secret(value: Any, key: str, folder: Path) -> Secret | None:
    if isinstance(value, str):
        raise ConfigurationError(
            f"{key} is a secret and must not stand in the file: write "
            '{ env = "NAME" } or { file = "path" }.'
        )
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, place),) = value.items()
    if not isinstance(place, str) or "\0" in place:
        return None
    try:
        if kind == "env":
            return Secret.from_environment(place)
        if kind == "file":
            return Secret.from_file(located(place, key, folder))
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}: {error.message}") from None
    return None


def located(place: str, key: str, folder: Path) -> Path:
    """A path of a configuration file, relative to its folder; ``~`` is a home.

    Raises:
        ConfigurationError: it names the home of somebody who is not known.
    """
    try:
        return folder / Path(place).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{key} names the home of a user who is not known.") from None


def _bool(value: Any, _key: str, _folder: Path) -> bool | None:
    return value if isinstance(value, bool) else None


def _int(value: Any, _key: str, _folder: Path) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _float(value: Any, _key: str, _folder: Path) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e300 and not math.isnan(value) else None


def _str(value: Any, _key: str, _folder: Path) -> str | None:
    return value if isinstance(value, str) else None


def _path(value: Any, key: str, folder: Path) -> Path | None:
    if not isinstance(value, str) or "\0" in value:
        return None
    return located(value, key, folder)


_FROM_FILE: dict[Any, Callable[[Any, str, Path], Any]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Path: _path,
    Secret: _secret,
}

#: A flag as text.
BOOLEANS = {"true": True, "false": False}


def from_words(cls: type[Backend], words: Mapping[str, str], option: str) -> dict[str, Any]:
    """The settings of a backend from a command line, where everything is text.

    Args:
        cls: The backend's class.
        words: Name to text.
        option: The option that they were given with, for messages.

    Raises:
        ConfigurationError: an unknown setting, or a text that is none of its kind.
    """
    fields = fields_of(cls)
    for name in words:
        if name not in fields:
            raise ConfigurationError(
                f"{option}: the backend {cls.name} has no setting {name[:60]!r}; "
                f"{nearest(name, fields)}"
            )
    return {
        name: _from_text(text, fields[name][0], f"{option} {name}") for name, text in words.items()
    }


def _from_text(text: str, wanted: Any, key: str) -> Any:
    """A setting from an environment variable or a command line, where everything is text."""
    choices = choices_of(wanted)
    if Secret in choices:
        return Secret(text, origin=key)
    value: Any = text
    try:
        if bool in choices:
            value = BOOLEANS[text.lower()]
        elif int in choices:
            value = int(text)
        elif float in choices:
            value = float(text)
    except (KeyError, ValueError):
        value = None
    if value is None:
        raise _wrong(key, wanted, text)
    return _from_file(value, wanted, key, Path.cwd())

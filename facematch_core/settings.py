"""Settings of a backend, strictly typed, and for each where it came from.

Settings are the arguments of the backend's attrs class. They come from a program, from a TOML file,
from an environment variable or from a command line, and cattrs reads all four. No message holds a
value: it may be a key that is in the wrong place.
"""

from __future__ import annotations

import functools
import os
import typing
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from . import kinds
from .backend import Backend
from .errors import ConfigurationError
from .masking import Secret
from .plugins import verifier_arguments

if TYPE_CHECKING:
    from cattrs import Converter

#: A flag as text.
BOOLEANS: Final = {"true": True, "false": False}


@attrs.frozen(kw_only=True)
class Setting:
    """One setting of a backend; `origin`: ``default``, ``argument``, ``$NAME`` or a file."""

    name: str
    value: Any
    origin: str


def resolve_settings(
    cls: type[Backend],
    *,
    given: Mapping[str, Any],
    in_file: Mapping[str, Any],
    where: str,
    folder: Path,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Setting, ...]:
    """The settings of a backend: arguments first, then the file, then the environment.

    `where` names file and profile, empty without a file; paths in it are relative to `folder`.
    """
    declared = declared_settings(cls)
    _check_names(cls, given, "", {*declared, *verifier_arguments()})
    place = f"{where}: " if where else ""
    _check_names(cls, in_file, place, declared)

    def resolved(name: str, wanted: Any, default: Any) -> Setting:
        variable = cls.environment_variables.get(name)
        if name in given:
            value, origin = _argument(given[name], wanted, name), "argument"
        elif name in in_file:
            value = _structured(in_file[name], wanted, f"{place}{name}", _of_file(folder))
            origin = where
        elif variable and environ.get(variable):
            value, origin = from_text(environ[variable], wanted, f"${variable}"), f"${variable}"
        elif default is not attrs.NOTHING:
            return Setting(name=name, value=default, origin="default")
        else:
            hint = f"set the environment variable {variable}" if variable else f"set {name}"
            raise ConfigurationError(f"{place}The backend {cls.name} needs {name}: {hint}.")
        origin = value.origin if isinstance(value, Secret) else origin
        return Setting(name=name, value=value, origin=origin)

    return tuple(resolved(name, *kind) for name, kind in declared.items())


def settings_from_text(cls: type[Backend], words: Mapping[str, str], option: str) -> dict[str, Any]:
    """The settings of a backend from an option of the command line, where everything is text."""
    declared = declared_settings(cls)
    _check_names(cls, words, f"{option}: ", declared)
    return {
        name: from_text(text, declared[name][0], f"{option} {name}") for name, text in words.items()
    }


def declared_settings(cls: type[Backend]) -> dict[str, tuple[Any, Any]]:
    """The settings of a backend, by name: the declared type, and the default or `attrs.NOTHING`."""
    if not attrs.has(cls):
        return {}
    hints = kinds.type_hints(cls)
    return {
        field.alias or field.name: (hints.get(field.name, Any), _default(field))
        for field in attrs.fields(cls)
        if field.init
    }


def located(place: str, key: str, folder: Path) -> Path:
    """A path of a configuration file, relative to its folder; ``~`` is a home."""
    try:
        return folder / Path(place).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{key} names the home of an unknown user.") from None


def read_table(table: Any, types: Mapping[str, Any], where: str, folder: Path) -> dict[str, Any]:
    """A table of a TOML file, each key of its type; paths are relative to `folder`."""
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} must be a table, not {kinds.describe(table)}.")
    check_keys(table, types, where)
    return {
        key: _structured(value, types[key], f"{where}: {key}", _of_file(folder))
        for key, value in table.items()
    }


def check_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse a key that is not known; the message has the nearest one that is."""
    for key in table:
        if key not in known:
            raise ConfigurationError(
                f"{where}: unknown key {key[:60]!r}; {kinds.nearest(key, known)}"
            )


def _check_names(
    cls: type[Backend], names: Mapping[str, Any], place: str, known: Collection[str]
) -> None:
    declared = declared_settings(cls)
    for name in names:
        if name not in declared:
            raise ConfigurationError(
                f"{place}{'the' if place else 'The'} backend {cls.name} has no setting "
                f"{name[:60]!r}; {kinds.nearest(name, known)}"
            )


def _default(field: attrs.Attribute[Any]) -> Any:
    # attrs types Factory as a function, so that isinstance does not narrow.
    default: Any = field.default
    if hasattr(default, "factory"):
        return None if default.takes_self else default.factory()
    return default


# --- One converter, and what each source writes in a way of its own -------------------------------

#: A value as a source has it, and the kind that is tried, to what the converter takes.
_Read = Callable[[Any, Any], Any]


@functools.cache
def _converter() -> Converter:
    def as_it_is(value: Any, kind: type) -> Any:
        if not isinstance(value, kind):
            raise TypeError(kind.__name__)
        return value

    def money(value: Any, _: Any) -> Decimal:
        # A fraction in binary would be another amount.
        if type(value) not in (int, str):
            raise TypeError("amount")
        return Decimal(value)

    converter = kinds.strict_converter()
    converter.register_structure_hook(Decimal, money)
    converter.register_structure_hook(Path, as_it_is)
    converter.register_structure_hook(Secret, as_it_is)
    return converter


def _structured(value: Any, wanted: Any, key: str, read: _Read) -> Any:
    """A value as its key wants it; `ConfigurationError` names the key, and no value."""
    reason = f"{key} must be {kinds.kind_words(wanted)}, not {kinds.describe(value)}."
    for choice in kinds.choices_of(wanted):
        try:
            return _converter().structure(read(value, choice), choice)
        except ConfigurationError as error:
            reason = f"{key}: {error.message}"
            break
        except Exception:  # noqa: BLE001, S112 - cattrs raises whatever a hook or a table raises
            continue
    # Outside the except block: the exception may hold a key.
    raise ConfigurationError(reason)


def _argument(value: Any, wanted: Any, key: str) -> Any:
    """A setting that a program gives: of its type, or a text where that can only mean one thing."""
    fitting = kinds.kinds_of(wanted)
    if fitting is None or (value is None and type(None) in typing.get_args(wanted)):
        return value
    classes, _ = fitting
    if isinstance(value, classes) and (not isinstance(value, bool) or bool in classes):
        return value

    def read(value: Any, kind: Any) -> Any:
        return kind(value) if kind in (Path, Secret) and isinstance(value, str) else value

    return _structured(value, wanted, key, read)


def _of_file(folder: Path) -> _Read:
    """How a file writes paths, and secrets: never as they are."""

    def read(value: Any, kind: Any) -> Any:
        if kind is Path:
            return _place(value, folder)
        if kind is not Secret:
            return value
        if isinstance(value, str):
            raise ConfigurationError(
                "it is a secret and does not belong in the file: write "
                '{ env = "NAME" } or { file = "path" }.'
            )
        ((source, place),) = value.items()
        if source == "env":
            return Secret.from_environment(_text(place))
        if source == "file":
            return Secret.from_file(_place(place, folder))
        raise KeyError(source)

    return read


def from_text(text: str, wanted: Any, key: str) -> Any:
    """A setting from the environment or a command line; a Secret says `key` as its origin."""

    def read(text: str, kind: Any) -> Any:
        if kind is bool:
            return BOOLEANS[text.lower()]
        if kind in (int, float):
            return kind(text)
        if kind is Path:
            return _place(text, Path.cwd())
        return Secret(text, origin=key) if kind is Secret else text

    return _structured(text, wanted, key, read)


def _place(value: Any, folder: Path) -> Path:
    return located(_text(value), "it", folder)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("text")
    return value

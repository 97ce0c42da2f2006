"""Settings of a backend, strictly typed, and their origins; no message holds a value."""

from __future__ import annotations

import functools
import os
import typing
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from facematch_core.backend import Backend, kinds
from facematch_core.base.masking import Secret
from facematch_core.errors import ConfigurationError

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
    arguments: Mapping[str, Any],
    in_file: Mapping[str, Any],
    where: str,
    folder: Path,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Setting, ...]:
    """Arguments first, then the file of name `where`, if it has one, then the environment."""
    declared = declared_settings(cls)
    _check_names(cls, arguments, "", {*declared, *verifier_arguments()})
    prefix = f"{where}: " if where else ""
    _check_names(cls, in_file, prefix, declared)

    def resolve(name: str, annotation: Any, default: Any) -> Setting:
        variable = cls.environment_variables.get(name)
        if name in arguments:
            value, origin = _convert_argument(arguments[name], annotation, name), "argument"
        elif name in in_file:
            value = _convert(in_file[name], annotation, f"{prefix}{name}", _file_reader(folder))
            origin = where
        elif variable and environ.get(variable):
            origin = f"${variable}"
            value = from_text(environ[variable], annotation, origin)
        elif default is not attrs.NOTHING:
            return Setting(name=name, value=default, origin="default")
        else:
            hint = f"set the environment variable {variable}" if variable else f"set {name}"
            raise ConfigurationError(f"{prefix}The backend {cls.name} needs {name}: {hint}.")
        origin = value.origin if isinstance(value, Secret) else origin
        return Setting(name=name, value=value, origin=origin)

    return tuple(resolve(name, *kind) for name, kind in declared.items())


def settings_from_text(cls: type[Backend], texts: Mapping[str, str], option: str) -> dict[str, Any]:
    """The settings of a backend from an option of the command line, where everything is text."""
    declared = declared_settings(cls)
    _check_names(cls, texts, f"{option}: ", declared)
    return {
        name: from_text(text, declared[name][0], f"{option} {name}") for name, text in texts.items()
    }


def declared_settings(cls: type[Backend]) -> dict[str, tuple[Any, Any]]:
    """The settings of a backend, by name: the declared type, and the default or `attrs.NOTHING`."""
    if not attrs.has(cls):
        return {}
    hints = kinds.type_hints(cls)
    declared: dict[str, tuple[Any, Any]] = {}
    for field in (field for field in attrs.fields(cls) if field.init):
        # attrs types Factory as a function, so that isinstance does not narrow.
        default: Any = field.default
        if hasattr(default, "factory"):
            default = None if default.takes_self else default.factory()
        declared[field.alias or field.name] = hints.get(field.name, Any), default
    return declared


def resolve_path(path: str, key: str, folder: Path) -> Path:
    """A path of a configuration file, relative to its folder; ``~`` is a home."""
    try:
        return folder / Path(path).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{key} names the home of an unknown user.") from None


def read_table(table: Any, types: Mapping[str, Any], where: str, folder: Path) -> dict[str, Any]:
    """A table of a TOML file, each key of its type; paths are relative to `folder`."""
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} must be a table, not {kinds.describe(table)}.")
    check_keys(table, types, where)
    return {
        key: _convert(value, types[key], f"{where}: {key}", _file_reader(folder))
        for key, value in table.items()
    }


def check_keys(table: Mapping[str, Any], keys: Collection[str], where: str) -> None:
    """Refuse a key that is not among `keys`; the message has the nearest one that is."""
    for key in table:
        if key not in keys:
            raise ConfigurationError(
                f"{where}: unknown key {key[:60]!r}; {kinds.nearest(key, keys)}"
            )


def _check_names(
    cls: type[Backend], names: Mapping[str, Any], prefix: str, candidates: Collection[str]
) -> None:
    declared = declared_settings(cls)
    for name in names:
        if name not in declared:
            raise ConfigurationError(
                f"{prefix}{'the' if prefix else 'The'} backend {cls.name} has no setting "
                f"{name[:60]!r}; {kinds.nearest(name, candidates)}"
            )


#: Makes of a value as a source writes it, and of the kind that is tried, what the converter takes.
_Reader = Callable[[Any, Any], Any]


@functools.cache
def _converter() -> Converter:
    def check_type(value: Any, kind: type) -> Any:
        if not isinstance(value, kind):
            raise TypeError(kind.__name__)
        return value

    def read_amount(value: Any, _: Any) -> Decimal:
        # A binary fraction would be another amount.
        if type(value) not in (int, str):
            raise TypeError("amount")
        return Decimal(value)

    converter = kinds.strict_converter()
    converter.register_structure_hook(Decimal, read_amount)
    converter.register_structure_hook(Path, check_type)
    converter.register_structure_hook(Secret, check_type)
    return converter


def _convert(value: Any, annotation: Any, key: str, read: _Reader) -> Any:
    """A value of the declared type; `ConfigurationError` names the key, and no value."""
    reason = f"{key} must be {kinds.kind_words(annotation)}, not {kinds.describe(value)}."
    for choice in kinds.choices_of(annotation):
        try:
            return _converter().structure(read(value, choice), choice)
        except ConfigurationError as error:
            reason = f"{key}: {error.message}"
            break
        except Exception:  # noqa: BLE001, S112 - cattrs raises whatever a hook or a table raises
            continue
    # Outside the except block: the exception may hold a key.
    raise ConfigurationError(reason)


def _convert_argument(value: Any, annotation: Any, key: str) -> Any:
    """A setting from a program: of its type, or a text where that can only mean one thing."""
    kinds_of_value = kinds.kinds_of(annotation)
    if kinds_of_value is None or (value is None and type(None) in typing.get_args(annotation)):
        return value
    classes, _ = kinds_of_value
    if isinstance(value, classes) and (not isinstance(value, bool) or bool in classes):
        return value

    def read(value: Any, kind: Any) -> Any:
        return kind(value) if kind in (Path, Secret) and isinstance(value, str) else value

    return _convert(value, annotation, key, read)


def _file_reader(folder: Path) -> _Reader:
    """Reads the paths and secrets of a file; a secret may not be in it as text."""

    def read(value: Any, kind: Any) -> Any:
        if isinstance(value, list) and typing.get_origin(kind) is tuple:
            return [read(item, typing.get_args(kind)[0]) for item in value]
        if kind is Path:
            return resolve_path(_check_text(value), "it", folder)
        if kind is not Secret:
            return value
        if isinstance(value, str):
            raise ConfigurationError(
                "it is a secret and does not belong in the file: write "
                '{ env = "NAME" } or { file = "path" }.'
            )
        ((source, name),) = value.items()
        if source == "env":
            return Secret.from_environment(_check_text(name))
        if source == "file":
            return Secret.from_file(resolve_path(_check_text(name), "it", folder))
        raise KeyError(source)

    return read


def from_text(text: str, annotation: Any, key: str) -> Any:
    """A setting from the environment or a command line; a Secret has `key` as its origin."""

    def read(text: str, kind: Any) -> Any:
        if kind is bool:
            return BOOLEANS[text.lower()]
        if kind in (int, float):
            return kind(text)
        if kind is Path:
            return resolve_path(_check_text(text), "it", Path.cwd())
        return Secret(text, origin=key) if kind is Secret else text

    return _convert(text, annotation, key, read)


def _check_text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("text")
    return value

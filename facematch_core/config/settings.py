"""Read and convert a backend's settings from arguments, a file and the environment.

Error messages contain no values, because a value may be a key.
"""

from __future__ import annotations

import os
import re
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import attrs

from facematch_core.backend import Backend, kinds
from facematch_core.base.masking import Secret
from facematch_core.documents import converter
from facematch_core.errors import ConfigurationError

from .plugins import verifier_arguments

#: A function that prepares a raw value for conversion to a candidate type.
_Reader = Callable[[Any, Any], Any]


@attrs.frozen(kw_only=True)
class Setting:
    """A backend's setting. Its `origin` is ``default``, ``argument``, ``$NAME`` or a file."""

    name: str
    value: Any
    origin: str


@attrs.frozen(kw_only=True)
class Profile:
    """A profile of a configuration file: one backend, or a failover with `members`."""

    name: str
    #: The file and the profile, as shown in messages, and the file's folder.
    where: str
    folder: Path
    backend: str = ""
    members: tuple[str, ...] = ()
    #: Arguments of `FaceVerifier`, or the deadline of a failover.
    verifier: Mapping[str, Any]
    #: The backend's settings as unchecked TOML values.
    settings: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    policies: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)


def resolve_settings(
    cls: type[Backend], arguments: Mapping[str, Any], profile: Profile | None
) -> tuple[Setting, ...]:
    """Resolve each setting: from the arguments, else the profile, else the environment."""
    declared = declared_settings(cls)
    in_file, prefix = (profile.settings, f"{profile.where}: ") if profile else ({}, "")
    _check_names(cls, arguments, "", {*declared, *verifier_arguments()})
    _check_names(cls, in_file, prefix, declared)

    def resolve(name: str, annotation: Any, default: Any) -> Setting:
        variable = cls.environment_variables.get(name)
        if name == "environment":
            variable = variable or environment_variable(cls.name)
        if name in arguments:
            # Not converted, because the backend checks its own arguments.
            value, origin = arguments[name], "argument"
            if isinstance(value, str) and Secret in kinds.choices_of(annotation):
                value = Secret(value)
        elif profile and name in in_file:
            reader, origin = _file_reader(profile.folder), profile.where
            value = _convert(in_file[name], annotation, f"{prefix}{name}", reader)
        elif variable and os.environ.get(variable):
            origin = f"${variable}"
            value = _convert_text(os.environ[variable], annotation, origin)
        elif default is not attrs.NOTHING:
            return Setting(name=name, value=default, origin="default")
        else:
            hint = f"set the environment variable {variable}" if variable else f"set {name}"
            raise ConfigurationError(f"{prefix}The backend {cls.name} needs {name}: {hint}.")
        origin = value.origin if isinstance(value, Secret) else origin
        return Setting(name=name, value=value, origin=origin)

    return tuple(resolve(name, *kind) for name, kind in declared.items())


def environment_variable(backend: str) -> str:
    """Return the name of the variable that sets a backend's environment (DIDIT_ENVIRONMENT)."""
    return re.sub(r"[^A-Z0-9]", "_", backend.upper()) + "_ENVIRONMENT"


def declared_settings(cls: type[Backend]) -> dict[str, tuple[Any, Any]]:
    """Return the type and the default (or `attrs.NOTHING`) of each setting, by name."""
    if not attrs.has(cls):
        return {}
    hints = kinds.type_hints(cls)
    declared: dict[str, tuple[Any, Any]] = {}
    for field in (field for field in attrs.fields(cls) if field.init):
        default: Any = field.default  # attrs types Factory as a function
        if hasattr(default, "factory"):
            default = None if default.takes_self else default.factory()
        declared[field.alias or field.name] = hints.get(field.name, Any), default
    return declared


def _check_names(
    cls: type[Backend], names: Mapping[str, Any], prefix: str, candidates: Collection[str]
) -> None:
    for name in names.keys() - declared_settings(cls).keys():
        raise ConfigurationError(
            f"{prefix}{'the' if prefix else 'The'} backend {cls.name} has no setting "
            f"{name[:60]!r}; {kinds.nearest(name, candidates)}"
        )


def read_table(table: Any, types: Mapping[str, Any], where: str, folder: Path) -> dict[str, Any]:
    """Convert a TOML table to the given types. Paths are relative to `folder`."""
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} must be a table, not {kinds.describe(table)}.")
    for key in table.keys() - types.keys():
        raise ConfigurationError(f"{where}: unknown key {key[:60]!r}; {kinds.nearest(key, types)}")
    read = _file_reader(folder)
    return {
        key: _convert(value, types[key], f"{where}: {key}", read) for key, value in table.items()
    }


def resolve_path(path: str, key: str, folder: Path) -> Path:
    """Resolve a path against `folder`, with ``~`` expanded."""
    if "\0" in path:
        raise ConfigurationError(f"{key} contains a NUL character.")
    try:
        return folder / Path(path).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{key} refers to the home folder of an unknown user.") from None


def _convert(value: Any, annotation: Any, key: str, read: _Reader) -> Any:
    """Convert a value to the declared type. A `ConfigurationError` names the key, not the value."""
    reason = f"{key} must be {kinds.kind_words(annotation)}, not {kinds.describe(value)}."
    for choice in kinds.choices_of(annotation):
        try:
            found = read(value, choice)
            is_ours = choice in (Path, Secret)
            return _check(found, choice) if is_ours else converter().structure(found, choice)
        except ConfigurationError as error:
            reason = f"{key}: {error.message}"
            break
        except Exception:  # noqa: BLE001, S112 - cattrs raises what a hook raises
            continue
    # Outside the except block, because the exception may contain a key.
    raise ConfigurationError(reason)


def _file_reader(folder: Path) -> _Reader:
    """Return a function that reads paths, lists and references to secrets in a file."""

    def read(value: Any, kind: Any) -> Any:
        if typing.get_origin(kind) is tuple:
            return [read(item, typing.get_args(kind)[0]) for item in _check(value, list)]
        if kind is Path:
            return resolve_path(value, "it", folder)
        if kind is not Secret:
            return value
        if isinstance(value, str):
            raise ConfigurationError(
                'a secret must not be in the file: use { env = "NAME" } or { file = "path" }.'
            )
        ((source, name),) = value.items()
        if source == "env":
            return Secret.from_environment(name)
        if source == "file":
            return Secret.from_file(resolve_path(name, "it", folder))
        raise KeyError(source)

    return read


def _convert_text(text: str, annotation: Any, key: str) -> Any:
    """Convert an environment variable to a setting. For a Secret, `key` is the origin."""

    def read(text: str, kind: Any) -> Any:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind in (int, float):
            return kind(text)
        if kind is Path:
            return resolve_path(text, "it", Path.cwd())
        return Secret(text, origin=key) if kind is Secret else text

    return _convert(text, annotation, key, read)


def _check(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(kind.__name__)
    return value

"""Read and convert a backend's settings from arguments, a file and the environment.

`convert` is the only function that converts a value to a declared type. Its `source` says how to
read the value: `TomlValues` for a file, `EnvironmentText` for an environment variable. Error
messages contain no values, because a value may be a key.
"""

from __future__ import annotations

import enum
import os
import re
import typing
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs

from facematch_core.backend import Backend, kinds
from facematch_core.base.masking import Secret
from facematch_core.documents import converter
from facematch_core.errors import ConfigurationError

from .plugins import face_verifier_arguments


@attrs.frozen(kw_only=True)
class ResolvedSetting:
    """A backend's setting. Its `origin` is ``default``, ``argument``, ``$NAME`` or a file."""

    name: str
    value: object
    origin: str


@attrs.frozen(kw_only=True)
class Profile:
    """A profile of a configuration file: one backend, or a failover of other profiles."""

    name: str
    #: The file and the profile, as shown in messages.
    location: str
    #: The configuration file's folder, to which the profile's paths are relative.
    folder: Path
    #: The name of the backend; empty for a failover.
    backend: str = ""
    #: The names of the profiles of a failover's members; empty for one backend.
    members: tuple[str, ...] = ()
    #: Arguments of `FaceVerifier`, or the deadline of a failover.
    verifier: Mapping[str, Any]
    #: Arguments of `open_sessions`: the checks that a session must report and pass.
    sessions: Mapping[str, Any] = attrs.field(factory=dict)
    #: The backend's settings as unchecked TOML values.
    settings: Mapping[str, object] = attrs.field(factory=dict, repr=False)
    #: The addresses of its `SessionStore` and `CheckStore`, by ``sessions`` and ``checks``, unread.
    stores: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    #: The converted policy tables (``budget``, ``retry``...) by name.
    policies: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class DeclaredSetting:
    """A setting as the backend's class declares it. `default` may be `attrs.NOTHING`."""

    name: str
    annotation: Any
    default: Any


def resolve_settings(
    cls: type[Backend], arguments: Mapping[str, object], profile: Profile | None
) -> tuple[ResolvedSetting, ...]:
    """Resolve each setting: from the arguments, else the profile, the environment, the default."""
    declared = declared_settings(cls)
    unknown = _first_unknown(arguments, declared)
    if unknown is not None:
        hint = kinds.suggest_name(unknown, {*declared, *face_verifier_arguments()})
        raise ConfigurationError(f"The backend {cls.name} has no setting {unknown[:60]!r}; {hint}")
    if profile is not None:
        unknown = _first_unknown(profile.settings, declared)
        if unknown is not None:
            hint = kinds.suggest_name(unknown, declared)
            raise ConfigurationError(
                f"{profile.location}: the backend {cls.name} has no setting {unknown[:60]!r}; "
                f"{hint}"
            )
    return tuple(_resolve(cls, setting, arguments, profile) for setting in declared.values())


def _resolve(
    cls: type[Backend],
    declared: DeclaredSetting,
    arguments: Mapping[str, object],
    profile: Profile | None,
) -> ResolvedSetting:
    """Return a setting's value and origin: argument, profile, variable or default, in this order.

    Raise ConfigurationError, which says where to set it, if it is needed and nowhere.
    """
    name = declared.name
    if name in arguments:
        value = arguments[name]
        # Not converted, because the backend checks its own arguments.
        if isinstance(value, str) and Secret in kinds.union_members(declared.annotation):
            value = Secret(value)
        return _with_origin(name, value, "argument")
    if profile is not None and name in profile.settings:
        value = convert(
            profile.settings[name],
            declared.annotation,
            key=f"{profile.location}: {name}",
            source=TomlValues(profile.folder),
        )
        return _with_origin(name, value, profile.location)
    variable = cls.environment_variables.get(name)
    if not variable and name == "environment":
        variable = environment_variable(cls.name)
    if variable and os.environ.get(variable):
        origin = f"${variable}"
        value = convert(
            os.environ[variable],
            declared.annotation,
            key=origin,
            source=EnvironmentText(origin),
        )
        return _with_origin(name, value, origin)
    if declared.default is not attrs.NOTHING:
        return ResolvedSetting(name=name, value=declared.default, origin="default")
    location = "" if profile is None else f"{profile.location}: "
    if variable:
        raise ConfigurationError(
            f"{location}The backend {cls.name} needs {name}: set the environment variable "
            f"{variable}."
        )
    if profile is not None:
        place = f"in [profiles.{profile.name}.settings]"
    else:
        place = (
            f"in [profiles.NAME.settings] of the configuration file, or pass {name}=VALUE in code"
        )
    accepted = kinds.describe_type(declared.annotation)
    raise ConfigurationError(
        f"{location}The backend {cls.name} needs {name} ({accepted}): set it {place}."
    )


def _with_origin(name: str, value: object, origin: str) -> ResolvedSetting:
    """Return a setting; a `Secret` knows a more exact origin, such as its file or variable."""
    if isinstance(value, Secret):
        origin = value.origin
    return ResolvedSetting(name=name, value=value, origin=origin)


def environment_variable(backend: str) -> str:
    """Return the name of the variable that sets a backend's environment (DIDIT_ENVIRONMENT)."""
    return re.sub(r"[^A-Z0-9]", "_", backend.upper()) + "_ENVIRONMENT"


def declared_settings(cls: type[Backend]) -> dict[str, DeclaredSetting]:
    """Return a backend's settings by name, in the order of their declaration."""
    if not attrs.has(cls):
        return {}
    hints = kinds.type_hints(cls)
    settings = {}
    for field in attrs.fields(cls):
        if not field.init:
            continue
        default: Any = field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # typed as a function
            # A factory that needs the backend cannot be called before there is one.
            default = None if default.takes_self else default.factory()
        name = field.alias or field.name
        settings[name] = DeclaredSetting(
            name=name, annotation=hints.get(field.name, Any), default=default
        )
    return settings


def convert_table(
    table: object, types: Mapping[str, Any], location: str, folder: Path, other_place: str = ""
) -> dict[str, Any]:
    """Convert a TOML table to the given types by key. Paths are relative to `folder`.

    `other_place` says, for an error, where a key that is not in `types` may belong.
    """
    if not isinstance(table, dict):
        raise ConfigurationError(f"{location} must be a table, not {kinds.describe_value(table)}.")
    unknown = _first_unknown(table, types)
    if unknown is not None:
        hint = kinds.suggest_name(unknown, types)
        if other_place:
            hint = f"{hint.rstrip('.')} ({other_place})."
        raise ConfigurationError(f"{location}: unknown key {unknown[:60]!r}; {hint}")
    source = TomlValues(folder)
    return {
        key: convert(value, types[key], key=f"{location}: {key}", source=source)
        for key, value in table.items()
    }


def _first_unknown(written: Iterable[str], known: Collection[str]) -> str | None:
    """Return the first name that is not known, in the order in which they were written."""
    return next((name for name in written if name not in known), None)


def resolve_path(path: str, key: str, folder: Path) -> Path:
    """Resolve a path against `folder`, with ``~`` expanded. `key` is its name in errors."""
    try:
        return folder / Path(path).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{key} refers to the home folder of an unknown user.") from None


class ValueSource(Protocol):
    """A file or the environment, and how a value is written there."""

    def read(self, value: object, wanted_type: object) -> Any:
        """Return `value` as a `wanted_type`; raise any exception if it does not fit.

        A `ConfigurationError` ends the conversion; after any other, the next type is tried.
        """


def convert(value: object, annotation: object, *, key: str, source: ValueSource) -> Any:
    """Convert a value to the first type of its annotation that fits.

    Raises:
        ConfigurationError: no type fits. The message contains `key`, but never the value.
    """
    reason = f"{key} must be {kinds.describe_type(annotation)}, not {kinds.describe_value(value)}."
    members = kinds.union_members(annotation)
    # A table names the place of a secret, also where the text itself may be given.
    if isinstance(value, dict) and Secret in members:
        members = (Secret,)
    for wanted_type in members:
        try:
            return source.read(value, wanted_type)
        except ConfigurationError as error:
            reason = f"{key}: {error.message}"
            break
        except Exception:  # noqa: BLE001, S112 - cattrs raises what a hook raises
            continue
    # Outside the except block, because the exception may contain a key.
    raise ConfigurationError(reason)


@attrs.frozen
class TomlValues:
    """The values of a TOML file. Its paths are relative to `folder`."""

    folder: Path

    def read(self, value: object, wanted_type: Any) -> Any:
        """Return the value as the type, or raise.

        A ConfigurationError ends the search; after any other exception, the next type is tried.
        """
        if typing.get_origin(wanted_type) is tuple:
            # `members` and the like: a list of any length, with one type.
            if not isinstance(value, list):
                raise TypeError("no list")
            item_type = typing.get_args(wanted_type)[0]
            return tuple(self.read(item, item_type) for item in value)
        if wanted_type is Path:
            return resolve_path(_as_text(value), "it", self.folder)
        if wanted_type is Secret:
            return self._read_secret_reference(value)
        if wanted_type is str and isinstance(value, dict) and value.keys() <= {"env", "file"}:
            raise ConfigurationError(
                "{ env = ... } and { file = ... } are for secrets: write the text itself."
            )
        return converter().structure(value, wanted_type)

    def _read_secret_reference(self, value: object) -> Secret:
        """Read a secret from the place that a table such as ``{ env = "NAME" }`` refers to."""
        if isinstance(value, str):
            raise ConfigurationError(
                'a secret must not be in the file: use { env = "NAME" } or { file = "path" }.'
            )
        match value:
            case {"env": str(variable), **others} if not others:
                return Secret.from_environment(variable)
            case {"file": str(path), **others} if not others:
                return Secret.from_file(resolve_path(path, "it", self.folder))
        raise TypeError("no reference to a secret")


@attrs.frozen
class EnvironmentText:
    """The text of an environment variable; `origin` is the variable, for example ``$HOST``.

    Its paths are relative to the working directory.
    """

    origin: str

    def read(self, value: object, wanted_type: Any) -> Any:
        """Return a variable's text as a type; raise KeyError or ValueError if it does not fit."""
        text = _as_text(value)
        if wanted_type is Secret:
            return Secret(text, origin=self.origin)
        if wanted_type is Path:
            return resolve_path(text, "it", Path.cwd())
        if wanted_type is bool:
            return {"true": True, "false": False}[text.lower()]
        # Without the converter: most settings are texts, and cattrs takes 50 ms to import.
        if wanted_type is str:
            return text
        if isinstance(wanted_type, type) and issubclass(wanted_type, enum.Enum):
            return wanted_type(text)
        if wanted_type is int:
            return int(text)
        if wanted_type is float:
            return converter().structure(float(text), float)  # rejects nan and infinity
        return converter().structure(text, wanted_type)


def _as_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value

"""The configuration file: found, read, and checked as far as no backend is needed.

::

    default_profile = "desk"

    [profiles.desk]
    backend = "local"
    threshold = 55
    review_threshold = 70

    [profiles.desk.settings]        # the backend's own settings
    cached_pictures = 200

    [profiles.desk.budget]          # a gate; `_gate_tables` has them all
    calls = 1000

    [profiles.ha]                   # a failover of other profiles
    members = ["shop", "desk"]
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ._enums import Environment
from ._gate_tables import TABLES, GateTables, read_tables
from ._nearest import nearest
from ._settings import described, located
from ._toml import parsed
from .errors import ConfigurationError

#: The file name in a folder of configuration.
FILE_NAME = "facematch.toml"

#: Names the file; read before the user's own folder.
VARIABLE = "FACEMATCH_CONFIG"

_NUMBER, _FLAG, _TEXT, _FILE = "a number", "true or false", "text", "the name of a file"

#: What a profile may say besides `settings` and its gates, and as what.
PROFILE_KEYS = {
    "backend": _TEXT,
    "threshold": _NUMBER,
    "liveness_threshold": _NUMBER,
    "review_threshold": _NUMBER,
    "liveness_review_threshold": _NUMBER,
    "calibration": _FILE,
    "fit_images": _FLAG,
    "keep_demographics": _FLAG,
    "require_environment": _TEXT,
}


@attrs.frozen(kw_only=True)
class Profile:
    """One named way to open a verifier.

    Attributes:
        name: Its name.
        where: File and profile, for messages.
        folder: Folder of the file.
        backend: Name of the backend.
        verifier: Arguments of `FaceVerifier`.
        settings: The backend's settings, as TOML types, not yet checked.
        gates: The tables that set up gates, checked.
    """

    name: str
    where: str
    folder: Path
    backend: str
    verifier: Mapping[str, Any]
    settings: Mapping[str, Any] = attrs.field(repr=False)
    gates: GateTables = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class FailoverProfile:
    """A profile that asks other profiles, one after the other.

    Attributes:
        name, where: As those of `Profile`.
        members: Names of the profiles, in their order.
    """

    name: str
    where: str
    members: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Config:
    """A configuration file.

    Attributes:
        path: Where it was found.
        default_profile: The profile to use when none is named, or None.
        profiles: By name.
    """

    path: Path
    default_profile: str | None
    profiles: Mapping[str, Profile | FailoverProfile]

    def profile(self, name: str) -> Profile | FailoverProfile:
        """One profile; `ConfigurationError` if there is none of that name."""
        if name not in self.profiles:
            raise ConfigurationError(
                f"{self.path} has no profile {name[:60]!r}; {nearest(name, self.profiles)}"
            )
        return self.profiles[name]

    def singles(self, name: str) -> tuple[Profile, ...]:
        """The profile of that name or, of a failover, those of its members, in their order."""
        profile = self.profile(name)
        named = profile.members if isinstance(profile, FailoverProfile) else (name,)
        found = (self.profiles[one] for one in named)
        return tuple(one for one in found if isinstance(one, Profile))


def user_file() -> Path:
    """The file in the user's own configuration folder, whether it exists or not."""
    import click

    return Path(click.get_app_dir("facematch")) / FILE_NAME


def find(
    path: str | os.PathLike[str] | None = None,
    *,
    here: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Path | None:
    """The file to read: the one that is named, else the first that exists, or None.

    Args:
        path: Named by the caller.
        here: Look into the current folder as well, as the command line does. A library that did so
            would read what a stranger left there.
        environ: The environment.
    """
    if path is not None:
        return Path(path)
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    places = [Path(FILE_NAME)] if here else []
    return next((place for place in [*places, user_file()] if place.is_file()), None)


def read(path: Path) -> Config:
    """Read and check a file.

    Raises:
        ConfigurationError: it cannot be read, or says something that is not known.
    """
    document = parsed(path, "configuration file", ConfigurationError)
    _known(document, {"default_profile", "profiles"}, str(path))
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict):
        raise ConfigurationError(f"{path}: profiles must be a table, not {described(profiles)}.")
    default = document.get("default_profile")
    if default is not None and (not isinstance(default, str) or default not in profiles):
        raise ConfigurationError(
            f"{path}: default_profile must name a profile of this file; "
            f"{nearest(default if isinstance(default, str) else '', profiles)}"
        )
    read_profiles = {name: _profile(path, name, table) for name, table in profiles.items()}
    for profile in read_profiles.values():
        if isinstance(profile, FailoverProfile):
            _check_members(profile, read_profiles)
    return Config(path=path, default_profile=default, profiles=read_profiles)


def _profile(path: Path, name: str, table: Any) -> Profile | FailoverProfile:
    where = f"{path} [profiles.{name[:60]}]"
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} must be a table, not {described(table)}.")
    if "members" in table:
        return _failover(name, where, table)
    _known(table, {*PROFILE_KEYS, *TABLES, "settings", "members"}, where)
    settings = table.get("settings", {})
    if not isinstance(settings, dict):
        raise ConfigurationError(f"{where}: settings must be a table, not {described(settings)}.")
    if "backend" not in table:
        raise ConfigurationError(
            f"{where} needs backend, the name of a backend, or members, those of a failover."
        )
    values = {
        key: _value(where, key, table[key], path.parent) for key in PROFILE_KEYS if key in table
    }
    return Profile(
        name=name,
        where=where,
        folder=path.parent,
        backend=values.pop("backend"),
        verifier=values,
        settings=settings,
        gates=read_tables(table, where),
    )


def _failover(name: str, where: str, table: dict[str, Any]) -> FailoverProfile:
    members = table["members"]
    if not isinstance(members, list) or not all(isinstance(one, str) for one in members):
        raise ConfigurationError(
            f"{where}: members must be a list of names of profiles, not {described(members)}."
        )
    for key in table:
        if key in {*PROFILE_KEYS, *TABLES, "settings"}:
            raise ConfigurationError(
                f"{where}: {key} belongs to a member and not to a failover: write it into the "
                "profile of each member."
            )
    _known(table, {"members"}, where)
    if not members:
        raise ConfigurationError(f"{where}: members needs at least one name of a profile.")
    if len(set(members)) < len(members):
        raise ConfigurationError(f"{where}: members names a profile twice.")
    return FailoverProfile(name=name, where=where, members=tuple(members))


def _check_members(
    failover: FailoverProfile, profiles: Mapping[str, Profile | FailoverProfile]
) -> None:
    single = {name for name, profile in profiles.items() if isinstance(profile, Profile)}
    for member in failover.members:
        if member == failover.name:
            raise ConfigurationError(f"{failover.where}: members names the failover itself.")
        if member not in profiles:
            raise ConfigurationError(
                f"{failover.where}: members names no profile {member[:60]!r}; "
                f"{nearest(member, single)}"
            )
        if member not in single:
            raise ConfigurationError(
                f"{failover.where}: the member {member[:60]!r} is a failover itself: name its "
                "members instead."
            )


def _known(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigurationError(f"{where}: unknown key {key[:60]!r}; {nearest(key, known)}")


def _value(where: str, key: str, value: Any, folder: Path) -> Any:
    wanted = PROFILE_KEYS[key]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_text = isinstance(value, str)
    fits = {
        _NUMBER: is_number,
        _FLAG: isinstance(value, bool),
        _TEXT: is_text,
        _FILE: is_text and "\0" not in value,
    }
    if not fits[wanted]:
        raise ConfigurationError(f"{where}: {key} must be {wanted}, not {described(value)}.")
    if wanted is _NUMBER and not 0 <= value <= 100:
        raise ConfigurationError(f"{where}: {key} must lie between 0 and 100.")
    if key == "require_environment":
        words = {member.value: member for member in Environment}
        if value not in words:
            raise ConfigurationError(f"{where}: {key} must be one of {', '.join(words)}.")
        return words[value]
    if wanted is _FILE:
        # As text: `facematch doctor` shows it.
        return str(located(value, f"{where}: {key}", folder))
    return value

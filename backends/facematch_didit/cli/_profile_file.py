"""A profile added to a configuration file, and nothing else of it changed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core import ConfigurationError
from facematch_didit.words import NAME

#: What a profile may be called here: a bare key of TOML, and the name of a file.
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@attrs.frozen(kw_only=True)
class NewProfile:
    """A profile of the backend didit.

    Attributes:
        name: Letters, digits, - and _.
        key_file: Where its key is.
        settings: Other settings of the backend: texts and flags.
    """

    name: str
    key_file: Path
    settings: Mapping[str, str | bool]


def check_name(name: str) -> None:
    """`click.UsageError` for a name that no profile made here has."""
    if not _PROFILE_NAME.fullmatch(name):
        raise click.UsageError(
            "--profile is the new profile's name: letters, digits, - and _, at most 60."
        )


def written(profile: NewProfile, folder: Path) -> str:
    """The profile as TOML.

    Args:
        profile: The profile.
        folder: Of the configuration file; a key file in it is named without it.
    """
    key_file = profile.key_file.absolute()
    named = key_file.name if key_file.parent == folder.absolute() else str(key_file)
    lines = [
        f"[profiles.{profile.name}]",
        f"backend = {_text(NAME)}",
        "",
        f"[profiles.{profile.name}.settings]",
        f"api_key = {{ file = {_text(named)} }}",
        *(f"{name} = {_value(value)}" for name, value in profile.settings.items()),
    ]
    return "\n".join(lines) + "\n"


def _value(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else _text(value)


def _text(value: str) -> str:
    # A string of TOML is one of JSON, but for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def added(before: str, profile: NewProfile, folder: Path) -> str:
    """What to put at the end of a file with the text `before`.

    Raises:
        ConfigurationError: it is no TOML, or has such a profile already, or cannot take one.
    """
    old = _parsed(before)
    profiles = old.get("profiles", {})
    if isinstance(profiles, dict) and profile.name in profiles:
        raise ConfigurationError(
            f"There is a profile {profile.name} already: remove it, or choose another name with "
            "--profile."
        )
    text = written(profile, folder)
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    new = _parsed(before + gap + text)
    made = new.get("profiles", {}).pop(profile.name, None)
    if made != tomllib.loads(text)["profiles"][profile.name] or new != {"profiles": {}} | old:
        raise ConfigurationError("A profile cannot be added to it: add it by hand.")
    return gap + text


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"It is no TOML that can be added to: {error}.") from None


def check(file: Path, profile: NewProfile) -> None:
    """Whether `write` would work, as far as can be known before.

    Raises:
        ConfigurationError: it would not; the message names the file.
    """
    _addition(file, profile)


def write(file: Path, profile: NewProfile) -> None:
    """Add the profile to `file`, which is made with its folder if need be.

    Raises:
        ConfigurationError: it cannot be read, is no configuration, or cannot be written.
    """
    text = _addition(file, profile)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Appended: whatever else is there, its comments and its rights stay as they are.
        with file.open("a", encoding="utf-8", newline="") as end:
            end.write(text)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None


def _addition(file: Path, profile: NewProfile) -> str:
    try:
        before = file.read_bytes().decode() if file.exists() else ""
        return added(before, profile, file.parent)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.message}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"{file} cannot be read: {reason}.") from None

"""Where profiles lie, and which of them is Didit's.

The same places as for every command of `facematch` (docs/reference/configuration.md); what is read
here is only which profiles there are. Opening one, and every complaint about the file, is the
core's.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from facematch_core import ConfigurationError
from facematch_core.config import user_file
from facematch_didit.words import NAME

FILE_NAME = "facematch.toml"
VARIABLE = "FACEMATCH_CONFIG"


def folder() -> Path:
    """The user's own folder of configuration, whether it exists or not."""
    return user_file().parent


def configuration(named: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file that is read: the one that is named, else the first that exists, or None."""
    if named is not None:
        return Path(named)
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    places = (Path(FILE_NAME), folder() / FILE_NAME)
    return next((place for place in places if place.is_file()), None)


@attrs.frozen(kw_only=True)
class Chosen:
    """A profile that is to be opened.

    Attributes:
        config: The file; None for the usual places.
        profile: Its name; None for the file's default, or to hear what is wrong with the file.
    """

    config: Path | None
    profile: str | None


def chosen(
    profile: str | None, config: str | None, environ: Mapping[str, str] = os.environ
) -> Chosen | None:
    """The profile to use: named, else the default if it is Didit's, else the only one that is.

    Returns:
        None if no file has one of Didit's: then the key is the environment's.

    Raises:
        ConfigurationError: there are several, or the file that was named has none.
    """
    path = configuration(config, environ)
    if profile is not None or path is None:
        return None if profile is None else Chosen(config=path, profile=profile)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Chosen(config=path, profile=None)
    names = _of_didit(found)
    default = found.get("default_profile")
    if default in names:
        return Chosen(config=path, profile=default)
    if len(names) > 1:
        raise ConfigurationError(
            f"{path} has several profiles of {NAME}: choose one with --profile "
            f"({', '.join(names)})."
        )
    if not names and config is not None:
        raise ConfigurationError(
            f"{path} has no profile of {NAME}: `facematch didit setup --config {path}` adds one."
        )
    return Chosen(config=path, profile=names[0]) if names else None


def _of_didit(document: Mapping[str, Any]) -> list[str]:
    profiles = document.get("profiles")
    if not isinstance(profiles, dict):
        return []
    return [
        name
        for name, table in profiles.items()
        if isinstance(table, dict) and table.get("backend") == NAME
    ]

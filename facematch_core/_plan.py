"""What opening a verifier would use: a backend's class and its settings, each with its origin."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ._config import Config, Profile, find, read
from ._registry import backend_class
from ._settings import Setting, resolve
from ._verifier import FaceVerifier
from .backend import Backend
from .errors import BackendUnusable, ConfigurationError, FaceMatchError


@attrs.frozen(kw_only=True)
class Plan:
    """What opening would use, before anything is opened.

    Attributes:
        backend: The backend's class.
        settings: Its settings, each with its origin.
        profile: The profile they come from, or None.
    """

    backend: type[Backend]
    settings: tuple[Setting, ...]
    profile: Profile | None

    def open(self, **verifier: Any) -> FaceVerifier:
        """A verifier; its arguments go over those of the profile.

        Raises:
            ConfigurationError: the backend refuses its settings, or an argument is wrong.
        """
        backend = self.open_backend()
        options = {**(self.profile.verifier if self.profile else {}), **verifier}
        try:
            return FaceVerifier(backend, **options)
        except FaceMatchError:
            backend.close()
            raise

    def open_backend(self) -> Backend:
        """The backend alone; `ConfigurationError` if it refuses its settings."""
        values = {s.name: s.value for s in self.settings if s.origin != "default"}
        try:
            return self.backend(**values)
        except FaceMatchError:
            raise
        except Exception as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            what = type(error).__name__
        # Outside the except block: the exception may hold a key.
        raise BackendUnusable(
            f"The backend {self.backend.name} failed with {what} when it was opened: check its "
            "settings with `facematch doctor`, or report this to its author."
        )


def plan(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    here: bool = False,
) -> Plan:
    """Work out what to open; see `open_verifier` for arguments and errors."""
    if backend is not None and not isinstance(backend, str):
        raise ConfigurationError(
            f"open_verifier takes the name of a backend, not {type(backend).__name__}: give a "
            "Backend to FaceVerifier."
        )
    if backend is not None and profile is not None:
        raise ConfigurationError("Name a backend or a profile, not both.")
    if backend is not None and config is not None:
        raise ConfigurationError(
            f"The file {os.fspath(config)!r} holds profiles, and a backend was named: name a "
            "profile instead."
        )
    chosen = None if backend is not None else _chosen(profile, config, here=here)
    name = chosen.backend if chosen else str(backend)
    cls = backend_class(name)
    return Plan(
        backend=cls,
        settings=resolve(
            cls,
            given=settings or {},
            in_file=chosen.settings if chosen else {},
            where=chosen.where if chosen else "",
            folder=chosen.folder if chosen else Path(),
        ),
        profile=chosen,
    )


def _chosen(profile: str | None, config: str | os.PathLike[str] | None, *, here: bool) -> Profile:
    path = find(config, here=here)
    if path is None:
        raise ConfigurationError(
            'Name a backend, for example "local", or write a configuration file with profiles '
            "(there is none)."
        )
    found: Config = read(path)
    name = profile if profile is not None else found.default_profile
    if name is None:
        raise ConfigurationError(f"Name a backend or a profile: {path} has no default_profile.")
    return found.profile(name)

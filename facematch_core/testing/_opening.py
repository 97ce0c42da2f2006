"""A backend's class, opened with nobody behind it: for the rules that ask the vendor nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from facematch_core import ConfigurationError
from facematch_core.backend import Backend, Secret
from facematch_core.config import Plan
from facematch_core.settings import choices_of, declared_settings, resolve_settings

from ._double import VendorDouble
from ._situations import Situation


def placeholder_settings(
    cls: type[Backend], given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Settings that `cls` can be opened with: a placeholder for each secret that it needs.

    A needed setting that is no `Secret` cannot be guessed: a region, a scale or an address means
    something. A class that is no attrs class declares no settings, so that none is filled.

    Args:
        cls: The backend's class.
        given: Settings that are known; they are handed back with the others.

    Raises:
        ConfigurationError: a setting is needed that can neither be guessed nor is given.
    """
    settings = dict(given or {})
    for name, (wanted, default) in declared_settings(cls).items():
        secret = Secret in choices_of(wanted)
        if secret and isinstance(settings.get(name), str):
            settings[name] = Secret(settings[name])
        if name in settings or default is not attrs.NOTHING:
            continue
        if not secret:
            raise ConfigurationError(
                f"The backend {cls.name} needs {name}, for which there is no placeholder: give it "
                f"with --set {name}=VALUE, or declare it as a Secret if it is one."
            )
        # Each has its own, so that a report tells which of two keys it has met.
        settings[name] = Secret(f"placeholder-{name}-7c1e90d2", origin="placeholder")
    return settings


def open_alone(cls: type[Backend], given: Mapping[str, Any] | None = None) -> Backend:
    """The backend, opened as `open_verifier` opens it; the environment's keys stay out of it.

    Raises:
        ConfigurationError: as `placeholder_settings`, or the backend refuses its settings.
    """
    settings = resolve_settings(
        cls,
        given=placeholder_settings(cls, given),
        in_file={},
        where="",
        folder=Path(),
        environ={},
    )
    return Plan(backend=cls, settings=settings, profile=None).open_backend()


class Alone(VendorDouble):
    """A backend with nobody behind it: in the double's place for the rules marked `pure`.

    Args:
        cls: The backend's class.
        given: Settings that it cannot do without, of their declared types.

    Raises:
        ConfigurationError: as `placeholder_settings`.
    """

    situations = frozenset()
    requests_seen = 0
    charges = 0

    def __init__(self, cls: type[Backend], given: Mapping[str, Any] | None = None) -> None:
        self._class = cls
        self._settings = placeholder_settings(cls, given)
        self.secrets = tuple(
            value.reveal() for value in self._settings.values() if isinstance(value, Secret)
        )

    def backend(self, **settings: Any) -> Backend:
        if settings:
            # Then it is the class itself that judges them.
            return self._class(**self._settings | settings)
        return open_alone(self._class, self._settings)

    def prepare(self, situation: Situation, *, score: float | None = None) -> None:
        raise NotImplementedError(f"Nobody stands behind {self._class.name}: give it a double.")

"""What opening a verifier would use: a backend's class and its settings, each with its origin."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, overload

import attrs

from ._config import Config, FailoverProfile, Profile, find, read
from ._gating import gates_of
from ._registry import backend_class
from ._settings import Setting, resolve
from ._verifier import FaceVerifier
from .backend import Backend
from .errors import BackendUnusable, ConfigurationError, FaceMatchError
from .failover import Failover

#: What a failover cannot be given: it belongs to one member.
_OF_ONE_MEMBER = (
    "threshold",
    "liveness_threshold",
    "review_threshold",
    "liveness_review_threshold",
    "calibration",
    "gates",
)


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
            ConfigurationError: the backend refuses its settings, an argument is wrong, or a gate
                cannot be set up.
        """
        backend = self.open_backend()
        try:
            return FaceVerifier(backend, **{**self._said(backend, verifier), **verifier})
        except FaceMatchError:
            backend.close()
            raise

    def _said(self, backend: Backend, verifier: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that the profile stands for; nothing is set up that goes unused."""
        profile = self.profile
        if profile is None:
            return {}
        tables = profile.gates
        if "gates" in verifier:
            tables = {name: table for name, table in tables.items() if name == "retries"}
        gates = gates_of(
            tables,
            profile=profile.name,
            where=profile.where,
            folder=profile.folder,
            backend=backend,
            settings=self.settings,
            clock=verifier.get("clock"),
        )
        return {**profile.verifier, **gates}

    def open_backend(self) -> Backend:
        """The backend alone; `ConfigurationError` if it refuses its settings."""
        values = {s.name: s.value for s in self.settings if s.origin != "default"}
        try:
            return self.backend(**values)
        except FaceMatchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            what = type(error).__name__
        # Outside the except block: the exception may hold a key.
        raise BackendUnusable(
            f"The backend {self.backend.name} failed with {what} when it was opened: check its "
            "settings with `facematch doctor`, or report this to its author."
        )


@attrs.frozen(kw_only=True)
class FailoverPlan:
    """What opening a failover would use.

    Attributes:
        profile: The profile that names the members.
        members: Their plans by name, in their order.
    """

    profile: FailoverProfile
    members: Mapping[str, Plan]

    def open(self, **verifier: Any) -> Failover:
        """A failover; the arguments go to every member, over those of its profile.

        Raises:
            ConfigurationError: a member cannot be opened, or an argument belongs to one member.
        """
        for name in _OF_ONE_MEMBER:
            if verifier.get(name) is not None:
                raise ConfigurationError(
                    f"{self.profile.where} is a failover, whose members have their own {name}: "
                    "write it into the profile of each member."
                )
        with contextlib.ExitStack() as opened:
            members = {}
            for name, planned in self.members.items():
                members[name] = opened.enter_context(planned.open(**verifier))
            failover = Failover(members, clock=verifier.get("clock"))
            opened.pop_all()
        return failover


@overload
def plan(
    backend: str,
    *,
    profile: None = ...,
    config: None = ...,
    settings: Mapping[str, Any] | None = ...,
    here: bool = ...,
) -> Plan: ...
@overload
def plan(
    backend: str | None = ...,
    *,
    profile: str | None = ...,
    config: str | os.PathLike[str] | None = ...,
    settings: Mapping[str, Any] | None = ...,
    here: bool = ...,
) -> Plan | FailoverPlan: ...
def plan(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    here: bool = False,
) -> Plan | FailoverPlan:
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
    if backend is not None:
        return _resolved(backend, None, settings)
    found, name = _chosen(profile, config, here=here)
    chosen = found.profile(name)
    if isinstance(chosen, Profile):
        return _resolved(chosen.backend, chosen, settings)
    if settings:
        raise ConfigurationError(
            f"{chosen.where} is a failover: settings belong to one of its members."
        )
    members = {one.name: _resolved(one.backend, one, None) for one in found.singles(name)}
    return FailoverPlan(profile=chosen, members=members)


def _resolved(backend: str, profile: Profile | None, settings: Mapping[str, Any] | None) -> Plan:
    cls = backend_class(backend)
    return Plan(
        backend=cls,
        settings=resolve(
            cls,
            given=settings or {},
            in_file=profile.settings if profile else {},
            where=profile.where if profile else "",
            folder=profile.folder if profile else Path(),
        ),
        profile=profile,
    )


def _chosen(
    profile: str | None, config: str | os.PathLike[str] | None, *, here: bool
) -> tuple[Config, str]:
    """The configuration, and the name of the profile to use."""
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
    return found, name

"""From a name or a profile to a verifier."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, overload

from ._interface import Verifier
from ._verifier import FaceVerifier
from .errors import ConfigurationError


@overload
def open_verifier(
    backend: str,
    *,
    settings: Mapping[str, Any] | None = ...,
    **verifier: Any,
) -> FaceVerifier: ...
@overload
def open_verifier(
    backend: str | None = ...,
    *,
    profile: str | None = ...,
    config: str | os.PathLike[str] | None = ...,
    settings: Mapping[str, Any] | None = ...,
    **verifier: Any,
) -> Verifier: ...
def open_verifier(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    **verifier: Any,
) -> Verifier:
    """Open a verifier by the name of a backend or of a profile.

    A backend's name opens a `FaceVerifier`. A profile opens one too, or a `Failover` if it names
    `members`: ask for `Verifier` where either will do.

    Args:
        backend: A name that `available_backends` lists, for example ``local``.
        profile: Instead: a profile of the configuration file.
        config: The file; None for ``$FACEMATCH_CONFIG`` or the user's configuration folder. No
            file is read when a backend is named.
        settings: Settings of the backend, over those of the profile and the environment. Not for
            a failover.
        **verifier: Arguments of `FaceVerifier`, over those of the profile. For a failover they go
            to every member, without thresholds and gates, which are a member's own.

    Raises:
        BackendNotFound, BackendUnusable: the plug-in.
        ConfigurationError: a file, a profile or a setting; the message tells which.
    """
    # Late: a program that is handed a FaceVerifier never reads a configuration.
    from ._plan import plan

    planned = plan(backend, profile=profile, config=config, settings=settings)
    unknown = sorted(set(verifier) - set(inspect.signature(FaceVerifier).parameters))
    if unknown:
        raise ConfigurationError(
            f"open_verifier has no argument {unknown[0]}: a setting of the backend goes into "
            "settings={...}."
        )
    return planned.open(**verifier)

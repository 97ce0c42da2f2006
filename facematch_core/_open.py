"""From a name or a profile to a verifier."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from ._verifier import FaceVerifier
from .errors import ConfigurationError


def open_verifier(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    **verifier: Any,
) -> FaceVerifier:
    """Open a verifier by the name of a backend or of a profile.

    Args:
        backend: A name that `available_backends` lists, for example ``local``.
        profile: Instead: a profile of the configuration file.
        config: The file; None for ``$FACEMATCH_CONFIG`` or the user's configuration folder. No
            file is read when a backend is named.
        settings: Settings of the backend, over those of the profile and the environment.
        **verifier: Arguments of `FaceVerifier`, over those of the profile.

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

"""From --profile and --backend to contenders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from facematch_core.cli.common import Target


def openers_of(
    profiles: Iterable[str], backends: Iterable[str], config: str | None
) -> dict[str, Callable[..., Any]]:
    """Name of each contender to what opens it; profiles first.

    Raises:
        click.UsageError: there is none, or a name comes twice.
        ConfigurationError: the configuration, or a plug-in.
    """
    asked = [(name, Target(profile=name, config=config)) for name in profiles]
    asked += [(name, Target(backend=name)) for name in backends]
    if not asked:
        raise click.UsageError("Name at least one contender with --profile or --backend.")
    if config is not None and all(where.profile is None for _, where in asked):
        raise click.UsageError("--config holds profiles: name one with --profile.")
    openers: dict[str, Callable[..., Any]] = {}
    for name, where in asked:
        if name in openers:
            raise click.UsageError(
                f"{name[:60]!r} is named twice: contenders have names of their own."
            )
        openers[name] = opener_of(where)
    return openers


def opener_of(where: Target) -> Callable[..., Any]:
    """What opens one contender; a plan that cannot be made is told now.

    Raises:
        ConfigurationError: as `Target.plan`.
    """
    return where.announced().open


def opener_by_name(name: str, config: str | None) -> Callable[..., Any]:
    """What opens the profile of this name or, if there is none, the backend.

    Raises:
        ConfigurationError: the file, the profile, or there is neither.
    """
    if name in Target(config=config).profile_names():
        return opener_of(Target(profile=name, config=config))
    return opener_of(Target(backend=name))

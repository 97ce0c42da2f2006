"""From --profile, --backend and --price to contenders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from facematch_core.cli._opening import Where, single_plans
from facematch_core.cli._options import warn_of_share

if TYPE_CHECKING:
    from facematch_core.comparison.running import Price


def openers_of(
    profiles: Iterable[str], backends: Iterable[str], config: str | None
) -> dict[str, Callable[..., Any]]:
    """Name of each contender to what opens it; profiles first.

    Raises:
        click.UsageError: there is none, or a name comes twice.
        ConfigurationError: the configuration, or a plug-in.
    """
    asked = [(name, Where(profile=name, config=config)) for name in profiles]
    asked += [(name, Where(backend=name)) for name in backends]
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


def opener_of(where: Where) -> Callable[..., Any]:
    """What opens one contender; a plan that cannot be made is told now.

    Raises:
        ConfigurationError: as `Where.plan`.
    """
    planned = where.plan()
    for single in single_plans(planned):
        if single.profile is None:
            continue
        for name, value in single.profile.verifier.items():
            if name.endswith("threshold"):
                warn_of_share(f"{single.profile.where}: {name}", value)
    return planned.open


def opener_by_name(name: str, config: str | None) -> Callable[..., Any]:
    """What opens the profile of this name or, if there is none, the backend.

    Raises:
        ConfigurationError: the file, the profile, or there is neither.
    """
    from facematch_core._config import find, read

    path = find(config, here=True)
    if path is not None and name in read(path).profiles:
        return opener_of(Where(profile=name, config=config))
    return opener_of(Where(backend=name))


def prices_of(given: Mapping[str, str], currency: str) -> dict[str, Price]:
    """Name to price, of what was given as text.

    Raises:
        click.UsageError: a price is no amount, or the currency is none.
    """
    from facematch_core.comparison.running import Price

    if not re.fullmatch("[A-Z]{3}", currency):
        raise click.UsageError("--currency must be three capital letters, for example USD.")
    prices = {}
    for name, text in given.items():
        try:
            amount = Decimal(text)
        except InvalidOperation:
            amount = Decimal(-1)
        if not amount.is_finite() or amount < 0:
            raise click.UsageError(
                f"--price {name[:60]}={text[:40]}: write an amount from 0 on, for example 0.05."
            )
        prices[name] = Price(amount=amount, currency=currency)
    return prices

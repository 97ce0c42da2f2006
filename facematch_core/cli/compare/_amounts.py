"""Amounts of money, as text on a command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import click

from facematch_core.cli import common

Command = TypeVar("Command", bound=Callable[..., Any])


def price_options(help_: str) -> Callable[[Command], Command]:
    """--price and --currency, which give `prices`, still as text, and `currency`.

    Args:
        help_: Of --price.
    """

    def decorated(command: Command) -> Command:
        currency = click.option(
            "--currency",
            default="USD",
            metavar="CCC",
            help="Currency of the prices; USD by default.",
        )
        price = click.option(
            "--price",
            "prices",
            multiple=True,
            callback=common.name_values,
            metavar="NAME=AMOUNT",
            help=help_,
        )
        return price(currency(command))

    return decorated


def prices_of(given: Mapping[str, str], currency: str) -> dict[str, Decimal]:
    """Name to price, of what was given as text.

    Raises:
        click.UsageError: a price is no amount, or the currency is none.
    """
    _check_currency(currency)
    return {name: amount(f"--price {name[:60]}", text) for name, text in given.items()}


def amount(option: str, text: str) -> Decimal:
    """An amount from 0 on.

    Args:
        option: That it was given with, for the message.
        text: As typed.

    Raises:
        click.UsageError: it is none.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise click.UsageError(
            f"{option} must be an amount from 0 on, such as 0.05, not {text[:40]!r}."
        )
    return value


def _check_currency(text: str) -> None:
    """Refuse what is no code of a currency.

    Raises:
        click.UsageError: it is none.
    """
    if not re.fullmatch("[A-Z]{3}", text):
        raise click.UsageError(
            f"--currency must be three capital letters, such as USD, not {text[:40]!r}."
        )

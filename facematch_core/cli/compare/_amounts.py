"""Amounts of money, as text on a command line."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

import click


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


def check_currency(text: str) -> None:
    """Refuse what is no code of a currency.

    Raises:
        click.UsageError: it is none.
    """
    if not re.fullmatch("[A-Z]{3}", text):
        raise click.UsageError(
            f"--currency must be three capital letters, such as USD, not {text[:40]!r}."
        )

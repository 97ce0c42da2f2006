"""Bounds as text: rounded away from what they bound, so that no more is said than was shown."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

#: Digits of a bound, and the most of them where fewer would put it on the other side of a limit.
DIGITS, MOST_DIGITS = 2, 8

_UP: Final = ROUND_CEILING
_DOWN: Final = ROUND_FLOOR


def upper(value: float, limit: float | None = None) -> str:
    """An upper bound: never below `value`, and on its side of `limit`."""
    return _rounded(value, limit, _UP)


def lower(value: float, limit: float | None = None) -> str:
    """A lower bound: never above `value`, and on its side of `limit`."""
    return _rounded(value, limit, _DOWN)


def _rounded(value: float, limit: float | None, rounding: str) -> str:
    number = Decimal(repr(value))
    for digits in range(DIGITS, MOST_DIGITS + 1):
        rounded = Context(prec=digits, rounding=rounding).plus(number)
        if limit is None or _side(rounded, limit) == _side(number, limit):
            return f"{float(rounded):.{digits}g}"
    return repr(value)


def _side(number: Decimal, limit: float) -> int:
    return int(number.compare(Decimal(repr(limit))))

"""Values out of a decoded body; every function raises `ValueError`, and names the place alone."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any


def an_object(value: object, place: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise _wrong(value, place, "an object")
    return value


def a_flag(value: object, place: str) -> bool:
    """True or false, and nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise _wrong(value, place, "true or false")
    return value


def number_or_none(value: object, place: str) -> float | None:
    """A finite number, also as digits in a text; None for null and for what is missing."""
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(value, place, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{place} is not a finite number")
    return number


def milliseconds_or_none(value: object) -> datetime | None:
    """A time in UTC from milliseconds since 1970; None for anything else.

    It decides nothing, so an odd one is not worth a paid answer.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _wrong(value: object, place: str, wanted: str) -> ValueError:
    return ValueError(f"{place} is {type(value).__name__}, not {wanted}")

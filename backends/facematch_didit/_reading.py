"""Values out of a decoded JSON body, each of the type that the vendor documents.

Every function raises `ValueError` for another type; the sentence names the place, not the value.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any


def an_object(value: object, place: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise _wrong(value, place, "an object")
    return value


def a_list(value: object, place: str) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise _wrong(value, place, "an array")
    return value


def a_text(value: object, place: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise _wrong(value, place, "a text")
    return value


def text_or_none(value: object, place: str) -> str | None:
    """A text, or None for null and for what is missing."""
    return None if value is None else a_text(value, place)


def a_number(value: object, place: str) -> float:
    """A finite number; whole numbers may come for floats."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(value, place, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{place} is not a finite number")
    return number


def number_or_none(value: object, place: str) -> float | None:
    """A finite number, or None for null and for what is missing."""
    return None if value is None else a_number(value, place)


def percentage_or_none(value: object, place: str) -> float | None:
    """A number from 0 to 100, or None for null and for what is missing."""
    number = number_or_none(value, place)
    if number is not None and not 0 <= number <= 100:
        raise ValueError(f"{place} is not from 0 to 100")
    return number


def whole_or_none(value: object, place: str) -> int | None:
    """A whole number, or None for null and for what is missing."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, place, "a whole number")
    return value


def flag_or_none(value: object, place: str) -> bool | None:
    """True or false, or None for null and for what is missing."""
    if value is None or isinstance(value, bool):
        return value
    raise _wrong(value, place, "true or false")


def time_or_none(value: object, place: str) -> datetime | None:
    """A moment in UTC from ISO 8601 with ``Z`` or an offset, or None for null.

    Didit's times are UTC, so one without either is taken as that.
    """
    text = text_or_none(value, place)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{place} is not a time") from None


def _wrong(value: object, place: str, wanted: str) -> ValueError:
    return ValueError(f"{place} is {type(value).__name__}, not {wanted}")

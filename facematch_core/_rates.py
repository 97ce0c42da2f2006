"""How many calls a vendor takes in a time."""

from __future__ import annotations

import math

import attrs

from .errors import ConfigurationError


def _count(_: object, __: object, value: int) -> None:
    if type(value) is not int or value < 1:
        raise ConfigurationError(
            f"RateWindow: limit must be a whole number of calls from 1 on, not {_told(value)}. "
            "Leave the window out if there is no limit."
        )


def _seconds(_: object, __: object, value: float) -> None:
    if type(value) not in {int, float} or not 0 < value < math.inf:
        raise ConfigurationError(
            f"RateWindow: seconds must be a number above 0, not {_told(value)}."
        )


def _told(value: float) -> str:
    return f"{value:g}" if type(value) in {int, float} else type(value).__name__


@attrs.frozen
class RateWindow:
    """At most so many calls in any stretch of so many seconds.

    Args:
        limit: Calls, at least 1.
        seconds: Length of the window, above 0.

    Raises:
        ConfigurationError: a value is out of range.
    """

    limit: int = attrs.field(validator=_count)
    seconds: float = attrs.field(validator=_seconds)

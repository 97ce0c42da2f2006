"""Clocks, replaceable in tests, and rate limits."""

from __future__ import annotations

import datetime as dt
import math
import time
from typing import Protocol

import attrs

from facematch_core.errors import ConfigurationError


class Clock(Protocol):
    """The clock of a verifier; tests pass their own."""

    def now(self) -> dt.datetime:
        """Return the current time in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""
        ...

    def sleep(self, seconds: float) -> None:
        """Sleep for that many seconds, at least 0."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@attrs.frozen
class RateWindow:
    """A sliding rate limit: at most `limit` calls in any window of `seconds`.

    Args:
        limit: Calls per window, at least 1.
        seconds: Length of the window, above 0.

    Raises:
        ConfigurationError: a value is out of range.
    """

    limit: int
    seconds: float

    def __attrs_post_init__(self) -> None:
        if type(self.limit) is not int or self.limit < 1:
            raise ConfigurationError(
                "RateWindow: limit must be a whole number of calls, at least 1, not "
                f"{self.limit!r:.40}. Leave the window out if there is no limit."
            )
        if type(self.seconds) not in {int, float} or not 0 < self.seconds < math.inf:
            raise ConfigurationError(
                f"RateWindow: seconds must be a number above 0, not {self.seconds!r:.40}."
            )

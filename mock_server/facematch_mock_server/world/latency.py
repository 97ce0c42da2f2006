"""Latency: the seconds by which responses are delayed, fixed or drawn between two bounds."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from .clock import Draws
from .vendor import Vendor

#: Maximum seconds of a delay.
MAX_DELAY_S = 3600.0


def _read_s(value: object) -> float:
    """Parse seconds of real time from a number or a string; ValueError if not from 0 to 3600."""
    # The control API parses fractions as Decimal.
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise ValueError("not a number of seconds")  # noqa: TRY004 - as for any bad value
    number = float(value)
    if not 0 <= number <= MAX_DELAY_S:
        raise ValueError("not a number of seconds from 0 to 3600")
    return number


#: Seconds; or the least and the most seconds of a uniform distribution.
Latency = float | tuple[float, float]
_TAKES = "seconds from 0 to 3600, or the least and the most seconds"


def read_latency(operation: str, value: object, vendors: Iterable[Vendor]) -> Latency:
    """Parse an operation's latency: a number, a pair, or one of these as text.

    Raises ValueError if no vendor has the operation, or if the value is invalid.
    """
    operations = dict.fromkeys(name for vendor in vendors for name in vendor.operations)
    if operation not in operations:
        names = ", ".join(operations) or "none"
        raise ValueError(f"there is no operation {operation:.60}; the operations are {names}")
    with contextlib.suppress(ValueError, TypeError):
        return _read(value)
    raise ValueError(f"latency must be {_TAKES}, not {value!r:.60}")


def _read(value: object) -> Latency:
    """Return seconds, or a range of ``0.1..2`` or two numbers; raise ValueError if it is turned."""
    if isinstance(value, str) and ".." in value:
        low, _, high = value.partition("..")
        value = (low, high)
    if not isinstance(value, (list, tuple)):
        return _read_s(value)
    least_s, most_s = map(_read_s, value)
    if least_s > most_s:
        raise ValueError("the least seconds are above the most")
    return (least_s, most_s)


class Latencies:
    """The latency of each operation, at one vendor or at all vendors of an account. Thread-safe."""

    def __init__(self, draws: Draws, purpose: str, latencies: Mapping[str, Latency]) -> None:
        self._draws = draws
        self._purpose = purpose
        #: The latency by operation; 0 for none.
        self.by_operation = dict(latencies)
        self._calls: dict[str, Iterator[int]] = {}

    def next_s(self, operation: str) -> float | None:
        """Return the seconds for the operation's next call; None if no latency was set for it."""
        latency = self.by_operation.get(operation)
        if latency is None or isinstance(latency, float):
            return latency
        # `setdefault` and `next` are atomic, so no lock is needed.
        number = next(self._calls.setdefault(operation, itertools.count(1)))
        drawn = self._draws.draw(f"latency {self._purpose} {operation}", number)
        least_s, most_s = latency
        return least_s + (most_s - least_s) * drawn

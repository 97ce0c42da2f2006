"""Time that moves only when a test moves it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

#: The time of a new clock: a date that no test can mistake for today.
START = datetime(2020, 1, 1, 12, 0, tzinfo=UTC)


class ManualClock:
    """A `facematch_core.base.clock.Clock` moved by hand; `sleep` moves it and returns at once.

    Safe to share between threads.

    Args:
        start: The time of day it begins at, with an offset.

    Attributes:
        slept: Every `sleep` so far, in seconds, in order.
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError("start must carry an offset, for example tzinfo=UTC.")
        self._start = start.astimezone(UTC)
        self._passed = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        with self._lock:
            return self._passed

    def sleep(self, seconds: float) -> None:
        """Note the wait and move on by it."""
        self.advance(seconds)
        self.slept.append(seconds)

    def advance(self, seconds: float) -> None:
        """Move on by that many seconds, at least 0."""
        # Written so that NaN is refused as well.
        if not seconds >= 0:
            raise ValueError(f"A clock goes forward only, not by {seconds!r} seconds.")
        with self._lock:
            self._passed += seconds


class RunningClock(ManualClock):
    """The machine's time, but that nobody waits: `sleep` moves it on and returns at once."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))
        self._began = time.monotonic()

    def monotonic(self) -> float:
        return super().monotonic() + time.monotonic() - self._began

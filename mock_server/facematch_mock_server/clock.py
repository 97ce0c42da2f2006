"""Time that moves when a test moves it."""

from __future__ import annotations

import datetime as dt
import threading


class VirtualClock:
    """The clock of one mock world.

    It stands still unless it was made with ``running=True``; then it runs with the machine's own
    time, and `advance` moves it ahead of that.

    Args:
        start: Its first reading; None for the machine's time now.
        running: Whether it runs by itself, as the server of the command line does.
    """

    def __init__(self, start: dt.datetime | None = None, *, running: bool = False) -> None:
        self._lock = threading.Lock()
        machine = dt.datetime.now(dt.UTC)
        self._running = running
        self._base = machine
        self._now = (start or machine).astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        """The time of day, UTC; never earlier than the reading before."""
        with self._lock:
            if self._running:
                machine = dt.datetime.now(dt.UTC)
                # The machine's clock may be set back; ours never is.
                self._now += max(dt.timedelta(0), machine - self._base)
                self._base = machine
            return self._now

    def timestamp(self) -> float:
        """Seconds since 1970."""
        return self.now().timestamp()

    def advance(self, seconds: float) -> dt.datetime:
        """Let that many seconds pass at once.

        Raises:
            ValueError: it is negative or no finite number.
        """
        if not 0 <= seconds < 1e10:
            raise ValueError("the clock is moved by a number of seconds from 0 on, forward only")
        self.now()
        with self._lock:
            self._now += dt.timedelta(seconds=seconds)
            return self._now

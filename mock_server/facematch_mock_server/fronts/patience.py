"""How long a connection waits for its client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Patience:
    """A deadline that is moved often and costs one timer.

    Args:
        loop: Whose timers are used.
        expired: Called, once, when the deadline has passed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, seconds: float) -> None:
        """Wait that long from now."""
        self._deadline = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._check)

    def suspend(self) -> None:
        """Wait without an end, until the next `wait`."""
        self._deadline = None

    def stop(self) -> None:
        """The connection is closed."""
        self._deadline = None
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._check)
        else:
            self._expired()

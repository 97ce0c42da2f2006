"""How a caller that no longer waits makes a call stop, without ever losing a paid one."""

from __future__ import annotations

import threading
from contextvars import ContextVar

from .clock import Clock, SystemClock


class CallCancelled(BaseException):
    """The caller has gone, and nothing of the current try was sent. Leaves the call alone.

    No `Exception`, so that no plug-in takes it for a failure of its vendor.
    """


class Cancellation:
    """Shared by the caller of one call and the thread that makes it.

    Either the caller is first, and nothing is sent any more; or the first byte is, and the try is
    finished: both are decided under one lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._sent = False

    def cancel(self) -> bool:
        """Ask for the end. True: nothing will be sent; False: a request is under way or over."""
        with self._lock:
            self._cancelled.set()
            return not self._sent

    @property
    def cancelled(self) -> bool:
        """Whether the end was asked for."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise `CallCancelled` if the end was asked for; between two steps of a call."""
        if self._cancelled.is_set():
            raise CallCancelled

    def commit(self) -> None:
        """The first byte leaves now; or `CallCancelled`, and it must not."""
        with self._lock:
            self.check()
            self._sent = True

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Let that time pass, or raise `CallCancelled` as soon as the end is asked for."""
        if isinstance(clock, SystemClock):
            self._cancelled.wait(seconds)
        else:
            clock.sleep(seconds)  # a clock of a test passes time in its own way
        self.check()


#: That of the call which this thread makes; None outside an asynchronous verifier.
CANCELLATION: ContextVar[Cancellation | None] = ContextVar("facematch_cancellation", default=None)

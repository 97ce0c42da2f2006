"""A call that stands still where a backend is in the middle of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from facematch_core import CallEvent, EventKind

from ._bench import Bench
from ._outcome import Result

#: Seconds after which nothing is waited for any more.
PATIENCE_S = 30.0


class Midway:
    """The event hook of a verifier: stops the call of one thread at its first byte.

    What a backend holds while it asks its vendor (a lock, a connection) it holds there.
    """

    def __init__(self) -> None:
        self._thread: tuple[int, int] | None = None
        self._there, self._go_on = threading.Event(), threading.Event()

    def __call__(self, event: CallEvent) -> None:
        if event.kind is EventKind.SENT and _here() == self._thread:
            self._there.set()
            self._go_on.wait(PATIENCE_S)

    def make(self, ask: Callable[[], Result]) -> Result:
        """The call, made in a thread of its own; stopped until `go_on`."""
        self._thread = _here()
        return ask()

    def wait(self, bench: Bench, made: Future[Result]) -> None:
        """Until the call stands still, or has begun where a backend tells of no first byte."""
        before, until = bench.double.requests_seen, time.monotonic() + PATIENCE_S
        while not (self._there.wait(0.002) or made.done() or bench.double.requests_seen > before):
            assert time.monotonic() < until, "the call does not begin"

    def go_on(self) -> None:
        """Let it go on."""
        self._go_on.set()


def _here() -> tuple[int, int]:
    # A child may give a thread of its own the number of one that it left behind.
    return os.getpid(), threading.get_ident()

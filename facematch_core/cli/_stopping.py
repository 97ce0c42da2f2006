"""Ctrl-C during a batch: what is under way may be paid for, so it is waited for and written."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_TELLING = b"\nstopping: waiting for the calls that have begun (again: stop at once)\n"


class Stopping:
    """While it is entered, the first SIGINT or SIGTERM ends the batch instead of the process.

    Attributes:
        signal: The signal that came; 0 as long as none did.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread can be told of signals; elsewhere somebody else stops the batch.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        # From now on a second one does what it always did.
        self.__exit__()
        # A handler may not use a stream that the interrupted code is just writing to.
        os.write(2, _TELLING)

    def until_stopped(self, items: Iterable[T]) -> Iterator[T]:
        """`items`, up to the signal."""
        for item in items:
            if self.signal:
                return
            yield item

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
_AT_ONCE = b"\nstopped: calls that had begun may be charged, and their answers are not heard\n"
#: A progress bar hides the cursor of a terminal.
_SHOW_CURSOR = b"\x1b[?25h"


class Stopping:
    """While it is entered, the first SIGINT or SIGTERM ends the batch instead of the process.

    The second one ends the process, without waiting for anything: what was answered is on disk, and
    what was under way is found as after ``kill -9``.

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
        # A handler may not use a stream that the interrupted code is just writing to.
        if self.signal:
            os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + _AT_ONCE)
            os._exit(128 + number)
        self.signal = number
        os.write(2, _TELLING)

    def until_stopped(self, items: Iterable[T]) -> Iterator[T]:
        """`items`, up to the signal."""
        for item in items:
            if self.signal:
                return
            yield item

"""Threads for work that nobody can end: an engine, a vendor's library, a look-up of a name, a step
of a database that fell silent.

Whoever waits for such work leaves when the time is up, and the work goes on by itself. So it gets
a thread of its own, and there are only so many of them: while all are taken nothing more begins.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from .deadline import Deadline

__all__ = ["HelperThreads", "NoThread", "StillRunning"]

T = TypeVar("T")


class NoThread(Exception):
    """The work was not begun: all threads were taken until the deadline, or none could start."""


class StillRunning(Exception):
    """The deadline came before the work had ended, which goes on by itself.

    Attributes:
        future: Done when it has ended.
    """

    def __init__(self, future: Future[Any]) -> None:
        super().__init__()
        self.future = future


class HelperThreads:
    """At most `limit` threads at a time, each for one piece of work.

    They are daemons: what never ends must not keep the program from ending. Safe to share between
    threads; in the child of a fork all are free, because the parent's threads do not exist there.

    Args:
        limit: How many, at least 1.
        name: What the threads are called.
    """

    def __init__(self, limit: int, name: str) -> None:
        self.limit, self._name = limit, name
        self._free_all()
        _all_helpers.add(self)

    def _free_all(self) -> None:
        # A queue without a lock that a signal or a finaliser could find taken.
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(self.limit):
            self._places.put(None)

    def start(self, work: Callable[[], T], deadline: Deadline) -> Future[T]:
        """Begin `work`, with the context variables of this thread, as soon as a thread is free.

        Raises:
            NoThread: none was free before the deadline, or none could be started.
        """
        places, future = self._places, Future[T]()
        # A Ctrl-C may end `start` when the thread has begun: the place is given back once.
        place: list[None] = [None]
        try:
            places.get(timeout=deadline.timeout_s())
        except queue.Empty:
            raise NoThread(
                f"all {self.limit} threads are taken by earlier work that has not ended"
            ) from None
        try:
            thread = threading.Thread(
                target=contextvars.copy_context().run,
                args=(_run, work, future, places, place),
                name=self._name,
                daemon=True,
            )
            thread.start()
        except BaseException as error:
            _give_back(places, place)
            if isinstance(error, RuntimeError):
                raise NoThread("no thread could be started") from None
            raise
        return future

    def run(self, work: Callable[[], T], deadline: Deadline) -> T:
        """What `work` returns or raises.

        Raises:
            NoThread: it was not begun.
            StillRunning: it had not ended when the deadline came.
        """
        future = self.start(work, deadline)
        try:
            if not wait([future], deadline.timeout_s()).done:
                raise StillRunning(future)
            return future.result()
        finally:
            del future  # a frame that holds its own error lives until the garbage collector


def _give_back(places: queue.SimpleQueue[None], place: list[None]) -> None:
    """Free a place, the first time that it is called for it."""
    with contextlib.suppress(IndexError):
        places.put(place.pop())


def _run(
    work: Callable[[], T],
    future: Future[T],
    places: queue.SimpleQueue[None],
    place: list[None],
) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised again for whoever waits
        future.set_exception(error)
    finally:
        _give_back(places, place)
        del work, future  # likewise


_all_helpers: weakref.WeakSet[HelperThreads] = weakref.WeakSet()


def _in_child() -> None:
    for helpers in _all_helpers:
        helpers._free_all()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)

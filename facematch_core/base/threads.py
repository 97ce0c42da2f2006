"""Threads for work that nobody can end: of an engine, a vendor's library, a silent name server.

A caller leaves when its time is up. And a lock that the child of a fork finds free.
"""

from __future__ import annotations

import contextvars
import copy
import functools
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from .deadline import Deadline

__all__ = ["HelperThreads", "NoThread", "StillRunning"]

T = TypeVar("T")


class NoThread(Exception):
    """The work was not begun: all threads were taken until the deadline, or none could start."""


class StillRunning(Exception):
    """The deadline came before the work had ended, which goes on; its `future` is done then."""

    def __init__(self, future: Future[Any]) -> None:
        super().__init__()
        self.future = future


class HelperThreads:
    """At most `limit` daemon threads (at least 1) called `name` at a time, for one work each.

    Safe to share between threads. In the child of a fork all are free.
    """

    def __init__(self, limit: int, name: str) -> None:
        self.limit, self._name = limit, name
        #: The free threads, and the work under way by its key, of this process and its parents.
        self._of_process: dict[int, tuple[threading.Semaphore, dict[Hashable, Future[Any]]]] = {}

    def start(self, work: Callable[[], T], deadline: Deadline, key: Hashable = None) -> Future[T]:
        """Begin `work`, with the context variables of this thread, as soon as a thread is free.

        With a `key` it belongs to no call: it has no context variables, and whoever asks for that
        key until it has ended gets the same future. `NoThread` if it cannot begin in time.
        """
        free, under_way = self._of_process.setdefault(
            os.getpid(), (threading.Semaphore(self.limit), {})
        )
        if shared := under_way.get(key):
            return shared
        if not free.acquire(timeout=deadline.timeout_s()):
            raise NoThread(f"all {self.limit} threads are taken by work that has not ended")
        future = Future[T]()
        context = contextvars.copy_context() if key is None else contextvars.Context()

        def end() -> None:
            if under_way.get(key) is future:
                del under_way[key]
            free.release()

        is_started = False
        try:
            shared = future if key is None else under_way.setdefault(key, future)
            if shared is future:
                target = functools.partial(context.run, _run, work, future, end)
                threading.Thread(target=target, name=self._name, daemon=True).start()
                is_started = True
        except RuntimeError:
            raise NoThread("no thread could be started") from None
        finally:
            # After a Ctrl-C the work may have begun: then it cannot be cancelled, and ends itself.
            if not is_started and future.cancel():
                end()
        return shared

    def run(self, work: Callable[[], T], deadline: Deadline, key: Hashable = None) -> T:
        """Return what `work` returns; raises its error, `StillRunning` or `NoThread`."""
        future = self.start(work, deadline, key)
        try:
            error = future.exception(deadline.timeout_s())
        except (TimeoutError, CancelledError):  # or Ctrl-C met whoever was to begin it
            raise StillRunning(future) from None
        try:
            if error is None:
                return future.result()
            # The frames of one caller must not be seen from the error of another.
            raise error if key is None else copy.copy(error)
        finally:
            del future, error  # a frame that holds its own error lives until the garbage collector


def _run(work: Callable[[], T], future: Future[T], end: Callable[[], None]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        outcome = work()
    except BaseException as error:  # noqa: BLE001 - raised again for whoever waits
        end()
        future.set_exception(error)
    else:
        end()
        future.set_result(outcome)
    finally:
        del work, future, end  # likewise


def fork_safe_lock() -> threading.RLock:
    """A lock for the life of the process, which a fork waits for: make one for a module."""
    # The thread that holds it may take it again, from a finaliser that the garbage collector runs
    # between any two lines: what is done under it must stay right if it is done in its middle.
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock

"""Run uninterruptible work in threads: an engine, a vendor's library, a DNS lookup.

Callers abandon the work at their deadline. `fork_safe_lock` returns a lock that survives a fork.
"""

from __future__ import annotations

import contextvars
import copy
import functools
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import Any, Final, TypeVar

from .deadline import Deadline

__all__ = [
    "DEFAULT_CONCURRENCY",
    "DEFAULT_WORKERS",
    "MAX_WORKERS",
    "HelperThreads",
    "NoThread",
    "StillRunning",
    "fulfil",
]

T = TypeVar("T")

#: Concurrent calls of a batch, by default and at most. More would not help: a vendor's rate limit
#: or this machine's CPU is the bottleneck.
DEFAULT_WORKERS: Final = 4
MAX_WORKERS: Final = 256
#: Concurrent calls of an async verifier, and of async sessions, by default.
DEFAULT_CONCURRENCY: Final = 64


class NoThread(Exception):
    """The work was not started: all threads were busy until the deadline, or none could start."""


class StillRunning(Exception):
    """The deadline passed while the work was running. It continues, and will complete `future`."""

    def __init__(self, future: Future[Any]) -> None:
        super().__init__()
        self.future = future


class _Tasks:
    """The running tasks of a process: a semaphore of free threads, and the futures of shared work.

    `shared` has the futures by key, until their work ends.
    """

    def __init__(self, limit: int) -> None:
        self.free = threading.Semaphore(limit)
        self.shared: dict[Hashable, Future[Any]] = {}


class HelperThreads:
    """Runs each task in a daemon thread named `name`, at most `limit` (1 or more) at a time.

    Thread-safe. After a fork, all threads of the child are free.
    """

    def __init__(self, limit: int, name: str) -> None:
        self.limit = limit
        self._name = name
        #: By process id, because a fork copies the parent's threads as busy.
        self._tasks_by_process: dict[int, _Tasks] = {}

    def start(self, work: Callable[[], T], deadline: Deadline, key: Hashable = None) -> Future[T]:
        """Start `work` with the context variables of this thread, once a thread is free.

        Work with a `key` is shared: it has no context variables, and callers with the same key get
        the same future until it ends. Raise `NoThread` if the work cannot start in time.
        """
        process = os.getpid()
        tasks = self._tasks_by_process.get(process)
        if tasks is None:  # `setdefault`, because another thread may have been faster
            tasks = self._tasks_by_process.setdefault(process, _Tasks(self.limit))
        running = tasks.shared.get(key)
        if running is not None:
            return running
        if not tasks.free.acquire(timeout=deadline.timeout_s()):
            raise NoThread(f"all {self.limit} threads are still busy")
        future = Future[T]()
        context = contextvars.copy_context() if key is None else contextvars.Context()

        def end() -> None:
            if tasks.shared.get(key) is future:
                del tasks.shared[key]
            tasks.free.release()

        is_started = False
        try:
            # Another thread may have started the same work since the look-up above.
            winner = future if key is None else tasks.shared.setdefault(key, future)
            if winner is future:
                target = functools.partial(context.run, fulfil, future, work, end)
                threading.Thread(target=target, name=self._name, daemon=True).start()
                is_started = True
        except RuntimeError:
            raise NoThread("no thread could be started") from None
        finally:
            # After Ctrl-C, the work may be running. Then `cancel` fails, and `fulfil` calls `end`.
            if not is_started and future.cancel():
                end()
        return winner

    def run(self, work: Callable[[], T], deadline: Deadline, key: Hashable = None) -> T:
        """Return the result of `work`; raise its error, `StillRunning` or `NoThread`.

        Work with a `key` is shared, as in `start`.
        """
        future = self.start(work, deadline, key)
        try:
            error = future.exception(deadline.timeout_s())
        except (TimeoutError, CancelledError):  # cancelled: Ctrl-C in the thread that started it
            raise StillRunning(future) from None
        try:
            if error is None:
                return future.result()
            # Copied, so that callers do not share a traceback.
            raise error if key is None else copy.copy(error)
        finally:
            del future, error  # avoid a reference cycle between this frame and the error


def fulfil(
    future: Future[T], work: Callable[[], T], end: Callable[[], object] = lambda: None
) -> None:
    """Run `work` in this thread unless its future was cancelled; call `end` before the result."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        outcome = work()
    except BaseException as error:  # noqa: BLE001 - raised again where the future is read
        end()
        future.set_exception(error)
    else:
        end()
        future.set_result(outcome)
    finally:
        del work, future, end  # break the reference cycle


def fork_safe_lock() -> threading.RLock:
    """Return a module's lock that is held during forks, so that it is unlocked in the child."""
    # Reentrant, because the garbage collector may run a finaliser that takes the lock in the thread
    # that holds it. So code under this lock must tolerate reentrancy.
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock

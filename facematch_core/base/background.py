"""A bounded queue of work for background threads, which never blocks whoever adds to it."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

T = TypeVar("T")

#: Seconds without an item after which a thread ends. The next item starts a new one.
_IDLE_S = 10.0


@attrs.define(eq=False)
class _Line(Generic[T]):
    """The items of one process that wait, and its threads."""

    #: The waiting items, each with its size in bytes, the oldest first.
    items: deque[tuple[T, int]] = attrs.field(factory=deque)
    #: The sum of the sizes.
    total_bytes: int = 0
    #: Number of threads, and how many of them are working on items.
    threads: int = 0
    working: int = 0
    #: Number of callers who wait until no item is left.
    waiting_callers: int = 0
    #: Whether the threads end as soon as nothing waits.
    is_closing: bool = False
    changed: threading.Condition = attrs.field(factory=threading.Condition)


class BackgroundQueue(Generic[T]):
    """Passes items to `work` in daemon threads, in order; refuses an item if it is full.

    Thread-safe. A forked child has an empty queue: the parent works on its items. The items that
    wait are lost at the end of the process.

    Args:
        work: Called with a list of at most `batch` items. It must not raise, and should empty the
            list as soon as it can.
        name: Name of the threads.
        most_items: Maximum number of waiting items.
        most_bytes: Maximum sum of the sizes of the waiting items.
        threads: Maximum number of threads, started on demand.
        batch: Maximum number of items that `work` is called with.
        gather_s: Seconds that a thread waits for more items of a batch.
    """

    def __init__(
        self,
        work: Callable[[list[T]], None],
        name: str,
        *,
        most_items: int,
        most_bytes: float = float("inf"),
        threads: int = 1,
        batch: int = 1,
        gather_s: float = 0.0,
    ) -> None:
        """Prepare the queue; its threads start with the first item.

        `work` is given up to `batch` items at once, gathered for `gather_s` seconds. Beyond
        `most_items` or `most_bytes` items are refused.
        """
        self._work = work
        self._name = name
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._most_threads = threads
        self._batch = batch
        self._gather_s = gather_s
        #: By process id, because a fork copies the parent's lines, perhaps while they are locked.
        self._lines: dict[int, _Line[T]] = {}
        _queues.add(self)

    def offer(self, item: T, size_bytes: int = 0) -> bool:
        """Add an item; return False if the queue is full, or no thread can be started."""
        line = self._line()
        with line.changed:
            is_full = len(line.items) >= self._most_items
            if is_full or line.total_bytes + size_bytes > self._most_bytes:
                return False
            needs_thread = line.threads - line.working <= len(line.items)
            if needs_thread and line.threads < self._most_threads:
                has_thread = self._start_thread(line)
                if not has_thread and line.threads == 0:
                    return False
            line.items.append((item, size_bytes))
            line.total_bytes += size_bytes
            line.is_closing = False
            # All, because one of them may be a caller of `wait`, who has nothing to do with it.
            line.changed.notify_all()
            return True

    def wait(self, timeout_s: float, is_done: Callable[[], bool] = lambda: False) -> bool:
        """Wait until no item waits or is worked on; return whether that is so.

        Args:
            timeout_s: Maximum number of seconds.
            is_done: Asked after each batch: whether the caller need not wait any longer.
        """
        line = self._line()
        with line.changed:
            line.waiting_callers += 1
            line.changed.notify_all()
            try:
                line.changed.wait_for(
                    lambda: is_done() or not (line.items or line.working), timeout_s
                )
                return not (line.items or line.working)
            finally:
                line.waiting_callers -= 1

    def take_waiting(self) -> list[T]:
        """Return the items that wait, without those that are worked on, and forget them."""
        line = self._line()
        with line.changed:
            waiting = [item for item, _size in line.items]
            line.items.clear()
            line.total_bytes = 0
            line.changed.notify_all()
            return waiting

    def close(self, timeout_s: float) -> list[T]:
        """Wait for all items, at most so long; end the threads, and return what still waited.

        A thread that is still working ends after its items. `offer` opens the queue again.
        """
        line = self._line()
        end_s = time.monotonic() + timeout_s
        self.wait(timeout_s)
        left = self.take_waiting()
        with line.changed:
            line.is_closing = True
            line.changed.notify_all()
            # The threads have nothing more to do, so that this wait is short.
            line.changed.wait_for(lambda: line.threads <= line.working, end_s - time.monotonic())
        return left

    def forget_all(self) -> None:
        """Drop every item, in a forked child."""
        self._lines.clear()

    def _line(self) -> _Line[T]:
        process = os.getpid()
        line = self._lines.get(process)
        if line is None:  # `setdefault`, because another thread may have been faster
            line = self._lines.setdefault(process, _Line())
        return line

    def _start_thread(self, line: _Line[T]) -> bool:
        """Start a thread; return False if the system refuses one."""
        thread = threading.Thread(target=self._run, args=(line,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        line.threads += 1
        return True

    def _run(self, line: _Line[T]) -> None:
        """Work on items in this thread, until none comes for a while."""
        while True:
            with line.changed:
                has_item = line.changed.wait_for(lambda: line.items or line.is_closing, _IDLE_S)
                if not has_item or not line.items:
                    line.threads -= 1
                    line.changed.notify_all()
                    return
                line.working += 1
                line.changed.wait_for(lambda: self._is_batch_ready(line), self._gather_s)
                batch = self._take_batch(line)
            try:
                self._work(batch)
            finally:
                # The list would keep pictures alive while the thread waits for the next item.
                batch.clear()
                with line.changed:
                    line.working -= 1
                    line.changed.notify_all()

    def _is_batch_ready(self, line: _Line[T]) -> bool:
        """Return whether a batch is full, or somebody waits for it."""
        is_awaited = line.is_closing or line.waiting_callers > 0
        return is_awaited or len(line.items) >= self._batch

    def _take_batch(self, line: _Line[T]) -> list[T]:
        batch: list[T] = []
        while line.items and len(batch) < self._batch:
            item, size_bytes = line.items.popleft()
            line.total_bytes -= size_bytes
            batch.append(item)
        return batch


#: All queues of this process.
_queues: weakref.WeakSet[BackgroundQueue[Any]] = weakref.WeakSet()


def _in_child() -> None:
    for queue in tuple(_queues):
        queue.forget_all()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)

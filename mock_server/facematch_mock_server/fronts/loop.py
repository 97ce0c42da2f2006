"""The one event loop, in one daemon thread, that all servers of a process share."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from .buffers import Buffers, keep_freed_pages

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

#: How many slow requests are worked on at once.
_WORKERS = 8


class LoopThread:
    """An event loop in a thread of its own. It runs from `__init__` to `close`.

    Attributes:
        loop: The loop.
        buffers: Used by its thread alone.
        listening: Open sockets that the child of a fork has to close.
    """

    def __init__(self) -> None:
        keep_freed_pages()
        self.loop = asyncio.new_event_loop()
        self.buffers = Buffers()
        self.listening: set[socket.socket] = set()
        self._workers: ThreadPoolExecutor | None = None
        self._thread = threading.Thread(target=self._main, name="facematch-mock", daemon=True)
        self._thread.start()

    @property
    def workers(self) -> ThreadPoolExecutor:
        """Threads for what would hold the loop up."""
        if self._workers is None:
            # Not above: only the local engine is so slow.
            from concurrent.futures import ThreadPoolExecutor

            self._workers = ThreadPoolExecutor(_WORKERS, "facematch-mock-worker")
        return self._workers

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it.

        Raises:
            RuntimeError: called on the loop's own thread, where waiting would never end.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a mock server is started and stopped from another thread")
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def close(self) -> None:
        """End the loop and its thread. Slow requests end by themselves; nobody waits for them."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)

    def _main(self) -> None:
        self.loop.run_forever()
        # A connection that was accepted while its server stopped is still being set up.
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(_settled(tasks))
        self.loop.close()


async def _settled(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
    # Transports tell their protocols one turn after they were closed.
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class _Shared:
    """The loop of this process, and how many servers hold it."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.thread: LoopThread | None = None
        self.users = 0


_shared = _Shared()


def acquire() -> LoopThread:
    """The loop of this process; it is started for the first who asks."""
    with _shared.lock:
        if _shared.thread is None:
            _shared.thread = LoopThread()
        _shared.users += 1
        return _shared.thread


def is_ours(thread: LoopThread) -> bool:
    """Whether it runs in this process: after a fork it does so in the parent alone."""
    return thread is _shared.thread


def release(thread: LoopThread) -> None:
    """Hand back what `acquire` gave; with the last one the loop ends."""
    with _shared.lock:
        _shared.users -= 1
        if _shared.users:
            return
        _shared.thread = None
    thread.close()


def _forget() -> None:
    """In the child of a fork there is no loop, whatever the parent had."""
    inherited = _shared.thread
    _shared.begin()
    if inherited is not None:
        # Else the ports would stay open until the child ends.
        for listener in tuple(inherited.listening):
            listener.close()
        # Kept, so that the loop is not closed: its selector is the parent's too.
        _inherited.append(inherited)


_inherited: list[LoopThread] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

"""A bounded memory of what was found in pictures, each computed once.

What it holds is biometric data: it stays in memory and shows itself nowhere.
"""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import NoReturn

from ._faces import PictureFaces


class _Memory:
    """What one process remembers; a forked child takes a new one, for its lock may stay locked."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.futures = collections.OrderedDict[Hashable, Future[PictureFaces]]()
        self.computed = 0


class FaceCache:
    """Least recently used first out. Safe across threads; a forked child begins empty."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._last_memory = _Memory()

    @property
    def memory(self) -> _Memory:
        """That of this process."""
        if self._last_memory.pid != os.getpid():
            self._last_memory = _Memory()
        return self._last_memory

    def get(self, key: Hashable, compute: Callable[[], PictureFaces]) -> PictureFaces:
        """What `compute` answers, once for all threads that ask; no error is remembered."""
        memory = self.memory
        with memory.lock:
            future = memory.futures.get(key)
            is_first = future is None
            if future is None:
                future = memory.futures[key] = Future()
                memory.computed += 1
            memory.futures.move_to_end(key)
        if not is_first:
            return future.result()
        try:
            future.set_result(compute())
        except BaseException as error:
            with memory.lock:
                memory.futures.pop(key, None)
            future.set_exception(error)
            raise
        with memory.lock:
            while len(memory.futures) > self._size:
                memory.futures.popitem(last=False)
        return future.result()

    def clear(self) -> None:
        """Forget everything."""
        memory = self.memory
        with memory.lock:
            memory.futures.clear()

    def __reduce__(self) -> NoReturn:
        raise TypeError("Embeddings are biometric data and are not pickled.")

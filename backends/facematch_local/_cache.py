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

from ._found import Found


class _Memory:
    """What one process remembers. Replaced as a whole in a forked child: a lock that another
    thread held when the process forked stays locked there for ever."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.found: collections.OrderedDict[Hashable, Future[Found]] = collections.OrderedDict()
        self.computed = 0


class FoundCache:
    """Least recently used first out. Safe across threads; a forked child begins empty."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = _Memory()

    def _own(self) -> _Memory:
        if self._memory.pid != os.getpid():
            self._memory = _Memory()
        return self._memory

    @property
    def computed(self) -> int:
        """How many pictures were looked at, cached ones not counted again."""
        return self._own().computed

    def get(self, key: Hashable, compute: Callable[[], Found]) -> Found:
        """What `compute` answers for this key, from memory if it is there.

        Threads that ask for one key at the same time wait for the first of them. An error is
        raised in all of them and is not remembered.
        """
        memory = self._own()
        with memory.lock:
            future = memory.found.get(key)
            first = future is None
            if future is None:
                future = memory.found[key] = Future()
                memory.computed += 1
            memory.found.move_to_end(key)
        if first:
            self._fill(memory, key, future, compute)
        return future.result()

    def _fill(
        self,
        memory: _Memory,
        key: Hashable,
        future: Future[Found],
        compute: Callable[[], Found],
    ) -> None:
        try:
            future.set_result(compute())
        except BaseException as error:
            with memory.lock:
                memory.found.pop(key, None)
            future.set_exception(error)
            raise
        with memory.lock:
            while len(memory.found) > self._size:
                memory.found.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        memory = self._own()
        with memory.lock:
            memory.found.clear()

    def __reduce__(self) -> NoReturn:
        raise TypeError("Embeddings are biometric data and are not pickled.")

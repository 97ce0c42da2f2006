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


class FoundCache:
    """Least recently used first out. Safe across threads; a forked child begins empty.

    Args:
        size: How many pictures are remembered, at least 0. One takes about 2 kB.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._begin()

    def _begin(self) -> None:
        # A lock that another thread held when the process forked stays locked in the child.
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._found: collections.OrderedDict[Hashable, Future[Found]] = collections.OrderedDict()
        self._computed = 0

    @property
    def computed(self) -> int:
        """How many pictures were looked at, cached ones not counted again."""
        return self._computed

    def get(self, key: Hashable, compute: Callable[[], Found]) -> Found:
        """What `compute` answers for this key, from memory if it is there.

        Threads that ask for one key at the same time wait for the first of them. An error is
        raised in all of them and is not remembered.
        """
        if self._pid != os.getpid():
            self._begin()
        with self._lock:
            future = self._found.get(key)
            first = future is None
            if future is None:
                future = self._found[key] = Future()
                self._computed += 1
            self._found.move_to_end(key)
        if first:
            self._fill(key, future, compute)
        return future.result()

    def _fill(self, key: Hashable, future: Future[Found], compute: Callable[[], Found]) -> None:
        try:
            future.set_result(compute())
        except BaseException as error:
            with self._lock:
                self._found.pop(key, None)
            future.set_exception(error)
            raise
        with self._lock:
            while len(self._found) > self._size:
                self._found.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._found.clear()

    def __reduce__(self) -> NoReturn:
        raise TypeError("Embeddings are biometric data and are not pickled.")

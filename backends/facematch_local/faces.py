"""What the engine saw in one picture, and a bounded memory of it, each computed once.

It is biometric data: it stays in memory and shows itself nowhere.
"""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import attrs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FaceBox(NamedTuple):
    """A face in pixels of the upright picture; right and bottom are the first outside of it."""

    left: int
    top: int
    right: int
    bottom: int
    #: dlib's detection score, at least 0.25, seldom above 3.
    confidence: float


@attrs.frozen(kw_only=True, eq=False)
class PictureFaces:
    """What the engine saw in one picture. It is never pickled: an embedding is biometric data."""

    #: The largest first, which all that is None without a face is about.
    boxes: tuple[FaceBox, ...]
    #: Width and height in pixels of the upright picture, turned by `angle`.
    size: tuple[int, int]
    #: Degrees clockwise, after the EXIF orientation.
    angle: int = 0
    #: (128,), read-only; its length is not 1.
    embedding: NDArray[np.float32] | None = attrs.field(default=None, repr=False)
    #: Width of the face in pixels of the full size, at least 1.
    face_px: int | None = None
    #: Mean brightness of the face, 0-100.
    luminance: float | None = None
    #: Variance of the Laplacian of the face, scaled to 100 x 100 grey levels 0-255.
    sharpness: float | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("PictureFaces holds biometric data and can be neither pickled nor copied")


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

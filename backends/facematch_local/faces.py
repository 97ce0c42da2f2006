"""`PictureFaces`, the faces that the engine found in a picture, and an LRU cache of them.

Both contain biometric data, which stays in memory and never appears in a repr, pickle or log.
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
    """A face box in pixels of the upright picture; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int
    #: YuNet's confidence that this is a face, 0.6-1.
    confidence: float


@attrs.frozen(kw_only=True, eq=False)
class PictureFaces:
    """The faces of one picture. Not picklable: an embedding is biometric data.

    Attributes:
        boxes: The faces, the largest first.
        size: Width and height in pixels of the upright picture, turned by `angle`.
        angle: Degrees clockwise, after the EXIF orientation.
        embedding: Embedding of the largest face, shape (128,), read-only, normalized to length 1.
            Like the following attributes, None if there is no face.
        face_px: Width of the largest face in pixels of the full-size picture, at least 1.
        luminance: Mean brightness of the largest face, 0-100.
        sharpness: Variance of its Laplacian, at 100 x 100 pixels with gray levels 0-255.
    """

    boxes: tuple[FaceBox, ...]
    size: tuple[int, int]
    angle: int = 0
    embedding: NDArray[np.float32] | None = attrs.field(default=None, repr=False)
    face_px: int | None = None
    luminance: float | None = None
    sharpness: float | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("PictureFaces is biometric data and can be neither pickled nor copied")


class _Memory:
    """The cache of one process. A forked child creates its own: the parent's lock may be held."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.futures = collections.OrderedDict[Hashable, Future[PictureFaces]]()
        self.computed = 0


class FaceCache:
    """LRU cache of `PictureFaces`. Thread-safe; empty in a forked child.

    Args:
        size: Maximum number of pictures, at least 0.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._last_memory = _Memory()

    @property
    def memory(self) -> _Memory:
        """The cache of this process."""
        if self._last_memory.pid != os.getpid():
            self._last_memory = _Memory()
        return self._last_memory

    def get(self, key: Hashable, compute: Callable[[], PictureFaces]) -> PictureFaces:
        """Return the cached faces, or compute them once for all threads. Does not cache errors."""
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
        """Remove all entries."""
        memory = self.memory
        with memory.lock:
            memory.futures.clear()

    def __reduce__(self) -> NoReturn:
        raise TypeError("Embeddings are biometric data and cannot be pickled.")

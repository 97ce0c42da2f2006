"""Buffers for the bodies of requests, used again and again."""

from __future__ import annotations

import functools

#: Smallest buffer of the pool; they come in powers of two of it.
_SMALLEST = 16 * 1024

#: How many bytes in all lie idle at most.
_IDLE_BYTES = 32 * 1024 * 1024


#: Size of the block that `keep_freed_pages` frees; glibc learns from none above 32 MiB.
_LESSON_BYTES = 16 * 1024 * 1024


@functools.cache
def keep_freed_pages() -> None:
    """Let the C library keep what is freed, up to twice `_LESSON_BYTES`, for the next request.

    glibc raises the size from which it gives memory back to the system when it sees a block come
    and go. Unless it has, it does so with every pair of pictures that the engine has done with:
    a fifth of the throughput is left. The block is never touched, so it costs no memory;
    elsewhere than on glibc this does nothing. One lesson lasts as long as the process; a second one
    would be dear, for the block would be zeroed.
    """
    bytes(_LESSON_BYTES)


class Buffers:
    """A free list of buffers. For one thread.

    Allocating and freeing a body with every request makes the C library give the pages back and
    fault them in anew; with sixteen uploads under way that halves the throughput.

    Attributes:
        scratch: Where every connection of the thread reads what is no body; its content is taken
            before the next read.
    """

    def __init__(self) -> None:
        self.scratch = memoryview(bytearray(64 * 1024))
        self._free: dict[int, list[bytearray]] = {}
        self._idle_bytes = 0

    def take(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes, with anything in it."""
        room = max(_SMALLEST, 1 << (size - 1).bit_length())
        free = self._free.get(room)
        if not free:
            return bytearray(room)
        self._idle_bytes -= room
        return free.pop()

    def give(self, buffer: bytearray) -> None:
        """Hand a buffer back that `take` gave."""
        if self._idle_bytes + len(buffer) > _IDLE_BYTES:
            return
        self._idle_bytes += len(buffer)
        self._free.setdefault(len(buffer), []).append(buffer)

"""What is kept of a file, put together with one copy; with none, if all of it is kept."""

from __future__ import annotations


class Pieces:
    """Stretches of a file, and new bytes between them, in their order.

    Args:
        data: The file that they are taken from.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._view = memoryview(data)
        self._before: list[memoryview | bytes] = []
        # The stretch that may still grow.
        self._start = self._end = 0

    def keep(self, start: int, end: int) -> None:
        """Add the bytes of the file from `start` to `end`."""
        if start != self._end:
            self._finish()
            self._start = start
        self._end = end

    def put(self, new: bytes) -> None:
        """Add `new`, which may be what stands at that place of the file anyway."""
        if self._data.startswith(new, self._end):
            self._end += len(new)
            return
        self._finish()
        self._before.append(new)
        self._start = self._end

    def joined(self) -> bytes:
        """All of them; the very file if nothing was left out or changed."""
        if not self._before and self._start == 0 and self._end == len(self._data):
            return self._data
        self._finish()
        return b"".join(self._before)

    def _finish(self) -> None:
        if self._end > self._start:
            self._before.append(self._view[self._start : self._end])
        self._start = self._end

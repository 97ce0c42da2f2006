"""The pictures of saved calls: in memory only, and not for ever."""

from __future__ import annotations

import threading
from collections import OrderedDict

#: Pictures up to this many bytes in all are kept.
MAX_BYTES = 256 * 1024 * 1024


class Pictures:
    """Pictures by name, each name once; what was kept longest ago goes first. Safe across threads.

    Nothing of them is ever written down.

    Args:
        max_bytes: That are kept in all, at least 0. A larger picture is not kept.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def __repr__(self) -> str:
        return f"Pictures({len(self._known)} pictures, {self._bytes} bytes)"

    @property
    def kept_bytes(self) -> int:
        """How many bytes are held, at most `max_bytes`."""
        return self._bytes

    def keep(self, name: str, picture: bytes) -> None:
        """Keep a picture; one that is there already is the newest again."""
        with self._lock:
            if name in self._known:
                self._known.move_to_end(name)
                return
            self._known[name] = picture
            self._bytes += len(picture)
            while self._bytes > self._max_bytes:
                _, oldest = self._known.popitem(last=False)
                self._bytes -= len(oldest)

    def find(self, name: str) -> bytes | None:
        """The picture of that name, or None if it is not kept, or no longer."""
        with self._lock:
            return self._known.get(name)

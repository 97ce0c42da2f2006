"""The pictures that clients have sent to a server."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping

#: The maximum total size of stored pictures in bytes.
MAX_BYTES = 64 * 1024 * 1024


class Pictures:
    """LRU cache of pictures, keyed by SHA-256. Thread-safe."""

    #: A sample covers a picture's first `long` bytes.
    long = 64 * 1024

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        #: The SHA-256 of each picture, by sample.
        self._digests: dict[tuple[int, bytes], str] = {}
        self.kept_bytes = 0

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Store pictures, or mark stored ones as the newest."""
        with self._lock:
            for digest, content in contents.items():
                if digest not in self._pictures:
                    self._pictures[digest] = bytes(content)
                    self._digests[_sample(content, 0, len(content))] = digest
                    self.kept_bytes += len(content)
                self._pictures.move_to_end(digest)
            while self.kept_bytes > self._max_bytes:
                _, content = self._pictures.popitem(last=False)
                self.kept_bytes -= len(content)
                self._digests.pop(_sample(content, 0, len(content)), None)

    def find(self, digest: str | None) -> bytes | None:
        """Return the picture with this SHA-256; None if it is not stored."""
        return self._pictures.get(digest or "")

    def find_at(
        self, body: bytes | bytearray, start: int, size: int | None = None
    ) -> tuple[str, bytes] | None:
        """Return the SHA-256 and content of the stored picture at `start` in `body`, or None.

        `size` is the size of the picture in bytes; None if unknown.
        """
        # Comparing with a stored picture is about twenty times as fast as hashing.
        digest = self._digests.get(_sample(body, start, size or self.long), "")
        try:
            # Each step is atomic, so no lock is needed.
            self._pictures.move_to_end(digest)
            content = self._pictures[digest]
        except KeyError:
            return None
        if size is not None and size != len(content):
            return None
        return (digest, content) if body.startswith(content, start) else None

    def digest(
        self, body: bytes | bytearray, start: int = 0, end: int | None = None
    ) -> tuple[str, bytes]:
        """Store the picture between two offsets of `body`, and return its SHA-256 and content."""
        if end is None:
            end = len(body)
        stored = self.find_at(body, start, end - start)
        if stored is not None:
            return stored
        content = bytes(memoryview(body)[start:end])
        digest = hashlib.sha256(content).hexdigest()
        self.keep({digest: content})
        return digest, content


def _sample(body: bytes | bytearray, start: int, size: int) -> tuple[int, bytes]:
    """Return a sample of a picture's bytes: at most about 256 of its first `Pictures.long`."""
    size = min(size, Pictures.long)
    return size, bytes(body[start : start + size : size // 256 or 1])

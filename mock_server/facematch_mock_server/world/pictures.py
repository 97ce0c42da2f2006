"""The pictures that clients have sent to a server."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping

import attrs

#: The maximum total size of stored pictures in bytes.
MAX_BYTES = 64 * 1024 * 1024


@attrs.frozen
class StoredPicture:
    """A picture and its SHA-256 in hexadecimal."""

    digest: str
    content: bytes = attrs.field(repr=False)


class Pictures:
    """LRU cache of pictures, keyed by SHA-256. Thread-safe."""

    #: A sample covers a picture's first `long` bytes.
    long = 64 * 1024

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        #: The pictures by digest, the least recently used first.
        self._pictures: OrderedDict[str, StoredPicture] = OrderedDict()
        #: The SHA-256 of each picture, by sample.
        self._digests: dict[tuple[int, bytes], str] = {}
        self.kept_bytes = 0

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Store pictures by SHA-256, or mark stored ones as the newest."""
        with self._lock:
            for digest, content in contents.items():
                if digest not in self._pictures:
                    self._pictures[digest] = StoredPicture(digest, bytes(content))
                    self._digests[_sample_of_first_bytes(content, 0, len(content))] = digest
                    self.kept_bytes += len(content)
                self._pictures.move_to_end(digest)
            while self.kept_bytes > self._max_bytes:
                _, oldest = self._pictures.popitem(last=False)
                self.kept_bytes -= len(oldest.content)
                self._digests.pop(
                    _sample_of_first_bytes(oldest.content, 0, len(oldest.content)), None
                )

    def find(self, digest: str | None) -> bytes | None:
        """Return the picture with this SHA-256; None if it is not stored."""
        stored = self._pictures.get(digest or "")
        return None if stored is None else stored.content

    def find_at(
        self, body: bytes | bytearray, start: int, size: int | None = None
    ) -> StoredPicture | None:
        """Return the stored picture at `start` in `body`, or None.

        `size` is the size of the picture in bytes. None if it is unknown: then only a picture of at
        least `long` bytes is found.
        """
        # Comparing with a stored picture is about twenty times as fast as hashing.
        digest = self._digests.get(_sample_of_first_bytes(body, start, size or self.long), "")
        try:
            # Each step is atomic, so no lock is needed.
            self._pictures.move_to_end(digest)
            stored = self._pictures[digest]
        except KeyError:
            return None
        if size is not None and size != len(stored.content):
            return None
        return stored if body.startswith(stored.content, start) else None

    def store(
        self, body: bytes | bytearray, start: int = 0, end: int | None = None
    ) -> StoredPicture:
        """Store the picture between two offsets of `body`, and return it."""
        if end is None:
            end = len(body)
        stored = self.find_at(body, start, end - start)
        if stored is not None:
            return stored
        content = bytes(memoryview(body)[start:end])
        picture = StoredPicture(hashlib.sha256(content).hexdigest(), content)
        self.keep({picture.digest: content})
        return picture


def _sample_of_first_bytes(body: bytes | bytearray, start: int, size: int) -> tuple[int, bytes]:
    """Return a sample of a picture's bytes: at most about 256 of its first `Pictures.long`."""
    size = min(size, Pictures.long)
    return size, bytes(body[start : start + size : size // 256 or 1])

"""The pictures of all accounts of one server: an LRU cache by SHA-256, within one bound."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping

#: Most bytes of pictures that are kept.
MAX_BYTES = 64 * 1024 * 1024


class Pictures:
    """LRU cache of pictures by SHA-256. Safe across threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        #: SHA-256 by length and a sample of the whole content; many pictures begin and end alike.
        self._digests: dict[tuple[int, bytes], str] = {}
        self.kept_bytes = 0

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Keep these pictures as the newest."""
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
        """Return the picture with this SHA-256, or None if it is not kept."""
        return self._pictures.get(digest or "")

    def digest(
        self, body: bytes | bytearray, start: int = 0, end: int | None = None
    ) -> tuple[str, bytes]:
        """Return SHA-256 and content of the picture between two places of `body`, and keep it."""
        # A known picture is compared byte by byte, about twenty times faster than hashing it.
        sample = _sample(body, start, len(body) if end is None else end)
        digest = self._digests.get(sample)
        if digest is not None:
            content = self._pictures.get(digest)
            if content is not None and body.startswith(content, start):
                with self._lock:
                    if digest in self._pictures:
                        self._pictures.move_to_end(digest)
                return digest, content
        content = bytes(memoryview(body)[start:end])
        digest = hashlib.sha256(content).hexdigest()
        self.keep({digest: content})
        return digest, content


def _sample(body: bytes | bytearray, start: int, end: int) -> tuple[int, bytes]:
    length = end - start
    return length, bytes(body[start : end : length // 256 or 1])

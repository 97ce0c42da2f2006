"""The pictures of all accounts of one server: each once, whoever has it, and within one bound."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping

import attrs

from .services import MAX_SESSIONS

#: So many bytes in all are remembered.
MAX_BYTES = 64 * 1024 * 1024


@attrs.define(eq=False)
class _Picture:
    content: bytes
    #: Owners with their pages that show it.
    places: set[tuple[Hashable, str]] = attrs.field(factory=set)


class Pictures:
    """Pictures by name, within a bound; one goes with the last page (a session) that shows it."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_pages: int = MAX_SESSIONS) -> None:
        self._max_bytes, self._max_pages = max_bytes, max_pages
        self._lock = threading.RLock()
        self._pictures: OrderedDict[str, _Picture] = OrderedDict()
        #: By length and a sample from all over the content, because pictures begin and end alike.
        self._digests: dict[tuple[int, bytes], str] = {}
        #: The names on each page, by owner.
        self._pages: dict[Hashable, dict[str, set[str]]] = {}
        self.kept_bytes = 0

    def add_owner(self, owner: Hashable) -> None:
        """From now on, until `remove_owner`, pictures are kept for this owner."""
        self._pages[owner] = {}

    def remove_owner(self, owner: Hashable) -> None:
        """All that this owner has goes, and nothing more is kept for it."""
        with self._lock:
            for page in tuple(self._pages.get(owner, ())):
                self.forget(owner, page)
            self._pages.pop(owner, None)

    def keep(self, owner: Hashable, page: str, contents: Mapping[str, bytes]) -> None:
        """Keep the pictures of a page by name; one that is there already is the newest again."""
        with self._lock:
            pages = self._pages.get(owner)
            if pages is None:
                return
            if gone := pages.pop(page, set()) - contents.keys():
                self._take_off(owner, page, gone)
            pages[page] = set(contents)
            for name, content in contents.items():
                if name not in self._pictures:
                    self._pictures[name] = _Picture(bytes(content))
                    self.kept_bytes += len(content)
                self._pictures.move_to_end(name)
                self._pictures[name].places.add((owner, page))
            while len(pages) > self._max_pages:
                self.forget(owner, next(iter(pages)))
            while self.kept_bytes > self._max_bytes:
                self._drop(next(iter(self._pictures)))

    def find(self, name: str | None) -> bytes | None:
        """A picture that was kept; None for none, and for one that is gone."""
        picture = self._pictures.get(name or "")
        return None if picture is None else picture.content

    def forget(self, owner: Hashable, page: str) -> None:
        """A page is gone, and what no other page shows with it."""
        with self._lock:
            self._take_off(owner, page, self._pages.get(owner, {}).pop(page, set()))

    def digest(
        self, owner: Hashable, body: bytes | bytearray, start: int = 0, end: int | None = None
    ) -> tuple[str, bytes]:
        """The SHA-256 of the picture between two places of `body`, and the picture, now kept."""
        # Exact: every byte is compared, which is some twenty times faster than hashing.
        sample = _sample(body, start, len(body) if end is None else end)
        digest = self._digests.get(sample, "")
        picture = self._pictures.get(digest)
        content = None if picture is None else picture.content
        if content is None or not body.startswith(content, start):
            content = bytes(memoryview(body)[start:end])
            digest = hashlib.sha256(content).hexdigest()
        with self._lock:
            if digest in self._pages.get(owner, ()):
                self._pictures.move_to_end(digest)
            else:
                self.keep(owner, digest, {digest: content})
            if digest in self._pictures:
                self._digests[sample] = digest
        return digest, content

    def _take_off(self, owner: Hashable, page: str, names: set[str]) -> None:
        for name in names:
            places = self._pictures[name].places
            places.discard((owner, page))
            if not places:
                self._drop(name)

    def _drop(self, name: str) -> None:
        picture = self._pictures.pop(name)
        self.kept_bytes -= len(picture.content)
        self._digests.pop(_sample(picture.content, 0, len(picture.content)), None)
        for owner, page in picture.places:
            names = self._pages[owner][page]
            names.discard(name)
            if not names:
                del self._pages[owner][page]


def _sample(body: bytes | bytearray, start: int, end: int) -> tuple[int, bytes]:
    length = end - start
    return length, bytes(body[start : end : max(1, length // 256)])

"""What one picture is: worked out once, remembered by its digest."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict

import attrs

from facematch_core import Image, InvalidImage
from facematch_mock_server.cards import Card, read_card
from facematch_mock_server.cards._reading import FORMATS

#: A picture that only Pillow takes is decoded to see whether it is whole, up to so many pixels.
_MAX_PIXELS = 40_000_000


@attrs.frozen
class Facts:
    """One picture.

    Attributes:
        digest: SHA-256 of its bytes, 64 hexadecimal digits in lower case.
        size: Width and height in pixels as stored; None if it cannot be decoded. An EXIF
            orientation is ignored: whether a vendor follows it is not known.
        card: The test card that it is, if it is one.
    """

    digest: str
    size: tuple[int, int] | None
    card: Card | None


class FactsCache:
    """Facts by digest; the pictures themselves are not kept. Safe across threads.

    Args:
        limit: How many pictures are remembered, at least 1; those used last stay.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Facts] = OrderedDict()

    def of(self, data: bytes, digest: str | None = None) -> Facts:
        """The facts of a picture.

        Args:
            digest: Its SHA-256, if the caller has it already.
        """
        digest = digest or hashlib.sha256(data).hexdigest()
        with self._lock:
            facts = self._known.get(digest)
            if facts is not None:
                self._known.move_to_end(digest)
                return facts
        # Outside the lock: two threads may look at one picture, but none waits for another one's.
        size = _size_of(data)
        facts = Facts(digest, size, read_card(data) if size else None)
        with self._lock:
            self._known[digest] = facts
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
        return facts


def _size_of(data: bytes) -> tuple[int, int] | None:
    try:
        image = Image.from_bytes(data)
    except InvalidImage:
        return _size_by_pillow(data)
    return image.width, image.height


def _size_by_pillow(data: bytes) -> tuple[int, int] | None:
    """The size of a picture that our own library refuses (an animation, say), if it is whole."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > _MAX_PIXELS:
                return None
            picture.load()
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        return None
    return width, height

"""TIFF: a chain of directories, each a list of tagged values. EXIF is one such file too.

Source: TIFF Revision 6.0 (Adobe, 1992), sections 2, 8 and 15; Exif 2.32 for the orientation.
"""

from __future__ import annotations

from typing import NamedTuple

from ._bytes import ByteOrder, unsigned
from ._formats import ImageFormat
from ._header import Header
from ._refusal import Damaged, EndOfData

LITTLE, BIG = b"II*\0", b"MM\0*"
_SUBFILE_TYPE, _WIDTH, _HEIGHT, _ORIENTATION = 254, 256, 257, 274
#: Where the pixels lie and how many bytes they take, in strips or in tiles.
_PLACES = ((273, 279), (324, 325))
_DNG_VERSION = 50706
#: Bytes of a value, for the types that hold unsigned numbers (BYTE, SHORT, LONG).
_NUMBER_SIZES = {1: 1, 3: 2, 4: 4}
#: More directories, entries and strips than any real file has; also ends a chain that bites
#: its own tail.
_MOST_DIRECTORIES, _MOST_ENTRIES, _MOST_VALUES = 32, 4096, 100_000


class _Values(NamedTuple):
    """`amount` numbers of `size` bytes each, from `at`."""

    size: int
    amount: int
    at: int


class _Directory:
    """One page: its numbers by tag, and where the next page lies (0: there is none)."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._order: ByteOrder = _byte_order(data)
        self._values: dict[int, _Values] = {}
        count = unsigned(data, at, 2, self._order)
        if count > _MOST_ENTRIES:
            raise Damaged(f"it has more than {_MOST_ENTRIES} entries")
        end = at + 2 + 12 * count
        for entry in range(at + 2, end, 12):
            size = _NUMBER_SIZES.get(unsigned(data, entry + 2, 2, self._order))
            amount = unsigned(data, entry + 4, 4, self._order)
            place = entry + 8
            if size and amount:
                # Four bytes of values stand in the entry, more of them elsewhere.
                if size * amount > 4:
                    place = unsigned(data, place, 4, self._order)
                tag = unsigned(data, entry, 2, self._order)
                self._values[tag] = _Values(size, amount, place)
        self._end = end

    @property
    def following(self) -> int:
        return unsigned(self._data, self._end, 4, self._order)

    def __contains__(self, tag: int) -> bool:
        return tag in self._values

    def first(self, tag: int, default: int) -> int:
        values = self._values.get(tag)
        return unsigned(self._data, values.at, values.size, self._order) if values else default

    def all(self, tag: int) -> list[int]:
        values = self._values.get(tag, _Values(1, 0, 0))
        if values.amount > _MOST_VALUES:
            raise Damaged(f"it has more than {_MOST_VALUES} strips")
        places = range(values.at, values.at + values.size * values.amount, values.size)
        return [unsigned(self._data, at, values.size, self._order) for at in places]

    @property
    def orientation(self) -> int:
        value = self.first(_ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1


def orientation(exif: bytes) -> int:
    """The orientation that an EXIF block tells, 1 to 8; 1 if it tells none or is unreadable."""
    try:
        return _first_directory(exif).orientation
    except (EndOfData, Damaged):
        return 1


def exif(orientation: int) -> bytes:
    """The smallest EXIF block: one directory with only the orientation (1 to 8)."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    return BIG + b"\x00\x00\x00\x08" + b"\x00\x01" + entry + b"\x00\x00\x00\x00"


def header(data: bytes) -> Header:
    """Read the first page's size, and whether further pages follow.

    Raises:
        EndOfData: a page or its pixels lie beyond the end.
        Damaged: no size, or not of a kind that decoders read.
    """
    if data[8:10] == b"CR":
        raise Damaged("it is the raw data of a camera")
    first = _first_directory(data)
    if _DNG_VERSION in first:
        raise Damaged("it is the raw data of a camera")
    for offsets, lengths in _PLACES:
        for offset, length in zip(first.all(offsets), first.all(lengths), strict=False):
            if offset + length > len(data):
                raise EndOfData
    return Header(
        ImageFormat.TIFF,
        first.first(_WIDTH, 0),
        first.first(_HEIGHT, 0),
        orientation=first.orientation,
        several=_has_more_pages(data, first),
    )


def _byte_order(data: bytes) -> ByteOrder:
    if data[:4] not in (LITTLE, BIG):
        raise Damaged("its first bytes are wrong")
    return "little" if data[:4] == LITTLE else "big"


def _first_directory(data: bytes) -> _Directory:
    return _Directory(data, unsigned(data, 4, 4, _byte_order(data)))


def _has_more_pages(data: bytes, page: _Directory) -> bool:
    for _ in range(_MOST_DIRECTORIES):
        if not page.following:
            return False
        page = _Directory(data, page.following)
        # Cameras add a second directory for the thumbnail: that is no second page.
        if not page.first(_SUBFILE_TYPE, 0) & 1:
            return True
    return True

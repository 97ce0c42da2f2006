"""GIF: one screen, one or more pictures on it.

Source: CompuServe, Graphics Interchange Format version 89a (1990).
"""

from __future__ import annotations

from ._bytes import parts, unsigned
from ._formats import ImageFormat
from ._header import Header
from ._refusal import Damaged, EndOfData

MAGICS = (b"GIF87a", b"GIF89a")

_EXTENSION, _PICTURE, _TRAILER = 0x21, 0x2C, 0x3B


def header(data: bytes) -> Header:
    """Read the size, and whether there is more than one picture.

    Raises:
        EndOfData: no end.
        Damaged: an unknown block, or no picture in it.
    """
    width, height = unsigned(data, 6, 2, "little"), unsigned(data, 8, 2, "little")
    at = 13 + _colours(unsigned(data, 10, 1))
    pictures = 0
    for _ in parts():
        block = unsigned(data, at, 1)
        if block == _TRAILER or pictures > 1:
            break
        if block == _EXTENSION:
            at = _after_parts(data, at + 2)
        elif block == _PICTURE:
            left, top, wide, high = (unsigned(data, at + 1 + 2 * i, 2, "little") for i in range(4))
            # A picture may reach beyond its screen, and decoders then enlarge the screen.
            width, height = max(width, left + wide), max(height, top + high)
            at = _after_parts(data, at + 11 + _colours(unsigned(data, at + 9, 1)))
            pictures += 1
        else:
            raise Damaged("a block is of no known kind")
    if pictures == 0:
        raise Damaged("there is no picture in it")
    return Header(ImageFormat.GIF, width, height, several=pictures > 1)


def _colours(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_parts(data: bytes, at: int) -> int:
    """Where the parts from `at` on end: each tells its length, and one of length 0 is last."""
    try:
        while length := data[at]:
            at += 1 + length
    except IndexError:
        raise EndOfData from None
    return at + 1

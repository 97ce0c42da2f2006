"""HEIC and AVIF: boxes in boxes; the picture is an item, and its size a property of the item.

Source: ISO/IEC 14496-12 (boxes, clap), ISO/IEC 23008-12 (items, ispe, irot, imir).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ._bytes import parts, unsigned
from ._formats import ImageFormat
from ._header import Header
from ._refusal import Damaged, EndOfData

_HEIC = {b"heic", b"heix", b"heim", b"heis"}
_AVIF = {b"avif"}
#: Major brands of moving pictures.
_SEQUENCES = {
    b"hevc": ImageFormat.HEIC,
    b"hevx": ImageFormat.HEIC,
    b"msf1": ImageFormat.HEIC,
    b"avis": ImageFormat.AVIF,
}
#: EXIF's orientation by mirror (None: no mirror, 0 swaps top and bottom, 1 swaps left and right)
#: and by the quarter turns anti-clockwise that come before it.
_ORIENTATIONS = {
    None: (1, 8, 3, 6),
    0: (4, 5, 2, 7),
    1: (2, 7, 4, 5),
}


class _Box(NamedTuple):
    name: bytes
    body: int
    end: int


def kind(data: bytes) -> ImageFormat | None:
    """HEIC or AVIF, if these are the first bytes of such a file (its brands say so)."""
    if data[4:8] != b"ftyp":
        return None
    size = int.from_bytes(data[:4], "big")
    major = data[8:12]
    brands = {major, *(data[at : at + 4] for at in range(16, min(size, len(data), 256), 4))}
    if major in _SEQUENCES:
        return _SEQUENCES[major]
    if brands & _AVIF:
        return ImageFormat.AVIF
    return ImageFormat.HEIC if brands & _HEIC else None


def header(data: bytes) -> Header:
    """Read size and orientation of the primary item.

    Raises:
        EndOfData: a box is longer than the file.
        Damaged: no primary item, or no size.
    """
    form = kind(data) or ImageFormat.HEIC
    if data[8:12] in _SEQUENCES:
        return Header(form, 1, 1, several=True)
    size, turns, mirror = None, 0, None
    for box in _primary_properties(data):
        if box.name == b"ispe":
            size = unsigned(data, box.body + 4, 4), unsigned(data, box.body + 8, 4)
        elif box.name == b"clap" and size:
            size = _cropped(data, box, size)
        elif box.name == b"irot":
            turns = unsigned(data, box.body, 1) & 3
        elif box.name == b"imir":
            mirror = unsigned(data, box.body, 1) & 1
    if size is None:
        raise Damaged("it does not tell its size")
    return Header(form, *size, orientation=_ORIENTATIONS[mirror][turns])


def _cropped(data: bytes, box: _Box, size: tuple[int, int]) -> tuple[int, int]:
    """What a crop leaves of `size`; encoders crop what they padded to whole blocks."""
    wide, wide_by, high, high_by = (unsigned(data, box.body + 4 * i, 4) for i in range(4))
    if 0 in (wide_by, high_by):
        raise Damaged("its crop makes no sense")
    return min(size[0], wide // wide_by), min(size[1], high // high_by)


def _boxes(data: bytes, at: int, last: int) -> Iterator[_Box]:
    for _ in parts():
        if at >= last:
            return
        size, name, body = unsigned(data, at, 4), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, body = unsigned(data, at + 8, 8), at + 16
        elif size == 0:
            size = last - at
        end = at + size
        if end > last:
            raise EndOfData
        if end < body:
            raise Damaged("a box is shorter than its own header")
        yield _Box(name, body, end)
        at = end


def _primary_properties(data: bytes) -> Iterator[_Box]:
    # Walked to the last one: that is what tells a file that was cut off.
    top = {box.name: box for box in _boxes(data, 0, len(data))}
    if b"meta" not in top:
        raise Damaged("there is no picture in it")
    meta = {box.name: box for box in _boxes(data, top[b"meta"].body + 4, top[b"meta"].end)}
    if not {b"pitm", b"iprp"} <= meta.keys():
        raise Damaged("there is no picture in it")
    # Cut off between two boxes: the pixels come last, and are missing.
    if b"mdat" not in top and b"idat" not in meta:
        raise EndOfData
    version = unsigned(data, meta[b"pitm"].body, 1)
    primary = unsigned(data, meta[b"pitm"].body + 4, 2 if version == 0 else 4)
    return _properties(data, meta[b"iprp"], primary)


def _properties(data: bytes, iprp: _Box, item: int) -> Iterator[_Box]:
    """The properties of one item, in the order in which they apply."""
    known: list[_Box] = []
    for box in _boxes(data, iprp.body, iprp.end):
        if box.name == b"ipco":
            known = list(_boxes(data, box.body, box.end))
        elif box.name == b"ipma":
            for index in _associations(data, box, item):
                if 1 <= index <= len(known):
                    yield known[index - 1]


def _associations(data: bytes, box: _Box, wanted: int) -> Iterator[int]:
    """The numbers of the properties of the item `wanted`, counted from 1."""
    version, wide = unsigned(data, box.body, 1), unsigned(data, box.body + 3, 1) & 1
    at = box.body + 8
    for number in parts():
        if number == unsigned(data, box.body + 4, 4):
            return
        item = unsigned(data, at, 4 if version else 2)
        at += 4 if version else 2
        count = unsigned(data, at, 1)
        at += 1
        for _ in range(count):
            index = unsigned(data, at, 2) & 0x7FFF if wide else unsigned(data, at, 1) & 0x7F
            at += 2 if wide else 1
            if item == wanted:
                yield index

"""JPEG: segments that each begin with 0xFF and a marker. Read and stripped without decoding.

Source: ITU-T T.81 annex B (segments), T.871 (JFIF), T.872 (APP14), Exif 2.32 §4.7 (APP1),
ICC.1:2022 annex B.4 (APP2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from . import _tiff
from ._bytes import parts, unsigned
from ._formats import ImageFormat
from ._header import Header
from ._pieces import Pieces
from ._refusal import Damaged, EndOfData

MAGIC = b"\xff\xd8\xff"

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_EXIF = b"Exif\0\0"
#: Frames that decoders of today read: baseline, extended and progressive, Huffman coded.
_FRAMES = {0xC0, 0xC1, 0xC2}
_OTHER_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
#: Markers without a length: TEM and, between scans, the restart markers.
_BARE = {0x01, *range(0xD0, 0xD8)}
#: What the pixels are made of: frames and tables (C0-CF), EOI, SOS, DQT, DNL, DRI, DHP, EXP.
_PIXELS = {*range(0xC0, 0xD0), *range(_EOI, 0xE0)}

#: A progressive file has about ten. Each further one lets a decoder pass over all pixels again.
_MOST_SCANS = 100

#: Real files have some dozens of segments.
_MOST_PARTS_KEPT = 1000

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
#: Inside a scan 0xFF 0x00 is a plain byte and 0xFF 0xD0-0xD7 a restart: neither ends it.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


class _Segment(NamedTuple):
    """`data[start:end]` is all of it, with the coded pixels if it is a scan; `body` follows its
    length."""

    marker: int
    start: int
    body: int
    end: int


def header(data: bytes) -> Header:
    """Read size and orientation, and walk to the end marker.

    Raises:
        EndOfData: no end marker.
        Damaged: no picture in it, or not of a kind that decoders read.
    """
    size: tuple[int, int] | None = None
    orientation: int | None = None
    scans = 0
    walked: list[_Segment] = []
    for segment in _segments(data):
        walked.append(segment)
        if segment.marker in _FRAMES:
            # A second frame could have another size than the one that was checked.
            if size:
                raise Damaged("it has two frame headers")
            size = _size(data, segment)
        elif segment.marker in _OTHER_FRAMES:
            raise Damaged("it is lossless, hierarchical or arithmetically coded")
        elif segment.marker == _SOS:
            scans += 1
            if scans > _MOST_SCANS:
                raise Damaged(f"it has more than {_MOST_SCANS} scans")
        elif segment.marker == _APP1 and orientation is None:
            block = data[segment.body : segment.end]
            if block.startswith(_EXIF):
                orientation = _tiff.orientation(block[len(_EXIF) :])
    if size is None or scans == 0:
        raise Damaged("there is no picture in it")
    return Header(
        ImageFormat.JPEG,
        *size,
        orientation=orientation or 1,
        # A file that is made of nothing but segments would take up much.
        parts=tuple(walked) if len(walked) <= _MOST_PARTS_KEPT else (),
    )


def strip(data: bytes, header: Header) -> bytes:
    """Take out all that is neither pixels nor their colours; the coded pixels stay as they are.

    Out go EXIF, XMP, IPTC, comments, thumbnails, further pictures (MPF) and whatever stands
    between segments or after the end marker. In stay JFIF, ICC profile and Adobe's marker, and
    an orientation other than 1 as the only entry of a new EXIF block.
    """
    pieces = Pieces(data)
    pieces.put(b"\xff\xd8")
    exif = (
        b"" if header.orientation == 1 else _segment(_APP1, _EXIF + _tiff.exif(header.orientation))
    )
    for segment in header.parts or _segments(data):
        new = _instead(data, segment)
        if new == b"":
            continue
        # JFIF wants to be first, EXIF next to the start: second behind JFIF, else first.
        if segment.marker != _APP0:
            pieces.put(exif)
            exif = b""
        if new is None:
            pieces.keep(segment.start, segment.end)
        else:
            pieces.put(new)
        pieces.put(exif)
        exif = b""
    return pieces.joined()


def _segments(data: bytes) -> Iterator[_Segment]:
    """All segments after the start marker, the end marker included."""
    at = 2
    for _ in parts():
        found = _MARKER.search(data, at)
        if found is None:
            raise EndOfData
        start, body = found.span()
        marker = data[body - 1]
        if marker == _EOI:
            yield _Segment(marker, start, body, body)
            return
        if marker == _SOI:
            raise Damaged("a second picture begins inside it")
        if marker in _BARE:
            at = body
            continue
        length = unsigned(data, body, 2)
        at = body + length
        if length < 2:
            raise Damaged("a segment is shorter than its own length")
        if at > len(data):
            raise EndOfData
        if marker == _SOS:
            found = _AFTER_SCAN.search(data, at)
            if found is None:
                raise EndOfData
            at = found.start()
        yield _Segment(marker, start, body + 2, at)


def _size(data: bytes, segment: _Segment) -> tuple[int, int]:
    if segment.end - segment.body < 6:
        raise Damaged("its frame header is too short")
    precision, height = data[segment.body], unsigned(data, segment.body + 1, 2)
    if precision != 8:
        raise Damaged(f"it has {precision} bits per colour instead of 8")
    if height == 0:
        raise Damaged("it does not tell its height")
    return unsigned(data, segment.body + 3, 2), height


def _instead(data: bytes, segment: _Segment) -> bytes | None:
    """What takes the place of a segment: nothing, or what stays of it; None if all of it stays."""
    if segment.marker in _PIXELS:
        return None
    block = data[segment.body : segment.end]
    if segment.marker == _APP2 and block.startswith(b"ICC_PROFILE\0"):
        return None
    if segment.marker == _APP14 and block.startswith(b"Adobe") and len(block) >= 12:
        return _segment(_APP14, block[:12])
    if segment.marker == _APP0 and block.startswith(b"JFIF\0") and len(block) >= 14:
        # Its last two bytes are the size of a thumbnail that may follow.
        return _segment(_APP0, block[:12] + b"\0\0")
    return b""


def _segment(marker: int, block: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(block) + 2).to_bytes(2, "big") + block

"""WebP: chunks inside a RIFF frame. Read and stripped without decoding.

Source: RFC 9649 (WebP Image Format, 2024), sections 2 and 3; RFC 6386 §9.1 for the VP8 frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import _tiff
from ._bytes import parts, unsigned
from ._formats import ImageFormat
from ._header import Header
from ._refusal import Damaged, EndOfData

#: Bits of the VP8X chunk's first byte.
_ANIMATION, _XMP, _EXIF, _ALPHA, _ICC = 0x02, 0x04, 0x08, 0x10, 0x20
_FRAMES = {b"VP8 ", b"VP8L"}


class _Chunk(NamedTuple):
    """`data[body:end]` is its content, without the padding byte."""

    name: bytes
    body: int
    end: int


def is_webp(data: bytes) -> bool:
    """Whether these are the first bytes of a WebP file (at least 12 are needed)."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def header(data: bytes) -> Header:
    """Read size and orientation.

    Raises:
        EndOfData: the frame says that more bytes follow.
        Damaged: no picture in it, or two sizes that disagree.
    """
    chunks = list(_chunks(data))
    frames = [chunk for chunk in chunks if chunk.name in _FRAMES]
    extended = chunks[0] if chunks and chunks[0].name == b"VP8X" else None
    canvas = _canvas(data, extended) if extended else None
    flags = data[extended.body] if extended else 0
    if canvas and flags & _ANIMATION:
        return Header(ImageFormat.WEBP, *canvas, several=True)
    if len(frames) != 1:
        raise Damaged("there is no picture in it")
    size = _size(data, frames[0])
    # The canvas is what a decoder allocates: a second, unchecked size.
    if canvas not in (None, size):
        raise Damaged("its two sizes disagree")
    orientation = next(
        (
            _tiff.orientation(data[chunk.body : chunk.end].removeprefix(b"Exif\0\0"))
            for chunk in chunks
            if chunk.name == b"EXIF" and flags & _EXIF
        ),
        1,
    )
    return Header(ImageFormat.WEBP, *size, orientation=orientation)


def strip(data: bytes, header: Header) -> bytes:
    """Take out all that is neither pixels nor their colours; the coded pixels stay as they are.

    Out go EXIF, XMP, unknown chunks and whatever stands after the frame. An orientation other
    than 1 stays as the only entry of a new EXIF chunk.
    """
    pieces = []
    kept = set(_FRAMES)
    chunks = list(_chunks(data))
    # Only a file that begins with VP8X has more than its frame.
    if chunks[0].name == b"VP8X":
        first = data[chunks[0].body : chunks[0].end]
        flags = first[0] & (_ALPHA | _ICC)
        kept |= {b"ALPH", b"ICCP"} if flags & _ICC else {b"ALPH"}
        flags |= _EXIF if header.orientation != 1 else 0
        pieces.append(_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + first[4:10]))
    pieces += [_chunk(c.name, data[c.body : c.end]) for c in chunks if c.name in kept]
    if header.orientation != 1:
        pieces.append(_chunk(b"EXIF", _tiff.exif(header.orientation)))
    content = b"WEBP" + b"".join(pieces)
    return b"RIFF" + len(content).to_bytes(4, "little") + content


def _chunks(data: bytes) -> Iterator[_Chunk]:
    last = 8 + unsigned(data, 4, 4, "little")
    if last > len(data):
        raise EndOfData
    at = 12
    for _ in parts():
        if at >= last:
            return
        size = unsigned(data, at + 4, 4, "little")
        end = at + 8 + size
        if end > last:
            raise Damaged("a chunk is longer than the file")
        yield _Chunk(data[at : at + 4], at + 8, end)
        at = end + size % 2


def _canvas(data: bytes, chunk: _Chunk) -> tuple[int, int]:
    if chunk.end - chunk.body < 10:
        raise Damaged("its header has a wrong length")
    return (
        unsigned(data, chunk.body + 4, 3, "little") + 1,
        unsigned(data, chunk.body + 7, 3, "little") + 1,
    )


def _size(data: bytes, chunk: _Chunk) -> tuple[int, int]:
    """Width and height of the one frame: 14 bits each."""
    frame = data[chunk.body : min(chunk.body + 10, chunk.end)]
    if chunk.name == b"VP8L":
        if frame[:1] != b"\x2f" or len(frame) < 5:
            raise Damaged("its picture does not begin as it should")
        bits = int.from_bytes(frame[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if frame[3:6] != b"\x9d\x01\x2a" or len(frame) < 10 or frame[0] & 1:
        raise Damaged("its picture does not begin as it should")
    return unsigned(frame, 6, 2, "little") & 0x3FFF, unsigned(frame, 8, 2, "little") & 0x3FFF


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)

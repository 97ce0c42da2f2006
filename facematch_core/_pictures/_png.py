"""PNG: chunks with a length, a name and a checksum. Read and stripped without decoding.

Source: W3C, Portable Network Graphics (PNG) Specification, third edition (2025), sections 5, 11.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from . import _tiff
from ._bytes import parts, unsigned
from ._formats import ImageFormat
from ._header import Header
from ._pieces import Pieces
from ._refusal import Damaged, EndOfData

MAGIC = b"\x89PNG\r\n\x1a\n"

#: Keywords of the tEXt chunks that may be sent; all other texts are private. This one is what a
#: test card of the mock server says of itself.
KEPT_TEXT_KEYWORDS: tuple[bytes, ...] = (b"facematch-card",)

#: What the pixels and their colours need.
_KEPT = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND"),
    *(b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"cICP", b"mDCV", b"cLLI"),
}
#: The depths in bits that go with each colour type.
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}


class _Chunk(NamedTuple):
    """`data[start:end]` is all of it, from its length to its checksum; its content is at `body`."""

    name: bytes
    start: int
    body: int
    end: int


def header(data: bytes) -> Header:
    """Read size and orientation, walk to the end, and check what is kept against its checksums.

    Raises:
        EndOfData: no end chunk.
        Damaged: a wrong checksum, an order that makes no sense, no picture in it.
    """
    names: set[bytes] = set()
    orientation = 1
    for chunk in _chunks(data):
        if not names and chunk.name != b"IHDR":
            raise Damaged(
                "it is Apple's own variety (CgBI)"
                if chunk.name == b"CgBI"
                else "it does not begin with its header"
            )
        if chunk.name == b"IHDR" and names:
            raise Damaged("it has two headers")
        if _is_kept(data, chunk):
            _check(data, chunk)
        elif chunk.name[:1].isupper():
            # A capital says that the pixels cannot be understood without it.
            raise Damaged("it has a chunk that decoders do not know")
        if chunk.name == b"eXIf":
            orientation = _tiff.orientation(data[chunk.body : chunk.end - 4])
        names.add(chunk.name)
    width, height, colour = _layout(data)
    if b"IDAT" not in names or (colour == 3 and b"PLTE" not in names):
        raise Damaged("there is no picture in it")
    return Header(ImageFormat.PNG, width, height, orientation=orientation, several=b"acTL" in names)


def strip(data: bytes, header: Header) -> bytes:
    """Take out all that is neither pixels nor their colours; the coded pixels stay as they are.

    Out go texts, EXIF, time, every chunk that is not known to matter, and whatever stands after
    the end. An orientation other than 1 stays as the only entry of a new eXIf chunk.
    """
    pieces = Pieces(data)
    pieces.put(MAGIC)
    for chunk in _chunks(data):
        if _is_kept(data, chunk):
            pieces.keep(chunk.start, chunk.end)
        if chunk.name == b"IHDR" and header.orientation != 1:
            pieces.put(_chunk(b"eXIf", _tiff.exif(header.orientation)))
    return pieces.joined()


def _chunks(data: bytes) -> Iterator[_Chunk]:
    at = len(MAGIC)
    for _ in parts():
        length, name = unsigned(data, at, 4), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise EndOfData
        if not (name.isalpha() and name.isascii()):
            raise Damaged("a chunk has no proper name")
        yield _Chunk(name, at, at + 8, end)
        if name == b"IEND":
            return
        at = end


def _is_kept(data: bytes, chunk: _Chunk) -> bool:
    if chunk.name == b"tEXt":
        keyword = data[chunk.body : min(chunk.body + 80, chunk.end - 4)].partition(b"\0")[0]
        return keyword in KEPT_TEXT_KEYWORDS
    return chunk.name in _KEPT


def _check(data: bytes, chunk: _Chunk) -> None:
    told = unsigned(data, chunk.end - 4, 4)
    if zlib.crc32(memoryview(data)[chunk.start + 4 : chunk.end - 4]) != told:
        raise Damaged(f"the checksum of its {chunk.name.decode()} chunk is wrong")


def _layout(data: bytes) -> tuple[int, int, int]:
    """Width, height and colour type from the header chunk, which stands first."""
    body = len(MAGIC) + 8
    if unsigned(data, len(MAGIC), 4) != 13:
        raise Damaged("its header has a wrong length")
    depth, colour, compression, filtering, interlacing = data[body + 8 : body + 13]
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlacing > 1:
        raise Damaged("its header holds values that do not exist")
    return unsigned(data, body, 4), unsigned(data, body + 4, 4), colour


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return len(content).to_bytes(4, "big") + name + content + checksum.to_bytes(4, "big")

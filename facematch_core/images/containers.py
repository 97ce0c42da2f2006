"""Parse JPEG, PNG and WebP files, and remove their metadata, without decoding the pixels.

`read_jpeg`, `read_png` and `read_webp` return a `Header` with size, orientation and, in `kept`, the
file without metadata. A file that cannot be cleaned this way is re-encoded (see `imaging`).

Sources: ITU-T T.81 annex B, T.871, T.872 (JPEG); W3C PNG Specification, third edition; RFC 9649 and
RFC 6386 §9.1 (WebP); Exif 2.32.
"""

from __future__ import annotations

import enum
import re
import zlib
from collections.abc import Iterator
from typing import Literal, NoReturn, TypeAlias

import attrs

from facematch_core.errors import InvalidImage

#: A part of a file, or new bytes.
Piece: TypeAlias = bytes | memoryview


class ImageFormat(enum.StrEnum):
    """The format of a picture, detected from its bytes."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    TIFF = "tiff"
    GIF = "gif"
    BMP = "bmp"
    #: Requires the extra `heif`.
    HEIC = "heic"
    AVIF = "avif"

    def __init__(self, name: str) -> None:
        #: The content type, for example ``image/jpeg``.
        self.media_type = f"image/{name}"
        #: The file extension, without a dot, for vendors that check file names.
        self.extension = "jpg" if name == "jpeg" else name

    @property
    def label(self) -> str:
        """The name for use in a sentence, for example ``JPEG``."""
        return "WebP" if self is ImageFormat.WEBP else self.value.upper()

    @property
    def noun(self) -> str:
        """The `label` with its article, for example ``a JPEG``."""
        return f"an {self.label}" if self is ImageFormat.AVIF else f"a {self.label}"


@attrs.frozen
class Header:
    """A picture's header. Width and height are as stored, before the orientation is applied."""

    format: ImageFormat
    width: int
    height: int
    #: EXIF orientation; 1 is upright.
    orientation: int = 1
    #: The file without metadata, in pieces; the file itself if it has no metadata. Empty if the
    #: file must be rewritten by Pillow.
    kept: tuple[Piece, ...] = attrs.field(default=(), eq=False, repr=False)
    #: Whether `kept` can be sent unchanged (for a PNG, only if `is_only_pixels` also returns True).
    is_sent: bool = attrs.field(default=False, eq=False)
    #: Whether re-encoding preserves every pixel.
    is_lossless: bool = False


#: Maximum number of segments or chunks. Millions of empty chunks would take seconds.
_MOST_PARTS = 100_000
_TOO_MANY = f"it has more than {_MOST_PARTS} parts"


class CutOff(Exception):
    """The file is truncated."""


class Damaged(Exception):
    """The file violates its format. The message describes the violation in a few words."""


def refuse(why: str) -> NoReturn:
    raise InvalidImage(f"The picture {why}.") from None


def refuse_several(form: ImageFormat) -> NoReturn:
    refuse(
        f"is {form.noun} with several pictures (an animation, or pages); "
        "save the picture with the face as JPEG or PNG"
    )


class _Kept:
    """Collects the parts of a file to keep, starting with the first `end` bytes."""

    def __init__(self, data: bytes, end: int) -> None:
        self._data = data
        #: New segments, or [start, end] of kept parts of the file; adjacent parts are merged.
        self._parts: list[bytes | list[int]] = [[0, end]]

    def keep(self, start: int, end: int, segment: bytes | None = None) -> None:
        """Keep the bytes from `start` to `end`, or replace them with `segment`."""
        last = self._parts[-1]
        if segment is not None and self._data[start:end] != segment:
            self._parts.append(segment)
        elif isinstance(last, list) and last[1] == start:
            last[1] = end
        else:
            self._parts.append([start, end])

    def pieces(self) -> tuple[Piece, ...]:
        """Return the kept parts; the file itself if nothing was removed."""
        if self._parts == [[0, len(self._data)]]:
            return (self._data,)
        view = memoryview(self._data)
        return tuple(p if isinstance(p, bytes) else view[p[0] : p[1]] for p in self._parts)


_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
#: Markers of Huffman-coded frames (baseline, extended, progressive), which all decoders support.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_ALL_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Segments that are kept unchanged: frame, scans, their tables (DHT, DQT, DRI), and the end.
_KEPT = _FRAMES | {_SOS, 0xC4, 0xDB, 0xDD, _EOI}
#: Markers without a length: TEM and the restart markers.
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
#: A minimal EXIF segment, which contains only the orientation.
_EXIF = (
    b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\1"  # big endian; a directory at 8, one entry
    b"\1\x12\0\3\0\0\0\1\0%c\0\0\0\0\0\0"
)
#: Maximum number of scans, because each takes time to decode. A progressive file has about ten.
_MOST_SCANS = 100
_NO_MARKER = (b"", b"\0", b"\xff")
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
#: The marker after a scan. Inside a scan, 0xFF 0x00 is a data byte and 0xFF 0xD0-0xD7 a restart.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def read_jpeg(data: bytes) -> Header:
    """Return a JPEG's header; `kept` has frame, tables, scans, profile, JFIF and Adobe segments.

    EXIF data is reduced to the orientation, and removed if the picture is upright.
    """
    kept, size, orientation, scans = _Kept(data, 2), None, None, 0
    has_jfif = False
    for marker, start, block, end in _segments(data):
        if marker in _ALL_FRAMES:
            # A second frame could have a different size from the checked one.
            if size:
                raise Damaged("it has two frame headers")
            size = _frame_size(data, marker, block, end)
        scans += marker == _SOS
        if scans > _MOST_SCANS:
            raise Damaged(f"it has more than {_MOST_SCANS} scans")
        if marker in _KEPT or (marker == 0xE2 and data.startswith(b"ICC_PROFILE\0", block)):
            kept.keep(start, end)
        elif marker == 0xE1 and orientation is None and data.startswith(b"Exif\0\0", block):
            orientation = orientation_of(data[block + 6 : end])
            if orientation != 1:
                kept.keep(start, end, _EXIF % orientation)
        elif not (has_jfif and marker == 0xE0) and (mark := _read_mark(data, marker, block, end)):
            has_jfif = has_jfif or marker == 0xE0  # a second JFIF segment could contain anything
            kept.keep(start, end, mark)
    if size is None or not scans:
        raise Damaged("there is no picture in it")
    orientation = orientation or 1
    return Header(ImageFormat.JPEG, *size, orientation, kept=kept.pieces(), is_sent=True)


def _frame_size(data: bytes, marker: int, block: int, end: int) -> tuple[int, int]:
    if marker not in _FRAMES:
        raise Damaged("it is lossless, hierarchical or arithmetically coded")
    if end - block < 6 or data[block] != 8:
        raise Damaged("its frame header is too short, or not of 8 bits per colour")
    return _unsigned(data, block + 3, 2), _unsigned(data, block + 1, 2)


def _read_mark(data: bytes, marker: int, block: int, end: int) -> bytes | None:
    """Return a JFIF or Adobe segment without extra data; None for any other segment."""
    mark, length = data[block : block + 12], end - block
    if marker == 0xE0 and length >= 14 and mark.startswith(b"JFIF\0"):
        return b"\xff\xe0\0\x10" + mark + b"\0\0"  # a thumbnail of 0 x 0 pixels
    if marker == 0xEE and length >= 12 and mark.startswith(b"Adobe"):
        return b"\xff\xee\0\x0e" + mark  # the colour transform
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield each segment's marker, start, content start and end. A scan includes its pixels."""
    at = 2
    for _ in range(_MOST_PARTS):
        start = at
        if data[at : at + 1] != b"\xff" or data[at + 1 : at + 2] in _NO_MARKER:
            # Skip padding and stray bytes.
            start = _search(_MARKER, data, at)
        marker, block = data[start + 1], start + 4
        if marker == _EOI:
            yield marker, start, start + 2, start + 2
            return
        at = start + 2
        if marker in _BARE:
            continue
        if marker == _SOI:
            raise Damaged("a second picture starts inside it")
        at += _unsigned(data, at, 2)
        if at < block:
            raise Damaged("a segment is shorter than its own length")
        if at > len(data):
            raise CutOff
        if marker == _SOS:
            at = _search(_AFTER_SCAN, data, at)
        yield marker, start, block, at
    raise Damaged(_TOO_MANY)


def _search(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.search(data, at)
    if match is None:
        raise CutOff
    return match.start()


_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: The chunks with colours, and the chunks that every picture needs.
_COLOURS, _PIXELS = {b"PLTE", b"tRNS", b"iCCP"}, {b"IHDR", b"IDAT", b"IEND"}
#: Bytes per pixel, keyed by the header bytes after the size. Excludes palettes and interlacing.
_PIXEL_BYTES = {
    bytes([depth, colour, 0, 0, 0]): count * depth // 8
    for colour, count in {0: 1, 2: 3, 4: 2, 6: 4}.items()
    for depth in (8, 16)
}


def read_png(data: bytes) -> Header:
    kept, names, orientation = _Kept(data, len(_PNG_MAGIC)), set[bytes](), 1
    for name, start, end in _chunks(data):
        length = end - start - 12
        if (name == b"IHDR") is bool(names) or (not names and length != 13):
            raise Damaged("it does not begin with its header, or has two")
        names.add(name)
        if name in _COLOURS | _PIXELS:
            if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != _unsigned(data, end - 4, 4):
                raise Damaged(f"the checksum of its {name.decode()} chunk is wrong")
            kept.keep(start, end)
        elif name == b"acTL":
            refuse_several(ImageFormat.PNG)
        elif name == b"eXIf":
            orientation = orientation_of(data[start + 8 : end - 4])
    if b"IDAT" not in names:
        raise Damaged("there is no picture in it")
    is_plain = data[24:29] in _PIXEL_BYTES
    return Header(
        ImageFormat.PNG,
        _unsigned(data, 16, 4),
        _unsigned(data, 20, 4),
        orientation=orientation,
        kept=kept.pieces(),
        is_sent=orientation == 1 and not (length or names & _COLOURS) and is_plain,
        is_lossless=True,
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, start and end of each chunk."""
    end = len(_PNG_MAGIC)
    for _ in range(_MOST_PARTS):
        start, end = end, end + 12 + _unsigned(png, end, 4)
        if end > len(png):
            raise CutOff
        yield (name := png[start + 4 : start + 8]), start, end
        if name == b"IEND":
            return
    raise Damaged(_TOO_MANY)


def is_only_pixels(png: bytes) -> bool:
    """Return whether the pixel data has exactly the declared size, without hidden data after it."""
    width, height = _unsigned(png, 16, 4), _unsigned(png, 20, 4)
    missing = height * (1 + width * _PIXEL_BYTES[png[24:29]])
    inflater = zlib.decompressobj()
    for name, start, end in _chunks(png):
        rest = memoryview(png)[start + 8 : end - 4] if name == b"IDAT" else b""
        if rest and inflater.eof:
            return False
        while rest and missing >= 0:
            try:
                missing -= len(inflater.decompress(rest, 1 << 18))
            except zlib.error:
                return False
            rest = inflater.unconsumed_tail
    return missing == 0 and inflater.eof and not inflater.unused_data


#: The animation bit in the first byte of the extended header (VP8X).
_ANIMATION = 0x02
#: The first bytes of the extended header if a colour profile follows.
_WITH_PROFILE = b"\x20\0\0\0"


def read_webp(data: bytes) -> Header:
    """Return a WebP's header. `kept` has the coded pixels and profile of an opaque lossy file."""
    last, at = 8 + _unsigned(data, 4, 4, "little"), 12
    if last > len(data):
        raise CutOff
    # If several chunks have the same name, use the first.
    chunks = dict[bytes, bytes]()
    for _ in range(_MOST_PARTS):
        if at >= last:
            break
        end = at + 8 + _unsigned(data, at + 4, 4, "little")
        if end > last:
            raise Damaged("a chunk is longer than the file")
        chunks.setdefault(data[at : at + 4], data[at + 8 : end])
        at = end + end % 2
    else:
        raise Damaged(_TOO_MANY)
    extended, lossy, lossless = (chunks.get(name) for name in (b"VP8X", b"VP8 ", b"VP8L"))
    if extended and extended[0] & _ANIMATION:
        refuse_several(ImageFormat.WEBP)
    if (lossy is None) is (lossless is None):
        raise Damaged("there is no picture in it")
    if extended is not None:
        # A decoder allocates the canvas, and rejects a frame with a different size.
        width, height = (_unsigned(extended, place, 3, "little") + 1 for place in (4, 7))
    elif lossy is not None:
        width, height = (_unsigned(lossy, place, 2, "little") & 0x3FFF for place in (6, 8))
    elif lossless is not None:
        bits = _unsigned(lossless, 1, 4, "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    orientation = orientation_of(chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0"))
    is_opaque = lossy is not None and b"ALPH" not in chunks
    return Header(
        ImageFormat.WEBP,
        width,
        height,
        orientation=orientation,
        kept=(_lossy_webp(chunks, extended),) if is_opaque else (),
        is_sent=is_opaque and orientation == 1,
        is_lossless=lossless is not None,
    )


def _lossy_webp(chunks: dict[bytes, bytes], extended: bytes | None) -> bytes:
    """Return a lossy WebP file with only the image data and the colour profile."""
    names: tuple[bytes, ...] = (b"ICCP", b"VP8 ")
    kept = [(name, chunks[name]) for name in names if name in chunks]
    if extended is not None and len(kept) > 1:
        kept.insert(0, (b"VP8X", _WITH_PROFILE + extended[4:10]))
    content = b"WEBP" + b"".join(
        name + len(chunk).to_bytes(4, "little") + chunk + b"\0" * (len(chunk) % 2)
        for name, chunk in kept
    )
    return b"RIFF" + len(content).to_bytes(4, "little") + content


def _unsigned(data: Piece, at: int, size: int, order: Literal["big", "little"] = "big") -> int:
    piece = data[at : at + size]
    if len(piece) < size:
        raise CutOff
    return int.from_bytes(piece, order)


def orientation_of(exif: bytes) -> int:
    """Return the orientation from an EXIF block; 1 if it is missing or unreadable."""
    order: Literal["big", "little"] = "little" if exif[:2] == b"II" else "big"
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    start = int.from_bytes(exif[4:8], order) + 2
    end = start + 12 * int.from_bytes(exif[start - 2 : start], order)
    for at in range(start, min(end, len(exif)), 12):
        tag, kind = (int.from_bytes(exif[at + i : at + i + 2], order) for i in (0, 2))
        # A single BYTE, SHORT or LONG is stored in the entry itself.
        size = {1: 1, 3: 2, 4: 4}.get(kind, 0)
        if tag == 0x0112 and size and int.from_bytes(exif[at + 4 : at + 8], order) == 1:
            value = int.from_bytes(exif[at + 8 : at + 8 + size], order)
            return value if 1 <= value <= 8 else 1
    return 1

"""JPEG, PNG and WebP without decoding: size, orientation, and what is nothing but the picture.

`read_jpeg`, `read_png` and `read_webp` each return a `Header`, whose `kept` is the file without
metadata. A file that cannot be cleaned this way is written anew by Pillow (`imaging`).

Sources: ITU-T T.81 annex B, T.871, T.872 (JPEG); W3C PNG Specification, third edition; RFC 9649 and
RFC 6386 §9.1 (WebP); Exif 2.32.
"""

from __future__ import annotations

import enum
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Literal, NoReturn, TypeAlias

import attrs

from facematch_core.errors import InvalidImage

#: Bytes of a file, or new ones.
Piece: TypeAlias = bytes | memoryview


class ImageFormat(enum.StrEnum):
    """The kind of a picture's file. The bytes decide, never the name."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    TIFF = "tiff"
    GIF = "gif"
    BMP = "bmp"
    #: Reading one needs the extra `heif`.
    HEIC = "heic"
    AVIF = "avif"

    def __init__(self, name: str) -> None:
        #: The content type, for example ``image/jpeg``.
        self.media_type = f"image/{name}"
        #: The file name's ending, without a dot, that vendors who judge by it accept.
        self.extension = "jpg" if name == "jpeg" else name

    @property
    def label(self) -> str:
        """The name in a sentence, for example ``JPEG``."""
        return "WebP" if self is ImageFormat.WEBP else self.value.upper()

    @property
    def noun(self) -> str:
        """`label` with its article, for example ``a JPEG``."""
        return f"an {self.label}" if self is ImageFormat.AVIF else f"a {self.label}"


@attrs.frozen
class Header:
    """A picture's facts, read without decoding it; its sides as stored."""

    format: ImageFormat
    width: int
    height: int
    #: EXIF orientation; 1 is upright.
    orientation: int = 1
    #: The file without its metadata, in pieces: one that is the file itself if nothing goes. Empty
    #: for what only Pillow can write.
    kept: tuple[Piece, ...] = attrs.field(default=(), eq=False, repr=False)
    #: Whether that is sent as it is; a PNG only if `is_only_pixels`.
    is_sent: bool = attrs.field(default=False, eq=False)
    #: Whether writing the picture anew changes no pixel.
    is_lossless: bool = False


class CutOff(Exception):
    """The bytes stop before the file says that it is complete."""


class Damaged(Exception):
    """The bytes contradict the file format; the text says how, in a few words."""


def refuse(why: str) -> NoReturn:
    raise InvalidImage(f"The picture {why}.") from None


def refuse_several(form: ImageFormat) -> NoReturn:
    refuse(
        f"is {form.noun} with several pictures (an animation, or pages); "
        "save the one that shows the face as JPEG or PNG"
    )


class _Kept:
    """The parts of a file that stay, beginning with its first `end` bytes."""

    def __init__(self, data: bytes, end: int) -> None:
        self.data = data
        #: Adjacent parts are one piece, which ends here.
        self._start, self._end = 0, end
        self._pieces: list[Piece] = []

    def keep(self, start: int, end: int) -> None:
        """Keep these bytes of the file."""
        if start != self._end:
            self._pieces.append(memoryview(self.data)[self._start : self._end])
            self._start = start
        self._end = end

    def put(self, segment: bytes, start: int, end: int) -> None:
        """Keep a segment in the place of these bytes of the file."""
        if self.data[start:end] == segment:
            self.keep(start, end)
        else:
            self.keep(-1, -1)
            self._pieces.append(segment)

    def pieces(self) -> tuple[Piece, ...]:
        """Return all parts; only the file itself if nothing goes."""
        if self._start == 0 and self._end == len(self.data):
            return (self.data,)
        return (*self._pieces, memoryview(self.data)[self._start : self._end])


_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
#: Kept as they are: the tables of scans (DHT, DQT, DRI), and the end.
_PLAIN = frozenset({0xC4, 0xDB, 0xDD, _EOI})
#: Frames that today's decoders read, Huffman coded: baseline, extended and progressive.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_ALL_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Markers without a length: TEM and, between scans, the restart markers.
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
#: The smallest EXIF segment: one directory with only the orientation.
_EXIF = (
    b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\1"  # big endian; a directory at 8, one entry
    b"\1\x12\0\3\0\0\0\1\0%c\0\0\0\0\0\0"
)
#: A progressive file has about ten. Each further one lets a decoder pass over all pixels again.
_MOST_SCANS = 100
_NO_MARKER = (b"", b"\0", b"\xff")
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
#: The end of a scan: 0xFF 0x00 is a plain byte and 0xFF 0xD0-0xD7 a restart.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def read_jpeg(data: bytes) -> Header:
    """Keep the frame, its tables and scans, the colour profile, and the marks of JFIF and Adobe.

    EXIF is replaced by one with only the orientation; an upright picture needs none.
    """
    jpeg = _Jpeg(data, 2)
    for marker, start, block, end in _segments(data):
        if marker in _PLAIN:
            jpeg.keep(start, end)
        elif read := _READERS.get(marker):
            read(jpeg, start, block, end)
    if jpeg.size is None or not jpeg.scans:
        raise Damaged("there is no picture in it")
    return Header(
        ImageFormat.JPEG,
        *jpeg.size,
        orientation=jpeg.orientation or 1,
        kept=jpeg.pieces(),
        is_sent=True,
    )


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield marker, start, start of the content, and end of each segment; a scan has its pixels."""
    at = 2
    for _ in _parts():
        start = at
        if data[at : at + 1] != b"\xff" or data[at + 1 : at + 2] in _NO_MARKER:
            # Fill bytes, or bytes that belong to nothing.
            start = _search(_MARKER, data, at)
        marker, block = data[start + 1], start + 4
        if marker == _EOI:
            yield marker, start, start + 2, start + 2
            return
        at = start + 2
        if marker in _BARE:
            continue
        if marker == _SOI:
            raise Damaged("a second picture begins inside it")
        at += _unsigned(data, at, 2)
        if at < block:
            raise Damaged("a segment is shorter than its own length")
        if at > len(data):
            raise CutOff
        if marker == _SOS:
            at = _search(_AFTER_SCAN, data, at)
        yield marker, start, block, at


def _search(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.search(data, at)
    if match is None:
        raise CutOff
    return match.start()


class _Jpeg(_Kept):
    """The facts of a JPEG, as far as it was read, and its kept parts."""

    size: tuple[int, int] | None = None
    orientation: int | None = None
    scans = 0
    _has_jfif = False

    def read_scan(self, start: int, _block: int, end: int) -> None:
        self.scans += 1
        if self.scans > _MOST_SCANS:
            raise Damaged(f"it has more than {_MOST_SCANS} scans")
        self.keep(start, end)

    def read_frame(self, start: int, block: int, end: int) -> None:
        if self.data[start + 1] not in _FRAMES:
            raise Damaged("it is lossless, hierarchical or arithmetically coded")
        # A second frame could have another size than the checked one.
        if self.size:
            raise Damaged("it has two frame headers")
        if end - block < 6 or self.data[block] != 8:
            raise Damaged("its frame header is too short, or not of 8 bits per colour")
        self.size = _unsigned(self.data, block + 3, 2), _unsigned(self.data, block + 1, 2)
        self.keep(start, end)

    def read_jfif(self, start: int, block: int, end: int) -> None:
        if self._has_jfif or end - block < 14 or not self.data.startswith(b"JFIF\0", block):
            return
        self._has_jfif = True
        # At 12 is the size of a thumbnail, which follows.
        mark = self.data[block : block + 12]
        self.put(b"\xff\xe0\0\x10" + mark + b"\0\0", start, end)

    def read_exif(self, start: int, block: int, end: int) -> None:
        if self.orientation is None and self.data.startswith(b"Exif\0\0", block):
            self.orientation = orientation_of(self.data[block + 6 : end])
            if self.orientation != 1:
                self.put(_EXIF % self.orientation, start, end)

    def read_profile(self, start: int, block: int, end: int) -> None:
        if self.data.startswith(b"ICC_PROFILE\0", block):
            self.keep(start, end)

    def read_adobe(self, start: int, block: int, end: int) -> None:
        # Twelve bytes say how colours are coded.
        if self.data.startswith(b"Adobe", block) and end - block >= 12:
            self.put(b"\xff\xee\0\x0e" + self.data[block : block + 12], start, end)


_READERS: dict[int, Callable[[_Jpeg, int, int, int], None]] = {
    _SOS: _Jpeg.read_scan,
    **dict.fromkeys(_ALL_FRAMES, _Jpeg.read_frame),
    0xE0: _Jpeg.read_jfif,
    0xE1: _Jpeg.read_exif,
    0xE2: _Jpeg.read_profile,
    0xEE: _Jpeg.read_adobe,
}


_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: Chunks for colours, and chunks for pixels.
_COLOURS, _PIXELS = {b"PLTE", b"tRNS", b"iCCP"}, {b"IHDR", b"IDAT", b"IEND"}
#: Bytes of a pixel by what the header says behind the size: no palette, not interlaced.
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
    """Yield name, start and end of each chunk."""
    end = len(_PNG_MAGIC)
    for _ in _parts():
        start, end = end, end + 12 + _unsigned(png, end, 4)
        if end > len(png):
            raise CutOff
        yield (name := png[start + 4 : start + 8]), start, end
        if name == b"IEND":
            return


def is_only_pixels(png: bytes) -> bool:
    """Whether its rows are as many and as long as its size says, and nothing follows them."""
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


#: A bit of the first byte of an extended file's header (VP8X).
_ANIMATION = 0x02
#: The first bytes of that header if a colour profile follows.
_WITH_PROFILE = b"\x20\0\0\0"


def read_webp(data: bytes) -> Header:
    """Keep the coded pixels of a lossy file and its colour profile."""
    last, at = 8 + _unsigned(data, 4, 4, "little"), 12
    if last > len(data):
        raise CutOff
    # The first of several chunks with one name counts.
    chunks = dict[bytes, bytes]()
    for _ in _parts():
        if at >= last:
            break
        end = at + 8 + _unsigned(data, at + 4, 4, "little")
        if end > last:
            raise Damaged("a chunk is longer than the file")
        chunks.setdefault(data[at : at + 4], data[at + 8 : end])
        at = end + end % 2
    extended, lossy, lossless = (chunks.get(name) for name in (b"VP8X", b"VP8 ", b"VP8L"))
    if extended and extended[0] & _ANIMATION:
        refuse_several(ImageFormat.WEBP)
    if (lossy is None) is (lossless is None):
        raise Damaged("there is no picture in it")
    if extended is not None:
        # A decoder allocates the canvas, and refuses a frame of another size.
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
    """Return a file of the coded pixels and their colour profile alone."""
    names: tuple[bytes, ...] = (b"ICCP", b"VP8 ")
    kept = [(name, chunks[name]) for name in names if name in chunks]
    if extended is not None and len(kept) > 1:
        kept.insert(0, (b"VP8X", _WITH_PROFILE + extended[4:10]))
    content = b"WEBP" + b"".join(
        name + len(chunk).to_bytes(4, "little") + chunk + b"\0" * (len(chunk) % 2)
        for name, chunk in kept
    )
    return b"RIFF" + len(content).to_bytes(4, "little") + content


#: More segments or chunks than any real file has: millions of empty ones take many seconds.
_MOST_PARTS = 100_000


def _parts() -> Iterator[int]:
    yield from range(_MOST_PARTS)
    raise Damaged(f"it has more than {_MOST_PARTS} parts")


def _unsigned(data: Piece, at: int, size: int, order: Literal["big", "little"] = "big") -> int:
    piece = data[at : at + size]
    if len(piece) < size:
        raise CutOff
    return int.from_bytes(piece, order)


def orientation_of(exif: bytes) -> int:
    """The orientation that an EXIF block names; 1 if it names none or is unreadable."""
    order: Literal["big", "little"] = "little" if exif[:2] == b"II" else "big"
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    start = int.from_bytes(exif[4:8], order) + 2
    end = start + 12 * int.from_bytes(exif[start - 2 : start], order)
    for at in range(start, min(end, len(exif)), 12):
        tag, kind = (int.from_bytes(exif[at + i : at + i + 2], order) for i in (0, 2))
        # A single BYTE, SHORT or LONG is in the entry itself.
        size = {1: 1, 3: 2, 4: 4}.get(kind, 0)
        if tag == 0x0112 and size and int.from_bytes(exif[at + 4 : at + 8], order) == 1:
            value = int.from_bytes(exif[at + 8 : at + 8 + size], order)
            return value if 1 <= value <= 8 else 1
    return 1

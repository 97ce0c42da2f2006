"""JPEG, PNG and WebP without decoding: size, orientation, and what is nothing but the picture.

A JPEG's segments are sorted: what the pixels and their colours need is put together again, so that
the pixels stay as they are; all else goes. PNG and WebP, and a JPEG whose structure leaves room to
hide something, Pillow writes anew (`_imaging`).

Sources: ITU-T T.81 annex B, T.871, T.872 (JPEG); W3C PNG Specification, third edition; RFC 9649 and
RFC 6386 §9.1 (WebP); Exif 2.32; ICC.1:2022 §7 and annex B.
"""

from __future__ import annotations

import enum
import re
import zlib
from collections.abc import Iterator
from typing import Literal, NoReturn, TypeAlias, TypeGuard

import attrs

from .errors import InvalidImage

#: Bytes of a file that are sent as they are, or new ones.
Piece: TypeAlias = bytes | memoryview


class ImageFormat(enum.StrEnum):
    """What kind of file a picture is. Its bytes decide, never its name."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    TIFF = "tiff"
    GIF = "gif"
    BMP = "bmp"
    #: Reading one needs the extra `heif`.
    HEIC = "heic"
    AVIF = "avif"

    @property
    def media_type(self) -> str:
        """The content type, for example ``image/jpeg``."""
        return f"image/{self.value}"

    @property
    def extension(self) -> str:
        """The file name's ending, without a dot, that vendors who judge by it accept."""
        return "jpg" if self is ImageFormat.JPEG else self.value

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
    """What is known of a picture without decoding it; its sides as stored."""

    format: ImageFormat
    width: int
    height: int
    #: As EXIF counts; 1 is upright.
    orientation: int = 1
    #: What Pillow decodes of a JPEG or PNG, in its order.
    kept: tuple[Piece, ...] = attrs.field(default=(), eq=False, repr=False)
    #: Whether that leaves no room for anything but the picture; of a PNG, if `is_only_pixels`.
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


def kept_of(data: bytes, header: Header) -> bytes:
    """What is kept of `data`: itself if that is all of it, which is not copied to find out."""
    at = 0
    for piece in header.kept:
        if not data.startswith(piece, at):
            return b"".join(header.kept)
        at += len(piece)
    return data if at in (0, len(data)) else data[:at]


# --- JPEG: segments that each begin with 0xFF and a marker ---

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
#: Frames that decoders of today read: baseline, extended and progressive, Huffman coded.
_FRAMES = {0xC0, 0xC1, 0xC2}
_PROGRESSIVE = 0xC2
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_TABLES = {_DQT, _DHT, _DRI}
_OF_PIXELS = _FRAMES | _OTHER_FRAMES | _TABLES | {_SOS}
#: How those of the other segments begin that are looked at.
_BEGINNINGS = {_APP0: b"JFIF\0", _APP1: b"Exif\0\0", _APP2: b"ICC_PROFILE\0", _APP14: b"Adobe"}
#: Markers without a length: TEM and, between scans, the restart markers.
_BARE = {0x01, *range(0xD0, 0xD8)}
#: The smallest EXIF block: one directory with only the orientation.
_EXIF = (
    b"Exif\0\0MM\0*\0\0\0\x08\0\1"  # big endian; a directory at 8 with one entry
    b"\1\x12\0\3\0\0\0\1\0%c\0\0\0\0\0\0"
)
#: A progressive file has about ten. Each further one lets a decoder pass over all pixels again.
_MOST_SCANS = 100
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
#: Inside a scan 0xFF 0x00 is a plain byte and 0xFF 0xD0-0xD7 a restart: neither ends it.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
#: Sixteen printable characters in a row: of coded pixels one file in millions ends in that. Other
#: bytes behind the pixels, which say nowhere where they end, are found by decoding alone.
_TEXT = re.compile(rb"[\x20-\x7e]{16}")


def read_jpeg(data: bytes) -> Header:
    """Keep frame, tables and scans, colour profile and Adobe's marker, and JFIF's first lines."""
    pixels = _JpegPixels()
    by_name: dict[bytes, list[bytes]] = {name: [] for name in _BEGINNINGS.values()}
    for marker, block, whole in _segments(data):
        name = _BEGINNINGS.get(marker, b"")
        if marker in _OF_PIXELS:
            pixels.add(marker, block, whole)
        elif name and block.startswith(name):
            by_name[name].append(block)
    if pixels.size is None or not pixels.scans:
        raise Damaged("there is no picture in it")
    exif, jfif, adobe, profile = (by_name[_BEGINNINGS[at]] for at in (_APP1, _APP0, _APP14, _APP2))
    orientation = orientation_of(exif[0][6:]) if exif else 1
    # JFIF wants to be first, EXIF next to it. JFIF's last two bytes are the size of a thumbnail.
    first = [_segment(_APP0, block[:12] + b"\0\0") for block in jfif if len(block) >= 14][:1]
    if orientation != 1:
        first.append(_segment(_APP1, _EXIF % orientation))
    # A long profile comes in numbered pieces, each with their number: at most 255.
    numbers = [(at, len(profile)) for at in range(1, len(profile) + 1)]
    is_whole = [tuple(block[12:14]) for block in profile] == numbers
    if is_whole and is_profile(b"".join(block[14:] for block in profile)):
        first += [_segment(_APP2, block) for block in profile]
    first += [_segment(_APP14, block[:12]) for block in adobe if len(block) >= 12]
    return Header(
        ImageFormat.JPEG,
        *pixels.size,
        orientation=orientation,
        kept=(b"\xff\xd8", *first, *pixels.kept, b"\xff\xd9"),
        is_sent=not pixels.could_hide and len(adobe) < 2,
    )


@attrs.define
class _JpegPixels:
    """Frame, tables and scans, and whether they have room for anything else."""

    size: tuple[int, int] | None = None
    is_progressive: bool = False
    kept: list[Piece] = attrs.field(factory=list)
    scans: int = 0
    #: Tables that were defined and not used yet, and what the scans so far have coded.
    tables: set[int] = attrs.field(factory=set)
    coded: set[bytes] = attrs.field(factory=set)
    could_hide: bool = False

    def add(self, marker: int, block: bytes, whole: memoryview) -> None:
        self.kept.append(whole)
        if marker == _SOS:
            self.could_hide |= self._hides_in_scan(block) or bool(_TEXT.search(whole[-64:]))
        elif marker in _TABLES:
            new = _tables(marker, block)
            self.could_hide |= not new or len({*new}) < len(new) or not self.tables.isdisjoint(new)
            self.tables.update(new)
        else:
            self._read_frame(marker, block)

    def _read_frame(self, marker: int, block: bytes) -> None:
        if marker not in _FRAMES:
            raise Damaged("it is lossless, hierarchical or arithmetically coded")
        # A second frame could have another size than the one that was checked.
        if self.size:
            raise Damaged("it has two frame headers")
        if len(block) < 6 or block[0] != 8:
            raise Damaged("its frame header is too short, or not of 8 bits per colour")
        height, width = _unsigned(block, 1, 2), _unsigned(block, 3, 2)
        self.size, self.is_progressive = (width, height), marker == _PROGRESSIVE
        self.could_hide |= len(block) != 6 + 3 * block[5]

    def _hides_in_scan(self, block: bytes) -> bool:
        self.scans += 1
        if self.scans > _MOST_SCANS:
            raise Damaged(f"it has more than {_MOST_SCANS} scans")
        # All but those for quantisation may be defined anew between two scans.
        self.tables = {table for table in self.tables if table >> 8 == _DQT}
        count = block[0] if block else 0
        # Each scan codes something of its own: a component, or of a progressive file a range of it.
        which = block[-3:] if self.is_progressive else b""
        new = [bytes([component]) + which for component in block[1 : 1 + 2 * count : 2]]
        again = len({*new}) < len(new) or not self.coded.isdisjoint(new)
        self.coded.update(new)
        return again or self.size is None or len(block) != 4 + 2 * count


def _segments(data: bytes) -> Iterator[tuple[int, bytes, memoryview]]:
    """Marker, content and whole of each segment; the whole of a scan has its pixels, too."""
    view, at = memoryview(data), 2
    for _ in _parts():
        found = _MARKER.search(data, at)
        if found is None:
            raise CutOff
        start, body = found.span()
        marker = data[body - 1]
        if marker == _EOI:
            return
        if marker == _SOI:
            raise Damaged("a second picture begins inside it")
        if marker in _BARE:
            at = body
            continue
        length = _unsigned(data, body, 2)
        at = body + length
        if length < 2:
            raise Damaged("a segment is shorter than its own length")
        if at > len(data):
            raise CutOff
        block = data[body + 2 : at]
        if marker == _SOS:
            found = _AFTER_SCAN.search(data, at)
            if found is None:
                raise CutOff
            at = found.start()
        yield marker, block, view[start:at]


def _segment(marker: int, block: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(block) + 2).to_bytes(2, "big") + block


def _tables(marker: int, block: bytes) -> list[int]:
    """Which tables a segment defines; none if it holds anything else."""
    if marker == _DRI:
        return [_DRI << 8] if len(block) == 2 else []
    found, at = [], 0
    while at < len(block):
        found.append(marker << 8 | (block[at] & 15 if marker == _DQT else block[at]))
        if marker == _DQT:
            at += 1 + 64 * (1 + (block[at] >> 4))  # 64 numbers of one or two bytes
        else:
            # How many codes there are of each length, then what they stand for.
            at += 17 + sum(block[at + 1 : at + 17])
    return found if at == len(block) else []


# --- PNG: chunks with a length, a name and a checksum ---

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: What the pixels and their colours need, and what is left once nothing could hide in it.
_COLOURS, _PIXELS = {b"PLTE", b"tRNS", b"iCCP"}, {b"IHDR", b"IDAT", b"IEND"}
#: Bytes of a pixel by what the header says behind the size: no palette, not interlaced.
_PIXEL_BYTES = {
    bytes([depth, colour, 0, 0, 0]): count * depth // 8
    for colour, count in {0: 1, 2: 3, 4: 2, 6: 4}.items()
    for depth in (8, 16)
}
#: The only text that is sent: what a test card of the mock server says of itself, in digits.
_CARD = re.compile(rb"facematch-card\0[0-9a-f.]{1,200}")


def read_png(data: bytes) -> Header:
    names, orientation = set[bytes](), 1
    kept: list[Piece] = [_PNG_MAGIC]
    at = len(_PNG_MAGIC)
    for _ in _parts():
        length, name = _unsigned(data, at, 4), data[at + 4 : at + 8]
        whole = memoryview(data)[at : at + 12 + length]
        content = whole[8:-4]
        at += 12 + length
        if at > len(data):
            raise CutOff
        if (name == b"IHDR") is bool(names) or (not names and length != 13):
            raise Damaged("it does not begin with its header, or has two")
        names.add(name)
        if name in _COLOURS | _PIXELS or (name == b"tEXt" and _CARD.fullmatch(content)):
            if zlib.crc32(whole[4:-4]) != _unsigned(whole, 8 + length, 4):
                raise Damaged(f"the checksum of its {name.decode()} chunk is wrong")
            kept.append(whole)
        elif name == b"acTL":
            refuse_several(ImageFormat.PNG)
        elif name == b"eXIf":
            orientation = orientation_of(bytes(content))
        if name == b"IEND":
            break
    if b"IDAT" not in names:
        raise Damaged("there is no picture in it")
    is_plain = data[24:29] in _PIXEL_BYTES
    return Header(
        ImageFormat.PNG,
        _unsigned(data, 16, 4),
        _unsigned(data, 20, 4),
        orientation=orientation,
        kept=tuple(kept),
        is_sent=orientation == 1 and not (length or names & _COLOURS) and is_plain,
        is_lossless=True,
    )


def is_only_pixels(png: Header) -> bool:
    """Whether its rows are as many and as long as its size says, and nothing follows them."""
    missing = png.height * (1 + png.width * _PIXEL_BYTES[bytes(png.kept[1][16:21])])
    inflater = zlib.decompressobj()
    for rest in (piece[8:-4] for piece in png.kept if piece[4:8] == b"IDAT"):
        if rest and inflater.eof:
            return False
        while rest and missing >= 0:
            try:
                missing -= len(inflater.decompress(rest, 1 << 18))
            except zlib.error:
                return False
            rest = inflater.unconsumed_tail  # noqa: PLW2901
    return missing == 0 and inflater.eof and not inflater.unused_data


# --- WebP: chunks inside a RIFF frame ---

#: A bit of the first byte of an extended file's header (VP8X).
_ANIMATION = 0x02


def read_webp(data: bytes) -> Header:
    last, at = 8 + _unsigned(data, 4, 4, "little"), 12
    if last > len(data):
        raise CutOff
    # Of several of one name the first one counts.
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
    if (lossy is None) is (lossless is None) and not (extended and extended[0] & _ANIMATION):
        raise Damaged("there is no picture in it")
    if extended is not None:
        if extended[0] & _ANIMATION:
            refuse_several(ImageFormat.WEBP)
        # The canvas is what a decoder allocates; it refuses a frame of another size.
        width, height = (_unsigned(extended, place, 3, "little") + 1 for place in (4, 7))
    elif lossy is not None:
        width, height = (_unsigned(lossy, place, 2, "little") & 0x3FFF for place in (6, 8))
    elif lossless is not None:
        bits = _unsigned(lossless, 1, 4, "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    exif = chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0")
    return Header(
        ImageFormat.WEBP,
        width,
        height,
        orientation=orientation_of(exif),
        is_lossless=lossless is not None,
    )


# --- What the formats have in common ---

#: More segments or chunks than any real file has. A file of 32 MiB could otherwise hold millions
#: of empty ones, and walking them takes many seconds.
_MOST_PARTS = 100_000


def _parts() -> Iterator[int]:
    yield from range(_MOST_PARTS)
    raise Damaged(f"it has more than {_MOST_PARTS} parts")


def _unsigned(data: Piece, at: int, size: int, order: Literal["big", "little"] = "big") -> int:
    piece = data[at : at + size]
    if len(piece) < size:
        raise CutOff
    return int.from_bytes(piece, order)


def is_profile(data: object) -> TypeGuard[bytes]:
    """Whether this is an ICC profile, with no room in it but its header and its tags."""
    if not isinstance(data, bytes) or len(data) < 132 or data[36:40] != b"acsp":
        return False
    end = 132 + 12 * _unsigned(data, 128, 4)
    if end > len(data) or _unsigned(data, 0, 4) != len(data):
        return False
    tags = range(132, end, 12)
    places = ((_unsigned(data, at + 4, 4), _unsigned(data, at + 8, 4)) for at in tags)
    # Tags may share their content, and begin at multiples of four.
    for start, size in sorted(places):
        if start - end > 3:
            return False
        end = max(end, start + size)
    return end <= len(data) <= end + 3


def orientation_of(exif: bytes) -> int:
    """The orientation that an EXIF block names; 1 if it names none or is unreadable."""
    order: Literal["big", "little"] = "little" if exif[:2] == b"II" else "big"
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    start = int.from_bytes(exif[4:8], order) + 2
    end = start + 12 * int.from_bytes(exif[start - 2 : start], order)
    for at in range(start, min(end, len(exif)), 12):
        tag, kind = (int.from_bytes(exif[at + i : at + i + 2], order) for i in (0, 2))
        # One BYTE, SHORT or LONG is in the entry itself.
        size = {1: 1, 3: 2, 4: 4}.get(kind, 0)
        if tag == 0x0112 and size and int.from_bytes(exif[at + 4 : at + 8], order) == 1:
            value = int.from_bytes(exif[at + 8 : at + 8 + size], order)
            return value if 1 <= value <= 8 else 1
    return 1

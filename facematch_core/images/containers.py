"""JPEG, PNG and WebP without decoding: size, orientation, and what is nothing but the picture.

A JPEG keeps the segments of its pixels and their colours, without tables and texts of no use. What
leaves room to hide something, Pillow writes anew (`_imaging`).

Sources: ITU-T T.81 annex B, T.871, T.872 (JPEG); W3C PNG Specification, third edition; RFC 9649 and
RFC 6386 §9.1 (WebP); Exif 2.32; ICC.1:2022 §7, §9, §10 and annex B.
"""

from __future__ import annotations

import enum
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Literal, NoReturn, TypeAlias

import attrs

from facematch_core.errors import InvalidImage

#: Bytes of a file, or new ones.
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


def join_kept(data: bytes, header: Header) -> bytes:
    """The kept pieces of `data`; `data` itself, without a copy, if they are all of it."""
    at = 0
    for piece in header.kept:
        if not data.startswith(piece, at):
            return b"".join(header.kept)
        at += len(piece)
    return data if at in (0, len(data)) else data[:at]


_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_PROGRESSIVE = 0xC2
#: Frames that decoders of today read, Huffman coded: baseline, extended and progressive.
_FRAMES = {0xC0, 0xC1, _PROGRESSIVE}
#: Every frame, tables, and scans.
_OF_PIXELS = {*range(0xC0, 0xD0), _DQT, _DRI, _SOS} - {0xC8, 0xCC}
#: The length of the table at the begin of a block: a number, then 64 values of one or two bytes; a
#: number, how many codes there are of each length, and their values; the interval of restarts.
_TABLE_BYTES: dict[int, Callable[[bytes], int]] = {
    _DQT: lambda block: 1 + 64 * (1 + (block[0] >> 4)),
    _DHT: lambda block: 17 + sum(block[1:17]),
    _DRI: lambda _: 2,
}
#: Which bits of its first byte are a table's number.
_NUMBER_BITS = {_DQT: 0x0F, _DHT: 0xFF, _DRI: 0}
#: How the other segments that are read begin.
_BEGINNINGS = {_APP0: b"JFIF\0", _APP1: b"Exif\0\0", _APP2: b"ICC_PROFILE\0", _APP14: b"Adobe"}
#: Markers without a length: TEM and, between scans, the restart markers.
_BARE = {0x01, *range(0xD0, 0xD8)}
#: Bytes of a profile in one segment, beside its name and two numbers.
_PIECE_BYTES = 0xFFFF - 2 - 14
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
#: Sixteen printable characters in a row: one file in millions has coded pixels that end so. Only
#: decoding finds other bytes behind the pixels, because nothing says where those end.
_TEXT = re.compile(rb"[\x20-\x7e]{16}")


def read_jpeg(data: bytes) -> Header:
    """Keep the pixels, their tables, colour profile and Adobe's marker, and JFIF's first lines."""
    pixels, blocks = _JpegPixels(), {marker: list[bytes]() for marker in _BEGINNINGS}
    for marker, block, whole in _segments(data):
        if marker in _OF_PIXELS:
            pixels.add(marker, block, whole)
        elif marker in blocks and block.startswith(_BEGINNINGS[marker]):
            blocks[marker].append(block)
    if pixels.size is None or not pixels.scans:
        raise Damaged("there is no picture in it")
    jfif, exif, profile, adobe = blocks.values()
    orientation = orientation_of(exif[0][6:]) if exif else 1
    # JFIF wants to be first, EXIF next to it. JFIF's last two bytes are the size of a thumbnail.
    first = [_segment(_APP0, block[:12] + b"\0\0") for block in jfif if len(block) >= 14][:1]
    if orientation != 1:
        first.append(_segment(_APP1, _EXIF % orientation))
    # A long profile comes in numbered pieces, each with their number: at most 255.
    numbers = [(number, len(profile)) for number in range(1, len(profile) + 1)]
    if [tuple(block[12:14]) for block in profile] == numbers:
        colours = strip_profile(b"".join(block[14:] for block in profile))
        pieces = [colours[at : at + _PIECE_BYTES] for at in range(0, len(colours), _PIECE_BYTES)]
        first += [
            _segment(_APP2, _BEGINNINGS[_APP2] + bytes([number, len(pieces)]) + piece)
            for number, piece in enumerate(pieces, 1)
            if len(pieces) < 256  # padding between its tags may have made it longer
        ]
    first += [_segment(_APP14, block[:12]) for block in adobe if len(block) >= 12]
    return Header(
        ImageFormat.JPEG,
        *pixels.size,
        orientation=orientation,
        kept=(b"\xff\xd8", *first, *pixels.kept(), b"\xff\xd9"),
        is_sent=not pixels.could_hide and len(adobe) < 2,
    )


def _segments(data: bytes) -> Iterator[tuple[int, bytes, memoryview]]:
    """Marker, content and all bytes of each segment; those of a scan include its pixels."""
    view, at = memoryview(data), 2
    for _ in _parts():
        match = _MARKER.search(data, at)
        if match is None:
            raise CutOff
        start, at = match.span()
        marker = data[at - 1]
        if marker == _EOI:
            return
        if marker == _SOI:
            raise Damaged("a second picture begins inside it")
        if marker in _BARE:
            continue
        length = _unsigned(data, at, 2)
        if length < 2:
            raise Damaged("a segment is shorter than its own length")
        block = data[at + 2 : at + length]
        at += length
        if at > len(data):
            raise CutOff
        if marker == _SOS:
            match = _AFTER_SCAN.search(data, at)
            if match is None:
                raise CutOff
            at = match.start()
        yield marker, block, view[start:at]


def _segment(marker: int, block: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(block) + 2).to_bytes(2, "big") + block


@attrs.define(eq=False)
class _Table:
    content: bytes
    is_used: bool = False


@attrs.define
class _JpegPixels:
    """Frame, tables and scans, and whether they have room for anything else."""

    size: tuple[int, int] | None = None
    is_progressive: bool = False
    scans: int = 0
    #: Each segment; one of tables as its marker and its tables, some of which may go.
    segments: list[memoryview | tuple[int, list[_Table]]] = attrs.field(factory=list)
    #: The tables that apply at this place of the file, by marker and number.
    tables: dict[tuple[int, int], _Table] = attrs.field(factory=dict)
    #: Each component, and the number of its quantisation table.
    components: list[tuple[int, int]] = attrs.field(factory=list)
    #: The parts of the picture that the scans so far have coded.
    coded: set[bytes] = attrs.field(factory=set)
    could_hide: bool = False

    def add(self, marker: int, block: bytes, whole: memoryview) -> None:
        if marker in _TABLE_BYTES:
            tables, at = list[_Table](), 0
            while at < len(block):
                end = at + _TABLE_BYTES[marker](block[at : at + 17])
                tables.append(_Table(block[at:end]))
                at = end
            if at != len(block) or (marker == _DRI and len(tables) > 1):
                tables = []
            self.could_hide |= not tables
            self.segments.append((marker, tables) if tables else whole)
            for table in tables:
                place = marker, table.content[0] & _NUMBER_BITS[marker]
                # A decoder may use the first or the last of these; of others it uses the last.
                self.could_hide |= marker == _DQT and place in self.tables
                self.tables[place] = table
            return
        self.segments.append(whole)
        if marker == _SOS:
            self.could_hide |= self._add_scan(block) or bool(_TEXT.search(whole[-64:]))
            return
        if marker not in _FRAMES:
            raise Damaged("it is lossless, hierarchical or arithmetically coded")
        # A second frame could have another size than the one that was checked.
        if self.size:
            raise Damaged("it has two frame headers")
        if len(block) < 6 or block[0] != 8:
            raise Damaged("its frame header is too short, or not of 8 bits per colour")
        self.size = _unsigned(block, 3, 2), _unsigned(block, 1, 2)
        self.is_progressive = marker == _PROGRESSIVE
        self.components = list(zip(block[6::3], block[8::3], strict=False))
        self.could_hide |= len(block) != 6 + 3 * block[5]

    def kept(self) -> Iterator[Piece]:
        """The segments, without tables that no scan uses, because those could hold anything."""
        for segment in self.segments:
            if isinstance(segment, memoryview):
                yield segment
            elif used := b"".join(table.content for table in segment[1] if table.is_used):
                yield _segment(segment[0], used)

    def _add_scan(self, block: bytes) -> bool:
        self.scans += 1
        if self.scans > _MOST_SCANS:
            raise Damaged(f"it has more than {_MOST_SCANS} scans")
        count = block[0] if block else 0
        components, codes = block[1 : 1 + 2 * count : 2], block[2 : 2 + 2 * count : 2]
        # Each scan codes another part: a component, or in a progressive file a range of it.
        which = block[-3:] if self.is_progressive else b""
        new = {bytes([component]) + which for component in components}
        is_repeated = len(new) < len(components) or not self.coded.isdisjoint(new)
        self.coded |= new
        used = {(_DQT, number) for component, number in self.components if component in components}
        used.add((_DRI, 0))
        # The first number is the table for the mean of a block, the second for the rest; a
        # progressive scan codes one of them, and a second pass over the means has no codes.
        if not which or not (which[0] or which[-1] >> 4):
            used |= {(_DHT, code >> 4) for code in codes}
        if not which or which[0]:
            used |= {(_DHT, 0x10 | code & 15) for code in codes}
        for place, table in self.tables.items():
            table.is_used |= place in used
        return is_repeated or self.size is None or len(block) != 4 + 2 * count


_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: Chunks that colours need, and those that pixels need.
_COLOURS, _PIXELS = {b"PLTE", b"tRNS", b"iCCP"}, {b"IHDR", b"IDAT", b"IEND"}
#: Bytes of a pixel by what the header says behind the size: no palette, not interlaced.
_PIXEL_BYTES = {
    bytes([depth, colour, 0, 0, 0]): count * depth // 8
    for colour, count in {0: 1, 2: 3, 4: 2, 6: 4}.items()
    for depth in (8, 16)
}
#: The only text that is sent: the digits with which a test card of the mock server names itself.
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


#: A bit of the first byte of an extended file's header (VP8X).
_ANIMATION = 0x02


def read_webp(data: bytes) -> Header:
    last, at = 8 + _unsigned(data, 4, 4, "little"), 12
    if last > len(data):
        raise CutOff
    # Of chunks with the same name the first counts.
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
    exif = chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0")
    return Header(
        ImageFormat.WEBP,
        width,
        height,
        orientation=orientation_of(exif),
        is_lossless=lossless is not None,
    )


#: More segments or chunks than any real file has. Millions of empty ones would fit in 32 MiB, and
#: take many seconds to walk.
_MOST_PARTS = 100_000


def _parts() -> Iterator[int]:
    yield from range(_MOST_PARTS)
    raise Damaged(f"it has more than {_MOST_PARTS} parts")


def _unsigned(data: Piece, at: int, size: int, order: Literal["big", "little"] = "big") -> int:
    piece = data[at : at + size]
    if len(piece) < size:
        raise CutOff
    return int.from_bytes(piece, order)


#: Where the pieces of an ICC profile's header are, and what they may say: device, colours, and
#: colours between devices.
_PROFILE_WORDS = {
    12: {b"scnr", b"mntr", b"prtr", b"spac"},
    16: {b"RGB ", b"GRAY", b"CMYK"},
    20: {b"XYZ ", b"Lab "},
    36: {b"acsp"},
}
#: The light that every profile refers to (D50), as its header says it.
_D50 = bytes.fromhex("0000f6d6000100000000d32d")
#: The tags that convert colours, and the types of their content. All others are texts, names,
#: measurements, or somebody's own.
_COLOUR_TAGS: dict[bytes, tuple[bytes, ...]] = {
    **dict.fromkeys((b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ"), (b"XYZ ",)),
    **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC", b"kTRC"), (b"curv", b"para")),
    b"chad": (b"sf32",),
    b"cicp": (b"cicp",),
    **dict.fromkeys((b"A2B0", b"A2B1", b"A2B2"), (b"mft1", b"mft2", b"mAB ")),
    **dict.fromkeys((b"B2A0", b"B2A1", b"B2A2"), (b"mft1", b"mft2", b"mBA ")),
}


def strip_profile(profile: object) -> bytes:
    """An ICC profile with nothing but what converts colours; empty if it is none that is read."""
    if not isinstance(profile, bytes) or len(profile) < 132:
        return b""
    if any(profile[at : at + 4] not in words for at, words in _PROFILE_WORDS.items()):
        return b""
    contents, pieces = dict[bytes, bytes](), set[tuple[int, int]]()
    end = min(132 + 12 * _unsigned(profile, 128, 4), len(profile) - 11)
    for at in range(132, end, 12):
        name, start, size = struct.unpack_from(">4sII", profile, at)
        if name not in _COLOUR_TAGS or name in contents:
            continue
        pieces.add((start, size))
        # Overlapping contents could make a long profile of a short one.
        if sum(size for _, size in pieces) > len(profile):
            return b""
        contents[name] = _strip_tag(profile[start : start + size])
        if contents[name][:4] not in _COLOUR_TAGS[name]:
            return b""
    if not contents:
        return b""
    places, tags, body = dict[bytes, int](), b"", b""
    for name, content in contents.items():
        # Tags may share their content, as those of the three colours often do.
        if content not in places:
            places[content] = 132 + 12 * len(contents) + len(body)
            body += content + b"\0" * (-len(content) % 4)
        tags += struct.pack(">4sII", name, places[content], len(content))
    # Of the header: its version, its words, and how colours that cannot be shown are replaced.
    kept = profile[8:10], profile[12:24], profile[36:40], profile[67] & 3, _D50, len(contents)
    header = struct.pack(">I4x2s2x12s12x4s27xB12s48xI", 132 + len(tags + body), *kept)
    return header + tags + body


def _strip_tag(content: bytes) -> bytes:
    """The type and the numbers of a tag's content; empty if it is too short."""
    if len(content) < 12:
        return b""
    kind, (inputs, outputs, points) = content[:4], content[8:11]  # the three of a look-up table
    if kind == b"para":
        content = content[:10] + b"\0\0" + content[12:]
    first, last = int.from_bytes(content[48:50]), int.from_bytes(content[50:52])
    cells = points**inputs * outputs if kind.startswith(b"mft") else 0
    size = {
        b"XYZ ": 20,
        b"sf32": 44,
        b"cicp": 12,
        b"curv": 12 + 2 * int.from_bytes(content[8:12]),
        b"para": {0: 16, 1: 24, 2: 28, 3: 32, 4: 40}.get(int.from_bytes(content[8:10]), 0),
        b"mft1": 48 + 256 * (inputs + outputs) + cells,
        b"mft2": 52 + 2 * (first * inputs + cells + last * outputs),
    }.get(kind, len(content))
    return kind + bytes(4) + content[8:size] if 12 <= size <= len(content) else b""


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

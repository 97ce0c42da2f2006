"""JPEG, PNG and WebP without decoding: which bytes of a file are the picture, and which are not.

One walk over the parts of a file (segments, chunks) finds its size and its orientation, and sorts
the parts: what the pixels and their colours need is kept, all else goes. What is kept is put
together again by `without_metadata`, so that the pixels stay as they are. A part that is longer
than it may be, or comes twice, could hide anything: such a file is encoded anew (by `_imaging`).

Everything that is wrong with a picture is an `InvalidImage` of one sentence without any of its
bytes.

Sources: ITU-T T.81 annex B, T.871, T.872 (JPEG); W3C PNG Specification, third edition; RFC 9649 and
RFC 6386 §9.1 (WebP); Exif 2.32; ICC.1:2022 §7 and annex B.
"""

from __future__ import annotations

import contextlib
import enum
import re
import zlib
from collections.abc import Callable, Iterator
from typing import ClassVar, Literal, NoReturn, TypeAlias

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
    """What is known of a picture without decoding it.

    Attributes:
        format: The kind of file.
        width, height: In pixels, as stored (before `orientation` is applied).
        orientation: How to turn the stored picture upright, 1 to 8 as EXIF counts; 1 is upright.
        kept: What is sent of the file, in its order; None if it has to be encoded anew for that.
    """

    format: ImageFormat
    width: int
    height: int
    orientation: int = 1
    kept: tuple[Piece, ...] | None = attrs.field(default=None, eq=False, repr=False)


class CutOff(Exception):
    """The bytes stop before the file says that it is complete."""


class Damaged(Exception):
    """The bytes contradict the file format; the text says how, in a few words."""


def refuse(why: str) -> NoReturn:
    """Raise the one sentence that the caller reads: "The picture" and why it cannot be used."""
    raise InvalidImage(f"The picture {why}.") from None


def refuse_several(form: ImageFormat) -> NoReturn:
    """Raise the sentence about an animation, or a file with pages."""
    refuse(
        f"is {form.noun} with several pictures (an animation, or pages); "
        "save the one that shows the face as JPEG or PNG"
    )


def without_metadata(data: bytes, header: Header) -> bytes | None:
    """The same pixels, colours and orientation in a file with nothing else.

    Returns:
        `data` itself if nothing had to go; None if the picture has to be encoded anew for it.
    """
    if header.kept is None or (header.format is ImageFormat.PNG and _has_more_than_pixels(data)):
        return None
    # A clean picture is not copied to find that out.
    at = 0
    for piece in header.kept:
        if not data.startswith(piece, at):
            break
        at += len(piece)
    else:
        if at == len(data):
            return data
    return b"".join(header.kept)


# --- JPEG: segments that each begin with 0xFF and a marker ---

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
#: Frames that decoders of today read: baseline, extended and progressive, Huffman coded.
_FRAMES = (0xC0, 0xC1, 0xC2)
_PROGRESSIVE = 0xC2
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
#: Markers without a length: TEM and, between scans, the restart markers.
_BARE = {0x01, *range(0xD0, 0xD8)}
#: A progressive file has about ten. Each further one lets a decoder pass over all pixels again.
_MOST_SCANS = 100
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
#: Inside a scan 0xFF 0x00 is a plain byte and 0xFF 0xD0-0xD7 a restart: neither ends it.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def read_jpeg(data: bytes) -> Header:
    """Keep frame, tables and scans, colour profile and Adobe's marker, and JFIF's first lines.

    What stands between segments or behind the end goes, and all other segments.

    Raises:
        CutOff, Damaged: as their names say.
    """
    jpeg = _Jpeg()
    for marker, block, whole in _segments(data):
        read = _Jpeg.READERS.get(marker)
        if read is not None:
            read(jpeg, marker, block, whole)
    return jpeg.header()


@attrs.define
class _Jpeg:
    """What was found so far; a method for each kind of segment that is looked at."""

    size: tuple[int, int] | None = None
    is_progressive: bool = False
    orientation: int | None = None
    jfif: bytes = b""
    adobe: bytes = b""
    profile: list[tuple[bytes, memoryview]] = attrs.field(factory=list)
    #: Frame, tables and scans.
    kept: list[Piece] = attrs.field(factory=list)
    scans: int = 0
    #: Tables that were defined and not used yet, and what the scans so far have coded.
    tables: set[int] = attrs.field(factory=set)
    coded: set[bytes] = attrs.field(factory=set)
    could_hide: bool = False

    READERS: ClassVar[dict[int, Callable[[_Jpeg, int, bytes, memoryview], None]]] = {}

    def read_frame(self, marker: int, block: bytes, whole: memoryview) -> None:
        # A second frame could have another size than the one that was checked.
        if self.size:
            raise Damaged("it has two frame headers")
        if len(block) < 6:
            raise Damaged("its frame header is too short")
        if block[0] != 8:
            raise Damaged(f"it has {block[0]} bits per colour instead of 8")
        height, width = _unsigned(block, 1, 2), _unsigned(block, 3, 2)
        if height == 0:
            raise Damaged("it does not say its height")
        self.size, self.is_progressive = (width, height), marker == _PROGRESSIVE
        self.could_hide |= len(block) != 6 + 3 * block[5]
        self.kept.append(whole)

    def refuse_frame(self, _marker: int, _block: bytes, _whole: memoryview) -> None:
        raise Damaged("it is lossless, hierarchical or arithmetically coded")

    def read_scan(self, _marker: int, block: bytes, whole: memoryview) -> None:
        self.scans += 1
        if self.scans > _MOST_SCANS:
            raise Damaged(f"it has more than {_MOST_SCANS} scans")
        count = block[0] if block else 0
        self.could_hide |= self.size is None or len(block) != 4 + 2 * count or _ends_in_text(whole)
        # Each scan codes something of its own: a component, or of a progressive file a range of it.
        which = block[-3:] if self.is_progressive or self.size is None else b""
        for component in block[1 : 1 + 2 * count : 2]:
            part = bytes([component]) + which
            self.could_hide |= part in self.coded
            self.coded.add(part)
        # All but those for quantisation may be defined anew between two scans.
        self.tables = {table for table in self.tables if table >> 8 == _DQT}
        self.kept.append(whole)

    def read_tables(self, marker: int, block: bytes, whole: memoryview) -> None:
        new = _tables(marker, block)
        self.could_hide |= not new or len({*new}) < len(new) or not self.tables.isdisjoint(new)
        self.tables.update(new)
        self.kept.append(whole)

    def read_jfif(self, _marker: int, block: bytes, _whole: memoryview) -> None:
        if block.startswith(b"JFIF\0") and len(block) >= 14 and not self.jfif:
            # Its last two bytes are the size of a thumbnail that may follow.
            self.jfif = _segment(_APP0, block[:12] + b"\0\0")

    def read_exif(self, _marker: int, block: bytes, _whole: memoryview) -> None:
        if block.startswith(b"Exif\0\0") and self.orientation is None:
            self.orientation = orientation_of(block[6:])

    def read_profile(self, _marker: int, block: bytes, whole: memoryview) -> None:
        if block.startswith(b"ICC_PROFILE\0"):
            self.profile.append((block[12:], whole))

    def read_adobe(self, _marker: int, block: bytes, _whole: memoryview) -> None:
        if block.startswith(b"Adobe") and len(block) >= 12:
            self.could_hide |= self.adobe != b""
            self.adobe = _segment(_APP14, block[:12])

    def header(self) -> Header:
        if self.size is None or self.scans == 0:
            raise Damaged("there is no picture in it")
        orientation = self.orientation or 1
        # JFIF wants to be first, EXIF next to the start.
        exif = (
            [] if orientation == 1 else [_segment(_APP1, b"Exif\0\0" + smallest_exif(orientation))]
        )
        # A long profile comes in numbered pieces, each with their number: at most 255.
        total = len(self.profile)
        numbers = [(at, total) for at in range(1, total + 1)]
        is_whole = [tuple(piece[:2]) for piece, _ in self.profile] == numbers
        profile = b"".join(piece[2:] for piece, _ in self.profile) if is_whole else b""
        pieces = [whole for _, whole in self.profile] if is_profile(profile) else []
        kept = (b"\xff\xd8", self.jfif, *exif, *pieces, self.adobe, *self.kept, b"\xff\xd9")
        return Header(
            ImageFormat.JPEG,
            *self.size,
            orientation=orientation,
            kept=None if self.could_hide else kept,
        )


_Jpeg.READERS |= {
    **dict.fromkeys(_FRAMES, _Jpeg.read_frame),
    **dict.fromkeys(_OTHER_FRAMES, _Jpeg.refuse_frame),
    **dict.fromkeys((_DQT, _DHT, _DRI), _Jpeg.read_tables),
    _SOS: _Jpeg.read_scan,
    _APP0: _Jpeg.read_jfif,
    _APP1: _Jpeg.read_exif,
    _APP2: _Jpeg.read_profile,
    _APP14: _Jpeg.read_adobe,
}


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
            # 64 numbers of one or two bytes.
            at += 1 + 64 * (1 + (block[at] >> 4))
        else:
            # How many codes there are of each length, then what they stand for.
            at += 17 + sum(block[at + 1 : at + 17])
    return found if at == len(block) else []


# --- PNG: chunks with a length, a name and a checksum ---

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: What colours need, and how long it is.
_COLOUR_CHUNKS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8}
_KNOWN = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", *_COLOUR_CHUNKS}
#: The colour type whose pixels are places in a palette.
_PALETTE = 3
#: The depths in bits that go with each colour type, and how many numbers make a pixel.
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_NUMBERS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: How long the one colour is that counts as transparent; the other types have none.
_TRANSPARENT = {0: 2, 2: 6}
#: Where the rows of each pass begin, and how far apart its pixels are: left, top, right, down.
_PLAIN = ((0, 0, 1, 1),)
_INTERLACED = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
#: The only text that is sent: what a test card of the mock server says of itself, in digits.
_CARD = re.compile(rb"facematch-card\0[0-9a-f.]{1,200}")
#: The name that Pillow gives to every profile; others name a person's screen.
_PROFILE_NAME = b"ICC Profile\0\0"
#: Profiles are a few kilobytes, those of printers up to a megabyte or two.
_MOST_PROFILE_BYTES = 4 * 1024 * 1024


def read_png(data: bytes) -> Header:
    """Keep the pixels and what their colours need; check that against its checksums.

    Raises:
        CutOff, Damaged: as their names say.
        InvalidImage: it is an animation.
    """
    png = _Png(_png_layout(data))
    view, seen = memoryview(data), set[bytes]()
    before = b""
    for name, start, end in _png_chunks(data):
        if name == b"IHDR" and seen:
            raise Damaged("it has two headers")
        if name in _KNOWN:
            if zlib.crc32(view[start + 4 : end - 4]) != _unsigned(data, end - 4, 4):
                raise Damaged(f"the checksum of its {name.decode()} chunk is wrong")
        elif name[:1].isupper():
            # A capital says that the pixels cannot be understood without it.
            raise Damaged("it has a chunk that decoders do not know")
        if name == b"acTL":
            refuse_several(ImageFormat.PNG)
        content, whole = view[start + 8 : end - 4], view[start:end]
        if png.keeps(name, content, is_first=name not in seen, is_next=name == before):
            png.kept.append(whole)
        before = name
        seen.add(name)
    if b"IDAT" not in seen or (png.layout.colour == _PALETTE and not png.palette):
        raise Damaged("there is no picture in it")
    if png.orientation != 1:
        png.kept.insert(2, _chunk(b"eXIf", smallest_exif(png.orientation)))
    return Header(
        ImageFormat.PNG,
        png.layout.width,
        png.layout.height,
        orientation=png.orientation,
        kept=None if png.could_hide else (*png.kept, _chunk(b"IEND", b"")),
    )


@attrs.frozen
class _Layout:
    """The header of a PNG."""

    width: int
    height: int
    depth: int
    colour: int
    is_interlaced: bool


@attrs.define
class _Png:
    """What was found so far."""

    layout: _Layout
    kept: list[Piece] = attrs.field(factory=lambda: [_PNG_MAGIC])
    orientation: int = 1
    #: Colours in the palette.
    palette: int = 0
    could_hide: bool = False

    def keeps(self, name: bytes, content: memoryview, *, is_first: bool, is_next: bool) -> bool:
        """Whether a chunk is sent as it is.

        Args:
            name, content: Its own.
            is_first: It is the first one of its name.
            is_next: It comes right behind one of its name.
        """
        colour, size = self.layout.colour, len(content)
        if name == b"IHDR":
            return True
        if name == b"IDAT":
            self.could_hide |= not (is_first or is_next)
            return True
        if name == b"PLTE" and colour == _PALETTE:
            self.palette = size // 3
            fits = size % 3 == 0 and 1 <= self.palette <= 1 << self.layout.depth
            self.could_hide |= not (is_first and fits)
            return True
        if name == b"tRNS":
            fits = size <= self.palette if colour == _PALETTE else size == _TRANSPARENT.get(colour)
            self.could_hide |= not (is_first and fits)
            return True
        if name == b"iCCP" and is_first:
            profile = _inflated(bytes(content).partition(b"\0")[2][1:])
            if profile is not None and is_profile(profile):
                self.kept.append(_chunk(b"iCCP", _PROFILE_NAME + zlib.compress(profile)))
        elif name == b"eXIf":
            self.orientation = orientation_of(bytes(content))
        is_colour = is_first and _COLOUR_CHUNKS.get(name) == size
        return is_colour or (name == b"tEXt" and _CARD.fullmatch(content) is not None)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk, from its length to its checksum."""
    at = len(_PNG_MAGIC)
    for _ in _parts():
        length, name = _unsigned(data, at, 4), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise CutOff
        if not (name.isalpha() and name.isascii()):
            raise Damaged("a chunk has no proper name")
        yield name, at, end
        if name == b"IEND":
            return
        at = end


def _png_layout(data: bytes) -> _Layout:
    name, start, end = next(_png_chunks(data))
    if name == b"CgBI":
        raise Damaged("it is Apple's own variety (CgBI)")
    if name != b"IHDR":
        raise Damaged("it does not begin with its header")
    if end - start != 25:
        raise Damaged("its header has a wrong length")
    depth, colour, compression, filtering, interlacing = data[start + 16 : start + 21]
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlacing > 1:
        raise Damaged("its header holds values that do not exist")
    width, height = _unsigned(data, start + 8, 4), _unsigned(data, start + 12, 4)
    return _Layout(width, height, depth, colour, bool(interlacing))


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + name + content + checksum


def _inflated(compressed: bytes) -> bytes | None:
    """What was compressed; None if it is damaged, or too much for a profile."""
    inflater = zlib.decompressobj()
    with contextlib.suppress(zlib.error):
        content = inflater.decompress(compressed, _MOST_PROFILE_BYTES)
        return content if inflater.eof else None
    return None


def _has_more_than_pixels(png: bytes) -> bool:
    """Whether its compressed pixels are followed by something, or are more than its size says."""
    layout = _png_layout(png)
    bits = layout.depth * _NUMBERS[layout.colour]
    missing = 0
    for left, top, right, down in _INTERLACED if layout.is_interlaced else _PLAIN:
        wide = len(range(left, layout.width, right))
        high = len(range(top, layout.height, down))
        # Each row begins with its filter.
        missing += high * (1 + (wide * bits + 7) // 8) if wide else 0
    inflater = zlib.decompressobj()
    for name, start, end in _png_chunks(png):
        if name != b"IDAT":
            continue
        if inflater.eof and end - start > 12:
            return True
        rest: Piece = memoryview(png)[start + 8 : end - 4]
        while rest and not inflater.eof:
            try:
                missing -= len(inflater.decompress(rest, 1 << 18))
            except zlib.error:
                return True
            if missing < 0:
                return True
            rest = inflater.unconsumed_tail
    return not inflater.eof or inflater.unused_data != b"" or missing != 0


# --- WebP: chunks inside a RIFF frame ---

#: Bits of the first byte of an extended file's header (VP8X).
_ANIMATION, _HAS_EXIF, _HAS_ALPHA, _HAS_PROFILE = 0x02, 0x08, 0x10, 0x20


def read_webp(data: bytes) -> Header:
    """Keep the frame, its transparency and its profile.

    Raises:
        CutOff, Damaged: as their names say.
        InvalidImage: it is an animation.
    """
    chunks = _webp_chunks(data)
    extended = chunks[0][1] if chunks and chunks[0][0] == b"VP8X" else None
    flags, canvas = (0, None) if extended is None else _webp_canvas(extended)
    if flags & _ANIMATION:
        refuse_several(ImageFormat.WEBP)
    frames = [chunk for chunk in chunks if chunk[0] in (b"VP8 ", b"VP8L")]
    if len(frames) != 1:
        raise Damaged("there is no picture in it")
    name, frame = frames[0]
    size = _webp_size(name, frame)
    # The canvas is what a decoder allocates: a second, unchecked size.
    if canvas not in (None, size):
        raise Damaged("its two sizes disagree")
    kept, orientation, could_hide = [_riff(name, frame)], 1, _ends_in_text(frame)
    if extended is not None:
        # Of several the first one counts.
        by_name = dict(reversed(chunks))
        alpha, still = by_name.get(b"ALPH"), 0
        if alpha is not None and name == b"VP8 ":
            could_hide |= [one for one, _ in chunks].count(b"ALPH") > 1 or not flags & _HAS_ALPHA
            # Not compressed, it is one byte per pixel.
            raw = bool(alpha) and alpha[0] & 3 == 0
            could_hide |= _ends_in_text(alpha) or (raw and len(alpha) != 1 + size[0] * size[1])
            kept.insert(0, _riff(b"ALPH", alpha))
        profile = by_name.get(b"ICCP", b"")
        if flags & _HAS_PROFILE and is_profile(bytes(profile)):
            still |= _HAS_PROFILE
            kept.insert(0, _riff(b"ICCP", profile))
        if flags & _HAS_EXIF and b"EXIF" in by_name:
            orientation = orientation_of(bytes(by_name[b"EXIF"]).removeprefix(b"Exif\0\0"))
        if orientation != 1:
            still |= _HAS_EXIF
            kept.append(_riff(b"EXIF", smallest_exif(orientation)))
        first = bytes([flags & _HAS_ALPHA | still, 0, 0, 0])
        kept.insert(0, _riff(b"VP8X", first + bytes(extended[4:10])))
    length = 4 + sum(map(len, kept))
    riff = b"RIFF" + length.to_bytes(4, "little") + b"WEBP"
    return Header(
        ImageFormat.WEBP,
        *size,
        orientation=orientation,
        kept=None if could_hide else (riff, *kept),
    )


def _webp_chunks(data: bytes) -> list[tuple[bytes, memoryview]]:
    """Name and content of each chunk."""
    last = 8 + _unsigned(data, 4, 4, "little")
    if last > len(data):
        raise CutOff
    found, at = [], 12
    for _ in _parts():
        if at >= last:
            break
        end = at + 8 + _unsigned(data, at + 4, 4, "little")
        if end > last:
            raise Damaged("a chunk is longer than the file")
        found.append((data[at : at + 4], memoryview(data)[at + 8 : end]))
        at = end + end % 2
    return found


def _webp_canvas(extended: memoryview) -> tuple[int, tuple[int, int]]:
    """The flags of an extended file, and its width and height."""
    if len(extended) < 10:
        raise Damaged("its header has a wrong length")
    width, height = (_unsigned(extended, at, 3, "little") + 1 for at in (4, 7))
    return extended[0], (width, height)


def _webp_size(name: bytes, frame: memoryview) -> tuple[int, int]:
    """Width and height of a frame: 14 bits each."""
    start = bytes(frame[:10])
    if name == b"VP8L" and start[:1] == b"\x2f" and len(start) >= 5:
        bits = int.from_bytes(start[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8 " and start[3:6] == b"\x9d\x01\x2a" and len(start) == 10 and not start[0] & 1:
        width, height = (int.from_bytes(start[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        return width, height
    raise Damaged("its picture does not begin as it should")


def _riff(name: bytes, content: Piece) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


# --- What the formats have in common ---

#: More segments or chunks than any real file has. A file of 32 MiB could otherwise hold millions
#: of empty ones, and walking them takes many seconds.
_MOST_PARTS = 100_000

#: Sixteen printable characters in a row: of coded pixels one file in millions ends in that.
_TEXT = re.compile(rb"[\x20-\x7e]{16}")


def _parts() -> Iterator[int]:
    yield from range(_MOST_PARTS)
    raise Damaged(f"it has more than {_MOST_PARTS} parts")


def _unsigned(data: Piece, at: int, size: int, order: Literal["big", "little"] = "big") -> int:
    piece = data[at : at + size]
    if len(piece) < size:
        raise CutOff
    return int.from_bytes(piece, order)


def _ends_in_text(pixels: Piece) -> bool:
    """Whether a text was added to coded pixels, which say nowhere where they end.

    Anything else that is added there can only be found by decoding.
    """
    return _TEXT.search(pixels[-64:]) is not None


def is_profile(data: object) -> bool:
    """Whether this is an ICC profile, with no room in it but its header and its tags."""
    if not isinstance(data, bytes) or len(data) < 132 or data[36:40] != b"acsp":
        return False
    if _unsigned(data, 0, 4) != len(data):
        return False
    end = 132 + 12 * _unsigned(data, 128, 4)
    if end > len(data):
        return False
    tags = range(132, end, 12)
    # Tags may share their content, and begin at multiples of four.
    for start, size in sorted(
        (_unsigned(data, at + 4, 4), _unsigned(data, at + 8, 4)) for at in tags
    ):
        if start - end > 3:
            return False
        end = max(end, start + size)
    return end <= len(data) <= end + 3


def smallest_exif(orientation: int) -> bytes:
    """The smallest EXIF block: one directory with only the orientation (1 to 8)."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    return b"MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"


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

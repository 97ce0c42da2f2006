"""What the bytes of a picture are, what of them is sent, and what Pillow makes of them.

A JPEG, PNG or WebP is taken apart here, in one walk over its parts and without decoding: `read`
finds out its size and orientation and which parts are the picture; `without_metadata` puts those
together again, so that the pixels stay as they are. A part that is longer than it may be, or stands
there twice, could hide anything; such a file is encoded anew, as is every one of another kind.
That, and converting and shrinking, is done by Pillow, which is imported when it is needed.

Everything that is wrong with a picture is an `InvalidImage` of one sentence without any of its
bytes.

Sources: ITU-T T.81 annex B, T.871, T.872 (JPEG); W3C PNG Specification, third edition; RFC 9649 and
RFC 6386 §9.1 (WebP); Exif 2.32; ICC.1:2022 §7 and annex B.
"""

from __future__ import annotations

import codecs
import contextlib
import enum
import functools
import importlib
import io
import logging
import math
import re
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import attrs

from .errors import InvalidImage

if TYPE_CHECKING:
    import PIL.Image

#: The largest file that is read, in bytes (32 MiB). A photograph of a telephone has 2 to 12 MB.
MAX_FILE_BYTES = 32 * 1024 * 1024

#: The most pixels a picture may have, checked before anything is decoded.
MAX_PIXELS = 64_000_000


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
    kept: tuple[bytes | memoryview, ...] | None = attrs.field(default=None, eq=False, repr=False)


class _CutOff(Exception):
    """The bytes stop before the file says that it is complete."""


class _Damaged(Exception):
    """The bytes contradict the file format; the text says how, in a few words."""


def refuse(why: str) -> NoReturn:
    """Raise the one sentence that the caller reads: "The picture" and why it cannot be used."""
    raise InvalidImage(f"The picture {why}.") from None


def read(data: bytes) -> Header:
    """Find out what a picture is, and that it is one that can be handled.

    A JPEG, PNG or WebP is walked through to its end; of the other kinds Pillow reads the header,
    and what else is wrong shows when they are decoded.

    Raises:
        InvalidImage: the bytes are empty, too many, no picture, cut off, damaged, an animation, or
            more pixels than `MAX_PIXELS`.
    """
    check_size(len(data))
    form = _kind(data)
    if form is None:
        refuse(_looks_like(data))
    reader = {ImageFormat.JPEG: _jpeg, ImageFormat.PNG: _png, ImageFormat.WEBP: _webp}.get(form)
    try:
        header = reader(data) if reader else _by_pillow(data, form)
    except _CutOff:
        refuse(
            f"is {form.noun} that is cut off (its end is missing after {len(data)} bytes); "
            "transfer it again, completely"
        )
    except _Damaged as damage:
        refuse(f"is {form.noun} that cannot be used ({damage}); save it anew as JPEG or PNG")
    check_pixels(header.width, header.height)
    return header


def check_size(size: int) -> None:
    """Refuse a file of no bytes, or of more than `MAX_FILE_BYTES`."""
    if size == 0:
        refuse("is empty (0 bytes); check where it comes from")
    if size > MAX_FILE_BYTES:
        refuse(f"has {size} bytes, more than the {MAX_FILE_BYTES} that are read; shrink it first")


def check_pixels(width: int, height: int) -> None:
    """Refuse a picture of no pixels, or of more than `MAX_PIXELS`."""
    if width < 1 or height < 1:
        refuse(f"has no pixels ({width} x {height}); save it anew as JPEG or PNG")
    if width * height > MAX_PIXELS:
        refuse(
            f"claims {width} x {height} pixels, more than the {MAX_PIXELS} that are decoded; "
            "shrink it first"
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


# --- Which kind of file it is, and what was given instead of a picture ---

#: Sizes of a BMP's second header. "BM" alone may begin any text.
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_MOVING_BRANDS = {b"hevc", b"hevx", b"msf1", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_AVIF_BRANDS = {b"avif", b"avis"}


_MAGICS = (
    (b"\xff\xd8\xff", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    (b"II*\0", ImageFormat.TIFF),
    (b"MM\0*", ImageFormat.TIFF),
)


def _kind(data: bytes) -> ImageFormat | None:
    for magic, form in _MAGICS:
        if data.startswith(magic):
            return form
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return ImageFormat.BMP
    if data[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(data[:4], "big"), len(data), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
    if brands & _AVIF_BRANDS:
        return ImageFormat.AVIF
    return ImageFormat.HEIC if brands & _HEIC_BRANDS else None


_SAVE = "save it as JPEG or PNG"
_RENDER = "render it to a JPEG or PNG"
_CHECK_DOWNLOAD = "check whether the download was answered by an error page"
_UNWRAP = "give the picture alone, decoded if it is a base64 field of it"
_NOT_FETCHED = "download it yourself, because facematch fetches none"
#: First bytes of what is no picture, or a picture that no vendor reads.
_MISTAKEN = (
    (b"PK\x03\x04", "a ZIP archive or office document", "take the picture out of it"),
    (b"\x1f\x8b", "a gzip file", "unpack it"),
    (b"8BPS", "a Photoshop file", _SAVE),
    (b"\x00\x00\x01\x00", "an icon", _SAVE),
    (b"\xff\x0a", "a JPEG XL file", _SAVE),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL file", _SAVE),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file", _SAVE),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 file", _SAVE),
    (b"II+\x00", "a BigTIFF file", _SAVE),
    (b"MM\x00+", "a BigTIFF file", _SAVE),
    (b"\x1a\x45\xdf\xa3", "a video", "take one still picture out of it"),
)
#: The same for texts, in lower case and behind white space.
_MISTAKEN_TEXTS = (
    (b"<svg", "an SVG drawing", _RENDER),
    (b"<!doctype html", "an HTML page", _CHECK_DOWNLOAD),
    (b"<html", "an HTML page", _CHECK_DOWNLOAD),
    (b"{", "JSON", _UNWRAP),
    (b"[", "JSON", _UNWRAP),
    (b"http://", "a URL", _NOT_FETCHED),
    (b"https://", "a URL", _NOT_FETCHED),
    (b"data:", "a data URI", "use Image.from_base64"),
    (b"/9j/", "base64 text", "use Image.from_base64"),
    (b"ivborw0kggo", "base64 text", "use Image.from_base64"),
    (b"uklgr", "base64 text", "use Image.from_base64"),
)


def _looks_like(data: bytes) -> str:
    """What `data` is likely to be and what to do, to follow the words "The picture"."""
    head = data[:1024]
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, table in ((head, _MISTAKEN), (text, _MISTAKEN_TEXTS)):
        for first, what, advice in table:
            if start.startswith(first):
                return f"looks like {what}; {advice}"
    # Other bytes may come before the mark of a PDF.
    if b"%PDF-" in head:
        return "looks like a PDF document; render its page to a JPEG or PNG"
    if head[4:8] == b"ftyp":
        return "looks like a video; take one still picture out of it"
    if text.startswith((b"<?xml", b"<!--", b"<!doctype svg")):
        drawing = b"<svg" in text or b"doctype svg" in text
        return f"looks like an SVG drawing; {_RENDER}" if drawing else "looks like XML; " + _UNWRAP
    # Incrementally: a character may be cut in two at the end of what is looked at.
    with contextlib.suppress(UnicodeDecodeError):
        characters = codecs.getincrementaldecoder("utf-8")().decode(head)
        if all(character.isprintable() or character in "\r\n\t" for character in characters):
            return "looks like plain text; check that it is the right file"
    return (
        "is of no known kind, judged by its first bytes; "
        "give a JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF or BMP"
    )


def _several(form: ImageFormat) -> NoReturn:
    refuse(
        f"is {form.noun} with several pictures (an animation, or pages); "
        "save the one that shows the face as JPEG or PNG"
    )


# --- What the formats have in common ---

#: More segments or chunks than any real file has. A file of 32 MiB could otherwise hold millions
#: of empty ones, and walking them takes many seconds.
_MOST_PARTS = 100_000

#: Sixteen printable characters in a row: of coded pixels one file in millions ends in that.
_TEXT = re.compile(rb"[\x20-\x7e]{16}")


def _parts() -> Iterator[int]:
    yield from range(_MOST_PARTS)
    raise _Damaged(f"it has more than {_MOST_PARTS} parts")


def _unsigned(
    data: bytes | memoryview, at: int, size: int, order: Literal["big", "little"] = "big"
) -> int:
    piece = data[at : at + size]
    if len(piece) < size:
        raise _CutOff
    return int.from_bytes(piece, order)


def _ends_in_text(pixels: bytes | memoryview) -> bool:
    """Whether a text was added to coded pixels, which say nowhere where they end.

    Anything else that is added there can only be found by decoding.
    """
    return _TEXT.search(pixels[-64:]) is not None


def _is_profile(data: object) -> bool:
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


def _exif(orientation: int) -> bytes:
    """The smallest EXIF block: one directory with only the orientation (1 to 8)."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    return b"MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"


def _orientation(exif: bytes) -> int:
    """The orientation that an EXIF block names; 1 if it names none or is unreadable."""
    order: Literal["big", "little"] = "little" if exif[:2] == b"II" else "big"
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    start = int.from_bytes(exif[4:8], order) + 2
    end = start + 12 * int.from_bytes(exif[start - 2 : start], order)
    for at in range(start, min(end, len(exif)), 12):
        tag, kind = (int.from_bytes(exif[at + i : at + i + 2], order) for i in (0, 2))
        # One BYTE, SHORT or LONG stands in the entry itself.
        size = {1: 1, 3: 2, 4: 4}.get(kind, 0)
        if tag == 0x0112 and size and int.from_bytes(exif[at + 4 : at + 8], order) == 1:
            value = int.from_bytes(exif[at + 8 : at + 8 + size], order)
            return value if 1 <= value <= 8 else 1
    return 1


# --- JPEG: segments that each begin with 0xFF and a marker ---

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
#: Frames that decoders of today read: baseline, extended and progressive, Huffman coded.
_FRAMES = {0xC0, 0xC1, 0xC2}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
#: Markers without a length: TEM and, between scans, the restart markers.
_BARE = {0x01, *range(0xD0, 0xD8)}
#: A progressive file has about ten. Each further one lets a decoder pass over all pixels again.
_MOST_SCANS = 100
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
#: Inside a scan 0xFF 0x00 is a plain byte and 0xFF 0xD0-0xD7 a restart: neither ends it.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def _jpeg(data: bytes) -> Header:  # noqa: C901, PLR0912, PLR0915 - one walk, a branch for each kind of segment
    """Keep frame, tables and scans, colour profile and Adobe's marker, and JFIF's first lines.

    What stands between segments or behind the end goes, and all other segments.
    """
    view = memoryview(data)
    size: tuple[int, int] | None = None
    orientation: int | None = None
    jfif = adobe = b""
    kept: list[bytes | memoryview] = []
    profile: list[tuple[bytes, memoryview]] = []
    # Tables may be defined anew between two scans, and each scan codes something of its own.
    scans, tables, coded, odd = 0, set[int](), set[bytes](), False
    for marker, start, block, end in _segments(data):
        whole = view[start:end]
        if marker in _FRAMES:
            # A second frame could have another size than the one that was checked.
            if size:
                raise _Damaged("it has two frame headers")
            size = _frame_size(block)
            odd |= len(block) != 6 + 3 * block[5]
            sequential = marker != 0xC2
            kept.append(whole)
        elif marker in _OTHER_FRAMES:
            raise _Damaged("it is lossless, hierarchical or arithmetically coded")
        elif marker == _SOS:
            scans += 1
            if scans > _MOST_SCANS:
                raise _Damaged(f"it has more than {_MOST_SCANS} scans")
            count = block[0] if block else 0
            odd |= size is None or len(block) != 4 + 2 * count or _ends_in_text(whole)
            for component in block[1 : 1 + 2 * count : 2]:
                part = bytes([component]) + (b"" if size and sequential else block[-3:])
                odd |= part in coded
                coded.add(part)
            tables = {table for table in tables if table >> 8 == _DQT}
            kept.append(whole)
        elif marker in (_DQT, _DHT, _DRI):
            new = _tables(marker, block)
            odd |= not new or len({*new}) < len(new) or not tables.isdisjoint(new)
            tables.update(new)
            kept.append(whole)
        elif marker == _APP0 and block.startswith(b"JFIF\0") and len(block) >= 14:
            # Its last two bytes are the size of a thumbnail that may follow.
            jfif = jfif or _segment(_APP0, block[:12] + b"\0\0")
        elif marker == _APP1 and block.startswith(b"Exif\0\0") and orientation is None:
            orientation = _orientation(block[6:])
        elif marker == _APP2 and block.startswith(b"ICC_PROFILE\0"):
            profile.append((block[12:], whole))
        elif marker == _APP14 and block.startswith(b"Adobe") and len(block) >= 12:
            odd |= adobe != b""
            adobe = _segment(_APP14, block[:12])
    if size is None or scans == 0:
        raise _Damaged("there is no picture in it")
    first: list[bytes | memoryview] = [b"\xff\xd8", jfif]
    if orientation not in (None, 1):
        # JFIF wants to be first, EXIF next to the start.
        first.append(_segment(_APP1, b"Exif\0\0" + _exif(orientation or 1)))
    numbers = [piece[:2] for piece, _ in profile]
    if numbers == [bytes([at, len(profile)]) for at in range(1, len(profile) + 1)] and _is_profile(
        b"".join(piece[2:] for piece, _ in profile)
    ):
        first += [whole for _, whole in profile]
    everything = (*first, adobe, *kept, b"\xff\xd9")
    return Header(
        ImageFormat.JPEG, *size, orientation=orientation or 1, kept=None if odd else everything
    )


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """Marker, start, content and end of each segment; a scan's end is that of its pixels."""
    at = 2
    for _ in _parts():
        found = _MARKER.search(data, at)
        if found is None:
            raise _CutOff
        start, body = found.span()
        marker = data[body - 1]
        if marker == _EOI:
            return
        if marker == _SOI:
            raise _Damaged("a second picture begins inside it")
        if marker in _BARE:
            at = body
            continue
        length = _unsigned(data, body, 2)
        at = body + length
        if length < 2:
            raise _Damaged("a segment is shorter than its own length")
        if at > len(data):
            raise _CutOff
        block = data[body + 2 : at]
        if marker == _SOS:
            found = _AFTER_SCAN.search(data, at)
            if found is None:
                raise _CutOff
            at = found.start()
        yield marker, start, block, at


def _segment(marker: int, block: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(block) + 2).to_bytes(2, "big") + block


def _frame_size(block: bytes) -> tuple[int, int]:
    if len(block) < 6:
        raise _Damaged("its frame header is too short")
    if block[0] != 8:
        raise _Damaged(f"it has {block[0]} bits per colour instead of 8")
    height, width = _unsigned(block, 1, 2), _unsigned(block, 3, 2)
    if height == 0:
        raise _Damaged("it does not tell its height")
    return width, height


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
#: The depths in bits that go with each colour type, and how many numbers make a pixel.
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_NUMBERS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: The only text that is sent: what a test card of the mock server says of itself, in digits.
_CARD = re.compile(rb"facematch-card\0[0-9a-f.]{1,200}")
#: The name that Pillow gives to every profile; others name a person's screen.
_PROFILE_NAME = b"ICC Profile\0\0"
#: Profiles are a few kilobytes, those of printers up to a megabyte or two.
_MOST_PROFILE_BYTES = 4 * 1024 * 1024


def _png(data: bytes) -> Header:  # noqa: C901, PLR0912 - one walk, a branch for each kind of chunk
    """Keep the pixels and what their colours need; check that against its checksums."""
    view = memoryview(data)
    width, height, depth, colour, _ = _png_layout(data)
    kept: list[bytes | memoryview] = [_PNG_MAGIC]
    seen: set[bytes] = set()
    orientation, palette, odd = 1, 0, False
    before = b""
    for name, start, end in _png_chunks(data):
        content = view[start + 8 : end - 4]
        if name == b"IHDR" and seen:
            raise _Damaged("it has two headers")
        if name in _KNOWN:
            if zlib.crc32(view[start + 4 : end - 4]) != _unsigned(data, end - 4, 4):
                raise _Damaged(f"the checksum of its {name.decode()} chunk is wrong")
        elif name[:1].isupper():
            # A capital says that the pixels cannot be understood without it.
            raise _Damaged("it has a chunk that decoders do not know")
        again = name in seen
        if name == b"acTL":
            _several(ImageFormat.PNG)
        if name == b"IHDR":
            kept.append(view[start:end])
        elif name == b"IDAT":
            odd |= again and before != b"IDAT"
            kept.append(view[start:end])
        elif name == b"PLTE" and colour == 3:
            palette = len(content) // 3
            odd |= again or len(content) % 3 != 0 or not 1 <= palette <= 1 << depth
            kept.append(view[start:end])
        elif name == b"tRNS":
            right = (
                len(content) <= palette if colour == 3 else len(content) == {0: 2, 2: 6}.get(colour)
            )
            odd |= again or not right
            kept.append(view[start:end])
        elif name == b"iCCP" and not again:
            profile = _inflated(bytes(content).partition(b"\0")[2][1:])
            if profile is not None and _is_profile(profile):
                kept.append(_chunk(b"iCCP", _PROFILE_NAME + zlib.compress(profile)))
        elif (_COLOUR_CHUNKS.get(name) == len(content) and not again) or (
            name == b"tEXt" and _CARD.fullmatch(content)
        ):
            kept.append(view[start:end])
        elif name == b"eXIf":
            orientation = _orientation(bytes(content))
        before = name
        seen.add(name)
    if b"IDAT" not in seen or (colour == 3 and not palette):
        raise _Damaged("there is no picture in it")
    if orientation != 1:
        kept.insert(2, _chunk(b"eXIf", _exif(orientation)))
    kept.append(_chunk(b"IEND", b""))
    return Header(
        ImageFormat.PNG, width, height, orientation=orientation, kept=None if odd else tuple(kept)
    )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk, from its length to its checksum."""
    at = len(_PNG_MAGIC)
    for _ in _parts():
        length, name = _unsigned(data, at, 4), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise _CutOff
        if not (name.isalpha() and name.isascii()):
            raise _Damaged("a chunk has no proper name")
        yield name, at, end
        if name == b"IEND":
            return
        at = end


def _png_layout(data: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, depth, colour type and interlacing from the header chunk."""
    name, start, end = next(_png_chunks(data))
    if name == b"CgBI":
        raise _Damaged("it is Apple's own variety (CgBI)")
    if name != b"IHDR":
        raise _Damaged("it does not begin with its header")
    if end - start != 25:
        raise _Damaged("its header has a wrong length")
    depth, colour, compression, filtering, interlacing = data[start + 16 : start + 21]
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlacing > 1:
        raise _Damaged("its header holds values that do not exist")
    width, height = _unsigned(data, start + 8, 4), _unsigned(data, start + 12, 4)
    return width, height, depth, colour, interlacing


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
    width, height, depth, colour, interlacing = _png_layout(png)
    bits = depth * _NUMBERS[colour]
    passes = [(0, 0, 1, 1)]
    if interlacing:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    missing = 0
    for left, top, right, down in passes:
        wide, high = len(range(left, width, right)), len(range(top, height, down))
        # Each row begins with its filter.
        missing += high * (1 + (wide * bits + 7) // 8) if wide else 0
    inflater = zlib.decompressobj()
    for name, start, end in _png_chunks(png):
        if name != b"IDAT":
            continue
        if inflater.eof and end - start > 12:
            return True
        rest: bytes | memoryview = memoryview(png)[start + 8 : end - 4]
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

#: Bits of the VP8X chunk's first byte.
_ANIMATION, _HAS_EXIF, _HAS_ALPHA, _HAS_PROFILE = 0x02, 0x08, 0x10, 0x20


def _webp(data: bytes) -> Header:  # noqa: C901 - likewise
    """Keep the frame, its transparency and its profile."""
    chunks = _webp_chunks(data)
    by_name = dict(reversed(chunks))
    extended = by_name.get(b"VP8X") if chunks and chunks[0][0] == b"VP8X" else None
    flags, canvas = 0, None
    if extended is not None:
        if len(extended) < 10:
            raise _Damaged("its header has a wrong length")
        flags = extended[0]
        canvas = _unsigned(extended, 4, 3, "little") + 1, _unsigned(extended, 7, 3, "little") + 1
        if flags & _ANIMATION:
            _several(ImageFormat.WEBP)
    frames = [chunk for chunk in chunks if chunk[0] in (b"VP8 ", b"VP8L")]
    if len(frames) != 1:
        raise _Damaged("there is no picture in it")
    name, frame = frames[0]
    size = _webp_size(name, frame)
    # The canvas is what a decoder allocates: a second, unchecked size.
    if canvas not in (None, size):
        raise _Damaged("its two sizes disagree")
    orientation, odd = 1, _ends_in_text(frame)
    kept = [_riff(name, frame)]
    if extended is not None:
        if b"ALPH" in by_name and name == b"VP8 ":
            alpha = by_name[b"ALPH"]
            odd |= [n for n, _ in chunks].count(b"ALPH") > 1 or not flags & _HAS_ALPHA
            # Not compressed, it is one byte per pixel.
            raw = bool(alpha) and alpha[0] & 3 == 0
            odd |= _ends_in_text(alpha) or (raw and len(alpha) != 1 + size[0] * size[1])
            kept.insert(0, _riff(b"ALPH", alpha))
        profile = by_name.get(b"ICCP", b"")
        has_profile = flags & _HAS_PROFILE and _is_profile(bytes(profile))
        if has_profile:
            kept.insert(0, _riff(b"ICCP", profile))
        if flags & _HAS_EXIF and b"EXIF" in by_name:
            orientation = _orientation(bytes(by_name[b"EXIF"]).removeprefix(b"Exif\0\0"))
        if orientation != 1:
            kept.append(_riff(b"EXIF", _exif(orientation)))
        flags = flags & _HAS_ALPHA | (_HAS_PROFILE if has_profile else 0)
        flags |= _HAS_EXIF if orientation != 1 else 0
        kept.insert(0, _riff(b"VP8X", bytes([flags, 0, 0, 0]) + bytes(extended[4:10])))
    length = 4 + sum(map(len, kept))
    first = b"RIFF" + length.to_bytes(4, "little") + b"WEBP"
    return Header(
        ImageFormat.WEBP, *size, orientation=orientation, kept=None if odd else (first, *kept)
    )


def _webp_chunks(data: bytes) -> list[tuple[bytes, memoryview]]:
    """Name and content of each chunk."""
    last = 8 + _unsigned(data, 4, 4, "little")
    if last > len(data):
        raise _CutOff
    found, at = [], 12
    for _ in _parts():
        if at >= last:
            break
        end = at + 8 + _unsigned(data, at + 4, 4, "little")
        if end > last:
            raise _Damaged("a chunk is longer than the file")
        found.append((data[at : at + 4], memoryview(data)[at + 8 : end]))
        at = end + end % 2
    return found


def _webp_size(name: bytes, frame: memoryview) -> tuple[int, int]:
    """Width and height of a frame: 14 bits each."""
    start = bytes(frame[:10])
    if name == b"VP8L" and start[:1] == b"\x2f" and len(start) >= 5:
        bits = int.from_bytes(start[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8 " and start[3:6] == b"\x9d\x01\x2a" and len(start) == 10 and not start[0] & 1:
        return int.from_bytes(start[6:8], "little") & 0x3FFF, int.from_bytes(
            start[8:10], "little"
        ) & 0x3FFF
    raise _Damaged("its picture does not begin as it should")


def _riff(name: bytes, content: bytes | memoryview) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


# --- Through Pillow: the other kinds, decoding, encoding anew ---

#: Pillow's own readers. `PIL.Image.open` would check the size against a limit of the whole process.
_PLUGINS = {
    ImageFormat.JPEG: "Jpeg",
    ImageFormat.PNG: "Png",
    ImageFormat.WEBP: "WebP",
    ImageFormat.TIFF: "Tiff",
    ImageFormat.GIF: "Gif",
    ImageFormat.BMP: "Bmp",
    ImageFormat.AVIF: "Avif",
}
#: The decoders that turn the picture upright on their own.
_TURNED = {ImageFormat.TIFF, ImageFormat.HEIC}
_EXIF_ORIENTATION, _TIFF_WIDTH, _TIFF_HEIGHT = 274, 256, 257
_TIFF_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
#: More pages than the thumbnails that cameras add.
_MOST_PAGES = 32

#: What pictures are encoded to, the best choice for a photograph first.
_TARGETS = (
    *(ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.PNG),
    *(ImageFormat.TIFF, ImageFormat.BMP),
)
_LOSSY = {ImageFormat.JPEG, ImageFormat.WEBP}
#: Pixels of a side that the format (WebP) or its encoder (libjpeg) cannot exceed.
_MAX_SIDES = {ImageFormat.JPEG: 65_500, ImageFormat.WEBP: 16_383}
#: From the best to the least that is tried before pixels are given up. Faces stay recognisable
#: at 75; below that, fewer pixels do less harm than stronger compression.
_QUALITIES = (95, 90, 85, 80, 75)
#: Modes that PNG stores as they are.
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}

_at_work: ContextVar[bool] = ContextVar("facematch_decoding", default=False)


@functools.cache
def _filter_logs() -> None:
    # A filter counts for its own logger alone, and these are Pillow's that log what they read.
    for name in ("PIL.ImageFile", "PIL.PngImagePlugin", "PIL.TiffImagePlugin"):
        logging.getLogger(name).addFilter(lambda _: not _at_work.get())


@contextlib.contextmanager
def _pillow(form: ImageFormat) -> Iterator[None]:
    """Whatever Pillow makes of a caller's picture: a refusal, and nothing logged or warned of.

    What it logs may be a place or a description from the picture.
    """
    _filter_logs()
    token = _at_work.set(True)
    try:
        # The filters of warnings belong to the process. Two threads that leave in another order
        # than they came may leave this one behind: it is about Pillow alone, and hides no error.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    except (InvalidImage, MemoryError, _Damaged):
        raise
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        # Not what they say: their messages may quote bytes of the picture.
        refuse(
            f"is {form.noun} whose pixels cannot be decoded, so it is probably damaged or cut off; "
            "transfer it again, or save it anew as JPEG or PNG"
        )
    finally:
        _at_work.reset(token)


def _opened(data: bytes, form: ImageFormat) -> Any:
    """A picture of Pillow, of which only the header was read."""
    if form is ImageFormat.HEIC:
        try:
            import pillow_heif
        except ImportError:
            refuse(
                "is a HEIC, which needs another package to be read; "
                'pip install "facematch-core[heif]", or convert it to JPEG'
            )
        # Not register_heif_opener(): that changes Pillow for the whole process.
        return pillow_heif.open_heif(io.BytesIO(data))
    if form is ImageFormat.AVIF:
        import PIL.features

        if not PIL.features.check("avif"):
            refuse(
                "is an AVIF, which the installed Pillow cannot read; "
                "install Pillow 11.3 or later, or convert it to JPEG"
            )
    name = _PLUGINS[form]
    plugin = importlib.import_module(f"PIL.{name}ImagePlugin")
    return getattr(plugin, f"{name}ImageFile")(io.BytesIO(data))


def _by_pillow(data: bytes, form: ImageFormat) -> Header:
    if data[8:12] in _MOVING_BRANDS and data[4:8] == b"ftyp":
        _several(form)
    if form is ImageFormat.TIFF and data[8:10] == b"CR":
        raise _Damaged("it is the raw data of a camera")
    with _pillow(form):
        picture = _opened(data, form)
        size, orientation = picture.size, 1
        if form is ImageFormat.TIFF:
            tags = picture.tag_v2
            if _DNG_VERSION in tags:
                raise _Damaged("it is the raw data of a camera")
            size = tags[_TIFF_WIDTH], tags[_TIFF_HEIGHT]
            orientation = tags.get(_EXIF_ORIENTATION)
            if _has_pages(picture):
                _several(form)
        elif form is not ImageFormat.HEIC:
            if getattr(picture, "is_animated", False):
                _several(form)
            orientation = picture.getexif().get(_EXIF_ORIENTATION)
        width, height = size
        upright = orientation if orientation in range(1, 9) else 1
        return Header(form, width, height, orientation=upright)


def _has_pages(tiff: Any) -> bool:
    """Whether there is a second picture; cameras add a directory for a thumbnail, which is none."""
    try:
        for page in range(1, _MOST_PAGES):
            tiff.seek(page)
            if not tiff.tag_v2.get(_TIFF_SUBFILE_TYPE, 0) & 1:
                return True
    except EOFError:
        return False
    return True


def decode(data: bytes, header: Header) -> PIL.Image.Image:
    """Decode a picture whose header was read before.

    Returns:
        Mode RGB, upright, transparency laid on white, 16 bits reduced to 8. Its `info` holds at
        most ``icc_profile``, and that only if it is a profile for RGB.

    Raises:
        InvalidImage: it cannot be decoded, or decoding it needs something that is not installed.
    """
    with _pillow(header.format):
        # Without metadata, Pillow has nothing to choke on but the pixels.
        picture = _opened(b"".join(header.kept) if header.kept else data, header.format)
        # Held to the size that was checked, before any pixels are allocated. Where the decoder
        # turns the picture, only their amount counts.
        if header.format not in _TURNED and picture.size != (header.width, header.height):
            raise ValueError
        check_pixels(*picture.size)
        if header.format is ImageFormat.HEIC:
            picture = picture.to_pillow()
        picture.load()
        profile = picture.info.get("icc_profile")
        rgb = _to_rgb(picture)
        if header.format not in _TURNED:
            rgb = _turned(rgb, header.orientation)
        rgb.info = dict[str | tuple[int, int], Any]()
        if _is_profile(profile) and profile[16:20] == b"RGB ":
            rgb.info["icc_profile"] = profile
        return rgb


def png_of(picture: object) -> bytes:
    """Encode a picture of Pillow as PNG without loss, upright, with nothing but its colours.

    Modes that PNG does not have become RGB or RGBA.

    Raises:
        InvalidImage: no picture of Pillow, no or too many pixels, or it cannot be encoded.
    """
    import PIL.Image

    if not isinstance(picture, PIL.Image.Image):
        refuse(f"must be a PIL.Image.Image, not {type(picture).__name__}")
    check_pixels(*picture.size)
    try:
        # Before its EXIF is asked: some files are turned upright when they are loaded.
        picture.load()
        plain = picture
        if picture.mode in ("PA", "La", "RGBa"):
            plain = picture.convert("LA" if picture.mode == "La" else "RGBA")
        elif picture.mode not in _PNG_MODES:
            plain = _to_rgb(picture)
        plain = _turned(plain, picture.getexif().get(_EXIF_ORIENTATION, 1)).copy()
        plain.info = {}
        if plain.mode == picture.mode:
            profile = picture.info.get("icc_profile")
            plain.info |= {"icc_profile": profile} if _is_profile(profile) else {}
            kept = picture.info.get("transparency")
            plain.info |= {"transparency": kept} if kept is not None else {}
        return _saved(plain, ImageFormat.PNG)
    except (InvalidImage, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - a lazily opened picture is decoded here: see `_pillow`
        refuse(f"(mode {picture.mode}) cannot be encoded as PNG; convert it to RGB first")


def fit(
    picture: PIL.Image.Image,
    formats: Collection[ImageFormat],
    *,
    max_bytes: int | None,
    max_pixels: int | None,
    min_side_px: int,
) -> bytes:
    """Encode an upright RGB picture within limits: first in quality, then in size.

    It is never enlarged. The same picture and limits always give the same bytes.

    Raises:
        InvalidImage: there is no such way.
    """
    target = next((form for form in _TARGETS if form in formats), None)
    if target is None:
        refuse(f"has to be encoded anew, but none of {names(formats)} can be written")
    max_bytes = min(max_bytes or MAX_FILE_BYTES, MAX_FILE_BYTES)
    profile = picture.info.get("icc_profile", b"")
    # Large profiles belong to printers; the face needs the room more.
    info: dict[str | tuple[int, int], Any] = {}
    if 0 < len(profile) <= max_bytes // 4:
        info["icc_profile"] = profile
    size = _first_size(picture.size, max_pixels, _MAX_SIDES.get(target))
    while min(size) >= min_side_px:
        smaller = _resized(picture, size)
        smaller.info = info
        data = _best(smaller, target, max_bytes)
        if len(data) <= max_bytes:
            return data
        # Bytes grow a little slower than pixels, so aim below the limit; and each step is a real
        # one, so that this ends soon.
        factor = min(0.9, 0.98 * math.sqrt(max_bytes / len(data)))
        if _scaled(size, factor) == size:
            break
        size = _scaled(size, factor)
    pixels = f" and {max_pixels} pixels" if max_pixels is not None else ""
    refuse(
        f"cannot be brought within {max_bytes} bytes{pixels} without its shorter side falling "
        f"below {min_side_px} pixels; take another picture"
    )


def names(formats: Collection[ImageFormat]) -> str:
    """Formats in a sentence, in the order of `ImageFormat`."""
    return ", ".join(form.label for form in ImageFormat if form in formats)


def _best(picture: PIL.Image.Image, form: ImageFormat, max_bytes: int) -> bytes:
    """The best quality that is within the limit; else the least, which is beyond it."""
    if form not in _LOSSY:
        return _saved(picture, form)
    data = _saved(picture, form, quality=_QUALITIES[0])
    if len(data) <= max_bytes:
        return data
    # The least quality first: if that is too large, none of those between needs a try.
    least = _saved(picture, form, quality=_QUALITIES[-1])
    if len(least) <= max_bytes:
        for quality in _QUALITIES[1:-1]:
            data = _saved(picture, form, quality=quality)
            if len(data) <= max_bytes:
                return data
    return least


def _saved(picture: PIL.Image.Image, form: ImageFormat, **options: Any) -> bytes:
    if form is ImageFormat.TIFF:
        options["compression"] = "tiff_adobe_deflate"
    # Given again as options: whether Pillow takes these from `info` depends on format and version.
    options |= {str(key): value for key, value in picture.info.items()}
    file = io.BytesIO()
    picture.save(file, format=form.value.upper(), **options)
    return file.getvalue()


def _first_size(
    size: tuple[int, int], max_pixels: int | None, max_side: int | None
) -> tuple[int, int]:
    """The largest size of this shape that the limits and the encoder allow, in pixels."""
    factor = min(1.0, (max_side or max(size)) / max(size))
    if max_pixels is None:
        return _scaled(size, factor)
    size = _scaled(size, min(factor, math.sqrt(max_pixels / (size[0] * size[1]))))
    if size[0] * size[1] > max_pixels:
        # Only where the shorter side cannot shrink below one pixel.
        longest = max_pixels // min(size)
        size = min(size[0], longest), min(size[1], longest)
    return size


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, int(size[0] * factor)), max(1, int(size[1] * factor))


def _resized(picture: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
    if size == picture.size:
        return picture
    from PIL.Image import Resampling

    return picture.resize(size, Resampling.LANCZOS, reducing_gap=3.0)


def _turned(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    """The picture upright, for an EXIF orientation from 1 to 8."""
    from PIL.Image import Transpose

    how = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return picture if how is None else picture.transpose(how)


def _to_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture in mode RGB: transparency laid on white, 16 bits reduced to 8."""
    import PIL.Image

    if picture.mode == "F":
        refuse(
            "has floating-point pixels, whose range nobody knows; scale them and convert it to RGB"
        )
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        # `convert` alone would cut everything above 255 off.
        wide = picture.convert("I")
        return wide.point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", layer.size, "white")
        white.alpha_composite(layer)
        return white.convert("RGB")
    return picture.convert("RGB")

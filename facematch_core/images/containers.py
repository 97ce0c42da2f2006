"""Parse JPEG, PNG and WebP files, and remove their metadata, without decoding the pixels.

`read_jpeg`, `read_png` and `read_webp` return a `Header` with size, orientation and, in
`clean_pieces`, the file without metadata. A file that cannot be cleaned this way is re-encoded (see
`imaging`).

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
    clean_pieces: tuple[Piece, ...] = attrs.field(default=(), eq=False, repr=False)
    #: Whether `clean_pieces` can be sent: it is upright, and none of its parts can hide data (a PNG
    #: only if `has_no_hidden_data` also returns True). If not, they are only for decoding.
    can_send_clean: bool = attrs.field(default=False, eq=False)
    #: Whether re-encoding preserves every pixel.
    is_lossless: bool = False


#: Maximum number of segments or chunks. Millions of empty chunks would take seconds.
_MAX_PARTS = 100_000
_TOO_MANY_PARTS = f"it has more than {_MAX_PARTS} parts"


class CutOff(Exception):
    """The file is truncated."""


class DamagedPicture(Exception):
    """The file violates its format. The message describes the violation in a few words."""


def refuse_picture(problem: str) -> NoReturn:
    """Raise `InvalidImage`. `problem` is the rest of a sentence that starts "The picture"."""
    raise InvalidImage(f"The picture {problem}.") from None


def raise_several_pictures(image_format: ImageFormat) -> NoReturn:
    refuse_picture(
        f"is {image_format.noun} with several pictures (an animation, or pages); "
        "save the picture with the face as JPEG or PNG"
    )


class _CleanFile:
    """Collects the parts of a file that stay, starting with its first `end` bytes.

    Parts must be given in the order of the file. Adjacent parts are merged.
    """

    def __init__(self, data: bytes, end: int) -> None:
        self._data = data
        self._pieces: list[Piece] = []
        #: Start and end of the part of the file that follows `_pieces`, and may still grow.
        self._start = 0
        self._end = end

    def keep(self, start: int, end: int) -> None:
        """Keep the bytes from `start` to `end`."""
        if start != self._end:
            self._finish_part()
            self._start = start
        self._end = end

    def put(self, segment: bytes, *, start: int, end: int) -> None:
        """Put `segment` in the place of the bytes from `start` to `end`."""
        if self._data[start:end] == segment:
            self.keep(start, end)
            return
        self._finish_part()
        self._pieces.append(segment)
        self._start = end
        self._end = end

    def pieces(self) -> tuple[Piece, ...]:
        """Return the parts; the file itself if nothing was removed."""
        if not self._pieces and self._end == len(self._data):
            return (self._data,)
        self._finish_part()
        return tuple(self._pieces)

    def _finish_part(self) -> None:
        if self._start < self._end:
            self._pieces.append(memoryview(self._data)[self._start : self._end])


# JPEG. A file is a list of segments: 0xFF, a marker, and, except for `_BARE` markers, the length of
# the rest and the content. A scan's pixels follow its segment.

_SOI = 0xD8  # start of the image
_EOI = 0xD9  # end of the image
_SOS = 0xDA  # start of a scan
_APP0 = 0xE0  # JFIF
_APP1 = 0xE1  # EXIF, XMP
_APP2 = 0xE2  # colour profile
_APP14 = 0xEE  # Adobe
#: Markers of Huffman-coded frames (baseline, extended, progressive), which all decoders support.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_ALL_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Segments that are kept unchanged: frame, scans, their tables (DHT, DQT, DRI), and the end.
_UNCHANGED = _FRAMES | {_SOS, 0xC4, 0xDB, 0xDD, _EOI}
#: Markers without a length: TEM and the restart markers.
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
#: A minimal EXIF segment, which contains only the orientation.
_EXIF = (
    b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\1"  # big endian; a directory at 8, one entry
    b"\1\x12\0\3\0\0\0\1\0%c\0\0\0\0\0\0"
)
#: Maximum number of scans, because each takes time to decode. A progressive file has about ten.
_MAX_SCANS = 100
#: What follows 0xFF where no marker starts: the end of the file, a data byte, padding.
_NO_MARKER = (b"", b"\0", b"\xff")
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
#: The marker after a scan. Inside a scan, 0xFF 0x00 is a data byte and 0xFF 0xD0-0xD7 a restart.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def read_jpeg(data: bytes) -> Header:
    """Return a JPEG's header; its clean file has frame, tables, scans, profile, JFIF and Adobe.

    EXIF data is reduced to the orientation, and removed if the picture is upright.
    """
    clean = _CleanFile(data, end=2)
    size = None
    has_scan = False
    orientation = None
    has_jfif = False
    for marker, start, content_start, end in _segments(data):
        if marker in _ALL_FRAMES:
            # A second frame could have a different size from the checked one.
            if size is not None:
                raise DamagedPicture("it has two frame headers")
            size = _frame_size(data, marker, content_start, end)
        has_scan = has_scan or marker == _SOS
        is_profile = marker == _APP2 and data.startswith(b"ICC_PROFILE\0", content_start)
        if marker in _UNCHANGED or is_profile:
            clean.keep(start, end)
        elif (
            marker == _APP1 and orientation is None and data.startswith(b"Exif\0\0", content_start)
        ):
            orientation = orientation_of(data[content_start + 6 : end])
            if orientation != 1:
                clean.put(_EXIF % orientation, start=start, end=end)
        elif marker == _APP14 or (marker == _APP0 and not has_jfif):
            reduced = _reduced_segment(data, marker, content_start, end)
            if reduced is not None:
                clean.put(reduced, start=start, end=end)
                # A second JFIF segment could contain anything, so only the first is kept.
                has_jfif = has_jfif or marker == _APP0
    if size is None or not has_scan:
        raise DamagedPicture("there is no picture in it")
    width, height = size
    return Header(
        ImageFormat.JPEG,
        width,
        height,
        orientation=orientation or 1,
        clean_pieces=clean.pieces(),
        can_send_clean=True,
    )


def _frame_size(data: bytes, marker: int, content_start: int, end: int) -> tuple[int, int]:
    """Return width and height from the frame header between `content_start` and `end`."""
    if marker not in _FRAMES:
        raise DamagedPicture("it is lossless, hierarchical or arithmetically coded")
    if end - content_start < 6 or data[content_start] != 8:
        raise DamagedPicture("its frame header is too short, or not of 8 bits per colour")
    height = _read_unsigned(data, content_start + 1, 2)
    width = _read_unsigned(data, content_start + 3, 2)
    return width, height


def _reduced_segment(data: bytes, marker: int, content_start: int, end: int) -> bytes | None:
    """Return a JFIF or Adobe segment without extra data; None for any other segment."""
    length = end - content_start
    if marker == _APP0 and length >= 14 and data.startswith(b"JFIF\0", content_start):
        up_to_density = data[content_start : content_start + 12]
        no_thumbnail = b"\0\0"  # 0 x 0 pixels
        return b"\xff\xe0\0\x10" + up_to_density + no_thumbnail
    if marker == _APP14 and length >= 12 and data.startswith(b"Adobe", content_start):
        up_to_colour_transform = data[content_start : content_start + 12]
        return b"\xff\xee\0\x0e" + up_to_colour_transform
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield each segment's marker, start, content start and end; a scan's pixels are part of it.

    Raises:
        CutOff: The file ends too early.
        DamagedPicture: The segments are damaged.
    """
    position = 2
    scans = 0
    for _ in range(_MAX_PARTS):
        start = position
        if data[start : start + 1] != b"\xff" or data[start + 1 : start + 2] in _NO_MARKER:
            # Skip padding and stray bytes.
            start = _search(_MARKER, data, start)
        marker = data[start + 1]
        if marker == _EOI:
            end = start + 2
            yield marker, start, end, end
            return
        if marker in _BARE:
            position = start + 2
            continue
        if marker == _SOI:
            raise DamagedPicture("a second picture starts inside it")
        content_start = start + 4
        position = start + 2 + _read_unsigned(data, start + 2, 2)  # the length counts itself
        if position < content_start:
            raise DamagedPicture("a segment is shorter than its own length")
        if position > len(data):
            raise CutOff
        if marker == _SOS:
            position = _search(_AFTER_SCAN, data, position)
            scans += 1
            if scans > _MAX_SCANS:
                raise DamagedPicture(f"it has more than {_MAX_SCANS} scans")
        yield marker, start, content_start, position
    raise DamagedPicture(_TOO_MANY_PARTS)


def _search(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    """Return the position of the next match from `start` on; raise `CutOff` if there is none."""
    match = pattern.search(data, start)
    if match is None:
        raise CutOff
    return match.start()


# PNG. A file is its signature and a list of chunks: the length of the content (4 bytes), a name
# (4), the content, and the checksum of name and content (4).

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: The chunks that every picture needs, and the chunks with colours.
_PIXEL_CHUNKS = {b"IHDR", b"IDAT", b"IEND"}
_COLOUR_CHUNKS = {b"PLTE", b"tRNS", b"iCCP"}
#: Channels by colour type: grey, RGB, grey with alpha, RGB with alpha. A palette is not included.
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
#: Bytes per pixel, keyed by the header bytes after the size. Excludes palettes and interlacing.
_BYTES_PER_PIXEL = {
    bytes([depth, colour_type, 0, 0, 0]): channels * depth // 8
    for colour_type, channels in _CHANNELS.items()
    for depth in (8, 16)
}


def read_png(data: bytes) -> Header:
    """Return a PNG's header; its clean file has the chunks with pixels and colours.

    It can be sent so if it has no chunk of colours, and is upright and not interlaced.
    """
    clean = _CleanFile(data, end=len(_PNG_SIGNATURE))
    names: set[bytes] = set()
    orientation = 1
    is_end_empty = True
    for name, start, end in _chunks(data):
        length = end - start - 12
        is_first = not names
        if is_first != (name == b"IHDR") or (is_first and length != 13):
            raise DamagedPicture("it does not begin with its header, or has two")
        names.add(name)
        if name in _PIXEL_CHUNKS or name in _COLOUR_CHUNKS:
            if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != _read_unsigned(
                data, end - 4, 4
            ):
                raise DamagedPicture(f"the checksum of its {name.decode()} chunk is wrong")
            clean.keep(start, end)
            if name == b"IEND" and length > 0:
                is_end_empty = False  # the content could be anything
        elif name == b"acTL":
            raise_several_pictures(ImageFormat.PNG)
        elif name == b"eXIf":
            orientation = orientation_of(data[start + 8 : end - 4])
    if b"IDAT" not in names:
        raise DamagedPicture("there is no picture in it")
    # Whatever else a chunk of colours or the end may hide is left behind by encoding anew.
    has_only_pixels = is_end_empty and not names & _COLOUR_CHUNKS
    return Header(
        ImageFormat.PNG,
        _read_unsigned(data, 16, 4),
        _read_unsigned(data, 20, 4),
        orientation=orientation,
        clean_pieces=clean.pieces(),
        can_send_clean=orientation == 1 and has_only_pixels and data[24:29] in _BYTES_PER_PIXEL,
        is_lossless=True,
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, start and end of each chunk, up to the chunk IEND."""
    end = len(_PNG_SIGNATURE)
    for _ in range(_MAX_PARTS):
        start = end
        end = start + 12 + _read_unsigned(png, start, 4)
        if end > len(png):
            raise CutOff
        name = png[start + 4 : start + 8]
        yield name, start, end
        if name == b"IEND":
            return
    raise DamagedPicture(_TOO_MANY_PARTS)


def has_no_hidden_data(png: bytes) -> bool:
    """Return whether the pixel data has exactly the declared size, without hidden data after it."""
    width = _read_unsigned(png, 16, 4)
    height = _read_unsigned(png, 20, 4)
    bytes_per_row = 1 + width * _BYTES_PER_PIXEL[png[24:29]]  # each row begins with its filter
    missing = height * bytes_per_row
    inflater = zlib.decompressobj()
    for name, start, end in _chunks(png):
        if name != b"IDAT":
            continue
        compressed: Piece = memoryview(png)[start + 8 : end - 4]
        if compressed and inflater.eof:
            return False
        while compressed and missing >= 0:
            try:
                pixels = inflater.decompress(compressed, 1 << 18)
            except zlib.error:
                return False
            missing -= len(pixels)
            compressed = inflater.unconsumed_tail
    return missing == 0 and inflater.eof and not inflater.unused_data


# WebP. A file is a RIFF header of 12 bytes and a list of chunks: a name (4 bytes), the length of
# the content (4, little-endian), the content, and a byte of padding if the length is odd.

#: The animation bit in the first byte of the extended header (VP8X).
_ANIMATION = 0x02
#: The first bytes of the extended header if a colour profile follows.
_WITH_PROFILE = b"\x20\0\0\0"


def read_webp(data: bytes) -> Header:
    """Return a WebP's header; only an opaque lossy file has a clean file, of pixels and profile.

    Raises:
        CutOff: The file ends too early.
        DamagedPicture: Its chunks are damaged or contradict each other.
    """
    chunks = _first_chunks(data)
    extended = chunks.get(b"VP8X")
    lossy = chunks.get(b"VP8 ")
    lossless = chunks.get(b"VP8L")
    if extended and extended[0] & _ANIMATION:
        raise_several_pictures(ImageFormat.WEBP)
    if (lossy is None) is (lossless is None):
        raise DamagedPicture("there is no picture in it")
    if extended is not None:
        # A decoder allocates the canvas, and rejects a frame with a different size.
        width = _read_unsigned(extended, 4, 3, "little") + 1
        height = _read_unsigned(extended, 7, 3, "little") + 1
    elif lossy is not None:
        width = _read_unsigned(lossy, 6, 2, "little") & 0x3FFF
        height = _read_unsigned(lossy, 8, 2, "little") & 0x3FFF
    elif lossless is not None:
        size_bits = _read_unsigned(lossless, 1, 4, "little")
        width = (size_bits & 0x3FFF) + 1
        height = (size_bits >> 14 & 0x3FFF) + 1
    exif = chunks.get(b"EXIF", b"")
    # Some programs write the prefix that EXIF has in a JPEG.
    orientation = orientation_of(exif.removeprefix(b"Exif\0\0"))
    is_opaque = lossy is not None and b"ALPH" not in chunks
    return Header(
        ImageFormat.WEBP,
        width,
        height,
        orientation=orientation,
        clean_pieces=(_clean_lossy_webp(chunks),) if is_opaque else (),
        # The clean file has no orientation, so only an upright picture can be sent.
        can_send_clean=is_opaque and orientation == 1,
        is_lossless=lossless is not None,
    )


def _first_chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the chunks by name; of several with the same name, the first."""
    file_end = 8 + _read_unsigned(data, 4, 4, "little")
    if file_end > len(data):
        raise CutOff
    chunks: dict[bytes, bytes] = {}
    start = 12
    for _ in range(_MAX_PARTS):
        if start >= file_end:
            return chunks
        length = _read_unsigned(data, start + 4, 4, "little")
        end = start + 8 + length
        if end > file_end:
            raise DamagedPicture("a chunk is longer than the file")
        chunks.setdefault(data[start : start + 4], data[start + 8 : end])
        start = end + length % 2
    raise DamagedPicture(_TOO_MANY_PARTS)


def _clean_lossy_webp(chunks: dict[bytes, bytes]) -> bytes:
    """Return a lossy WebP file with only the image data and the colour profile."""
    content = b"WEBP"
    if b"ICCP" in chunks:
        if b"VP8X" in chunks:
            canvas_size = chunks[b"VP8X"][4:10]
            content += _webp_chunk(b"VP8X", _WITH_PROFILE + canvas_size)
        content += _webp_chunk(b"ICCP", chunks[b"ICCP"])
    content += _webp_chunk(b"VP8 ", chunks[b"VP8 "])
    return b"RIFF" + len(content).to_bytes(4, "little") + content


def _webp_chunk(name: bytes, content: bytes) -> bytes:
    padding = b"\0" * (len(content) % 2)
    return name + len(content).to_bytes(4, "little") + content + padding


def _read_unsigned(
    data: Piece, position: int, size: int, order: Literal["big", "little"] = "big"
) -> int:
    """Return the unsigned number of `size` bytes at `position`; raise `CutOff` if it is cut off."""
    piece = data[position : position + size]
    if len(piece) < size:
        raise CutOff
    return int.from_bytes(piece, order)


_ORIENTATION_TAG = 0x0112
#: Sizes in bytes of the types BYTE, SHORT and LONG; a single value is stored in the entry itself.
_NUMBER_SIZES = {1: 1, 3: 2, 4: 4}


def orientation_of(exif: bytes) -> int:
    """Return the orientation from an EXIF block; 1 if it is missing or unreadable."""
    order: Literal["big", "little"]
    if exif.startswith(b"II*\0"):
        order = "little"
    elif exif.startswith(b"MM\0*"):
        order = "big"
    else:
        return 1
    directory = int.from_bytes(exif[4:8], order)
    entry_count = int.from_bytes(exif[directory : directory + 2], order)
    first_entry = directory + 2
    end = min(first_entry + 12 * entry_count, len(exif))
    # An entry has 12 bytes: tag (2), type (2), number of values (4), value (4).
    for start in range(first_entry, end, 12):
        tag = int.from_bytes(exif[start : start + 2], order)
        number_type = int.from_bytes(exif[start + 2 : start + 4], order)
        count = int.from_bytes(exif[start + 4 : start + 8], order)
        if tag == _ORIENTATION_TAG and number_type in _NUMBER_SIZES and count == 1:
            value_size = _NUMBER_SIZES[number_type]
            value = int.from_bytes(exif[start + 8 : start + 8 + value_size], order)
            return value if 1 <= value <= 8 else 1
    return 1

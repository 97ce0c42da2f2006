"""Read test cards from pictures."""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import PIL.Image
from PIL.Image import Resampling
from PIL.JpegImagePlugin import JpegImageFile

from facematch_core.images.containers import MARKER_AFTER_SCAN

from .block_code import FINENESS, read_payload
from .cards import TURNS, Card
from .layout import CODE, COLUMNS, ROWS
from .payload import decode_card

#: The supported formats.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "MPO")

#: Minimum side in pixels. In a smaller picture, a cell would be only two pixels wide.
_MIN_SIDE = 64
#: Maximum number of pixels to decode, to save memory.
_MAX_PIXELS = 40_000_000
#: A JPEG is decoded at a half, a quarter or an eighth of its size, but not below this size, because
#: a cell must be four pixels wide.
_MIN_DECODED_SIZE = (120, 120)
#: The size to which the block code is resized before it is read.
_CODE_SIZE = (COLUMNS * FINENESS, ROWS * FINENESS)
_TURNED_CODE_SIZE = (ROWS * FINENESS, COLUMNS * FINENESS)


def read_card(data: bytes) -> Card | None:
    """Read a test card from the bytes of a picture.

    The pixels of the whole picture are read, so it may be re-encoded, shrunk, stretched and turned
    by 90 degrees, but not cropped, framed or mirrored. The EXIF orientation is ignored. Returns
    None if the bytes are not a card or not a picture; never raises.
    """
    if size_of_photograph(data) is not None:
        return None
    return find_card(data)


def find_card(data: bytes) -> Card | None:
    """Decode a whole picture, and read its card; None if there is none. Never raises."""
    try:
        with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if not _can_be_card(picture.size):
                return None
            picture.draft("L", _MIN_DECODED_SIZE)
            return _read_grey_card(picture.convert("L"))
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        return None


def _can_be_card(size: tuple[int, int]) -> bool:
    """Return whether a picture of this width and height is decoded to look for a card."""
    width, height = size
    return min(width, height) >= _MIN_SIDE and width * height <= _MAX_PIXELS


#: The rows of a JPEG, in pixels, whose bytes are read to decode its first row. A JPEG's blocks are
#: at most 16 rows high, and the first ones may have more bytes than the average.
_FIRST_ROWS = 24
#: Minimum grey level of a card's edge, on a scale of 256. New cards have 210 or more; applications
#: may darken a card to a third.
_MIN_EDGE_GREY = 40
#: Minimum grey level of a card's edge as a share of the edge's brightest pixel. It is 0.8 in a new
#: card; strong compression adds errors.
_MIN_EDGE_SHARE = 0.5

#: The marker of the end of a JPEG.
_END_OF_JPEG = b"\xff\xd9"


def size_of_photograph(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a complete JPEG whose first row shows that it is not a card.

    Returns None for any other picture. Takes a tenth of the time of `find_card`. Never raises.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        # `PIL.Image.open` would load the plug-ins of other formats first, which takes 3 ms.
        picture = JpegImageFile(io.BytesIO(data))
        size = picture.size
        if picture.fp is None or not _can_be_card(size) or not _has_dark_edge(picture, data):
            return None
        end = MARKER_AFTER_SCAN.search(data, picture.fp.tell())
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        return None
    return size if end is not None and end[0] == _END_OF_JPEG else None


def _has_dark_edge(picture: JpegImageFile, data: bytes) -> bool:
    """Return whether the first row of an opened JPEG is too dark for the edge of a card.

    May raise any error. False if only the whole picture can be decoded.
    """
    _, rows = picture.size
    picture.draft("L", _MIN_DECODED_SIZE)
    # Only the end of a progressive JPEG completes its first row. CMYK cannot be read as grey.
    if "progressive" in picture.info or picture.mode != "L" or picture.fp is None:
        return False
    head_bytes = picture.fp.tell()
    first_bytes = math.ceil((len(data) - head_bytes) * _FIRST_ROWS / rows)
    scale, _ = picture.decoderconfig  # chosen by `draft`
    row = PIL.Image.new("L", (picture.width, 1))
    # Pillow reports that the other rows are missing. "" is for the colours that the file names.
    with contextlib.suppress(ValueError):
        row.frombytes(data[: head_bytes + first_bytes], "jpeg", "L", "", scale, 0)
    # Of a grey picture, these are two numbers.
    greys: Any = row.getextrema()
    darkest, brightest = greys
    if brightest == 0:
        # A row is black before it is decoded: its bytes may be longer than those of other rows.
        return False
    is_dark: bool = darkest < _MIN_EDGE_GREY or darkest < brightest * _MIN_EDGE_SHARE
    return is_dark


def _read_grey_card(picture: PIL.Image.Image) -> Card | None:
    """Read a card from a grey picture, in the first direction in which its code is readable."""
    for degrees in TURNS:
        size = _CODE_SIZE if degrees in {0, 180} else _TURNED_CODE_SIZE
        area = CODE.turned(degrees).edges(picture.size)
        code = picture.resize(size, Resampling.BOX, box=area).rotate(degrees, expand=True)
        payload = read_payload(code.tobytes())
        if payload is not None:
            return decode_card(payload, degrees)
    return None

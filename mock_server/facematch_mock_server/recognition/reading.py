"""Read test cards from pictures."""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import PIL.Image
from PIL.Image import Resampling

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
    try:
        with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            size = picture.size
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        return None
    return find_card(data, size)


def find_card(data: bytes, size: tuple[int, int]) -> Card | None:
    """Read a test card like `read_card`, from a picture whose header has this width and height."""
    if not _can_be_card(size) or _is_photograph(data, size):
        return None
    try:
        with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            picture.draft("L", _MIN_DECODED_SIZE)
            return _read_grey_card(picture.convert("L"))
    except Exception:  # noqa: BLE001 - as above
        return None


def _can_be_card(size: tuple[int, int]) -> bool:
    """Return whether a picture of this width and height is decoded to look for a card."""
    width, height = size
    return min(width, height) >= _MIN_SIDE and width * height <= _MAX_PIXELS


#: Minimum grey level of a card's edge, on a scale of 256. New cards have 210 or more; applications
#: may darken a card to a third.
_MIN_EDGE_GREY = 40
#: Minimum grey level of a card's edge as a share of the edge's brightest pixel. It is 0.8 in a new
#: card; strong compression adds errors.
_MIN_EDGE_SHARE = 0.5


def _is_photograph(data: bytes, size: tuple[int, int]) -> bool:
    """Return whether the first row of a JPEG is too dark for the edge of a card.

    False for any other picture. Takes a fortieth of the time of decoding the whole picture.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return False
    width, height = size
    min_width, min_height = _MIN_DECODED_SIZE
    max_scale = min(width // min_width, height // min_height)
    scale = next((scale for scale in (8, 4, 2) if scale <= max_scale), 1)
    # The decoder writes as many pixels as the header says.
    row = PIL.Image.new("L", (math.ceil(width / scale), 1))
    # The first row of a progressive JPEG, which only its end completes, is not decoded.
    first_half = memoryview(data)[: len(data) // 2]
    # Pillow reports that the other rows are missing. "" is for the colours that the file names.
    with contextlib.suppress(ValueError):
        row.frombytes(first_half, "jpeg", "L", "", scale, 0)
    # Of a grey picture, these are two numbers.
    greys: Any = row.getextrema()
    darkest, brightest = greys
    if brightest == 0:
        # A row is black before it is decoded. CMYK cannot be decoded as grey.
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

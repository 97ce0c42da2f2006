"""Reading a card: from its text chunk at once, else from its pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ._card import TURNS, Card
from ._code import COLUMNS, FINENESS, ROWS, payload_in
from ._layout import CODE
from ._payload import card_of
from ._text_chunk import card_in_text

if TYPE_CHECKING:
    import PIL.Image

#: Decoders that are tried. Others would only be more that can go wrong.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "MPO")
_JPEG = b"\xff\xd8\xff"

#: A code is never looked for in a picture with a shorter side, in pixels: a cell would have two.
_MIN_SIDE = 64
#: Nor in one with more pixels: such a picture is not worth the memory of the mock.
_MAX_PIXELS = 40_000_000
#: A JPEG is decoded in a half, a quarter or an eighth of its size as long as that leaves so much.
_ENOUGH = (240, 240)
_FINE = (COLUMNS * FINENESS, ROWS * FINENESS)


def read_card(data: bytes) -> Card | None:
    """Read a test card from the bytes of a picture.

    Pixels decide, and the whole picture counts: it may be encoded anew, shrunk, stretched and
    turned by quarters, not cropped or mirrored. An EXIF orientation is ignored.

    Returns:
        The card; None if the picture is none, or no picture at all. Never raises.
    """
    return card_in_text(data) or _card_in_pixels(data)


def _card_in_pixels(data: bytes) -> Card | None:
    try:
        with _opened(data) as picture:
            width, height = picture.size
            if min(width, height) < _MIN_SIDE or width * height > _MAX_PIXELS:
                return None
            picture.draft("L", _ENOUGH)
            return _card_in_grey(picture.convert("L"))
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        return None


def _opened(data: bytes) -> PIL.Image.Image:
    if data.startswith(_JPEG):
        # `Image.open` would load the decoders of four other formats before it looks at the bytes.
        from PIL.JpegImagePlugin import jpeg_factory

        return jpeg_factory(io.BytesIO(data))
    from PIL import Image

    return Image.open(io.BytesIO(data), formats=FORMATS)


def _card_in_grey(picture: PIL.Image.Image) -> Card | None:
    from PIL.Image import Resampling, Transpose

    back = {90: Transpose.ROTATE_90, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_270}
    for turned in TURNS:
        fine = _FINE if turned in {0, 180} else _FINE[::-1]
        part = CODE.turned(turned).of(picture.size)
        cells = picture.resize(fine, Resampling.BOX, box=part)
        if turned:
            cells = cells.transpose(back[turned])
        payload = payload_in(cells.tobytes())
        if payload is not None:
            return card_of(payload, turned)
    return None

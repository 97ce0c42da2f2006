"""Taking private data out of a picture without touching its pixels."""

from __future__ import annotations

from collections.abc import Callable

from . import _jpeg, _png, _webp
from ._formats import ImageFormat
from ._header import Header

#: The formats whose private data stands apart from the pixels. In the others it is interleaved
#: (TIFF, HEIC, AVIF) or not worth the code (GIF, BMP): those are encoded anew.
_STRIPPERS: dict[ImageFormat, Callable[[bytes, Header], bytes]] = {
    ImageFormat.JPEG: _jpeg.strip,
    ImageFormat.PNG: _png.strip,
    ImageFormat.WEBP: _webp.strip,
}


def can_strip(form: ImageFormat) -> bool:
    """Whether private data can be taken out of such a file without encoding it anew."""
    return form in _STRIPPERS


def strip(data: bytes, header: Header) -> bytes:
    """The same picture with nothing but pixels, colours and orientation (1: not written).

    A file of a format that cannot be stripped comes back unchanged.
    """
    stripper = _STRIPPERS.get(header.format)
    return stripper(data, header) if stripper else data

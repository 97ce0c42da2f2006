"""From bytes to a header, or to the reason why they are not taken. Nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable

from . import _bmp, _gif, _heif, _jpeg, _png, _tiff, _webp
from ._formats import MAX_FILE_BYTES, MAX_PIXELS, ImageFormat
from ._header import Header
from ._mistaken import looks_like
from ._refusal import Damaged, EndOfData, Refusal

_MAGICS = {
    ImageFormat.JPEG: (_jpeg.MAGIC,),
    ImageFormat.PNG: (_png.MAGIC,),
    ImageFormat.GIF: _gif.MAGICS,
    ImageFormat.TIFF: (_tiff.LITTLE, _tiff.BIG),
}
_READERS: dict[ImageFormat, Callable[[bytes], Header]] = {
    ImageFormat.JPEG: _jpeg.header,
    ImageFormat.PNG: _png.header,
    ImageFormat.WEBP: _webp.header,
    ImageFormat.TIFF: _tiff.header,
    ImageFormat.GIF: _gif.header,
    ImageFormat.BMP: _bmp.header,
    ImageFormat.HEIC: _heif.header,
    ImageFormat.AVIF: _heif.header,
}


def inspect(data: bytes) -> Header:
    """Read the header of a picture and check that the file is complete and of a size to handle.

    Raises:
        Refusal: the bytes are empty, too many, no picture, cut off, damaged, an animation, or
            more pixels than `MAX_PIXELS`.
    """
    check_size(len(data))
    form = _kind(data)
    if form is None:
        raise Refusal(looks_like(data))
    try:
        header = _READERS[form](data)
    except EndOfData:
        raise Refusal(
            f"is {form.noun} that is cut off (its end is missing after {len(data)} bytes); "
            "transfer it again, completely"
        ) from None
    except Damaged as damage:
        raise Refusal(
            f"is {form.noun} that cannot be used ({damage}); save it anew as JPEG or PNG"
        ) from None
    _check(header)
    return header


def check_size(size: int) -> None:
    """Refuse a file of no bytes, or of more than `MAX_FILE_BYTES`."""
    if size == 0:
        raise Refusal("is empty (0 bytes); check where it comes from")
    if size > MAX_FILE_BYTES:
        raise Refusal(
            f"has {size} bytes, more than the {MAX_FILE_BYTES} that are read; shrink it first"
        )


def check_pixels(width: int, height: int) -> None:
    """Refuse a picture of no pixels, or of more than `MAX_PIXELS`."""
    if width < 1 or height < 1:
        raise Refusal(f"has no pixels ({width} x {height}); save it anew as JPEG or PNG")
    if width * height > MAX_PIXELS:
        raise Refusal(
            f"claims {width} x {height} pixels, more than the {MAX_PIXELS} that are decoded; "
            "shrink it first"
        )


def _kind(data: bytes) -> ImageFormat | None:
    for form, magics in _MAGICS.items():
        if data.startswith(magics):
            return form
    if _webp.is_webp(data):
        return ImageFormat.WEBP
    return ImageFormat.BMP if _bmp.is_bmp(data) else _heif.kind(data)


def _check(header: Header) -> None:
    if header.several:
        raise Refusal(
            f"is {header.format.noun} with several pictures (an animation, or pages); "
            "save the one that shows the face as JPEG or PNG"
        )
    check_pixels(header.width, header.height)

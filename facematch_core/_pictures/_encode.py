"""From pixels to bytes, without metadata. The same pixels always give the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ._decode import to_rgb, turned
from ._formats import ImageFormat
from ._refusal import Refusal
from ._sniff import check_pixels

if TYPE_CHECKING:
    import PIL.Image

#: What pictures are encoded to, the best choice for a photograph first.
TARGETS = (
    *(ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.PNG),
    *(ImageFormat.TIFF, ImageFormat.BMP),
)
#: Those of them that have a quality, 1 to 100.
LOSSY = {ImageFormat.JPEG, ImageFormat.WEBP}
#: Pixels of a side that the format (WebP) or its encoder (libjpeg) cannot exceed.
MAX_SIDES = {ImageFormat.JPEG: 65_500, ImageFormat.WEBP: 16_383}

_OPTIONS: dict[ImageFormat, dict[str, Any]] = {
    ImageFormat.TIFF: {"compression": "tiff_adobe_deflate"},
}
#: Modes that PNG stores as they are.
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
_ORIENTATION = 0x0112


def encode(picture: PIL.Image.Image, form: ImageFormat, quality: int) -> bytes:
    """Encode a picture that has no other `info` than ``icc_profile``.

    Args:
        picture: Mode RGB.
        form: One of `TARGETS`.
        quality: 1 to 100; without a meaning for formats that are not in `LOSSY`.
    """
    options: dict[str, Any] = {"quality": quality} if form in LOSSY else _OPTIONS.get(form, {})
    return _saved(picture, form, options)


def png_of(picture: object) -> bytes:
    """Encode a picture of Pillow as PNG without loss, upright, with nothing but its colours.

    Modes that PNG does not have become RGB or RGBA.

    Raises:
        Refusal: no picture of Pillow, no or too many pixels, or a mode without a known range.
    """
    import PIL.Image

    if not isinstance(picture, PIL.Image.Image):
        raise Refusal(f"must be a PIL.Image.Image, not {type(picture).__name__}")
    check_pixels(*picture.size)
    try:
        # Before its EXIF is asked: some files are turned upright when they are loaded.
        picture.load()
        plain = _storable(picture)
        plain = turned(plain, picture.getexif().get(_ORIENTATION, 1)).copy()
        kept = ("icc_profile", "transparency") if plain.mode == picture.mode else ()
        plain.info = {key: picture.info[key] for key in kept if key in picture.info}
        return _saved(plain, ImageFormat.PNG, {})
    except (Refusal, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - a lazily opened picture is decoded here: see `decode`
        raise Refusal(
            f"(mode {picture.mode}) cannot be encoded as PNG; convert it to RGB first"
        ) from None


def _saved(picture: PIL.Image.Image, form: ImageFormat, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    # Told again as options: whether Pillow takes these from `info` depends on format and version.
    told = {str(key): value for key, value in picture.info.items()} | options
    picture.save(file, format=form.value.upper(), **told)
    return file.getvalue()


def _storable(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture in a mode that PNG has."""
    if picture.mode in _PNG_MODES:
        return picture
    if picture.mode in ("PA", "La", "RGBa"):
        return picture.convert({"La": "LA"}.get(picture.mode, "RGBA"))
    return to_rgb(picture)

"""From bytes to upright RGB pixels. Pillow is imported when it is needed, and only then."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import attrs

from ._formats import ImageFormat
from ._header import Header
from ._quiet import quiet
from ._refusal import Refusal
from ._sniff import check_pixels
from ._strip import strip

if TYPE_CHECKING:
    import PIL.Image

#: The formats that Pillow alone decodes, under Pillow's names.
_PILLOW = {form: form.value.upper() for form in ImageFormat if form is not ImageFormat.HEIC}
#: The decoders that turn the picture upright on their own.
_TURNED = {ImageFormat.TIFF, ImageFormat.HEIC}


def decode(data: bytes, header: Header) -> PIL.Image.Image:
    """Decode a picture whose header was read before.

    Returns:
        Mode RGB, upright, transparency laid on white, 16 bits reduced to 8. Its `info` holds at
        most ``icc_profile``, and that only if the profile is one for RGB.

    Raises:
        Refusal: it cannot be decoded, or decoding it needs something that is not installed.
    """
    # Without metadata, Pillow has nothing to warn of or to choke on but the pixels.
    plain = strip(data, attrs.evolve(header, orientation=1))
    try:
        # What it logs may be a description or a place, taken from the picture.
        with quiet():
            picture = _opened(plain, header)
            profile = picture.info.get("icc_profile")
            _check_size(picture.size, header)
            picture.load()
            rgb = to_rgb(picture)
            if header.format not in _TURNED:
                rgb = turned(rgb, header.orientation)
    except (Refusal, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        # Not what they say: their messages may quote bytes of the picture.
        raise Refusal(_broken(header)) from None
    rgb.info = {}
    if isinstance(profile, bytes) and profile[16:20] == b"RGB ":
        rgb.info["icc_profile"] = profile
    return rgb


def turned(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
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


def to_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture in mode RGB: transparency laid on white, 16 bits reduced to 8."""
    import PIL.Image

    if picture.mode == "F":
        raise Refusal(
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


def _opened(data: bytes, header: Header) -> PIL.Image.Image:
    if header.format is ImageFormat.HEIC:
        return _heic(data)
    import PIL.features
    import PIL.Image

    if header.format is ImageFormat.AVIF and not PIL.features.check("avif"):
        raise Refusal(
            "is an AVIF, which the installed Pillow cannot decode; "
            "install Pillow 11.3 or later, or convert it to JPEG"
        )
    return PIL.Image.open(io.BytesIO(data), formats=[_PILLOW[header.format]])


def _heic(data: bytes) -> PIL.Image.Image:
    try:
        import pillow_heif
    except ImportError:
        raise Refusal(
            "is a HEIC, which needs another package to be decoded; "
            'pip install "facematch-core[heif]", or convert it to JPEG'
        ) from None
    # Not register_heif_opener(): that changes Pillow for the whole process.
    picture: PIL.Image.Image = pillow_heif.open_heif(io.BytesIO(data)).to_pillow()
    return picture


def _check_size(size: tuple[int, int], header: Header) -> None:
    """Hold the decoder to the size that was checked, before it allocates any pixels."""
    if header.format in _TURNED:
        # These tell the upright size (and HEIC may be cropped): only the amount counts.
        check_pixels(*size)
    elif size != (header.width, header.height):
        raise Refusal(_broken(header))


def _broken(header: Header) -> str:
    return (
        f"is {header.format.noun} whose pixels cannot be decoded, so it is probably damaged; "
        "save it anew as JPEG or PNG"
    )

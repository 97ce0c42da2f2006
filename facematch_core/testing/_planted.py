"""Pictures as phones and cameras write them, and what became of one on its way to a vendor."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from facematch_core import Image, ImageFormat

from ._leaks import find_leaks

if TYPE_CHECKING:
    import PIL.Image

#: What is planted in a picture's file, by what it stands for. Nobody's.
PLANTED = {
    "the position": "N52-31-12-E13-24-18-kit",
    "the camera's serial number": "serial-0815-4711-kit",
    "the owner's name": "Olivia Owner-Kit",
    "the XMP packet": "xmp-of-the-kit-4f7e1c",
    "a comment": "taken at home, says the kit",
}

#: A picture this small still tells which way up it is, whatever a vendor's format did to its grain.
_SIDE = 64

#: What a file tells beside its pixels that decides how they look. Orientation is among the EXIF.
_COLOURS = ("icc_profile", "exif", "transparency", "compression")

_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def digest(data: bytes) -> str:
    """SHA-256: pictures are compared by it, so that no assertion prints one."""
    return hashlib.sha256(data).hexdigest()


@functools.lru_cache(64)
def turned(image: Image, orientation: int) -> Image:
    """The same picture as a phone stores it: turned, with the EXIF orientation that says so.

    Args:
        image: Any picture.
        orientation: 2-8, as EXIF counts: 6 and 8 of a camera that was held upright, one way or the
            other; 2, 4, 5 and 7 of one that shows its owner as a mirror does.
    """
    from PIL import ExifTags
    from PIL import Image as Pillow

    back = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }[orientation]
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return _written(image.to_pil().transpose(back), ImageFormat.JPEG, exif=exif, quality=95)


def jpeg_with_secrets(image: Image) -> Image:
    """The same picture as JPEG, with everything of `PLANTED` in its EXIF, XMP and comment."""
    comment = PLANTED["a comment"].encode()
    data = _written(
        image.to_pil(), ImageFormat.JPEG, exif=_exif(), comment=comment, quality=95
    ).data
    xmp = _XMP + PLANTED["the XMP packet"].encode()
    return Image.from_bytes(
        data[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + data[2:]
    )


def png_with_secrets(image: Image) -> Image:
    """The same picture as PNG, with everything of `PLANTED` in its EXIF and texts."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Comment", PLANTED["a comment"])
    texts.add_text("Author", PLANTED["the owner's name"], zip=True)
    texts.add_itxt("XML:com.adobe.xmp", PLANTED["the XMP packet"])
    return _written(image.to_pil(), ImageFormat.PNG, exif=_exif(), pnginfo=texts)


def _exif() -> PIL.Image.Exif:
    from PIL import ExifTags
    from PIL import Image as Pillow

    exif = Pillow.Exif()
    exif[ExifTags.Base.Artist] = PLANTED["the owner's name"]
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    camera[ExifTags.Base.BodySerialNumber] = PLANTED["the camera's serial number"]
    camera[ExifTags.Base.CameraOwnerName] = PLANTED["the owner's name"]
    position = exif.get_ifd(ExifTags.IFD.GPSInfo)
    position[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    position[ExifTags.GPS.GPSMapDatum] = PLANTED["the position"]
    return exif


def _written(picture: PIL.Image.Image, kind: ImageFormat, **how: Any) -> Image:
    buffer = io.BytesIO()
    picture.save(buffer, kind.value, **how)
    return Image.from_bytes(buffer.getvalue())


def secrets_in(data: bytes) -> Iterator[str]:
    """What of `PLANTED` can still be found in a picture's file: as it stands, or once it is read.

    A position counts also where only its numbers are left.
    """
    from PIL import ExifTags
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(data)) as opened:
        # A compressed text is none until it is read; in PNG it may follow the pixels.
        opened.load()
        exif = opened.getexif()
        camera = exif.get_ifd(ExifTags.IFD.Exif)
        told: list[bytes | str] = [data, *map(repr, (dict(opened.info), camera, exif))]
    for what, planted in PLANTED.items():
        if find_leaks(planted, *told):
            yield what
    if ExifTags.IFD.GPSInfo in exif:
        yield "the position's numbers"


def is_annotated(data: bytes) -> bool:
    """Whether a picture's file tells anything that nobody needs to see it, whoever wrote that."""
    from PIL import ExifTags
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(data)) as opened:
        opened.load()
        texts = [value for key, value in opened.info.items() if key not in _COLOURS]
        # In a TIFF everything is a tag, the pixels among it.
        tags = set() if opened.format == "TIFF" else set(opened.getexif())
    named = any(isinstance(value, (str, bytes, dict)) for value in texts)
    return named or bool(tags - {ExifTags.Base.Orientation})


def is_upright(data: bytes, meant: Image) -> bool:
    """Whether a picture that arrived shows `meant` the way up that it was taken.

    Of all turns and mirrors of what arrived, none may fit better than what a reader of it sees:
    so it may have been encoded anew, and made smaller.
    """
    from PIL import Image as Pillow

    wanted, seen = _small(meant), _small(Image.from_bytes(data))
    upright = _distance(wanted, seen)
    return all(upright <= _distance(wanted, seen.transpose(turn)) for turn in Pillow.Transpose)


def _small(image: Image) -> PIL.Image.Image:
    from PIL import Image as Pillow

    return image.to_pil().convert("L").resize((_SIDE, _SIDE), Pillow.Resampling.BOX)


def _distance(one: PIL.Image.Image, other: PIL.Image.Image) -> int:
    from PIL import ImageChops

    # Squares, so that a few far-off points weigh more than the noise of an encoder.
    apart = ImageChops.difference(one, other).histogram()
    return sum(count * by**2 for by, count in enumerate(apart))

"""Pictures for tests: of nobody, beyond a limit, as phones write them; and what became of one."""

from __future__ import annotations

import functools
import hashlib
import io
import math
import random
from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING, Any

from facematch_core import Image, ImageFormat
from facematch_core.backend import ImageLimits

from .leaks import find_leaks

if TYPE_CHECKING:
    import PIL.Image

#: Kinds of file that Pillow writes without an extra.
WRITABLE = (
    *(ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP),
    *(ImageFormat.TIFF, ImageFormat.GIF, ImageFormat.BMP),
)

#: Beyond these the core itself refuses a picture, whatever the vendor takes.
_MOST_BYTES, _MOST_PIXELS = 32 * 1024 * 1024, 64_000_000

#: Public domain and CC0; `photographs/README.md` beside them says where each is from.
PHOTOGRAPHS = ("eileen-collins", "grace-hopper", "grace-hopper-card", "no-face-cat")


@functools.cache
def noise(
    seed: int = 0, size: tuple[int, int] = (320, 320), kind: ImageFormat = ImageFormat.JPEG
) -> Image:
    """A picture of noise: for a vendor that is set to see something, and for nobody to be found in.

    Args:
        seed: Another seed, another picture.
        size: Width and height in pixels.
        kind: The kind of file; PNG is written without compression.
    """
    how: dict[str, Any] = {"compress_level": 0} if kind is ImageFormat.PNG else {}
    return drawn(size, kind, seed=seed, **how)


def drawn(
    size: tuple[int, int], kind: ImageFormat, *, seed: int | None = None, **how: Any
) -> Image:
    """A picture of noise, or of one colour without a seed, written as Pillow is asked."""
    from PIL import Image as Pillow

    if seed is None:
        return _written(Pillow.new("RGB", size, (90, 120, 150)), kind, **how)
    # S311: repeatable, and nothing is protected by it.
    data = random.Random(seed).randbytes(3 * size[0] * size[1])  # noqa: S311
    return _written(Pillow.frombytes("RGB", size, data), kind, **how)


def _written(picture: PIL.Image.Image, kind: ImageFormat, **how: Any) -> Image:
    if kind is ImageFormat.WEBP:
        # A lossy one is refused wherever nothing may be changed, whatever the backend takes.
        how.setdefault("lossless", True)
    buffer = io.BytesIO()
    picture.save(buffer, kind.value, **how)
    return Image.from_bytes(buffer.getvalue())


def photograph(name: str) -> Image:
    """One of the photographs that come with every installation, for engines that look at faces.

    Args:
        name: ``grace-hopper``; ``grace-hopper-card`` (her head from the same photograph, small and
            blurred, on a card); ``eileen-collins``; ``no-face-cat``.

    Raises:
        LookupError: there is none of that name.
    """
    if name not in PHOTOGRAPHS:
        raise LookupError(f"there is no photograph {name:.40}; there is {', '.join(PHOTOGRAPHS)}")
    folder = resources.files("facematch_core") / "cli" / "photographs"
    return Image.from_bytes((folder / f"{name}.jpg").read_bytes())


def pictures_beyond(limits: ImageLimits) -> dict[str, Image]:
    """Valid pictures that a vendor with `limits` refuses, by what is wrong with each.

    Args:
        limits: What the vendor takes.

    Returns:
        For each limit one picture a little beyond it (``bytes``, ``pixels``, ``side``), and one of
        each kind that is not taken (``format bmp``, for example); none for a limit that is not set,
        or that the core's own comes before.
    """
    side = max(64, limits.min_side_px)
    beyond = {
        f"format {kind.value}": noise(0, (side, side), kind)
        for kind in WRITABLE
        if kind not in limits.formats
    }
    allowed = next((kind for kind in WRITABLE if kind in limits.formats), None)
    if allowed is None:
        return beyond
    if limits.max_bytes is not None and limits.max_bytes < _MOST_BYTES // 2:
        # Uncompressed it is as large as it is meant to be.
        plain = ImageFormat.PNG if ImageFormat.PNG in limits.formats else allowed
        beyond["bytes"] = _heavier(limits.max_bytes, side, plain)
    if limits.max_pixels is not None and limits.max_pixels < _MOST_PIXELS // 2:
        longer = max(side, math.isqrt(limits.max_pixels) + 1)
        beyond["pixels"] = drawn((longer, longer), allowed)
    if limits.min_side_px > 1:
        beyond["side"] = drawn((limits.min_side_px - 1, limits.min_side_px + 1), allowed)
    return beyond


def _heavier(size_bytes: int, side: int, kind: ImageFormat) -> Image:
    """Noise, which does not shrink, grown until its file is a little larger than that."""
    # Three bytes a pixel in PNG; of the other kinds the first one shows how many it takes.
    side = max(side, math.isqrt(size_bytes // 3) + 1)
    while (picture := noise(0, (side, side), kind)).size_bytes <= size_bytes:
        side = math.isqrt(side * side * size_bytes // picture.size_bytes) + 1 + side // 100
    return picture


# --- As phones and cameras write them -------------------------------------------------------------

#: What is planted in a picture's file, by what it stands for. Nobody's.
PLANTED = {
    "the position": "N52-31-12-E13-24-18-kit",
    "the camera's serial number": "serial-0815-4711-kit",
    "the owner's name": "Olivia Owner-Kit",
    "the XMP packet": "xmp-of-the-kit-4f7e1c",
    "a comment": "taken at home, says the kit",
}

#: A picture this small still shows which way up it is, whatever a vendor's format did to its grain.
_SIDE = 64

#: What a file holds beside its pixels that decides how they look. Orientation is among the EXIF.
_COLOURS = ("icc_profile", "exif", "transparency", "compression")


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
    comment, xmp = (PLANTED[what].encode() for what in ("a comment", "the XMP packet"))
    how: dict[str, Any] = {"exif": _exif(), "comment": comment, "xmp": xmp, "quality": 95}
    return _written(image.to_pil(), ImageFormat.JPEG, **how)


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


# --- What became of one ---------------------------------------------------------------------------


def secrets_in(data: bytes) -> Iterator[str]:
    """What of `PLANTED` can still be found in a picture's file: as it stands, or once it is read.

    A position counts also where only its numbers are left; and so does whatever else the file holds
    that nobody needs to see it, whoever wrote that.
    """
    from PIL import ExifTags
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(data)) as opened:
        # A compressed text is none until it is read; in PNG it may follow the pixels.
        opened.load()
        exif = opened.getexif()
        info = dict(opened.info)
        # In a TIFF everything is a tag, the pixels among it.
        tags = set() if opened.format == "TIFF" else set(exif)
    read: list[bytes | str] = [data, *map(repr, (info, exif.get_ifd(ExifTags.IFD.Exif), exif))]
    for what, planted in PLANTED.items():
        if find_leaks(planted, *read):
            yield what
    if ExifTags.IFD.GPSInfo in exif:
        yield "the position's numbers"
    texts = [value for key, value in info.items() if key not in _COLOURS]
    if tags - {ExifTags.Base.Orientation} or any(isinstance(t, (str, bytes, dict)) for t in texts):
        yield "a note of its sender"


def is_upright(data: bytes, meant: Image) -> bool:
    """Whether a picture that arrived shows `meant` the way up that it was taken.

    Of all turns and mirrors of what arrived, none may fit better than what a reader of it sees:
    so it may have been encoded anew, and made smaller.
    """
    from PIL import Image as Pillow
    from PIL import ImageChops, ImageStat

    wanted, seen = (
        picture.to_pil().convert("L").resize((_SIDE, _SIDE), Pillow.Resampling.BOX)
        for picture in (meant, Image.from_bytes(data))
    )

    def apart(picture: PIL.Image.Image) -> float:
        # Squares, so that a few far-off points weigh more than the noise of an encoder.
        return ImageStat.Stat(ImageChops.difference(wanted, picture)).sum2[0]

    return all(apart(seen) <= apart(seen.transpose(turn)) for turn in Pillow.Transpose)

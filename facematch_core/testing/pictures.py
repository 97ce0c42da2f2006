"""Pictures for tests: noise, photographs, pictures beyond a limit, and rotated pictures."""

from __future__ import annotations

import functools
import io
import math
import random
import struct
import zlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from facematch_core import Image
from facematch_core.backend import ImageFormat, ImageLimits

if TYPE_CHECKING:
    import PIL.Image

#: File formats that Pillow writes without an extra.
WRITABLE = tuple(map(ImageFormat, ("jpeg", "png", "webp", "tiff", "gif", "bmp")))
#: The core rejects pictures with more bytes, whatever the vendor accepts.
_CORE_MAX_BYTES = 32 * 1024 * 1024
#: Some file formats cannot store a longer side.
_MAX_STORABLE_SIDE_PX = 16_000
#: Bundled photographs (public domain or CC0); the `README.md` in their folder lists the sources.
PHOTOGRAPHS = ("eileen-collins", "grace-hopper", "grace-hopper-card", "no-face-cat")


@functools.lru_cache(64)
def noise(
    seed: int = 0, size: tuple[int, int] = (320, 320), file_format: ImageFormat = ImageFormat.JPEG
) -> Image:
    """Return a picture of noise, without a face, for a simulator with a scripted result.

    Args:
        seed: A different seed gives a different picture.
        size: Width and height in pixels.
        file_format: JPEG by default; PNG is written without compression.
    """
    from PIL import Image as Pillow

    # S311: a repeatable picture, not a secret.
    width, height = size
    data = random.Random(seed).randbytes(3 * width * height)  # noqa: S311
    if file_format is ImageFormat.PNG:
        return Image.from_bytes(_write_png(data, width, height))
    return _encode(Pillow.frombytes("RGB", size, data), file_format)


def _write_png(rgb: bytes, width: int, height: int) -> bytes:
    """Return a PNG file without compression.

    Pillow would try the five filters of PNG on each row, which takes six times as long.
    """
    eight_bit_rgb = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    row_starts = range(0, len(rgb), 3 * width)
    # Each row begins with its filter: none.
    rows = b"".join(b"\0" + rgb[start : start + 3 * width] for start in row_starts)
    chunks = {b"IHDR": eight_bit_rgb, b"IDAT": zlib.compress(rows, level=0), b"IEND": b""}
    file = [b"\x89PNG\r\n\x1a\n"]
    for name, content in chunks.items():
        checksum = zlib.crc32(name + content)
        file.append(struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum))
    return b"".join(file)


def _plain_area(width: int, height: int, file_format: ImageFormat) -> Image:
    """Return a picture of one colour, whose file is small."""
    from PIL import Image as Pillow

    return _encode(Pillow.new("RGB", (width, height), (90, 120, 150)), file_format)


def _encode(picture: PIL.Image.Image, file_format: ImageFormat, **pillow_options: Any) -> Image:
    if file_format is ImageFormat.WEBP:
        # A lossy file may need re-encoding, which `fit=False` forbids.
        pillow_options.setdefault("lossless", True)
    buffer = io.BytesIO()
    picture.save(buffer, file_format.value, **pillow_options)
    return Image.from_bytes(buffer.getvalue())


def photograph(name: str) -> Image:
    """Return a bundled photograph, for engines that need real faces.

    Args:
        name: ``grace-hopper``; ``grace-hopper-card`` (her head from the same photograph, small and
            blurred, on a card); ``eileen-collins``; ``no-face-cat``.

    Raises:
        LookupError: no photograph has this name.
    """
    if name not in PHOTOGRAPHS:
        raise LookupError(f"Unknown photograph {name!r:.40}: use {', '.join(PHOTOGRAPHS)}.")
    folder = resources.files("facematch_core") / "cli" / "photographs"
    return Image.from_bytes((folder / f"{name}.jpg").read_bytes())


def pictures_beyond(limits: ImageLimits) -> dict[str, Image]:
    """Return valid pictures that a vendor with `limits` rejects, keyed by the violated limit.

    There is one picture slightly beyond each limit (``bytes``, ``few bytes``, ``side``, ``long
    side``), and one of each format that is not accepted (``format bmp``, for example). A limit that
    is not set, or not stricter than the core's own, has no picture.
    """
    side_px = max(64, limits.min_side_px)
    beyond = {}
    for file_format in WRITABLE:
        if file_format not in limits.formats:
            beyond[f"format {file_format.value}"] = noise(0, (side_px, side_px), file_format)
    size_format = _format_for_sizes(limits)
    if size_format is None:
        return beyond
    if limits.max_bytes is not None and limits.max_bytes < _CORE_MAX_BYTES // 2:
        beyond["bytes"] = _larger_file(limits.max_bytes, side_px, size_format)
    smaller = _smaller_file(limits.min_bytes, limits.min_side_px, size_format)
    if smaller is not None:
        beyond["few bytes"] = smaller
    if limits.min_side_px > 1:
        beyond["side"] = _plain_area(limits.min_side_px - 1, limits.min_side_px + 1, size_format)
    if limits.max_side_px is not None and limits.max_side_px < _MAX_STORABLE_SIDE_PX:
        longer_px = limits.max_side_px + 1
        beyond["long side"] = _plain_area(longer_px, limits.min_side_px, size_format)
    return beyond


def pictures_within(limits: ImageLimits) -> dict[str, Image]:
    """Return pictures that a vendor with `limits` accepts, keyed by the tested limit or format."""
    side_px = max(64, limits.min_side_px)
    within = {}
    for file_format in WRITABLE:
        if file_format in limits.formats:
            within[f"format {file_format.value}"] = noise(0, (side_px, side_px), file_format)
    size_format = _format_for_sizes(limits)
    if size_format is None:
        return within
    within["few bytes"] = _plain_area(side_px, side_px, size_format)
    if within["few bytes"].size_bytes < limits.min_bytes:
        within["few bytes"] = _larger_file(limits.min_bytes, 1, size_format)
    # Without a limit, the vendor accepts whatever the core sends.
    max_bytes = min(limits.max_bytes or _CORE_MAX_BYTES, _CORE_MAX_BYTES // 2)
    largest = _smaller_file(max_bytes + 1, limits.min_side_px, size_format)
    if largest is not None:
        within["bytes"] = largest
    if limits.max_side_px is not None and limits.max_side_px < _MAX_STORABLE_SIDE_PX:
        within["long side"] = noise(0, (limits.max_side_px, side_px), size_format)
    return within


def _format_for_sizes(limits: ImageLimits) -> ImageFormat | None:
    """Return the accepted format in which a file gets the intended size, or None if none fits.

    PNG is written without compression.
    """
    if ImageFormat.PNG in limits.formats:
        return ImageFormat.PNG
    accepted = [file_format for file_format in WRITABLE if file_format in limits.formats]
    return accepted[0] if accepted else None


def _larger_file(size_bytes: int, min_side_px: int, file_format: ImageFormat) -> Image:
    """Return incompressible noise with a file slightly larger than `size_bytes`."""
    # PNG needs three bytes per pixel; for other formats, the first picture shows the size.
    side_px = max(min_side_px, math.isqrt(size_bytes // 3) + 1)
    picture = noise(0, (side_px, side_px), file_format)
    while picture.size_bytes <= size_bytes:
        wanted_pixels = side_px * side_px * size_bytes // picture.size_bytes
        side_px = math.isqrt(wanted_pixels) + 1 + side_px // 100
        picture = noise(0, (side_px, side_px), file_format)
    return picture


def _smaller_file(size_bytes: int, min_side_px: int, file_format: ImageFormat) -> Image | None:
    """Return the largest square of noise with a file smaller than `size_bytes`, or None."""
    max_side_px = max(min_side_px, math.isqrt(size_bytes // 3))
    for side_px in range(max_side_px, min_side_px - 1, -1):
        picture = noise(0, (side_px, side_px), file_format)
        if picture.size_bytes < size_bytes:
            return picture
    return None


@functools.lru_cache(64)
def turn(image: Image, orientation: int) -> Image:
    """Return the picture as a phone stores it: rotated, with the EXIF orientation (2 to 8)."""
    from PIL import ExifTags
    from PIL import Image as Pillow

    # How the pixels of an upright picture are stored in each EXIF orientation, starting at 2.
    names = "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_90 TRANSVERSE ROTATE_270"
    transposition = Pillow.Transpose[names.split()[orientation - 2]]
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    rotated = image.to_pil().transpose(transposition)
    return _encode(rotated, ImageFormat.JPEG, exif=exif, quality=95)


def add_note(image: Image) -> Image:
    """Return the picture as PNG with a text chunk, so that its bytes differ."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    chunks.add_text("Comment", "Written by the test kit.")
    return _encode(image.to_pil(), ImageFormat.PNG, pnginfo=chunks, compress_level=1)

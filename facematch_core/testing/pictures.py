"""Pictures for tests: noise, photographs, pictures beyond a limit, and rotated pictures."""

from __future__ import annotations

import functools
import io
import math
import random
from importlib import resources
from typing import TYPE_CHECKING, Any

from facematch_core import Image
from facematch_core.backend import ImageFormat, ImageLimits

if TYPE_CHECKING:
    import PIL.Image

#: File formats that Pillow writes without an extra.
WRITABLE = tuple(map(ImageFormat, ("jpeg", "png", "webp", "tiff", "gif", "bmp")))
#: The core rejects pictures with more bytes or pixels, whatever the vendor accepts. Some file
#: formats cannot store a longer side.
_MOST_BYTES, _MOST_PIXELS, _LONGEST = 32 * 1024 * 1024, 64_000_000, 16_000
#: Bundled photographs (public domain or CC0); the `README.md` in their folder lists the sources.
PHOTOGRAPHS = ("eileen-collins", "grace-hopper", "grace-hopper-card", "no-face-cat")


@functools.lru_cache(64)
def noise(
    seed: int = 0, size: tuple[int, int] = (320, 320), kind: ImageFormat = ImageFormat.JPEG
) -> Image:
    """Return a picture of noise, without a face, for a simulator with a scripted result.

    Args:
        seed: A different seed gives a different picture.
        size: Width and height in pixels.
        kind: File format; PNG is written without compression.
    """
    from PIL import Image as Pillow

    # S311: a repeatable picture, not a secret.
    data = random.Random(seed).randbytes(3 * size[0] * size[1])  # noqa: S311
    how: dict[str, Any] = {"compress_level": 0} if kind is ImageFormat.PNG else {}
    return _write(Pillow.frombytes("RGB", size, data), kind, **how)


def _fill(width: int, height: int, kind: ImageFormat) -> Image:
    from PIL import Image as Pillow

    return _write(Pillow.new("RGB", (width, height), (90, 120, 150)), kind)


def _write(picture: PIL.Image.Image, kind: ImageFormat, **how: Any) -> Image:
    if kind is ImageFormat.WEBP:
        # A lossy file may need re-encoding, which `fit=False` forbids.
        how.setdefault("lossless", True)
    buffer = io.BytesIO()
    picture.save(buffer, kind.value, **how)
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

    There is one picture slightly beyond each limit (``bytes``, ``few bytes``, ``pixels``, ``side``,
    ``long side``), and one of each format that is not accepted (``format bmp``, for example). A
    limit that is not set, or not stricter than the core's own, has no picture.
    """
    side, least = max(64, limits.min_side_px), limits.min_side_px
    kinds = [kind for kind in WRITABLE if kind in limits.formats]
    others = [kind for kind in WRITABLE if kind not in kinds]
    beyond = {f"format {kind.value}": noise(0, (side, side), kind) for kind in others}
    if not kinds:
        return beyond
    # Uncompressed, so that the file has the intended size.
    plain = ImageFormat.PNG if ImageFormat.PNG in kinds else kinds[0]
    if (limits.max_bytes or _MOST_BYTES) < _MOST_BYTES // 2:
        beyond["bytes"] = _larger_file(limits.max_bytes or 0, side, plain)
    if light := _smaller_file(limits.min_bytes, least, plain):
        beyond["few bytes"] = light
    if (limits.max_pixels or _MOST_PIXELS) < _MOST_PIXELS // 2:
        longer = max(side, math.isqrt(limits.max_pixels or 0) + 1)
        beyond["pixels"] = _fill(longer, longer, plain)
    if least > 1:
        beyond["side"] = _fill(least - 1, least + 1, plain)
    if (limits.max_side_px or _LONGEST) < _LONGEST:
        beyond["long side"] = _fill((limits.max_side_px or 0) + 1, least, plain)
    return beyond


def pictures_within(limits: ImageLimits) -> dict[str, Image]:
    """Return pictures that a vendor with `limits` accepts, keyed by the tested limit or format."""
    side = max(64, limits.min_side_px)
    kinds = [kind for kind in WRITABLE if kind in limits.formats]
    within = {f"format {kind.value}": noise(0, (side, side), kind) for kind in kinds}
    if not kinds:
        return within
    plain = ImageFormat.PNG if ImageFormat.PNG in kinds else kinds[0]
    light = _fill(side, side, plain)
    is_light = light.size_bytes < limits.min_bytes
    within["few bytes"] = _larger_file(limits.min_bytes, 1, plain) if is_light else light
    # Without a limit, the vendor accepts whatever the core sends.
    most = min(limits.max_bytes or _MOST_BYTES, _MOST_BYTES // 2)
    if picture := _smaller_file(most + 1, limits.min_side_px, plain):
        within["bytes"] = picture
    if limits.max_side_px is not None and limits.max_side_px < _LONGEST:
        within["long side"] = noise(0, (limits.max_side_px, side), plain)
    return within


def _larger_file(size_bytes: int, side: int, kind: ImageFormat) -> Image:
    """Return incompressible noise with a file slightly larger than `size_bytes`."""
    # PNG needs three bytes per pixel; for other formats, the first picture shows the size.
    side = max(side, math.isqrt(size_bytes // 3) + 1)
    while (picture := noise(0, (side, side), kind)).size_bytes <= size_bytes:
        side = math.isqrt(side * side * size_bytes // picture.size_bytes) + 1 + side // 100
    return picture


def _smaller_file(size_bytes: int, least_px: int, kind: ImageFormat) -> Image | None:
    """Return the largest square of noise with a file smaller than `size_bytes`, or None."""
    sides = range(max(least_px, math.isqrt(size_bytes // 3)), least_px - 1, -1)
    pictures = (noise(0, (side, side), kind) for side in sides)
    return next((picture for picture in pictures if picture.size_bytes < size_bytes), None)


@functools.lru_cache(64)
def turn(image: Image, orientation: int) -> Image:
    """Return the picture as a phone stores it: rotated, with the EXIF orientation."""
    from PIL import ExifTags
    from PIL import Image as Pillow

    # The transposition of each EXIF orientation, starting at 2.
    turns = "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_90 TRANSVERSE ROTATE_270"
    back = Pillow.Transpose[turns.split()[orientation - 2]]
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return _write(image.to_pil().transpose(back), ImageFormat.JPEG, exif=exif, quality=95)


def add_note(image: Image) -> Image:
    """Return the picture as PNG with a text chunk, so that its bytes differ."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Comment", "Written by the test kit.")
    return _write(image.to_pil(), ImageFormat.PNG, pnginfo=texts, compress_level=1)

"""Pictures for tests: valid, of nobody, the same on every machine."""

from __future__ import annotations

import functools
import io
import math
import random
from typing import Any

from facematch_core import Image, ImageFormat
from facematch_core.backend import ImageLimits

#: Kinds of file that Pillow writes without an extra.
_WRITABLE = (
    ImageFormat.JPEG,
    ImageFormat.PNG,
    ImageFormat.WEBP,
    ImageFormat.BMP,
    ImageFormat.GIF,
    ImageFormat.TIFF,
)

#: Beyond these the core itself refuses a picture, whatever the vendor takes.
_MOST_BYTES, _MOST_PIXELS = 32 * 1024 * 1024, 64_000_000


@functools.cache
def noise(
    seed: int = 0, size: tuple[int, int] = (320, 320), kind: ImageFormat = ImageFormat.JPEG
) -> Image:
    """A picture of noise: for a vendor that is told what to see, and for nobody to be found in.

    Args:
        seed: Another seed, another picture.
        size: Width and height in pixels.
        kind: The kind of file; PNG is written without compression.
    """
    from PIL import Image as Pillow

    width, height = size
    # S311: repeatable, and nothing is protected by it.
    data = random.Random(seed).randbytes(3 * width * height)  # noqa: S311
    return _encoded(Pillow.frombytes("RGB", size, data), kind)


def _encoded(picture: Any, kind: ImageFormat) -> Image:
    how: dict[str, Any] = {ImageFormat.PNG: {"compress_level": 0}}.get(kind, {})
    buffer = io.BytesIO()
    picture.save(buffer, kind.value, **how)
    return Image.from_bytes(buffer.getvalue())


def pictures_beyond(limits: ImageLimits) -> dict[str, Image]:
    """Valid pictures that a vendor with `limits` refuses, by what is wrong with each.

    Args:
        limits: What the vendor takes.

    Returns:
        For each limit one picture a little beyond it (``bytes``, ``pixels``, ``side``), and one of
        each kind that is not taken (``format bmp``, for example); none for a limit that is not set,
        or that the core's own comes before.
    """
    allowed = next((kind for kind in _WRITABLE if kind in limits.formats), None)
    side = max(64, limits.min_side_px)
    beyond = {
        f"format {kind.value}": noise(0, (side, side), kind)
        for kind in _WRITABLE
        if kind not in limits.formats
    }
    if allowed is None:
        return beyond
    if limits.max_bytes is not None and limits.max_bytes < _MOST_BYTES // 2:
        # Uncompressed it is as large as it is meant to be.
        plain = ImageFormat.PNG if ImageFormat.PNG in limits.formats else allowed
        beyond["bytes"] = _heavier(limits.max_bytes, side, plain)
    if limits.max_pixels is not None and limits.max_pixels < _MOST_PIXELS // 2:
        longer = max(side, math.isqrt(limits.max_pixels) + 1)
        beyond["pixels"] = _plain((longer, longer), allowed)
    if limits.min_side_px > 1:
        beyond["side"] = _plain((limits.min_side_px - 1, limits.min_side_px + 1), allowed)
    return beyond


def _heavier(size_bytes: int, side: int, kind: ImageFormat) -> Image:
    """Noise, which does not shrink, grown until its file is a little larger than that."""
    # Three bytes a pixel in PNG; of the other kinds the first one tells how many it takes.
    side = max(side, math.isqrt(size_bytes // 3) + 1)
    while (picture := noise(0, (side, side), kind)).size_bytes <= size_bytes:
        side = math.isqrt(side * side * size_bytes // picture.size_bytes) + 1 + side // 100
    return picture


def _plain(size: tuple[int, int], kind: ImageFormat) -> Image:
    from PIL import Image as Pillow

    return _encoded(Pillow.new("RGB", size, (90, 120, 150)), kind)

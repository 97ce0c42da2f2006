"""Making a picture smaller until a vendor takes it: first in quality, then in size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ._encode import LOSSY, MAX_SIDES, TARGETS, encode
from ._formats import MAX_FILE_BYTES, ImageFormat
from ._limits import ImageLimits
from ._refusal import Refusal

if TYPE_CHECKING:
    import PIL.Image

#: From the best to the least that is tried before pixels are given up. Faces stay recognisable
#: at 75; below that, fewer pixels do less harm than stronger compression.
_QUALITIES = (95, 90, 85, 80, 75)
#: Each smaller size is at most this part of the last one, so that the loop ends soon.
_STEP = 0.9
#: Size in bytes grows a little slower than the number of pixels: aim below the limit.
_MARGIN = 0.98


def fit(picture: PIL.Image.Image, limits: ImageLimits) -> bytes:
    """Encode an upright RGB picture so that it is within the limits. It is never enlarged.

    The same picture and limits always give the same bytes.

    Raises:
        Refusal: there is no such way.
    """
    target = next((form for form in TARGETS if form in limits.formats), None)
    if target is None:
        raise Refusal(f"has to be encoded anew, but none of {limits.names} can be written")
    max_bytes = min(limits.max_bytes or MAX_FILE_BYTES, MAX_FILE_BYTES)
    if len(picture.info.get("icc_profile", b"")) > max_bytes // 4:
        # Large profiles belong to printers; the face needs the room more.
        picture = picture.copy()
        picture.info = {}
    size = _first_size(picture.size, limits, target)
    while min(size) >= limits.min_side_px:
        data = _best(_resized(picture, size), target, max_bytes)
        if len(data) <= max_bytes:
            return data
        factor = min(_STEP, _MARGIN * math.sqrt(max_bytes / len(data)))
        smaller = _scaled(size, factor)
        if smaller == size:
            break
        size = smaller
    raise Refusal(
        f"cannot be brought within {_told(limits, max_bytes)} without its shorter side falling "
        f"below {limits.min_side_px} pixels; take another picture"
    )


def _best(picture: PIL.Image.Image, form: ImageFormat, max_bytes: int) -> bytes:
    """The best quality that is within the limit; else the least, which is beyond it."""
    data = encode(picture, form, _QUALITIES[0])
    if form not in LOSSY or len(data) <= max_bytes:
        return data
    # The least quality first: if that is too large, none of those between needs a try.
    least = encode(picture, form, _QUALITIES[-1])
    if len(least) > max_bytes:
        return least
    for quality in _QUALITIES[1:-1]:
        data = encode(picture, form, quality)
        if len(data) <= max_bytes:
            return data
    return least


def _first_size(size: tuple[int, int], limits: ImageLimits, form: ImageFormat) -> tuple[int, int]:
    """The largest size of this shape that the limits and the encoder allow, in pixels."""
    factor = min(1.0, MAX_SIDES.get(form, max(size)) / max(size))
    if limits.max_pixels is not None:
        factor = min(factor, math.sqrt(limits.max_pixels / (size[0] * size[1])))
    size = _scaled(size, factor)
    if limits.max_pixels is not None and size[0] * size[1] > limits.max_pixels:
        # Only where the shorter side cannot shrink below one pixel.
        longest = limits.max_pixels // min(size)
        size = min(size[0], longest), min(size[1], longest)
    return size


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, int(size[0] * factor)), max(1, int(size[1] * factor))


def _resized(picture: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
    if size == picture.size:
        return picture
    from PIL.Image import Resampling

    smaller = picture.resize(size, Resampling.LANCZOS, reducing_gap=3.0)
    smaller.info = dict(picture.info)
    return smaller


def _told(limits: ImageLimits, max_bytes: int) -> str:
    pixels = f" and {limits.max_pixels} pixels" if limits.max_pixels is not None else ""
    return f"{max_bytes} bytes{pixels}"

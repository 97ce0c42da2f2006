"""Pictures of nobody: small, valid, of the kinds that a vendor takes."""

from __future__ import annotations

import io
import random
from collections.abc import Collection
from typing import Any

from hypothesis import strategies as st

from facematch_core import Image, ImageFormat
from facematch_core.backend import ImageLimits

#: Kinds of file that Pillow writes without an extra, and those of them that can carry EXIF.
WRITABLE = (
    *(ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP),
    *(ImageFormat.TIFF, ImageFormat.GIF, ImageFormat.BMP),
)
WITH_EXIF = (ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF)

#: Tags of EXIF.
_DESCRIPTION, _ORIENTATION, _COMMENT, _EXIF = 0x010E, 0x0112, 0x9286, 0x8769


def images(
    limits: ImageLimits | None = None,
    *,
    formats: Collection[ImageFormat] | None = None,
    most_side_px: int = 64,
    orientations: Collection[int] = (1,),
    hidden: str | None = None,
) -> st.SearchStrategy[Image]:
    """Valid pictures of noise or of one colour, which show nobody; one takes about a millisecond.

    Args:
        limits: What a vendor takes: every picture lies within it, and is sent as it is, apart from
            kinds of file whose metadata goes only by encoding anew (TIFF). None for those that
            nearly every vendor takes.
        formats: Kinds of file; None for all in `limits`.
        most_side_px: Most pixels of the longer side, unless `limits` want more.
        orientations: EXIF orientations (1-8) to be had. With another one than 1 the pixels are
            to be turned, and such a picture is of a kind that can say so.
        hidden: A text to hide in the metadata, at least 1 character; nobody but the caller may ever
            see it.

    Raises:
        ValueError: no such picture can be made.
    """
    if limits is None:
        limits = ImageLimits() if formats is None else ImageLimits(formats=frozenset(formats))
    turns = sorted(orientations)
    if not turns or not set(turns) <= set(range(1, 9)):
        raise ValueError("orientations must be numbers from 1 to 8, at least one of them.")
    able = WRITABLE if hidden is None and turns == [1] else WITH_EXIF
    wanted = limits.formats if formats is None else limits.formats & set(formats)
    exif = {turn: _exif(turn, hidden) for turn in turns}
    least = limits.min_side_px
    kinds = [
        kind
        for kind in able
        if kind in wanted
        and all(_fits(limits, _encoded(kind, (least, least), None, one)) for one in exif.values())
    ]
    if not kinds:
        raise ValueError(
            f"No such picture can be made: of {', '.join(sorted(wanted)) or 'no kind'}, images() "
            f"writes {', '.join(able)}, and none of {least} pixels a side fits the limits."
        )
    return _images(limits, kinds, max(least, most_side_px), exif)


@st.composite
def _images(
    draw: st.DrawFn,
    limits: ImageLimits,
    kinds: list[ImageFormat],
    most: int,
    exif: dict[int, bytes | None],
) -> Image:
    kind = draw(st.sampled_from(kinds))
    least = limits.min_side_px
    room = most * most if limits.max_pixels is None else limits.max_pixels
    width = draw(st.integers(least, min(most, room // least)))
    height = draw(st.integers(least, min(most, room // width)))
    metadata = exif[draw(st.sampled_from(sorted(exif)))]
    seed = draw(st.none() | st.integers(0, 2**32 - 1))
    # The last one fits: `images` has tried it.
    tries = (((width, height), seed), ((width, height), None), ((least, least), None))
    files = (_encoded(kind, size, noise, metadata) for size, noise in tries)
    return next(image for image in files if _fits(limits, image))


def _fits(limits: ImageLimits, image: Image) -> bool:
    return limits.max_bytes is None or image.size_bytes <= limits.max_bytes


def _encoded(
    kind: ImageFormat, size: tuple[int, int], seed: int | None, exif: bytes | None
) -> Image:
    """A picture of noise, or of one colour without a seed."""
    from PIL import Image as Pillow

    if seed is None:
        picture = Pillow.new("RGB", size, (90, 120, 150))
    else:
        # S311: repeatable, and nothing is protected by it.
        noise = random.Random(seed).randbytes(3 * size[0] * size[1])  # noqa: S311
        picture = Pillow.frombytes("RGB", size, noise)
    how: dict[str, Any] = {} if exif is None else {"exif": exif}
    buffer = io.BytesIO()
    picture.save(buffer, kind.value, **how)
    return Image.from_bytes(buffer.getvalue())


def _exif(orientation: int, hidden: str | None) -> bytes | None:
    if orientation == 1 and hidden is None:
        return None
    from PIL import Image as Pillow

    block = Pillow.Exif()
    block[_ORIENTATION] = orientation
    if hidden is not None:
        block[_DESCRIPTION] = hidden
        block.get_ifd(_EXIF)[_COMMENT] = hidden.encode()
    return block.tobytes()

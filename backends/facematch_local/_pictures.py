"""From the bytes of a picture to the pixels that the engine looks at."""

from __future__ import annotations

import io
import struct

import attrs
from PIL import ExifTags, Image, ImageOps

from facematch_core.errors import InvalidImage

#: Longest side in pixels of the picture that faces are cut from. A chip has 150 pixels, so more
#: would add time and memory and no detail.
WORKING_SIDE = 1024

#: What Pillow's readers raise for damaged files of one format or another.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError),
    *(struct.error, Image.DecompressionBombError),
)

#: How Pillow names our turns: it counts them the other way round.
_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@attrs.frozen(eq=False)
class Picture:
    """A decoded picture, upright: `size` is its full one, that of `pixels` at most 1024."""

    pixels: Image.Image
    size: tuple[int, int]

    def turn(self, angle: int) -> Picture:
        """The picture turned by 0, 90, 180 or 270 degrees clockwise."""
        size = self.size[::-1] if angle in (90, 270) else self.size
        return Picture(turn(self.pixels, angle), size)


def turn(pixels: Image.Image, angle: int) -> Image.Image:
    """Pixels turned by 0, 90, 180 or 270 degrees clockwise."""
    return pixels.transpose(_CLOCKWISE[angle]) if angle else pixels


def shrink(pixels: Image.Image, side: int) -> Image.Image:
    """Pixels with no side above `side`; the same object if that is so already."""
    if max(pixels.size) <= side:
        return pixels
    copy = pixels.copy()
    # Good enough to find a face in, not to cut one out of: averaging boxes of pixels takes a third
    # of the time of Pillow's default, and the detector sees as much.
    copy.thumbnail((side, side), Image.Resampling.BOX)
    return copy


def decode(data: bytes) -> Picture:
    """A picture, of an animation the first frame, upright by its EXIF orientation."""
    # Without that turn no face at all is found in a photograph that lies on its side.
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = image.size
            if image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8):
                size = size[::-1]
            # A JPEG is decoded straight to a half, a quarter or an eighth of its size.
            image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _as_rgb(image)
            pixels.thumbnail((WORKING_SIDE, WORKING_SIDE))
    except _DAMAGE as error:
        what = type(error).__name__
    else:
        return Picture(pixels, size)
    # Outside the except block: the frames of Pillow's error hold the picture.
    del data
    raise InvalidImage(f"The picture cannot be decoded ({what}).")


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "P" and "transparency" in image.info:
        # Straight to RGB, Pillow warns about a palette with transparency.
        image = image.convert("RGBA")
    elif image.mode.startswith("I;16"):
        # Straight to RGB, Pillow clips 16 bits to 8, which leaves hardly anything but white.
        image = image.convert("I").point(lambda shade: shade * (1 / 257))
    return image.convert("RGB")

"""Draw the photos for the demo's report: cropped to the only face, or whole with face boxes."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageOps

from facematch_core.models import Box, Face

#: Colours of the largest face's box, of other boxes, and of every box's outline. The outline keeps
#: boxes visible on bright and dark backgrounds.
HIGHLIGHT = "#ffd400"
OTHER = "#ffffff"
EDGE = "#1b1b1b"

#: Left, top, right and bottom in pixels.
PixelBox = tuple[int, int, int, int]


def portrait(
    picture: Image.Image, faces: Sequence[Face] | None, size: tuple[int, int]
) -> Image.Image:
    """Crop the picture to its face if it has only one; otherwise draw a box around each face.

    Args:
        picture: The picture.
        faces: Its faces; None if they are not known.
        size: The largest width and height of the drawn picture.
    """
    picture = picture.convert("RGB")
    boxes = [face.box for face in faces or () if face.box]
    pixel_boxes = boxes_in_pixels(boxes, picture.size)
    if len(pixel_boxes) == 1:
        (face,) = pixel_boxes
        return _crop(picture, face, size)
    drawn = ImageOps.contain(picture, size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(drawn)
    colour = OTHER
    line_width = 2
    pixel_boxes = boxes_in_pixels(boxes, drawn.size)
    for number, (left, top, right, bottom) in enumerate(pixel_boxes, 1):
        if number == len(pixel_boxes):  # the largest face
            colour = HIGHLIGHT
            line_width = 5
        draw.rectangle((left, top, right, bottom), outline=EDGE, width=line_width + 2)
        if left + 1 < right - 1 and top + 1 < bottom - 1:
            inner = (left + 1, top + 1, right - 1, bottom - 1)
            draw.rectangle(inner, outline=colour, width=line_width)
    return drawn


def _crop(picture: Image.Image, face: PixelBox, size: tuple[int, int]) -> Image.Image:
    """Return a portrait of the face, with the proportions of `size`."""
    left, top, right, bottom = face
    largest_width, largest_height = size
    face_height = bottom - top
    # Add a margin for hair and shoulders, because a detector's box ends at the eyebrows.
    height = min(1.85 * face_height, picture.height, picture.width * largest_height / largest_width)
    width = height * largest_width / largest_height
    x = min(max(0, (left + right) / 2 - width / 2), picture.width - width)
    y = min(max(0, top - 0.5 * face_height), picture.height - height)
    cropped = picture.crop((round(x), round(y), round(x + width), round(y + height)))
    cropped.thumbnail(size, Image.Resampling.LANCZOS)
    return cropped


def boxes_in_pixels(boxes: Sequence[Box], size: tuple[int, int]) -> list[PixelBox]:
    """Convert boxes to pixels in a picture of this size; return them smallest first."""
    width, height = size
    pixel_boxes = []
    for box in boxes:
        # A box may refer to another size of the same picture.
        x_scale = width / (box.of_width or width)
        y_scale = height / (box.of_height or height)
        left = max(0, round(box.left * x_scale))
        top = max(0, round(box.top * y_scale))
        right = min(width, round(box.right * x_scale)) - 1
        bottom = min(height, round(box.bottom * y_scale)) - 1
        if left < right and top < bottom:
            pixel_boxes.append((left, top, right, bottom))
    return sorted(pixel_boxes, key=_area)


def _area(box: PixelBox) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)

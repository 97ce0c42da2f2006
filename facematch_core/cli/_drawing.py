"""Draw the photos for the demo's report: cropped to the only face, or whole with face boxes."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageOps

from facematch_core.models import Box, Face

#: Colours of the largest face's box, of other boxes, and of every box's outline. The outline keeps
#: boxes visible on bright and dark backgrounds.
HIGHLIGHT, OTHER, EDGE = "#ffd400", "#ffffff", "#1b1b1b"

#: Left, top, right and bottom in pixels.
Place = tuple[int, int, int, int]


def portrait(
    picture: Image.Image, faces: Sequence[Face] | None, size: tuple[int, int]
) -> Image.Image:
    """Crop the picture to its face if it has only one; otherwise draw a box around each face."""
    boxes, picture = [face.box for face in faces or () if face.box], picture.convert("RGB")
    placed = places(boxes, picture.size)
    if len(placed) == 1:
        ((left, top, right, bottom),) = placed
        # Add a margin for hair and shoulders, because a detector's box ends at the eyebrows.
        middle, above = (left + right) / 2, top - 0.5 * (bottom - top)
        high = min(1.85 * (bottom - top), picture.height, picture.width * size[1] / size[0])
        wide = high * size[0] / size[1]
        x = min(max(0, middle - wide / 2), picture.width - wide)
        y = min(max(0, above), picture.height - high)
        face = picture.crop((round(x), round(y), round(x + wide), round(y + high)))
        face.thumbnail(size, Image.Resampling.LANCZOS)
        return face
    drawn = ImageOps.contain(picture, size, Image.Resampling.LANCZOS)
    draw, placed = ImageDraw.Draw(drawn), places(boxes, drawn.size)
    for place in placed:
        colour, thick = (HIGHLIGHT, 5) if place == placed[-1] else (OTHER, 2)
        draw.rectangle(place, outline=EDGE, width=thick + 2)
        left, top, right, bottom = place
        if left + 1 < right - 1 and top + 1 < bottom - 1:
            inner = (left + 1, top + 1, right - 1, bottom - 1)
            draw.rectangle(inner, outline=colour, width=thick)
    return drawn


def places(boxes: Sequence[Box], size: tuple[int, int]) -> list[Place]:
    """Convert boxes to pixels in a picture of this size; return them smallest first."""
    placed = []
    for box in boxes:
        across = size[0] / (box.of_width or size[0])
        down = size[1] / (box.of_height or size[1])
        left, top = max(0, round(box.left * across)), max(0, round(box.top * down))
        right = min(size[0], round(box.right * across)) - 1
        bottom = min(size[1], round(box.bottom * down)) - 1
        if left < right and top < bottom:
            placed.append((left, top, right, bottom))
    return sorted(placed, key=lambda at: (at[2] - at[0]) * (at[3] - at[1]))

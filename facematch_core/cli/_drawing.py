"""Draw photographs with boxes around their faces: whole, and cut to the compared face."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw, ImageOps

from facematch_core.models import Box, Face

#: Colours of the compared face's box, of other boxes (thinner too), and of the edge around both,
#: which shows on bright and dark ground.
HIGHLIGHT, OTHER, EDGE = "#ffd400", "#ffffff", "#1b1b1b"

_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}

#: Left, top, right and bottom in pixels.
Place = tuple[int, int, int, int]


def turn_as_found(
    picture: Image.Image, faces: Sequence[Face] | None
) -> tuple[Image.Image, list[Box]]:
    """Turn a photograph as its largest face was found; return it with the boxes of that turn."""
    boxes = [(face.box, face.rotation or 0) for face in faces or () if face.box is not None]

    def extent(item: tuple[Box, int]) -> float:
        box = item[0]
        area = (box.right - box.left) * (box.bottom - box.top)
        return area if math.isfinite(area) else 0.0

    turn = max(boxes, key=extent)[1] if boxes else 0
    if turn in _CLOCKWISE:
        picture = picture.transpose(_CLOCKWISE[turn])
    return picture, [box for box, rotation in boxes if rotation == turn]


def panel(
    picture: Image.Image, boxes: Sequence[Box], *, height: int, max_width: int
) -> Image.Image:
    """Draw a photograph with its faces boxed, as high as `height` unless it becomes too wide."""
    drawn = ImageOps.contain(picture.convert("RGB"), (max_width, height), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(drawn)
    placed = places(boxes, picture.size, drawn.size)
    for left, top, right, bottom in placed:
        largest = (left, top, right, bottom) == placed[-1]
        colour, thick = (HIGHLIGHT, 5) if largest else (OTHER, 2)
        draw.rectangle((left, top, right, bottom), outline=EDGE, width=thick + 2)
        if left + 1 < right - 1 and top + 1 < bottom - 1:
            inner = (left + 1, top + 1, right - 1, bottom - 1)
            draw.rectangle(inner, outline=colour, width=thick)
    return drawn


def portrait(
    picture: Image.Image, faces: Sequence[Face] | None, size: tuple[int, int]
) -> Image.Image:
    """Draw the compared face with some room around it, or the whole group if there are more."""
    picture, boxes = turn_as_found(picture, faces)
    placed = places(boxes, picture.size, picture.size)
    if len(placed) != 1:
        return panel(picture, boxes, height=size[1], max_width=size[0])
    ((left, top, right, bottom),) = placed
    # Room for hair and shoulders: a detector's box ends at the brows.
    middle, above = (left + right) / 2, top - 0.5 * (bottom - top)
    high = min(1.85 * (bottom - top), picture.height, picture.width * size[1] / size[0])
    wide = high * size[0] / size[1]
    x = min(max(0, middle - wide / 2), picture.width - wide)
    y = min(max(0, above), picture.height - high)
    face = picture.convert("RGB").crop((round(x), round(y), round(x + wide), round(y + high)))
    face.thumbnail(size, Image.Resampling.LANCZOS)
    return face


def places(boxes: Iterable[Box], of: tuple[int, int], size: tuple[int, int]) -> list[Place]:
    """Return each box that lies in the drawn picture, the largest last."""
    placed = [at for at in (_place(box, of, size) for box in boxes) if at is not None]
    return sorted(placed, key=lambda at: (at[2] - at[0]) * (at[3] - at[1]))


def _place(box: Box, of: tuple[int, int], size: tuple[int, int]) -> Place | None:
    ratio = box.unit == "ratio"
    across = size[0] / (1.0 if ratio else box.of_width or of[0])
    down = size[1] / (1.0 if ratio else box.of_height or of[1])
    edges = (box.left * across, box.top * down, box.right * across, box.bottom * down)
    if not all(map(math.isfinite, edges)):
        return None
    left, top, right, bottom = map(round, edges)
    left, top = max(0, left), max(0, top)
    right, bottom = min(size[0], right) - 1, min(size[1], bottom) - 1
    return (left, top, right, bottom) if left < right and top < bottom else None

"""Photographs with boxes around their faces: a whole one, and the face that was compared.

Pure: a picture and faces in, a picture out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

from facematch_core.models import Box, Face

#: The box of the face that was compared, and those of the others, which are thinner too; around
#: every line an edge, so that it is seen on bright and on dark ground.
HIGHLIGHT, OTHER, EDGE = "#ffd400", "#ffffff", "#1b1b1b"

_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


def turn_as_found(
    picture: Image.Image, faces: Sequence[Face] | None
) -> tuple[Image.Image, list[Box]]:
    """A photograph turned as its largest face was found, and the boxes that hold for it then."""
    boxes = [(face.box, face.rotation or 0) for face in faces or () if face.box is not None]

    def extent(item: tuple[Box, int]) -> float:
        box = item[0]
        area = (box.right - box.left) * (box.bottom - box.top)
        return area if math.isfinite(area) else 0.0

    turn = max(boxes, key=extent)[1] if boxes else 0
    if turn in _CLOCKWISE:
        picture = picture.transpose(_CLOCKWISE[turn])
    # A face that was found in another turn has its box in a picture that lies otherwise.
    return picture, [box for box, rotation in boxes if rotation == turn]


def panel(
    picture: Image.Image, boxes: Sequence[Box], *, height: int, max_width: int
) -> Image.Image:
    """A photograph with its faces marked, less high than `height` only if it is too wide."""
    factor = min(height / picture.height, max_width / picture.width)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    drawn = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(drawn)
    placed = places(boxes, picture.size, size)
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
    """The face that was compared, with some room around it; all if there are several."""
    picture, boxes = turn_as_found(picture, faces)
    placed = places(boxes, picture.size, picture.size)
    left, top, right, bottom = map(float, (0, 0, *picture.size))
    if placed:
        left, top = min(at[0] for at in placed), min(at[1] for at in placed)
        right, bottom = max(at[2] for at in placed), max(at[3] for at in placed)
        # Hair and shoulders; a group is wide enough without.
        room = 0.85 if len(placed) == 1 else 0.1
        # A detector's box ends at the brows.
        left, right = left - room * (right - left) / 2, right + room * (right - left) / 2
        top, bottom = top - 0.6 * room * (bottom - top), bottom + 0.4 * room * (bottom - top)
    # The window, as wide for its height as `size`: all of a group, but of a single face or of a
    # picture without one no more than the photograph holds.
    shape = size[0] / size[1]
    height = max(bottom - top, (right - left) / shape) if placed else bottom - top
    height = min(height, picture.height, picture.width / shape)
    factor = min(1.0, size[1] / height)
    middle = ((left + right) / 2, (top + bottom) / 2)
    drawn = panel(
        picture,
        boxes if len(placed) > 1 else (),
        height=max(1, round(picture.height * factor)),
        max_width=max(1, round(picture.width * factor)),
    )
    wide, high = min(drawn.width, round(height * shape * factor)), round(height * factor)
    at = (
        round(min(max(0, middle[0] * factor - wide / 2), drawn.width - wide)),
        round(min(max(0, middle[1] * factor - high / 2), drawn.height - high)),
    )
    return drawn.crop((*at, at[0] + wide, at[1] + high))


Place = tuple[int, int, int, int]


def places(boxes: Iterable[Box], of: tuple[int, int], size: tuple[int, int]) -> list[Place]:
    """Left, top, right, bottom of each box that lies in the drawn picture; the largest last."""
    placed = [at for at in (_place(box, of, size) for box in boxes) if at is not None]
    return sorted(placed, key=lambda at: (at[2] - at[0]) * (at[3] - at[1]))


def _place(box: Box, of: tuple[int, int], size: tuple[int, int]) -> Place | None:
    ratio = box.unit == "ratio"
    width = 1.0 if ratio else box.of_width or of[0]
    height = 1.0 if ratio else box.of_height or of[1]
    across, down = size[0] / width, size[1] / height
    edges = (box.left * across, box.top * down, box.right * across, box.bottom * down)
    if not all(map(math.isfinite, edges)):
        return None
    left, top, right, bottom = map(round, edges)
    left, top = max(0, left), max(0, top)
    right, bottom = min(size[0], right) - 1, min(size[1], bottom) - 1
    return (left, top, right, bottom) if left < right and top < bottom else None

"""One photograph of a drawing: upright, scaled, with boxes around its faces."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
from PIL import Image, ImageDraw

from facematch_core._results import Box, Face

#: The box of the face that was compared, and those of the others: they differ in width too.
HIGHLIGHT, HIGHLIGHT_WIDTH = "#ffd400", 5
OTHER, OTHER_WIDTH = "#ffffff", 2

#: Around every line, so that it is seen on bright and on dark ground.
EDGE = "#1b1b1b"

_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@attrs.frozen
class Placed:
    """A box in the pixels of the picture that is drawn."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """In pixels."""
        return (self.right - self.left) * (self.bottom - self.top)


def as_found(picture: Image.Image, faces: Sequence[Face] | None) -> tuple[Image.Image, list[Box]]:
    """A photograph turned as its largest face was found, and the boxes that hold for it then.

    Args:
        picture: Upright as its EXIF says.
        faces: None if the backend does not tell.
    """
    known = [(face.box, face.rotation or 0) for face in faces or () if face.box is not None]
    _, turn = max(known, key=lambda item: _extent(item[0]), default=(None, 0))
    if turn in _CLOCKWISE:
        picture = picture.transpose(_CLOCKWISE[turn])
    # A face that was found in another turn has its box in a picture that lies otherwise.
    return picture, [box for box, rotation in known if rotation == turn]


def panel(
    picture: Image.Image, boxes: Sequence[Box], *, height: int, max_width: int
) -> Image.Image:
    """A photograph with its faces marked; boxes that cannot be placed are left out.

    Args:
        picture: As `as_found` gives it, like the boxes.
        height: Of the panel in pixels; less only if it would be wider than `max_width`.
        max_width: In pixels.
    """
    factor = min(height / picture.height, max_width / picture.width)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    drawn = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    all_placed = [place(box, picture.size, size) for box in boxes]
    placed = sorted(filter(None, all_placed), key=lambda box: box.area)
    for box in placed[:-1]:
        _frame(drawn, box, OTHER, OTHER_WIDTH)
    for box in placed[-1:]:
        _frame(drawn, box, HIGHLIGHT, HIGHLIGHT_WIDTH)
    return drawn


def _extent(box: Box) -> float:
    extent = (box.right - box.left) * (box.bottom - box.top)
    return extent if math.isfinite(extent) else 0.0


def place(box: Box, of: tuple[int, int], size: tuple[int, int]) -> Placed | None:
    """Where a box lies in the drawn picture; None if it cannot be placed.

    Args:
        box: In pixels or as a ratio, of a picture that may have been shrunk before it was sent.
        of: Size of the photograph, for a box that does not tell what it refers to.
        size: Size of the drawn picture.
    """
    width, height = (
        (1.0, 1.0) if box.unit == "ratio" else (box.of_width or of[0], box.of_height or of[1])
    )
    edges = (
        box.left / width * size[0],
        box.top / height * size[1],
        box.right / width * size[0],
        box.bottom / height * size[1],
    )
    if not all(map(math.isfinite, edges)):
        return None
    left, top, right, bottom = (round(edge) for edge in edges)
    placed = Placed(max(0, left), max(0, top), min(size[0], right) - 1, min(size[1], bottom) - 1)
    return placed if placed.left < placed.right and placed.top < placed.bottom else None


def _frame(on: Image.Image, box: Placed, colour: str, width: int) -> None:
    draw = ImageDraw.Draw(on)
    draw.rectangle((box.left, box.top, box.right, box.bottom), outline=EDGE, width=width + 2)
    inner = (box.left + 1, box.top + 1, box.right - 1, box.bottom - 1)
    if inner[0] < inner[2] and inner[1] < inner[3]:
        draw.rectangle(inner, outline=colour, width=width)

"""Where everything stands on a card, in parts of an upright picture. Pure."""

from __future__ import annotations

from typing import NamedTuple

#: Size in pixels at which a card is drawn, and its default size.
WIDTH, HEIGHT = 480, 640
#: Side of a cell of the code, in pixels of that size.
CELL = 16
#: Left upper corner of the code, in pixels of that size.
CODE_LEFT, CODE_TOP = 16, 400


class Part(NamedTuple):
    """A part of an upright picture: edges from 0 to 1 of its sides."""

    left: float
    top: float
    right: float
    bottom: float

    def turned(self, degrees: int) -> Part:
        """Where it stands once the picture was turned clockwise by 0, 90, 180 or 270 degrees."""
        left, top, right, bottom = self
        if degrees == 90:
            return Part(1 - bottom, left, 1 - top, right)
        if degrees == 180:
            return Part(1 - right, 1 - bottom, 1 - left, 1 - top)
        if degrees == 270:
            return Part(top, 1 - right, bottom, 1 - left)
        return self

    def of(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """In pixels of a picture of that width and height."""
        width, height = size
        return self.left * width, self.top * height, self.right * width, self.bottom * height

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """In whole pixels of a picture of that width and height."""
        left, top, right, bottom = (round(edge) for edge in self.of(size))
        return left, top, right, bottom


def _part(left: int, top: int, width: int, height: int) -> Part:
    right, bottom = left + width, top + height
    return Part(left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT)


CODE = _part(CODE_LEFT, CODE_TOP, 28 * CELL, 14 * CELL)
#: The faces of a card with so many, the largest first.
FACES: tuple[tuple[Part, ...], ...] = (
    (),
    (_part(150, 40, 180, 220),),
    (_part(70, 40, 170, 210), _part(270, 70, 130, 160)),
    (_part(160, 40, 160, 200), _part(30, 90, 110, 140), _part(340, 100, 100, 130)),
    (
        *(_part(150, 30, 150, 185), _part(20, 90, 105, 130)),
        *(_part(325, 60, 100, 125), _part(375, 190, 75, 90)),
    ),
)


def upright_size(size: tuple[int, int], turned: int) -> tuple[int, int]:
    """Width and height of a picture of that size once it is turned upright."""
    return size if turned in {0, 180} else (size[1], size[0])

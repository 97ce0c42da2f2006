"""Where the faces and the block code of a test card are."""

from __future__ import annotations

from typing import NamedTuple

#: The default size of a card in pixels.
WIDTH = 480
HEIGHT = 640
#: The side of a cell of the block code in pixels.
CELL = 16
#: The top left corner of the block code in pixels.
CODE_LEFT = 16
CODE_TOP = 400
#: The size of the block code in cells.
COLUMNS = 28
ROWS = 14


class Area(NamedTuple):
    """An area of an upright picture, with edges as fractions of the picture's sides."""

    left: float
    top: float
    right: float
    bottom: float

    def turned(self, degrees: int) -> Area:
        """Return the area after turning the picture clockwise by 0, 90, 180 or 270 degrees."""
        area = self
        for _ in range(degrees // 90):
            area = Area(1 - area.bottom, area.left, 1 - area.top, area.right)
        return area

    def edges(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom in pixels, in a picture of this width and height."""
        width, height = size
        return self.left * width, self.top * height, self.right * width, self.bottom * height

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return `edges` in whole pixels."""
        left, top, right, bottom = self.edges(size)
        return round(left), round(top), round(right), round(bottom)


def _area(left: int, top: int, width: int, height: int) -> Area:
    """Return an area whose position and size are in pixels of a card of the default size."""
    return Area(left / WIDTH, top / HEIGHT, (left + width) / WIDTH, (top + height) / HEIGHT)


CODE = _area(CODE_LEFT, CODE_TOP, COLUMNS * CELL, ROWS * CELL)
#: The areas of a card's faces, largest first, by the number of faces.
FACES: tuple[tuple[Area, ...], ...] = (
    (),
    (_area(150, 40, 180, 220),),
    (_area(70, 40, 170, 210), _area(270, 70, 130, 160)),
    (_area(160, 40, 160, 200), _area(30, 90, 110, 140), _area(340, 100, 100, 130)),
    (
        _area(150, 30, 150, 185),
        _area(20, 90, 105, 130),
        _area(325, 60, 100, 125),
        _area(375, 190, 75, 90),
    ),
)

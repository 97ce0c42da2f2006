"""The block code of a test card: dark and light cells that contain the payload twice.

Each half of the code contains the payload and its checksum, in the right half inverted. So the
code is readable if one half is covered, or if the picture is unevenly lit.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from .layout import COLUMNS, ROWS
from .payload import FAILING_PAYLOAD_BYTES, PAYLOAD_BYTES

#: Grey values per cell in each direction. Only the middle one is used.
FINENESS = 3

_CHECKSUM_BYTES = 4
#: The number of bits in the longest payload, including the checksum.
_BITS = 8 * (FAILING_PAYLOAD_BYTES + _CHECKSUM_BYTES)
#: The cells of a corner, row by row; # is dark.
_TOP_LEFT = ("###", "#.#", "###")
_TOP_RIGHT = ("...", ".#.", "...")
_BOTTOM_LEFT = ("#.#", ".#.", "#.#")
_BOTTOM_RIGHT = ("###", "...", "###")
#: Maximum number of wrong cells in the four corners: as many as one corner has.
_MAX_WRONG_CELLS = 9
#: Minimum difference between dark and light cells, on a scale of 256 grey levels.
_MIN_CONTRAST = 32


def _cell_number(column: int, row: int) -> int:
    return row * COLUMNS + column


def _number_corner_cells(
    left_column: int, top_row: int, corner: tuple[str, ...]
) -> dict[int, bool]:
    """Return whether each cell of a corner is dark, by cell number."""
    cells = {}
    for y, marks in enumerate(corner):
        for x, mark in enumerate(marks):
            cells[_cell_number(left_column + x, top_row + y)] = mark == "#"
    return cells


#: Whether each corner cell is dark, by cell number (row by row).
_CORNER_CELLS = {
    **_number_corner_cells(0, 0, _TOP_LEFT),
    **_number_corner_cells(COLUMNS - 3, 0, _TOP_RIGHT),
    **_number_corner_cells(0, ROWS - 3, _BOTTOM_LEFT),
    **_number_corner_cells(COLUMNS - 3, ROWS - 3, _BOTTOM_RIGHT),
}


def _list_bit_cells(columns: range) -> tuple[int, ...]:
    """Return the numbers of the cells that contain the bits of a half, column by column."""
    numbers = []
    for column in columns:
        for row in range(ROWS):
            number = _cell_number(column, row)
            if number not in _CORNER_CELLS:
                numbers.append(number)
    return tuple(numbers[:_BITS])


#: The cells of the left half, where a dark cell is a 1, and of the right half, where it is a 0.
_LEFT_CELLS = _list_bit_cells(range(COLUMNS // 2))
_RIGHT_CELLS = _list_bit_cells(range(COLUMNS // 2, COLUMNS))


def _grey_index(cell: int) -> int:
    """Return the index of a cell's center in the grey values."""
    row, column = divmod(cell, COLUMNS)
    grey_row = row * FINENESS + FINENESS // 2
    grey_column = column * FINENESS + FINENESS // 2
    return grey_row * COLUMNS * FINENESS + grey_column


#: The indices in the grey values of the dark and light corner cells, and of each half's bits.
_DARK_CORNER = tuple(_grey_index(cell) for cell, is_dark in _CORNER_CELLS.items() if is_dark)
_LIGHT_CORNER = tuple(_grey_index(cell) for cell, is_dark in _CORNER_CELLS.items() if not is_dark)
_LEFT_BITS = tuple(_grey_index(cell) for cell in _LEFT_CELLS)
_RIGHT_BITS = tuple(_grey_index(cell) for cell in _RIGHT_CELLS)


def _checksum(payload: bytes) -> bytes:
    return zlib.crc32(payload).to_bytes(_CHECKSUM_BYTES, "big")


def dark_cells(payload: bytes) -> list[bool]:
    """Return whether each cell of a card's block code is dark, row by row.

    The right half repeats the left, inverted.
    """
    content = payload + _checksum(payload)
    bits = "".join(f"{byte:08b}" for byte in content)
    cells = [False] * (COLUMNS * ROWS)
    for cell, is_dark in _CORNER_CELLS.items():
        cells[cell] = is_dark
    # If the payload is short, the last cells stay light.
    for left_cell, right_cell, bit in zip(_LEFT_CELLS, _RIGHT_CELLS, bits, strict=False):
        cells[left_cell] = bit == "1"
        cells[right_cell] = bit == "0"
    return cells


def read_payload(greys: Sequence[int]) -> bytes | None:
    """Return the payload of an upright code, read from grey values row by row, or None.

    Each cell has `FINENESS` x `FINENESS` values, from 0 (black) to 255.
    """
    dark_greys = sorted([greys[index] for index in _DARK_CORNER])
    light_greys = sorted([greys[index] for index in _LIGHT_CORNER])
    # Medians are used so that a covered corner has no effect.
    dark = dark_greys[len(dark_greys) // 2]
    light = light_greys[len(light_greys) // 2]
    if light - dark < _MIN_CONTRAST:
        return None
    middle = (dark + light) / 2
    too_light = sum(grey >= middle for grey in dark_greys)
    too_dark = sum(grey < middle for grey in light_greys)
    if too_light + too_dark > _MAX_WRONG_CELLS:
        return None
    # A bit is 1 if its value is positive, and the more certain the farther from 0.
    left = [middle - greys[index] for index in _LEFT_BITS]
    right = [greys[index] - middle for index in _RIGHT_BITS]
    total = [in_left + in_right for in_left, in_right in zip(left, right, strict=True)]
    for values in (total, left, right):
        payload = _check_payload(values)
        if payload is not None:
            return payload
    return None


def _check_payload(bit_values: Sequence[float]) -> bytes | None:
    """Return the payload, of either size, or None if no checksum is valid."""
    bits = "".join("1" if value > 0 else "0" for value in bit_values)
    content = int(bits, 2).to_bytes(_BITS // 8, "big")
    for size in (PAYLOAD_BYTES, FAILING_PAYLOAD_BYTES):
        payload = content[:size]
        if content[size : size + _CHECKSUM_BYTES] == _checksum(payload):
            return payload
    return None

"""The block code: which cells of a card are dark, and reading them from grey values. Pure.

28 x 14 cells. A pattern of 3 x 3 in each corner, no two alike under a turn, says that this is a
card and that it lies upright. The left half of what remains holds payload and checksum (CRC-32),
the right half the same with dark and light exchanged: together they bear noise and blur, and
either alone is enough where something covers the other one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from ._payload import PAYLOAD_BYTES

COLUMNS, ROWS = 28, 14
#: Grey values that are taken per cell and direction; the middle one counts.
FINENESS = 3

_BITS = 8 * (PAYLOAD_BYTES + 4)
#: Left above, right above, left below, right below; a row is a word, # is dark.
_CORNERS = ("### #.# ###", "... .#. ...", "#.# .#. #.#", "### ... ###")
#: Of the 36 cells of the corners, as many may look wrong: a whole corner.
_MAX_WRONG = 9
#: Grey levels, of 256, between what is dark and what is light.
_MIN_CONTRAST = 32


def _corner_cells() -> Iterator[tuple[int, bool]]:
    places = [(x, y) for y in (0, ROWS - 3) for x in (0, COLUMNS - 3)]
    for (left, top), pattern in zip(places, _CORNERS, strict=True):
        for y, row in enumerate(pattern.split()):
            for x, cell in enumerate(row):
                yield (top + y) * COLUMNS + left + x, cell == "#"


#: Cell (row by row) to whether it is dark.
_FINDER = dict(_corner_cells())


def _half(columns: range) -> tuple[int, ...]:
    cells = (y * COLUMNS + x for x in columns for y in range(ROWS))
    return tuple(cell for cell in cells if cell not in _FINDER)[:_BITS]


_LEFT = _half(range(COLUMNS // 2))
_RIGHT = _half(range(COLUMNS // 2, COLUMNS))
#: Where in the grey values the middle of each cell stands.
_MIDDLES = tuple(
    (y * FINENESS + FINENESS // 2) * COLUMNS * FINENESS + x * FINENESS + FINENESS // 2
    for y in range(ROWS)
    for x in range(COLUMNS)
)


def dark_cells(payload: bytes) -> list[bool]:
    """Whether each cell is dark, row by row."""
    whole = payload + zlib.crc32(payload).to_bytes(4, "big")
    bits = f"{int.from_bytes(whole, 'big'):0{_BITS}b}"
    cells = [False] * (COLUMNS * ROWS)
    for cell, dark in _FINDER.items():
        cells[cell] = dark
    for left, right, bit in zip(_LEFT, _RIGHT, bits, strict=True):
        cells[left], cells[right] = bit == "1", bit == "0"
    return cells


def payload_in(greys: Sequence[int]) -> bytes | None:
    """The payload of a code that lies upright; None if there is none.

    Args:
        greys: 0 (black) to 255, row by row, `FINENESS` x `FINENESS` for each cell.
    """
    level = _level([(greys[_MIDDLES[cell]], dark) for cell, dark in _FINDER.items()])
    if level is None:
        return None
    left = [level - greys[_MIDDLES[cell]] for cell in _LEFT]
    right = [greys[_MIDDLES[cell]] - level for cell in _RIGHT]
    both = [a + b for a, b in zip(left, right, strict=True)]
    return next(filter(None, map(_checked, (both, left, right))), None)


def _level(corners: Sequence[tuple[int, bool]]) -> float | None:
    """The grey value between dark and light; None if these are not the corners of a card."""
    darks = sorted(grey for grey, dark in corners if dark)
    lights = sorted(grey for grey, dark in corners if not dark)
    # Medians: a covered corner does not move them.
    dark, light = darks[len(darks) // 2], lights[len(lights) // 2]
    if light - dark < _MIN_CONTRAST:
        return None
    level = (dark + light) / 2
    wrong = sum((grey < level) != dark for grey, dark in corners)
    return level if wrong <= _MAX_WRONG else None


def _checked(darkness: Sequence[float]) -> bytes | None:
    """The payload, if the checksum after it is right. A cell is a one where `darkness` is > 0."""
    bits = int("".join("1" if value > 0 else "0" for value in darkness), 2)
    whole = bits.to_bytes(_BITS // 8, "big")
    payload, checksum = whole[:PAYLOAD_BYTES], whole[PAYLOAD_BYTES:]
    return payload if zlib.crc32(payload).to_bytes(4, "big") == checksum else None

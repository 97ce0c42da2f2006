"""Made-up points of a face, at the same places of every box, for the vendors that name many."""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs

from facematch_mock_server.recognition.outcomes import SeenFace


@attrs.frozen
class Arc:
    """Points on an arc around a place of a face; its sizes are percentages of the face's box.

    Attributes:
        names: The points, from the place's left in the picture, with blanks between them; `top:1-3`
            and `top:3-1` stand for three.
        centre: Of the place, from the left and the top.
        radii: Across and down.
        turn: The degrees of the arc, over the top; of a negative one, under the bottom.
        prefix: Of all names.
    """

    names: str
    centre: tuple[int, int]
    radii: tuple[int, int]
    turn: int = 360
    prefix: str = ""


def place_points(face: SeenFace, arcs: Iterable[Arc]) -> dict[str, dict[str, int]]:
    """Return the points in pixels, by their names."""
    left, top, right, bottom = face.box
    points = {}
    for arc in arcs:
        names = _expand_names(arc.names)
        steps = len(names) if arc.turn == 360 else len(names) - 1
        for number, name in enumerate(names):
            angle = math.radians(180 + arc.turn * number / steps)
            x_percent = arc.centre[0] + arc.radii[0] * math.cos(angle)
            y_percent = arc.centre[1] + arc.radii[1] * math.sin(angle)
            x = left + (right - left) * x_percent / 100
            y = top + (bottom - top) * y_percent / 100
            points[arc.prefix + name] = {"x": round(x), "y": round(y)}
    return points


def _expand_names(text: str) -> list[str]:
    names = []
    for word in text.split():
        stem, _, numbers = word.partition(":")
        if not numbers:
            names.append(stem)
            continue
        first, last = map(int, numbers.split("-"))
        step = 1 if first < last else -1
        names += [f"{stem}{number}" for number in range(first, last + step, step)]
    return names

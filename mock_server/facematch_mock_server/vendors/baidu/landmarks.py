"""The points of a face at Baidu, by the word of `face_field`, and where the mock puts them.

Baidu's right is the left of the picture.
"""

from __future__ import annotations

from typing import Any, Final

from facematch_mock_server.vendors.kit import Arc, SeenFace, place_points

_EYES: Final = (("right", 30), ("left", 70))
_LIPS: Final = "corner_right_{0} lip_upper_{0}_:1-11 corner_left_{0} lip_lower_{0}_:11-1"


def _around_eyes() -> list[Arc]:
    """Return the points of `landmark150` at eyes and eyebrows."""
    arcs = []
    for side, x in _EYES:
        eye = "corner_right eyelid_upper_:1-7 corner_left eyelid_lower_:7-1"
        eyebrow = "corner_right upper_:1-5 corner_left lower_:3-1"
        arcs.append(Arc(eye, (x, 40), (9, 4), prefix=f"eye_{side}_"))
        arcs.append(Arc("right center left", (x, 40), (2, 1), 180, f"eye_{side}_eyeball_"))
        arcs.append(Arc(eyebrow, (x, 28), (14, 4), prefix=f"eyebrow_{side}_"))
    return arcs


_NOSE: Final = "right_contour_:1-7 middle_contour left_contour_:7-1"
_POINTS_150: Final = (
    Arc("cheek_right_:1-11 chin_:1-3 cheek_left_:11-1", (50, 45), (48, 53), -180),
    *_around_eyes(),
    Arc(_NOSE, (50, 42), (12, 22), -180, "nose_"),
    Arc("bridge_:1-3 tip", (50, 52), (2, 6), prefix="nose_"),
    Arc(_LIPS.format("outer"), (50, 80), (15, 6), prefix="mouth_"),
    Arc(_LIPS.format("inner"), (50, 80), (9, 2), prefix="mouth_"),
)


def _points_72() -> tuple[Arc, ...]:
    """Return the points of `landmark72`, in Baidu's order."""
    arcs = [Arc("contour:1-13", (50, 45), (48, 53), -180)]
    for side, x in _EYES:
        arcs.append(Arc(f"{side}_eye:1-8", (x, 40), (9, 4)))
        arcs.append(Arc(f"{side}_pupil", (x, 40), (1, 1)))
        arcs.append(Arc(f"{side}_eyebrow:1-8", (x, 28), (14, 4)))
    arcs.append(Arc("nose:1-10", (50, 42), (12, 22), -180))
    arcs.append(Arc("tip", (50, 58), (1, 1)))
    arcs.append(Arc("outer:1-8", (50, 80), (15, 6)))
    arcs.append(Arc("inner:1-6", (50, 80), (9, 2)))
    return tuple(arcs)


_POINTS_72: Final = _points_72()


def describe_landmarks(face: SeenFace, word: str) -> dict[str, Any]:
    """Return the points that `landmark` or `landmark150` asks for, or none for another word."""
    if word == "landmark150":
        return {"landmark150": place_points(face, _POINTS_150)}
    if word not in ("landmark", "landmark72"):
        return {}
    points = place_points(face, _POINTS_72)
    (mouth,) = place_points(face, [Arc("mouth", (50, 80), (0, 0))]).values()
    landmark = [points["right_pupil"], points["left_pupil"], points["tip"], mouth]
    return {"landmark": landmark, "landmark72": [*points.values()]}

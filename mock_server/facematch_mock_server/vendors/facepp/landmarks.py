"""The points of a face at Face++, by `return_landmark`, and where the mock puts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from facematch_mock_server.vendors.kit import Arc

_AROUND: Final = (
    "left_corner upper_left_quarter {top} upper_right_quarter "
    "right_corner lower_right_quarter {bottom} lower_left_quarter"
)
_EYEBROW: Final = _AROUND.format(top="upper_middle", bottom="lower_middle")
_NOSE: Final = (
    "contour_left:1-2 left contour_left3 contour_lower_middle "
    "contour_right3 right contour_right:2-1"
)
_OUTER_LIPS: Final = (
    "left_corner upper_lip_left_contour:2-1 upper_lip_top upper_lip_right_contour:1-2 "
    "right_corner lower_lip_right_contour:2-3 lower_lip_bottom lower_lip_left_contour:3-2"
)
_LOWER_LIP: Final = " lower_lip_right_contour1 lower_lip_top lower_lip_left_contour1"
_EYE: Final = _AROUND.format(top="top", bottom="bottom")


def _arcs(
    *, contour: int, eyebrows: tuple[str, str], nose: tuple[str, str], upper_lip: str
) -> tuple[Arc, ...]:
    """Return all points: `contour` on each side, and these names of eyebrows, nose and lip."""
    arcs = [
        Arc(f"left:1-{contour} chin right:{contour}-1", (50, 45), (48, 53), -180, "contour_"),
        Arc(eyebrows[0], (30, 28), (14, 4), prefix="left_eyebrow_"),
        Arc(eyebrows[1], (70, 28), (14, 4), prefix="right_eyebrow_"),
        Arc(nose[0], (50, 42), (12, 22), -180, "nose_"),
        Arc(nose[1], (50, 52), (2, 6), prefix="nose_"),
        Arc(upper_lip + _LOWER_LIP, (50, 80), (9, 2), prefix="mouth_"),
        Arc(_OUTER_LIPS, (50, 80), (15, 6), prefix="mouth_"),
    ]
    for side, x in (("left", 30), ("right", 70)):
        arcs.append(Arc(_EYE, (x, 40), (9, 4), prefix=f"{side}_eye_"))
        arcs.append(Arc("center pupil", (x, 40), (1, 1), prefix=f"{side}_eye_"))
    return tuple(arcs)


#: The 83 or 106 points by the text of `return_landmark`.
LANDMARKS: Final[Mapping[str, tuple[Arc, ...]]] = {
    "1": _arcs(
        contour=9,
        eyebrows=(_EYEBROW, _EYEBROW),
        nose=(_NOSE, "tip"),
        upper_lip="upper_lip_left_contour3 upper_lip_bottom upper_lip_right_contour3",
    ),
    "2": _arcs(
        contour=16,
        eyebrows=(
            _EYEBROW.replace("right_corner", "upper_right_corner lower_right_corner"),
            _EYEBROW.replace("left_corner", "lower_left_corner upper_left_corner"),
        ),
        nose=("left_contour:1-5 middle_contour right_contour:5-1", "bridge:1-3 tip"),
        upper_lip="upper_lip_left_contour:3-4 upper_lip_bottom upper_lip_right_contour:4-3",
    ),
}

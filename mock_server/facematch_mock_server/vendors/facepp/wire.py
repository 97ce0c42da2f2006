"""The 83 points of a face that `detect` returns with return_landmark 1, at made-up places."""

from __future__ import annotations

from facematch_mock_server.recognition.outcomes import SeenFace

#: The points of each part of a face, in percent of the face's box from the middle of the part. Each
#: point whose name has "left" in it has a mirror image at the right.
_CONTOUR = (
    "chin 0 49,left1 -48 -10,left2 -47 -2,left3 -46 6,left4 -44 14,left5 -40 22,left6 -34 30,"
    "left7 -27 37,left8 -19 43,left9 -10 47"
)
_NOSE = (
    "tip 0 0,left -9 4,contour_left1 -5 -20,contour_left2 -6 -6,contour_left3 -5 6,"
    "contour_lower_middle 0 8"
)
_MOUTH = (
    "left_corner -15 0,upper_lip_top 0 -4,upper_lip_bottom 0 -1,upper_lip_left_contour1 -4 -5,"
    "upper_lip_left_contour2 -9 -3,upper_lip_left_contour3 -8 -1,lower_lip_top 0 1,"
    "lower_lip_bottom 0 6,lower_lip_left_contour1 -8 1,lower_lip_left_contour2 -10 3,"
    "lower_lip_left_contour3 -5 5"
)
_EYE = (
    "center 0 0,pupil 0 0,left_corner -8 0,top 0 -3,bottom 0 3,upper_left_quarter -4 -2,"
    "lower_left_quarter -4 2"
)
_EYEBROW = (
    "left_corner -12 2,upper_left_quarter -6 -1,upper_middle 0 -2,lower_left_quarter -6 1,"
    "lower_middle 0 1"
)
#: The parts and their middles in percent of the face's box; left is the left of the picture.
_PARTS = (
    ("contour", (50, 50), _CONTOUR),
    ("nose", (50, 60), _NOSE),
    ("mouth", (50, 80), _MOUTH),
    ("left_eye", (30, 40), _EYE),
    ("right_eye", (70, 40), _EYE),
    ("left_eyebrow", (30, 28), _EYEBROW),
    ("right_eyebrow", (70, 28), _EYEBROW),
)


def describe_landmarks(face: SeenFace) -> dict[str, dict[str, int]]:
    """Return the points of a face by name, in pixels."""
    left, top, right, bottom = face.box
    landmarks = {}
    for part, (middle_x, middle_y), points in _PARTS:
        for point in points.split(","):
            name, x_text, y_text = point.split()
            y = top + (bottom - top) * (middle_y + int(y_text)) // 100
            for side, x_percent in (("left", int(x_text)), ("right", -int(x_text))):
                x = left + (right - left) * (middle_x + x_percent) // 100
                landmarks[f"{part}_{name.replace('left', side)}"] = {"x": x, "y": y}
    return landmarks

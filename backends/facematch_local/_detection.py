"""Where the faces of a picture are: dlib's frontal detector, from coarse to fine.

The detector sees faces of about 80 pixels and more in what it is given, 40 with upsampling, and
its time grows with the area. So it looks at a small copy first (about 14 ms), at the full working
picture only if nothing was found (37 ms), and at an enlarged one only if that was in vain (160 ms).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._pictures import shrink, turn

if TYPE_CHECKING:
    from PIL import Image

#: Longest side in pixels of the first look.
FIRST_SIDE = 640

#: Boxes below this detection score are ignored; most of them are no faces.
LEAST_CONFIDENCE = 0.25

QUARTER_TURNS = (0, 90, 180, 270)


class Candidate(NamedTuple):
    """A detected face in pixels of the working picture, its last column and row included."""

    left: float
    top: float
    right: float
    bottom: float
    confidence: float

    @property
    def area(self) -> float:
        """Square pixels of the working picture."""
        return (self.right - self.left + 1) * (self.bottom - self.top + 1)


class Detection(NamedTuple):
    """All faces of a picture turned by `angle` degrees clockwise, the largest first."""

    angle: int
    faces: tuple[Candidate, ...]

    @property
    def confidence(self) -> float:
        """The highest of the faces; below any face's if there is none."""
        return max((face.confidence for face in self.faces), default=0.0)


def detect(detector: Any, pixels: Image.Image, *, rotate: bool) -> Detection:
    """The faces of a picture; with `rotate` in the quarter turn that has the surest one."""
    best = Detection(0, ())
    longest = max(pixels.size)
    # Longest side in pixels and number of doublings of each look, while nothing is found.
    looks = [(FIRST_SIDE, 0)] if longest > FIRST_SIDE else []
    for side, upsample in [*looks, (longest, 0), (longest, 1)]:
        small = shrink(pixels, side)
        scale = longest / max(small.size)
        for angle in QUARTER_TURNS if rotate else (0,):
            faces = _look(detector, turn(small, angle), upsample, scale)
            best = max(best, Detection(angle, faces), key=lambda detection: detection.confidence)
        if len(best.faces) > 1 and small is not pixels:
            # In a group the faces are small and some are missed: count them in the full picture.
            finer = Detection(best.angle, _look(detector, turn(pixels, best.angle), 0))
            return max(best, finer, key=lambda detection: len(detection.faces))
        if best.faces:
            break
    return best


def _look(
    detector: Any, pixels: Image.Image, upsample: int, scale: float = 1
) -> tuple[Candidate, ...]:
    """The faces in `pixels`, the largest first, in a picture that is `scale` times as large."""
    boxes, confidences, _ = detector.run(np.asarray(pixels), upsample, LEAST_CONFIDENCE)
    faces = [
        Candidate(box.left(), box.top(), box.right(), box.bottom(), confidence)
        for box, confidence in zip(boxes, confidences, strict=True)
    ]
    faces.sort(key=lambda face: (face.area, face.confidence), reverse=True)
    return tuple(
        face._replace(
            left=face.left * scale,
            top=face.top * scale,
            right=face.right * scale,
            bottom=face.bottom * scale,
        )
        for face in faces
    )

"""The loaded models, and what they do with one picture. Importing this loads dlib and ONNX Runtime.

A picture is decoded; dlib finds its faces and the five points of the largest, and cuts out the
chip: 150 x 150 pixels, upright, eyes at fixed places. ONNX Runtime computes the embedding.

dlib's detector sees faces of about 80 pixels and more in what it is given, 40 with upsampling, and
its time grows with the area. So it looks at a small copy first (about 14 ms), at the full working
picture only if nothing was found (37 ms), and at an enlarged one only if that was in vain (160 ms).
"""

from __future__ import annotations

import copy
import io
import struct
import threading
from typing import Any, NamedTuple

import attrs
import dlib
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from facematch_core.errors import InvalidImage

from . import network
from .faces import FaceBox, PictureFaces
from .models import LANDMARKS, RECOGNITION, find_model

#: Longest side in pixels of the picture that faces are cut from. A chip has 150 pixels, so more
#: would add time and memory and no detail.
WORKING_SIDE = 1024

#: What Pillow's readers raise for damaged files of one format or another.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError),
    *(struct.error, Image.DecompressionBombError),
)

#: How Pillow names our turns: it counts them the other way round.
_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}

#: Longest side in pixels of the first look.
FIRST_SIDE = 640

#: Boxes below this detection score are ignored; most of them are no faces.
LEAST_CONFIDENCE = 0.25

QUARTER_TURNS = (0, 90, 180, 270)

#: Side of a chip in pixels, and the margin around the face on each side, in parts of the face. The
#: network was trained with these.
CHIP_SIDE = 150
CHIP_MARGIN = 0.25

#: Numbers in an embedding.
EMBEDDING = 128

#: The face itself inside of a chip: the middle 100 pixels, both ways.
_FACE = slice(25, 125)

#: Chips in one run. More gains no time and takes memory.
_BATCH = 8


@attrs.frozen(eq=False)
class Picture:
    """A decoded picture, upright: `size` is its full one, that of `pixels` at most 1024."""

    pixels: Image.Image
    size: tuple[int, int]

    def turn(self, angle: int) -> Picture:
        """The picture turned by 0, 90, 180 or 270 degrees clockwise."""
        size = self.size[::-1] if angle in (90, 270) else self.size
        return Picture(turn(self.pixels, angle), size)


def turn(pixels: Image.Image, angle: int) -> Image.Image:
    """Pixels turned by 0, 90, 180 or 270 degrees clockwise."""
    return pixels.transpose(_CLOCKWISE[angle]) if angle else pixels


def shrink(pixels: Image.Image, side: int) -> Image.Image:
    """Pixels with no side above `side`; the same object if that is so already."""
    if max(pixels.size) <= side:
        return pixels
    copy = pixels.copy()
    # Good enough to find a face in, not to cut one out of: averaging boxes of pixels takes a third
    # of the time of Pillow's default, and the detector sees as much.
    copy.thumbnail((side, side), Image.Resampling.BOX)
    return copy


def decode(data: bytes) -> Picture:
    """A picture, of an animation the first frame, upright by its EXIF orientation."""
    # Without that turn no face at all is found in a photograph that lies on its side.
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = image.size
            if image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8):
                size = size[::-1]
            # A JPEG is decoded straight to a half, a quarter or an eighth of its size.
            image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _as_rgb(image)
            pixels.thumbnail((WORKING_SIDE, WORKING_SIDE))
    except _DAMAGE as error:
        what = type(error).__name__
    else:
        return Picture(pixels, size)
    # Outside the except block: the frames of Pillow's error hold the picture.
    del data
    raise InvalidImage(f"The picture cannot be decoded ({what}).")


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "P" and "transparency" in image.info:
        # Straight to RGB, Pillow warns about a palette with transparency.
        image = image.convert("RGBA")
    elif image.mode.startswith("I;16"):
        # Straight to RGB, Pillow clips 16 bits to 8, which leaves hardly anything but white.
        image = image.convert("I").point(lambda shade: shade * (1 / 257))
    return image.convert("RGB")


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


class Parts:
    """Everything that takes time to load. All methods may be called from several threads."""

    def __init__(self) -> None:
        """Load the models, about half a second."""
        # What the session is built from is given back at once.
        weights = network.read_network(find_model(RECOGNITION).read_bytes())
        graph = network.build_graph(weights)
        del weights
        self._session = network.open_session(graph)
        self._predictor = dlib.shape_predictor(str(find_model(LANDMARKS)))
        self._first_detector = dlib.get_frontal_face_detector()
        self._of_thread = threading.local()

    def _detector(self) -> Any:
        """The detector of this thread, a copy (1 ms): two threads in one crash the interpreter."""
        if not hasattr(self._of_thread, "detector"):
            self._of_thread.detector = copy.copy(self._first_detector)
        return self._of_thread.detector

    def cut(self, data: bytes, *, rotate: bool) -> tuple[PictureFaces, NDArray[np.uint8] | None]:
        """Find the faces and cut out the largest; the embedding is still missing."""
        picture = decode(data)
        detection = detect(self._detector(), picture.pixels, rotate=rotate)
        picture = picture.turn(detection.angle)
        if not detection.faces:
            return PictureFaces(boxes=(), size=picture.size), None
        largest = detection.faces[0]
        pixels = np.asarray(picture.pixels)
        edges = (round(edge) for edge in largest[:4])
        points = self._predictor(pixels, dlib.rectangle(*edges))
        chip = dlib.get_face_chip(pixels, points, CHIP_SIDE, CHIP_MARGIN)
        grey = np.asarray(Image.fromarray(chip).convert("L"))[_FACE, _FACE].astype(np.int16)
        around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
        laplacian = around - 4 * grey[1:-1, 1:-1]
        faces = PictureFaces(
            boxes=tuple(_box(face, picture) for face in detection.faces),
            size=picture.size,
            angle=detection.angle,
            face_px=max(1, round((largest.right - largest.left + 1) * _scale(picture)[0])),
            luminance=float(grey.mean()) / 255 * 100,
            sharpness=float(laplacian.var()),
        )
        return faces, chip

    def look(self, data: bytes, *, rotate: bool) -> PictureFaces:
        """Find the faces and embed the largest."""
        faces, chip = self.cut(data, rotate=rotate)
        if chip is None:
            return faces
        return attrs.evolve(faces, embedding=self.embed_chips(chip[None])[0])

    def embed_chips(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings, float32 (n, 128), of chips, uint8 (n, 150, 150, 3)."""
        if chips.dtype != np.uint8 or chips.shape[1:] != (CHIP_SIDE, CHIP_SIDE, 3):
            raise ValueError(
                f"chips are uint8 (n, {CHIP_SIDE}, {CHIP_SIDE}, 3), not {chips.dtype} {chips.shape}"
            )
        embeddings = np.empty((len(chips), EMBEDDING), dtype=np.float32)
        for at in range(0, len(chips), _BATCH):
            batch = slice(at, at + _BATCH)
            embeddings[batch] = self._session.run(None, {network.CHIPS: chips[batch]})[0]
        embeddings.flags.writeable = False
        return embeddings


def _scale(picture: Picture) -> tuple[float, float]:
    """Pixels of the full size per pixel of the working picture, across and down."""
    return picture.size[0] / picture.pixels.width, picture.size[1] / picture.pixels.height


def _box(face: Candidate, picture: Picture) -> FaceBox:
    across, down = _scale(picture)
    width, height = picture.size
    return FaceBox(
        left=min(max(0, round(face.left * across)), width - 1),
        top=min(max(0, round(face.top * down)), height - 1),
        right=max(min(width, round((face.right + 1) * across)), 1),
        bottom=max(min(height, round((face.bottom + 1) * down)), 1),
        confidence=face.confidence,
    )

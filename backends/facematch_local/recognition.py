"""Decode a picture, find its faces, and embed the largest. Importing this module loads OpenCV.

YuNet finds the faces with five landmarks each. The largest face is cut out as a chip: 112 x 112
pixels, upright, eyes at fixed positions. SFace embeds the chip as 128 numbers of length 1.

A match depends on accurate landmarks. On a small tilted face, YuNet places both eyes at the same
height; this lowered the cosine for two photographs of one girl from 0.72 to 0.11. So the detector
runs again on small or tilted faces, enlarged and turned upright.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import ConfigurationError, InvalidImage

from .faces import FaceBox, PictureFaces
from .models import DETECTION, RECOGNITION, read_model

#: The oldest OpenCV that reads the model files.
OLDEST_OPENCV = (4, 11)

#: Longest side in pixels of the picture that faces are cut from. A chip has 112 pixels, so a larger
#: picture costs time and memory without adding detail.
WORKING_SIDE = 1024

#: Longest side in pixels for the first detection, and for the second if no face was found.
DETECTION_SIDES = (512, WORKING_SIDE)

#: Minimum side in pixels of the detector's input. With a side of 32 or less, OpenCV 4.11 to 5.0
#: reads uninitialized memory and may detect faces that do not exist.
LEAST_SIDE = 64

#: Minimum confidence of a face in a whole picture, and in the repeated detection of a known face.
LEAST_CONFIDENCE = 0.6
LEAST_AGAIN = 0.3

#: If any face has this confidence, boxes below it (blurred hands, backs of heads) are ignored.
SURE = 0.8

#: In a repeated detection: the face's longer side and the side of the square around it, in pixels.
FACE_SIDE = 200
CUT_SIDE = 320

#: Maximum roll in degrees at which the landmarks of a large face are accurate, and the maximum
#: number of repeated detections to bring a face within it.
UPRIGHT = 8
MOST_REPEATS = 3

CHIP_SIDE = 112

#: Positions of the eyes, the nose and the corners of the mouth in a chip: ArcFace's template, which
#: SFace was trained with (opencv/opencv, modules/objdetect/src/face_recognize.cpp).
_PLACES = np.column_stack(
    [
        (38.2946, 73.5318, 56.0252, 41.5493, 70.7299),
        (51.6963, 51.5014, 71.7366, 92.3655, 92.2041),
    ]
)

#: Rows and columns of a chip in which brightness and sharpness are measured.
_FACE = slice(6, 106)

#: Chips with a mean brightness (0-100) outside this range are enhanced. Usual values: 30-72.
DARK = 20
BRIGHT = 75

#: Exceptions that Pillow's decoders raise for damaged files.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    struct.error,
    Image.DecompressionBombError,
)


#: Held while the level of OpenCV's log is changed. The level belongs to the whole process: of two
#: threads that change it at once, the second would restore the level that the first had set.
_log_level_lock = fork_safe_lock()


def decode(data: bytes) -> tuple[Image.Image, tuple[int, int]]:
    """Return the first frame (RGB, upright by EXIF, at most 1024 pixels a side) and its full size.

    Raises:
        InvalidImage: the data is not a picture, or the picture is damaged.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = image.size
            if image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8):
                size = size[::-1]
            # A JPEG is decoded directly at a half, a quarter or an eighth of its size.
            image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _as_rgb(image)
            pixels.thumbnail((WORKING_SIDE, WORKING_SIDE))
    except _DAMAGE as error:
        problem = type(error).__name__
    else:
        return pixels, size
    # Raised outside the except block, because the frames of Pillow's error hold the picture.
    del data
    raise InvalidImage(f"The picture cannot be decoded ({problem}).")


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "P" and "transparency" in image.info:
        # Pillow warns if a palette with transparency is converted directly to RGB.
        image = image.convert("RGBA")
    elif image.mode.startswith("I;16"):
        # Pillow's direct conversion to RGB clips 16 bits to 8: the result is almost white.
        image = image.convert("I").point(lambda shade: shade * (1 / 257))
    return image.convert("RGB")


def _shrink(pixels: NDArray[np.uint8], side: int) -> NDArray[Any]:
    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = [max(1, round(length * scale)) for length in pixels.shape[1::-1]]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


@attrs.frozen(eq=False)
class _Turn:
    """A picture turned clockwise, and the faces that the detector found in it.

    Attributes:
        quarter_turns: 0 to 3.
        pixels: The turned picture.
        faces: One row for each face, the largest first; see `Parts.find`.
        pixels_per_detector_pixel: How far the picture was shrunk for the detector.
    """

    quarter_turns: int
    pixels: NDArray[np.uint8]
    faces: NDArray[np.float32]
    pixels_per_detector_pixel: float


class Parts:
    """The loaded models. Thread-safe."""

    def __init__(self) -> None:
        """Load the models. This takes about half a second.

        Raises:
            ConfigurationError: OpenCV is too old, or a model file is missing or damaged.
        """
        version = tuple(map(int, re.findall(r"\d+", cv2.__version__)[:2]))
        if version < OLDEST_OPENCV:
            raise ConfigurationError(
                f"OpenCV {cv2.__version__} is too old: the local backend needs 4.11 or newer. "
                "Upgrade opencv-python-headless, or the package that installed cv2."
            )
        self._detector_file = np.frombuffer(read_model(DETECTION), np.uint8)
        self._detectors: list[Any] = []
        # OpenCV 5's cv2.FaceRecognizerSF rejects this file because of 29 unused inputs.
        self._network = cv2.dnn.readNetFromONNX(np.frombuffer(read_model(RECOGNITION), np.uint8))
        self._network_lock = threading.Lock()

    @contextlib.contextmanager
    def _detector(self) -> Iterator[Any]:
        """Yield a detector for exclusive use: sharing one between threads crashes the process."""
        try:
            detector = self._detectors.pop()
        except IndexError:
            detector = _new_detector(self._detector_file)
        yield detector
        self._detectors.append(detector)

    def find(self, pixels: NDArray[Any], least: float) -> NDArray[np.float32]:
        """Return one row per face: left, top, width, height, five landmarks (x, y), confidence."""
        height, width = pixels.shape[:2]
        missing_rows = max(0, LEAST_SIDE - height)
        missing_columns = max(0, LEAST_SIDE - width)
        if missing_rows or missing_columns:
            pixels = cv2.copyMakeBorder(
                pixels, 0, missing_rows, 0, missing_columns, cv2.BORDER_CONSTANT
            )
        with self._detector() as detector:
            detector.setScoreThreshold(least)
            detector.setInputSize(pixels.shape[1::-1])
            faces = detector.detect(pixels)[1]
            return np.empty((0, 15), np.float32) if faces is None else faces.copy()

    def _detect(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        """Return the faces, largest first, and the number of picture pixels per detector pixel."""
        for side in DETECTION_SIDES:
            small = _shrink(pixels, side)
            faces = self.find(small, LEAST_CONFIDENCE)
            if len(faces):
                break
        scale = max(pixels.shape) / max(small.shape)
        faces = faces[faces[:, 14] >= min(SURE, faces[:, 14].max(initial=0))]
        faces[:, :14] = scale * faces[:, :14]
        return faces[np.argsort(-faces[:, 2] * faces[:, 3], kind="stable")], scale

    def _landmarks(
        self, pixels: NDArray[np.uint8], face: NDArray[np.float32], scale: float
    ) -> NDArray[np.float64]:
        """Return the landmarks of a face, shape (5, 2), in pixels of this picture.

        The detector underestimates the roll of a face, especially of a small face. So the detection
        is repeated until the face is large and upright in the detector's input.
        """
        points = face[4:14].reshape(5, 2).astype(np.float64)
        middle = face[:2] + face[2:4] / 2
        side = float(max(face[2:4]))
        angle = _roll(points)
        if side / scale >= FACE_SIDE and abs(angle) <= UPRIGHT:
            return points
        zoom = FACE_SIDE / side
        interpolation = cv2.INTER_AREA if zoom < 0.5 else cv2.INTER_LINEAR
        for _ in range(MOST_REPEATS):
            matrix: Any = cv2.getRotationMatrix2D(middle.astype(float).tolist(), angle, zoom)
            matrix[:, 2] += CUT_SIDE / 2 - middle
            cut = cv2.warpAffine(pixels, matrix, (CUT_SIDE, CUT_SIDE), flags=interpolation)
            faces = self.find(cut, LEAST_AGAIN)
            middles = faces[:, :2] + faces[:, 2:4] / 2
            across, down = (middles - CUT_SIDE / 2).T
            distances = np.hypot(across, down)
            if not len(faces) or distances.min() > FACE_SIDE / 3:
                break
            points_in_cut = faces[distances.argmin(), 4:14].reshape(5, 2).astype(np.float64)
            (points,) = cv2.transform(points_in_cut[None], cv2.invertAffineTransform(matrix))
            remaining_roll = _roll(points_in_cut)
            if abs(remaining_roll) <= UPRIGHT:
                break
            angle += remaining_roll
        return points

    def cut(self, data: bytes, *, rotate: bool) -> tuple[PictureFaces, NDArray[np.uint8] | None]:
        """Find the faces and cut out the largest face's chip, without computing the embedding."""
        image, size = decode(data)
        upright = np.asarray(image)[:, :, ::-1]
        turns = []
        for quarter_turns in range(4 if rotate else 1):
            pixels = np.ascontiguousarray(np.rot90(upright, -quarter_turns))
            faces, pixels_per_detector_pixel = self._detect(pixels)
            turns.append(_Turn(quarter_turns, pixels, faces, pixels_per_detector_pixel))
        best = max(turns, key=lambda turn: turn.faces[:, 14].max(initial=0))
        if best.quarter_turns % 2:
            size = size[::-1]
        if not len(best.faces):
            return PictureFaces(boxes=(), size=size), None
        scale = np.array(size) / best.pixels.shape[1::-1]
        largest = best.faces[0]
        points = self._landmarks(best.pixels, largest, best.pixels_per_detector_pixel)
        onto_chip = fit(points, _PLACES)
        chip: Any = cv2.warpAffine(best.pixels, onto_chip, (CHIP_SIDE, CHIP_SIDE))
        grey = cv2.cvtColor(chip, cv2.COLOR_BGR2GRAY)[_FACE, _FACE]
        luminance = float(grey.mean()) / 255 * 100
        faces_of_picture = PictureFaces(
            boxes=tuple(_box(face, scale, size) for face in best.faces),
            size=size,
            angle=best.quarter_turns * 90,
            face_px=max(1, round(float(largest[2] * scale[0]))),
            luminance=luminance,
            sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        )
        return faces_of_picture, _enhance(chip, luminance)

    def look(self, data: bytes, *, rotate: bool) -> PictureFaces:
        """Find the faces and embed the largest."""
        faces, chip = self.cut(data, rotate=rotate)
        return faces if chip is None else attrs.evolve(faces, embedding=self.embed(chip))

    def embed(self, chip: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the embedding, shape (128,), of a BGR chip, shape (112, 112, 3)."""
        blob = chip[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)
        with self._network_lock:
            self._network.setInput(blob, "data")
            numbers = self._network.forward().ravel()
        embedding: NDArray[np.float32] = numbers / np.linalg.norm(numbers)
        embedding.flags.writeable = False
        return embedding


def _enhance(chip: NDArray[np.uint8], luminance: float) -> Any:
    """Brighten and smooth a dark chip, smooth a bright one, and return any other unchanged."""
    if luminance < DARK:
        brighter = cv2.convertScaleAbs(chip, alpha=43 / max(luminance, 1))
        return cv2.GaussianBlur(brighter, (0, 0), 1.2)
    return cv2.GaussianBlur(chip, (0, 0), 0.8) if luminance > BRIGHT else chip


def _new_detector(file: NDArray[np.uint8]) -> Any:
    with _quiet_opencv():
        return cv2.FaceDetectorYN.create("onnx", file, np.empty(0, np.uint8), (1, 1), top_k=50)


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Let OpenCV log errors only, as OpenCV 5.0 warns on stderr for each new detector."""
    logging = getattr(cv2.utils, "logging", None)
    if logging is None:  # OpenCV 4.11 cannot change the level, and does not warn
        yield
        return
    with _log_level_lock:
        level_of_application = logging.setLogLevel(logging.LOG_LEVEL_ERROR)
        try:
            yield
        finally:
            logging.setLogLevel(level_of_application)


def _roll(points: NDArray[np.float64]) -> float:
    """Return the angle in degrees of the line from the first eye to the second."""
    across, down = points[1] - points[0]
    return float(np.degrees(np.arctan2(down, across)))


def fit(points: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix, shape (2, 3), that best maps `points` to `places`.

    The map rotates, scales and shifts, but does not reflect (least squares, Umeyama 1991).
    """
    x, y = (points - points.mean(0)).T
    u, v = (places - places.mean(0)).T
    spread = x @ x + y @ y
    cosine = (x @ u + y @ v) / spread
    sine = (x @ v - y @ u) / spread
    turn = np.array([(cosine, -sine), (sine, cosine)])
    return np.column_stack([turn, places.mean(0) - turn @ points.mean(0)])


def _box(face: NDArray[np.float32], scale: NDArray[np.float64], size: tuple[int, int]) -> FaceBox:
    """Return the box of a face in pixels of the full size, clipped to the picture."""
    top_left = np.rint(face[:2] * scale)
    bottom_right = np.rint((face[:2] + face[2:4]) * scale)
    left, top = np.clip(top_left, 0, np.array(size) - 1)
    right, bottom = np.clip(bottom_right, 1, size)
    return FaceBox(
        left=int(left),
        top=int(top),
        right=int(right),
        bottom=int(bottom),
        confidence=float(face[14]),
    )

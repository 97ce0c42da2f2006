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
LEAST_CONFIDENCE, LEAST_AGAIN = 0.6, 0.3

#: If any face has this confidence, boxes below it (blurred hands, backs of heads) are ignored.
SURE = 0.8

#: In a repeated detection: the face's longer side and the side of the square around it, in pixels.
FACE_SIDE, CUT_SIDE = 200, 320

#: Maximum roll in degrees at which the landmarks of a large face are accurate, and the maximum
#: number of repeated detections to bring a face within it.
UPRIGHT, MOST_REPEATS = 8, 3

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
DARK, BRIGHT = 20, 75

#: Exceptions that Pillow's decoders raise for damaged files.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError),
    *(struct.error, Image.DecompressionBombError),
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
        what = type(error).__name__
    else:
        return pixels, size
    # Raised outside the except block, because the frames of Pillow's error hold the picture.
    del data
    raise InvalidImage(f"The picture cannot be decoded ({what}).")


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
        down, right = (max(0, LEAST_SIDE - length) for length in pixels.shape[:2])
        if down or right:
            pixels = cv2.copyMakeBorder(pixels, 0, down, 0, right, cv2.BORDER_CONSTANT)
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
        middle, side = face[:2] + face[2:4] / 2, float(max(face[2:4]))
        angle = _roll(points)
        if side / scale >= FACE_SIDE and abs(angle) <= UPRIGHT:
            return points
        zoom = FACE_SIDE / side
        how = cv2.INTER_AREA if zoom < 0.5 else cv2.INTER_LINEAR
        for _ in range(MOST_REPEATS):
            matrix: Any = cv2.getRotationMatrix2D(middle.astype(float).tolist(), angle, zoom)
            matrix[:, 2] += CUT_SIDE / 2 - middle
            cut = cv2.warpAffine(pixels, matrix, (CUT_SIDE, CUT_SIDE), flags=how)
            faces = self.find(cut, LEAST_AGAIN)
            away = np.hypot(*(faces[:, :2] + faces[:, 2:4] / 2 - CUT_SIDE / 2).T)
            if not len(faces) or away.min() > FACE_SIDE / 3:
                break
            found = faces[away.argmin(), 4:14].reshape(5, 2).astype(np.float64)
            points = cv2.transform(found[None], cv2.invertAffineTransform(matrix))[0]
            rest = _roll(found)
            if abs(rest) <= UPRIGHT:
                break
            angle += rest
        return points

    def cut(self, data: bytes, *, rotate: bool) -> tuple[PictureFaces, NDArray[np.uint8] | None]:
        """Find the faces and cut out the largest face's chip, without computing the embedding."""
        image, size = decode(data)
        upright = np.asarray(image)[:, :, ::-1]
        turns = [np.ascontiguousarray(np.rot90(upright, -turn)) for turn in range(1 + 3 * rotate)]
        found = [self._detect(pixels) for pixels in turns]
        best = max(range(len(turns)), key=lambda turn: found[turn][0][:, 14].max(initial=0))
        (faces, seen_at), pixels = found[best], turns[best]
        size = size[::-1] if best % 2 else size
        if not len(faces):
            return PictureFaces(boxes=(), size=size), None
        scale = np.array(size) / pixels.shape[1::-1]
        onto_chip = fit(self._landmarks(pixels, faces[0], seen_at), _PLACES)
        chip: Any = cv2.warpAffine(pixels, onto_chip, (CHIP_SIDE, CHIP_SIDE))
        grey = cv2.cvtColor(chip, cv2.COLOR_BGR2GRAY)[_FACE, _FACE]
        luminance = float(grey.mean()) / 255 * 100
        return PictureFaces(
            boxes=tuple(_box(face, scale, size) for face in faces),
            size=size,
            angle=best * 90,
            face_px=max(1, round(float(faces[0][2] * scale[0]))),
            luminance=luminance,
            sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        ), _enhance(chip, luminance)

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
    (x, y), (u, v) = (points - points.mean(0)).T, (places - places.mean(0)).T
    a, b = np.array([x @ u + y @ v, x @ v - y @ u]) / (x @ x + y @ y)
    turn = np.array([(a, -b), (b, a)])
    return np.column_stack([turn, places.mean(0) - turn @ points.mean(0)])


def _box(face: NDArray[np.float32], scale: NDArray[np.float64], size: tuple[int, int]) -> FaceBox:
    """Return the box of a face in pixels of the full size, clipped to the picture."""
    left, top = np.clip(np.rint(face[:2] * scale), 0, np.array(size) - 1)
    right, bottom = np.clip(np.rint((face[:2] + face[2:4]) * scale), 1, size)
    return FaceBox(int(left), int(top), int(right), int(bottom), float(face[14]))

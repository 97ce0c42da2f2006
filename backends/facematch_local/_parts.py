"""The loaded models, and what they do with one picture. Importing this loads dlib and ONNX Runtime.

dlib finds the face, its five points, and cuts out the chip: 150 x 150 pixels, upright, eyes at
fixed places. ONNX Runtime computes the embedding.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

import attrs
import dlib
import numpy as np
from PIL import Image

from . import _graph, _models, _runtime, _weights
from ._detection import Candidate, detect
from ._faces import FaceBox, PictureFaces
from ._pictures import Picture, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


class Parts:
    """Everything that takes time to load. All methods may be called from several threads."""

    def __init__(self) -> None:
        """Load the models, about half a second."""
        self._session = _open_session()
        self._predictor = dlib.shape_predictor(str(_models.find_file(_models.LANDMARKS)))
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
            embeddings[batch] = self._session.run(None, {_graph.CHIPS: chips[batch]})[0]
        embeddings.flags.writeable = False
        return embeddings


def _open_session() -> Any:
    """The network, ready to run. Everything that it was built from is given back on return."""
    network = _weights.read(_models.find_file(_models.RECOGNITION).read_bytes())
    graph = _graph.build(network)
    del network
    return _runtime.open_session(graph)


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

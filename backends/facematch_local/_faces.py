"""What the engine saw in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

import attrs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FaceBox(NamedTuple):
    """A detected face.

    Attributes:
        left, top, right, bottom: Edges in pixels of the upright picture in its full size, inside
            of the picture; right and bottom are the first column and row outside of the face.
        confidence: dlib's detection score, at least 0.25, seldom above 3. It says how surely this
            is a frontal face, nothing about who it is.
    """

    left: int
    top: int
    right: int
    bottom: int
    confidence: float


@attrs.frozen(kw_only=True, eq=False)
class PictureFaces:
    """What the engine saw in one picture. It is never pickled: an embedding is biometric data.

    Attributes:
        boxes: All faces, the largest first; empty if none was found. The first one is meant by
            all attributes below.
        size: Width and height in pixels of the upright picture: as the EXIF orientation says,
            then turned by `angle`.
        angle: Degrees clockwise, 0, 90, 180 or 270, by which the picture was turned, after the
            EXIF orientation, to find the face.
        embedding: float32, (128,), read-only; None without a face. Its length is not 1. The
            Euclidean distance of two says how alike the faces are.
        face_px: Width of the face in pixels of the picture in its full size, at least 1; None
            without a face.
        luminance: Mean brightness of the face, 0-100 (black to white); None without a face.
        sharpness: Variance of the Laplacian of the face, scaled to 100 x 100 grey levels 0-255, at
            least 0. Low if blurred or enlarged, high if sharp, noisy or strongly lit. None without
            a face.
    """

    boxes: tuple[FaceBox, ...]
    size: tuple[int, int]
    angle: int = 0
    embedding: NDArray[np.float32] | None = attrs.field(default=None, repr=False)
    face_px: int | None = None
    luminance: float | None = None
    sharpness: float | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("PictureFaces holds biometric data and can be neither pickled nor copied")

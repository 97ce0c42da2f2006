"""What the engine saw in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

import attrs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FaceBox(NamedTuple):
    """A face in pixels of the upright picture; right and bottom are the first outside of it."""

    left: int
    top: int
    right: int
    bottom: int
    #: dlib's detection score, at least 0.25, seldom above 3.
    confidence: float


@attrs.frozen(kw_only=True, eq=False)
class PictureFaces:
    """What the engine saw in one picture. It is never pickled: an embedding is biometric data."""

    #: The largest first, which all that is None without a face is about.
    boxes: tuple[FaceBox, ...]
    #: Width and height in pixels of the upright picture, turned by `angle`.
    size: tuple[int, int]
    #: Degrees clockwise, after the EXIF orientation.
    angle: int = 0
    #: (128,), read-only; its length is not 1.
    embedding: NDArray[np.float32] | None = attrs.field(default=None, repr=False)
    #: Width of the face in pixels of the full size, at least 1.
    face_px: int | None = None
    #: Mean brightness of the face, 0-100.
    luminance: float | None = None
    #: Variance of the Laplacian of the face, scaled to 100 x 100 grey levels 0-255.
    sharpness: float | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("PictureFaces holds biometric data and can be neither pickled nor copied")

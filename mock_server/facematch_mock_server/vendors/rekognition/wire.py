"""How Rekognition writes a face's place in a picture."""

from __future__ import annotations

from facematch_core import Image
from facematch_mock_server.recognition.outcomes import SeenFace


def bounding_box(image: Image, face: SeenFace) -> dict[str, float]:
    """Return a face's bounding box as fractions of the picture's width and height."""
    left, top, right, bottom = face.box
    return {
        "Width": (right - left) / image.width,
        "Height": (bottom - top) / image.height,
        "Left": left / image.width,
        "Top": top / image.height,
    }

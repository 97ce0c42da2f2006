"""Backend `rekognition`: face verification with Amazon Rekognition."""

from .backend import QualityFilter, RekognitionBackend, UnreadableObject
from .sessions import Challenge, FaceLivenessOptions

__all__ = [
    "Challenge", "FaceLivenessOptions", "QualityFilter", "RekognitionBackend", "UnreadableObject",
]  # fmt: skip

"""Backend `rekognition`: face verification with Amazon Rekognition."""

from .backend import RekognitionBackend
from .sessions import Challenge, FaceLivenessOptions

__all__ = ["Challenge", "FaceLivenessOptions", "RekognitionBackend"]

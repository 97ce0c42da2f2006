"""Backend `rekognition`: face verification with Amazon Rekognition."""

from .backend import QualityFilter, RekognitionBackend
from .sessions import Challenge, FaceLivenessOptions

__all__ = ["Challenge", "FaceLivenessOptions", "QualityFilter", "RekognitionBackend"]

"""The backend `rekognition`: face verification by Amazon Rekognition."""

from .backend import RekognitionBackend

__all__ = ["RekognitionBackend"]

"""Backend `deepface`: face match and passive liveness with a DeepFace server."""

from .backend import DeepfaceBackend

__all__ = ["DeepfaceBackend"]

"""The DeepFace server for facematch: faces are compared on hardware of one's own."""

from ._backend import DeepfaceBackend, DeepfaceOptions

__all__ = ["DeepfaceBackend", "DeepfaceOptions"]

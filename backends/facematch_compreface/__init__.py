"""The backend `compreface`: face verification by a CompreFace server of one's own."""

from .backend import ComprefaceBackend

__all__ = ["ComprefaceBackend"]

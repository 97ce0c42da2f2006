"""Backend `compreface`: face verification on a CompreFace server that you run."""

from .backend import ComprefaceBackend

__all__ = ["ComprefaceBackend"]

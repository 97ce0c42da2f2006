"""Backend `facepp`: face match with Face++ (Megvii)."""

from .backend import FaceppBackend

__all__ = ["FaceppBackend"]

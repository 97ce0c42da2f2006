"""Backend `regula`: face match with a Regula FaceSDK web service."""

from .backend import RegulaBackend

__all__ = ["RegulaBackend"]

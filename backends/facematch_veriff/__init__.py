"""Backend `veriff`: Veriff's hosted sessions."""

from .backend import VeriffBackend, VeriffSessionOptions

__all__ = ["VeriffBackend", "VeriffSessionOptions"]

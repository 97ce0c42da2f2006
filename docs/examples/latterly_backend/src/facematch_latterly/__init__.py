"""Latterly for facematch: an invented vendor that answers later."""

from ._backend import LatterlyBackend

__all__ = ["LatterlyBackend"]

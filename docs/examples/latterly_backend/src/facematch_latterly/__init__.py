"""Latterly for facematch: an invented vendor, to be replaced by yours."""

from ._backend import LatterlyBackend

__all__ = ["LatterlyBackend"]

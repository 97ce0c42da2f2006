"""Acme for facematch: an invented vendor, to be replaced by yours."""

from ._backend import AcmeBackend

__all__ = ["AcmeBackend"]

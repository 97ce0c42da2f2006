"""Didit, as the mock imitates it."""

from __future__ import annotations

from ._vendor import Didit

__all__ = ["Didit"]

"""Deepvue, as the mock imitates it."""

from __future__ import annotations

from ._vendor import Deepvue

__all__ = ["Deepvue"]

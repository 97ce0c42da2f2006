"""Deepvue, as the mock imitates it."""

from .api import VENDOR

__all__ = ["VENDOR"]

"""Azure AI Face, as the mock imitates it."""

from .vendor import VENDOR

__all__ = ["VENDOR"]

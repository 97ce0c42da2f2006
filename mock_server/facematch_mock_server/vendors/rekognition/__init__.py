"""Amazon Rekognition, as the mock imitates it."""

from .vendor import VENDOR

__all__ = ["VENDOR"]

"""The backend `azure`: face verification by Azure AI Face."""

from .backend import AzureBackend

__all__ = ["AzureBackend"]

"""Backend `azure`: face verification with Azure AI Face."""

from .backend import AzureBackend
from .sessions import AzureSessionOptions, OperationMode

__all__ = ["AzureBackend", "AzureSessionOptions", "OperationMode"]

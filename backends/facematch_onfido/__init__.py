"""Backend `onfido`: hosted sessions with Onfido Studio (Entrust IDV)."""

from .backend import OnfidoBackend, OnfidoSessionOptions

__all__ = ["OnfidoBackend", "OnfidoSessionOptions"]

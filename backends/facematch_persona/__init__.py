"""Backend `persona`: hosted sessions with Persona's inquiries."""

from .backend import PersonaBackend

__all__ = ["PersonaBackend"]

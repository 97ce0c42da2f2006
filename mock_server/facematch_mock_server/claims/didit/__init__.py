"""What the mock claims about Didit, by area, and the editions that the documents tell apart."""

from __future__ import annotations

from . import access, credit, fields, liveness, match, risks, shared
from .editions import DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES

__all__ = ["CLAIMS", "DEFAULT_EDITION", "EDITIONS", "SETTINGS", "SWITCHES"]

CLAIMS = (
    *access.CLAIMS,
    *fields.CLAIMS,
    *shared.CLAIMS,
    *match.CLAIMS,
    *liveness.CLAIMS,
    *risks.CLAIMS,
    *credit.CLAIMS,
)

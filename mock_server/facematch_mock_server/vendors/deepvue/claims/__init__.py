"""What the mock claims about Deepvue, by area, and what may be set apart from its documents."""

from __future__ import annotations

from . import access, answers, bodies, errors, liveness, match, rates, tokens, wallet
from .editions import DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES

__all__ = ["CLAIMS", "DEFAULT_EDITION", "EDITIONS", "SETTINGS", "SWITCHES"]

CLAIMS = (
    *access.CLAIMS,
    *tokens.CLAIMS,
    *rates.CLAIMS,
    *bodies.CLAIMS,
    *answers.CLAIMS,
    *match.CLAIMS,
    *liveness.CLAIMS,
    *wallet.CLAIMS,
    *errors.CLAIMS,
)

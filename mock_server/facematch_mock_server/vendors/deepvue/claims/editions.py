"""The edition of Deepvue's documents, and what a test may set apart from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULT_EDITION = "2026-11"

#: There is one: the documents contradict each other, but nothing tells older ones from newer ones.
EDITIONS: Mapping[str, Mapping[str, Any]] = {
    "2026-11": {
        "bad_token": 403,
        "expiry": "iso",
        "token_type": "bearer",
        "error_shape": "detail",
        "no_face": 422,
        "confidence_as": "similarity",
        "code": "status",
        "liveness_score": "null",
        "plan": "none",
        "retry_after": False,
    }
}

#: Named behaviours that may be set apart from the edition, each with its values.
SWITCHES: Mapping[str, tuple[Any, ...]] = {
    "bad_token": (403, 401),
    "expiry": ("iso", "24hrs", "digits", "expires_in", "missing"),
    "token_type": ("bearer", "Bearer"),
    "error_shape": ("detail", "envelope"),
    "no_face": (422, 200),
    "confidence_as": ("similarity", "decision", "null"),
    "code": ("status", "null"),
    "liveness_score": ("null", "number"),
    "plan": ("none", "starter", "business", "growth", "enterprise"),
    "retry_after": (False, True),
}

#: Numbers that may be set, with the behaviour that each is and what kind of number it takes.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "token_life_s": ("token.life_s", "seconds"),
    "second_limit": ("rate.second.limit", "limit"),
    "minute_limit": ("rate.minute.limit", "limit"),
    "day_limit": ("rate.day.limit", "limit"),
    "start_credit": ("credit.start", "amount"),
    "price_match": ("credit.price.match", "amount"),
    "price_liveness": ("credit.price.liveness", "amount"),
    "match_from": ("match.from", "score"),
    "equal_bytes": ("match.equal_bytes", "score"),
    "liveness_from": ("liveness.from", "score"),
}

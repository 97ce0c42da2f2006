"""The editions of Didit's documents, as named behaviours, and what a test may set by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULT_EDITION = "2026-07"

_INDEPENDENT: dict[str, Any] = {"undecodable": 200, "credits_before_validation": False}
_MARCH: dict[str, Any] = {
    "auth_errors": "401",
    "boundary": "inclusive",
    "score_type": "integer",
    "no_face_risk": "NO_FACE_DETECTED",
    "warning_keys": 4,
    "echo_fields": False,
    "created_at_style": "Z",
    "get_limit": 300,
    "entity_race": False,
    "quality_warnings": True,
    "in_review": True,
    **_INDEPENDENT,
}
_JULY: dict[str, Any] = {
    "auth_errors": "403",
    "boundary": "exclusive",
    "score_type": "float",
    "no_face_risk": "NO_REFERENCE_IMAGE",
    "warning_keys": 6,
    "echo_fields": True,
    "created_at_style": "+00:00",
    "get_limit": 600,
    "entity_race": True,
    "quality_warnings": False,
    "in_review": False,
    **_INDEPENDENT,
}

EDITIONS: Mapping[str, Mapping[str, Any]] = {
    "2026-03": _MARCH,
    "2026-07": _JULY,
    "2026-11": {**_JULY, "auth_errors": "scoped"},
}

#: Named behaviours that may be set apart from an edition, each with its values.
SWITCHES: Mapping[str, tuple[Any, ...]] = {
    "auth_errors": ("401", "403", "scoped"),
    "boundary": ("inclusive", "exclusive"),
    "score_type": ("integer", "float"),
    "no_face_risk": ("NO_FACE_DETECTED", "NO_REFERENCE_IMAGE"),
    "warning_keys": (4, 6),
    "echo_fields": (False, True),
    "created_at_style": ("Z", "+00:00"),
    "undecodable": (200, 400),
    "credits_before_validation": (False, True),
}

#: Numbers that may be set, with the behaviour that each is and what kind of number it takes.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "size_limit_bytes": ("file.size_limit", "count"),
    "write_limit": ("rate.write.limit", "limit"),
    "get_limit": ("rate.get.limit", "limit"),
    "start_credit": ("credit.start", "amount"),
    "price_match": ("credit.price.match", "amount"),
    "price_liveness": ("credit.price.liveness", "amount"),
}

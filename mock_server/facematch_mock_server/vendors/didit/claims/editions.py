"""The editions of Didit's documents, as named behaviours, and what a test may set by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULT_EDITION = "2026-07"

_INDEPENDENT: dict[str, Any] = {
    "undecodable": 200,
    "credits_before_validation": False,
    "empty_blocks": "null",
    "v2_prefix": False,
    "event_id_per_attempt": False,
    "allow_http_webhooks": True,
    "reserved_domains": "refused",
}
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
    "age_key": "liveness",
    "search_style": "early",
    "lists": False,
    "quality_warnings": True,
    "in_review": True,
    "delete_status": 204,
    "paging": "pages",
    "single_webhook": True,
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
    "age_key": "age_estimation",
    "search_style": "plain",
    "lists": False,
    "quality_warnings": False,
    "in_review": False,
    "delete_status": 204,
    "paging": "offset",
    "single_webhook": False,
    **_INDEPENDENT,
}

EDITIONS: Mapping[str, Mapping[str, Any]] = {
    "2026-03": _MARCH,
    "2026-07": _JULY,
    "2026-11": {
        **_JULY,
        "auth_errors": "scoped",
        "delete_status": 200,
        "search_style": "templates",
        "lists": True,
    },
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
    "age_key": ("liveness", "age_estimation"),
    "lists": (False, True),
    "empty_blocks": ("null", "list"),
    "delete_status": (204, 200),
    "v2_prefix": (False, True),
    "event_id_per_attempt": (False, True),
    "allow_http_webhooks": (True, False),
    "reserved_domains": ("refused", "accepted"),
}

#: Numbers that may be set, with the behaviour that each is and what kind of number it takes.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "size_limit_bytes": ("file.size_limit", "count"),
    "write_limit": ("rate.write.limit", "limit"),
    "get_limit": ("rate.get.limit", "limit"),
    "decision_limit": ("rate.decision.limit", "limit"),
    "media_ttl_s": ("media.ttl_s", "seconds"),
    "management_limit": ("rate.management.limit", "limit"),
    "register_limit": ("rate.register.limit", "limit"),
    "otp_lifetime_s": ("code.lifetime_s", "seconds"),
    "otp_wait_s": ("resend.wait_s", "seconds"),
    "token_lifetime_s": ("token.lifetime_s", "seconds"),
    "start_credit": ("credit.start", "amount"),
    "price_match": ("credit.price.match", "amount"),
    "price_liveness": ("credit.price.liveness", "amount"),
    "price_search": ("credit.price.search", "amount"),
    "price_age": ("credit.price.age", "amount"),
    "index_certain": ("index.certain", "score"),
    "index_possible": ("index.possible", "score"),
}

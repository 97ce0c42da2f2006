"""What of Deepvue's words may be repeated: an answer may echo what was sent, a picture too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_core.http import HttpReply, excerpt

#: Deepvue's ids are 32 hex digits in one sample and a dashed UUID in another; their form is not
#: documented (Deepvue docs, Face Match v1 and v2, read 2026-11-20).
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
#: Ours: no word that the pages show is nearly as long, and a piece of a picture is longer.
_LONG_WORD = re.compile(r"\S{64,}")


def masked(text: str | None, reply: HttpReply) -> str | None:
    """A text of the vendor's as the core repeats one: masked, then shortened; None if empty."""
    if not text:
        return None
    return excerpt(attrs.evolve(reply, body=json.dumps({"detail": text}).encode())) or None


def masked_fields(
    fields: Mapping[str, tuple[str, ...]], reply: HttpReply
) -> dict[str, tuple[str, ...]]:
    """The same of texts by field; names that cannot be told apart any more share an entry."""
    told: dict[str, tuple[str, ...]] = {}
    for name, texts in fields.items():
        key = masked(name, reply) or ""
        told[key] = (*told.get(key, ()), *(masked(text, reply) or "" for text in texts))
    return told


def without_long_words(value: Any) -> Any:
    """Plain JSON with every word of 64 characters or more masked, in keys as in values."""
    if isinstance(value, str):
        return _LONG_WORD.sub("***", value)
    if isinstance(value, dict):
        return {without_long_words(key): without_long_words(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_long_words(item) for item in value]
    return value


def transaction_id(body: Mapping[str, Any]) -> str | None:
    """Deepvue's id of a call; None if there is none, or what is there does not look like one."""
    told = body.get("transaction_id")
    return told if isinstance(told, str) and _ID.fullmatch(told) else None

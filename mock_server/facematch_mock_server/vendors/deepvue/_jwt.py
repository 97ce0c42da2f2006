"""JSON Web Tokens signed with HS256 (RFC 7519, RFC 7515): made and read back. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


def signed(claims: Mapping[str, Any], key: bytes) -> str:
    """A token with these claims."""
    parts = ({"alg": "HS256", "typ": "JWT"}, dict(claims))
    text = ".".join(_packed(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{text}.{_packed(_signature(text, key))}"


def claims_of(token: str, key: bytes) -> dict[str, Any] | None:
    """The claims of a token that was signed with `key`; None for any other text."""
    text, _, signature = token.rpartition(".")
    if not token.isascii() or not hmac.compare_digest(signature, _packed(_signature(text, key))):
        return None
    try:
        claims = json.loads(_unpacked(text.partition(".")[2]))
    except (ValueError, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


def _signature(text: str, key: bytes) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

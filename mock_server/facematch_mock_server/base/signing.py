"""The signature that most vendors put on requests and webhooks."""

from __future__ import annotations

import hmac


def hmac_hex(secret: str, message: bytes, hash_name: str = "sha256") -> str:
    """Return the lower-case hexadecimal HMAC of a message; the key is the secret in UTF-8."""
    return hmac.digest(secret.encode(), message, hash_name).hex()

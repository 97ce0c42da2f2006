"""Passwords and codes as they are kept: salted and hashed."""

from __future__ import annotations

import hashlib
import hmac
import secrets

#: A hundredth of what guards a real password: these guard nothing, and tests make many.
_COST = 2**10


def hashed(text: str) -> str:
    """`text`, salted and hashed; another result each time."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{_scrypt(text, salt)}"


def is_same(text: str, kept: str | None) -> bool:
    """Whether `kept` was made of `text`; never where nothing is kept."""
    if kept is None:
        return False
    salt, _, digest = kept.partition(":")
    return hmac.compare_digest(_scrypt(text, bytes.fromhex(salt)), digest)


def _scrypt(text: str, salt: bytes) -> str:
    sent = text.encode(errors="surrogatepass")
    return hashlib.scrypt(sent, salt=salt, n=_COST, r=8, p=1).hex()

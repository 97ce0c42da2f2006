"""Keyed digests by which a person's rows, or their member of a share, are found."""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal, TypeAlias

from facematch_core.errors import ConfigurationError

Algorithm: TypeAlias = Literal["blake2b", "sha256"]


def digest_of(
    algorithm: Algorithm,
    message: bytes,
    *,
    size: int = 32,
    key: bytes = b"",
    person: bytes = b"",
    remedy: str = "",
) -> bytes:
    """Return `size` bytes, at most 32, of keyed BLAKE2b or HMAC-SHA-256.

    Without a key, the digest of a secret is the key for others; `person` then keeps two uses of the
    same secret apart. Raise `ConfigurationError`, whose message ends with `remedy`, if this machine
    refuses BLAKE2b, as OpenSSL does in FIPS mode.
    """
    if algorithm == "sha256":
        # FIPS asks for an HMAC key of 14 bytes or more.
        return hmac.digest(key or b"facematch digest" + person, message, "sha256")[:size]
    try:
        return hashlib.blake2b(message, digest_size=size, key=key, person=person).digest()
    except ValueError:
        raise ConfigurationError(
            f"This machine is in FIPS mode and refuses BLAKE2b: {remedy}"
        ) from None

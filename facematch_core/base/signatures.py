"""The secrets and signatures of webhooks. Imports no HTTP client, for programs that only verify."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import Any

from facematch_core import errors

from .masking import Secret


def as_webhook_secrets(secrets: Any) -> tuple[Secret, ...]:
    """Return the secrets of a webhook destination: None, one, or several during a rotation.

    Raises:
        ConfigurationError: a secret is not a string, or cannot be one that a vendor issued.
    """
    if secrets is None:
        return ()
    is_single = isinstance(secrets, (str, Secret)) or hasattr(secrets, "get_secret_value")
    listed = (secrets,) if is_single else secrets
    try:
        keys = tuple(Secret.of(secret) for secret in listed)
    except TypeError:
        raise errors.ConfigurationError("A webhook secret must be a string.") from None
    if not all(re.fullmatch("(?![\"'`])[!-~]+", key.reveal()) for key in keys):
        raise errors.ConfigurationError(
            "A webhook secret is empty, in quotes, or contains a space, a line break or a "
            "non-ASCII character: set exactly the secret that the vendor shows."
        )
    return keys


def has_signature(
    message: bytes, signature: str, secrets: Iterable[Secret], *, algorithm: str = "sha256"
) -> bool:
    """Return whether a signature is the lower-case hex HMAC of the message with one of the keys."""
    given = signature.strip().encode(errors="replace")
    digests = [hmac.digest(key.reveal().encode(), message, algorithm).hex() for key in secrets]
    return any(hmac.compare_digest(digest.encode(), given) for digest in digests)

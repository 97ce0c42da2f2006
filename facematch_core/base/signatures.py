"""The headers, secrets and signatures of webhooks.

Imports no HTTP client, for programs that only verify.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from facematch_core import errors

from .masking import Secret

#: The headers of a request: a mapping, or pairs such as those of an ASGI scope.
Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]


def as_headers(headers: Headers) -> Mapping[str, str]:
    """Return the headers of a request as text, under names of any case.

    A plug-in may look for a header as its vendor writes it. Iteration yields names in lower case.
    The values of a repeated header are joined by a comma.

    Raises:
        InvalidRequest: the argument is neither a mapping nor pairs, of text or bytes.
    """
    values: dict[str, str] = {}
    try:
        pairs = headers.items() if hasattr(headers, "items") else headers
        for name, value in pairs:
            lower_name = _decode(name).lower()
            text = _decode(value)
            values[lower_name] = f"{values[lower_name]}, {text}" if lower_name in values else text
    except (TypeError, ValueError):
        pass
    else:
        # Imported here, because the command line imports this module for a setting.
        from urllib3 import HTTPHeaderDict

        return HTTPHeaderDict(values)
    # Outside the except block, because the error may contain a header.
    raise errors.InvalidRequest(
        "headers must be the request's headers, such as request.headers (not a WSGI environ or "
        "request.META): a mapping, or pairs of names and values, as text or bytes; not "
        f"{type(headers).__name__}."
    )


def _decode(text: object) -> str:
    """Return a header's name or value as text; raise TypeError if it is neither text nor bytes."""
    if isinstance(text, bytes):
        return text.decode("latin-1")
    if not isinstance(text, str):
        raise TypeError
    return text


def as_webhook_secrets(secrets: Any) -> tuple[Secret, ...]:
    """Return the secrets of a webhook destination: None, one, or several during a rotation.

    Raises:
        ConfigurationError: a secret is not a string, or cannot be one that a vendor issued; or one
            text contains a comma, because it may be several secrets.
    """
    if secrets is None:
        return ()
    # The names in a table are no secrets.
    if isinstance(secrets, (bytes, Mapping)):
        raise errors.ConfigurationError(
            "A webhook secret must be a string, several a list of them."
        )
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
    if is_single and "," in keys[0].reveal():
        raise errors.ConfigurationError(
            "A webhook secret contains a comma: give several secrets as a list of texts, and one "
            "that contains a comma as a list of one text."
        )
    return keys


def has_signature(
    message: bytes, signature: str, secrets: Iterable[Secret], *, algorithm: str = "sha256"
) -> bool:
    """Return whether a signature is the lower-case hex HMAC of the message with one of the keys."""
    given = signature.strip().encode(errors="replace")
    digests = [hmac.digest(key.reveal().encode(), message, algorithm).hex() for key in secrets]
    return any(hmac.compare_digest(digest.encode(), given) for digest in digests)

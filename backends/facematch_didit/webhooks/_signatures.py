"""Which signature fits which secret. Pure.

HMAC-SHA256 in lower-case hex; the key is the destination's ``secret_shared_key`` as UTF-8 text.
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from facematch_core import Secret

from . import _headers
from ._canonical import canonical


class SignatureVariant(enum.StrEnum):
    """What was signed. Each of them covers the whole body."""

    #: X-Signature-V2: the canonical JSON of the body. Survives proxies that write JSON anew.
    V2 = "v2"
    #: X-Signature: the bytes of the body.
    RAW = "raw"
    #: X-Signature-V2 in the reading of Didit's skills repository, early 2026: the timestamp and a
    #: colon before the canonical JSON.
    V2_PREFIXED = "v2_prefixed"


#: In the order in which they are tried.
HEADERS: Mapping[SignatureVariant, str] = MappingProxyType(
    {
        SignatureVariant.V2: _headers.SIGNATURE_V2,
        SignatureVariant.RAW: _headers.SIGNATURE,
        SignatureVariant.V2_PREFIXED: _headers.SIGNATURE_V2,
    }
)


def messages(
    body: bytes, document: Mapping[str, Any], timestamp: int
) -> dict[SignatureVariant, bytes]:
    """What each variant signs; those that cannot sign this body are missing.

    Args:
        body: As received.
        document: The same, decoded.
        timestamp: The body's own, in seconds since 1970.
    """
    found = {SignatureVariant.RAW: body}
    try:
        form = canonical(document)
    except ValueError:
        return found
    return found | {
        SignatureVariant.V2: form,
        SignatureVariant.V2_PREFIXED: b"%d:%s" % (timestamp, form),
    }


def signature(secret: str, message: bytes) -> str:
    """The signature of `message`: 64 hex digits."""
    return hmac.digest(secret.encode(), message, "sha256").hex()


def fitting(
    headers: Mapping[str, str], signed: Mapping[SignatureVariant, bytes], secrets: Sequence[Secret]
) -> tuple[SignatureVariant, int] | None:
    """The first variant that fits, and the index of the secret that it fits; None if none does.

    Args:
        headers: As of `read_headers`.
        signed: As of `messages`.
        secrets: Encodable as UTF-8.
    """
    for variant, header in HEADERS.items():
        if header not in headers or variant not in signed:
            continue
        given = headers[header].encode("utf-8", "surrogatepass")
        for index, secret in enumerate(secrets):
            wanted = signature(secret.reveal(), signed[variant]).encode()
            if hmac.compare_digest(wanted, given):
                return variant, index
    return None

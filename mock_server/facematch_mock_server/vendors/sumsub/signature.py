"""The headers and the signature of a request: make it, also again."""

from __future__ import annotations

from facematch_mock_server.base.messages import Request
from facematch_mock_server.base.signing import hmac_hex

#: The headers that every request has.
TOKEN = "x-app-token"  # noqa: S105 - the name of a header
TIMESTAMP = "x-app-access-ts"
SIGNATURE = "x-app-access-sig"


def sign(request: Request, timestamp: str, secret_key: str) -> str:
    """Return the signature of a request as sent."""
    message = f"{timestamp}{request.method}{request.target}".encode() + bytes(request.body)
    return hmac_hex(secret_key, message)


def sign_again(request: Request, *, client: str, secret: str) -> Request:
    """Return a request with another app token and its signature."""
    signature = sign(request, request.header(TIMESTAMP, ""), secret)
    return request.with_headers({TOKEN: client, SIGNATURE: signature})

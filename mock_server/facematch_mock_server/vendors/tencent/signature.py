"""The signature TC3-HMAC-SHA256.

Source: tencentcloud-sdk-python-common 3.1.195, abstract_client.py and sign.py, read 2026-11-28.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import hmac
import re

import attrs

from facematch_mock_server.vendors.kit import HeaderKey, PairCall, Request

_HEADER = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<secret_id>[^/,\s]+)/(?P<scope>[^,\s]+),\s*"
    r"SignedHeaders=(?P<signed_headers>[a-z0-9;-]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_TIMESTAMP = re.compile(r"[0-9]{1,11}", re.ASCII)
#: The greatest difference between a timestamp and the server's time.
_MAX_DIFFERENCE = dt.timedelta(minutes=5)


@attrs.frozen(kw_only=True)
class Signature:
    """The signature of a request.

    Attributes:
        secret_id: The id of the key.
        timestamp: The signed time, in Unix seconds.
        signed_headers: The names of the signed headers, with semicolons between them.
        text: The signature, in hexadecimal.
    """

    secret_id: str
    timestamp: int
    signed_headers: str
    text: str

    @property
    def signed_at(self) -> dt.datetime:
        """The signed time."""
        return dt.datetime.fromtimestamp(self.timestamp, dt.UTC)

    @property
    def scope(self) -> str:
        """The day, service and kind of request for which the signing key is derived."""
        return f"{self.signed_at:%Y-%m-%d}/iai/tc3_request"


def read_signature(request: Request) -> Signature | None:
    """Return the signature in a request; None if a part is missing, or contradicts another."""
    match = _HEADER.fullmatch(request.header("authorization", ""))
    timestamp = request.header("x-tc-timestamp", "")
    if match is None or not _TIMESTAMP.fullmatch(timestamp):
        return None
    signature = Signature(
        secret_id=match["secret_id"],
        timestamp=int(timestamp),
        signed_headers=match["signed_headers"],
        text=match["signature"],
    )
    if signature.scope != match["scope"]:
        return None
    if not {"content-type", "host"} <= set(signature.signed_headers.split(";")):
        return None
    return signature


def sign(request: Request, signature: Signature, secret_key: str) -> str:
    """Return the signature that `secret_key` makes of what `signature` covers."""
    headers = ""
    for name in signature.signed_headers.split(";"):
        headers += f"{name}:{request.header(name, '').strip().lower()}\n"
    payload: bytes | bytearray = request.body
    if request.header("x-tc-content-sha256") == "UNSIGNED-PAYLOAD":
        payload = b"UNSIGNED-PAYLOAD"
    canonical_request = (
        f"{request.method}\n{request.path}\n\n{headers}\n{signature.signed_headers}\n"
        f"{hashlib.sha256(payload).hexdigest()}"
    )
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text_to_sign = f"TC3-HMAC-SHA256\n{signature.timestamp}\n{signature.scope}\n{digest}"
    key = f"TC3{secret_key}".encode()
    for part in signature.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text_to_sign.encode(), "sha256").hex()


def sign_again(request: Request, *, client: str, secret: str) -> Request:
    """Return a signed request with the signature of another SecretId and SecretKey.

    A request without a readable signature is returned unchanged.
    """
    signature = read_signature(request)
    if signature is None:
        return request
    authorization = (
        f"TC3-HMAC-SHA256 Credential={client}/{signature.scope}, "
        f"SignedHeaders={signature.signed_headers}, "
        f"Signature={sign(request, signature, secret)}"
    )
    return request.with_headers({"authorization": authorization})


@attrs.frozen
class SigningKey(HeaderKey):
    """A SecretId in the Authorization header, whose SecretKey signs the request."""

    name: str = "authorization"

    def client_of(self, head: Request) -> str | None:
        """Return the SecretId in a request; it identifies the account."""
        match = _HEADER.fullmatch(head.header(self.name, ""))
        return None if match is None else match["secret_id"]

    def check(self, call: PairCall) -> None:
        """Refuse a call that is not signed with a valid key, or was signed too long ago."""
        if call.request.header(self.name) is None:
            call.refuse("key.missing")
        call.key_label = "wrong"
        signature = read_signature(call.request)
        if signature is None:
            call.refuse("key.malformed")
        call.check_signing_time(signature.signed_at, _MAX_DIFFERENCE)
        call.check_signer(
            signature.secret_id, signature.text, functools.partial(sign, call.request, signature)
        )
        # OURS: Any X-TC-Token is accepted: the mock's keys have none.

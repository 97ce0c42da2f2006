"""Alibaba Cloud's signatures: ACS3-HMAC-SHA256, and version 2 of older clients.

Source: alibabacloud_tea_openapi 0.4.6, client.py and utils.py, read 2026-11-29.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote, urlencode

import attrs

from facematch_mock_server.base.messages import URLENCODED, form_of
from facematch_mock_server.vendors.kit import Collection, HeaderKey, PairCall, Request, hmac_hex

_HEADER = re.compile(
    r"ACS3-HMAC-SHA256 Credential=(?P<key_id>[^,\s]+),\s*"
    r"SignedHeaders=(?P<signed_headers>[a-z0-9;-]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
#: Headers that a signature must cover.
_REQUIRED = frozenset(
    {
        "host",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-version",
    }
)
#: The greatest difference between a timestamp and the server's time.
_MAX_DIFFERENCE = dt.timedelta(minutes=15)


class Nonces:
    """The nonces that were used: the newest 10,000. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: Collection[str] = Collection(limit=10_000)

    def use(self, nonce: str) -> bool:
        """Return whether a nonce is new, and remember it."""
        with self._lock:
            is_new = self._used.find(nonce) is None
            self._used.put(nonce, nonce)
        return is_new


@attrs.frozen(kw_only=True)
class Signature:
    """The signature of a request.

    Attributes:
        key_id: The AccessKey ID.
        signed_at: The signed time.
        nonce: The signed nonce.
        text: The signature.
        sign: Returns the signature of the request by an AccessKey secret.
    """

    key_id: str
    signed_at: dt.datetime
    nonce: str
    text: str
    sign: Callable[[str], str]


def is_form(head: Request) -> bool:
    """Return whether the body of a request is a form."""
    return head.media_type == URLENCODED


def parameters_of(request: Request) -> dict[str, str]:
    """Return the parameters of the query and of the form; of a repeated one, the last."""
    parameters = dict(request.query)
    if is_form(request):
        parameters |= form_of(request).texts
    return parameters


def read_signature(request: Request) -> Signature | None:
    """Return the signature in a request; None if a part is missing or malformed."""
    if request.header("authorization") is None:
        parameters = parameters_of(request)
        key_id = parameters.get("AccessKeyId", "")
        text = parameters.get("Signature", "")
        timestamp = parameters.get("Timestamp", "")
        nonce = parameters.get("SignatureNonce", "")
        sign = functools.partial(_sign_version_2, request.method, parameters)
        is_complete = bool(key_id and text)
    else:
        match = _HEADER.fullmatch(request.header("authorization", ""))
        if match is None:
            return None
        key_id = match["key_id"]
        text = match["signature"]
        timestamp = request.header("x-acs-date", "")
        nonce = request.header("x-acs-signature-nonce", "")
        sign = functools.partial(_sign_version_3, request, match["signed_headers"])
        is_complete = set(match["signed_headers"].split(";")) >= _REQUIRED
    try:
        signed_at = dt.datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    if not nonce or not is_complete:
        return None
    return Signature(key_id=key_id, signed_at=signed_at, nonce=nonce, text=text, sign=sign)


def _encode(pairs: Iterable[tuple[str, str]]) -> str:
    """Return sorted parameters, percent-encoded as in RFC 3986."""
    return urlencode(sorted(pairs), quote_via=quote, safe="~")


def _sign_version_3(request: Request, signed_headers: str, secret: str) -> str:
    """Return the signature of the headers that a request names, and of its body."""
    headers = ""
    for name in signed_headers.split(";"):
        headers += f"{name}:{request.header(name, '').strip()}\n"
    canonical_request = (
        f"{request.method}\n{request.path}\n{_encode(request.query)}\n{headers}\n"
        f"{signed_headers}\n{hashlib.sha256(request.body).hexdigest()}"
    )
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    return hmac_hex(secret, f"ACS3-HMAC-SHA256\n{digest}".encode())


def _sign_version_2(method: str, parameters: Mapping[str, str], secret: str) -> str:
    """Return the signature of all parameters but the signature itself."""
    signed = {name: text for name, text in parameters.items() if name != "Signature"}
    text_to_sign = f"{method}&%2F&{quote(_encode(signed.items()), safe='~')}"
    digest = hmac.digest(f"{secret}&".encode(), text_to_sign.encode(), "sha1")
    return base64.b64encode(digest).decode()


def sign_again(request: Request, *, client: str, secret: str) -> Request:
    """Return a signed request with the signature of another AccessKey.

    A request without a readable signature is returned unchanged.
    """
    if read_signature(request) is None:
        return request
    match = _HEADER.fullmatch(request.header("authorization", ""))
    if match is None:
        parameters = {**parameters_of(request), "AccessKeyId": client}
        parameters["Signature"] = _sign_version_2(request.method, parameters, secret)
        # They stand in the query, or else all in the form.
        if "Signature" in dict(request.query):
            query = {name: parameters[name] for name, _ in request.query}
            return attrs.evolve(request, target=f"{request.path}?{urlencode(query)}")
        return attrs.evolve(request, body=urlencode(parameters).encode())
    digest = hashlib.sha256(request.body).hexdigest()
    unsigned = request.with_headers({"x-acs-content-sha256": digest})
    signed_headers = match["signed_headers"]
    authorization = (
        f"ACS3-HMAC-SHA256 Credential={client},SignedHeaders={signed_headers},"
        f"Signature={_sign_version_3(unsigned, signed_headers, secret)}"
    )
    return unsigned.with_headers({"authorization": authorization})


@attrs.frozen
class SigningKey(HeaderKey):
    """An AccessKey ID, in the Authorization header or a parameter, whose secret signs."""

    name: str = "authorization"

    def client_of(self, head: Request) -> str | None:
        """Return the AccessKey ID in a request; it identifies the account."""
        match = _HEADER.fullmatch(head.header(self.name, ""))
        if match is None:
            return parameters_of(head).get("AccessKeyId")
        return match["key_id"]

    def check(self, call: PairCall) -> None:
        """Refuse a call without a valid signature, and one that is old or was sent before.

        The journal's label stays "wrong" if the call is refused; `check_signer` sets the key's.
        """
        if self.client_of(call.request) is None and call.request.header(self.name) is None:
            call.refuse("key.missing")
        call.key_label = "wrong"
        signature = read_signature(call.request)
        if signature is None:
            call.refuse("key.malformed")
        call.check_signing_time(signature.signed_at, _MAX_DIFFERENCE)
        call.check_signer(signature.key_id, signature.text, signature.sign)
        if not call.world.records.use(signature.nonce):
            call.refuse("key.nonce")
        # Version 2, HMAC-SHA1 of all parameters with the signature among them, is accepted too.
        # (alibabacloud_tea_openapi 0.4.6: client.py, utils.py)
        # OURS: Any x-acs-security-token is accepted: the mock's keys have none.

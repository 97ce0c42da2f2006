"""The signatures of Veriff's requests: read and check them, and sign again."""

from __future__ import annotations

import functools
import hashlib
import re

import attrs

from facematch_mock_server.vendors.kit import Request, hmac_hex

from .access import SENT_CLIENT, VeriffCall

START_PATH = "/v1/sessions"
#: The header of the signature before X-HMAC-SIGNATURE.
OLDER_SIGNATURE = "x-signature"
MEDIA_PATH = "/v1/media"

#: The methods that sign the body; the others sign the session's id.
_SIGNING_BODIES = ("POST", "PATCH")


def secrets_of(call: VeriffCall) -> tuple[str, ...]:
    """Return the shared secrets of the call's integration."""
    return tuple(secret for secret, _ in call.world.keys.of_client(call.client))


def check_signature(call: VeriffCall) -> None:
    """Refuse a request without the signature of its body, or of the session's id."""
    signs_body = call.request.method in _SIGNING_BODIES
    message = signed_part(call.request)
    sent_signature = call.request.header("x-hmac-signature")
    sign = functools.partial(hmac_hex, message=message)
    refusal = "signature.wrong_body" if signs_body else "signature.wrong_id"
    if sent_signature is None:
        if call.request.path.rstrip("/") == START_PATH:
            # POST /v1/sessions needs no signature. That a wrong one is refused is our choice.
            # (devdocs.veriff.com, HMAC authentication)
            return
        sent_signature = call.request.header(OLDER_SIGNATURE)
        sign = functools.partial(sign_in_older_way, message)
        refusal = "signature.older_body" if signs_body else "signature.older_id"
    if sent_signature is None:
        call.refuse("signature.missing")
    if not re.fullmatch(r"[0-9a-f]{64}", sent_signature, re.IGNORECASE):
        call.refuse("signature.malformed")
    secret = call.find_signer(call.client, sent_signature.lower(), sign)
    if secret is None:
        call.key_label = "wrong"
        call.refuse(refusal)
    call.authenticate(secret)


def signed_part(request: Request) -> bytes:
    """Return what a request signs: the body of a POST or PATCH, else the id in the path."""
    if request.method in _SIGNING_BODIES:
        return bytes(request.body)
    after_prefix = request.path.removeprefix(f"{START_PATH}/").removeprefix(f"{MEDIA_PATH}/")
    return after_prefix.partition("/")[0].encode()


def sign_in_older_way(body: bytes, secret: str) -> str:
    return hashlib.sha256(body + secret.encode()).hexdigest()


def sign_again(request: Request, *, client: str, secret: str) -> Request:
    """Return a request with another API key, signed with its secret if the request was signed.

    It keeps the key that the client sent in a header of ours, for the answer and the webhooks.
    """
    headers = []
    for name, text in request.headers:
        if name == "x-auth-client":
            headers += [(name, client), (SENT_CLIENT, text)]
        elif name == "x-hmac-signature":
            headers.append((name, hmac_hex(secret, signed_part(request))))
        elif name == OLDER_SIGNATURE:
            headers.append((name, sign_in_older_way(signed_part(request), secret)))
        else:
            headers.append((name, text))
    return attrs.evolve(request, headers=tuple(headers))

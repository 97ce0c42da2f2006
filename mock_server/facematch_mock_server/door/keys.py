"""Let a program call the mock with its own key."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from facematch_mock_server.base.messages import FormError, Request, read_form
from facematch_mock_server.server import MockServer, Served
from facematch_mock_server.vendors.alibaba import signature as alibaba
from facematch_mock_server.vendors.baidu import vendor as baidu
from facematch_mock_server.vendors.base import bearer_token
from facematch_mock_server.vendors.deepvue.vendor import LOGIN
from facematch_mock_server.vendors.pairs import FormKey
from facematch_mock_server.vendors.rekognition import signature as rekognition
from facematch_mock_server.vendors.sumsub import access as sumsub
from facematch_mock_server.vendors.tencent import signature as tencent
from facematch_mock_server.vendors.veriff import vendor as veriff
from facematch_mock_server.world.keys import KeyKind

#: What a key of a sandbox begins with, at Onfido, Persona and Stripe.
_SANDBOX_PREFIXES = ("api_sandbox.", "persona_sandbox_", "rk_test_", "sk_test_")


def accept_key(server: MockServer, vendor: str, request: Request) -> Request:
    """Add an unknown key of the request to the mock's live keys; return the request to handle.

    A key that the mock knows stays as it is, also if it was revoked.
    """
    sign_as_mock = _SIGNERS.get(vendor)
    if sign_as_mock is not None:
        return sign_as_mock(server.of(vendor), request)
    definition = server.accounts.vendors[vendor]
    if not definition.first_keys:
        return request  # Regula has no keys, whatever header a program sends
    key = definition.key_of(request)
    client = None
    if vendor == "deepvue":
        client = request.header("client-id")
        if request.path == LOGIN:
            with contextlib.suppress(FormError):
                form = read_form(request.header("content-type", ""), request.body)
                # As in the mock of Deepvue, the last one of repeated fields counts.
                client = form.fields.get("client_id", [None])[-1]
                key = form.fields.get("client_secret", [None])[-1]
    if vendor == "baidu":
        # The token of a login is the mock's own, so it needs no key.
        query = dict(request.query)
        client = query.get("client_id")
        key = bearer_token(request)
        if request.path == baidu.LOGIN:
            key = query.get("client_secret")
    key_in_form = getattr(definition.behaviour, "key", None)
    if isinstance(key_in_form, FormKey):
        client = key_in_form.client_of(request)
        key = key_in_form.secret_of(request)
    kind_of_key = KeyKind.LIVE
    if key and key.startswith(_SANDBOX_PREFIXES):
        kind_of_key = KeyKind.SANDBOX
    control = server.of(vendor).control
    if key and control.world.keys.find(key) is None:
        # A text that cannot be a key is refused as usual; another account's key stays with it.
        with contextlib.suppress(ValueError):
            control.add_key(kind_of_key, key=key, client=client)
    return request


def _sign_with_known_secret(access: Served, request: Request) -> Request:
    """Replace an unknown access key and its signature by the mock's own.

    The program's secret is unknown, so its signature cannot be checked; its date still is.
    """
    signature = rekognition.read_signature(request)
    if signature is None or access.control.world.keys.of_client(signature.access_key):
        return request
    return rekognition.sign_again(request, client=access.client_id or "", secret=access.live_key)


def _sign_with_known_secret_key(access: Served, request: Request) -> Request:
    """Replace an unknown SecretId of Tencent and its signature by the mock's own, likewise."""
    secret_id = tencent.SigningKey().client_of(request)
    if secret_id is None or access.control.world.keys.of_client(secret_id):
        return request
    return tencent.sign_again(request, client=access.client_id or "", secret=access.live_key)


def _sign_with_known_access_key(access: Served, request: Request) -> Request:
    """Replace an unknown AccessKey of Alibaba and its signature by the mock's own, likewise."""
    key_id = alibaba.SigningKey().client_of(request)
    if key_id is None or access.control.world.keys.of_client(key_id):
        return request
    return alibaba.sign_again(request, client=access.client_id or "", secret=access.live_key)


def _sign_with_known_token(access: Served, request: Request) -> Request:
    """Replace an unknown app token of Sumsub and its signature by the mock's own, likewise.

    A token of the sandbox is replaced by the mock's one of the sandbox.
    """
    app_token = request.header(sumsub.TOKEN)
    keys = access.control.world.keys
    if app_token is None or keys.of_client(app_token):
        return request
    secret_key = access.live_key
    if app_token.startswith("sbx:"):
        secret_key = access.sandbox_key or secret_key
    key = keys.find(secret_key)
    if key is None or key.client is None:
        return request
    return sumsub.sign_again(request, client=key.client, secret=secret_key)


def _sign_with_shared_secret(access: Served, request: Request) -> Request:
    """Replace an unknown API key of Veriff and its signature by the mock's own, likewise."""
    api_key = veriff.key_of(request)
    if api_key is None or access.control.world.keys.of_client(api_key):
        return request
    return veriff.sign_again(request, client=access.client_id or "", secret=access.live_key)


#: How to replace an unknown key and its signature, by vendor whose requests are signed.
_SIGNERS: Mapping[str, Callable[[Served, Request], Request]] = {
    "alibaba": _sign_with_known_access_key,
    "rekognition": _sign_with_known_secret,
    "sumsub": _sign_with_known_token,
    "tencent": _sign_with_known_secret_key,
    "veriff": _sign_with_shared_secret,
}

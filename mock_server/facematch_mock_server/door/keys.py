"""Let a program call the mock with its own key."""

from __future__ import annotations

import contextlib

from facematch_mock_server.base.messages import Request
from facematch_mock_server.server import MockServer, Served
from facematch_mock_server.world.keys import KeyKind
from facematch_mock_server.world.vendor import Vendor


def accept_key(server: MockServer, vendor: str, request: Request) -> Request:
    """Add an unknown key of the request to the mock's live keys; return the request to handle.

    A key that the mock knows stays as it is, also if it was revoked.
    """
    definition = server.accounts.vendors[vendor]
    if definition.sign_again is not None:
        return _sign_with_own_key(server.of(vendor), definition, request)
    if not definition.first_keys:
        return request  # the vendor has no keys, whatever header a program sends
    credentials = definition.read_credentials(request)
    key = credentials.key
    kind_of_key = KeyKind.LIVE
    if key and key.startswith(definition.sandbox_prefixes):
        kind_of_key = KeyKind.SANDBOX
    control = server.of(vendor).control
    if key and control.world.keys.find(key) is None:
        # A text that cannot be a key is refused as usual; another account's key stays with it.
        with contextlib.suppress(ValueError):
            control.add_key(kind_of_key, key=key, client=credentials.client)
    return request


def _sign_with_own_key(access: Served, vendor: Vendor, request: Request) -> Request:
    """Replace an unknown key and its signature by the mock's own.

    The program's secret is unknown, so its signature cannot be checked; its date still is.
    """
    client = vendor.key_of(request)
    keys = access.control.world.keys
    if client is None or keys.of_client(client):
        return request
    secret = access.live_key
    if client.startswith(vendor.sandbox_prefixes):
        secret = access.sandbox_key or secret
    key = keys.find(secret)
    if vendor.sign_again is None or key is None or key.client is None:
        return request
    return vendor.sign_again(request, client=key.client, secret=secret)

"""Requests about the credit of a mock world."""

import json

from kit.mock_didit import control_request, didit_request

BALANCE = "/v3/billing/balance/"


def account_request(path, body=None, *, method=None, key="mock-live-key", **headers):
    """A request: POST with a JSON body, else GET."""
    if body is None:
        return didit_request(path, method=method or "GET", key=key, **headers)
    data = json.dumps(body).encode()
    return didit_request(
        path, data, "application/json", method=method or "POST", key=key, **headers
    )


def advance_request(seconds):
    return control_request("clock/advance", {"seconds": seconds})

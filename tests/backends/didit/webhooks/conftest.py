"""A sender of deliveries: the mock's, which is written apart from what is tested."""

import datetime as dt
import json

import pytest

from facematch_didit.webhooks import verify_webhook
from facematch_mock_server.vendors.didit.webhooks import signature, simple_message, v2_message

SECRET = "didit-mock-webhook-secret"
SENT = 1783000006
NOW = dt.datetime.fromtimestamp(SENT + 2, dt.UTC)
#: A delivery of the contract with Didit's documents; its signatures were checked with another
#: client. 341 bytes.
VECTOR = (
    b'{"application_id":"5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00","created_at":1783000000,'
    b'"environment":"live","event_id":"0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10",'
    b'"metadata":{"a":[1.5,true],"b":2},"session_id":"7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",'
    b'"status":"Declined","timestamp":1783000006,"vendor_data":"user-\\u00e9",'
    b'"webhook_type":"status.updated"}'
)


def signed(body, *, secret=SECRET, only=("raw", "v2", "simple")):
    """The headers of a delivery of these bytes; V2 is missing where the body has no such form."""
    messages = {
        "raw": ("X-Signature", body),
        "v2": ("X-Signature-V2", v2_message(body)),
        "simple": ("X-Signature-Simple", simple_message(body)),
    }
    chosen = [messages[name] for name in only if messages[name][1] is not None]
    headers = {"Content-Type": "application/json"}
    return headers | {header: signature(secret, message) for header, message in chosen}


class Delivery:
    """A delivery that can be edited, and what verifies it."""

    secret, sent, now, vector = SECRET, SENT, NOW, VECTOR
    signed = staticmethod(signed)

    @staticmethod
    def body(**fields):
        return json.dumps(json.loads(VECTOR) | fields).encode()

    def verify(self, body=VECTOR, headers=None, secrets=SECRET, now=NOW, **more):
        """`verify_webhook` of that delivery, at a fixed time."""
        headers = signed(body) if headers is None else headers
        return verify_webhook(body, headers, secrets, now, **more)


@pytest.fixture(scope="session")
def delivery():
    return Delivery()

"""A sender of deliveries, written apart from what is tested: by hand, from the documents."""

import datetime as dt
import hashlib
import hmac
import json

import pytest

from facematch_didit.webhooks import verify_webhook

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
DIGITS = "0123456789abcdef"


def text(value):
    """A JSON text without escapes beyond those that must be."""
    written = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    written |= {"\b": "\\b", "\f": "\\f"}
    control = {chr(code): f"\\u00{code >> 4}{DIGITS[code & 15]}" for code in range(32)}
    return '"' + "".join({**control, **written}.get(char, char) for char in value) + '"'


def canonical(value):
    """The canonical JSON of the V2 signature, as text."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return text(value)
    if isinstance(value, (int, float)):
        # Beyond 1e22 writers disagree about whole floats, so they stay what they are.
        is_whole = isinstance(value, int) or (value == int(value) and abs(value) <= 1e22)
        return repr(int(value) if is_whole else value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    return "{" + ",".join(f"{text(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"


def mac(secret, message):
    """HMAC-SHA256 in hex."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed(body, *, secret=SECRET, only=("raw", "v2", "simple"), at=None):
    """The headers of a delivery of these bytes."""
    document = json.loads(body)
    at = document.get("timestamp") if at is None else at
    form = canonical(document).encode("utf-8", "surrogatepass")
    parts = (document.get(name, "") for name in ("session_id", "status", "webhook_type"))
    messages = {
        "raw": ("X-Signature", body),
        "v2": ("X-Signature-V2", form),
        "prefixed": ("X-Signature-V2", f"{at}:".encode() + form),
        "simple": ("X-Signature-Simple", ":".join([str(at), *map(str, parts)]).encode()),
    }
    found = {"X-Timestamp": str(at), "Content-Type": "application/json"}
    return found | {messages[name][0]: mac(secret, messages[name][1]) for name in only}


class Delivery:
    """A delivery that can be edited, and what verifies it."""

    secret, sent, now, vector = SECRET, SENT, NOW, VECTOR
    canonical, mac, signed = staticmethod(canonical), staticmethod(mac), staticmethod(signed)

    @staticmethod
    def body(**fields):
        """The vector with other fields, as bytes."""
        return json.dumps(json.loads(VECTOR) | fields).encode()

    def verify(self, body=VECTOR, headers=None, secrets=SECRET, now=NOW, **more):
        """`verify_webhook` of that delivery, at a fixed time."""
        headers = signed(body) if headers is None else headers
        return verify_webhook(body, headers, secrets, now, **more)


@pytest.fixture(scope="session")
def delivery():
    """Makes, signs and verifies deliveries."""
    return Delivery()

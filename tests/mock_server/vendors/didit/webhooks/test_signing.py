"""What the mock writes and signs: the contract's bytes, and whatever JSON there is."""

import datetime as dt
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_didit.webhooks import (
    Refusal,
    SignatureVariant,
    WebhookRefused,
    verify_webhook,
)
from facematch_mock_server.vendors.didit.webhooks import (
    signature,
    simple_message,
    v2_message,
    written,
)

SECRET = "didit-mock-webhook-secret"
WIRE = (
    b'{"application_id":"5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00","created_at":1783000000,'
    b'"environment":"live","event_id":"0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10",'
    b'"metadata":{"a":[1.5,true],"b":2},"session_id":"7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",'
    b'"status":"Declined","timestamp":1783000006,"vendor_data":"user-\\u00e9",'
    b'"webhook_type":"status.updated"}'
)
DOCUMENT = {
    "webhook_type": "status.updated",
    "vendor_data": "user-é",
    "timestamp": 1783000006,
    "status": "Declined",
    "session_id": "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",
    "metadata": {"b": 2.0, "a": [1.5, True]},
    "event_id": "0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10",
    "environment": "live",
    "created_at": 1783000000,
    "application_id": "5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00",
}
NOW = dt.datetime.fromtimestamp(1783000006, dt.UTC)

whole = st.integers(-(10**6), 10**6).map(float)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**17, 10**40)
    | whole
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=4)
    ),
    max_leaves=20,
)


def headers(body, secret=SECRET, *, prefix=None, without=()):
    """The headers of a body, with all its signatures."""
    every = {
        "X-Timestamp": str(json.loads(body)["timestamp"]),
        "X-Signature": signature(secret, body),
        "X-Signature-V2": signature(secret, v2_message(body, prefix=prefix)),
        "X-Signature-Simple": signature(secret, simple_message(body)),
    }
    return {name: value for name, value in every.items() if name not in without}


def test_the_body_of_the_test_vector():
    """Byte for byte: sorted, compact, escaped, whole floats as integers."""
    assert written(DOCUMENT, escaped=True) == WIRE
    assert len(WIRE) == 341


def test_the_signatures_of_the_test_vector():
    """All four published values."""
    assert len(v2_message(WIRE, prefix=None)) == 337
    assert headers(WIRE) == {
        "X-Timestamp": "1783000006",
        "X-Signature": "b54dae03996e6f1f8b0397e45acfb9dd8d899d3f8117fcafc13821b84ad1b0b8",
        "X-Signature-V2": "ccccda7ef828d341d52739f18a82b80543b0812b4f33202abd96a958c716992c",
        "X-Signature-Simple": "ca364abfbf9d7e6ed165d019f57472558b0085211d5a525756df4a3c563f69ac",
    }
    prefixed = headers(WIRE, prefix=1783000006)["X-Signature-V2"]
    assert prefixed == "f67e8318fab130aec1fb272d813daa2e6fb19a7006ed64236f7ab7dfd14ab71a"


@given(values)
def test_whatever_is_signed_verifies(value):
    """Each of the two signatures over the whole body is enough for the library's receiver."""
    body = written({**DOCUMENT, "metadata": {"any": value}}, escaped=True)
    assert body.isascii()
    both = verify_webhook(body, headers(body), SECRET, NOW)
    assert both.signature is SignatureVariant.V2
    raw = verify_webhook(body, headers(body, without={"X-Signature-V2"}), SECRET, NOW)
    assert raw.signature is SignatureVariant.RAW
    assert raw.raw == both.raw


@given(values)
def test_v2_survives_whoever_writes_the_json_anew(value):
    """A proxy's spaces, order and characters change the raw signature, and not V2."""
    body = written({**DOCUMENT, "metadata": {"any": value}}, escaped=True)
    anew = json.dumps(json.loads(body), indent=1, ensure_ascii=False).encode()
    event = verify_webhook(anew, headers(body), SECRET, NOW)
    assert event.signature is SignatureVariant.V2


@given(values, st.data())
def test_no_changed_byte_verifies(value, data):
    """Wherever it is, unless the two bodies say the same."""
    body = written({**DOCUMENT, "metadata": {"any": value}}, escaped=True)
    place = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda other: other != body[place]))
    changed = body[:place] + bytes([byte]) + body[place + 1 :]
    try:
        same = written(json.loads(changed), escaped=True) == body
    except ValueError:
        same = False
    assume(not same)
    with pytest.raises(WebhookRefused):
        verify_webhook(changed, headers(body), SECRET, NOW)


@pytest.mark.parametrize(
    ("secret", "seconds", "reason"),
    [
        ("another secret", 0, Refusal.WRONG_SIGNATURE),
        (SECRET, 301, Refusal.STALE),
        (SECRET, -301, Refusal.STALE),
    ],
)
def test_another_secret_or_time_is_refused(secret, seconds, reason):
    """300 seconds either way, and the one secret."""
    with pytest.raises(WebhookRefused) as refused:
        verify_webhook(WIRE, headers(WIRE), secret, NOW + dt.timedelta(seconds=seconds))
    assert refused.value.reason is reason


def test_half_a_character_has_no_canonical_form():
    """UTF-8 cannot write it; the raw signature serves."""
    body = written({**DOCUMENT, "vendor_data": "\ud800"}, escaped=True)
    assert v2_message(body, prefix=None) is None
    assert json.loads(body)["vendor_data"] == "\ud800"


@given(values)
def test_writing_the_canonical_form_again_changes_nothing(value):
    """It is a fixed point, and has no float without a fraction."""
    once = written(value, escaped=False)
    assert written(json.loads(once), escaped=False) == once


def test_the_simple_signature_has_empty_places():
    """For what the body lacks."""
    assert simple_message(b'{"timestamp":7,"status":"x"}') == b"7::x:"

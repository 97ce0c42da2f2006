"""What is signed verifies; anything else does not. Whatever comes in, nothing else is raised."""

import datetime as dt
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_didit.webhooks import WebhookRefused
from facematch_didit.webhooks import delivery as signing
from facematch_didit.webhooks.delivery import json_object

texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = (
    st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**60), 2**60).map(float)
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=4)
secrets = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)
signatures = st.sampled_from(["raw", "v2"])


@st.composite
def deliveries(draw):
    """The body of a delivery, in any way of writing JSON."""
    from_delivery = {
        "timestamp": 1783000006,
        "webhook_type": "status.updated",
        "session_id": draw(st.none() | texts),
        "status": draw(st.sampled_from(["Approved", "Declined", "In Review", None])),
        "metadata": draw(st.none() | objects),
        "decision": draw(st.none() | objects),
    }
    document = draw(st.permutations(list((draw(objects) | from_delivery).items())))
    assume(not {"event_id", "environment", "application_id", "vendor_data"} & dict(document).keys())
    writing = {"ensure_ascii": draw(st.booleans()), "indent": draw(st.none() | st.just(1))}
    return json.dumps(dict(document), **writing).encode()


@given(deliveries(), secrets, signatures)
def test_what_is_signed_verifies(delivery, body, secret, variant):
    """By either signature alone; the event carries what was signed."""
    headers = delivery.signed(body, secret=secret, only=[variant])
    event = delivery.verify(body, headers, secret)
    assert event.signature == variant
    assert delivery.canonical(event.raw) == delivery.canonical(json.loads(body))


@given(objects)
def test_two_writers_of_canonical_json_agree(delivery, document):
    """Byte for byte."""
    assert signing.canonical(document) == delivery.canonical(document).encode()


@given(objects)
def test_canonical_json_is_its_own_canonical_form(document):
    """Reading it back and writing it again changes nothing."""
    once = signing.canonical(document)
    assert signing.canonical(json_object(once)) == once


@given(deliveries(), st.data())
def test_any_changed_byte_is_refused(delivery, body, data):
    """With the raw signature any; with V2 any that changes what the body says."""
    headers = delivery.signed(body, only=["raw"])
    at = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != body[at]))
    changed = body[:at] + bytes([byte]) + body[at + 1 :]
    with pytest.raises(WebhookRefused):
        delivery.verify(changed, headers)
    headers = delivery.signed(body, only=["v2"])
    try:
        event = delivery.verify(changed, headers)
    except WebhookRefused:
        return
    assert delivery.canonical(event.raw) == delivery.canonical(json.loads(body))


@given(deliveries(), secrets, secrets, signatures)
def test_another_secret_is_refused(delivery, body, secret, other, variant):
    """None but the one it was signed with fits."""
    # HMAC fills a key up with zeros, so these two are one key.
    assume(secret.rstrip("\0") != other.rstrip("\0"))
    headers = delivery.signed(body, secret=secret, only=[variant])
    with pytest.raises(WebhookRefused):
        delivery.verify(body, headers, other)
    assert delivery.verify(body, headers, [other, secret]).secret_index == 1


@given(st.integers(-(10**9), 10**9), st.integers(0, 86_400))
def test_the_window(delivery, away_ms, tolerance_s):
    """Both ends belong to it, and nothing beyond."""
    now = dt.datetime.fromtimestamp(delivery.sent, dt.UTC) + dt.timedelta(milliseconds=away_ms)
    if abs(away_ms) <= tolerance_s * 1000:
        assert delivery.verify(now=now, tolerance_s=tolerance_s)
    else:
        with pytest.raises(WebhookRefused) as refused:
            delivery.verify(now=now, tolerance_s=tolerance_s)
        assert refused.value.reason == "stale"


@given(st.binary(max_size=60), st.dictionaries(texts, texts | st.binary(max_size=8), max_size=4))
def test_whatever_comes_in_is_refused(delivery, body, headers):
    """Bytes and headers of a stranger, some of them under our names."""
    names = ("x-signature", "X-SIGNATURE-V2", "X-Signature-Simple")
    headers |= dict(zip(names, headers.values(), strict=False))
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(body, headers | {"X-Timestamp": str(delivery.sent)})
    assert refused.value.__cause__ is refused.value.__context__ is None


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "event_id",
                "webhook_type",
                "status",
                "session_id",
                "created_at",
                "environment",
                "vendor_data",
                "metadata",
                "decision",
                "application_id",
            ]
        ),
        values,
        max_size=10,
    )
)
def test_whatever_is_signed_is_an_event_or_refused(delivery, fields):
    """A shape that we do not know is a refusal of its own, and never another exception."""
    reason = None
    try:
        event = delivery.verify(delivery.body(**fields))
    except WebhookRefused as refused:
        reason = refused.reason
    else:
        assert event.replay_keys
        assert repr(event)
    assert reason in {None, "unreadable"}


def test_half_of_a_surrogate_pair(delivery):
    """UTF-8 cannot write it, so V2 cannot sign it; the raw signature can."""
    body = delivery.body(vendor_data="\ud800", metadata={"\udfff": 1})
    assert "v2" not in signing.messages(body, json.loads(body), delivery.sent)
    event = delivery.verify(body, delivery.signed(body, only=["raw"]))
    assert event.caller_ref == "\ud800"
    assert event.replay_keys
    assert repr(event)
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(body, delivery.signed(body, only=["v2"]))
    assert refused.value.reason == "wrong_signature"

"""What the mock signs verifies in whatever style it is written, and nothing else does; and what a
stranger's body may cost before its signature is known, counted, not timed.
"""

import datetime as dt
import json
import tracemalloc

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facematch_didit.webhooks import Refusal, SignatureVariant, WebhookRefused
from facematch_didit.webhooks.delivery import canonical, signature
from facematch_didit.webhooks.verify import MAX_BYTES
from facematch_mock_server.vendors.didit.webhooks import v2_message
from facematch_mock_server.vendors.didit.webhooks import write_json as as_the_mock

UNSIGNED = {"X-Timestamp": "1783000006", "X-Signature": "0" * 64, "X-Signature-V2": "0" * 64}

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
numbers = (
    st.integers(-(10**40), 10**40)
    | st.floats(-1e22, 1e22, allow_nan=False)
    | st.floats(-1e-3, 1e-3, allow_nan=False)
    | st.integers(-(2**60), 2**60).map(float)
    | st.sampled_from([0.0, -0.0, 1e15, 1e16, 1e22, -1e22, 5e-324])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.just({}) | st.just([]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=4)
documents = st.fixed_dictionaries(
    {
        "timestamp": st.just(1783000006),
        "webhook_type": st.just("status.updated"),
        "metadata": objects,
    },
    optional={"session_id": texts, "decision": objects, "note": values},
)
#: Whether a writer sorts keys, escapes what is not ASCII, and writes whole floats as integers.
styles = st.tuples(st.booleans(), st.booleans(), st.booleans())
secrets = texts.filter(bool)
variants = st.sampled_from(["raw", "v2", "prefixed"])
#: Enough for what must hold of every byte, key and second, at the price of signing twice.
MANY = settings(max_examples=60)


def write_json(document, style):
    """JSON without spaces."""
    is_sorted, is_escaped, is_whole = style
    if is_sorted and is_whole:
        return as_the_mock(document, escaped=is_escaped)
    if is_whole:
        document = json.loads(as_the_mock(document, escaped=True))
    return json.dumps(
        document, sort_keys=is_sorted, separators=(",", ":"), ensure_ascii=is_escaped
    ).encode()


@MANY
@given(documents, styles, secrets, variants)
def test_each_signature_alone_verifies_and_the_event_says_what_was_signed(
    delivery, document, style, secret, name
):
    body = write_json(document, style)
    headers = delivery.signed(body, secret=secret, only=[name])
    event = delivery.verify(body, headers, secret, accept_prefixed_v2=name == "prefixed")
    assert event.signature.value == {"prefixed": "v2_prefixed"}.get(name, name)
    assert event.raw == document
    assert canonical(event.raw) == v2_message(body)


@MANY
@given(documents, styles, secrets, st.data())
def test_another_byte_secret_or_second_is_refused(delivery, document, style, secret, data):
    body, other = write_json(document, style), data.draw(secrets)
    # HMAC fills a key up with zeros, so these two are one key.
    assume(secret.rstrip("\0") != other.rstrip("\0"))
    at = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != body[at]))
    changed = body[:at] + bytes([byte]) + body[at + 1 :]
    for name in ("raw", "v2"):
        headers = delivery.signed(body, secret=secret, only=[name])
        delivered = {"body": body, "headers": headers, "secrets": secret}
        assert delivery.verify(**delivered | {"secrets": [other, secret]}).secret_index == 1
        for wrong in ({"secrets": other}, {"now": delivery.now.replace(year=2027)}):
            with pytest.raises(WebhookRefused):
                delivery.verify(**delivered | wrong)
        try:
            event = delivery.verify(**delivered | {"body": changed})
        except WebhookRefused:
            continue
        # A changed byte that says the same, an escape or a zero at the end, is V2's strength.
        assert (name, event.raw) == ("v2", document)


@given(st.integers(-(10**9), 10**9), st.integers(0, 86_400))
def test_both_ends_of_the_window_belong_to_it_and_nothing_beyond(delivery, away_ms, tolerance_s):
    now = dt.datetime.fromtimestamp(delivery.sent, dt.UTC) + dt.timedelta(milliseconds=away_ms)
    if abs(away_ms) <= tolerance_s * 1000:
        assert delivery.verify(now=now, tolerance_s=tolerance_s)
    else:
        with pytest.raises(WebhookRefused) as refused:
            delivery.verify(now=now, tolerance_s=tolerance_s)
        assert refused.value.reason is Refusal.STALE


@given(st.binary(max_size=60), st.dictionaries(texts, texts | st.binary(max_size=8), max_size=4))
def test_whatever_a_stranger_sends_is_refused(delivery, body, headers):
    names = ("x-signature", "X-SIGNATURE-V2", "X-Signature-Simple")
    headers |= dict(zip(names, headers.values(), strict=False))
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(body, headers | {"X-Timestamp": str(delivery.sent)})
    assert refused.value.__cause__ is refused.value.__context__ is None


FIELDS = ["event_id", "webhook_type", "status", "session_id", "created_at", "environment"]
FIELDS += ["vendor_data", "metadata", "decision", "application_id"]


@given(st.dictionaries(st.sampled_from(FIELDS), values, max_size=10))
def test_whatever_is_signed_is_an_event_or_unreadable(delivery, fields):
    reason = None
    try:
        event = delivery.verify(delivery.body(**fields))
    except WebhookRefused as refused:
        reason = refused.reason
    else:
        assert event.replay_keys
        assert repr(event)
    assert reason in {None, Refusal.UNREADABLE}


@pytest.mark.parametrize(
    "item", [b"1e300", b"[]", b'{"a":[]}', b"9" * 400], ids=lambda item: item[:9].decode()
)
def test_a_body_as_long_as_allowed_takes_a_hundred_times_its_bytes(delivery, item):
    head, tail = b'{"timestamp":1783000006,"a":[', b"]}"
    times = (MAX_BYTES - len(head) - len(tail)) // (len(item) + 1)
    body = head + b",".join([item] * times) + tail
    assert len(body) > MAX_BYTES - 500
    tracemalloc.start()
    try:
        with pytest.raises(WebhookRefused) as refused:
            delivery.verify(body, UNSIGNED)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.reason is Refusal.WRONG_SIGNATURE
    assert peak < 100 * MAX_BYTES


@pytest.mark.parametrize("number", ["1e23", "1.0e300", "-1e23", "10000000000000000000000001.0"])
def test_a_whole_float_that_writers_disagree_about_stays_a_float(delivery, number):
    """V2 fits if it was signed so, else the raw signature decides."""
    body = delivery.vector.replace(b'"b":2', b'"b":' + number.encode())
    raw = delivery.signed(body, only=["raw"])
    as_float = signature(delivery.secret, canonical(json.loads(body)))
    for headers, variant in (
        (raw, SignatureVariant.RAW),
        (raw | {"X-Signature-V2": as_float}, SignatureVariant.V2),
        # As an integer, as the mock signs it.
        (delivery.signed(body, only=["raw", "v2"]), SignatureVariant.RAW),
    ):
        event = delivery.verify(body, headers)
        assert event.signature is variant
        assert type(event.metadata["b"]) is float
        assert event.metadata["b"] == float(number)
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(body, delivery.signed(body, only=["v2"]))
    assert refused.value.reason is Refusal.WRONG_SIGNATURE


def test_half_of_a_surrogate_pair_can_only_be_signed_raw(delivery):
    body = delivery.body(vendor_data="\ud800")
    assert delivery.verify(body, delivery.signed(body, only=["raw"])).caller_ref == "\ud800"
    with pytest.raises(WebhookRefused):
        delivery.verify(body, UNSIGNED)

"""What the mock signs verifies in whatever style it is written, and nothing else does; and what a
stranger's body may cost before its signature is known, counted, not timed.
"""

import datetime as dt
import json
import tracemalloc

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facematch_didit.webhooks import MAX_BYTES, Refusal, WebhookRefused
from facematch_mock_server.vendors.didit.webhooks import write_json as as_the_mock

UNSIGNED = {"X-Signature": "0" * 64, "X-Signature-V2": "0" * 64}

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
numbers = (
    st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-1e-3, 1e-3, allow_nan=False)
    | st.integers(-(2**60), 2**60).map(float)
    | st.sampled_from([0.0, -0.0, 1e15, 1e16, 1e22, 1.18e38, -1e300, 5e-324])
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
secrets = st.from_regex("[!-~]{1,8}", fullmatch=True)
variants = st.sampled_from(["raw", "v2"])
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
def test_each_signature_alone_verifies_in_any_style(delivery, document, style, secret, name):
    body = write_json(document, style)
    event = delivery.verify(body, delivery.signed(body, secret=secret, only=[name]), secret)
    assert event.raw == document


@MANY
@given(documents, styles, secrets, st.data())
def test_another_byte_secret_or_second_is_refused(delivery, document, style, secret, data):
    body, other = write_json(document, style), data.draw(secrets)
    assume(secret != other)
    at = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != body[at]))
    changed = body[:at] + bytes([byte]) + body[at + 1 :]
    for name in ("raw", "v2"):
        headers = delivery.signed(body, secret=secret, only=[name])
        delivered = {"body": body, "headers": headers, "secrets": secret}
        assert delivery.verify(**delivered | {"secrets": [other, secret]})
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
        delivery.verify(body, headers)
    assert refused.value.reason is Refusal.UNSIGNED
    assert refused.value.__cause__ is refused.value.__context__ is None


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
    assert refused.value.reason is Refusal.UNSIGNED
    assert peak < 100 * MAX_BYTES


@pytest.mark.parametrize("number", ["1e16", "1.18e38", "1.0e300", "-1e23", "100000000000000001.0"])
def test_a_whole_number_of_any_size_fits_after_a_proxy_wrote_it_as_a_float(delivery, number):
    """The integer is what Didit signs and sends: of a certificate's number, in a real delivery."""
    whole = int(float(number))
    headers = delivery.signed(delivery.body(metadata={"serial_number": whole}))
    anew = delivery.vector.replace(
        b'{"a":[1.5,true],"b":2}', b'{"serial_number":%b}' % number.encode()
    )
    event = delivery.verify(anew, headers)
    assert event.metadata == {"serial_number": whole}
    assert type(event.metadata["serial_number"]) is int


def test_half_of_a_surrogate_pair_can_only_be_signed_raw(delivery):
    body = delivery.body(vendor_data="\ud800")
    assert delivery.verify(body, delivery.signed(body, only=["raw"])).caller_ref == "\ud800"
    with pytest.raises(WebhookRefused):
        delivery.verify(body, UNSIGNED)

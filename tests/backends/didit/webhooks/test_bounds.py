"""What a stranger's body may cost before its signature is known: counted, not timed."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_didit.webhooks import Refusal, SignatureVariant, WebhookRefused
from facematch_didit.webhooks import delivery as signing
from facematch_didit.webhooks.delivery import json_object
from facematch_didit.webhooks.verify import MAX_BYTES

UNSIGNED = {"X-Timestamp": "1783000006", "X-Signature": "0" * 64, "X-Signature-V2": "0" * 64}

#: A float of four bytes has up to 23 digits as an integer: 1e22.
GROWS = 6

tokens = (
    st.from_regex(r"-?(0|[1-9][0-9]{0,4})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    | st.sampled_from(["1e300", "1e308", "9E307", "1e22", "-1e22", "1e23", "1e-300", '""', "[]"])
)  # fmt: skip


def filled(item, size):
    """A body of at most `size` bytes full of one item."""
    head, tail = b'{"timestamp":1783000006,"a":[', b"]}"
    return head + b",".join([item] * ((size - len(head) - len(tail)) // (len(item) + 1))) + tail


@given(st.lists(tokens, max_size=30))
def test_the_canonical_form_stays_in_proportion(written):
    """However numbers are written, what is signed is a few times as long as what came."""
    body = ('{"a":[' + ",".join(written) + "]}").encode()
    try:
        document = json_object(body)
    except ValueError:
        return
    assert len(signing.canonical(document)) <= GROWS * len(body)


@pytest.mark.parametrize(
    "item",
    [b"1e300", b"1e22", b"1", b"1.5", b"[]", b"{}", b'""', b'{"a":[]}', b"9" * 400],
    ids=lambda item: item[:9].decode(),
)
def test_the_memory_of_a_body_as_long_as_allowed(delivery, item):
    """At most a hundred times its bytes at once, so 26 MB by default."""
    body = filled(item, MAX_BYTES)
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
def test_a_whole_float_that_writers_disagree_about(delivery, number):
    """It stays a float; V2 fits if it was signed so, else the raw signature decides."""
    body = delivery.vector.replace(b'"b":2', b'"b":' + number.encode())
    for variant in (SignatureVariant.V2, SignatureVariant.RAW):
        event = delivery.verify(body, delivery.signed(body, only=[variant.value]))
        assert event.signature is variant
        assert type(event.metadata["b"]) is float
        assert event.metadata["b"] == float(number)
    as_integer = body.replace(number.encode(), b"%d" % float(number))
    other = delivery.signed(as_integer, only=["v2"])["X-Signature-V2"]
    both = delivery.signed(body, only=["raw"]) | {"X-Signature-V2": other}
    assert delivery.verify(body, both).signature is SignatureVariant.RAW
    del both["X-Signature"]
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(body, both)
    assert refused.value.reason is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("number", ["1e22", "-1e22", "9.999999999999999e21", "1e23"])
def test_the_integers_of_didits_own_bodies(delivery, number):
    """They are written out there, and fit at any length."""
    value = int(float(number))
    body = delivery.body(metadata={"b": value})
    event = delivery.verify(body, delivery.signed(body, only=["v2"]))
    assert event.metadata == {"b": value}
    assert type(event.metadata["b"]) is int
    assert str(value).encode() in signing.canonical(json.loads(body))

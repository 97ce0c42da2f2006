"""The test vector: one body, and every signature of it that the documents describe."""

import json

import pytest

from facematch_didit.webhooks import (
    Refusal,
    SignatureVariant,
    WebhookRefused,
)
from facematch_didit.webhooks import delivery as signing

RAW = "b54dae03996e6f1f8b0397e45acfb9dd8d899d3f8117fcafc13821b84ad1b0b8"
V2 = "ccccda7ef828d341d52739f18a82b80543b0812b4f33202abd96a958c716992c"
SIMPLE = "ca364abfbf9d7e6ed165d019f57472558b0085211d5a525756df4a3c563f69ac"
PREFIXED = "f67e8318fab130aec1fb272d813daa2e6fb19a7006ed64236f7ab7dfd14ab71a"


def headers(delivery, **signatures):
    """The headers of the vector."""
    return {"X-Timestamp": str(delivery.sent), **signatures}


def test_canonical_form(delivery):
    """337 bytes with a literal é; the wire has 341."""
    form = signing.canonical(json.loads(delivery.vector))
    assert (len(delivery.vector), len(form)) == (341, 337)
    assert form == delivery.vector.replace(b"\\u00e9", "é".encode())


@pytest.mark.parametrize(
    ("variant", "wanted"),
    [
        (SignatureVariant.RAW, RAW),
        (SignatureVariant.V2, V2),
        (SignatureVariant.V2_PREFIXED, PREFIXED),
    ],
)
def test_signatures(delivery, variant, wanted):
    """What each variant signs, with the secret of the vector."""
    signed = signing.messages(delivery.vector, json.loads(delivery.vector), delivery.sent)
    assert signing.signature(delivery.secret, signed[variant]) == wanted


def test_the_sender_of_these_tests_agrees(delivery):
    """The tests' own signer gives the four values of the table."""
    found = delivery.signed(delivery.vector)
    assert found["X-Signature"] == RAW
    assert found["X-Signature-V2"] == V2
    assert found["X-Signature-Simple"] == SIMPLE
    assert delivery.signed(delivery.vector, only=["prefixed"])["X-Signature-V2"] == PREFIXED


@pytest.mark.parametrize(
    ("header", "value", "variant"),
    [
        ("X-Signature", RAW, SignatureVariant.RAW),
        ("X-Signature-V2", V2, SignatureVariant.V2),
        ("X-Signature-V2", PREFIXED, SignatureVariant.V2_PREFIXED),
    ],
)
def test_each_signature_alone_is_enough(delivery, header, value, variant):
    """And the event says which one it was."""
    signed = headers(delivery, **{header: value})
    event = delivery.verify(headers=signed, accept_prefixed_v2=True)
    assert (event.signature, event.secret_index) == (variant, 0)


def test_v2_is_named_if_both_fit(delivery):
    """It is the one that Didit prefers."""
    event = delivery.verify(headers=headers(delivery, **{"X-Signature": RAW, "X-Signature-V2": V2}))
    assert event.signature is SignatureVariant.V2


def test_raw_counts_if_v2_does_not_fit(delivery):
    """Some numbers have two canonical forms; the raw signature covers all the same."""
    both = {"X-Signature": RAW, "X-Signature-V2": PREFIXED}
    event = delivery.verify(headers=headers(delivery, **both))
    assert event.signature is SignatureVariant.RAW


def test_the_prefixed_reading_is_told_apart(delivery):
    """It is not accepted unless asked for, and the refusal says that it was this."""
    with pytest.raises(WebhookRefused, match="accept_prefixed_v2=True") as refused:
        delivery.verify(headers=headers(delivery, **{"X-Signature-V2": PREFIXED}))
    assert refused.value.reason is Refusal.PREFIXED_V2


def test_the_simple_signature_alone_is_refused(delivery):
    """It is right, and covers neither decision nor metadata."""
    with pytest.raises(WebhookRefused, match="does not cover the decision") as refused:
        delivery.verify(headers=headers(delivery, **{"X-Signature-Simple": SIMPLE}))
    assert refused.value.reason is Refusal.SIMPLE_ONLY


def test_the_simple_signature_in_another_header_is_wrong(delivery):
    """One key signs all: its message must not pass for another's."""
    for header in ("X-Signature", "X-Signature-V2"):
        with pytest.raises(WebhookRefused) as refused:
            delivery.verify(headers=headers(delivery, **{header: SIMPLE}), accept_prefixed_v2=True)
        assert refused.value.reason is Refusal.WRONG_SIGNATURE


def test_a_proxy_that_writes_json_anew(delivery):
    """Other spaces, order and escapes: V2 still fits, the raw signature does not."""
    anew = json.dumps(dict(reversed(json.loads(delivery.vector).items())), indent=2).encode()
    event = delivery.verify(anew, headers(delivery, **{"X-Signature": RAW, "X-Signature-V2": V2}))
    assert event.signature is SignatureVariant.V2
    with pytest.raises(WebhookRefused):
        delivery.verify(anew, headers(delivery, **{"X-Signature": RAW}))

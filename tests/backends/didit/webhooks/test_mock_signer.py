"""What the mock's signer signs verifies here, in whatever style it writes; two implementations."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_didit.webhooks import SignatureVariant, WebhookRefused
from facematch_didit.webhooks import delivery as signing
from facematch_mock_server.vendors.didit.webhooks import signature, v2_message
from facematch_mock_server.vendors.didit.webhooks import written as as_the_mock

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
    max_leaves=20,
)
documents = st.fixed_dictionaries(
    {
        "timestamp": st.just(1783000006),
        "webhook_type": st.just("status.updated"),
        "metadata": st.dictionaries(texts, values, max_size=4),
    },
    optional={"decision": st.dictionaries(texts, values, max_size=4), "note": values},
)
#: Whether a writer sorts keys, escapes what is not ASCII, and writes whole floats as integers.
styles = st.tuples(st.booleans(), st.booleans(), st.booleans())
secrets = texts.filter(bool)


def written(document, style=(True, True, True)):
    """JSON without spaces."""
    is_sorted, is_escaped, is_whole = style
    if is_sorted and is_whole:
        return as_the_mock(document, escaped=is_escaped)
    if is_whole:
        whole = {"parse_float": lambda text: _whole(float(text))}
        document = json.loads(json.dumps(document), **whole)
    return json.dumps(
        document, sort_keys=is_sorted, separators=(",", ":"), ensure_ascii=is_escaped
    ).encode()


def _whole(value):
    return int(value) if value.is_integer() else value


def headers(body, secret, variant, *, prefix=None):
    """The headers with one signature of the mock's."""
    message = body
    if variant is not SignatureVariant.RAW:
        message = v2_message(body, prefix=prefix)
    name = "X-Signature" if variant is SignatureVariant.RAW else "X-Signature-V2"
    return {"X-Timestamp": "1783000006", name: signature(secret, message)}


@given(documents, styles, secrets, st.sampled_from(["raw", "v2", "v2_prefixed"]))
def test_each_signature_alone_verifies(delivery, document, style, secret, name):
    """However the body is written; and the event says what the document said."""
    variant = SignatureVariant(name)
    body = written(document, style)
    prefix = 1783000006 if variant is SignatureVariant.V2_PREFIXED else None
    signed = headers(body, secret, variant, prefix=prefix)
    event = delivery.verify(body, signed, secret, accept_prefixed_v2=True)
    assert event.signature is variant
    assert event.raw == document


@given(documents, styles, st.tuples(secrets, secrets), st.data())
def test_another_secret_byte_or_second_does_not(delivery, document, style, two, data):
    """One thing is changed, and neither signature fits."""
    body = written(document, style)
    secret, other = two
    # HMAC fills a key up with zeros, so these two are one key.
    assume(secret.rstrip("\0") != other.rstrip("\0"))
    at = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != body[at]))
    changed = body[:at] + bytes([byte]) + body[at + 1 :]
    for variant in (SignatureVariant.RAW, SignatureVariant.V2):
        signed = headers(body, secret, variant)
        for wrong in (
            {"secrets": other},
            {"now": delivery.now.replace(year=2027)},
            {"body": changed},
        ):
            try:
                event = delivery.verify(
                    **{"body": body, "headers": signed, "secrets": secret} | wrong
                )
            except WebhookRefused:
                continue
            # A changed byte that says the same, an escape or a zero at the end, is V2's strength.
            assert variant is SignatureVariant.V2
            assert "body" in wrong
            assert event.raw == document


@given(documents)
def test_two_canonical_forms_are_one(document):
    """Byte for byte, up to the whole floats that writers disagree about."""
    body = written(document)
    assert signing.canonical(json.loads(body)) == v2_message(body)


@pytest.mark.parametrize("number", [1e23, -1e300])
def test_what_it_writes_of_great_whole_floats(delivery, number):
    """Integers, as Didit does: so both signatures fit all the same."""
    document = {"timestamp": 1783000006, "webhook_type": "x", "metadata": {"a": number}}
    body = written(document)
    for variant in (SignatureVariant.RAW, SignatureVariant.V2):
        event = delivery.verify(body, headers(body, "s", variant), "s")
        assert event.metadata == {"a": int(number)}

"""Signatures, which are botocore's alone."""

import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.mock_world import START, new_engine, without_header
from vendors import rekognition
from vendors.rekognition import code_of, pair, signed_compare, signed_request

from facematch_mock_server.vendors.rekognition.signature import read_signature

TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def with_header(name, change):
    """Return a signed comparison of which one header was changed afterwards."""
    sent = signed_compare()
    value = change(sent.header(name))
    return attrs.evolve(sent, headers=(*without_header(sent, name).headers, (name, value)))


@given(
    st.binary(max_size=200),
    TEXTS,
    TEXTS,
    st.none() | TEXTS,
    st.dictionaries(st.from_regex(r"x-[a-z]{1,9}", fullmatch=True), VALUES, max_size=3),
)
def test_botocore_signature_verifies_only_with_its_secret_and_body(body, key, secret, token, more):
    key = key.replace("/", "-").replace(",", "-")
    request = signed_request(body, key=key, secret=secret, token=token, more=more.items())
    signature = read_signature(request)
    assert signature.access_key == key
    assert signature.signed_at == START.replace(microsecond=0)
    assert signature.sign(request, secret) == signature.hexdigest
    assert signature.sign(request, f"{secret}x") != signature.hexdigest
    altered = attrs.evolve(request, body=body + b"x")
    assert signature.sign(altered, secret) != signature.hexdigest


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (signed_compare(), None),
        (signed_request(pair(), token="a-session-token", region="us-gov-west-1"), None),
        (without_header(signed_compare(), "authorization"), "MissingAuthenticationToken"),
        (without_header(signed_compare(), "x-amz-date"), "IncompleteSignature"),
        (with_header("x-amz-date", lambda v: f"2026{v[4:]}Z"), "IncompleteSignature"),
        (with_header("x-amz-date", lambda v: f"20260703{v[8:]}"), "IncompleteSignature"),
        (with_header("authorization", lambda v: v[:-1]), "IncompleteSignature"),
        (signed_request(pair(), service="s3"), "InvalidSignature"),
        (signed_request(pair(), key="other"), "UnrecognizedClient"),
        (signed_request(pair(), secret="other"), "InvalidSignature"),
        (with_header("host", lambda _: "127.0.0.1"), "InvalidSignature"),
        (attrs.evolve(signed_compare(), target="/?a=1"), "InvalidSignature"),
    ],
)
def test_only_an_unaltered_correctly_signed_request_is_accepted(request_, name):
    assert code_of(request_) == (None if name is None else f"{name}Exception")


EARLIER = "20260702T085927Z is now earlier than 20260702T090027Z (20260702T091527Z - 15 min.)"


@pytest.mark.parametrize("minutes", [-14, 14])
def test_signature_is_valid_for_15_minutes(minutes):
    assert code_of(signed_request(pair(), at=START + dt.timedelta(minutes=minutes))) is None


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (
            START - dt.timedelta(minutes=16),
            f"Signature expired: {EARLIER}",
        ),
        (dt.datetime(2999, 1, 1, tzinfo=dt.UTC), "Signature not yet current: 29990101T000000Z"),
    ],
)
def test_signature_of_another_time_is_refused(at, message):
    answer = new_engine(**rekognition.SETTINGS).handle(signed_request(pair(), at=at))
    assert answer.status == 400
    assert answer.json()["__type"] == "InvalidSignatureException"
    assert answer.json()["Message"].startswith(message)

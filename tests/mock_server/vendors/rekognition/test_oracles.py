"""Signatures, which are botocore's alone, and the shape of answers, which is moto's."""

import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_rekognition as rekognition
from kit.cards import CARDS
from kit.mock_didit import START, new_engine
from kit.mock_rekognition import boto, code_of, pair, signed_compare, signed_request, without_header

from facematch_mock_server.vendors.rekognition.signature import read_signature

TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def with_header(name, change):
    """Return a signed comparison of which one header was changed afterwards."""
    sent = signed_compare()
    headers = tuple((n, change(v)) if n == name else (n, v) for n, v in sent.headers)
    return attrs.evolve(sent, headers=headers)


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
    assert signature.is_made_with(secret, request)
    assert not signature.is_made_with(f"{secret}x", request)
    assert not signature.is_made_with(secret, attrs.evolve(request, body=body + b"x"))


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
    assert code_of(request_) == (name and f"{name}Exception")


EARLIER = "20260702T085927Z is now earlier than 20260702T090027Z (20260702T091527Z - 15 min.)"


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (START - dt.timedelta(minutes=16), f"Signature expired: {EARLIER}"),
        (START - dt.timedelta(minutes=14), ""),
        (START + dt.timedelta(minutes=14), ""),
        (dt.datetime(2999, 1, 1, tzinfo=dt.UTC), "Signature not yet current: 29990101T000000Z"),
    ],
)
def test_signature_is_valid_for_15_minutes(at, words):
    answer = new_engine(**rekognition.SETTINGS[0]).handle(signed_request(pair(), at=at))
    expected = (400, "InvalidSignatureException") if words else (200, None)
    assert (answer.status, answer.json().get("__type")) == expected
    assert answer.json().get("Message", "").startswith(words)


def shape(value):
    """Names and types; numbers are one type, and of a list one element stands for all."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def answer(url):
    """One match and one other face, without what comes from HTTP."""
    source, target = ({"Bytes": CARDS[name]} for name in ("p1", "two-faces"))
    with boto(url) as client:
        compared = client.compare_faces(SourceImage=source, TargetImage=target)
    assert compared.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    return compared


@pytest.mark.slow
def test_comparison_response_has_the_same_shape_as_motos(mock, moto):
    """But for the two fields that are always null, which moto fills and the mock leaves out."""
    ours, theirs = answer(mock.url), answer(moto)
    for name in ("SourceImageOrientationCorrection", "TargetImageOrientationCorrection"):
        del theirs[name]
    assert shape(ours) == shape(theirs)

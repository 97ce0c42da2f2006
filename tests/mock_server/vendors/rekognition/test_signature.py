"""Signatures: those of botocore are right, and nothing else is."""

import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_rekognition as rekognition
from kit.mock_didit import START, new_engine
from kit.mock_rekognition import SETTINGS, compare, pair, signed, without

from facematch_mock_server.messages import Request
from facematch_mock_server.vendors.rekognition.signature import Signature

TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def replaced(request, name, value):
    """The request with another value of a header, where `value` is made of the present one."""
    headers = tuple((n, value(v)) if n == name else (n, v) for n, v in request.headers)
    return attrs.evolve(request, headers=headers)


def code(request):
    """The name of the error that it is answered with; None for a comparison."""
    answer = new_engine(**SETTINGS[0]).handle(request)
    told = answer.json()
    assert (answer.status == 200) == ("__type" not in told)
    return told.get("__type")


@given(
    st.binary(max_size=200),
    TEXTS,
    TEXTS,
    st.none() | TEXTS,
    st.dictionaries(st.from_regex(r"x-[a-z]{1,9}", fullmatch=True), VALUES, max_size=3),
)
def test_whatever_botocore_signs_is_signed(body, key, secret, token, more):
    """Any body, key, secret, session token and header; with any other secret it is not."""
    key = key.replace("/", "-").replace(",", "-")
    request = signed(body, key=key, secret=secret, token=token, more=more.items())
    signature = Signature.of(request)
    assert signature.key == key
    assert signature.signed == START.replace(microsecond=0)
    assert signature.is_of(request, secret)
    assert not signature.is_of(request, f"{secret}x")
    assert not signature.is_of(attrs.evolve(request, body=body + b"x"), secret)


@given(st.text(max_size=200), st.text(max_size=20))
def test_what_is_no_signature_is_none(header, date):
    """Any text there is read without a fault."""
    headers = (("authorization", header), ("x-amz-date", date))
    assert Signature.of(Request(method="POST", target="/", headers=headers)) is None


def test_a_query_is_signed_as_well():
    """Its names in order, whatever order they were sent in."""
    request = signed(b"{}")
    other = attrs.evolve(request, target="/?b=2&a=%20")
    assert not Signature.of(other).is_of(other, "mock-live-key")


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (compare(), None),
        (signed(pair(), token="a-session-token", region="us-gov-west-1"), None),
        (without(compare(), "authorization"), "MissingAuthenticationTokenException"),
        (without(compare(), "x-amz-date"), "IncompleteSignatureException"),
        (
            replaced(compare(), "x-amz-date", lambda v: f"2026{v[4:]}Z"),
            "IncompleteSignatureException",
        ),
        (replaced(compare(), "authorization", lambda v: v[:-1]), "IncompleteSignatureException"),
        (
            replaced(compare(), "authorization", lambda v: f"Bearer {v}"),
            "IncompleteSignatureException",
        ),
        (signed(pair(), service="s3"), "InvalidSignatureException"),
        (signed(pair(), service="s3", key="other"), "InvalidSignatureException"),
        (signed(pair(), key="other"), "UnrecognizedClientException"),
        (signed(pair(), secret="other"), "InvalidSignatureException"),
        (replaced(compare(), "host", lambda _: "127.0.0.1"), "InvalidSignatureException"),
        (replaced(compare(), "x-amz-target", lambda v: f"{v}s"), "InvalidSignatureException"),
        (attrs.evolve(compare(), target="/?a=1"), "InvalidSignatureException"),
    ],
)
def test_who_is_let_in(request_, name):
    """Nobody but who signed the very request."""
    assert code(request_) == name


LATE = (
    "Signature expired: 20260702T085927Z is now earlier than 20260702T090027Z "
    "(20260702T091527Z - 15 min.)"
)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(-16, LATE), (-14, None), (14, None)],
)
def test_how_old_a_signature_may_be(minutes, words):
    """A quarter of an hour; the words are AWS's."""
    answer = new_engine(**SETTINGS[0]).handle(rekognition.late(minutes))
    assert answer.json().get("Message") == words


def test_a_signature_of_the_future_is_refused():
    """Later than the clocks of mock and machine."""
    answer = new_engine(**SETTINGS[0]).handle(signed(pair(), at=dt.datetime(2999, 1, 1)))
    assert answer.json()["__type"] == "InvalidSignatureException"
    assert answer.json()["Message"].startswith("Signature not yet current: 29990101T000000Z is")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["SourceImage", "TargetImage", "Image", "SimilarityThreshold", "QualityFilter", "Attributes"]
)
IMAGES = st.fixed_dictionaries({"Bytes": JSON}) | JSON


@given(
    st.binary(max_size=50) | st.dictionaries(NAMES, IMAGES | JSON, max_size=6) | JSON,
    st.sampled_from(["CompareFaces", "DetectFaces"]),
)
def test_whatever_is_sent_is_answered(body, operation):
    """With one of the documented errors: nothing breaks the mock."""
    assert code(signed(body, operation)) in {
        *("SerializationException", "InvalidParameterException"),
        *("InvalidS3ObjectException", "InvalidImageFormatException"),
    }

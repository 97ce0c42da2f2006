"""Requests and replies as data, without a network."""

import json
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import Secret
from facematch_core.errors import ConfigurationError
from facematch_core.http import (
    BodyShape,
    FilePart,
    HttpReply,
    HttpRequest,
    excerpt,
    retry_after_s,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def reply(body=b"", status=400, secrets=(), **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, body=body, headers=named, secrets=secrets)


def test_the_repr_of_a_request_tells_method_and_address_alone():
    """Whatever else it holds may be a key or a face."""
    request = HttpRequest(
        url="https://api.acme.example/compare",
        headers={"X-Api-Key": "canary"},
        params={"q": "canary"},
        fields={"name": "canary"},
        files=[FilePart(name="a", filename="a.jpg", content_type="image/jpeg", data=b"canary")],
    )
    assert repr(request) == "HttpRequest(method='POST', url='https://api.acme.example/compare')"
    assert "canary" not in repr(request.files[0])
    assert "canary" not in repr(HttpRequest(url="http://h/", json={"a": "canary"}))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/compare",
        "ftp://host/",
        "https://",
        "https:///path",
        "https://user:canary@host/",
        "https://host/?key=canary",
        "https://host/#canary",
        "https://ho st/",
        "https://host/a\nb",
        "https://host\\@evil/",
        "HTTPS://host/",
    ],
)
def test_an_address_that_could_hide_something_is_refused(url):
    """The message names the rule and shows nothing of the value."""
    with pytest.raises(ConfigurationError) as caught:
        HttpRequest(url=url)
    assert "canary" not in str(caught.value)


def test_a_form_and_json_exclude_each_other():
    """One body per request."""
    with pytest.raises(ConfigurationError, match="one of them"):
        HttpRequest(url="http://h/", json={}, fields={"a": "b"})


@pytest.mark.parametrize("field", ["name", "filename", "content_type"])
def test_a_part_cannot_write_headers(field):
    """A line break in a file's name would begin a header of the part."""
    words = {"name": "a", "filename": "a", "content_type": "a/b"}
    with pytest.raises(ValueError, match=field):
        FilePart(data=b"", **{**words, field: "a\r\nX: y"})


@pytest.mark.parametrize(
    ("body", "kind", "shape"),
    [
        (b'{"a": 1}', "", BodyShape.JSON_OBJECT),
        (b'\xef\xbb\xbf{"a": 1}', "", BodyShape.JSON_OBJECT),
        (b'{"a": 1, "a": 2}', "text/html", BodyShape.JSON_OBJECT),
        (b"[1]", "", BodyShape.OTHER_JSON),
        (b"null", "", BodyShape.OTHER_JSON),
        (b'"text"', "", BodyShape.OTHER_JSON),
        (b"<!DOCTYPE html><p>", "", BodyShape.HTML),
        (b"\n <html>", "", BodyShape.HTML),
        (b"<?xml version='1.0'?>", "", BodyShape.HTML),
        (b"Bad Gateway", "text/html; charset=utf-8", BodyShape.HTML),
        (b"", "application/json", BodyShape.EMPTY),
        (b" \r\n\t", "", BodyShape.EMPTY),
        (b"Bad Gateway", "", BodyShape.OTHER),
        (b'{"a": NaN}', "application/json", BodyShape.OTHER),
        (b'{"a": 1', "application/json", BodyShape.OTHER),
        (b"\xff\xfe\x00", "", BodyShape.OTHER),
        (b"[" * 100_000, "", BodyShape.OTHER),
    ],
)
def test_the_shape_of_a_body(body, kind, shape):
    """The body decides; the header only helps with markup."""
    assert reply(body, Content_Type=kind).shape is shape


def test_the_last_of_two_equal_keys_counts():
    """Vendors' own servers write such bodies by mistake; they are not refused."""
    assert reply(b'{"a": 1, "a": 2}').json() == {"a": 2}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"\xff", b"[" * 100_000]
)
def test_what_is_no_json(body):
    """NaN and infinities are none either; the error holds nothing of the body."""
    with pytest.raises(ValueError, match="not JSON") as caught:
        reply(body).json()
    assert caught.value.__context__ is None
    assert not hasattr(caught.value, "doc")


@given(st.binary())
def test_any_body_has_a_shape(body):
    """However odd the bytes: a shape, and JSON or `ValueError`."""
    made = reply(body)
    try:
        value = made.json()
    except ValueError:
        assert made.shape not in (BodyShape.JSON_OBJECT, BodyShape.OTHER_JSON)
    else:
        assert (made.shape is BodyShape.JSON_OBJECT) == isinstance(value, dict)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:00:05 -0000", 5.0),
        ("", None),
        ("soon", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("9" * 400, None),
        ("\u0663", None),
        ("12 apples", None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after(text, seconds):
    """Seconds or a date; what makes no sense is None; what has passed is 0."""
    assert retry_after_s(reply(Retry_After=text), NOW) == seconds


def test_no_retry_after():
    """The header is optional."""
    assert retry_after_s(reply(), NOW) is None


@given(st.text())
def test_any_retry_after_is_none_or_a_time(text):
    """However odd the header."""
    seconds = retry_after_s(reply(Retry_After=text), NOW)
    assert seconds is None or seconds >= 0


@given(
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)),
    st.integers(-14, 14),
)
def test_a_date_is_counted_from_now(at, hours):
    """Whatever its zone."""
    at = at.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    seconds = retry_after_s(reply(Retry_After=format_datetime(at)), NOW)
    assert seconds == max(0.0, (at - NOW).total_seconds())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"detail": "No such\n\tfield."}, "No such field."),
        ({"error": "first", "detail": "second"}, "second"),
        ({"detail": ["no text"], "message": "third"}, "third"),
        ({"Message": "as AWS writes it"}, "as AWS writes it"),
        ({"detail": " ", "error": {"a": 1}}, ""),
        ({"error": {"code": "7", "message": "in there"}}, "in there"),
        ({"error": {"message": "in there"}, "message": "out here"}, "out here"),
        ({"error": {"message": ["no text"]}}, ""),
        ({"other": "x"}, ""),
        (["detail"], ""),
        ({"exception": "img2 is missing"}, "img2 is missing"),
        ({"exception": "second", "error": "first"}, "first"),
        ({"detail": "x " * 500}, ("x " * 100)[:200]),
        ({"detail": "a\x00\u202eb"}, "a b"),
        ({"detail": "key sk-0123456789abcdefghij is wrong"}, "key *** is wrong"),
        ({"detail": "authentication_credentials_missing"}, "authentication_credentials_missing"),
        ({"detail": "Q" * 70}, "***"),
    ],
)
def test_an_excerpt_is_short_printable_and_free_of_keys(body, words):
    """The first of four usual fields, if it is text."""
    assert excerpt(reply(json.dumps(body).encode())) == words.strip()


def test_an_excerpt_masks_what_was_sent():
    """A vendor that echoes a short key."""
    body = b'{"detail": "pass:word is wrong"}'
    assert excerpt(reply(body, secrets=(Secret("pass:word"),))) == "*** is wrong"
    assert excerpt(reply(b"not JSON")) == ""


@given(
    st.dictionaries(st.sampled_from(["detail", "error", "message", "exception"]), st.text()),
    st.text(),
)
def test_any_excerpt_is_short_and_printable(body, secret):
    """However odd the vendor's words."""
    words = excerpt(reply(json.dumps(body).encode(), secrets=(Secret(secret),)))
    assert len(words) <= 200
    assert words.isprintable()

"""Requests and replies as data, and what is on the wire."""

import json
import re

import pytest
from kit.acme import NOWHERE
from kit.rawserver import http_reply, one_each

from facematch_core import InvalidRequest, Secret, __version__
from facematch_core.errors import ConfigurationError
from facematch_core.http import BodyShape, FilePart, HttpReply, HttpRequest, excerpt


def reply(body=b"", secrets=(), content_type=""):
    headers = {"Content-Type": content_type}
    return HttpReply(status=400, body=body, headers=headers, secrets=secrets)


def part(name="a", filename="a.jpg", content_type="image/jpeg", data=b"\x00--\r\n\xff"):
    return FilePart(name=name, filename=filename, content_type=content_type, data=data)


@pytest.fixture
def sent_message(ask):
    """The bytes of one request, its head and its body."""

    def send_it(path="", **parts):
        with one_each(http_reply(200)) as server:
            url = server.url + path
            assert ask(url, request=HttpRequest(url=url, **parts)).error is None
            head, _, body = server.requests[0].partition(b"\r\n\r\n")
            return head.decode("latin-1"), body

    return send_it


def header(head, name):
    """The value of a header, or None."""
    match = re.search(rf"(?im)^{name}: (.*)\r?$", head)
    return match and match[1].strip()


@pytest.mark.parametrize(
    "url",
    [
        "/compare",
        "ftp://host/",
        "https:///path",
        "https://user:canary@host/",
        "https://host?key=canary",
        "https://host/#canary",
        "https://ho st/",
        "https://host/a\nb",
        "https://host\\@evil/",
    ],
)
def test_unsafe_or_malformed_urls_are_refused(url):
    with pytest.raises(ConfigurationError) as caught:
        HttpRequest(url=url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("bodies", [{"json": {}, "fields": {"a": "b"}}, {"json": {}, "body": b""}])
def test_request_with_two_bodies_is_refused(bodies):
    with pytest.raises(ConfigurationError):
        HttpRequest(url="http://h/", **bodies)


@pytest.mark.parametrize(
    ("body", "content_type", "shape"),
    [
        (b'\xef\xbb\xbf{"a": 1}', "", BodyShape.JSON_OBJECT),
        (b'{"a": 1, "a": 2}', "text/html", BodyShape.JSON_OBJECT),
        (b"null", "", BodyShape.OTHER_JSON),
        (b"\n <html>", "", BodyShape.HTML),
        (b"Bad Gateway", "text/html; charset=utf-8", BodyShape.HTML),
        (b" \r\n\t", "", BodyShape.EMPTY),
        (b"Bad Gateway", "", BodyShape.OTHER),
        (b'{"a": NaN}', "application/json", BodyShape.OTHER),
    ],
)
def test_body_shape_is_detected(body, content_type, shape):
    assert reply(body, content_type=content_type).shape is shape


@pytest.mark.parametrize("body", [b"", b"{", b"[Infinity]", b"1e999", b"\xff", b"[" * 100_000])
def test_json_error_does_not_quote_the_body(body):
    with pytest.raises(ValueError, match="not JSON") as caught:
        reply(body).json()
    assert caught.value.__context__ is None
    assert not hasattr(caught.value, "doc")


@pytest.mark.parametrize(
    ("body", "expected_text"),
    [
        ({"detail": "No such\n\tfield."}, "No such field."),
        ({"detail": ["no text"], "message": "third"}, "third"),
        ({"error": {"code": "7", "message": "in there"}}, "in there"),
        ({"error": {"message": "in there"}, "message": "out here"}, "out here"),
        ({"Response": {"Error": {"Code": "7", "Message": "deep in there"}}}, "deep in there"),
        ({"errors": [{"detail": "the first"}, {"detail": "the second"}]}, "the first"),
        ({"other": "x"}, ""),
        ({"data": {"failures": [{"why": {"message": "as deep"}}]}}, "as deep"),
        ({"a": {"b": {"message": "deeper"}}, "z": {"message": "first"}}, "first"),
        ({"items": [{"a": 1}, {"message": "of the second"}]}, ""),
        (["detail"], ""),
        ({"detail": "x " * 500}, ("x " * 100)[:200].strip()),
        ({"detail": "a\x00\u202eb"}, "a b"),
        ({"detail": "key sk-0123456789abcdefghij is wrong"}, "key *** is wrong"),
        ({"detail": "pass:word is wrong"}, "*** is wrong"),
        ({"detail": "authentication_credentials_missing"}, "authentication_credentials_missing"),
        ({"detail": "Q" * 70}, "***"),
    ],
)
def test_an_excerpt_is_short_printable_and_free_of_keys(body, expected_text):
    assert excerpt(reply(json.dumps(body).encode(), (Secret("pass:word"),))) == expected_text


PICTURE = bytes([255, 216, 255, 224, 0, 16]) + b"(face) 'canary' " + bytes(range(256))
AS_TEXT = PICTURE.decode("latin-1")
#: As programs in several languages print bytes.
PRINTED = (repr(PICTURE), str(list(PICTURE)), PICTURE.hex(" "), AS_TEXT, ascii(AS_TEXT))
PRINTED += (PICTURE.decode("utf-8", "replace"), "".join(f"\\{byte:o}" for byte in PICTURE))


@pytest.mark.parametrize("printed", PRINTED)
def test_excerpt_masks_picture_bytes(printed):
    expected_text = excerpt(reply(json.dumps({"detail": f"no picture: {printed}"}).encode()))
    assert expected_text.startswith("no picture: ")
    assert expected_text.endswith("***")
    assert len(expected_text) < 24


def test_sent_headers_contain_the_secret_and_ignore_netrc(sent_message, tmp_path, monkeypatch):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    headers = {"X-Api-Key": Secret("sesame"), "Accept": "text/plain"}
    head, _ = sent_message("sessions", method="GET", params={"a": "b c"}, headers=headers)
    assert head.startswith("GET /sessions?a=b+c HTTP/1.1\r\n")
    expected = {
        "X-Api-Key": "sesame",
        "Accept": "text/plain",
        "User-Agent": f"facematch-core/{__version__}",
        "Accept-Encoding": "identity",
        "Cookie": None,
        "Authorization": None,
    }
    assert {name: header(head, name) for name in expected} == expected


def test_form_part_headers_cannot_be_injected(sent_message):
    files = [part(name='a"b', filename='c"d.jpg')]
    _, body = sent_message(files=files, fields={'e"f': "1"})
    assert b'name="a%22b"; filename="c%22d.jpg"' in body
    assert b'name="e%22f"' in body
    for field in ("name", "filename", "content_type"):
        with pytest.raises(ValueError, match=field):
            part(**{field: "a\r\nX: y"})


def test_custom_content_type_is_kept(sent_message):
    head, _ = sent_message(json={"a": 1}, headers={"content-type": "application/acme+json"})
    assert header(head, "content-type") == "application/acme+json"
    assert head.lower().count("content-type") == 1


def check_unsendable(ask, error_class, **parts):
    """Check that such a request is refused before it is sent, without its values."""
    outcome = ask(NOWHERE, request=HttpRequest(url=f"{NOWHERE}/", **parts))
    assert type(outcome.error) is error_class
    assert "canary" not in outcome.error.message
    assert (outcome.sent, outcome.error.__context__) == (0, None)


@pytest.mark.parametrize("as_header", [str, Secret])
@pytest.mark.parametrize("value", ["canary\r\nX: y", "canary ", "can\x00ary", "canary\u20ac"])
def test_unsendable_header_value_is_refused_and_not_quoted(ask, value, as_header):
    check_unsendable(ask, ConfigurationError, headers={"X-Key": as_header(value)})


@pytest.mark.parametrize("name", ["", "X\nKey", "Ключ"])
def test_invalid_header_name_is_refused(ask, name):
    check_unsendable(ask, ConfigurationError, headers={name: "canary"})


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"], ids=repr)
def test_value_that_is_no_json_is_refused(ask, value):
    check_unsendable(ask, InvalidRequest, json={"a": value})


@pytest.mark.parametrize("value", [50, ["canary"]], ids=repr)
def test_field_that_is_no_text_is_refused(ask, value):
    check_unsendable(ask, InvalidRequest, fields={"a": value})
    check_unsendable(ask, InvalidRequest, fields={"a": value}, files=[part()])


@pytest.mark.parametrize("url", ["http://[", "http://h:port/", "http://*/", "http://./"])
def test_nothing_is_sent_to_an_unparsable_url(ask, url):
    outcome = ask(url)
    assert (outcome.reply, outcome.sent) == (None, 0)


def test_request_secrets_come_from_headers_fields_and_masked():
    header_key = Secret("one")
    field_key = Secret("two")
    masked_key = Secret("three")
    request = HttpRequest(
        url="http://h/", headers={"A": header_key}, fields={"b": field_key}, masked=[masked_key]
    )
    assert request.secrets == (header_key, field_key, masked_key)
    assert set(request.encoded().secrets) == {header_key, field_key, masked_key}


def test_expects_accepts_a_generator_and_rejects_an_integer():
    request = HttpRequest(url=NOWHERE, expects=(status for status in (200, 202)))
    assert 202 in request.expects
    assert 404 not in request.expects
    with pytest.raises(TypeError):
        HttpRequest(url=NOWHERE, expects=200)


KEY_WITH_SIGNS = Secret("key/7&of=mine")


def test_secret_in_params_is_sent(sent_message):
    params = {"access_token": KEY_WITH_SIGNS, "desk": "3"}
    head, _ = sent_message("compare?version=2", params=params, method="GET")
    assert head.startswith("GET /compare?version=2&access_token=key%2F7%26of%3Dmine&desk=3 ")


def test_repr_of_a_request_names_neither_people_nor_files():
    photograph = part(filename="ann-smith.jpg")
    url = f"{NOWHERE}/compare"
    request = HttpRequest(url=f"{url}?person=ann", fields={"name": "Ann"}, files=(photograph,))
    assert repr(request) == f"HttpRequest(method='POST', url={url!r})"


def test_secret_in_params_is_masked_as_it_is_and_as_it_was_sent():
    request = HttpRequest(url=f"{NOWHERE}/compare", params={"access_token": KEY_WITH_SIGNS})
    assert request.secrets == (KEY_WITH_SIGNS,)
    assert KEY_WITH_SIGNS in request.encoded().secrets
    assert "mine" not in repr(request)
    echo = b'{"detail": "no: key/7&of=mine, key%2F7%26of%3Dmine"}'
    assert excerpt(reply(echo, request.secrets)) == "no: ***, ***"

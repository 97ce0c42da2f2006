"""What is on the wire, and what cannot be put there."""

import json
import re

import pytest
from kit.rawserver import RawServer, answer, read_request, send
from urllib3.filepost import encode_multipart_formdata

import facematch_core
from facematch_core import InvalidRequest, Secret
from facematch_core.errors import ConfigurationError
from facematch_core.http import FilePart, HttpClient, HttpRequest


@pytest.fixture
def sent(ask):
    """The bytes of one request, its head and its body."""

    def send_it(**parts):
        with RawServer([read_request, send(answer(200))]) as server:
            url = server.url + parts.pop("path", "")
            outcome = ask(url, request=HttpRequest(url=url, **parts))
            assert outcome.error is None
            head, _, body = server.requests[0].partition(b"\r\n\r\n")
            return head.decode("latin-1"), body

    return send_it


def header(head, name):
    """The value of a header, or None."""
    found = re.search(rf"(?im)^{name}: (.*)\r?$", head)
    return found and found[1].strip()


def test_a_multipart_form(sent):
    """Fields first, then files with name and type; quotes and letters beyond ASCII survive."""
    part = FilePart(
        name="probe", filename='s"lfié.jpg', content_type="image/jpeg", data=b"\x00--\r\n\xff"
    )
    head, body = sent(path="v3/compare", fields={"threshold": "50", "ref": "é"}, files=[part])
    assert head.startswith("POST /v3/compare HTTP/1.1\r\n")
    boundary = re.fullmatch("multipart/form-data; boundary=(.+)", header(head, "Content-Type"))[1]
    parts = body.split(b"--" + boundary.encode())
    assert len(parts) == 5
    assert b'name="threshold"\r\n\r\n50\r\n' in parts[1]
    assert 'name="ref"\r\n\r\né\r\n'.encode() in parts[2]
    assert 'name="probe"; filename="s%22lfié.jpg"\r\n'.encode() in parts[3]
    assert b"Content-Type: image/jpeg\r\n\r\n\x00--\r\n\xff\r\n" in parts[3]


def test_a_multipart_form_is_what_requests_writes(sent):
    """Byte for byte, odd names and an empty type included: servers have seen no other form."""
    fields = {"threshold": "50", 'o"dd é\n': "line\r\nbreak é", "empty": ""}
    named = [("probe", "a.jpg", "image/jpeg"), ('r"é', "b\\é.png", ""), ("c", "", "text/plain")]
    files = [
        FilePart(name=name, filename=file, content_type=kind, data=b"\x00--\r\n\xff" * 9)
        for name, file, kind in named
    ]
    head, body = sent(fields=fields, files=files)
    boundary = header(head, "Content-Type").partition("boundary=")[2]
    theirs = [(f.name, (f.filename, f.data, f.content_type)) for f in files]
    assert body == encode_multipart_formdata([*fields.items(), *theirs], boundary)[0]
    assert len(boundary) == 32
    assert boundary not in sent(fields=fields, files=files)[0]


def test_a_form_without_files(sent):
    """Urlencoded."""
    head, body = sent(fields={"a": "1 2", "b": "ä"})
    assert header(head, "Content-Type") == "application/x-www-form-urlencoded"
    assert body == b"a=1+2&b=%C3%A4"


def test_a_json_body(sent):
    """Also an empty object is one."""
    head, body = sent(json={"a": [1, None]})
    assert header(head, "Content-Type") == "application/json"
    assert json.loads(body) == {"a": [1, None]}
    assert sent(json={})[1] == b"{}"


def test_no_body(sent):
    """A GET with a query."""
    head, body = sent(method="GET", path="sessions", params={"a": "b c"})
    assert head.startswith("GET /sessions?a=b+c HTTP/1.1\r\n")
    assert body == b""


def test_the_headers(sent):
    """A secret is revealed on the wire; ours can be replaced."""
    head, _ = sent(headers={"X-Api-Key": Secret("sesame"), "Accept": "text/plain"})
    assert header(head, "X-Api-Key") == "sesame"
    assert header(head, "Accept") == "text/plain"
    assert header(head, "User-Agent") == f"facematch-core/{facematch_core.__version__}"
    assert header(head, "Accept-Encoding") == "identity"
    assert header(head, "Cookie") is None
    assert header(head, "Authorization") is None


def test_the_user_agent(request_to):
    """A setting."""
    client = HttpClient(user_agent="mine/1")
    with RawServer([read_request, send(answer(200))]) as server:
        client.send(request_to(server.url), backend="acme")
    client.close()
    assert b"User-Agent: mine/1\r\n" in server.received


def test_netrc_is_not_read(sent, tmp_path, monkeypatch):
    """A login for this host that lies in the home directory goes nowhere."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    head, _ = sent()
    assert header(head, "Authorization") is None


@pytest.mark.parametrize(
    "value", ["canary\n", "canary\r\nX: y", " canary", "canary ", "can\x00ary", "canary\u20ac"]
)
def test_a_header_value_that_cannot_be_sent(ask, value):
    """A key with a line break at its end, as files have it; the value is not shown."""
    for text in (value, Secret(value)):
        request = HttpRequest(url="http://127.0.0.1:1/", headers={"X-Api-Key": text})
        outcome = ask(request.url, request=request)
        assert type(outcome.error) is ConfigurationError
        assert "X-Api-Key" in outcome.error.message
        assert "canary" not in outcome.error.message
        assert (outcome.sent, outcome.error.__context__) == (0, None)


@pytest.mark.parametrize("name", ["", "X Key", "X:Key", "X\nKey", "Ключ"])
def test_a_header_name_that_cannot_be_sent(ask, name):
    """Nothing is sent."""
    request = HttpRequest(url="http://127.0.0.1:1/", headers={name: "x"})
    assert type(ask(request.url, request=request).error) is ConfigurationError


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": {1, 2}}, {"a": b"x"}])
def test_a_body_that_is_no_json(ask, body):
    """Nothing is sent; the value is not shown."""
    request = HttpRequest(url="http://127.0.0.1:1/", json=body)
    outcome = ask(request.url, request=request)
    assert type(outcome.error) is InvalidRequest
    assert (outcome.sent, outcome.error.__context__) == (0, None)


@pytest.mark.parametrize(
    "files", [[], [FilePart(name="a", filename="a", content_type="", data=b"")]]
)
@pytest.mark.parametrize("value", [50, None, ["a"]])
def test_a_field_that_is_no_text(ask, files, value):
    """Nothing is sent, and nobody guesses how it should be written."""
    request = HttpRequest(url="http://127.0.0.1:1/", fields={"threshold": value}, files=files)
    outcome = ask(request.url, request=request)
    assert type(outcome.error) is InvalidRequest
    assert "threshold must be text" in outcome.error.message


@pytest.mark.parametrize("url", ["http://[", "http://h:port/", "http://*/", "http://./"])
def test_an_address_that_does_not_parse(ask, url):
    """Nothing is sent, and the error is one of ours."""
    outcome = ask(url)
    assert outcome.error is not None
    assert outcome.sent == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"connect_timeout_s": 0},
        {"read_timeout_s": -1.0},
        {"read_timeout_s": float("inf")},
        {"read_timeout_s": float("nan")},
        {"max_body_bytes": 0},
    ],
)
def test_settings_out_of_range(settings):
    """Refused when the client is made."""
    with pytest.raises(ConfigurationError):
        HttpClient(**settings)


def test_a_closed_client(client, request_to):
    """One sentence, and nothing is sent; closing twice is allowed."""
    client.close()
    client.close()
    with pytest.raises(ConfigurationError, match=r"^This HTTP client is closed: open a new one\.$"):
        client.send(request_to("http://127.0.0.1:1/"), backend="acme")

"""The same request by every way in: the same status, headers and bytes come out."""

import json

import pytest
import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.rawclient import RawClient

from facematch_mock_server.http import client as prepared
from facematch_mock_server.http.client import MockAdapter
from facematch_mock_server.http.in_responses import register
from facematch_mock_server.http.server import HttpServer

TOKEN = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12)
VALUE = st.from_regex(r"([!-~\xa1-\xff]([\t -~\xa0-\xff]{0,20}[!-~\xa1-\xff])?)?", fullmatch=True)
FRAMING = {
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
    "upgrade",
}
HEADERS = st.dictionaries(TOKEN.filter(lambda name: name.lower() not in FRAMING), VALUE, max_size=5)
FRONTS = {"date", "server", "connection", "keep-alive", "transfer-encoding"}
#: 1500 is over the limit of the engine below.
BODIES = st.none() | st.binary(max_size=40) | st.binary(min_size=990, max_size=1010)


@st.composite
def requests_sent(draw):
    """What is given to requests, except for the URL's beginning."""
    body = draw(BODIES)
    pieces = None
    if body is not None and draw(st.booleans()):
        cut = draw(st.integers(0, len(body)))
        pieces = [body[:cut], body[cut:]]
    return {
        "method": draw(
            st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]) | TOKEN
        ),
        "path": "/" + draw(st.text(max_size=15)),
        "params": draw(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
        | draw(st.sampled_from([{}, {}, {"status": "204"}, {"status": "503"}])),
        "headers": draw(HEADERS),
        "body": body,
        "pieces": pieces,
    }


def prepare(sent, url):
    data = iter(sent["pieces"]) if sent["pieces"] is not None else sent["body"]
    request = requests.Request(
        sent["method"], url + sent["path"], sent["headers"], data=data, params=sent["params"]
    )
    with requests.Session() as session:
        return session.prepare_request(request)


def as_bytes(sent, url):
    """The request on the wire, written by hand."""
    made = prepare(sent, url)
    whole = prepared.request_of(prepare(sent, url))
    lines = [f"{made.method} {made.path_url} HTTP/1.1", *map(": ".join, whole.headers), "", ""]
    body = whole.body
    if whole.header("transfer-encoding") == "chunked":
        coded = [b"%x\r\n%b\r\n" % (len(p), p) for p in sent["pieces"] or [body] if p]
        body = b"".join([*coded, b"0\r\n\r\n"])
    return "\r\n".join(lines).encode("latin-1") + body


def shown(status, headers, body):
    kept = sorted((k.lower(), v) for k, v in headers if k.lower() not in FRONTS)
    return status, kept, body


def by_requests(session, sent, url):
    answer = session.send(prepare(sent, url), timeout=10)
    return shown(answer.status_code, answer.raw.headers.items(), answer.content)


def on_the_wire(sent, front):
    with RawClient(front.port) as client:
        client.send(as_bytes(sent, front.url))
        answer = client.answer(to_head=sent["method"].upper() == "HEAD")
    return shown(answer.status, answer.headers, answer.body)


@pytest.fixture(scope="module")
def ways(make_engine):
    """Every way into engines that are alike, by the same URL."""
    engine = make_engine(limit=1000)
    with HttpServer(engine) as front, requests.Session() as pooled, requests.Session() as mounted:
        mounted.mount(front.url, MockAdapter(make_engine(limit=1000)))
        yield front, pooled, mounted, make_engine(limit=1000)


def check(ways, sent):
    front, pooled, mounted, engine = ways
    expected = on_the_wire(sent, front)
    assert by_requests(pooled, sent, front.url) == expected
    assert by_requests(mounted, sent, front.url) == expected
    with responses.RequestsMock() as rsps, requests.Session() as session:
        register(rsps, engine, [front.url])
        assert by_requests(session, sent, front.url) == expected
    return expected


@given(sent=requests_sent())
@settings(max_examples=max(200, settings().max_examples))
def test_every_way_in_gives_the_same_answer(ways, sent):
    """Socket by hand, socket by requests, adapter, responses: nobody can tell them apart."""
    check(ways, sent)


ODD = {
    "connection": {"headers": {"Connection": "close"}},
    "expect": {"headers": {"Expect": "100-continue"}, "method": "POST", "body": b"x"},
    "expect, too large": {
        "headers": {"Expect": "100-continue"},
        "method": "POST",
        "body": b"x" * 2000,
    },
    "too large": {"method": "POST", "body": b"x" * 500_000},
    "grows too large": {"method": "POST", "body": b"x" * 2000, "pieces": [b"x" * 1000] * 2},
    "long head": {"headers": {"X-Long": "x" * 70_000}},
    "head of the limit": {"headers": {"X-Long": "x" * 65_300}},
    "control character": {"headers": {"X-Odd": "a\x01b"}},
    "form feed": {"headers": {"X-Odd": "a\x0cb"}},
    "no token": {"headers": {"X(Odd)": "a"}},
    "host": {"headers": {"Host": "verification.didit.me"}},
    "empty value": {"headers": {"X-Odd": ""}},
    "empty stream": {"method": "POST", "body": b"", "pieces": []},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_requests(ways, name):
    """Limits, broken heads and interim answers are the same everywhere too."""
    plain = {"method": "GET", "path": "/x", "params": {}, "headers": {}, "body": None}
    expected = check(ways, {**plain, "pieces": None, **ODD[name]})
    assert expected[0] in (200, 400, 413, 431)


def test_what_requests_adds_is_what_it_sends(ways):
    """The headers that urllib3 and http.client add are added within the process as well."""
    front, pooled, mounted, _ = ways
    for headers in ({}, {"User-Agent": None, "Accept-Encoding": None, "Accept": None}):
        seen = [
            json.loads(s.post(f"{front.url}/x", data=b"a", headers=headers).content)["headers"]
            for s in (pooled, mounted)
        ]
        assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://Vendor.Example:80/", "vendor.example"),
        ("https://vendor.example:443/", "vendor.example"),
        ("https://user:pass@vendor.example:8443/", "vendor.example:8443"),
        ("http://[::1]:99/", "[::1]:99"),
    ],
)
def test_the_host_header(url, host):
    """As http.client writes it: without the usual port and without credentials."""
    made = requests.Request("GET", url).prepare()
    assert prepared.request_of(made).header("host") == host


def test_bodies_of_every_kind(tmp_path):
    """Text, files, iterators and buffers are sent as urllib3 sends them."""
    file = tmp_path / "body"
    file.write_bytes(b"abc")
    with file.open("rb") as opened:
        bodies = ["caf\xe9", bytearray(b"x"), opened, iter([b"a", b"b"]), None]
        made = [requests.Request("POST", "http://x/", data=body).prepare() for body in bodies]
        assert [prepared.request_of(each).body for each in made] == [
            "caf\xe9".encode(),
            b"x",
            b"abc",
            b"ab",
            b"",
        ]

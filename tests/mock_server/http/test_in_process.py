"""The adapter and `responses`: the same status, headers and bytes as over a socket."""

import json

import pytest
import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.mock_ways import by_requests, on_the_wire

from facematch_mock_server import MockServer
from facematch_mock_server.http import client as prepared
from facematch_mock_server.http.client import MockAdapter
from facematch_mock_server.http.in_responses import register
from facematch_mock_server.http.server import HttpServer

URL = "https://verification.didit.me"
TOKEN = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12)
VALUE = st.from_regex(r"([!-~\xa1-\xff]([\t -~\xa0-\xff]{0,20}[!-~\xa1-\xff])?)?", fullmatch=True)
FRAMING = {"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}
HEADERS = st.dictionaries(TOKEN.filter(lambda name: name.lower() not in FRAMING), VALUE, max_size=5)
FRONTS = {"date", "server", "connection", "keep-alive", "transfer-encoding"}
#: 1500 is over the limit of the engine below.
BODIES = st.none() | st.binary(max_size=40) | st.binary(min_size=990, max_size=1010)


@st.composite
def requests_sent(draw):
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


@pytest.fixture(scope="module")
def ways(make_engine):
    engine = make_engine(limit=1000)
    with HttpServer(engine) as front, requests.Session() as pooled, requests.Session() as mounted:
        mounted.mount(front.url, MockAdapter(make_engine(limit=1000)))
        yield front, pooled, mounted, make_engine(limit=1000)


def check(ways, sent):
    front, pooled, mounted, engine = ways
    expected = on_the_wire(sent, front.url, front.port, FRONTS)
    assert by_requests(pooled, sent, front.url, FRONTS) == expected
    assert by_requests(mounted, sent, front.url, FRONTS) == expected
    with responses.RequestsMock() as rsps, requests.Session() as session:
        register(rsps, engine, [front.url])
        assert by_requests(session, sent, front.url, FRONTS) == expected
    return expected


@given(sent=requests_sent())
@settings(max_examples=max(60, settings().max_examples))
def test_every_way_in_gives_the_same_answer(ways, sent):
    check(ways, sent)


ODD = {
    "connection": {"headers": {"Connection": "close"}},
    "expect": {"headers": {"Expect": "100-continue"}, "method": "POST", "body": b"x"},
    "too large": {"method": "POST", "body": b"x" * 500_000},
    "grows too large": {"method": "POST", "body": b"x" * 2000, "pieces": [b"x" * 1000] * 2},
    "long head": {"headers": {"X-Long": "x" * 70_000}},
    "control character": {"headers": {"X-Odd": "a\x01b"}},
    "no token": {"headers": {"X(Odd)": "a"}},
    "host": {"headers": {"Host": "verification.didit.me"}},
}


@pytest.mark.parametrize("name", ODD)
def test_limits_broken_heads_and_interim_answers_are_the_same(ways, name):
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
def test_the_host_is_without_the_usual_port_and_credentials(url, host):
    outgoing = requests.Request("GET", url).prepare()
    assert prepared.read_request(outgoing).header("host") == host


# Beyond what they share with the server


def test_a_mounted_session_opens_no_socket_for_the_vendors_address(engine, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    with requests.Session() as session:
        session.mount(URL, MockAdapter(engine))
        answer = session.post(f"{URL}/v3/face-match/", files={"user_image": b"x"})
    assert (answer.status_code, answer.reason, answer.url) == (200, "OK", f"{URL}/v3/face-match/")
    assert answer.json()["target"] == "/v3/face-match/"
    assert answer.headers["X-Twice"] == "a, b"
    assert engine.handled[0].header("host") == "verification.didit.me"
    assert engine.handled[0].peer == "127.0.0.1"


def test_responses_answers_what_is_registered_and_leaves_the_users_own_alone(engine):
    with responses.RequestsMock() as rsps:
        rsps.get("https://other.example/", body="theirs")
        answered = register(rsps, engine, [URL, "http://localhost:1/base/"])
        assert requests.get("https://other.example/", timeout=1).text == "theirs"
        assert requests.get(f"{URL}?q=1", timeout=1).status_code == 200
        assert requests.delete(f"{URL}/v3/x/", timeout=1).status_code == 200
        assert requests.get("http://localhost:1/base/x", timeout=1).status_code == 200
        for other in (f"{URL}.example/", "http://localhost:1/other", "http://localhost:12/base/"):
            with pytest.raises(requests.ConnectionError):
                requests.get(other, timeout=1)
        assert answered.call_count == len(engine.handled) == 3


def test_a_server_that_was_stopped_answers_through_responses_no_more():
    with MockServer() as server:
        pass
    with responses.RequestsMock() as rsps:
        register(rsps, server.app, [URL])
        headers = {"x-api-key": server.live_key}
        for _ in range(2):
            with pytest.raises(requests.ConnectionError, match="refused"):
                requests.post(f"{URL}/v3/face-match/", headers=headers, timeout=1)
            assert not server.control.charges()
            assert not server.control.journal()
        with server:
            assert requests.get(f"{URL}/system/healthcheck", timeout=1).status_code == 200

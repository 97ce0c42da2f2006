"""A mock in a vendor's place, by adapter and by `responses`; and the front without a socket."""

import contextlib
import json

import pytest
import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import front as prepared
from kit.front import MockAdapter
from kit.rawclient import RawClient, chunked

from facematch_mock_server import Fault, MockServer, card_sheet
from facematch_mock_server.http.adapter import register
from facematch_mock_server.http.server import HttpServer

URL = "https://verification.didit.me"
TOKEN = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12)
VALUE = st.from_regex(r"([!-~\xa1-\xff]([\t -~\xa0-\xff]{0,20}[!-~\xa1-\xff])?)?", fullmatch=True)
FRAMING = {"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}
HEADERS = st.dictionaries(TOKEN.filter(lambda name: name.lower() not in FRAMING), VALUE, max_size=5)
#: Headers that belong to the connection, not to the answer.
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


def prepare(sent, url):
    """The request as requests would send it; a body in pieces goes out in chunks."""
    data = iter(sent["pieces"]) if sent.get("pieces") is not None else sent["body"]
    request = requests.Request(
        sent["method"], url + sent["path"], sent["headers"], data=data, params=sent.get("params")
    )
    with requests.Session() as session:
        return session.prepare_request(request)


def as_bytes(sent, url):
    """The same on the wire, written by hand."""
    whole = prepared.read_request(prepare(sent, url))
    lines = [f"{whole.method} {whole.target} HTTP/1.1", *map(": ".join, whole.headers), "", ""]
    body = whole.body
    if whole.header("transfer-encoding") == "chunked":
        body = chunked(*(sent["pieces"] or [body]))
    return "\r\n".join(lines).encode("latin-1") + body


def shown(status, headers, body):
    kept = sorted((name.lower(), text) for name, text in headers if name.lower() not in FRONTS)
    return status, kept, body


def on_the_wire(sent, url, port):
    with RawClient(port) as client:
        client.send(as_bytes(sent, url))
        answer = client.answer(to_head=sent["method"].upper() == "HEAD")
    return shown(answer.status, answer.headers, answer.body)


def by_requests(session, sent, url):
    answer = session.send(prepare(sent, url), allow_redirects=False, timeout=10)
    return shown(answer.status_code, answer.raw.headers.items(), answer.content)


@pytest.fixture(scope="module")
def ways(make_engine):
    engine = make_engine(limit=1000)
    with HttpServer(engine) as front, requests.Session() as pooled, requests.Session() as mounted:
        mounted.mount(front.url, MockAdapter(make_engine(limit=1000)))
        yield front, pooled, mounted


def check(ways, sent):
    front, pooled, mounted = ways
    expected = on_the_wire(sent, front.url, front.port)
    assert by_requests(pooled, sent, front.url) == expected
    assert by_requests(mounted, sent, front.url) == expected
    return expected


@given(sent=requests_sent())
@settings(max_examples=settings().max_examples // 2)
def test_the_front_gives_the_same_answer_as_a_socket(ways, sent):
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
    front, pooled, mounted = ways
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


# A vendor's own address


@pytest.fixture(params=["adapter", "responses"])
def asking(request):
    """A mock that nobody has started, and a session whose calls of Didit go there."""
    mock, session = MockServer(), requests.Session()
    session.headers["x-api-key"] = mock.live_key
    with contextlib.ExitStack() as stack:
        stack.callback(mock.stop)
        stack.enter_context(session)
        if request.param == "adapter":
            session.mount(URL, mock.adapter())
        else:
            register(stack.enter_context(responses.RequestsMock()), mock.app, [URL])
        yield mock, session


P1 = card_sheet()["p1"].data
FILES = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}


def test_it_answers_as_the_vendor_from_the_first_call_on(asking):
    mock, session = asking
    answer = session.post(f"{URL}/v3/face-match/?q=1", files=FILES, timeout=10)
    assert (answer.status_code, answer.reason, answer.url) == (
        *(200, "OK"),
        f"{URL}/v3/face-match/?q=1",
    )
    assert answer.request.url == answer.url
    decision = f"{URL}/v3/session/{answer.json()['request_id']}/decision/"
    media = session.get(decision, timeout=10).json()["face_matches"][0]["source_image"]
    assert media.startswith(f"{URL}/__media__/")
    assert session.get(media, timeout=10).content == P1
    assert len(mock.control.charges()) == 1


FAULTS = [
    ({"stage": "answer", "kind": "status", "status": 503}, 503),
    ({"stage": "connect", "kind": "reset"}, requests.ConnectionError),
    ({"stage": "mid_upload", "kind": "reset"}, requests.ConnectionError),
    ({"stage": "after_upload", "kind": "truncate", "executed": True}, requests.ConnectionError),
    ({"stage": "after_upload", "kind": "delay", "seconds": 9}, requests.ReadTimeout),
    ({"stage": "mid_body", "kind": "truncate"}, requests.exceptions.ChunkedEncodingError),
    ({"stage": "mid_body", "kind": "dribble", "seconds": 0}, 200),
]


@pytest.mark.parametrize(("fault", "outcome"), FAULTS, ids=str)
def test_a_fault_is_met_as_at_the_vendor(asking, fault, outcome):
    mock, session = asking
    mock.control.add_fault(Fault(**fault))
    if isinstance(outcome, int):
        assert session.post(f"{URL}/v3/face-match/", files=FILES, timeout=10).status_code == outcome
    else:
        with pytest.raises(outcome):
            session.post(f"{URL}/v3/face-match/", files=FILES, timeout=(10, 0.5))
    charged = fault.get("executed", fault["stage"] == "mid_body")
    assert len(mock.control.charges()) == charged
    assert mock.control.faults() == ()


def test_after_a_stop_connections_are_refused_until_a_start(asking):
    mock, session = asking
    mock.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        session.post(f"{URL}/v3/face-match/", files=FILES, timeout=10)
    assert not mock.control.charges()
    assert not mock.control.journal()
    with mock:
        assert session.get(f"{URL}/system/healthcheck", timeout=10).status_code == 200


def test_responses_answers_what_is_registered_and_leaves_the_users_own_alone():
    with MockServer() as mock, responses.RequestsMock() as rsps:
        rsps.get("https://other.example/", body="theirs")
        answered = register(rsps, mock.app, [URL, "http://localhost:1/v3/"])
        assert requests.get("https://other.example/", timeout=1).text == "theirs"
        assert requests.get(f"{URL}?q=1", timeout=9).status_code == 404
        assert requests.delete(f"{URL}/v3/x/", timeout=9).status_code == 404
        assert requests.get("http://localhost:1/v3/sessions/", timeout=9).status_code == 403
        for other in (f"{URL}.example/", "http://localhost:1/other", "http://localhost:12/v3/"):
            with pytest.raises(requests.ConnectionError):
                requests.get(other, timeout=1)
        assert answered.call_count == len(mock.control.journal()) == 3

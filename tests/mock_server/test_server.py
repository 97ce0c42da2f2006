"""`MockServer` as tests use it: its life, its keys, its worlds, and ordinary HTTP clients."""

import contextlib
import datetime as dt
import json
import socket
import threading
import time
import types
import typing
from decimal import Decimal

import attrs
import httpx
import pytest
import requests

import facematch_mock_server
from facematch_mock_server import (
    Control,
    Fault,
    Kind,
    MockServer,
    Stage,
    VirtualClock,
    card_sheet,
)
from facematch_mock_server.recognition import outcomes as _outcomes

P1, P2 = card_sheet()["p1"].data, card_sheet()["p2"].data
MATCH, LIVENESS = "/v3/face-match/", "/v3/passive-liveness/"
FILES = {"user_image": ("selfie.png", P1), "ref_image": ("id.png", P1)}


def post(mock, *, key=None, files=None, path=MATCH, **fields):
    """A call as a program without this library makes it."""
    headers = {"x-api-key": key or mock.live_key}
    return requests.post(
        mock.url + path, headers=headers, files=files or FILES, data=fields, timeout=10
    )


@pytest.fixture
def mock():
    """A running server."""
    with MockServer(seed=2) as running:
        yield running


# Other people's clients


def by_requests(mock, fields):
    return post(mock, **fields)


def by_httpx(mock, fields):
    headers = {"x-api-key": mock.live_key}
    return httpx.post(mock.url + MATCH, headers=headers, files=FILES, data=fields, timeout=10)


def by_requests_session_of_an_adapter(mock, fields):
    with requests.Session() as session:
        session.mount("https://verification.didit.me", mock.adapter())
        return session.post(
            "https://verification.didit.me" + MATCH,
            headers={"x-api-key": mock.live_key},
            files=FILES,
            data=fields,
        )


CLIENTS = (by_requests, by_httpx, by_requests_session_of_an_adapter)


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_get_the_documented_answer(mock, client):
    """Everything that a form holds arrives, whoever writes it."""
    fields = {
        "face_match_score_decline_threshold": "41.5",
        "vendor_data": "emp-0042 ü",
        "metadata": json.dumps({"gate": "nörd"}),
    }
    answer = client(mock, fields)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body["face_match"]["status"] == "Approved"
    assert body["face_match"]["warnings"] == []
    assert (body["vendor_data"], body["metadata"]) == ("emp-0042 ü", {"gate": "nörd"})
    (entry,) = mock.control.journal()
    assert entry.fields["face_match_score_decline_threshold"] == "41.5"
    assert [(file.field, file.name, file.size) for file in entry.files] == [
        ("user_image", "selfie.png", len(P1)),
        ("ref_image", "id.png", len(P1)),
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "mock.lan"])
def test_beyond_the_loopback_the_control_api_needs_a_token(host):
    """Or to be switched off: else whoever reaches the server drives it."""
    with pytest.raises(ValueError, match="give a control_token, or control=False"):
        MockServer(host=host)
    for settings in ({"control_token": "long-enough"}, {"control": False}):
        assert MockServer(host=host, **settings).world.account.accounts.is_open


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_on_the_loopback_it_needs_none(host):
    """By any of its names."""
    assert not MockServer(host=host).world.account.accounts.is_open


def test_a_rebound_name_reads_no_picture_and_gets_into_no_address(mock):
    """A page in a browser whose name points here asks under that name."""
    answer = by_requests(mock, {})
    decision = f"{mock.url}/v3/session/{answer.json()['request_id']}/decision/"
    key = {"x-api-key": mock.live_key}
    headers = {**key, "Host": "evil.example:8080"}
    told = requests.get(decision, headers=headers, timeout=10).json()
    address = told["face_matches"][0]["source_image"]
    assert address.startswith(f"{mock.url}/__media__/")
    assert requests.get(address, headers=headers, timeout=10).status_code == 403
    assert requests.get(address, timeout=10).content == P1


def test_in_process_any_host_is_its_own():
    """A program may mount the adapter wherever it likes."""
    mock = MockServer()
    with requests.Session() as session:
        session.mount("https://didit.test", mock.adapter())
        session.headers["x-api-key"] = mock.live_key
        files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        saved = session.post("https://didit.test/v3/face-match/", files=files).json()
        told = session.get(f"https://didit.test/v3/session/{saved['request_id']}/decision/").json()
        address = told["face_matches"][0]["source_image"]
        assert address.startswith("http://didit.test/__media__/")
        session.mount("http://didit.test", mock.adapter())
        assert session.get(address).content == P1
    mock.stop()


def test_httpx_streams_a_form_in_chunks(mock):
    """A body without a declared length is a body like others."""
    built = httpx.Client().build_request("POST", mock.url, files=FILES)
    headers = {"x-api-key": mock.live_key, "Content-Type": built.headers["Content-Type"]}
    body = built.read()
    pieces = (body[at : at + 999] for at in range(0, len(body), 999))
    answer = httpx.post(mock.url + MATCH, headers=headers, content=pieces)
    assert answer.json()["face_match"]["status"] == "Approved"


def test_the_documented_texts_arrive_with_their_quotes(mock):
    """All field errors at once, byte for byte."""
    answer = post(
        mock,
        files={"user_image": ("selfie.TXT", P1)},
        face_match_score_decline_threshold="101",
    )
    assert answer.status_code == 400
    extension = (
        "File extension “txt” is not allowed. Allowed extensions are: tiff, jpg, jpeg, png, webp."
    )
    assert answer.json() == {
        "user_image": [extension],
        "ref_image": ["No file was submitted."],
        "face_match_score_decline_threshold": ["Ensure this value is less than or equal to 100."],
    }


def test_an_upload_that_is_too_large_is_refused_early(mock):
    """413 before the body has come, as HTML or JSON of ours: no document tells."""
    with socket.create_connection(("127.0.0.1", mock.port), 10) as client:
        head = f"POST {MATCH} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 413")


# Its life


def test_start_and_stop_as_often_as_you_like():
    """Both do nothing when there is nothing to do."""
    mock = MockServer()
    mock.stop()
    assert mock.start() is mock
    port = mock.start().port
    assert mock.port == port
    assert post(mock).status_code == 200
    mock.stop()
    mock.stop()
    with pytest.raises(RuntimeError):
        _ = mock.url


def test_the_port_is_refused_after_a_stop(mock):
    """Nothing listens, and nothing hangs."""
    port = mock.port
    with requests.Session() as session:
        session.get(mock.url, timeout=10)
        mock.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"http://127.0.0.1:{port}/", timeout=10)
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0


def test_a_world_outlives_a_stop(mock):
    """What was charged stays charged; only `control.reset` begins anew."""
    post(mock)
    mock.stop()
    mock.start()
    post(mock)
    assert len(mock.control.charges()) == 2
    mock.control.reset()
    assert mock.control.charges() == ()


def test_a_port_can_be_chosen():
    """And is there again after a restart."""
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        mock = MockServer(port=place.getsockname()[1])
        for _ in range(2):
            with mock:
                assert mock.port == place.getsockname()[1]
                assert post(mock).status_code == 200


def test_hundreds_of_servers_in_one_process():
    """Each test can have its own: all run at once, on one thread, and are gone at once."""
    threads = threading.active_count()
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        mocks = [stack.enter_context(MockServer(seed=n)) for n in range(300)]
        assert len({mock.port for mock in mocks}) == 300
        assert threading.active_count() <= threads + 1
        for mock in mocks[::50]:
            assert post(mock).status_code == 200
    # About a millisecond each; room for a busy machine.
    assert time.monotonic() - begun < 5


def test_worlds_share_nothing():
    """Money, keys, outcomes, faults, limits, time and memory are each world's own."""
    with MockServer(seed=1) as one, MockServer(seed=1) as other:
        one.control.set_balance(0)
        one.control.add_key(key="only-here-1234")
        one.control.set_outcome("match", score=1, times=None)
        one.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.HTML, times=None))
        one.control.set_limit("write", 1)
        before = other.control.now()
        one.control.advance(3600)
        assert other.control.now() == before
        assert other.control.balance() == Decimal(100)
        assert other.control.faults() == other.control.outcomes() == ()
        assert post(other, key="only-here-1234").status_code == 403
        answer = post(other)
        assert answer.json()["face_match"]["status"] == "Approved"
        assert one.control.journal() == ()


def test_the_same_seed_and_clock_repeat_everything():
    """A snapshot in somebody's test stays as it is."""
    start = dt.datetime(2026, 7, 2, 9, 15, tzinfo=dt.UTC)
    bodies = []
    for _ in range(2):
        with MockServer(seed=4, clock=VirtualClock(start)) as mock:
            bodies.append([post(mock).content for _ in range(3)])
    assert bodies[0] == bodies[1]
    assert len(set(bodies[0])) == 3
    assert json.loads(bodies[0][0])["created_at"] == "2026-07-02T09:15:00.000000+00:00"


def test_without_a_seed_ids_differ():
    """Two runs do not answer with one another's ids."""
    with MockServer() as one, MockServer() as other:
        assert post(one).json()["request_id"] != post(other).json()["request_id"]


# What it is made with


@pytest.mark.parametrize(
    "wrong",
    [
        {"edition": "2020-01"},
        {"engine": "telepathy"},
        {"switches": {"unheard_of": 1}},
        {"control_token": "short"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_it_cannot_be_is_refused_at_once(wrong):
    """Before anything listens."""
    with pytest.raises(ValueError, match=r"\w"):
        MockServer(**wrong)


def test_both_keys_work_at_once(mock):
    """No account, no set-up; the second approves everything and is not billed."""
    files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P2)}
    live, sandbox = (post(mock, key=key, files=files) for key in (mock.live_key, mock.sandbox_key))
    verdicts = [answer.json()["face_match"]["status"] for answer in (live, sandbox)]
    assert verdicts == ["Declined", "Approved"]
    assert len(mock.control.charges()) == 1


def test_every_answer_says_that_it_is_a_mocks(mock):
    """In a header, and which claims it rests on beside it."""
    for answer in (
        post(mock),
        post(mock, key="wrong"),
        requests.get(mock.url + "/nowhere", timeout=10),
        requests.get(mock.control_url, timeout=10),
    ):
        assert answer.headers["X-Facematch-Mock"]
    claims = post(mock).headers["X-Facematch-Claims"].split(", ")
    assert all(mock.control.explain(claim) for claim in claims)


def test_the_control_api_is_the_python_object_over_http(mock):
    """A program in any language sets what this one sees."""
    set_outcome = {"kind": "match", "score": 12.5}
    answer = requests.post(mock.control_url + "outcomes", json=set_outcome, timeout=10)
    assert answer.status_code == 200
    assert len(mock.control.outcomes()) == 1
    assert post(mock).json()["face_match"]["score"] == 12.5
    ledger = requests.get(mock.control_url + "ledger", timeout=10).json()
    assert ledger["balance"] == "99.9500"
    assert len(ledger["entries"]) == len(mock.control.charges()) == 1


def test_control_can_be_left_out():
    """The vendor alone: 404, and the Python object works all the same."""
    with MockServer(control=False) as mock:
        assert requests.get(mock.control_url, timeout=10).status_code == 404
        mock.control.set_balance(0)
        assert post(mock).status_code == 403


def test_control_can_ask_for_a_token():
    """Who does not know it may ask the vendor only."""
    with MockServer(control_token="a-long-token-1") as mock:
        assert requests.get(mock.control_url, timeout=10).status_code == 403
        headers = {"X-Mock-Token": "a-long-token-1"}
        assert requests.get(mock.control_url, headers=headers, timeout=10).status_code == 200
        assert post(mock).status_code == 200


def test_the_clock_moves_when_the_test_moves_it(mock):
    """Answers carry the time of the world, and limits wait in it."""
    mock.control.set_limit("write", 1)
    first = post(mock)
    refused = post(mock)
    assert refused.status_code == 429
    mock.control.advance(int(refused.headers["Retry-After"]))
    second = post(mock)
    times = [dt.datetime.fromisoformat(a.json()["created_at"]) for a in (first, second)]
    assert times[1] - times[0] == dt.timedelta(seconds=60)
    assert second.headers["Date"] == times[1].strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_it_tells_nothing_of_its_world_in_its_repr(mock):
    """A failing test prints it: vendor and edition, no key."""
    assert repr(mock) == "MockServer(didit, 2026-07)"


def _records(hint, found):
    """The classes of the mock that an annotation names, and those that their fields name."""
    for inner in typing.get_args(hint):
        _records(inner, found)
    if not isinstance(hint, type) or hint.__module__.partition(".")[0] != "facematch_mock_server":
        return
    if hint not in found:
        found.add(hint)
        for inner in typing.get_type_hints(hint).values() if attrs.has(hint) else ():
            _records(inner, found)


def test_what_public_calls_return_is_public():
    """Whoever gets a record can name its type, and those of its fields."""
    found = set()
    # What only type checkers import there.
    known = {name: getattr(_outcomes, name) for name in ("Kind", "SetOutcome")}
    calls = [verb for verb in vars(Control).values() if isinstance(verb, types.FunctionType)]
    calls = [verb for verb in calls if not verb.__name__.startswith("_")]
    for call in (*calls, facematch_mock_server.card_sheet, facematch_mock_server.read_card):
        _records(typing.get_type_hints(call, localns=known)["return"], found)
    assert {"Charge", "SentFile", "SheetCard", "Verdict"} <= {kind.__name__ for kind in found}
    missing = {kind.__name__ for kind in found} - set(facematch_mock_server.__all__)
    # The type of UNSET, which is there.
    assert missing == {"Unset"}


def test_public_names_exist_once():
    """One list, without a dead name."""
    names = facematch_mock_server.__all__
    assert sorted(set(names)) == sorted(names)
    assert all(hasattr(facematch_mock_server, name) for name in names)
    assert set(names) <= set(dir(facematch_mock_server))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        facematch_mock_server.Nothing  # noqa: B018 - the access is what is tested

import json
import threading

import pytest
from kit.rawclient import RawClient, chunked, raw_request

from facematch_core.http import MOCK_HEADER
from facematch_mock_server.base.messages import Response
from facematch_mock_server.http import exchange


@pytest.fixture
def client(engine, serve):
    with RawClient(serve(engine).port) as opened:
        yield opened


def test_an_answer_has_the_headers_of_the_front(client):
    client.send(raw_request("GET"))
    answer = client.answer()
    assert answer.headers == (
        ("Date", "Thu, 02 Jul 2026 12:00:00 GMT"),
        ("Server", "facematch-mock"),
        ("Content-Type", "application/json"),
        ("X-Twice", "a"),
        ("X-Twice", "b"),
        ("Content-Length", str(len(answer.body))),
    )


def test_the_engine_sees_what_was_sent(client, engine):
    client.send(raw_request("PATCH", "/a%20b?q=1&q=", "X-Odd:  \t caf\xe9 \t", body=b"\x00\xff"))
    client.answer()
    [seen] = engine.handled
    assert (seen.method, seen.target, seen.path) == ("PATCH", "/a%20b?q=1&q=", "/a b")
    assert seen.query == (("q", "1"), ("q", ""))
    assert seen.headers == (("host", "localhost"), ("x-odd", "caf\xe9"), ("content-length", "2"))
    assert (seen.body, seen.peer) == (b"\x00\xff", "127.0.0.1")


@pytest.mark.parametrize(
    ("sent", "target", "host"),
    [
        ("http://mock.test:8080/a%20b?q=1", "/a%20b?q=1", "mock.test:8080"),
        ("http://mock.test?q=/", "/?q=/", "mock.test"),
        ("/http://mock.test/a", "/http://mock.test/a", "localhost"),
    ],
)
def test_the_host_of_a_whole_address_counts(client, engine, sent, target, host):
    """Clients that think they talk to a proxy send it; its host counts (RFC 9112, 3.2.2)."""
    client.send(raw_request("GET", sent))
    client.answer()
    [seen] = engine.handled
    assert seen.target == target
    assert [value for name, value in seen.headers if name == "host"] == [host]


@pytest.mark.parametrize("size", [0, 65535, 65536, 65537, 999_999])
def test_a_body_of_any_size_arrives_whole(client, engine, size):
    body = bytes(range(251)) * (size // 251 + 1)
    client.send(raw_request(body=body[:size]))
    assert client.answer().status == 200
    assert engine.handled[0].body == body[:size]


def test_chunks_an_extension_and_a_trailer_are_one_body(client, engine):
    coded = chunked(b"a", b"b" * 100_000).replace(b"1\r\n", b"1;x=y\r\n", 1)
    coded = coded.removesuffix(b"\r\n") + b"X-Trailer: 1\r\n\r\n"
    client.send(
        raw_request("POST", "/x", "Transfer-Encoding: chunked") + coded + raw_request("GET", "/y")
    )
    assert [client.answer().status, client.answer().status] == [200, 200]
    assert engine.handled[0].body == b"a" + b"b" * 100_000
    assert engine.handled[1].target == "/y"


def test_pipelined_requests_are_answered_in_order(client):
    sent = b"".join(raw_request("POST", f"/{n}", body=b"x" * (n * 997)) for n in range(100))
    client.send(sent)
    targets = [json.loads(client.answer().body)["target"] for _ in range(100)]
    assert targets == [f"/{n}" for n in range(100)]


def test_continue_comes_when_a_body_is_wanted_and_only_then(client, engine):
    client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 3"))
    assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc")
    assert json.loads(client.answer().body)["length"] == 3
    client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 0"))
    assert client.head().startswith(b"HTTP/1.1 200 ")
    assert len(engine.handled) == 2


def test_no_continue_when_the_body_is_refused(client, engine):
    client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 1000001"))
    head = client.head()
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nConnection: close\r\n" in head
    assert not engine.handled


def test_head_has_the_headers_of_get_and_no_body(client):
    client.send(raw_request("HEAD", "/x") + raw_request("GET", "/x"))
    head = client.answer(to_head=True)
    get = client.answer()
    assert (head.status, head.body) == (200, b"")
    # The echo has the method in it.
    assert int(head.header("Content-Length")) == int(get.header("Content-Length")) + 1
    assert [name for name, _ in head.headers] == [name for name, _ in get.headers]


def test_a_connection_serves_on_until_a_request_says_close(client):
    for _ in range(3):
        client.send(raw_request(body=b"x"))
        assert client.answer().header("Connection") is None
    client.send(raw_request("POST", "/x", "Connection: foo, Close", body=b"x"))
    assert client.answer().header("Connection") == "close"
    assert client.end() == "fin"


@pytest.mark.parametrize(
    "head", ["X-Long: " + "x" * 66_000 + "\r\n\r\n", "X-Long: " + "x" * 70_000, "a: b\r\n" * 12_000]
)
def test_a_head_over_the_limit_is_431_complete_or_not(client, engine, head):
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + head.encode())
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (431, "close")
    assert client.end() == "fin"
    assert not engine.handled


def test_an_early_refusal_can_be_read_after_the_upload(client, engine):
    client.send(raw_request("POST", "/x", "Content-Length: 20000000"))
    client.send(b"x" * 20_000_000)
    answer = client.answer()
    assert (answer.status, answer.body) == (413, b"<h1>413</h1>")
    assert client.end() == "fin"
    assert not engine.handled


def test_a_chunked_body_that_grows_over_the_limit_is_413(client, engine):
    client.send(raw_request("POST", "/x", "Transfer-Encoding: chunked"))
    for _ in range(30):
        client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    client.send(b"0\r\n\r\n")
    assert client.answer().status == 413
    assert client.end() == "fin"
    assert not engine.handled


def test_a_limit_that_the_engine_did_not_check_holds(engine, serve):
    engine.begin = lambda head: None
    with RawClient(serve(engine).port) as client:
        client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 1000001"))
        assert client.head().startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nNul: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc0\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_a_400_that_says_it_is_a_mocks(client, engine, data):
    client.send(data)
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (400, "close")
    assert answer.header(MOCK_HEADER) == "front"
    assert json.loads(answer.body) == {"mock": exchange.SENTENCES[400]}
    assert client.end() == "fin"
    assert not engine.handled
    assert engine.notes[0][1].startswith("broken request: ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (raw_request("POST", "/x", "Transfer-Encoding: gzip, chunked"), 501),
        (raw_request("POST", "/x", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip"), 501),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
def test_other_codings_and_versions_are_refused(client, sent, status):
    client.send(sent)
    assert client.answer().status == status


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_lengths_the_chunks_count_and_the_connection_ends(client, engine, order):
    """The chunks count, and the connection ends, as it has to (RFC 9112, 6.1)."""
    lines = ["Content-Length: 3", "Transfer-Encoding: chunked"][::order]
    client.send(
        raw_request("POST", "/x", *lines) + chunked(b"whole") + raw_request("GET", "/smuggled")
    )
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (200, "close")
    assert client.end() == "fin"
    assert [(request.target, request.body) for request in engine.handled] == [("/x", b"whole")]


def test_who_asks_for_another_protocol_is_answered_in_this_one(client, engine):
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    sent = raw_request("POST", "/x", *lines, "Transfer-Encoding: chunked") + chunked(
        b"GET / HTTP/1.1"
    )
    client.send(sent + raw_request("POST", "/y", *lines, body=b"ab") + raw_request("GET", "/next"))
    assert [client.answer().status for _ in range(3)] == [200] * 3
    assert [request.body for request in engine.handled] == [b"GET / HTTP/1.1", b"ab", b""]


@pytest.mark.parametrize(
    "sent",
    [
        raw_request("POST", "/x", "Sec-Fetch-Site: same-origin", body=b"x"),
        raw_request("POST", "/x", "Origin: http://localhost", body=b"x"),
        raw_request("GET", "/__mock__/faults"),
        raw_request("GET", "/", "Accept: text/html"),
        b"GET /old HTTP/1.0\r\n\r\n",
    ],
    ids=["page", "page without metadata", "control", "console", "HTTP/1.0"],
)
def test_pages_of_the_server_and_old_clients_have_a_connection_for_each_request(client, sent):
    """A browser sends a POST again when a kept connection dies, and the fault is never seen."""
    client.send(sent)
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (200, "close")
    assert client.end() == "fin"


@pytest.mark.parametrize(
    "lines", [("Origin: http://other",), ("Sec-Fetch-Site: cross-site",), ("Accept: text/html",)]
)
def test_other_pages_and_programs_keep_theirs(client, lines):
    client.send(raw_request("POST", "/x", *lines, body=b"x"))
    assert client.answer().header("Connection") is None
    client.send(raw_request("GET"))
    assert client.answer().status == 200


def test_an_engine_that_fails_is_a_500_and_the_connection_lives_on(engine, serve, caplog):
    def fail(request):
        raise ZeroDivisionError

    with RawClient(serve(engine).port) as client:
        handle, engine.handle = engine.handle, fail
        client.send(raw_request(body=b"x"))
        assert client.answer().status == 500
        engine.handle = lambda request: Response(status=200, headers=(("A", "b\r\nc: d"),))
        client.send(raw_request(body=b"x"))
        assert client.answer().status == 500
        engine.handle = handle
        client.send(raw_request(body=b"x"))
        assert client.answer().status == 200
    assert "ZeroDivisionError" in caplog.text


def test_a_slow_engine_holds_nobody_up(engine, serve):
    go = threading.Event()
    handle = engine.handle

    def slowly(request):
        if request.target == "/slow":
            assert go.wait(10)
        return handle(request)

    engine.slow, engine.handle = True, slowly
    port = serve(engine).port
    with RawClient(port) as first, RawClient(port) as second:
        first.send(raw_request("GET", "/slow") + raw_request(target="/next", body=b"x" * 300_000))
        second.send(raw_request("GET", "/quick"))
        assert json.loads(second.answer().body)["target"] == "/quick"
        go.set()
        assert json.loads(first.answer().body)["target"] == "/slow"
        assert json.loads(first.answer().body)["target"] == "/next"


def test_a_half_open_client_gets_all_its_answers(engine, serve):
    for is_slow in (False, True):
        engine.slow = is_slow
        with RawClient(serve(engine).port) as client:
            client.send(raw_request(body=b"x" * 100_000) * 3)
            client.half_close()
            assert [client.answer().status for _ in range(3)] == [200] * 3
            assert client.end() == "fin"


def test_idle_connections_are_in_nobodys_way_and_stopping_closes_them(engine, serve):
    front = serve(engine)
    clients = [RawClient(front.port) for _ in range(200)]
    try:
        for client in clients[::20]:
            client.send(raw_request(body=b"x" * 1000))
            assert client.answer().status == 200
        front.stop()
        assert {client.end() for client in clients} == {"fin"}
    finally:
        for client in clients:
            client.sock.close()

"""What a server of HTTP/1.1 has to do right, seen from a bare socket."""

import json

import pytest
from kit.rawclient import Closed, RawClient, chunked, request

from facematch_core.http import MOCK_HEADER
from facematch_mock_server.http import exchange
from facematch_mock_server.messages import Response


@pytest.fixture
def client(engine, serve):
    """A connection to a server over `engine`."""
    with RawClient(serve(engine).port) as opened:
        yield opened


def test_an_answer_has_the_headers_of_the_front(client):
    """Date, Server and length are the front's; the engine's headers keep their case and order."""
    client.send(request("GET"))
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
    """Method, target, headers, body and address arrive as they were."""
    client.send(request("PATCH", "/a%20b?q=1&q=", "X-Odd:  \t caf\xe9 \t", body=b"\x00\xff"))
    client.answer()
    [seen] = engine.handled
    assert (seen.method, seen.target, seen.path) == ("PATCH", "/a%20b?q=1&q=", "/a b")
    assert seen.query == (("q", "1"), ("q", ""))
    assert seen.headers == (("host", "mock"), ("x-odd", "caf\xe9"), ("content-length", "2"))
    assert (seen.body, seen.peer) == (b"\x00\xff", "127.0.0.1")


@pytest.mark.parametrize(
    ("sent", "target", "host"),
    [
        ("http://mock.test:8080/a%20b?q=1", "/a%20b?q=1", "mock.test:8080"),
        ("HTTPS://mock.test", "/", "mock.test"),
        ("http://mock.test?q=/", "/?q=/", "mock.test"),
        ("http:///a", "/a", ""),
        ("/http://mock.test/a", "/http://mock.test/a", "mock"),
    ],
)
def test_a_whole_address_as_target(client, engine, sent, target, host):
    """Clients that think they talk to a proxy send it; its host counts (RFC 9112, 3.2.2)."""
    client.send(request("GET", sent))
    client.answer()
    [seen] = engine.handled
    assert seen.target == target
    assert [value for name, value in seen.headers if name == "host"] == [host]


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 400_000, 999_999])
def test_a_body_of_any_size(client, engine, size):
    """Bodies below, at and above the size of one read arrive whole."""
    body = bytes(range(251)) * (size // 251 + 1)
    client.send(request(body=body[:size]))
    assert client.answer().status == 200
    assert engine.handled[0].body == body[:size]


def test_a_chunked_upload(client, engine):
    """Chunks of any size, an extension and a trailer are one body."""
    coded = chunked(b"a", b"b" * 100_000).replace(b"1\r\n", b"1;x=y\r\n", 1)
    coded = coded.removesuffix(b"\r\n") + b"X-Trailer: 1\r\n\r\n"
    client.send(request("POST", "/x", "Transfer-Encoding: chunked") + coded + request("GET", "/y"))
    assert [client.answer().status, client.answer().status] == [200, 200]
    assert engine.handled[0].body == b"a" + b"b" * 100_000
    assert engine.handled[1].target == "/y"


def test_pipelined_requests_are_answered_in_order(client):
    """Many requests sent at once, with bodies and without, get their answers in their order."""
    sent = b"".join(request("POST", f"/{n}", body=b"x" * (n * 997)) for n in range(100))
    client.send(sent)
    targets = [json.loads(client.answer().body)["target"] for _ in range(100)]
    assert targets == [f"/{n}" for n in range(100)]


def test_pipelined_requests_that_come_byte_by_byte(client):
    """Where the stream is cut does not matter."""
    for byte in request(body=b"ab") + b"\r\n" + request("GET", "/second"):
        client.send(bytes([byte]))
    assert json.loads(client.answer().body)["length"] == 2
    assert json.loads(client.answer().body)["target"] == "/second"


def test_a_client_that_takes_no_answers_is_not_read_on(client, engine):
    """Requests whose answers nobody takes wait; once they are taken, none is missing."""
    client.sock.settimeout(0.2)
    one = request("GET", "/" + "t" * 30_000)
    sent = 0
    try:
        while sent < 5000:
            client.send(one)
            sent += 1
    except TimeoutError:
        pass
    assert 0 < len(engine.handled) < 4000


def test_continue_comes_when_the_body_is_wanted(client):
    """A client that expects 100 gets it before it sends, and the answer after that."""
    client.send(request("POST", "/x", "Expect: 100-continue", "Content-Length: 3"))
    assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc")
    assert json.loads(client.answer().body)["length"] == 3


def test_no_continue_where_there_is_no_body(client):
    """A request without a body is answered at once, whatever it expects."""
    client.send(request("POST", "/x", "Expect: 100-continue", "Content-Length: 0"))
    assert client.answer().status == 200


def test_no_continue_when_the_body_is_refused(client, engine):
    """A declared length over the limit is answered 413 without a 100, and the connection ends."""
    client.send(request("POST", "/x", "Expect: 100-continue", "Content-Length: 1000001"))
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (413, "close")
    assert client.end() == "fin"
    assert not engine.handled


def test_head_has_the_headers_of_get_and_no_body(client):
    """HEAD has the length that GET has, and the connection goes on."""
    client.send(request("HEAD", "/x") + request("GET", "/x"))
    head = client.answer(to_head=True)
    get = client.answer()
    assert (head.status, head.body) == (200, b"")
    # The echo has the method in it.
    assert int(head.header("Content-Length")) == int(get.header("Content-Length")) + 1
    assert [name for name, _ in head.headers] == [name for name, _ in get.headers]


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body(client, status):
    """204 and 304 have neither body nor length, and the next answer follows at once."""
    client.send(request("GET", f"/?status={status}") + request("GET"))
    answer = client.answer()
    assert (answer.status, answer.header("Content-Length")) == (status, None)
    assert client.answer().status == 200


def test_an_unknown_status_is_sent_without_words(client):
    """A status that HTTP does not name has an empty reason."""
    client.send(request("GET", "/?status=599"))
    assert client.head().startswith(b"HTTP/1.1 599 \r\n")


def test_keep_alive_and_close(client):
    """A connection serves on until a request says close; that answer says so too."""
    for _ in range(3):
        client.send(request(body=b"x"))
        assert client.answer().header("Connection") is None
    client.send(request("POST", "/x", "Connection: foo, Close", body=b"x"))
    assert client.answer().header("Connection") == "close"
    assert client.end() == "fin"


def test_http_1_0(client, engine):
    """HTTP/1.0 needs no Host, is answered and closed."""
    client.send(b"GET /old HTTP/1.0\r\n\r\n")
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (200, "close")
    assert client.end() == "fin"
    assert engine.handled[0].target == "/old"


@pytest.mark.parametrize(
    "head", ["X-Long: " + "x" * 66_000 + "\r\n\r\n", "X-Long: " + "x" * 70_000, "a: b\r\n" * 12_000]
)
def test_a_head_over_the_limit(client, engine, head):
    """More than 64 KiB of head is 431, complete or not, and ends the connection."""
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + head.encode())
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (431, "close")
    assert client.end() == "fin"
    assert not engine.handled


def test_a_head_just_below_the_limit(client):
    """64 KiB of head are taken."""
    start = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: "
    client.send(start + b"x" * (exchange.MAX_HEAD_BYTES - len(start) - 4) + b"\r\n\r\n")
    assert client.answer().status == 200


def test_an_early_refusal_can_be_read_after_the_upload(client, engine):
    """A client that sends all of a 20 MB body before it looks finds the 413."""
    client.send(request("POST", "/x", "Content-Length: 20000000"))
    client.send(b"x" * 20_000_000)
    answer = client.answer()
    assert (answer.status, answer.body) == (413, b"<h1>413</h1>")
    assert client.end() == "fin"
    assert not engine.handled


def test_a_chunked_body_that_grows_over_the_limit(client, engine):
    """Chunks beyond the limit are 413, and the rest of the upload is taken in."""
    client.send(request("POST", "/x", "Transfer-Encoding: chunked"))
    for _ in range(30):
        client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    client.send(b"0\r\n\r\n")
    assert client.answer().status == 413
    assert client.end() == "fin"
    assert not engine.handled


def test_a_limit_that_only_the_front_knows(engine, serve):
    """A declared length over the limit is refused even if the engine did not do so early."""
    engine.refuse_early = lambda head: None
    with RawClient(serve(engine).port) as client:
        client.send(request("POST", "/x", "Content-Length: 1000001"))
        assert client.answer().status == 413


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nNul: \x00\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http(client, engine, data):
    """Malformed requests, TLS among them, get a 400 of ours that says it is a mock's."""
    client.send(data)
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (400, "close")
    assert answer.header(MOCK_HEADER) == "front"
    assert json.loads(answer.body) == {"mock": exchange.SENTENCES[400]}
    assert client.end() == "fin"
    assert not engine.handled
    assert engine.notes[0][1].startswith("broken request: ")


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "chunked\r\nTransfer-Encoding: gzip"])
def test_another_transfer_coding(client, coding):
    """Only chunked is known."""
    client.send(request("POST", "/x", f"Transfer-Encoding: {coding}"))
    assert client.answer().status == 501


@pytest.mark.parametrize("order", [1, -1])
def test_two_lengths_of_one_body(client, engine, order):
    """The chunks count, and the connection ends, as it has to (RFC 9112, 6.1)."""
    lines = ["Content-Length: 3", "Transfer-Encoding: chunked"][::order]
    client.send(request("POST", "/x", *lines) + chunked(b"whole") + request("GET", "/smuggled"))
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (200, "close")
    assert client.end() == "fin"
    assert [(one.target, one.body) for one in engine.handled] == [("/x", b"whole")]


@pytest.mark.parametrize("method", ["PURGE", "get", "X-1", "CONNECT", "QUERY"])
def test_any_method_is_the_engines_to_judge(client, engine, method):
    """Also one that HTTP does not know; its body is a body."""
    client.send(request(method, "/x", "Transfer-Encoding: chunked") + chunked(b"GET / HTTP/1.1"))
    client.send(request("GET", "/next"))
    assert [client.answer().status, client.answer().status] == [200, 200]
    assert [(one.method, one.target) for one in engine.handled] == [
        (method, "/x"),
        ("GET", "/next"),
    ]


def test_no_other_protocol_begins(client, engine):
    """Whoever would rather speak another is answered in this one; the body is a body."""
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    sent = request("POST", "/x", *lines, "Transfer-Encoding: chunked") + chunked(b"GET / HTTP/1.1")
    client.send(sent + request("POST", "/y", *lines, body=b"ab") + request("GET", "/next"))
    assert [client.answer().status for _ in range(3)] == [200] * 3
    assert [one.body for one in engine.handled] == [b"GET / HTTP/1.1", b"ab", b""]


@pytest.mark.parametrize(
    "lines",
    [
        ("Sec-Fetch-Site: same-origin",),
        ("Origin: http://mock",),
    ],
)
def test_a_page_of_the_server_has_a_connection_for_each_request(client, lines):
    """A browser sends a POST again when a kept connection dies, and the fault is never seen."""
    client.send(request("POST", "/x", *lines, body=b"x"))
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (200, "close")
    assert client.end() == "fin"


@pytest.mark.parametrize("sent", [("GET", "/__mock__/faults"), ("GET", "/", "Accept: text/html")])
def test_control_and_console_close_their_connections(client, sent):
    """Whoever asks."""
    client.send(request(*sent))
    assert client.answer().header("Connection") == "close"
    assert client.end() == "fin"


@pytest.mark.parametrize(
    "lines", [("Origin: http://other",), ("Sec-Fetch-Site: cross-site",), ("Accept: text/html",)]
)
def test_other_pages_and_programs_keep_theirs(client, lines):
    """They are served on."""
    client.send(request("POST", "/x", *lines, body=b"x"))
    assert client.answer().header("Connection") is None
    client.send(request("GET"))
    assert client.answer().status == 200


def test_another_version(client):
    """HTTP/2 without its own framing is 505."""
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert client.answer().status == 505


def test_an_engine_that_fails(engine, serve, caplog):
    """Whatever the engine raises, the client gets a 500 of ours and the connection lives on."""

    def fail(request):
        raise ZeroDivisionError

    with RawClient(serve(engine).port) as client:
        handle, engine.handle = engine.handle, fail
        client.send(request(body=b"x"))
        assert client.answer().status == 500
        engine.handle = lambda request: Response(status=200, headers=(("A", "b\r\nc: d"),))
        client.send(request(body=b"x"))
        assert client.answer().status == 500
        engine.handle = handle
        client.send(request(body=b"x"))
        assert client.answer().status == 200
    assert "ZeroDivisionError" in caplog.text


def test_the_front_headers_of_an_engine_are_dropped(engine, serve):
    """An engine cannot break the framing."""
    headers = (("content-length", "7"), ("Transfer-Encoding", "chunked"), ("Server", "me"))
    engine.handle = lambda request: Response(status=200, headers=headers, body=b"ok")
    with RawClient(serve(engine).port) as client:
        client.send(request("GET"))
        answer = client.answer()
    assert (answer.header("Content-Length"), answer.header("Server")) == ("2", "facematch-mock")
    assert answer.header("Transfer-Encoding") is None


def test_a_slow_engine_holds_nobody_up(engine, serve):
    """While a slow engine works on one request, other connections are answered; order is kept."""
    import threading

    go = threading.Event()
    handle = engine.handle

    def slowly(request):
        if request.target == "/slow":
            assert go.wait(10)
        return handle(request)

    engine.slow, engine.handle = True, slowly
    port = serve(engine).port
    with RawClient(port) as first, RawClient(port) as second:
        first.send(request("GET", "/slow") + request(target="/next", body=b"x" * 300_000))
        second.send(request("GET", "/quick"))
        assert json.loads(second.answer().body)["target"] == "/quick"
        go.set()
        assert json.loads(first.answer().body)["target"] == "/slow"
        assert json.loads(first.answer().body)["target"] == "/next"


def test_no_answer_without_a_request(client):
    """A client that ends its side without a request is let go without a word."""
    client.half_close()
    with pytest.raises(Closed):
        client.answer()

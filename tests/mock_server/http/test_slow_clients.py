"""Clients that send slowly, stop halfway, close one side, or are very many."""

import json
import resource
import select
import time
import tracemalloc

import pytest
from kit.rawclient import RawClient, chunked, request

from facematch_mock_server.http import connection, exchange

#: Head or body of a request, up to somewhere in the middle.
PARTS = (
    b"GET / HT",
    request("POST", "/x", "Content-Length: 9") + b"1234",
    request("POST", "/x", "Transfer-Encoding: chunked") + chunked(b"abc")[:6],
)


@pytest.fixture
def connect(engine, serve, at_end):
    """Opens connections to a server that waits 0.2 s for its clients."""
    port = serve(engine, idle_s=0.2).port
    return lambda: at_end.enter_context(RawClient(port))


def test_an_idle_connection_is_closed(connect, engine):
    """Without a request there is nothing to answer."""
    assert connect().end() == "fin"
    assert not engine.notes


def test_a_kept_connection_is_closed_after_its_last_answer(connect):
    """The time starts anew with each answer."""
    client = connect()
    client.send(request("GET"))
    assert client.answer().status == 200
    assert client.end() == "fin"


@pytest.mark.parametrize("part", PARTS)
def test_half_a_request_is_408(connect, engine, part):
    """Head or body: what does not come on is answered and closed."""
    client = connect()
    client.send(part)
    answer = client.answer()
    assert (answer.status, json.loads(answer.body)) == (408, {"mock": exchange.SENTENCES[408]})
    assert client.end() == "fin"
    assert engine.notes == [("", "broken request: the rest of the request did not come")]


def test_a_head_that_trickles_has_one_time(connect):
    """A byte now and then does not keep a head alive for ever."""
    client = connect()
    while not select.select([client.sock], [], [], 0.005)[0]:
        client.send(b"a")
    assert client.answer().status == 408


def test_a_client_that_takes_no_answer_is_dropped(engine, serve):
    """Answers that nobody takes do not hold a connection for ever."""
    engine.handle = lambda request: exchange.Response(status=200, body=b"x" * 30_000_000)
    front = serve(engine, idle_s=0.03)
    with RawClient(front.port) as client:
        client.send(request("GET"))
        client.sock.settimeout(10)
        deadline = time.monotonic() + 10
        while front.connections and time.monotonic() < deadline:
            time.sleep(0.001)
        assert front.connections == 0


@pytest.mark.parametrize("part", PARTS)
def test_an_end_within_a_request(engine, serve, part):
    """A client that ends its side halfway is told so at once."""
    with RawClient(serve(engine).port) as client:
        client.send(part)
        client.half_close()
        assert client.answer().status == 400
        assert client.end() == "fin"
    assert not engine.handled


def test_a_half_open_client_gets_all_its_answers(engine, serve):
    """Requests, then a FIN: every answer comes before the server ends its side."""
    with RawClient(serve(engine).port) as client:
        client.send(request(body=b"x" * 200_000) * 5)
        client.half_close()
        assert [client.answer().status for _ in range(5)] == [200] * 5
        assert client.end() == "fin"


def test_a_half_open_client_of_a_slow_engine(engine, serve):
    """The same when the answers come from another thread."""
    engine.slow = True
    with RawClient(serve(engine).port) as client:
        client.send(request(body=b"x" * 100_000) * 3)
        client.half_close()
        assert [client.answer().status for _ in range(3)] == [200] * 3
        assert client.end() == "fin"


@pytest.fixture
def _many_descriptors():
    """Both ends of all connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_descriptors")
def test_a_thousand_idle_connections(engine, serve):
    """They stand in nobody's way, all are served, and stopping closes them all."""
    front = serve(engine)
    clients = [RawClient(front.port) for _ in range(1000)]
    try:
        for client in clients[::50]:
            client.send(request(body=b"x" * 1000))
            assert client.answer().status == 200
        front.stop()
        assert {client.end() for client in clients} == {"fin"}
    finally:
        for client in clients:
            client.sock.close()


def test_lingering_ends(engine, serve):
    """A client that goes on sending after its refusal is cut off after a while."""
    front = serve(engine, linger_s=0.03)
    with RawClient(front.port) as client:
        client.send(request("POST", "/x", "Content-Length: 1000001"))
        assert client.answer().status == 413
        with pytest.raises(OSError):
            while True:
                client.send(b"x" * 65536)


def _held(front, count):
    """Wait until the server has read so much of uploads that are not complete."""
    deadline = time.monotonic() + 10
    while front.held != count and time.monotonic() < deadline:
        time.sleep(0.001)
    assert front.held == count


@pytest.mark.parametrize("coding", ["Content-Length: 60000000", "Transfer-Encoding: chunked"])
def test_what_is_announced_takes_no_memory(make_engine, serve, coding):
    """Sixty uploads of 60 MB of which a kilobyte has come hold some sixty kilobytes."""
    front = serve(make_engine(limit=64_000_000))
    start = request("POST", "/x", coding) + b"3938700\r\n" * coding.startswith("T")
    clients = [RawClient(front.port) for _ in range(60)]
    tracemalloc.start()
    try:
        for client in clients:
            client.send(start + b"x" * 1000)
        _held(front, 60 * (len(start) + 1000))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
        for client in clients:
            client.sock.close()
    _held(front, 0)


def test_all_unfinished_requests_together_have_a_limit(make_engine, serve, monkeypatch):
    """What would go beyond it is refused; there is room again when others are done or gone."""
    monkeypatch.setattr(connection, "MAX_HELD_BYTES", 1_000_000)
    front = serve(make_engine())
    start = request("POST", "/x", "Content-Length: 900000")
    with RawClient(front.port) as first, RawClient(front.port) as second:
        first.send(start + b"x" * 600_000)
        _held(front, len(start) + 600_000)
        second.send(start + b"x" * 600_000)
        answer = second.answer()
        assert (answer.status, answer.header("Connection")) == (503, "close")
        first.send(b"x" * 300_000)
        assert first.answer().status == 200
        _held(front, 0)
        first.send(request(body=b"x" * 900_000))
        assert first.answer().status == 200

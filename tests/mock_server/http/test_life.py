"""Starting and stopping: quick, clean, often, many at once."""

import os
import socket
import threading

import pytest
from kit.rawclient import RawClient, request

from facematch_mock_server.http.server import HttpServer


def _refused(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_start_and_stop_twice(engine):
    """Both do nothing the second time; it may start again."""
    front = HttpServer(engine)
    with pytest.raises(RuntimeError):
        front.port  # noqa: B018 - the reading is what is tested
    assert front.start() is front.start()
    port = front.port
    assert front.url == f"http://127.0.0.1:{port}"
    front.stop()
    front.stop()
    assert _refused(port)
    with front, RawClient(front.port) as client:
        client.send(request("GET"))
        assert client.answer().status == 200


def test_a_port_that_is_taken(engine):
    """It is an OSError at the start, and nothing is left behind."""
    with HttpServer(engine) as first:
        second = HttpServer(engine, port=first.port)
        with pytest.raises(OSError):
            second.start()
        second.stop()
    with second:
        assert second.port == second.port


def test_hundreds_of_servers(make_engine):
    """Each has its own port and engine; they share one thread, which ends with the last."""
    before = threading.active_count()
    engines = [make_engine() for _ in range(300)]
    fronts = [HttpServer(engine).start() for engine in engines]
    assert threading.active_count() == before + 1
    for number, front in enumerate(fronts):
        with RawClient(front.port) as client:
            client.send(request("GET", f"/{number}"))
            assert client.answer().status == 200
    assert [engine.handled[0].target for engine in engines] == [f"/{n}" for n in range(300)]
    ports = [front.port for front in fronts]
    for front in fronts:
        front.stop()
    assert threading.active_count() == before
    assert all(map(_refused, ports))


@pytest.mark.parametrize(
    ("place", "sent"),
    [
        (None, b""),
        (None, b"GET / HT"),
        (None, request("POST", "/x", "Content-Length: 500000") + b"x" * 200_000),
        (None, request("POST", "/x", "Content-Length: 2000000")),
        ("connect.delay", request("GET")),
        ("after_upload.delay", request("GET")),
        ("mid_headers.dribble", request("GET")),
        ("mid_upload.truncate", request(body=b"x" * 100_000)),
    ],
)
def test_stop_with_a_connection_open(make_engine, make_fault, place, sent):
    """Idle, within the upload, waiting, answering, lingering: stopping ends it at once."""
    engine = make_engine(*([make_fault(place, seconds=3600)] if place else []))
    front = HttpServer(engine).start()
    with RawClient(front.port) as client:
        client.send(sent)
        while sent and not front.connections:
            pass
        front.stop()
        client.rest()
    assert _refused_after(front)


def _refused_after(front):
    with pytest.raises(RuntimeError):
        front.port  # noqa: B018 - the reading is what is tested
    return True


def test_stop_while_a_slow_engine_works(engine):
    """Nobody waits for it; its answer goes nowhere."""
    begun, go = threading.Event(), threading.Event()
    handle = engine.handle

    def slowly(seen):
        begun.set()
        assert go.wait(10)
        return handle(seen)

    engine.slow, engine.handle = True, slowly
    with HttpServer(engine) as front, RawClient(front.port) as client:
        client.send(request("GET"))
        assert begun.wait(10)
        front.stop()
        assert client.end() == "fin"
    go.set()


def test_connections_that_arrive_while_it_stops(engine):
    """Whoever connects at the wrong moment is closed or refused, never left hanging."""
    for _ in range(30):
        front = HttpServer(engine).start()
        clients = [RawClient(front.port) for _ in range(5)]
        front.stop()
        for client in clients:
            client.rest()
            client.sock.close()


def test_stop_from_within(engine):
    """An engine that stops its own server gets an error instead of a deadlock."""
    front = HttpServer(engine).start()
    caught = []
    handle = engine.handle

    def stopping(seen):
        try:
            HttpServer(engine).start()
        except RuntimeError as error:
            caught.append(str(error))
        return handle(seen)

    engine.handle = stopping
    with RawClient(front.port) as client:
        client.send(request("GET"))
        assert client.answer().status == 200
    front.stop()
    assert caught == ["a mock server is started and stopped from another thread"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_after_a_fork(engine):
    """The child can stop what it inherited, and serve by itself; the parent's port is its own."""
    front = HttpServer(engine).start()
    port = front.port
    reader, writer = os.pipe()
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(writer)
            front.stop()
            with HttpServer(engine) as own, RawClient(own.port) as client:
                client.send(request("GET"))
                code = 0 if client.answer().status == 200 else 2
            os.write(tell, b".")
            os.read(reader, 1)
        finally:
            os._exit(code)
    with RawClient(port) as client:
        client.send(request("GET"))
        assert client.answer().status == 200
    os.close(tell)
    assert os.read(told, 1) == b"."
    os.close(told)
    front.stop()
    refused = _refused(port)
    os.close(writer)
    os.close(reader)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert refused


def test_another_host(engine):
    """The caller decides where it listens; the address to use is one that leads there."""
    with HttpServer(engine, host="0.0.0.0") as front:
        assert front.url == f"http://127.0.0.1:{front.port}"
    if socket.has_ipv6:
        try:
            with HttpServer(engine, host="::1") as front:
                assert front.url == f"http://[::1]:{front.port}"
        except OSError:
            pytest.skip("no IPv6 loopback")

import socket
import threading

import pytest
from kit.rawclient import RawClient, raw_request

from facematch_mock_server.http.server import THREAD, HttpServer


def _refused(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_a_second_start_or_stop_does_nothing_and_it_may_start_again(engine):
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
        client.send(raw_request("GET"))
        assert client.answer().status == 200


def test_a_taken_port_is_an_os_error_at_the_start(engine):
    with HttpServer(engine) as first:
        second = HttpServer(engine, port=first.port)
        with pytest.raises(OSError):
            second.start()
        second.stop()
    with second:
        assert second.port == second.port


def test_a_hundred_servers_share_one_thread_that_ends_with_the_last(make_engine):
    def threads():
        return [thread for thread in threading.enumerate() if thread.name == THREAD]

    # A server that other tests share may run, too.
    others, before = threads(), threading.active_count()
    engines = [make_engine() for _ in range(100)]
    fronts = [HttpServer(engine).start() for engine in engines]
    assert len(threads()) == 1
    assert threading.active_count() == before + 1 - len(others)
    for number, front in enumerate(fronts):
        with RawClient(front.port) as client:
            client.send(raw_request("GET", f"/{number}"))
            assert client.answer().status == 200
    assert [engine.handled[0].target for engine in engines] == [f"/{n}" for n in range(100)]
    ports = [front.port for front in fronts]
    for front in fronts:
        front.stop()
    assert threads() == others
    assert all(map(_refused, ports))


@pytest.mark.parametrize(
    ("place", "sent"),
    [
        (None, b"GET / HT"),
        (None, raw_request("POST", "/x", "Content-Length: 500000") + b"x" * 200_000),
        (None, raw_request("POST", "/x", "Content-Length: 2000000")),
        ("after_upload.delay", raw_request("GET")),
        ("mid_upload.truncate", raw_request(body=b"x" * 100_000)),
    ],
)
def test_a_stop_ends_every_connection_at_once(make_engine, make_fault, place, sent):
    """Idle, within the upload, waiting, answering, lingering: stopping ends it at once."""
    engine = make_engine(*([make_fault(place, seconds=3600)] if place else []))
    front = HttpServer(engine).start()
    with RawClient(front.port) as client:
        client.send(sent)
        front.stop()
        client.rest()
    with pytest.raises(RuntimeError):
        front.port  # noqa: B018 - the reading is what is tested


def test_a_stop_waits_for_no_slow_engine(engine):
    begun, go = threading.Event(), threading.Event()
    handle = engine.handle

    def slowly(seen):
        begun.set()
        assert go.wait(10)
        return handle(seen)

    engine.slow, engine.handle = True, slowly
    with HttpServer(engine) as front, RawClient(front.port) as client:
        client.send(raw_request("GET"))
        assert begun.wait(10)
        front.stop()
        assert client.end() == "fin"
    go.set()


def test_a_stop_from_within_is_an_error_and_no_deadlock(engine):
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
        client.send(raw_request("GET"))
        assert client.answer().status == 200
    front.stop()
    assert caught == ["a mock server is started and stopped from another thread"]

import pytest
from kit.rawclient import RawClient, raw_request

from facematch_mock_server.http.server import HttpServer


def test_occupied_port_raises_os_error_on_start(engine):
    with HttpServer(engine) as first:
        second = HttpServer(engine, port=first.port)
        with pytest.raises(OSError):
            second.start()
        second.stop()
    with second:
        assert second.port == second.port


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


def test_stop_from_the_server_thread_raises_instead_of_deadlocking(engine):
    front = HttpServer(engine).start()
    caught = []
    handle = engine.handle

    def stopping(seen):
        try:
            front.stop()
        except RuntimeError as error:
            caught.append(str(error))
        return handle(seen)

    engine.handle = stopping
    with RawClient(front.port) as client:
        client.send(raw_request("GET"))
        assert client.answer().status == 200
    front.stop()
    assert caught == ["a mock server can only be stopped from another thread"]

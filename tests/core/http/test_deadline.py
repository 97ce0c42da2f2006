"""`deadline_s` covers the whole exchange, however the time is spent."""

import contextlib
import socket
import sys
import time

import pytest
from kit.rawserver import RawServer, dribble, hold, http_reply, read_request, send

from facematch_core.errors import DeadlineExceeded
from facematch_core.testing import ManualClock


@contextlib.contextmanager
def deaf_host():
    """Its host and port: its queue is full, so it drops each SYN."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):  # more than it has room for
            filling = waiting.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listener.getsockname())
        yield listener.getsockname()


OK = http_reply(200)
#: Far more than comes while anybody waits.
LONG = http_reply(200, b"[" + b" " * 100_000 + b"]")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def stopped(connection):
    """Take nothing in until the server is closed."""
    connection.stopping.wait()


SCRIPTS = {
    "status line": [read_request, dribble(b"HTTP/1.1 " + b"2" * 9999, 0.02)],
    "headers": [read_request, dribble(b"HTTP/1.1 200 OK\r\nX: " + LONG, 0.02)],
    "interim answers": [read_request, dribble(b"HTTP/1.1 100 Continue\r\n\r\n" * 999, 0.02)],
    "body": [read_request, send(LONG[:60]), dribble(LONG[60:], 0.02)],
    "chunks": [read_request, send(CHUNKED), dribble(b"1\r\n \r\n" * 9999, 0.02)],
    "silence": [read_request, hold],
    "an upload that nobody takes": [stopped],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_deadline_ends_what_would_last_longer(ask_late, name):
    with RawServer(SCRIPTS[name]) as server:
        size = 30_000_000 if SCRIPTS[name] == [stopped] else 100
        error = ask_late(server.url, size=size, reconcilable=True).unknown(DeadlineExceeded)
    assert error.reconcilable
    assert isinstance(error, TimeoutError)


def test_a_deadline_that_has_passed_sends_nothing(ask):
    with RawServer([hold]) as server:
        error = ask(server.url, deadline_s=0.0).not_sent()
        assert server.connections == []
    assert ("deadline" in error.message, error.retryable) == (True, False)


@pytest.mark.parametrize(
    "times", [{"deadline_s": 0.1}, {"deadline_s": 3600.0, "send_within_s": 0.1}], ids="-".join
)
def test_a_time_that_ends_within_the_handshake_sends_nothing(ask, open_client, times):
    by = open_client(connect_timeout_s=3600.0)
    with RawServer([stopped]) as server:
        error = ask(f"https://localhost:{server.port}/", by=by, **times).not_sent()
    assert not error.retryable


@pytest.mark.skipif(sys.platform != "linux", reason="relies on what Linux does with a full queue")
def test_a_deadline_within_connecting_sends_nothing(ask, open_client):
    by, since = open_client(connect_timeout_s=20.0), time.monotonic()
    with deaf_host() as (_, port):
        error = ask(f"http://127.0.0.1:{port}/", by=by, deadline_s=0.1).not_sent()
    assert time.monotonic() - since < 10
    assert ("deadline" in error.message, error.retryable) == (True, False)


def test_the_time_out_of_connecting_is_no_deadline(ask, open_client):
    by = open_client(connect_timeout_s=0.1)
    with RawServer([stopped]) as server:
        error = ask(f"https://localhost:{server.port}/", by=by).not_sent()
    assert ("too long" in error.message, error.retryable) == (True, True)


def test_a_time_for_sending_ends_with_the_first_byte(ask, open_client, clock):
    by = open_client(clock=clock)
    times = {"deadline_s": 60.0, "send_within_s": 3.0}
    with RawServer([read_request, send(OK)]) as server:
        outcome = ask(server.url, by=by, at_first_byte=lambda: clock.advance(5), **times)
    assert outcome.reply.status == 200


@pytest.mark.parametrize("times_s", [((5.0, 5.0), (None, 20.0)), ((None, 20.0), (5.0, 5.0))])
def test_a_used_connection_has_the_time_of_its_new_call(ask, open_client, monkeypatch, times_s):
    kept, set_s = [], socket.socket.settimeout
    monkeypatch.setattr(
        socket.socket, "settimeout", lambda sock, s: (kept.append(s), set_s(sock, s))[1]
    )
    by = open_client(clock=ManualClock())
    with RawServer([read_request, send(OK)] * 2) as server:
        for deadline_s, wait_s in times_s:
            assert ask(server.url, by=by, deadline_s=deadline_s).reply.status == 200
            assert kept[-1] == wait_s
        assert len(server.connections) == 1


def test_deadline_and_elapsed_time_are_those_of_the_given_clock(ask, open_client):
    class Counting(ManualClock):
        def monotonic(self):
            self.advance(1)
            return super().monotonic()

    by = open_client(clock=Counting())
    with RawServer([read_request, send(OK), read_request, hold]) as server:
        assert ask(server.url, by=by).reply.elapsed_s >= 1
        passes = {"at_first_byte": lambda: by.clock.advance(3600), "deadline_s": 600.0}
        ask(server.url, by=by, **passes).unknown(DeadlineExceeded)

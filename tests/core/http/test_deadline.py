"""`deadline_s` covers the whole exchange, however the time is spent."""

import pytest
from kit.rawserver import RawServer, dribble, hold, http_reply, read_request, send

from facematch_core.errors import DeadlineExceeded
from facematch_core.testing import ManualClock

OK = http_reply(200)
#: Far more than comes while anybody waits.
LONG = http_reply(200, b"[" + b" " * 100_000 + b"]")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def stopped(connection):
    """Take nothing in until the server is closed."""
    connection.stopping.wait()


SCRIPTS = {
    "status line": [read_request, dribble(b"HTTP/1.1 " + b"2" * 9999, 0.01)],
    "headers": [read_request, dribble(b"HTTP/1.1 200 OK\r\nX: " + LONG, 0.01)],
    "interim answers": [read_request, dribble(b"HTTP/1.1 100 Continue\r\n\r\n" * 999, 0.01)],
    "body": [read_request, send(LONG[:60]), dribble(LONG[60:], 0.01)],
    "chunks": [read_request, send(CHUNKED), dribble(b"1\r\n \r\n" * 9999, 0.01)],
    "silence": [read_request, hold],
    "an upload that nobody takes": [stopped],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_deadline_ends_slow_or_endless_exchanges(ask_late, name):
    with RawServer(SCRIPTS[name]) as server:
        size = 30_000_000 if SCRIPTS[name] == [stopped] else 100
        error = ask_late(server.url, size=size).unknown(DeadlineExceeded)
    assert isinstance(error, TimeoutError)


def test_expired_deadline_sends_nothing(ask):
    with RawServer([hold]) as server:
        error = ask(server.url, deadline_s=0.0).not_sent()
        assert server.connections == []
    assert ("deadline" in error.message, error.retryable) == (True, False)


def test_deadline_uses_the_given_clock(ask, open_client):
    class Counting(ManualClock):
        def monotonic(self):
            self.advance(1)
            return super().monotonic()

    http_client = open_client(clock=Counting())
    with RawServer([read_request, send(OK), read_request, hold]) as server:
        assert ask(server.url, http_client=http_client).reply.status == 200
        passes = {"at_first_byte": lambda: http_client.clock.advance(3600), "deadline_s": 600.0}
        ask(server.url, http_client=http_client, **passes).unknown(DeadlineExceeded)

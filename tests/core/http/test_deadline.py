"""`deadline_s` covers the whole exchange, however the time is spent."""

import sys
import time

import pytest
from kit.deaf import deaf_host
from kit.rawserver import RawServer, answer, dribble, hold, read_request, send

from facematch_core import Charged, VendorUnavailable
from facematch_core.errors import DeadlineExceeded
from facematch_core.http import HttpClient
from facematch_core.testing import ManualClock

#: Long enough that no test could wait for it; the deadlines are fractions of a second.
LONG = answer(200, b"[" + b" " * 100_000 + b"]")


def stopped(connection):
    """Take nothing in until the server is closed."""
    connection.stopping.wait()


SCRIPTS = {
    "dribbling status line": ([read_request, dribble(b"HTTP/1.1 " + b"2" * 9999, 0.02)], 100),
    "dribbling headers": ([read_request, dribble(b"HTTP/1.1 200 OK\r\nX: " + LONG, 0.02)], 100),
    "dribbling interim answers": (
        [read_request, dribble(b"HTTP/1.1 100 Continue\r\n\r\n" * 999, 0.02)],
        100,
    ),
    "dribbling body": ([read_request, send(LONG[:60]), dribble(LONG[60:], 0.02)], 100),
    "dribbling chunks": (
        [
            read_request,
            send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            dribble(b"1\r\n \r\n" * 9999, 0.02),
        ],
        100,
    ),
    "silence": ([read_request, hold], 100),
    "an upload that nobody takes": ([stopped], 30_000_000),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_deadline_ends_everything_after_the_first_byte(name, ask):
    """No single wait is long, but together they would be: the deadline counts them together."""
    script, size = SCRIPTS[name]
    with RawServer(script) as server:
        begun = time.monotonic()
        outcome = ask(server.url, size=size, deadline_s=0.3, reconcilable=True)
        took = time.monotonic() - begun
    error = outcome.error
    assert type(error) is DeadlineExceeded
    assert (error.billing.charged, error.reconcilable, outcome.sent) == (Charged.UNKNOWN, True, 1)
    assert isinstance(error, TimeoutError)
    assert 0.25 < took < 10


def test_a_deadline_that_has_passed_sends_nothing(ask):
    """Not even a connection is made."""
    with RawServer([hold]) as server:
        outcome = ask(server.url, deadline_s=0.0)
        assert server.connections == []
    assert type(outcome.error) is VendorUnavailable
    assert "deadline" in outcome.error.message
    assert outcome.error.retryable is False
    assert (outcome.error.billing.charged, outcome.sent) == (Charged.NO, 0)


def test_a_deadline_within_the_handshake_sends_nothing(client, request_to, ask):
    """A server that accepts and then does not speak TLS."""
    with RawServer([stopped]) as server:
        outcome = ask(f"https://localhost:{server.port}/", deadline_s=0.3)
    assert type(outcome.error) is VendorUnavailable
    assert "deadline" in outcome.error.message
    assert outcome.error.retryable is False
    assert outcome.sent == 0


def test_a_time_for_sending_ends_before_the_first_byte_alone(ask):
    """What connects in time has all of the deadline for its answer."""
    with RawServer([stopped]) as server:
        begun = time.monotonic()
        outcome = ask(f"https://localhost:{server.port}/", deadline_s=60.0, send_within_s=0.3)
        assert time.monotonic() - begun < 10
    assert type(outcome.error) is VendorUnavailable
    assert (outcome.error.billing.charged, outcome.sent) == (Charged.NO, 0)
    assert outcome.error.retryable is False

    def later(connection):
        connection.stopping.wait(0.6)
        connection.give(answer(200))

    with RawServer([read_request, later]) as server:
        outcome = ask(server.url, deadline_s=60.0, send_within_s=0.3)
    assert outcome.reply.status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="relies on what Linux does with a full queue")
def test_a_deadline_within_connecting_sends_nothing(ask):
    """A host that does not answer at all: here, one whose queue of connections is full."""
    with deaf_host() as (_, port):
        begun = time.monotonic()
        outcome = ask(f"http://127.0.0.1:{port}/", deadline_s=0.3)
        assert time.monotonic() - begun < 10
    assert type(outcome.error) is VendorUnavailable
    assert "deadline" in outcome.error.message
    assert outcome.error.retryable is False
    assert outcome.sent == 0


def test_the_time_out_of_connecting_is_no_deadline(request_to):
    """The same without a deadline: `connect_timeout_s` ends the handshake."""
    client = HttpClient(connect_timeout_s=0.2)
    with RawServer([stopped]) as server, pytest.raises(VendorUnavailable, match="too long") as e:
        client.send(request_to(f"https://localhost:{server.port}/"), backend="acme")
    assert e.value.retryable is True
    client.close()


def test_a_used_connection_gets_the_new_deadline(ask):
    """The deadline of the first call does not hold for the second on the same connection."""
    script = [read_request, send(answer(200)), read_request, hold]
    with RawServer(script) as server:
        assert ask(server.url, deadline_s=60.0).reply.status == 200
        assert type(ask(server.url, deadline_s=0.2).error) is DeadlineExceeded
        assert len(server.connections) == 1


def test_a_call_without_a_deadline_after_one_with(ask):
    """The deadline of the first call leaves no trace on the connection."""

    def later(connection):
        connection.stopping.wait(0.4)
        connection.give(answer(200))

    with RawServer([read_request, send(answer(200)), read_request, later]) as server:
        assert ask(server.url, deadline_s=0.3).reply.status == 200
        assert ask(server.url).reply.status == 200
        assert len(server.connections) == 1


def test_the_deadline_is_counted_by_the_given_clock(request_to):
    """A clock that jumps while the request leaves: the answer is not waited for."""

    clock = ManualClock()
    client = HttpClient(clock=clock)

    def on_sent():
        clock.advance(3600)

    with RawServer([read_request, hold]) as server, pytest.raises(DeadlineExceeded):
        client.send(request_to(server.url), backend="acme", deadline_s=30.0, on_sent=on_sent)
    client.close()


def test_the_elapsed_time_is_the_clock_s(request_to):
    """`elapsed_s` of a reply is counted by the given clock."""

    class Counting:
        at = 0.0

        def monotonic(self):
            self.at += 1.0
            return self.at

    client = HttpClient(clock=Counting())
    with RawServer([read_request, send(answer(200))]) as server:
        reply = client.send(request_to(server.url), backend="acme")
    client.close()
    assert reply.elapsed_s >= 1.0

"""Where an exchange breaks decides what it cost: before the first byte NO, after it UNKNOWN."""

import threading

import pytest
from kit.rawserver import (
    RawServer,
    answer,
    close,
    hold,
    read,
    read_request,
    refused,
    repeat,
    reset,
    send,
)

from facematch_core import Charged, OutcomeUnknown, UnexpectedResponse, VendorUnavailable
from facematch_core.errors import DeadlineExceeded
from facematch_core.http import HttpClient
from facematch_core.testing import ManualClock

OK = answer(200, b'{"ok": true}')
FORGED = answer(200, b'{"ok": "forged"}')
HALF_HEAD = b"HTTP/1.1 200 OK\r\nContent-Ty"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BIG = 4_000_000

#: name: (script, size of the picture)
AFTER_THE_FIRST_BYTE = {
    "accept, then close": ([close], 100),
    "reset within the head": ([read(10), reset], 100),
    "reset within the upload": ([read(100_000), reset], BIG),
    "close within the upload": ([read(100_000), close], BIG),
    "reset after the upload": ([read_request, reset], 100),
    "close after the upload": ([read_request, close], 100),
    "reset within the status line": ([read_request, send(b"HTTP/1."), reset], 100),
    "close within the status line": ([read_request, send(b"HTTP/1.1 2"), close], 100),
    "reset within the headers": ([read_request, send(HALF_HEAD), reset], 100),
    "close within the headers": ([read_request, send(HALF_HEAD), close], 100),
    "close before the empty line": ([read_request, send(b"HTTP/1.1 401 No\r\nX: y\r\n")], 100),
    "reset within the body": ([read_request, send(answer(200, b"{", length=50)), reset], 100),
    "close within the body": ([read_request, send(answer(200, b"{", length=50)), close], 100),
    "no byte of the body": ([read_request, send(answer(200, length=5)), close], 100),
    "close within a chunk": ([read_request, send(CHUNKED + b"5\r\nab")], 100),
    "close between chunks": ([read_request, send(CHUNKED + b"1\r\n{\r\n")], 100),
    "a chunk of no size": ([read_request, send(CHUNKED + b"\r\n\r\n")], 100),
    "a chunk of a negative size": ([read_request, send(CHUNKED + b"-1\r\n{}")], 100),
    "a chunk of a silly size": ([read_request, send(CHUNKED + b"zz\r\n{}\r\n")], 100),
    "a chunk size that never ends": ([read_request, send(CHUNKED), repeat(b"1" * 9999, 999)], 100),
    "a coding that is not HTTP's": (
        [
            read_request,
            send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ],
        100,
    ),
    "two lengths": ([read_request, send(answer(200, b"{}", "Content-Length: 3"))], 100),
    "garbage": ([read_request, send(b"\x00\x01garbage\r\n\r\n")], 100),
    "another protocol": ([read_request, send(b"SSH-2.0-OpenSSH_9.2\r\n"), close], 100),
    "another version": ([read_request, send(b"HTTP/7 200 OK\r\n\r\n")], 100),
    "a status of four digits": ([read_request, send(b"HTTP/1.1 2000 OK\r\n\r\n")], 100),
    "a head that never ends": ([read_request, send(OK[:17]), repeat(b"X: y\r\n" * 999, 999)], 100),
    "a line that never ends": ([read_request, send(OK[:17]), repeat(b"X" * 9999, 9999)], 100),
    "too long, but no 200": ([read_request, send(answer(500, b"x" * 2_000_000))], 100),
}


@pytest.mark.parametrize("name", AFTER_THE_FIRST_BYTE)
def test_what_breaks_after_the_first_byte_is_unknown(name, ask):
    """Whatever happens once the first byte was handed over: it may have been executed."""
    script, size = AFTER_THE_FIRST_BYTE[name]
    with RawServer(script) as server:
        outcome = ask(server.url, size=size, call_id="a-1")
    error = outcome.error
    assert type(error) is OutcomeUnknown
    assert (error.billing.charged, error.retryable, outcome.sent) == (Charged.UNKNOWN, False, 1)
    assert (error.backend, error.ids.call, error.reconcilable) == ("acme", "a-1", False)
    assert "keep nothing" in error.message


def test_accept_then_reset(ask):
    """The RST may come before or after the first byte: error, bill and `on_sent` say the same."""
    with RawServer([reset]) as server:
        outcome = ask(server.url)
    if outcome.sent:
        assert type(outcome.error) is OutcomeUnknown
    else:
        assert type(outcome.error) is VendorUnavailable


def test_a_refused_connection_sent_nothing(ask):
    """Nobody listens."""
    with refused() as port:
        outcome = ask(f"http://127.0.0.1:{port}/")
    assert type(outcome.error) is VendorUnavailable
    assert (outcome.error.billing.charged, outcome.error.retryable) == (Charged.NO, True)
    assert outcome.error.status_code is None
    assert "refused" in outcome.error.message
    assert outcome.sent == 0


def test_an_unknown_name_sent_nothing(ask):
    """A host that cannot be looked up."""
    outcome = ask("http://no-such-host.invalid/")
    assert type(outcome.error) is VendorUnavailable
    assert outcome.sent == 0


def test_silence_ends_with_the_read_timeout(request_to):
    """A server that says nothing is given up after `read_timeout_s`; that is no deadline."""
    client = HttpClient(read_timeout_s=0.2)
    with RawServer([read_request, hold]) as server, pytest.raises(OutcomeUnknown) as caught:
        client.send(request_to(server.url), backend="acme", reconcilable=True)
    client.close()
    assert not isinstance(caught.value, DeadlineExceeded)
    assert caught.value.reconcilable
    assert "look for it in its records" in caught.value.message


@pytest.mark.parametrize("status", [413, 401])
def test_an_early_answer_is_read(ask, status):
    """A server that answers before it has read the upload, then stops reading."""
    with RawServer([read(1000), send(answer(status, b"{}", "Connection: close")), hold]) as server:
        outcome = ask(server.url, size=100_000)
    assert outcome.reply.status == status


def test_a_200_that_is_too_long_is_charged(ask):
    """A complete head says 200: the work was done, the body just cannot be used."""
    with RawServer([read_request, send(answer(200, b"x" * 2_000_000))]) as server:
        outcome = ask(server.url)
    assert type(outcome.error) is UnexpectedResponse
    assert (outcome.error.billing.charged, outcome.error.status_code) == (Charged.YES, 200)
    assert outcome.sent == 1


def test_a_connection_that_the_server_closed_is_not_used_again(ask):
    """The second call gets a connection of its own: nothing is lost and nothing sent twice."""
    with RawServer([read_request, send(OK), close]) as server:
        assert ask(server.url).reply.status == 200
        assert server.connections[0].done.wait(10)
        second = ask(server.url)
        assert (second.reply.status, second.sent) == (200, 1)
        assert len(server.connections) == 2


def test_a_connection_is_used_again_while_it_lives(ask):
    """Three calls, one connection, `on_sent` once for each."""
    with RawServer([read_request, send(OK)] * 3 + [hold]) as server:
        assert [ask(server.url).sent for _ in range(3)] == [1, 1, 1]
        assert len(server.connections) == 1
        assert len(server.requests) == 3


def test_a_connection_that_idled_is_not_used_again(request_to):
    """The server may be closing it just now, and a request lost that way has an unknown bill."""

    clock = ManualClock()
    client = HttpClient(clock=clock)
    with RawServer([read_request, send(OK)] * 3 + [hold]) as server:
        for pause in (0.0, 50.0, 70.0):
            clock.advance(pause)
            assert client.send(request_to(server.url), backend="acme").status == 200
        assert [len(connection.requests) for connection in server.connections] == [2, 1]
        client.close()


def test_a_used_connection_that_breaks_is_unknown(ask):
    """The server takes the second request of a connection and goes: it is not repeated."""
    with RawServer([read_request, send(OK), read(5), reset]) as server:
        assert ask(server.url).reply.status == 200
        outcome = ask(server.url)
        assert type(outcome.error) is OutcomeUnknown
        assert outcome.sent == 1
        assert len(server.connections) == 1


@pytest.mark.parametrize("pieces", [[OK + FORGED], [OK, FORGED]], ids=["at once", "later"])
def test_more_bytes_than_announced_are_no_answer_to_the_next_request(ask, pieces):
    """What follows a complete answer unasked is thrown away, or its connection is."""
    given = threading.Event()
    first = [read_request, *[send(piece) for piece in pieces], lambda _: given.set()]
    with RawServer([[*first, read_request, send(OK)], [read_request, send(OK)]]) as server:
        assert ask(server.url).reply.json() == {"ok": True}
        assert given.wait(10)
        assert ask(server.url).reply.json() == {"ok": True}


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", "does not end"),
        (b"HTTP/1.1 103 Hints\r\n\r\n", "no proper HTTP"),
    ],
)
def test_interim_answers_without_end_are_cut_off(ask, piece, words):
    """Without a deadline, too: there is an amount, and a number, that no answer needs."""
    with RawServer([read_request, repeat(piece * 999, 10**9)]) as server:
        outcome = ask(server.url)
    assert type(outcome.error) is OutcomeUnknown
    assert words in outcome.error.message


def test_on_sent_that_raises_holds_the_byte_back(client, request_to):
    """The caller could not write down that it will be charged: nothing may leave."""

    class StoreError(Exception):
        pass

    def on_sent():
        raise StoreError("disk full")

    with RawServer([hold]) as server:
        with pytest.raises(StoreError, match="disk full"):
            client.send(request_to(server.url), backend="acme", on_sent=on_sent)
        client.close()
    assert server.received == b""


def test_ctrl_c_passes_through(client, request_to):
    """An interrupt is not turned into anything else, and its frames hold no request."""

    def on_sent():
        raise KeyboardInterrupt

    with RawServer([hold]) as server, pytest.raises(KeyboardInterrupt):
        client.send(request_to(server.url), backend="acme", on_sent=on_sent)

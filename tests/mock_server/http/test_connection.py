"""One connection without a socket: requests in a stream, and clients that stop halfway."""

import functools
import json
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kit.rawclient import chunked, raw_request

from facematch_mock_server.base.messages import Response
from facematch_mock_server.http import exchange
from facematch_mock_server.http.connection import Connection, Service

IDLE_S = 60


class Timer:
    def __init__(self, due, call, arguments):
        self.due = due
        self.run = functools.partial(call, *arguments)

    def when(self):
        return self.due

    def cancel(self):
        self.run = None


class Loop:
    """An event loop whose clock the test moves."""

    def __init__(self):
        self.now = 0.0
        self.timers = []
        self.turns = 0

    def time(self):
        return self.now

    def call_at(self, due, call, *arguments):
        self.timers.append(Timer(due, call, arguments))
        return self.timers[-1]

    def call_later(self, seconds, call, *arguments):
        return self.call_at(self.now + seconds, call, *arguments)

    def call_soon(self, call, *arguments):
        return self.call_at(self.now, call, *arguments)

    def advance(self, seconds):
        end = self.now + seconds
        called = 0
        while due := [timer for timer in self.timers if timer.run and timer.due <= end]:
            first = min(due, key=Timer.when)
            self.timers.remove(first)
            self.now = max(self.now, first.due)
            first.run()
            called += 1
            self.turns += 1
            assert called < 1000, "a timer begins itself anew, at once"
        self.now = end


class Line:
    """A connection, its transport, and its client, who takes what is written while `takes`.

    `sent` is what the server wrote, `ended` whether it ended its side, `closed` None or how.
    """

    def __init__(self, engine):
        self.engine = engine
        self.loop = Loop()
        self.sent = b""
        self.takes = True
        self.ended = False
        self.closed = None
        self.scratch = memoryview(bytearray(4096))
        about = {"threads": None, "idle_s": IDLE_S, "linger_s": 5}
        service = Service(handler=engine, loop=self.loop, scratch=self.scratch, **about)
        self.connection = Connection(service)
        self.connection.connection_made(self)

    def send(self, data):
        for at in range(0, len(data), len(self.scratch)):
            part = data[at : at + len(self.scratch)]
            self.connection.get_buffer(-1)[: len(part)] = part
            self.connection.buffer_updated(len(part))
            self.loop.advance(0)

    def half_close(self):
        self.connection.eof_received()

    def hang_up(self):
        self.connection.connection_lost(None)

    @property
    def statuses(self):
        """Of all answers, which the engine of these tests writes in one piece each."""
        lines = self.sent.split(b"HTTP/1.1 ")[1:]
        return [int(line.split()[0]) for line in lines]

    def get_extra_info(self, name, default=None):
        return ("peer", 1) if name == "peername" else default

    def write(self, data):
        self.sent += bytes(data)

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.ended = True

    def is_closing(self):
        return self.closed is not None

    def get_write_buffer_size(self):
        return 0 if self.takes else len(self.sent)

    def pause_reading(self):
        pass

    resume_reading = pause_reading

    def close(self):
        self.closed = self.closed or "close"

    def abort(self):
        self.closed = self.closed or "abort"


@pytest.fixture(scope="module")
def connect(make_engine):
    """Opens lines to an engine of their own."""
    return lambda limit=5000: Line(make_engine(limit=limit))


def test_pipelined_requests_yield_to_the_event_loop(connect):
    line = connect(limit=20_000)
    line.send(raw_request("GET") * 50)
    assert line.loop.turns > 40
    assert line.engine.handled


@given(st.binary(max_size=200))
@example(b"\r\n\r\n")
@example(
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n"
)
def test_any_bytes_are_parsed_or_rejected_with_an_http_error(connect, data):
    line = connect()
    line.send(data)
    refused = [status for status in line.statuses if status >= 400]
    assert line.ended is bool(refused)
    assert set(refused) <= {400, 413, 431, 501, 505}
    line.hang_up()


# Clients that are slow, or go

#: Head or body of a request, up to somewhere in the middle.
PARTS = (
    b"GET / HT",
    raw_request("POST", "/x", "Content-Length: 9") + b"1234",
    raw_request("POST", "/x", "Transfer-Encoding: chunked") + chunked(b"abc")[:6],
)


def test_idle_timeout_closes_a_connection_and_restarts_after_a_response(connect):
    line = connect()
    line.loop.advance(IDLE_S - 1)
    line.send(raw_request("GET"))
    line.loop.advance(IDLE_S - 1)
    assert (line.statuses, line.ended) == ([200], False)
    line.loop.advance(1)
    assert (line.statuses, line.ended) == ([200], True)
    assert not line.engine.notes


@pytest.mark.parametrize("part", PARTS)
def test_incomplete_request_is_408_on_timeout_and_400_on_half_close(connect, part):
    ended = connect()
    line = connect()
    ended.send(part)
    ended.half_close()
    assert (ended.statuses, ended.ended, ended.closed) == ([400], True, "close")
    assert not ended.engine.handled
    line.send(part)
    line.loop.advance(IDLE_S - 1)
    assert not line.ended
    line.loop.advance(1)
    assert (line.statuses, line.ended) == ([408], True)
    assert json.loads(line.sent.partition(b"\r\n\r\n")[2]) == {"mock": exchange.SENTENCES[408]}
    why = "broken request: the rest of the request did not arrive in time"
    assert line.engine.notes == [("", why)]


def test_head_timeout_is_total_and_body_timeout_restarts_with_each_read(connect):
    head = connect()
    body = connect()
    body.send(raw_request("POST", "/x", "Content-Length: 9"))
    for line in (head, body):
        for byte in b"abcdefg":
            line.send(bytes([byte]))
            line.loop.advance(IDLE_S / 5)
    assert (head.statuses, body.statuses) == ([408], [])
    body.send(b"hi")
    assert body.statuses == [200]


@pytest.mark.parametrize("is_full", [True, False])
def test_client_that_does_not_read_its_response_is_disconnected(connect, is_full):
    line = connect()
    line.takes = False
    if is_full:
        line.connection.pause_writing()
    line.send(raw_request("GET"))
    line.loop.advance(IDLE_S - 1)
    assert line.closed is None
    line.loop.advance(1)
    assert line.closed == "abort"


def test_endless_response_is_sent_only_while_the_client_reads(connect):
    line = connect()
    line.engine.handle = lambda _: Response(status=200, body=b"(", more=lambda: b"+")
    line.send(raw_request("GET"))
    line.loop.advance(1)
    assert line.sent.endswith(b"++++++++")
    assert not line.ended
    line.takes = False
    before = line.sent
    line.loop.advance(1)
    assert line.sent == before
    line.half_close()
    assert line.closed == "abort"


class LineWithOneByteLeft(Line):
    """A connection whose client takes all bytes of a response but the last one."""

    high_water = 64 * 1024

    def get_extra_info(self, name, default=None):
        return mock.Mock() if name == "socket" else super().get_extra_info(name, default)

    def set_write_buffer_limits(self, *, high, low):
        self.high_water = high

    def write(self, data):
        super().write(data)
        # As asyncio does: a transport pauses its protocol above the limit.
        if self.high_water < 1:
            self.connection.pause_writing()


def test_reset_waits_until_the_last_byte_is_sent(make_engine, make_fault):
    line = LineWithOneByteLeft(make_engine(make_fault("mid_body.reset")))
    line.send(raw_request("GET"))
    assert line.sent
    assert line.closed is None
    line.connection.resume_writing()
    line.loop.advance(0)
    assert line.closed == "abort"

"""Requests taken out of a stream, however it is cut: a connection without a socket."""

import asyncio
import types

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kit.rawclient import chunked, request

from facematch_mock_server.http.connection import Connection, Service

LIMIT = 5000


class Transport:
    """What a connection needs of one; `sent` is what it wrote, None in it for its end."""

    def __init__(self):
        self.sent = []

    def get_extra_info(self, name, default=None):
        return ("peer", 1) if name == "peername" else default

    def write(self, data):
        self.sent.append(bytes(data))

    def write_eof(self):
        self.sent.append(None)

    def can_write_eof(self):
        return True

    def is_closing(self):
        return False

    def get_write_buffer_size(self):
        return 0

    def pause_reading(self):
        pass

    resume_reading = close = abort = pause_reading


@pytest.fixture(scope="module")
def read(make_engine):
    """Reads a stream that comes in pieces: the engine, the statuses sent, whether it was ended."""
    loop = asyncio.new_event_loop()
    shared = {"loop": loop, "scratch": memoryview(bytearray(4096)), "workers": None}

    def read(pieces):
        engine = make_engine(limit=LIMIT)
        service = Service(handler=engine, **shared, idle_s=60, linger_s=5)
        connection, transport = Connection(service), Transport()
        connection.connection_made(transport)
        for piece in pieces:
            for at in range(0, len(piece), 4096):
                part = piece[at : at + 4096]
                connection.get_buffer(-1)[: len(part)] = part
                connection.buffer_updated(len(part))
        held = service.held
        connection.connection_lost(None)
        assert service.held == 0
        statuses = [int(sent.split()[1]) for sent in transport.sent if sent]
        return types.SimpleNamespace(
            engine=engine, statuses=statuses, ended=None in transport.sent, held=held
        )

    yield read
    loop.close()


@st.composite
def messages(draw):
    """A request as bytes, and its target and body."""
    target = "/" + draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9))
    target = target.replace("?", "")
    body = draw(st.binary(max_size=60) | st.just(b"x" * 3000))
    coding = draw(st.sampled_from(["none", "counted", "chunked"]))
    if coding == "none":
        return request("GET", target), target, b""
    if coding == "counted":
        return request("POST", target, body=body), target, body
    cut = draw(st.integers(0, len(body)))
    coded = chunked(body[:cut], body[cut:])
    return request("POST", target, "Transfer-Encoding: chunked") + coded, target, body


@given(
    st.lists(messages(), max_size=4),
    st.lists(st.integers(1, 200) | st.just(10_000), min_size=1, max_size=9),
)
def test_requests_survive_any_cut(read, sent, sizes):
    """The same requests come out, wherever the stream is cut, and nothing of them is kept."""
    stream = b"".join(message for message, _, _ in sent)
    pieces, at = [], 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size
    seen = read(pieces)
    handled = [(one.target, one.body) for one in seen.engine.handled]
    assert handled == [(target, body) for _, target, body in sent]
    assert (seen.ended, seen.held) == (False, 0)


@given(st.binary(max_size=200))
@example(b"\r\n\r\n")
@example(
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n"
)
def test_any_bytes_are_read_or_refused(read, data):
    """Whatever comes, more is waited for, a request is read or the client is told what is wrong."""
    seen = read([data])
    refused = [status for status in seen.statuses if status >= 400]
    assert seen.ended is bool(refused)
    assert set(refused) <= {400, 413, 431, 501, 505}


@given(st.binary(max_size=120), st.integers(0, 200), st.binary(max_size=4))
def test_any_damage_to_a_request_is_noticed_or_harmless(read, body, at, put):
    """A damaged request is read, waits for more, or is refused: nothing else happens."""
    sent = bytearray(request("POST", "/x", "Transfer-Encoding: chunked") + chunked(body, b"end"))
    sent[at : at + len(put)] = put
    read([bytes(sent)])


#: Lines of heads: ordinary ones, those that change how a request is read, and broken ones.
LINES = st.sampled_from(
    [
        b"Host: a",
        b"host:\t b:80 ",
        b"Host:",
        b"Content-Length: 0",
        b"content-length: 12",
        b"Content-Length: 1 2",
        b"Content-Length: +1",
        b"Content-Length: 1, 1",
        b"Content-Length: 0099",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: Keep-Alive",
        b"Connection: keep-alive, close",
        b"Expect: 100-continue",
        b"Upgrade: x",
        b"X-A:",
        b"X-A: \xe9",
        b"X-A: a\tb",
        b"X-A: a\x00b",
        b"X A: b",
        b"X-A : b",
        b" folded",
        b"Cookie: a=b; c=d",
        b"no colon",
        b"",
    ]
) | st.binary(max_size=8)
FIRSTS = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"POST /v3/face-match/?a=b HTTP/1.1",
        b"POST http://h/x HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET / HTTP/2.0",
        b"get / HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET /\xc3\xa9 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET /",
    ]
)


@given(FIRSTS, st.lists(LINES, max_size=5), st.booleans())
def test_a_head_in_one_piece_is_read_as_byte_by_byte(read, first, lines, has_host):
    """What is refused is refused either way, and what is read is the same."""
    lines = [b"Host: h", *lines] if has_host else lines
    stream = b"\r\n".join([first, *lines]) + b"\r\n\r\n"
    whole, cut = read([stream]), read([bytes([byte]) for byte in stream])
    assert (cut.engine.handled, cut.statuses) == (whole.engine.handled, whole.statuses)

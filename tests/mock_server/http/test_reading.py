"""Requests taken out of a stream, however it is cut."""

from hypothesis import example, given
from hypothesis import strategies as st
from kit.rawclient import chunked, request

from facematch_mock_server.http.reading import (
    BodyRead,
    Broken,
    Buffers,
    HeadRead,
    RequestReader,
    TooLong,
)

LIMIT = 5000


@st.composite
def messages(draw):
    """A request as bytes, and its target and body."""
    target = "/" + draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9))
    body = draw(st.binary(max_size=60) | st.just(b"x" * 3000))
    coding = draw(st.sampled_from(["none", "counted", "chunked"]))
    if coding == "none":
        return request("GET", target), target, b""
    if coding == "counted":
        return request("POST", target, body=body), target, body
    cut = draw(st.integers(0, len(body)))
    coded = chunked(body[:cut], body[cut:])
    return request("POST", target, "Transfer-Encoding: chunked") + coded, target, body


def read_all(reader, pieces, *, direct):
    """Every event of a stream that comes in these pieces."""
    events = []
    for piece in pieces:
        rest = memoryview(piece)
        while True:
            space = reader.space() if direct and reader.in_body else None
            if space is not None and rest:
                taken = min(len(space), len(rest))
                space[:taken] = rest[:taken]
                reader.filled(taken)
                rest = rest[taken:]
                event, rest = reader.advance(rest) if not rest else (None, rest)
                if event is None and rest:
                    event, none = reader.advance(memoryview(b""))
                    assert not none
            else:
                event, rest = reader.advance(rest)
            if event is None:
                break
            events.append(event)
            if isinstance(event, (Broken, TooLong)):
                return events
            if isinstance(event, HeadRead):
                reader.begin_body(LIMIT)
    return events


@given(
    st.lists(messages(), max_size=4),
    st.lists(st.integers(1, 200), min_size=1, max_size=9),
    st.booleans(),
)
def test_requests_survive_any_cut(sent, sizes, direct):
    """The same requests come out, wherever the stream is cut and whichever way bodies come in."""
    stream = b"".join(message for message, _, _ in sent)
    pieces, at = [], 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size
    reader = RequestReader(Buffers(), "peer")
    events = read_all(reader, pieces, direct=direct)
    heads = [event.head.target for event in events if isinstance(event, HeadRead)]
    bodies = [event.body for event in events if isinstance(event, BodyRead)]
    assert heads == [target for _, target, _ in sent]
    assert bodies == [body for _, _, body in sent]
    assert reader.idle
    assert reader.ended() is None


@given(st.binary(max_size=200))
@example(b"\r\n\r\n")
@example(
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n"
)
def test_any_bytes_are_read_or_refused(data):
    """Whatever comes, the reader goes on waiting, reads a request or says what is wrong."""
    reader = RequestReader(Buffers(), "peer")
    for event in read_all(reader, [data], direct=False):
        if isinstance(event, Broken):
            assert 400 <= event.status <= 505


@given(st.binary(max_size=120), st.integers(0, 200), st.binary(max_size=4))
def test_any_damage_to_a_request_is_noticed_or_harmless(body, at, put):
    """A damaged request is read, waits for more, or is refused: nothing else happens."""
    sent = bytearray(request("POST", "/x", "Transfer-Encoding: chunked") + chunked(body, b"end"))
    sent[at : at + len(put)] = put
    read_all(RequestReader(Buffers(), "peer"), [bytes(sent)], direct=False)


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
def test_a_head_in_one_piece_is_read_as_byte_by_byte(first, lines, has_host):
    """What is read without h11 is what h11 reads."""
    lines = [b"Host: h", *lines] if has_host else lines
    stream = b"\r\n".join([first, *lines]) + b"\r\n\r\n"
    pieces = [bytes([byte]) for byte in stream]
    whole, cut = (
        [
            # Why it is broken depends on how much of it is there.
            event.status if isinstance(event, Broken) else event
            for event in read_all(RequestReader(Buffers(), "peer"), of, direct=False)
        ]
        for of in ([stream], pieces)
    )
    assert whole == cut


def test_a_chunked_body_over_the_limit():
    """Growth is noticed as soon as it happens."""
    reader = RequestReader(Buffers(), "peer")
    sent = request("POST", "/x", "Transfer-Encoding: chunked") + chunked(b"x" * (LIMIT + 1))
    events = read_all(reader, [sent], direct=False)
    assert isinstance(events[-1], TooLong)


@given(st.integers(1, 200_000))
def test_buffers_are_used_again(size):
    """A buffer that was given back is the next one of about its size."""
    buffers = Buffers()
    first = buffers.take(size)
    assert len(first) >= size
    buffers.give(first)
    assert buffers.take(size) is first
    assert buffers.take(size) is not first


def test_idle_buffers_have_a_limit():
    """More than 32 MiB are not kept."""
    buffers = Buffers()
    taken = [buffers.take(1024 * 1024) for _ in range(40)]
    for buffer in taken:
        buffers.give(buffer)
    again = {id(buffers.take(1024 * 1024)) for _ in range(40)}
    assert len(again & {id(buffer) for buffer in taken}) == 32

"""What comes back: limits, compression, interim answers, redirects, cookies; and any bytes."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.rawserver import RawServer, hold, http_reply, one_each, read_request, send

from facematch_core import Charged, OutcomeUnknown, UnexpectedResponse
from facematch_core.errors import VendorError
from facematch_core.http import HttpClient, HttpReply, HttpRequest

BODY = b'{"ok": true}'
LIMIT = 1024 * 1024
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def replied(ask):
    """The outcome of one call that is answered with these bytes."""

    def reply_to(data, **options):
        with one_each(data) as server:
            return ask(server.url, **options)

    return reply_to


@pytest.mark.parametrize(
    "data",
    [
        CHUNKED + b'5;x=y\r\n{"ok"\r\n7\r\n: true}\r\n0\r\nA: b\r\n\r\n',
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    ],
    ids=["chunks", "to the end"],
)
def test_body_is_read_for_each_framing(replied, data):
    assert replied(data).reply.body == BODY


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("X-GZip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
    ],
)
def test_body_is_decoded_for_each_compression(replied, encoding, packed):
    data = http_reply(200, packed, f"Content-Encoding: {encoding}")
    assert replied(data).reply.body == BODY


@pytest.mark.parametrize("status", [101, 103])
def test_101_and_103_are_final_replies_and_end_the_connection(ask, status):
    upgrade = [read_request, send(f"HTTP/1.1 {status} x\r\nUpgrade: x\r\n\r\n".encode()), hold]
    with RawServer([upgrade, [read_request, send(http_reply(200))]]) as server:
        assert ask(server.url).reply.status == status
        assert ask(server.url).reply.status == 200
        assert len(server.connections) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(replied, status):
    with RawServer([hold]) as elsewhere:
        for location in (elsewhere.url, "http://[", "//", "\x7f", "http://h:999999/", "mailto:x"):
            assert replied(http_reply(status, BODY, f"Location: {location}")).reply.status == status
        assert elsewhere.connections == []


def test_http_client_does_not_retry(ask):
    with RawServer([read_request, send(http_reply(503, b"", "Retry-After: 0"))]) as server:
        assert ask(server.url).reply.status == 503
        assert len(server.requests) == 1


def test_body_over_the_size_limit_is_an_unexpected_response(replied):
    assert len(replied(http_reply(200, b" " * LIMIT)).reply.body) == LIMIT
    too_long = b" " * (LIMIT + 1)
    for reply in (
        http_reply(200, too_long),
        http_reply(200, gzip.compress(too_long), "Content-Encoding: gzip"),
    ):
        error = replied(reply).error
        assert type(error) is UnexpectedResponse
        assert (error.billing.charged, error.status_code) == (Charged.YES, 200)
        assert error.message.count("too long") == 1


#: Far more than any limit.
BOMB = b" " * 20_000_000
BROKEN = {
    "no gzip": (BODY, "gzip"),
    "broken off": (gzip.compress(BODY)[:-5], "gzip"),
    "a wrong checksum": (gzip.compress(BODY)[:-8] + b"\0" * 8, "gzip"),
    "an unknown coding": (BODY, "br"),
    "a bomb": (gzip.compress(BOMB, compresslevel=1), "gzip"),
    "a bomb of zlib": (zlib.compress(BOMB, level=1), "deflate"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_corrupt_compressed_body_is_charged_by_status(ask, name):
    packed, encoding = BROKEN[name]
    answers = [
        http_reply(200, packed, f"Content-Encoding: {encoding}"),
        http_reply(401, packed, f"Content-Encoding: {encoding}"),
        http_reply(200, BODY),
    ]
    with RawServer([[read_request, send(answer), hold] for answer in answers]) as server:
        error = ask(server.url).error
        assert (type(error), error.status_code) == (UnexpectedResponse, 200)
        assert error.billing.charged is Charged.YES
        assert ask(server.url).unknown().status_code == 401
        assert ask(server.url).reply.body == BODY


def test_decompression_bomb_is_not_expanded(ask, open_client):
    http_client = open_client(max_body_bytes=100_000)
    with one_each(http_reply(200, BROKEN["a bomb"][0], "Content-Encoding: gzip")) as server:
        tracemalloc.start()
        assert type(ask(server.url, http_client=http_client).error) is UnexpectedResponse
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5_000_000


STATUSES = (200, 401, 100, 103, 101, 204, 302, 503, 999)
LINES = [b"HTTP/1.1 %d OK" % status for status in STATUSES]
LINES += [b"HTTP/1.0 200", b"ICY 200"]
HEADERS = [
    b"Content-Length: 2",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 1, 2",
    b"Content-Length: " + b"9" * 20,
    b"Content-Length: two",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip",
    b"Content-Encoding: gzip",
    b"Connection: close",
    b"Location: http://[",
    b"Retry-After: 1",
    b"Set-Cookie: a=b",
    b"no colon",
    b" folded",
    b": no name",
    b"\xff: \xff",
]
BODIES = [b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"0\r\n\r\n", b"-1\r\n{}", b"\x1f\x8b\x08\x00"]


@st.composite
def near_http(draw):
    """Something like HTTP, perhaps several answers in a row, perhaps cut off somewhere."""
    data = b""
    for _ in range(draw(st.integers(1, 2))):
        head = [draw(st.sampled_from(LINES))]
        head += draw(st.lists(st.sampled_from(HEADERS), max_size=4))
        data += b"\r\n".join(head) + b"\r\n\r\n"
        data += draw(st.binary(max_size=40) | st.sampled_from(BODIES))
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


@pytest.fixture(scope="module")
def scripted():
    """A client and a server that gives the bytes of the example."""
    example = {"data": b""}

    def give(connection):
        connection.take_request()
        connection.give(example["data"])

    client = HttpClient(read_timeout_s=20.0)
    with RawServer([give]) as server:

        def ask(data):
            # Else the end of the last connection could be met in the middle of this example.
            assert all(connection.done.wait(60) for connection in server.connections[-1:])
            example["data"] = data
            sent_calls = []
            request = HttpRequest(url=server.url, fields={"a": "b"})
            try:
                outcome = client.send(request, backend="acme", on_sent=lambda: sent_calls.append(1))
            except VendorError as error:
                outcome = error
            assert sent_calls == [1]
            return outcome

        yield ask
        client.close()


@given(data=st.one_of(near_http(), st.binary(max_size=200)))
def test_random_bytes_yield_a_reply_or_an_error_that_is_not_free(scripted, data):
    outcome = scripted(data)
    if isinstance(outcome, HttpReply):
        assert 100 <= outcome.status <= 999
        assert outcome.shape
        assert data.startswith(b"HTTP/1.")
        return
    assert type(outcome) in (OutcomeUnknown, UnexpectedResponse)
    assert outcome.billing.charged is not Charged.NO
    assert (outcome.__context__, outcome.__cause__) == (None, None)

"""What comes back: limits, compression, interim answers, redirects, cookies."""

import gzip
import zlib

import pytest
from kit.rawserver import RawServer, answer, close, hold, read_request, send

from facematch_core import OutcomeUnknown, UnexpectedResponse
from facematch_core.http import BodyShape, HttpClient

BODY = b'{"ok": true}'
LIMIT = 1024 * 1024


def replied(ask, data, **more):
    """The outcome of one call that is answered with `data`."""
    with RawServer([read_request, send(data), close]) as server:
        return ask(server.url, **more)


def test_a_reply_has_status_headers_and_body(ask):
    """Names of headers in any case; the repr shows neither headers nor body."""
    reply = replied(ask, answer(418, BODY, "X-Request-Id: abc", "X-Two: 1", "X-Two: 2")).reply
    assert (reply.status, reply.body, reply.json()) == (418, BODY, {"ok": True})
    assert (reply.headers["x-request-ID"], reply.headers["X-Two"]) == ("abc", "1, 2")
    assert reply.elapsed_s > 0
    assert repr(reply) == "<HttpReply 418, 12 bytes>"


def test_chunks_are_put_together(ask):
    """A body in chunks, with an extension and a trailer."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b'5;x=y\r\n{"ok"\r\n7\r\n: true}\r\n0\r\nA: b\r\n\r\n'
    assert replied(ask, head + chunks).reply.body == BODY


def test_a_body_that_ends_with_the_connection(ask):
    """HTTP/1.0 without a length: the end of the connection is the end of the body."""
    assert replied(ask, b"HTTP/1.0 200 OK\r\n\r\n" + BODY).reply.body == BODY


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(ask, status):
    """These have none, whatever their length says."""
    reply = replied(ask, answer(status, length=10)).reply
    assert (reply.status, reply.shape) == (status, BodyShape.EMPTY)


@pytest.mark.parametrize("status", [100, 102, 103])
def test_interim_answers_are_passed_over(ask, status):
    """Even three of them: the final answer is the answer, and the connection stays in step."""
    interim = f"HTTP/1.1 {status} Wait\r\nLink: x\r\n\r\n".encode() * 3
    script = [read_request, send(interim + answer(200, BODY)), read_request, send(answer(201))]
    with RawServer(script) as server:
        assert ask(server.url).reply.body == BODY
        assert ask(server.url).reply.status == 201


def test_switching_protocols_is_an_answer_and_ends_the_connection(ask):
    """101 was never asked for; what follows is not HTTP."""
    first = [read_request, send(b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n"), hold]
    with RawServer([first, [read_request, send(answer(200))]]) as server:
        assert ask(server.url).reply.status == 101
        assert ask(server.url).reply.status == 200
        assert len(server.connections) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_answers(ask, status):
    """Key and faces never go to an address that the answer names."""
    with RawServer([hold]) as elsewhere:
        reply = replied(ask, answer(status, b"", f"Location: {elsewhere.url}")).reply
        assert elsewhere.connections == []
    assert reply.status == status


@pytest.mark.parametrize("location", ["http://[", "//", "\x7f", "http://h:999999/", "mailto:x"])
def test_a_malformed_redirect_is_an_answer(ask, location):
    """The address of a redirect is not even looked at."""
    assert replied(ask, answer(302, BODY, f"Location: {location}")).reply.status == 302


def test_cookies_are_not_kept(ask):
    """The second request carries nothing that the first answer set."""
    with RawServer([read_request, send(answer(200, b"", "Set-Cookie: a=b; Path=/"))] * 2) as server:
        ask(server.url)
        ask(server.url)
        assert b"ookie" not in server.received


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("retry", ["0", "1"])
def test_nothing_is_repeated(ask, status, retry):
    """Not even if the answer asks for it."""
    with RawServer([read_request, send(answer(status, b"", f"Retry-After: {retry}"))]) as server:
        assert ask(server.url).reply.status == status
        assert len(server.requests) == 1


def test_the_longest_body(ask):
    """One byte more than the limit is too long."""
    assert len(replied(ask, answer(200, b" " * LIMIT)).reply.body) == LIMIT
    assert replied(ask, answer(200, b" " * (LIMIT + 1))).error.message.count("too long") == 1


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("X-GZip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
        ("", BODY),
    ],
)
def test_compression_is_undone(ask, encoding, packed):
    """It is not asked for, but some servers compress anyway."""
    reply = replied(ask, answer(200, packed, f"Content-Encoding: {encoding}")).reply
    assert reply.body == BODY


def test_nothing_compressed_is_nothing(ask):
    """An empty body needs no gzip header."""
    assert replied(ask, answer(401, b"", "Content-Encoding: gzip")).reply.body == b""


#: Far more than any limit below.
BOMB = b" " * 20_000_000
BROKEN = {
    "no gzip": (BODY, "gzip"),
    "broken off": (gzip.compress(BODY)[:-5], "gzip"),
    "something after it": (gzip.compress(BODY) + b"more", "gzip"),
    "a wrong checksum": (gzip.compress(BODY)[:-8] + b"\0" * 8, "gzip"),
    "an unknown coding": (BODY, "br"),
    "two codings": (gzip.compress(gzip.compress(BODY)), "gzip, gzip"),
    "a bomb": (gzip.compress(BOMB, compresslevel=1), "gzip"),
    "a bomb of zlib": (zlib.compress(BOMB, level=1), "deflate"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_decompressed(ask, name):
    """A complete 200 is charged; of another status nobody can read whose words it is."""
    packed, encoding = BROKEN[name]
    outcome = replied(ask, answer(200, packed, f"Content-Encoding: {encoding}"))
    assert type(outcome.error) is UnexpectedResponse
    assert outcome.error.status_code == 200
    outcome = replied(ask, answer(401, packed, f"Content-Encoding: {encoding}"))
    assert type(outcome.error) is OutcomeUnknown
    assert outcome.error.status_code == 401


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_the_client_goes_on_after_it(ask, encoding):
    """The connection was in step, but is not used again."""
    first = answer(200, BODY, f"Content-Encoding: {encoding}")
    scripts = [[read_request, send(first), hold], [read_request, send(answer(200, BODY))]]
    with RawServer(scripts) as server:
        assert type(ask(server.url).error) is UnexpectedResponse
        assert ask(server.url).reply.body == BODY


def test_a_bomb_is_not_unpacked(request_to):
    """Memory stays near the limit, whatever the body would become."""
    import tracemalloc

    packed = answer(200, BROKEN["a bomb"][0], "Content-Encoding: gzip")
    client = HttpClient(max_body_bytes=100_000)
    with RawServer([read_request, send(packed)]) as server:
        tracemalloc.start()
        with pytest.raises(UnexpectedResponse):
            client.send(request_to(server.url), backend="acme")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    client.close()
    assert peak < 5_000_000

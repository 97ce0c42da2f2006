"""Whatever a server answers: a reply, or an error of our tree that knows what it cost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.rawserver import RawServer

from facematch_core import Charged, OutcomeUnknown, UnexpectedResponse
from facematch_core.errors import VendorError
from facematch_core.http import HttpClient, HttpReply, HttpRequest

LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200",
        b"HTTP/1.1 401 No",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 103 Hints",
        b"HTTP/1.1 101 Switch",
        b"HTTP/1.1 204 None",
        b"HTTP/1.1 302 Found",
        b"HTTP/1.1 503 Busy",
        b"HTTP/1.1 999 Odd",
        b"HTTP/2 200",
        b"ICY 200 OK",
    ]
)
HEADERS = st.sampled_from(
    [
        b"Content-Length: 2",
        b"Content-Length: 5",
        b"Content-Length: -1",
        b"Content-Length: 1, 2",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: two",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Content-Encoding: gzip",
        b"Content-Encoding: deflate, gzip",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Location: http://[",
        b"Location: /elsewhere",
        b"Retry-After: 1",
        b"Set-Cookie: a=b",
        b"no colon",
        b" folded",
        b": no name",
        b"\xff: \xff",
    ]
)
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"{}",
            b"2\r\n{}\r\n0\r\n\r\n",
            b"0\r\n\r\n",
            b"ffffffffffffffff\r\n{}",
            b"2\r\n{}\r\n0\r\nX: y",
            b"-1\r\n{}",
            b"\x1f\x8b\x08\x00",
        ]
    ),
)


@st.composite
def near_http(draw):
    """Something like HTTP, perhaps several answers in a row, perhaps cut off somewhere."""
    data = b""
    for _ in range(draw(st.integers(1, 2))):
        head = [draw(LINES), *draw(st.lists(HEADERS, max_size=4))]
        data += b"\r\n".join([*head, b"", b""]) + draw(BODIES)
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


@pytest.fixture(scope="module")
def scripted():
    """A server that gives the bytes of the example, and a client."""
    example = {"data": b""}

    def give(connection):
        connection.take_request()
        connection.give(example["data"])

    client = HttpClient(read_timeout_s=20.0)
    with RawServer([give]) as server:

        def ask(data):
            # Else the end of the last connection could be met in the middle of this example.
            assert all(connection.done.wait(10) for connection in server.connections[-1:])
            example["data"] = data
            sent = []
            try:
                outcome = client.send(
                    HttpRequest(url=server.url, fields={"a": "b"}),
                    backend="acme",
                    on_sent=lambda: sent.append(1),
                )
            except VendorError as error:
                outcome = error
            assert sent == [1]
            return outcome

        yield ask
        client.close()


@settings(max_examples=max(150, settings().max_examples))
@given(data=st.one_of(near_http(), st.binary(max_size=200)))
def test_any_answer_is_a_reply_or_one_of_our_errors(scripted, data):
    """The first byte had left: an error is never "not charged", and is clean."""
    outcome = scripted(data)
    if isinstance(outcome, HttpReply):
        assert 100 <= outcome.status <= 999
        assert outcome.shape
        assert data.startswith(b"HTTP/1.")
        return
    assert type(outcome) in (OutcomeUnknown, UnexpectedResponse)
    assert outcome.billing.charged is not Charged.NO
    assert (outcome.__context__, outcome.__cause__) == (None, None)


@settings(max_examples=100)
@given(body=st.binary(max_size=300), cut=st.integers(1, 300))
def test_a_body_is_whole_or_an_error(scripted, body, cut):
    """With a length, what came is what was sent; less than the length is never a reply."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert scripted(head + body).body == body
    if body:
        assert type(scripted(head + body[: -min(cut, len(body))])) is OutcomeUnknown

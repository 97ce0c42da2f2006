import json

import pytest
from kit.rawclient import RawClient, chunked, raw_request

from facematch_core.http import MOCK_HEADER
from facematch_mock_server.http import exchange


@pytest.fixture
def client(engine, serve):
    with RawClient(serve(engine).port) as opened:
        yield opened


def test_pipelined_requests_are_answered_in_order(client):
    sent = b"".join(raw_request("POST", f"/{n}", body=b"x" * (n * 997)) for n in range(100))
    client.send(sent)
    targets = [json.loads(client.answer().body)["target"] for _ in range(100)]
    assert targets == [f"/{n}" for n in range(100)]


def test_100_continue_is_sent_only_before_a_body(client, engine):
    client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 3"))
    assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc")
    assert json.loads(client.answer().body)["length"] == 3
    client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 0"))
    assert client.head().startswith(b"HTTP/1.1 200 ")
    assert len(engine.handled) == 2


def test_a_chunked_body_that_grows_over_the_limit_is_413(client, engine):
    client.send(raw_request("POST", "/x", "Transfer-Encoding: chunked"))
    for _ in range(30):
        client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    client.send(b"0\r\n\r\n")
    assert client.answer().status == 413
    assert client.end() == "fin"
    assert not engine.handled


def test_body_limit_is_enforced_even_if_the_engine_does_not_check(engine, serve):
    engine.begin = lambda head: None
    with RawClient(serve(engine).port) as client:
        client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 1000001"))
        assert client.head().startswith(b"HTTP/1.1 413 ")


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = BODY + b"Transfer-Encoding: chunked\r\n"
REFUSED = {
    400: (
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        HEAD + b"Host: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\n\n",
        HEAD + b"Bad Name: 1\r\n\r\n",
        HEAD + b"Nul: \x00\r\n\r\n",
        BODY + b"Content-Length: -1\r\n\r\n",
        BODY + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        CHUNKED + b"\r\nzz\r\n",
        CHUNKED + b"\r\n1\r\nabc0\r\n\r\n",
    ),
    431: [HEAD + b"L: " + end for end in (b"x" * 66_000 + b"\r\n\r\n", b"x" * 70_000)],
    501: [
        BODY + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        CHUNKED + b"Transfer-Encoding: gzip\r\n\r\n",
    ],
    505: (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",),
}


@pytest.mark.parametrize(
    ("status", "data"), [(s, data) for s, many in REFUSED.items() for data in many]
)
def test_malformed_request_is_rejected_with_a_message_of_the_mock(client, engine, status, data):
    client.send(data)
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (status, "close")
    assert answer.header(MOCK_HEADER) == "front"
    assert json.loads(answer.body) == {"mock": exchange.SENTENCES[status]}
    assert client.end() == "fin"
    assert not engine.handled
    assert engine.notes[0][1].startswith("broken request: ")


def test_head_of_the_maximum_size_is_accepted(client):
    client.send(HEAD + b"L: ".ljust(exchange.MAX_HEAD_BYTES - len(HEAD) - 4, b"x") + b"\r\n\r\n")
    assert client.answer().status == 200


def test_http2_upgrade_request_is_answered_over_http1(client, engine):
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    sent = raw_request("POST", "/x", *lines, "Transfer-Encoding: chunked")
    sent += chunked(b"GET / HTTP/1.1")
    client.send(sent + raw_request("POST", "/y", *lines, body=b"ab") + raw_request("GET", "/next"))
    assert [client.answer().status for _ in range(3)] == [200] * 3
    assert [request.body for request in engine.handled] == [b"GET / HTTP/1.1", b"ab", b""]

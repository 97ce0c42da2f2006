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


def test_continue_comes_when_a_body_is_wanted_and_only_then(client, engine):
    client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 3"))
    assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc")
    assert json.loads(client.answer().body)["length"] == 3
    client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 0"))
    assert client.head().startswith(b"HTTP/1.1 200 ")
    assert len(engine.handled) == 2


@pytest.mark.parametrize(
    "head", ["X-Long: " + "x" * 66_000 + "\r\n\r\n", "X-Long: " + "x" * 70_000, "a: b\r\n" * 12_000]
)
def test_a_head_over_the_limit_is_431_complete_or_not(client, engine, head):
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + head.encode())
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (431, "close")
    assert client.end() == "fin"
    assert not engine.handled


def test_a_chunked_body_that_grows_over_the_limit_is_413(client, engine):
    client.send(raw_request("POST", "/x", "Transfer-Encoding: chunked"))
    for _ in range(30):
        client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    client.send(b"0\r\n\r\n")
    assert client.answer().status == 413
    assert client.end() == "fin"
    assert not engine.handled


def test_a_limit_that_the_engine_did_not_check_holds(engine, serve):
    engine.begin = lambda head: None
    with RawClient(serve(engine).port) as client:
        client.send(raw_request("POST", "/x", "Expect: 100-continue", "Content-Length: 1000001"))
        assert client.head().startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nNul: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc0\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_a_400_that_says_it_is_a_mocks(client, engine, data):
    client.send(data)
    answer = client.answer()
    assert (answer.status, answer.header("Connection")) == (400, "close")
    assert answer.header(MOCK_HEADER) == "front"
    assert json.loads(answer.body) == {"mock": exchange.SENTENCES[400]}
    assert client.end() == "fin"
    assert not engine.handled
    assert engine.notes[0][1].startswith("broken request: ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (raw_request("POST", "/x", "Transfer-Encoding: gzip, chunked"), 501),
        (raw_request("POST", "/x", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip"), 501),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
def test_other_codings_and_versions_are_refused(client, sent, status):
    client.send(sent)
    assert client.answer().status == status


def test_who_asks_for_another_protocol_is_answered_in_this_one(client, engine):
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    sent = raw_request("POST", "/x", *lines, "Transfer-Encoding: chunked") + chunked(
        b"GET / HTTP/1.1"
    )
    client.send(sent + raw_request("POST", "/y", *lines, body=b"ab") + raw_request("GET", "/next"))
    assert [client.answer().status for _ in range(3)] == [200] * 3
    assert [request.body for request in engine.handled] == [b"GET / HTTP/1.1", b"ab", b""]

"""Faults as they are on the wire: requests and urllib3 hide some of it, a bare socket does not."""

import contextlib

import attrs
import pytest
from kit.rawclient import RawClient, chunked, request

from facematch_mock_server.http import exchange

BODY = b"z" * 300_000


def _send(client, data):
    """Send as much as the server takes."""
    with contextlib.suppress(OSError):
        client.send(data)


@pytest.fixture
def struck(make_engine, make_fault, serve):
    """Opens a connection to a server whose next exchange is struck: ``struck(place, ...)``."""
    with contextlib.ExitStack() as stack:

        def connect(place, **more):
            engine = make_engine(make_fault(place, **more))
            client = stack.enter_context(RawClient(serve(engine).port))
            return client, engine

        yield connect


def test_a_reset_at_the_connection(make_engine, make_fault, serve):
    """The connection is reset before the client has sent anything, maybe while it connects."""
    engine = make_engine(make_fault("connect.reset"))
    port = serve(engine).port
    with pytest.raises(ConnectionResetError), RawClient(port) as client:
        client.sock.recv(1)
    assert engine.notes == [("", "fault: connect reset")]


def test_an_end_at_the_connection(struck):
    """The connection ends in good order, and what the client sends is not answered."""
    client, engine = struck("connect.truncate")
    client.send(request(body=b"x"))
    assert client.end() == "fin"
    assert not engine.handled


def test_a_late_connection(struck):
    """A request sent meanwhile is answered after the delay."""
    client, engine = struck("connect.delay", seconds=0.02)
    client.send(request(body=BODY))
    assert client.answer().status == 200
    assert len(engine.handled) == 1


@pytest.mark.parametrize("coding", ["counted", "chunked", "none"])
@pytest.mark.parametrize(("kind", "end"), [("reset", "reset"), ("truncate", "fin")])
def test_within_the_upload(struck, kind, end, coding):
    """The connection ends while the body comes in, by RST or by a true FIN; nothing is done."""
    client, engine = struck(f"mid_upload.{kind}")
    sent = {
        "counted": request("POST", "/x", f"Content-Length: {2 * len(BODY)}") + BODY,
        "chunked": request("POST", "/x", "Transfer-Encoding: chunked") + chunked(BODY)[:-5],
        "none": request("GET", "/x"),
    }[coding]
    _send(client, sent)
    assert client.end() == end
    assert not engine.handled
    assert engine.notes == [("/x", f"fault: mid_upload {kind}")]


def test_an_end_within_the_upload_lets_the_client_finish(struck):
    """After the FIN the rest of the upload is taken in: no reset takes the FIN's place."""
    client, engine = struck("mid_upload.truncate")
    engine.limit = 20_000_000
    client.send(request("POST", "/x", "Content-Length: 20000000"))
    client.send(b"x" * 20_000_000)
    assert client.end() == "fin"


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize(
    ("kind", "rest"),
    [("reset", (b"", "reset")), ("truncate", (b"", "fin")), ("garbage", (exchange.GARBAGE, "fin"))],
)
def test_after_the_upload(struck, kind, rest, executed):
    """No answer, or none that is HTTP; the call was carried out only if the fault says so."""
    client, engine = struck(f"after_upload.{kind}", executed=executed)
    client.send(request(body=BODY))
    assert client.rest() == rest
    assert len(engine.handled) == executed


@pytest.mark.parametrize("executed", [False, True])
def test_a_late_answer(struck, executed):
    """Everything comes, late; the connection goes on."""
    client, engine = struck("after_upload.delay", seconds=0.02, executed=executed)
    client.send(request(body=BODY) + request("GET", "/next"))
    assert client.answer().status == 200
    assert client.answer().status == 200
    assert [seen.target for seen in engine.handled] == ["/x", "/next"]


@pytest.mark.parametrize("executed", [False, True])
def test_a_client_that_does_not_wait_for_a_late_answer(struck, serve, executed):
    """A call that is still to be carried out is not, once its client has gone."""
    client, engine = struck("after_upload.delay", seconds=3600, executed=executed)
    client.send(request(body=b"x"))
    client.half_close()
    assert client.end() == "fin"
    assert len(engine.handled) == executed


@pytest.mark.parametrize(
    ("kind", "more", "end"),
    [("reset", b"", "reset"), ("truncate", b"", "fin"), ("garbage", exchange.GARBAGE, "fin")],
)
def test_within_the_head(struck, kind, more, end):
    """The head breaks off within its second header; the call was carried out."""
    client, engine = struck(f"mid_headers.{kind}")
    client.send(request(body=BODY))
    start = b"HTTP/1.1 200 OK\r\nDate: Thu, 02 Jul 2026 12:00:00 GMT\r\nServ"
    assert client.rest() == (start + more, end)
    assert len(engine.handled) == 1


@pytest.mark.parametrize(("kind", "end"), [("reset", "reset"), ("truncate", "fin")])
def test_within_the_body(struck, kind, end):
    """The head and the first half of the body come."""
    client, engine = struck(f"mid_body.{kind}")
    client.send(request(body=BODY))
    head = client.head()
    rest = client.rest()
    length = int(head.partition(b"Content-Length: ")[2].split()[0])
    assert (len(rest[0]), rest[1]) == (length // 2, end)
    assert len(engine.handled) == 1


def test_a_reset_within_a_very_long_answer(struck):
    """What the system still holds is lost with the reset; never more than the first half comes."""
    client, engine = struck("mid_body.reset")
    long = 30_000_000
    handle = engine.handle
    engine.handle = lambda request: attrs.evolve(handle(request), body=b"y" * long)
    client.send(request("GET"))
    client.head()
    rest, end = client.rest()
    assert end == "reset"
    assert long // 4 < len(rest) <= long // 2


@pytest.mark.parametrize("place", ["mid_body.truncate", "mid_body.reset", "mid_body.dribble"])
@pytest.mark.parametrize("sent", [request("HEAD"), request("GET", "/?status=204")])
def test_a_body_that_is_not_there_breaks_in_the_head(struck, place, sent):
    """An answer without a body breaks within its head instead."""
    client, _ = struck(place, seconds=0)
    client.send(sent)
    if place == "mid_body.dribble":
        assert client.answer(to_head=True).status in (200, 204)
    else:
        assert client.rest()[0].endswith(b"\r\nServ")


@pytest.mark.parametrize("place", ["mid_headers.dribble", "mid_body.dribble"])
def test_an_answer_byte_by_byte(struck, place):
    """Everything comes, piece by piece, and the connection goes on."""
    client, _ = struck(place, seconds=0.0001)
    client.send(request(body=b"x") + request("GET", "/next"))
    assert client.answer().status == 200
    assert client.answer().status == 200


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("kind", ["html", "wrong_json", "json", "status"])
def test_another_answer(struck, kind, executed):
    """The engine's answer for the fault is sent whole; the connection goes on."""
    client, engine = struck(f"answer.{kind}", status=503, executed=executed)
    client.send(request(body=BODY))
    answer = client.answer()
    assert (answer.status, answer.body) == (503, kind.encode())
    assert len(engine.handled) == executed
    client.send(request("GET"))
    assert client.answer().status == 200


def test_a_fault_is_used_up(struck):
    """A rule for two exchanges lets the third one through."""
    client, engine = struck("answer.status", times=2)
    client.send(request("GET") * 3)
    assert [client.answer().status for _ in range(3)] == [502, 502, 200]
    assert engine.faults.all == ()


def test_a_refused_head_uses_no_fault_up(struck):
    """A request that is refused for its length meets no fault."""
    client, engine = struck("after_upload.reset")
    client.send(request("POST", "/x", "Content-Length: 1000001"))
    assert client.answer().status == 413
    assert len(engine.faults.all) == 1

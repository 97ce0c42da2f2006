"""Faults as they are on the wire: requests and urllib3 hide some of it, a bare socket does not."""

import contextlib

import attrs
import pytest
from kit.rawclient import RawClient, raw_request

BODY = b"z" * 300_000


@pytest.fixture
def struck(make_engine, make_fault, serve, at_end):
    """Opens a connection to a server whose next exchange is struck: ``struck(place, ...)``."""

    def connect(place, **more):
        engine = make_engine(make_fault(place, **more))
        return at_end.enter_context(RawClient(serve(engine).port)), engine

    return connect


WHOLE = 2 * len(BODY)
LENGTH = raw_request("POST", "/x", f"Content-Length: {WHOLE}")
CHUNK = raw_request("POST", "/x", "Transfer-Encoding: chunked") + b"%x\r\n" % WHOLE


@pytest.mark.parametrize("head", [LENGTH, CHUNK], ids=["length", "chunk"])
@pytest.mark.parametrize(("kind", "end"), [("reset", "reset"), ("truncate", "fin")])
def test_mid_upload_fault_closes_the_connection_without_executing_the_call(struck, kind, end, head):
    """The other half of the body never comes."""
    client, engine = struck(f"mid_upload.{kind}")
    with contextlib.suppress(OSError):
        client.send(head + BODY)
    assert client.end() == end
    assert not engine.handled
    assert engine.notes == [("/x", f"fault: mid_upload {kind}")]


def test_mid_body_reset_sends_at_most_half_of_a_large_response(struck):
    """What the system still holds is lost with the reset."""
    client, engine = struck("mid_body.reset")
    long = 30_000_000
    handle = engine.handle
    engine.handle = lambda request: attrs.evolve(handle(request), body=b"y" * long)
    client.send(raw_request("GET"))
    client.head()
    rest, end = client.rest()
    assert end == "reset"
    assert long // 4 < len(rest) <= long // 2


@pytest.mark.parametrize("place", ["mid_body.truncate", "mid_body.reset", "mid_body.dribble"])
@pytest.mark.parametrize("sent", [raw_request("HEAD"), raw_request("GET", "/?status=204")])
def test_mid_body_fault_of_an_empty_response_breaks_its_head(struck, place, sent):
    client, _ = struck(place, seconds=0)
    client.send(sent)
    if place == "mid_body.dribble":
        assert client.answer(to_head=True).status in (200, 204)
    else:
        assert client.rest()[0].endswith(b"\r\nServ")


@pytest.mark.parametrize(
    ("place", "seconds", "executed"),
    [
        ("connect.delay", 0.02, None),
        ("after_upload.delay", 0.02, False),
        ("after_upload.delay", 0.02, True),
        ("mid_headers.dribble", 0.0001, None),
        ("mid_body.dribble", 0.0001, None),
    ],
)
def test_delayed_responses_are_complete_and_the_connection_stays_open(
    struck, place, seconds, executed
):
    client, engine = struck(place, seconds=seconds, executed=executed)
    client.send(raw_request(body=BODY) + raw_request("GET", "/next"))
    assert [client.answer().status for _ in range(2)] == [200, 200]
    assert [seen.target for seen in engine.handled] == ["/x", "/next"]


@pytest.mark.parametrize("executed", [False, True])
def test_pending_call_is_not_executed_after_its_client_disconnects(struck, executed):
    client, engine = struck("after_upload.delay", seconds=3600, executed=executed)
    client.send(raw_request(body=b"x"))
    client.half_close()
    assert client.end() == "fin"
    assert len(engine.handled) == executed


def test_request_rejected_by_its_head_does_not_consume_a_fault(struck):
    client, engine = struck("after_upload.reset")
    client.send(raw_request("POST", "/x", "Content-Length: 1000001"))
    assert client.answer().status == 413
    assert len(engine.faults.all) == 1

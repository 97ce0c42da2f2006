"""The frame of a scripted HTTP vendor, seen from the client's side of the socket."""

import http.client
import json
import socket
import threading
import urllib.parse

import pytest

from facematch_core.testing import HttpSimulator, SimulatorReply, Situation
from facematch_core.testing.running import in_one_line


class Echo(HttpSimulator):
    """Answers with what it received."""

    situations = HttpSimulator.FAULTS | {Situation.SAME_PERSON, Situation.REJECTED}

    def backend(self, **settings):
        raise NotImplementedError

    def counts(self, request):
        return request.path != "/login"

    def answer(self, request, situation, score):
        if request.path == "/bug":
            raise LookupError("a bug of the test's author")
        if situation is Situation.REJECTED:
            return SimulatorReply(status=422, body=b"no", headers={"X-Why": "so"})
        files = {name: data.hex() for name, data in request.files.items()}
        return SimulatorReply(body={"fields": request.fields, "files": files, "score": score})


@pytest.fixture
def simulator():
    with Echo() as opened:
        opened.set_situation(Situation.SAME_PERSON)
        yield opened


def ask(simulator, path="/", body=b"", timeout=10, **headers):
    """Status, headers and body of one call."""
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(simulator.url).netloc, timeout=timeout
    )
    try:
        connection.request("POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_forms_are_read(simulator):
    """Multipart with binary files, urlencoded, JSON, and nothing at all."""
    body = (
        b'--B\r\nContent-Disposition: form-data; name="rotate"\r\n\r\ntrue\r\n'
        b'--B\r\nContent-Disposition: form-data; name="a"; filename="name="\r\n'
        b"Content-Type: image/png\r\n\r\n\r\n--\x00\xff\r\n\r\n--B--\r\n"
    )
    _, _, answer = ask(simulator, body=body, content_type="multipart/form-data; boundary=B")
    assert json.loads(answer) == {
        "fields": {"rotate": "true"},
        "files": {"a": b"\r\n--\x00\xff\r\n".hex()},
        "score": None,
    }
    _, _, answer = ask(simulator, body=b"x=1&y=", content_type="application/x-www-form-urlencoded")
    assert json.loads(answer)["fields"] == {"x": "1", "y": ""}
    ask(simulator, body=b'{"a": 1}', content_type="application/json")
    assert simulator.last.json() == {"a": 1}
    assert simulator.last.fields == {}


def test_a_connection_is_kept(simulator):
    """After a plain 200; closed after anything else, and when the vendor goes."""
    kept = http.client.HTTPConnection(urllib.parse.urlsplit(simulator.url).netloc, timeout=10)

    def status_of():
        if kept.sock is None:
            kept.connect()
        kept.request("POST", "/")
        response = kept.getresponse()
        response.read()
        return response.status, kept.sock is not None

    assert [status_of() for _ in range(3)] == [(200, True)] * 3
    simulator.set_situation(Situation.REJECTED)
    assert status_of() == (422, False)
    simulator.set_situation(Situation.SAME_PERSON)
    status_of()
    simulator.set_situation(Situation.LOST_ANSWER)
    with pytest.raises(http.client.RemoteDisconnected):
        status_of()
    kept.close()
    simulator.set_situation(Situation.SAME_PERSON)
    assert status_of() == (200, True)
    simulator.set_situation(Situation.UNREACHABLE)
    assert kept.sock.recv(1) == b""
    kept.close()


def test_it_counts(simulator):
    """What was seen and what is charged; signing in is neither."""
    ask(simulator)
    simulator.set_situation(Situation.REJECTED)
    status, headers, body = ask(simulator)
    assert (status, headers["X-Why"], body) == (422, "so", b"no")
    ask(simulator, "/login")
    assert (simulator.requests_seen, simulator.charges) == (2, 1)


def test_unreachable_and_back(simulator):
    """Nobody listens at the port, and it is not given to somebody else."""
    url = simulator.url
    simulator.set_situation(Situation.UNREACHABLE)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            ask(simulator)
    simulator.set_situation(Situation.SAME_PERSON)
    assert simulator.url == url
    assert ask(simulator)[0] == 200
    assert simulator.requests_seen == 1


def test_lost_and_broken_answers(simulator):
    """Carried out and charged, both of them."""
    simulator.set_situation(Situation.LOST_ANSWER)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(simulator)
    simulator.set_situation(Situation.BROKEN_ANSWER)
    with pytest.raises(http.client.IncompleteRead):
        ask(simulator)
    assert (simulator.requests_seen, simulator.charges) == (2, 2)


def test_gateway(simulator):
    """A page of HTML with 502."""
    simulator.set_situation(Situation.GATEWAY_ERROR)
    status, headers, body = ask(simulator)
    assert status == 502
    assert headers["Content-Type"] == "text/html"
    assert body.startswith(b"<html>")


def test_slow_ends_with_the_next_preparation(simulator):
    """It does not answer; once it is prepared anew, nobody waits any more."""
    simulator.set_situation(Situation.SLOW)
    with pytest.raises(TimeoutError):
        ask(simulator, timeout=0.1)
    ended = threading.Event()

    def wait():
        with pytest.raises(http.client.RemoteDisconnected):
            ask(simulator)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while simulator.requests_seen < 2:
        assert not ended.is_set()
    simulator.set_situation(Situation.SAME_PERSON)
    thread.join(timeout=10)
    assert ended.is_set()
    assert ask(simulator)[0] == 200


def test_signing_in_works_in_every_situation(simulator):
    """A simulator whose vendor hands out tokens first need not think of them."""
    simulator.set_situation(Situation.LOST_ANSWER)
    assert ask(simulator, "/login")[0] == 200


def test_clients_that_go_away_are_no_error(simulator, capsys):
    """Half a request, and the connection is gone."""
    host, port = urllib.parse.urlsplit(simulator.url).netloc.split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    assert ask(simulator)[0] == 200
    assert capsys.readouterr().err == ""


def test_a_bug_of_the_simulator_is_told():
    """In the thread of the test, not on the screen of a server thread."""
    with pytest.raises(LookupError, match="a bug of the test's author"), Echo() as simulator:
        simulator.set_situation(Situation.SAME_PERSON)
        with pytest.raises(http.client.RemoteDisconnected):
            ask(simulator, "/bug")


def test_it_wants_to_be_prepared():
    """A simulator that was not told anything says so."""
    simulator = Echo()
    with (
        pytest.raises(RuntimeError, match="before set_situation"),
        simulator,
        pytest.raises(http.client.RemoteDisconnected),
    ):
        ask(simulator)
    with pytest.raises(RuntimeError, match="with statement"):
        _ = simulator.url


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (dict, "TypeError: it gave dict, and not a SimulatorReply"),
    ],
    ids=["raises", "another type"],
)
def test_a_fault_of_the_simulator_is_told_as_its_own(answer, says):
    """With its name and what was played, where the rules read it."""

    class Faulty(Echo):
        def answer(self, request, situation, score):
            return answer()

    with pytest.raises(Exception) as caught, Faulty() as simulator:
        simulator.set_situation(Situation.SAME_PERSON)
        with pytest.raises(http.client.RemoteDisconnected):
            ask(simulator)
    told = in_one_line(caught)
    assert told == f"{says} (Faulty.answer failed for SAME_PERSON)"

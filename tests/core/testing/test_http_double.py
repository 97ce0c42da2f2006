"""The frame of a scripted HTTP vendor, seen from the client's side of the socket."""

import http.client
import json
import socket
import threading
import urllib.parse

import pytest

from facematch_core.testing import DoubleReply, HttpDouble, Situation
from facematch_core.testing._reasons import Masked, in_one_line


class Echo(HttpDouble):
    """Answers with what it received."""

    situations = HttpDouble.FAULTS | {Situation.SAME_PERSON, Situation.REJECTED}

    def backend(self, **settings):
        raise NotImplementedError

    def counts(self, request):
        return request.path != "/login"

    def answer(self, request, situation, score):
        if request.path == "/bug":
            raise LookupError("a bug of the test's author")
        if situation is Situation.REJECTED:
            return DoubleReply(status=422, body=b"no", headers={"X-Why": "so"})
        files = {name: data.hex() for name, data in request.files.items()}
        return DoubleReply(body={"fields": request.fields, "files": files, "score": score})


@pytest.fixture
def double():
    with Echo() as opened:
        opened.prepare(Situation.SAME_PERSON)
        yield opened


def ask(double, path="/", body=b"", timeout=10, **headers):
    """Status, headers and body of one call."""
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(double.url).netloc, timeout=timeout
    )
    try:
        connection.request("POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_forms_are_read(double):
    """Multipart with binary files, urlencoded, JSON, and nothing at all."""
    body = (
        b'--B\r\nContent-Disposition: form-data; name="rotate"\r\n\r\ntrue\r\n'
        b'--B\r\nContent-Disposition: form-data; name="a"; filename="name="\r\n'
        b"Content-Type: image/png\r\n\r\n\r\n--\x00\xff\r\n\r\n--B--\r\n"
    )
    _, _, answer = ask(double, body=body, content_type="multipart/form-data; boundary=B")
    assert json.loads(answer) == {
        "fields": {"rotate": "true"},
        "files": {"a": b"\r\n--\x00\xff\r\n".hex()},
        "score": None,
    }
    _, _, answer = ask(double, body=b"x=1&y=", content_type="application/x-www-form-urlencoded")
    assert json.loads(answer)["fields"] == {"x": "1", "y": ""}
    ask(double, body=b'{"a": 1}', content_type="application/json")
    assert double.last.json() == {"a": 1}
    assert double.last.fields == {}


def test_it_counts(double):
    """What was seen and what is charged; signing in is neither."""
    ask(double)
    double.prepare(Situation.REJECTED)
    status, headers, body = ask(double)
    assert (status, headers["X-Why"], body) == (422, "so", b"no")
    ask(double, "/login")
    assert (double.requests_seen, double.charges) == (2, 1)


def test_unreachable_and_back(double):
    """Nobody listens at the port, and it is not given to somebody else."""
    url = double.url
    double.prepare(Situation.UNREACHABLE)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            ask(double)
    double.prepare(Situation.SAME_PERSON)
    assert double.url == url
    assert ask(double)[0] == 200
    assert double.requests_seen == 1


def test_lost_and_broken_answers(double):
    """Carried out and charged, both of them."""
    double.prepare(Situation.LOST_ANSWER)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(double)
    double.prepare(Situation.BROKEN_ANSWER)
    with pytest.raises(http.client.IncompleteRead):
        ask(double)
    assert (double.requests_seen, double.charges) == (2, 2)


def test_gateway(double):
    """A page of HTML with 502."""
    double.prepare(Situation.GATEWAY_ERROR)
    status, headers, body = ask(double)
    assert status == 502
    assert headers["Content-Type"] == "text/html"
    assert body.startswith(b"<html>")


def test_slow_ends_with_the_next_preparation(double):
    """It does not answer; once it is prepared anew, nobody waits any more."""
    double.prepare(Situation.SLOW)
    with pytest.raises(TimeoutError):
        ask(double, timeout=0.1)
    ended = threading.Event()

    def wait():
        with pytest.raises(http.client.RemoteDisconnected):
            ask(double)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while double.requests_seen < 2:
        assert not ended.is_set()
    double.prepare(Situation.SAME_PERSON)
    thread.join(timeout=10)
    assert ended.is_set()
    assert ask(double)[0] == 200


def test_signing_in_works_in_every_situation(double):
    """A double whose vendor hands out tokens first need not think of them."""
    double.prepare(Situation.LOST_ANSWER)
    assert ask(double, "/login")[0] == 200


def test_clients_that_go_away_are_no_error(double, capsys):
    """Half a request, and the connection is gone."""
    host, port = urllib.parse.urlsplit(double.url).netloc.split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    assert ask(double)[0] == 200
    assert capsys.readouterr().err == ""


def test_a_bug_of_the_double_is_told():
    """In the thread of the test, not on the screen of a server thread."""
    with pytest.raises(LookupError, match="a bug of the test's author"), Echo() as double:
        double.prepare(Situation.SAME_PERSON)
        with pytest.raises(http.client.RemoteDisconnected):
            ask(double, "/bug")


def test_it_wants_to_be_prepared():
    """A double that was not told anything says so."""
    double = Echo()
    with (
        pytest.raises(RuntimeError, match="before it was prepared"),
        double,
        pytest.raises(http.client.RemoteDisconnected),
    ):
        ask(double)
    with pytest.raises(RuntimeError, match="with statement"):
        _ = double.url


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (dict, "TypeError: it gave dict, and not a DoubleReply"),
    ],
    ids=["raises", "another type"],
)
def test_a_fault_of_the_double_is_told_as_its_own(answer, says):
    """With its name and what was played, where the rules read it."""

    class Faulty(Echo):
        def answer(self, request, situation, score):
            return answer()

    with pytest.raises(Exception) as caught, Faulty() as double:
        double.prepare(Situation.SAME_PERSON)
        with pytest.raises(http.client.RemoteDisconnected):
            ask(double)
    told = in_one_line(caught, Masked(()))
    assert told == f"{says} (Faulty.answer failed for SAME_PERSON)"

import http.client
import json
import socket
import urllib.parse

import pytest

from facematch_core.testing import HttpSimulator, SimulatorReply, Situation


class Echo(HttpSimulator):
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
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(simulator.url).netloc, timeout=timeout
    )
    try:
        connection.request("POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_situation_set_before_start_is_used():
    simulator = Echo()
    simulator.set_situation(Situation.UNREACHABLE)
    with simulator, pytest.raises(ConnectionRefusedError):
        ask(simulator)


def test_multipart_urlencoded_and_json_bodies_are_parsed(simulator):
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


def test_each_situation_produces_its_response_and_charges(simulator, capsys):
    """What is carried out is charged, a refusal is not, and who signs in meets no fault."""
    url = simulator.url

    def books():
        return simulator.requests_seen, simulator.charges

    simulator.set_situation(Situation.REJECTED)
    status, headers, body = ask(simulator)
    assert (status, headers["X-Why"], body) == (422, "so", b"no")
    assert books() == (1, 0)
    simulator.set_situation(Situation.LOST_ANSWER)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(simulator)
    assert ask(simulator, "/login")[0] == 200
    simulator.set_situation(Situation.BROKEN_ANSWER)
    with pytest.raises(http.client.IncompleteRead):
        ask(simulator)
    simulator.set_situation(Situation.GATEWAY_ERROR)
    status, headers, body = ask(simulator)
    assert (status, headers["Content-Type"], body[:6]) == (502, "text/html", b"<html>")
    assert books() == (4, 3)
    # Nobody listens at the port, and it is not given to somebody else.
    simulator.set_situation(Situation.UNREACHABLE)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            ask(simulator)
    simulator.set_situation(Situation.SAME_PERSON)
    assert simulator.url == url
    # Half a request, and the connection is gone: no error of the simulator's.
    host, port = urllib.parse.urlsplit(url).netloc.split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    assert ask(simulator)[0] == 200
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/bug", (LookupError, "a bug of the test's author")),
        (None, (RuntimeError, "before set_situation")),
    ],
)
def test_simulator_exception_is_raised_on_close(path, error):
    with pytest.raises(error[0], match=error[1]), Echo() as simulator:
        if path is not None:
            simulator.set_situation(Situation.SAME_PERSON)
        with pytest.raises(http.client.RemoteDisconnected):
            ask(simulator, path or "/")
    with pytest.raises(RuntimeError, match="with statement"):
        _ = simulator.url

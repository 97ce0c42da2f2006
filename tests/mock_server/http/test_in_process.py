"""The adapter and `responses` beyond what they share with the server."""

import subprocess
import sys

import pytest
import requests
import responses

from facematch_core.http import MOCK_HEADER, HttpClient, HttpRequest
from facematch_mock_server.http import exchange
from facematch_mock_server.http.client import MockAdapter
from facematch_mock_server.http.in_responses import register

URL = "https://verification.didit.me"


def test_a_mounted_session_opens_no_socket(engine, monkeypatch):
    """The vendor's own address is answered within the process."""
    monkeypatch.setattr("socket.socket", None)
    with requests.Session() as session:
        session.mount(URL, MockAdapter(engine))
        answer = session.post(f"{URL}/v3/face-match/", files={"user_image": b"x"})
    assert (answer.status_code, answer.reason, answer.url) == (200, "OK", f"{URL}/v3/face-match/")
    assert answer.json()["target"] == "/v3/face-match/"
    assert answer.headers["X-Twice"] == "a, b"
    assert engine.handled[0].header("host") == "verification.didit.me"
    assert engine.handled[0].peer == "127.0.0.1"


def test_the_librarys_client_takes_the_adapter(engine):
    """A backend's HTTP client can be pointed at the engine without a socket."""
    client = HttpClient()
    client.mount(URL, MockAdapter(engine))
    sent = []
    reply = client.send(
        HttpRequest(method="POST", url=f"{URL}/x", fields={"a": "b"}),
        backend="test",
        on_sent=lambda: sent.append(1),
    )
    client.close()
    assert (reply.status, sent, len(engine.handled)) == (200, [1], 1)


def test_a_redirect_is_followed_by_requests(engine):
    """What requests does with an answer is its own business, within the process too."""
    handle = engine.handle

    def redirect(request):
        if request.target == "/old":
            return exchange.Response(status=301, headers=(("Location", "/new"),))
        return handle(request)

    engine.handle = redirect
    with requests.Session() as session:
        session.mount(URL, MockAdapter(engine))
        assert session.get(f"{URL}/old").json()["target"] == "/new"


def test_responses_answers_only_what_is_registered(engine):
    """Other hosts, and hosts that only begin alike, are refused by `responses`."""
    with responses.RequestsMock() as rsps:
        answered = register(rsps, engine, [URL, "http://localhost:1/base/"])
        assert requests.get(f"{URL}?q=1", timeout=1).status_code == 200
        assert requests.delete(f"{URL}/v3/x/", timeout=1).status_code == 200
        assert requests.get("http://localhost:1/base/x", timeout=1).status_code == 200
        for other in (f"{URL}.example/", "http://localhost:1/other", "http://localhost:12/base/"):
            with pytest.raises(requests.ConnectionError):
                requests.get(other, timeout=1)
        assert answered.call_count == len(engine.handled) == 3


def test_responses_of_the_user_stand_beside(engine):
    """What the user registered before is answered as before."""
    with responses.RequestsMock() as rsps:
        rsps.get("https://other.example/", body="theirs")
        register(rsps, engine, [URL])
        assert requests.get("https://other.example/", timeout=1).text == "theirs"
        assert requests.get(URL, timeout=1).status_code == 200


def test_the_mark_of_the_mock_is_the_librarys():
    """The front's own answers carry the header that the library looks for."""
    assert exchange.MOCK_HEADER == MOCK_HEADER


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("server", {"requests", "urllib3", "responses", "PIL"}),
        ("client", {"asyncio", "httptools", "responses", "PIL"}),
        ("in_responses", {"httptools", "PIL"}),
    ],
)
def test_each_way_imports_only_its_own(module, unwanted):
    """A server needs no requests, and the ways within the process no event loop."""
    code = f"import sys, facematch_mock_server.http.{module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert not unwanted & set(done.stdout.split())

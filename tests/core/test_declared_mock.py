"""A backend that is set to MOCK: no real vendor is asked, and none is taken for a mock."""

import io
import json
import socket

import attrs
import pytest
import requests
import urllib3
from kit.fakes import picture
from kit.rawserver import RawServer, answer, read_request, send
from requests.adapters import BaseAdapter

import facematch_core as fm
from facematch_core.backend import Capabilities
from facematch_core.errors import FATAL, EnvironmentMismatch
from facematch_core.http import MOCK_HEADER, HttpBackend, HttpRequest
from facematch_mock_server import make_card

A, B = make_card("p1"), picture()
FINE = b'{"decision": "match"}'
MARK = f"{MOCK_HEADER}: 1"
ASKED = {"require_environment": fm.Environment.MOCK}


@attrs.frozen(kw_only=True, eq=False)
class Vendor(HttpBackend):
    """A vendor with a host of its own, and a setting that says what stands there."""

    name = "vendor"
    capabilities = Capabilities(billed_operations=frozenset({fm.Operation.MATCH}))
    allowed_hosts = frozenset({"vendor.example"})
    base_url: str = "https://vendor.example"
    allow_base_url: bool = True
    allow_insecure: bool = True
    environment: fm.Environment | None = fm.Environment.MOCK

    def build(self, call):
        return HttpRequest(url=f"{self.base_url}/compare", fields={"a": "b"})

    def parse(self, call, reply):
        decision = fm.Decision(reply.json()["decision"])
        return fm.MatchResult(
            decision=decision,
            backend=self.name,
            billing=fm.Billing(fm.Charged.YES),
            environment=self.environment,
        )


class Double(BaseAdapter):
    """Answers in this process, as a mock's adapter does."""

    def __init__(self, headers):
        super().__init__()
        self.headers = headers

    def send(self, request, **_):
        response = requests.Response()
        response.status_code = 200
        response.headers.update(self.headers)
        response.raw = urllib3.HTTPResponse(body=io.BytesIO(FINE), preload_content=False)
        return response

    def close(self):
        """Nothing is open."""


@pytest.fixture
def named(monkeypatch):
    """Gives this machine another name, as a network of containers gives its services."""
    look_up = socket.getaddrinfo
    monkeypatch.setenv("NO_PROXY", "mock")
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **options: look_up(
            "127.0.0.1" if host == "mock" else host, *more, **options
        ),
    )
    return lambda server: f"http://mock:{server.port}"


@pytest.fixture
def fixture_of_requests(monkeypatch):
    """Puts a double into every session of requests, as `didit_mock` does."""

    def put(**headers):
        double = Double(headers)
        monkeypatch.setattr(requests.Session, "get_adapter", lambda *_: double)

    return put


def test_a_mock_at_any_address_can_be_required(named, caplog):
    """The setting tells before anything is sent, so no card is warned of; the answer confirms."""
    with RawServer([read_request, send(answer(200, FINE, MARK))]) as server:
        backend = Vendor(base_url=named(server))
        assert backend.environments == {fm.Environment.MOCK}
        with fm.FaceVerifier(backend, **ASKED) as verifier:
            assert verifier.verify(A, B).environment is fm.Environment.MOCK
    assert "test card" not in caplog.text


def test_undeclared_it_stays_refused(named):
    """No other host than this machine is taken for a mock's unless somebody says so."""
    with RawServer([]) as server:
        backend = Vendor(base_url=named(server), environment=fm.Environment.PRODUCTION)
        with fm.FaceVerifier(backend, **ASKED) as verifier, pytest.raises(EnvironmentMismatch):
            verifier.verify(A, B)
        assert server.connections == []


@pytest.mark.parametrize("asked", [{}, ASKED], ids=["", "required"])
@pytest.mark.parametrize(
    ("status", "body", "billed"),
    [
        (200, FINE, fm.Charged.YES),
        (200, b"<html>", fm.Charged.YES),
        (403, json.dumps({"detail": "Wrong key."}).encode(), fm.Charged.NO),
        (502, b"<html>", fm.Charged.UNKNOWN),
    ],
)
def test_what_is_no_mock_is_not_believed(status, body, billed, asked):
    """A real vendor may have answered: no result, the true bill, and it counts as production."""
    events = []
    with RawServer([read_request, send(answer(status, body))]) as server:
        backend = Vendor(base_url=server.url)
        with (
            fm.FaceVerifier(backend, on_event=events.append, **asked) as verifier,
            pytest.raises(EnvironmentMismatch, match=rf"\({status}\)") as caught,
        ):
            verifier.verify(A, B)
    error = caught.value
    assert (error.environment, error.billing.charged) == (fm.Environment.PRODUCTION, billed)
    assert error.ids.call == events[-1].call_id
    assert (error.__cause__, error.__context__) == (None, None)
    assert events[-1].environment is fm.Environment.PRODUCTION
    assert events[-1].counts is (billed is not fm.Charged.NO)
    assert isinstance(error, FATAL)


def test_a_mocks_own_error_stays_what_it_is():
    """Its refusals are those of the vendor that it imitates."""
    with RawServer([read_request, send(answer(401, b'{"detail": "No."}', MARK))]) as server:
        verifier = fm.FaceVerifier(Vendor(base_url=server.url))
        with verifier, pytest.raises(fm.AuthenticationFailed):
            verifier.verify(A, B)


@pytest.mark.parametrize("asked", [{}, ASKED], ids=["", "required"])
def test_the_vendors_own_host_is_not_asked(asked, monkeypatch):
    """Whoever says mock and leaves the vendor's address in place sends no face there."""
    monkeypatch.setattr("socket.socket", None)
    events = []
    with fm.FaceVerifier(Vendor(), on_event=events.append, **asked) as verifier:
        with pytest.raises(EnvironmentMismatch, match="nothing was sent") as caught:
            verifier.verify(A, B)
        assert (caught.value.billing.charged, events) == (fm.Charged.NO, [])


def test_an_adapter_may_answer_for_the_vendors_host(caplog):
    """Mounted on the client: nothing leaves the process, whatever the address."""
    for environment in (fm.Environment.MOCK, None):
        backend = Vendor(environment=environment)
        backend.client.mount("https://vendor.example/", Double({MOCK_HEADER: "1"}))
        with fm.FaceVerifier(backend, **ASKED) as verifier:
            assert verifier.verify(A, B).environment is fm.Environment.MOCK
    assert "test card" not in caplog.text


@pytest.mark.parametrize("environment", [fm.Environment.MOCK, None])
def test_so_may_a_fixture_that_answers_for_requests(fixture_of_requests, caplog, environment):
    """It is noticed without being told, also by a client that was open before."""
    with fm.FaceVerifier(Vendor(environment=environment), **ASKED) as verifier:
        with pytest.raises(EnvironmentMismatch, match="nothing was sent"):
            verifier.verify(B, B)
        fixture_of_requests(**{MOCK_HEADER: "1"})
        assert verifier.verify(A, B).environment is fm.Environment.MOCK
    assert "test card" not in caplog.text


def test_a_double_without_the_mark_is_production(fixture_of_requests):
    """Only the answer's own word makes it a mock's."""
    fixture_of_requests()
    with fm.FaceVerifier(Vendor(environment=fm.Environment.PRODUCTION)) as verifier:
        assert verifier.verify(B, B).environment is fm.Environment.PRODUCTION
    with fm.FaceVerifier(Vendor()) as verifier, pytest.raises(EnvironmentMismatch) as caught:
        verifier.verify(B, B)
    assert caught.value.billing.charged is fm.Charged.YES


def test_a_mock_is_no_production(named):
    """Set to mock and asked for production: the contradiction is told before sending."""
    backend = Vendor(base_url="http://mock:1")
    with (
        fm.FaceVerifier(backend, require_environment="production") as verifier,
        pytest.raises(EnvironmentMismatch, match="set to mock, but production"),
    ):
        verifier.verify(B, B)


def test_where_answers_come_from_can_be_asked_of_a_closed_backend():
    backend = Vendor(environment=fm.Environment.PRODUCTION)
    assert backend.environments == {fm.Environment.PRODUCTION}
    backend.close()
    assert backend.environments == {fm.Environment.PRODUCTION}

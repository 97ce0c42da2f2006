import contextlib
import socket

import attrs
import pytest
import requests
from kit.acme import AcmeBackend
from kit.fakes import picture
from kit.rawserver import RawServer, http_reply, read_request, send
from kit.scripted import ScriptedAdapter

import facematch_core as fm
from facematch_core.errors import FATAL, EnvironmentMismatch
from facematch_core.http import MOCK_HEADER
from facematch_mock_server import make_card

A = make_card("p1")
B = picture()
FINE = b'{"same": true}'
MARK = f"{MOCK_HEADER}: 1"
MOCK_ONLY = {"require_environment": fm.Environment.MOCK}


@attrs.frozen(kw_only=True, eq=False)
class Vendor(AcmeBackend):
    """It has a host of its own, and a setting that says what answers there."""

    name = "vendor"
    allowed_hosts = frozenset({"vendor.example"})
    base_url: str = "https://vendor.example"
    allow_base_url: bool = True
    allow_insecure: bool = True
    environment: fm.Environment | None = fm.Environment.MOCK

    def parse(self, request, reply):
        result = super().parse(request, reply)
        return attrs.evolve(result, backend=self.name, environment=self.environment)


@pytest.fixture
def named(monkeypatch):
    """Gives this machine another name, as a network of containers gives its services."""
    look_up = socket.getaddrinfo

    def find(host, *arguments, **options):
        return look_up("127.0.0.1" if host == "mock" else host, *arguments, **options)

    monkeypatch.setenv("NO_PROXY", "mock")
    monkeypatch.setattr(socket, "getaddrinfo", find)
    return lambda server: f"http://mock:{server.port}"


@pytest.fixture
def fixture_of_requests(monkeypatch):
    def put(**headers):
        double = ScriptedAdapter((200, FINE, headers))
        monkeypatch.setattr(requests.Session, "get_adapter", lambda *_: double)

    return put


@pytest.mark.parametrize("environment", [fm.Environment.MOCK, None], ids=["set", "not set"])
@pytest.mark.parametrize("body", [FINE, b"<html>"], ids=str)
def test_charges_of_a_mock_are_not_counted(body, environment):
    events = []
    with RawServer([read_request, send(http_reply(200, body, MARK))]) as server:
        backend = Vendor(base_url=server.url, environment=environment)
        with (
            fm.FaceVerifier(backend, on_event=events.append, **MOCK_ONLY) as verifier,
            contextlib.suppress(fm.VendorError),
        ):
            assert verifier.verify(A, B).environment is fm.Environment.MOCK
    assert any(event.kind is fm.EventKind.CHARGED for event in events)
    assert not any(event.counts for event in events)
    assert events[-1].environment is fm.Environment.MOCK


@pytest.mark.parametrize("environment", [fm.Environment.PRODUCTION, None])
def test_only_loopback_hosts_are_assumed_to_be_mocks(named, environment):
    with RawServer([]) as server:
        backend = Vendor(base_url=named(server), environment=environment)
        with fm.FaceVerifier(backend, **MOCK_ONLY) as verifier, pytest.raises(EnvironmentMismatch):
            verifier.verify(A, B)
        assert server.connections == []


@pytest.mark.parametrize("arguments", [{}, MOCK_ONLY], ids=["", "required"])
@pytest.mark.parametrize(
    ("status", "body", "billed"),
    [
        (200, FINE, fm.Charged.YES),
        (403, b'{"detail": "Wrong key."}', fm.Charged.NO),
        (502, b"<html>", fm.Charged.UNKNOWN),
    ],
)
def test_response_without_mock_header_is_treated_as_production(status, body, billed, arguments):
    events = []
    with RawServer([read_request, send(http_reply(status, body))]) as server:
        backend = Vendor(base_url=server.url)
        with (
            fm.FaceVerifier(backend, on_event=events.append, **arguments) as verifier,
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


@pytest.mark.parametrize("arguments", [{}, MOCK_ONLY], ids=["", "required"])
def test_mock_environment_never_sends_pictures_to_the_vendors_host(arguments, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    events = []
    with fm.FaceVerifier(Vendor(), on_event=events.append, **arguments) as verifier:
        with pytest.raises(EnvironmentMismatch, match="nothing was sent") as caught:
            verifier.verify(A, B)
        assert (caught.value.billing.charged, events) == (fm.Charged.NO, [])


@pytest.mark.parametrize("environment", [fm.Environment.MOCK, None], ids=["set", "not set"])
@pytest.mark.parametrize("variables", [{}, {"base_url": "VENDOR_BASE_URL"}], ids=["", "variable"])
def test_error_asks_for_the_url_of_the_mock(environment, variables, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    monkeypatch.setattr(Vendor, "environment_variables", variables)
    vendor = Vendor(environment=environment)
    with (
        fm.FaceVerifier(vendor, **MOCK_ONLY) as verifier,
        pytest.raises(EnvironmentMismatch) as caught,
    ):
        verifier.verify(A, B)
    assert caught.value.billing.charged is fm.Charged.NO
    advice = str(caught.value)
    assert "Set base_url" in advice
    assert all(variable in advice for variable in variables.values())


def test_door_alone_makes_no_mock_of_the_vendors_host(monkeypatch):
    monkeypatch.setenv("FACEMATCH_DOOR_PORT", "1")
    assert Vendor(environment=None).environments == frozenset()
    assert Vendor().environments == {fm.Environment.PRODUCTION}


@pytest.mark.parametrize("environment", [fm.Environment.MOCK, None])
def test_requests_adapter_may_answer_for_the_vendors_host(fixture_of_requests, caplog, environment):
    with fm.FaceVerifier(Vendor(environment=environment), **MOCK_ONLY) as verifier:
        with pytest.raises(EnvironmentMismatch, match="nothing was sent"):
            verifier.verify(B, B)
        fixture_of_requests(**{MOCK_HEADER: "1"})
        assert verifier.verify(A, B).environment is fm.Environment.MOCK
    assert "test card" not in caplog.text


def test_double_without_the_mock_header_is_treated_as_production(fixture_of_requests):
    fixture_of_requests()
    with fm.FaceVerifier(Vendor(environment=fm.Environment.PRODUCTION)) as verifier:
        assert verifier.verify(B, B).environment is fm.Environment.PRODUCTION
    with fm.FaceVerifier(Vendor()) as verifier, pytest.raises(EnvironmentMismatch) as caught:
        verifier.verify(B, B)
    assert caught.value.billing.charged is fm.Charged.YES


def test_login_is_sent_only_to_the_mock():
    backend = Vendor(base_url="http://127.0.0.1:1")
    for url in ("", "http://127.0.0.1:1/token", "http://127.0.0.1:2/token"):
        assert backend.find_mismatch(url=url) is None
    error = backend.find_mismatch(url="https://login.vendor.example/token")
    assert (type(error), error.billing.charged) == (fm.EnvironmentMismatch, fm.Charged.NO)


def test_unsupported_environment_is_refused():
    without = type("Without", (Vendor,), {"has_sandbox": False})
    for cls, environment in ((Vendor, "local"), (without, "sandbox")):
        with pytest.raises(fm.ConfigurationError, match="must be one of"):
            cls(environment=fm.Environment(environment))


def test_backend_without_environment_allows_production_only_for_sessions(monkeypatch):
    vendor = Vendor(environment=None)
    monkeypatch.setattr(vendor.client, "send", pytest.fail)
    assert fm.Environment.PRODUCTION in vendor.session_environments
    verifier = fm.FaceVerifier(vendor, require_environment="production")
    with verifier, pytest.raises(EnvironmentMismatch) as caught:
        verifier.verify(A, B)
    assert caught.value.billing.charged is fm.Charged.NO

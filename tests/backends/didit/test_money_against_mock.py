"""The backend `didit` against the mock server: money, limits, environments, ways in."""

import attrs
import pytest

import facematch_core as fm
from facematch_core.errors import (
    EnvironmentMismatch,
    InsufficientCredit,
    RateLimited,
)
from facematch_didit import DiditBackend
from facematch_mock_server import MockServer, card_sheet

SHEET = card_sheet()


def card(name):
    """A ready card as the library takes pictures."""
    return fm.Image.from_bytes(SHEET[name].data)


REFERENCE = card("p1")


@pytest.fixture
def mock(didit_server):
    """The world of the test."""
    return didit_server


@pytest.fixture
def open_mock(mock, at_end):
    """Opens a verifier on it; settings of the backend may be given, and arguments of its own."""

    def make(of_verifier=None, **settings):
        settings = {"api_key": mock.live_key, "base_url": mock.url} | settings
        verifier = fm.FaceVerifier(DiditBackend(**settings), **of_verifier or {})
        return at_end.enter_context(verifier)

    return make


def test_no_credit(open_mock, mock):
    """An empty balance is its own error, and nothing is charged for saying so."""
    verifier = open_mock()
    mock.control.set_balance("0.04")
    with pytest.raises(InsufficientCredit) as caught:
        verifier.verify(REFERENCE, REFERENCE)
    assert caught.value.billing.charged is fm.Charged.NO
    assert verifier.check_liveness(REFERENCE).is_live
    with pytest.raises(InsufficientCredit):
        verifier.check_liveness(REFERENCE)
    assert len(mock.control.charges()) == 1


def test_a_rate_limit(open_mock, mock):
    """The error says how long to wait, and waiting so long is enough."""
    verifier = open_mock()
    mock.control.set_limit("write", 1)
    verifier.verify(REFERENCE, REFERENCE)
    mock.control.advance(18)
    with pytest.raises(RateLimited) as caught:
        verifier.verify(REFERENCE, REFERENCE)
    assert caught.value.retry_after_s == 42
    assert caught.value.billing.charged is fm.Charged.NO
    mock.control.advance(caught.value.retry_after_s)
    assert verifier.verify(REFERENCE, REFERENCE).is_match


def test_a_sandbox_key(open_mock, mock):
    """It approves everything, and neither charges nor keeps anything."""
    verifier = open_mock(api_key=mock.sandbox_key)
    found = verifier.verify(card("p2"), REFERENCE, retention=fm.Retention.KEEP)
    checked = verifier.check_liveness(card("spoof"))
    assert (found.decision, checked.decision) == (fm.Decision.MATCH, fm.LivenessDecision.LIVE)
    assert (mock.control.charges(), mock.control.sessions.all()) == ((), ())


def test_a_sandbox_key_approves_what_no_live_key_does(open_mock, mock):
    """Nothing can lie above 100: the approval gives the key away, and is not believed."""
    verifier = open_mock(api_key=mock.sandbox_key)
    found = verifier.verify(REFERENCE, REFERENCE, threshold=100)
    assert found.vendor_status == "Approved"
    assert found.decision is fm.Decision.REVIEW
    assert [warning.code for warning in found.warnings] == [fm.WarningCode.THRESHOLD_CONFLICT]


@pytest.mark.parametrize("declared", [None, fm.Environment.MOCK])
def test_every_answer_says_that_it_comes_from_a_mock(open_mock, declared):
    """So it can be asked for, and cannot be taken for real."""
    asked = {"require_environment": fm.Environment.MOCK}
    verifier = open_mock(environment=declared, of_verifier=asked)
    assert verifier.verify(REFERENCE, REFERENCE).environment is fm.Environment.MOCK
    assert verifier.check_liveness(REFERENCE).environment is fm.Environment.MOCK


@pytest.mark.parametrize("declared", [fm.Environment.PRODUCTION, fm.Environment.SANDBOX])
def test_a_mock_is_never_taken_for_what_was_declared(open_mock, mock, declared):
    """Its answer contradicts the setting; what was paid for is in the error all the same."""
    verifier = open_mock(environment=declared)
    with pytest.raises(EnvironmentMismatch, match="came from mock") as caught:
        verifier.verify(REFERENCE, REFERENCE)
    assert caught.value.result.is_match
    assert (caught.value.environment, caught.value.result.environment) == (fm.Environment.MOCK,) * 2


def test_production_can_be_insisted_on(open_mock, mock):
    """A program that wants the real vendor says so in the setting as well, and asks no mock."""
    verifier = open_mock(of_verifier={"require_environment": fm.Environment.PRODUCTION})
    with pytest.raises(EnvironmentMismatch, match="set its environment"):
        verifier.verify(REFERENCE, REFERENCE)
    assert mock.control.charges() == ()


def test_by_name_and_environment(mock, monkeypatch):
    """A program configured for Didit needs the address of the mock, and nothing else."""
    monkeypatch.setenv("DIDIT_API_KEY", mock.live_key)
    with fm.open_verifier("didit", base_url=mock.url) as verifier:
        assert verifier.verify(card("p1-again"), REFERENCE).is_match


def by_address(mock):
    return DiditBackend(api_key=mock.live_key, base_url=mock.url)


def by_adapter(mock):
    backend = DiditBackend(api_key=mock.live_key)
    backend.client.mount("https://verification.didit.me", mock.adapter())
    return backend


def test_without_a_socket():
    """The adapter gives the library the same results as the server, under Didit's own address."""
    seen = []
    with MockServer(seed=9) as mock:
        for way in (by_address, by_adapter):
            mock.control.reset()
            with fm.FaceVerifier(way(mock)) as verifier:
                results = [
                    verifier.verify(card("p1-again"), REFERENCE, retention=fm.Retention.KEEP),
                    verifier.check_liveness(card("spoof")),
                ]
            seen.append(
                [attrs.evolve(r, ids=attrs.evolve(r.ids, call=""), elapsed_s=0.0) for r in results]
            )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("declared", [None, fm.Environment.MOCK])
def test_the_fixture_within_the_process(didit_mock, caplog, declared):
    """It is known for a mock before anything is sent, whether it is declared or not."""
    backend = DiditBackend(api_key=didit_mock.live_key, environment=declared)
    with fm.FaceVerifier(backend, require_environment=fm.Environment.MOCK) as verifier:
        assert verifier.verify(card("p1-again"), REFERENCE).environment is fm.Environment.MOCK
    assert len(didit_mock.control.charges()) == 1
    assert "test card" not in caplog.text


def test_a_declared_mock_is_told_by_its_word(mock):
    """As a configuration file does; it bills and keeps as the live vendor does."""
    settings = {"base_url": mock.url, "api_key": mock.live_key, "environment": "mock"}
    with fm.open_verifier("didit", **settings, require_environment="mock") as verifier:
        result = verifier.verify(REFERENCE, REFERENCE, retention=fm.Retention.KEEP)
    assert (result.environment, result.billing.charged) == (fm.Environment.MOCK, fm.Charged.YES)
    assert result.ids.session == mock.control.sessions.all()[0].id


def test_a_declared_mock_at_didits_address_is_not_asked():
    """A forgotten `base_url` sends neither key nor face to Didit."""
    backend = DiditBackend(api_key="some-key", environment=fm.Environment.MOCK)
    with (
        fm.FaceVerifier(backend) as verifier,
        pytest.raises(EnvironmentMismatch, match="nothing was sent"),
    ):
        verifier.verify(REFERENCE, REFERENCE)


@pytest.mark.parametrize("wrong", [fm.Environment.LOCAL, "live", ""])
def test_no_other_environment_is_a_setting(mock, wrong):
    """Neither this machine's own matching nor a word of Didit's console."""
    with pytest.raises(fm.ConfigurationError, match="environment"):
        DiditBackend(api_key=mock.live_key, environment=wrong)

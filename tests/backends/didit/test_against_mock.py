"""The backend and its account against the mock server."""

import attrs
import pytest

import facematch_core as fm
from facematch_core.backend.session_types import DeletionState
from facematch_didit import DiditAccount, DiditBackend
from facematch_mock_server import make_card

KEEP = {"retention": fm.Retention.KEEP}


def card(person="p1", **facts):
    return fm.Image.from_bytes(make_card(person, **facts))


REFERENCE, AGAIN = card(), card(quality=60)


@pytest.fixture
def mock(didit_server):
    didit_server.control.reset()
    return didit_server


@pytest.fixture
def open_verifier(mock, at_end):
    def open_verifier(on_event=None, **settings):
        settings = {"api_key": mock.live_key, "base_url": mock.url} | settings
        backend = DiditBackend(**settings)
        return at_end.enter_context(fm.FaceVerifier(backend, on_event=on_event, clock=mock.clock))

    return open_verifier


@pytest.fixture
def verifier(open_verifier):
    return open_verifier()


@pytest.mark.parametrize(("score", "passes"), [(30, False), (30.01, True)])
def test_without_a_threshold_the_documented_one_decides(verifier, mock, score, passes):
    """Didit approves above 30 by default, in both calls."""
    for kind in ("match", "liveness"):
        mock.control.set_outcome(kind, score=score)
    assert verifier.verify(REFERENCE, AGAIN).is_match is passes
    assert verifier.check_liveness(REFERENCE).is_live is passes


def test_a_decision_is_the_result_of_the_call(verifier):
    account = DiditAccount.of(verifier.backend)
    common = {**KEEP, "caller_ref": "emp-0042", "metadata": {"gate": "north"}}
    match = verifier.verify(REFERENCE, AGAIN, **common)
    check = verifier.check_liveness(REFERENCE, **common)
    only_of_calls = {"threshold", "probe_faces", "reference_faces", "raw", "elapsed_s"}
    for called in (match, check):
        decision = account.decision(called.ids.session)
        (result,) = (*decision.matches, *decision.liveness_checks)
        assert type(result) is type(called)
        for name in {field.name for field in attrs.fields(type(called))} - only_of_calls:
            assert getattr(result, name) == getattr(called, name), name


def test_a_session_that_staff_decline_is_no_match_and_can_be_deleted(verifier, mock):
    account = DiditAccount.of(verifier.backend)
    called = verifier.verify(REFERENCE, AGAIN, **KEEP)
    mock.control.sessions.decide(called.ids.session, "Declined", comment="Not them.")
    decision = account.decision(called.ids.session)
    assert account.balance() < 100
    assert decision.status == "Declined"
    assert not decision.matches[0].is_match
    assert decision.matches[0].score == called.score
    assert decision.raw["reviews"][0]["comment"] == "Not them."
    assert account.delete(called.ids.session).state is DeletionState.DONE
    assert account.delete(called.ids.session).state is DeletionState.NOT_THERE
    with pytest.raises(fm.SessionNotFound):
        account.decision(called.ids.session)

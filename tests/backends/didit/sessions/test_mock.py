"""Sessions against the mock, from the plan to the deletion, and what its webhooks hint at."""

import attrs
import pytest

import facematch_core as fm
from facematch_core.backend.session_types import ComparedWith, DeletionState, SessionState
from facematch_core.sessions.sessions import Sessions
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, Kind, Stage, card_sheet

SECRET, RETURN_URL = "whsec-CANARY", "https://shop.example/back"
WORKFLOW = "11111111-2222-3333-4444-555555555555"
REFERENCE = fm.Image.from_bytes(card_sheet()["p1-again"].data)
PAYOUT = {"purpose": "payout", "about": "payout 8841"}


@pytest.fixture
def mock(didit_server):
    didit_server.control.reset()
    return didit_server


@pytest.fixture
def open_sessions(mock, at_end):
    """Opens sessions on the mock, of a workflow of that kind."""

    def make(kind="biometric", clock=None, compared=None, **settings):
        mock.control.sessions.workflow(WORKFLOW, kind=kind)
        settings = {"api_key": mock.live_key, "workflow_id": WORKFLOW} | settings
        settings |= {"webhook_secrets": SECRET, "return_hosts": ["shop.example"]}
        backend = DiditBackend(base_url=mock.url, workflow_takes_reference=True, **settings)
        # Most workflows compare with the document that is shown.
        picture = {"kyc": "document", "biometric": "given"}[compared or kind]
        verifier = fm.FaceVerifier(backend, clock=clock)
        return at_end.enter_context(Sessions(verifier, compared_with=picture))

    return make


def test_a_face_like_the_reference_verifies_for_that_one_thing(mock, open_sessions):
    sessions = open_sessions(liveness_method="PASSIVE")
    record = sessions.plan("customer-17", **PAYOUT)
    more = {"return_url": RETURN_URL, "language": "es"}
    session = sessions.start(record, reference=REFERENCE, **more)
    assert session.way_in.link.reveal().startswith(mock.url)
    assert sessions.read(record).state is SessionState.PENDING  # found by the id of the record
    again = sessions.read(session.record, with_way_in=True)
    assert again.way_in.link == session.way_in.link
    mock.control.sessions.finish(session.record.session_id, card="p1")
    result = sessions.read(session.record, with_portrait=True)
    assert result.is_verified_for("customer-17", **PAYOUT, max_age_s=3600)
    assert (result.compared_with, result.environment) == (ComparedWith.GIVEN, fm.Environment.MOCK)
    assert result.portrait.width > 0
    assert sessions.delete(session.record).state is DeletionState.DONE
    assert sessions.delete(session.record).state is DeletionState.NOT_THERE
    with pytest.raises(fm.SessionNotFound):
        sessions.read(session.record)


@pytest.mark.parametrize("card", ["p2", "attack"])
def test_another_face_and_one_that_is_not_live_are_not_verified(card, mock, open_sessions):
    sessions = open_sessions()
    record = sessions.plan("customer-17", **PAYOUT)
    session = sessions.start(record, reference=REFERENCE)
    mock.control.sessions.finish(session.record.session_id, card=card)
    result = sessions.read(session.record, with_portrait=True)
    assert not result.is_verified_for("customer-17", **PAYOUT, max_age_s=3600)
    assert result.state is SessionState.DECIDED
    assert (result.match.is_match and result.liveness.is_live, result.portrait is None) == (
        False,
        not result.liveness.is_live,
    )


def test_a_workflow_that_ignores_the_reference_is_for_a_person(mock, open_sessions):
    for compared in ("biometric", "kyc"):
        sessions = open_sessions("kyc", compared=compared)
        record = sessions.plan("customer-17", **PAYOUT)
        is_given = record.compared_with is ComparedWith.GIVEN
        session = sessions.start(record, reference=REFERENCE if is_given else None)
        mock.control.sessions.finish(session.record.session_id, card="p1")
        result = sessions.read(session.record)
        assert result.compared_with is ComparedWith.DOCUMENT
        assert result.is_verified_for("customer-17", **PAYOUT, max_age_s=3600) is not is_given


def test_a_start_that_lost_its_answer_is_found_and_its_repeat_is_the_same_session(
    mock, open_sessions
):
    sessions = open_sessions("kyc")
    record = sessions.plan("customer-17", **PAYOUT)
    mock.control.add_fault(Fault(stage=Stage.MID_BODY, kind=Kind.RESET, call="session_start"))
    with pytest.raises(fm.OutcomeUnknown):
        sessions.start(record)
    lost = sessions.read(record)
    assert lost.state is SessionState.PENDING
    assert sessions.start(record).record.session_id == lost.record.session_id
    # The session of another purpose is another one, with a link of its own.
    login = sessions.start(sessions.plan("customer-17", purpose="login"))
    assert login.record.session_id != lost.record.session_id
    with pytest.raises(fm.SessionMismatch):
        sessions.read(attrs.evolve(record, session_id=login.record.session_id))


def test_a_delivery_is_as_old_as_the_clock_of_the_sessions_says(mock, open_sessions):
    mock.control.webhooks.add("http://127.0.0.1:9/didit", secret=SECRET)
    sessions = open_sessions("kyc", clock=mock.clock)
    mock.control.advance(3600)
    record = sessions.start(sessions.plan("customer-17", **PAYOUT)).record
    mock.control.sessions.finish(record.session_id, card="p1")
    last = mock.control.webhooks.deliveries(session_id=record.session_id)[-1]
    letter = mock.control.webhooks.delivery(last.id)
    assert sessions.receive(letter.body, letter.headers)[0].record_id == record.id
    mock.control.advance(3600)
    with pytest.raises(fm.WebhookRefused):
        sessions.receive(letter.body, letter.headers)

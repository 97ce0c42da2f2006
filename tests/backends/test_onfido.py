"""Onfido's sessions: what a start sends, what verifies, and what a webhook and a deletion do."""

import datetime as dt
import hashlib
import hmac
import json

import pytest
from kit.fakes import json_reply
from kit.sessions import session_record

import facematch_core as fm
from facematch_core import Decision, LivenessDecision, SessionState
from facematch_core.backend import ReadRequest
from facematch_core.backend.session_types import Agreement, DeletionState
from facematch_mock_server import Fault, MockServer
from facematch_onfido import OnfidoBackend, OnfidoSessionOptions

WORKFLOW = "5025d9fd-7842-4805-bce1-a7bfd7131b4e"
WEBHOOK_TOKEN = "onfido-webhook-token"
ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 2))
NOBODY = "http://127.0.0.1:9/hook"


@pytest.fixture
def mock():
    with MockServer(vendor="onfido") as running:
        yield running


@pytest.fixture
def open_sessions(mock, at_end):
    def open_sessions(**settings):
        usual = {
            "api_token": mock.live_key,
            "workflow_id": WORKFLOW,
            "face_output": "selfie",
            "document_output": "doc",
            "webhook_secrets": WEBHOOK_TOKEN,
            "return_hosts": "shop.example",
            "base_url": mock.url,
            "clock": mock.clock,
            "compared_with": "document",
            "require_environment": "mock",
        }
        sessions = fm.open_sessions("onfido", **{**usual, **settings})
        at_end.callback(sessions.close)
        return sessions

    return open_sessions


@pytest.fixture
def sessions(open_sessions):
    return open_sessions()


def plan(sessions, **how):
    return sessions.plan("customer-17", purpose="payout", about="payout 8841", **how)


def is_verified(result):
    return result.is_verified_for(
        "customer-17", purpose="payout", about="payout 8841", max_age_s=3600
    )


def finish(mock, started, card="p1-again", **document):
    """The person shows Ada's document and a face; return the id of the run."""
    run_id = started.record.session_id
    shown = {"first_name": "Ada", "last_name": "Lovelace", "date_of_birth": dt.date(1980, 1, 2)}
    mock.control.sessions.document(run_id, **shown | document)
    mock.control.sessions.finish(run_id, card=card, document="p1")
    return run_id


def sent_of(mock):
    """Return the bodies of the applicant and of the run that were sent last."""
    applicant = mock.control.world.records.applicants.all()[-1]
    return dict(applicant.fields), mock.control.sessions.all()[-1].metadata


# Start


def test_start_sends_tags_link_and_no_name_of_the_person(sessions, mock):
    record = plan(sessions, valid_for_s=1800)
    started = sessions.start(record, return_url="https://shop.example/back", language="pt-BR")
    applicant, run = sent_of(mock)
    assert applicant == {"first_name": "Unnamed", "last_name": "Applicant"}
    assert run["tags"] == [record.id, record.terms]
    assert run["workflow_id"] == WORKFLOW
    link = run["link"]
    assert link["completed_redirect_url"] == "https://shop.example/back"
    assert link["language"] == "pt_PT"
    expires_at = dt.datetime.fromisoformat(link["expires_at"])
    assert expires_at - mock.clock.now() <= dt.timedelta(minutes=30)
    assert started.access.link.reveal().startswith(mock.url)
    assert started.access.token is not None
    assert started.state is SessionState.PENDING


def test_name_in_the_options_is_sent(sessions, mock):
    options = OnfidoSessionOptions(first_name="Ada", last_name="Lovelace")
    sessions.start(plan(sessions), options=options)
    applicant, _ = sent_of(mock)
    assert applicant == {"first_name": "Ada", "last_name": "Lovelace"}
    assert "Ada" not in repr(options)


@pytest.mark.parametrize("name", ["", "<Ada>", 'A"da'])
def test_name_that_onfido_does_not_accept_is_refused(name):
    with pytest.raises(ValueError, match="first_name"):
        OnfidoSessionOptions(first_name=name)


def test_language_that_the_page_lacks_is_refused_before_anything_is_sent(sessions, mock):
    with pytest.raises(fm.Unsupported):
        sessions.start(plan(sessions), language="fi")
    assert mock.control.world.records.applicants.all() == ()


def test_start_without_a_document_report_says_what_to_set(open_sessions, mock):
    sessions = open_sessions(document_output=None)
    with pytest.raises(fm.ConfigurationError, match="document_output"):
        sessions.start(plan(sessions))
    assert mock.control.world.records.applicants.all() == ()
    started = sessions.start(plan(sessions, any_document=True))
    finish(mock, started)
    assert is_verified(sessions.read(started.record))


def test_refused_field_is_named(sessions, mock):
    body = {"error": {"type": "x", "message": "No.", "fields": {"tags": ["are too long"]}}}
    mock.control.add_fault(
        Fault(
            call="session_start", stage="answer", kind="json", status=422, body=body, method="POST"
        )
    )
    with pytest.raises(fm.RequestRejected) as caught:
        sessions.start(plan(sessions))
    assert caught.value.field_errors == {"tags": ("are too long",)}
    assert caught.value.billing.charged is fm.Charged.NO


# Read


def test_own_document_and_face_verify(sessions, mock):
    started = sessions.start(plan(sessions))
    finish(mock, started)
    result = sessions.read(started.record, document=ADA)
    assert is_verified(result)
    assert result.match.score.scale == "onfido/facial-similarity"
    assert result.liveness.score.scale == "onfido/spoofing-detection"
    assert result.match.score.value > 50
    assert (result.access, result.vendor_status) == (None, "approved")
    assert result.environment is fm.Environment.MOCK


@pytest.mark.parametrize(
    ("changes", "agreement"),
    [
        pytest.param({"last_name": "Hopper"}, Agreement.DISAGREES, id="another last name"),
        pytest.param({"first_name": "A"}, Agreement.INCOMPLETE, id="an initial"),
        pytest.param({"first_name": None, "last_name": None}, Agreement.UNKNOWN, id="no name"),
    ],
)
def test_document_of_another_name_does_not_verify(sessions, mock, changes, agreement):
    started = sessions.start(plan(sessions))
    finish(mock, started, **changes)
    result = sessions.read(started.record, document=ADA)
    assert result.name_agreement is agreement
    assert not is_verified(result)


@pytest.mark.parametrize(
    ("card", "match", "liveness"),
    [
        ("p2", Decision.NO_MATCH, LivenessDecision.REVIEW),
        ("spoof", Decision.REVIEW, LivenessDecision.NOT_LIVE),
        ("no-face", Decision.INCONCLUSIVE, LivenessDecision.INCONCLUSIVE),
    ],
)
def test_declined_run_says_which_check_failed(sessions, mock, card, match, liveness):
    started = sessions.start(plan(sessions))
    finish(mock, started, card)
    result = sessions.read(started.record, document=ADA)
    assert (result.match.decision, result.liveness.decision) == (match, liveness)
    assert not is_verified(result)


def read_report(status="approved", *, result="clear", face="clear", match="clear", live="clear"):
    """Read a run with this status, whose Facial Similarity report has these results."""
    report = {
        "result": result,
        "breakdown": {
            "face_comparison": {"result": match},
            "visual_authenticity": {"result": live},
            "image_integrity": {"breakdown": {"face_detected": {"result": face}}},
        },
    }
    record = session_record("onfido", session_id=WORKFLOW)
    run = {
        "id": WORKFLOW,
        "applicant_id": WORKFLOW,
        "workflow_id": WORKFLOW,
        "status": status,
        "tags": [record.id, record.terms],
        "output": {"selfie": report},
        "created_at": "2026-07-02T09:15:27Z",
    }
    backend = OnfidoBackend(api_token="x", workflow_id=WORKFLOW, face_output="selfie")
    applicant = {"id": WORKFLOW, "sandbox": False}
    replies = (json_reply(run), json_reply(applicant))
    match_check, live_check = backend.read_reply(ReadRequest(record=record), *replies).checks
    return match_check.result.decision, live_check.result.decision


@pytest.mark.parametrize(
    ("report", "match", "live"),
    [
        ({}, Decision.MATCH, LivenessDecision.LIVE),
        ({"match": None}, Decision.INCONCLUSIVE, LivenessDecision.LIVE),
        ({"live": None}, Decision.MATCH, LivenessDecision.INCONCLUSIVE),
        ({"match": "consider"}, Decision.REVIEW, LivenessDecision.LIVE),
        ({"live": "consider"}, Decision.MATCH, LivenessDecision.REVIEW),
        ({"match": "new word"}, Decision.REVIEW, LivenessDecision.LIVE),
        ({"live": "new word"}, Decision.MATCH, LivenessDecision.REVIEW),
        ({"face": None}, Decision.INCONCLUSIVE, LivenessDecision.INCONCLUSIVE),
        ({"face": "consider"}, Decision.INCONCLUSIVE, LivenessDecision.INCONCLUSIVE),
        ({"result": None}, Decision.INCONCLUSIVE, LivenessDecision.INCONCLUSIVE),
        ({"result": "unidentified"}, Decision.INCONCLUSIVE, LivenessDecision.INCONCLUSIVE),
    ],
    ids=str,
)
def test_each_part_of_the_face_report_decides_for_itself(report, match, live):
    assert read_report(**report) == (match, live)


def test_doubt_is_a_no_only_in_a_declined_run():
    doubt = {"result": "consider", "match": "consider", "live": "consider"}
    assert read_report("declined", **doubt) == (Decision.NO_MATCH, LivenessDecision.NOT_LIVE)
    assert read_report("review", **doubt) == (Decision.REVIEW, LivenessDecision.REVIEW)


def test_approval_without_the_face_report_never_verifies(open_sessions, mock):
    sessions = open_sessions(face_output="face")
    started = sessions.start(plan(sessions))
    finish(mock, started)
    result = sessions.read(started.record, document=ADA)
    assert result.vendor_status == "approved"
    assert result.match.decision is Decision.INCONCLUSIVE
    assert [warning.tag for warning in result.warnings] == ["no_face_report"]
    assert "match was not reported" in result.why_not(
        "customer-17", purpose="payout", about="payout 8841", max_age_s=3600
    )


@pytest.mark.parametrize("status", ["declined", "review"])
def test_revised_verdict_does_not_verify_any_more(sessions, mock, status):
    started = sessions.start(plan(sessions))
    run_id = finish(mock, started)
    assert is_verified(sessions.read(started.record, document=ADA))
    mock.control.sessions.decide(run_id, status)
    result = sessions.read(started.record, document=ADA)
    assert result.match.decision is Decision.REVIEW
    assert not is_verified(result)


def test_run_whose_workflow_failed_is_failed_and_verifies_nobody(sessions, mock):
    started = sessions.start(plan(sessions))
    mock.control.sessions.decide(started.record.session_id, "error")
    result = sessions.read(started.record, document=ADA)
    assert result.state is SessionState.FAILED
    assert not is_verified(result)


def test_link_on_a_customers_subdomain_is_the_vendors():
    backend = OnfidoBackend(api_token="k", workflow_id=WORKFLOW, face_output="selfie")
    assert "*.eu.onfido.app" in backend.session_capabilities.link_hosts
    assert backend.service_url == "https://api.eu.onfido.com"
    backend.close()


# Login


def test_oauth_client_logs_in_once_and_again_if_its_token_is_revoked(open_sessions, mock):
    client_secret = "mock-onfido-client-secret"
    sessions = open_sessions(
        api_token=None, client_id="mock-onfido-client", client_secret=client_secret
    )
    started = sessions.start(plan(sessions))
    finish(mock, started)
    assert is_verified(sessions.read(started.record, document=ADA))
    assert mock.control.tokens.asked == 1
    mock.control.tokens.revoke()
    assert is_verified(sessions.read(started.record, document=ADA))
    assert mock.control.tokens.asked == 2


def test_wrong_oauth_client_is_refused_and_free(open_sessions):
    sessions = open_sessions(api_token=None, client_id="nobody", client_secret="wrong-secret")
    with pytest.raises(fm.AuthenticationFailed) as caught:
        sessions.start(plan(sessions))
    assert caught.value.billing.charged is fm.Charged.NO


# Delete


def test_run_is_deleted_by_its_record_alone(sessions, mock):
    record = plan(sessions)
    assert sessions.delete(record).state is DeletionState.NOT_THERE
    sessions.start(record)
    assert sessions.delete(record).state is DeletionState.REQUESTED
    assert mock.control.world.records.applicants.all()[-1].is_deleted


# Webhooks


def signed(body, token=WEBHOOK_TOKEN):
    return {"X-SHA2-Signature": hmac.new(token.encode(), body, hashlib.sha256).hexdigest()}


def delivered(mock):
    """Return the newest delivery's body and headers."""
    webhooks = mock.control.webhooks
    letter = webhooks.delivery(webhooks.deliveries()[-1].id)
    return letter.body, letter.headers


def test_webhook_before_the_answer_of_the_start_names_the_record(sessions, mock):
    mock.control.webhooks.add(NOBODY, secret=WEBHOOK_TOKEN)
    record = plan(sessions)
    finish(mock, sessions.start(record))
    body, headers = delivered(mock)
    # The same delivery again: both name the record, which has no session_id yet.
    for _ in range(2):
        (hint,) = sessions.receive(body, headers)
        assert hint.record_id == record.id
    result = sessions.read(record, document=ADA)
    assert result.record.session_id == hint.session_id
    assert is_verified(result)


@pytest.mark.parametrize(
    "forge",
    [
        lambda body, headers: (body, {}),
        lambda body, headers: (body.replace(b"approved", b"declined"), headers),
        lambda body, headers: (body, signed(body, "another-token")),
        lambda body, headers: (body, {"X-SHA2-Signature": ""}),
        lambda body, headers: (
            body,
            {"X-SHA2-Signature": headers["X-SHA2-Signature"].upper()},
        ),
    ],
    ids=["unsigned", "changed", "another token", "empty", "upper case"],
)
def test_forged_webhook_is_refused(sessions, mock, forge):
    mock.control.webhooks.add(NOBODY, secret=WEBHOOK_TOKEN)
    finish(mock, sessions.start(plan(sessions)))
    body, headers = forge(*delivered(mock))
    with pytest.raises(fm.WebhookRefused) as caught:
        sessions.receive(body, headers)
    assert caught.value.http_status == 401


#: Signed by Onfido: the tests of onfido-python, commit 04baf27 (MIT License).
ONFIDOS_TOKEN = "YKOC6mkBxi6yK2zlUIrLMvsJMFEZObP5"
ONFIDOS_SIGNATURE = "c95a5b785484f6fa1bc25f381b5595d66bf85cb442eefb06aa007802ee6a4dfa"
ONFIDOS_EVENT = (
    b'{"payload":{"resource_type":"workflow_task","action":"workflow_task.started",'
    b'"object":{"id":"profile_1eb92","task_spec_id":"profile_1eb92",'
    b'"task_def_id":"profile_data","workflow_run_id":"bc77c6e5-753a-4580-96a6-aaed3e5a8d19"'
    b',"status":"started","started_at_iso8601":"2024-07-10T12:49:09Z",'
    b'"href":"https://api.eu.onfido.com/v3.6/workflow_runs/'
    b'bc77c6e5-753a-4580-96a6-aaed3e5a8d19/tasks/profile_1eb92"},'
    b'"resource":{"created_at":"2024-07-10T12:49:09Z","id":"profile_1eb92",'
    b'"workflow_run_id":"bc77c6e5-753a-4580-96a6-aaed3e5a8d19","updated_at":"2024-07-10T12:49:09Z"'
    b',"input":{},"task_def_version":null,"task_def_id":"profile_data","output":null}}}'
)


def test_event_signed_by_onfido_is_genuine_and_of_a_task_names_no_run(open_sessions):
    sessions = open_sessions(webhook_secrets=["an-older-token", ONFIDOS_TOKEN])
    assert sessions.receive(ONFIDOS_EVENT, {"x-sha2-signature": ONFIDOS_SIGNATURE}) == ()
    with pytest.raises(fm.WebhookRefused):
        sessions.receive(ONFIDOS_EVENT, {"x-sha2-signature": ONFIDOS_SIGNATURE[:-1] + "b"})


def test_event_without_its_resource_names_the_run_alone(sessions):
    run_id = "11111111-2222-4333-8444-555555555555"
    payload = {"resource_type": "workflow_run", "object": {"id": run_id, "status": "approved"}}
    body = json.dumps({"payload": payload}).encode()
    (hint,) = sessions.receive(body, signed(body))
    assert (hint.session_id, hint.record_id) == (run_id, None)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no JSON", b'{"payload": {}}'])
def test_signed_delivery_that_cannot_be_read_is_refused(sessions, body):
    with pytest.raises(fm.WebhookRefused) as caught:
        sessions.receive(body, signed(body))
    assert caught.value.http_status == 422


def test_webhook_without_a_secret_says_what_to_set(open_sessions):
    sessions = open_sessions(webhook_secrets=())
    with pytest.raises(fm.ConfigurationError, match="ONFIDO_WEBHOOK_TOKEN"):
        sessions.receive(b"{}", {})

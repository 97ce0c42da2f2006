"""Onfido's sessions: settings, options, logins and webhooks. The contract holds the rest."""

import datetime as dt
import hashlib
import hmac

import pytest

import facematch_core as fm
from facematch_mock_server import Fault, MockServer
from facematch_onfido import OnfidoBackend, OnfidoSessionOptions

WORKFLOW = "5025d9fd-7842-4805-bce1-a7bfd7131b4e"
WEBHOOK_TOKEN = "onfido-webhook-token"
ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 2))


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


def finish(mock, started, card="p1-again"):
    """The person shows Ada's document and a face; return the id of the run."""
    run_id = started.record.session_id
    mock.control.sessions.document(run_id, full_name=ADA.name, date_of_birth=ADA.date_of_birth)
    mock.control.sessions.finish(run_id, card=card, document="p1")
    return run_id


def sent_of(mock):
    """Return the bodies of the applicant and of the run that were sent last."""
    applicant = mock.control.world.records.applicants.all()[-1]
    return dict(applicant.fields), mock.control.sessions.all()[-1].metadata


# Start


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
    result = sessions.read(started.record)
    assert is_verified(result)
    assert result.match.score.scale == "onfido/facial-similarity"
    assert result.liveness.score.scale == "onfido/spoofing-detection"


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


# Webhooks


def signed(body, token=WEBHOOK_TOKEN):
    return {"X-SHA2-Signature": hmac.new(token.encode(), body, hashlib.sha256).hexdigest()}


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


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no JSON", b'{"payload": {}}'])
def test_signed_delivery_that_cannot_be_read_is_refused(sessions, body):
    with pytest.raises(fm.WebhookRefused) as caught:
        sessions.receive(body, signed(body))
    assert caught.value.http_status == 422

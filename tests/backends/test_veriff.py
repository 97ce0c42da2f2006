"""What Veriff's answers and webhooks mean, by its documents and published samples."""

import contextlib
import datetime as dt
import hashlib
import hmac
import json

import attrs
import pytest
from kit import veriff_samples as published
from kit.fakes import json_reply
from kit.sessions import session_record

import facematch_core as fm
from facematch_core import errors, models
from facematch_core.backend import ReadRequest, StartRequest
from facematch_core.sessions import looking
from facematch_mock_server import Fault, MockServer
from facematch_veriff import VeriffBackend, VeriffSessionOptions

Decision = fm.Decision
SECRET = "secret-of-an-integration-90c2"
HOME = "https://stationapi.veriff.com"
SESSION_ID = published.DUMMY_ID
SETTINGS = {
    "api_key": "6c7d1a52-1f0e-4d0b-9a39-7e5f2b8c4d11",
    "shared_secret": SECRET,
    "base_url": HOME,
    "solution": "document_selfie",
}
BACKEND = VeriffBackend(**SETTINGS)
RECORD = session_record("veriff", id="ab" * 16, session_id=SESSION_ID)
VENDOR_DATA = f"{RECORD.id}.{RECORD.terms}"


def decided(status="approved", **changes):
    verification = {
        "id": SESSION_ID,
        "status": status,
        "reason": None,
        "reasonCode": None,
        "vendorData": VENDOR_DATA,
        "acceptanceTime": "2026-07-02T09:15:27.104Z",
        "person": {"firstName": "ADA", "lastName": "LOVELACE", "dateOfBirth": "1980-01-01"},
        "document": {"type": "PASSPORT", "number": "X1"},
    }
    return {"status": "success", "verification": {**verification, **changes}}


def read(*bodies, record=RECORD):
    return BACKEND.read_reply(ReadRequest(record=record), *map(json_reply, bodies))


# What is sent


def test_published_signatures_are_reproduced():
    backend = VeriffBackend(**{**SETTINGS, "shared_secret": published.DUMMY_SECRET})
    record = attrs.evolve(RECORD, session_id=published.DUMMY_ID)
    request = next(backend.read_steps(ReadRequest(record=record)))
    assert request.headers["X-HMAC-SIGNATURE"] == published.DUMMY_ID_SIGNATURE
    assert (request.method, request.url) == ("GET", f"{HOME}/v1/sessions/{SESSION_ID}/decision")
    start = next(backend.start_steps(StartRequest(record=RECORD)))
    due = hmac.new(published.DUMMY_SECRET.encode(), start.body, hashlib.sha256).hexdigest()
    assert start.headers["X-HMAC-SIGNATURE"] == due


def test_start_sends_the_record_and_what_was_asked_for():
    options = VeriffSessionOptions(end_user_id=published.EVENT_ID.upper())
    start = StartRequest(
        record=RECORD,
        return_url="https://shop.example/back",
        language="pt-BR",
        options=options,
    )
    request = next(BACKEND.start_steps(start))
    assert request.method == "POST"
    assert request.url == f"{HOME}/v1/sessions"
    assert json.loads(request.body) == {
        "verification": {
            "vendorData": VENDOR_DATA,
            "callback": "https://shop.example/back",
            "lang": "pt-BR",
            "endUserId": published.EVENT_ID,
        }
    }
    plain = next(BACKEND.start_steps(StartRequest(record=RECORD)))
    assert json.loads(plain.body) == {"verification": {"vendorData": VENDOR_DATA}}


def test_a_key_of_several_integrations_names_the_integration():
    backend = VeriffBackend(**SETTINGS, integration_id="of-the-shop")
    request = next(backend.start_steps(StartRequest(record=RECORD)))
    assert request.headers["vrf-integration-id"] == "of-the-shop"
    solution = {"solution": "document_selfie"}
    assert backend.session_facts == {**solution, "integration_id": "of-the-shop"}
    assert BACKEND.session_facts == solution


def test_end_user_id_must_be_a_uuid():
    with pytest.raises(ValueError, match="UUID"):
        VeriffSessionOptions(end_user_id="customer-17")


@pytest.mark.parametrize(
    ("solution", "own", "other"),
    [("document_selfie", "document", "given"), ("selfie2selfie", "given", "document")],
)
def test_each_solution_compares_with_its_own_picture(solution, own, other):
    settings = {**SETTINGS, "solution": solution}
    with fm.open_sessions("veriff", compared_with=own, **settings) as sessions:
        assert sessions.verifier.backend.session_facts == {"solution": solution}
    with pytest.raises(errors.ConfigurationError):
        fm.open_sessions("veriff", compared_with=other, **settings)


# What a refusal means


@pytest.mark.parametrize(
    ("retry_after", "wait_s"), [("1", 2), ("45", 45), ("3600", 600), (None, looking.READ_LEASE_S)]
)
def test_refused_reading_is_repeated_when_veriff_says(tmp_path, retry_after, wait_s):
    with contextlib.ExitStack() as stack:
        mock = stack.enter_context(MockServer(vendor="veriff"))
        settings = SETTINGS | {"api_key": mock.client_id, "shared_secret": mock.live_key}
        settings |= {"base_url": mock.url, "environment": "mock", "require_environment": "mock"}
        sessions = fm.open_sessions(
            "veriff", compared_with="document", clock=mock.clock, **settings
        )
        store = fm.SessionStore(f"sqlite:///{tmp_path}/sessions.sqlite3", sessions)
        stack.enter_context(store)
        begun = store.of("customer-17", purpose="payout", about="payout 8841").begin()
        mock.control.sessions.finish(begun.record.session_id)
        mock.clock.advance(60)
        fault = Fault(
            stage="answer",
            kind="status",
            status=429,
            call="session_read",
            headers={"Retry-After": retry_after},
        )
        mock.control.add_fault(fault)
        assert store.look() == ()
        mock.clock.advance(wait_s - 1)
        assert store.look() == ()
        mock.clock.advance(1)
        assert [read.result.state for read in store.look()] == [fm.SessionState.DECIDED]


# What a decision means


@pytest.mark.parametrize(
    ("reason_code", "warning"),
    [
        (103, models.WarningCode.LOW_SIMILARITY),
        ("509", models.WarningCode.LOW_SIMILARITY),
        (515, models.WarningCode.PRESENTATION_ATTACK),
        (641, models.WarningCode.MULTIPLE_FACES),
        (127, models.WarningCode.BLOCKLISTED),
        (102, models.WarningCode.OTHER),
        (None, None),
    ],
)
def test_reason_of_a_decline_is_a_warning(reason_code, warning):
    text = None if reason_code is None else "A reason in words."
    reading = read(decided("declined", reasonCode=reason_code, reason=text))
    (check,) = reading.checks
    shown = [(each.code, each.tag, each.text) for each in check.result.warnings]
    assert shown == ([] if warning is None else [(warning, str(reason_code), text)])
    assert {each.severity for each in check.result.warnings} <= {models.Severity.ERROR}


OF_ANOTHER_PERSON = (103, 120, 509)
OF_THE_FACE = (502, 503, 504, 505, 515, 526, 641)
NOT_OF_THE_FACE = (101, 102, 104, 105, 106, 108, 112, 124, 126, 127, 128, 129, 501, 507, 511, None)
WITHOUT_A_COMPARISON = (122, 202, 537, 539, 605)
DECLINES = [
    *((code, Decision.NO_MATCH, False) for code in OF_ANOTHER_PERSON),
    *((code, Decision.NO_MATCH, True) for code in OF_THE_FACE),
    *((code, Decision.REVIEW, True) for code in NOT_OF_THE_FACE),
    *((code, Decision.INCONCLUSIVE, True) for code in WITHOUT_A_COMPARISON),
]


@pytest.mark.parametrize(("reason_code", "decision", "covers_liveness"), DECLINES)
def test_only_a_reason_of_the_face_is_a_verdict_on_it(reason_code, decision, covers_liveness):
    (check,) = read(decided("declined", reasonCode=reason_code, reason="So.")).checks
    assert check.result.decision is decision
    # Another person may well be live. Any other decline says the same of both.
    assert check.covers_liveness is covers_liveness


def test_reason_of_a_request_to_resubmit_is_a_warning_of_the_session():
    reading = read(decided("resubmission_requested", reasonCode=202, reason="Face not visible"))
    (warning,) = reading.warnings
    assert warning.code is models.WarningCode.NO_FACE
    assert warning.severity is models.Severity.WARNING
    assert reading.checks == ()


@pytest.mark.parametrize(
    ("compared_with", "changes", "shown"),
    [
        ("document", {}, "document"),
        ("document", {"document": {"type": None, "number": "X1"}}, "document"),
        ("document", {"document": {"type": None, "number": None}}, "unknown"),
        ("document", {"document": None}, "unknown"),
        ("document", {"document": None, "biometricAuthentication": {}}, "stored"),
        ("given", {"document": {"type": None}}, "given"),
        ("given", {}, "document"),
        ("given", {"document": None, "biometricAuthentication": {}}, "stored"),
    ],
)
def test_compared_picture_is_what_the_decision_shows(compared_with, changes, shown):
    record = attrs.evolve(RECORD, compared_with=compared_with)
    assert read(decided(**changes), record=record).compared_with == shown


def test_published_decision_is_read():
    record = attrs.evolve(RECORD, session_id=published.SESSION_ID)
    reading = read(published.DECISION, record=record)
    (holder,) = reading.document_holders
    assert (holder.name, holder.date_of_birth) == ("SARAH MORGAN", dt.date(1967, 3, 30))
    assert (reading.record_id, reading.terms) == (None, None)
    assert reading.created_at == dt.datetime(2019, 11, 6, 7, 15, 27, tzinfo=dt.UTC)
    shown = json.dumps(reading.raw)
    assert not any(text in shown for text in ("MORGAN", "1967", "Snowy", "186.153", "5a2358e7"))


def test_a_document_is_read_only_where_it_is_compared():
    record = attrs.evolve(RECORD, compared_with="given")
    assert read(decided(), record=record).document_holders == ()


@pytest.mark.parametrize("person", [None, {}, {"firstName": None, "dateOfBirth": "1980"}])
def test_unread_person_has_no_name(person):
    (holder,) = read(decided(person=person)).document_holders
    assert (holder.name, holder.date_of_birth) == (None, None)


# Webhooks


def receive(body, signature, backend=BACKEND):
    headers = {"X-AUTH-CLIENT": SETTINGS["api_key"], "X-HMAC-SIGNATURE": signature}
    return backend.receive_session(body, headers, dt.datetime.now(dt.UTC))


def receive_signed(document, backend=BACKEND):
    body = json.dumps(document).encode()
    return receive(body, hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(), backend)


def test_published_webhook_signature_is_accepted():
    backend = VeriffBackend(**{**SETTINGS, "shared_secret": published.SIGNED_KEY})
    # It is the body of a start, and names no session: the signature is right, the content is not.
    with pytest.raises(KeyError):
        receive(published.SIGNED_BODY, published.SIGNATURE, backend)
    with pytest.raises(errors.WebhookRefused):
        receive(published.SIGNED_BODY + b" ", published.SIGNATURE, backend)
    assert backend.is_signed(
        published.SIGNED_BODY, {"x-hmac-signature": published.SIGNATURE}, backend.webhook_keys
    )


@pytest.mark.parametrize("document", [*published.EVENTS, published.FULL_AUTO])
def test_webhook_of_another_program_names_its_session_alone(document):
    (hint,) = receive_signed(document)
    assert (hint.record_id, hint.session_id, hint.is_test) == (None, published.EVENT_ID, False)


def test_former_secret_is_taken_beside_the_new_one():
    rotated = VeriffBackend(
        **{**SETTINGS, "shared_secret": "the-new-secret"}, webhook_secrets=[SECRET]
    )
    assert receive_signed(decided(), rotated)


def test_a_webhook_without_a_session_is_none_of_ours():
    assert receive_signed({"eventType": "of-the-future"}) == ()


def test_without_an_environment_no_session_of_the_real_vendor_is_read(monkeypatch):
    monkeypatch.setattr(VeriffBackend, "read_session", lambda *_: read(decided()))
    with fm.open_sessions("veriff", compared_with="document", **SETTINGS) as sessions:
        planned = sessions.plan("customer-17", purpose="payout")
        with pytest.raises(errors.EnvironmentMismatch):
            sessions.read(attrs.evolve(planned, session_id=SESSION_ID))

"""What Veriff's answers and webhooks mean, by its documents and published samples."""

import datetime as dt
import hashlib
import hmac
import json

import attrs
import pytest
from kit import veriff_samples as published
from kit.fakes import json_reply, picture
from kit.sessions import session_record

import facematch_core as fm
from facematch_core import errors, models
from facematch_core.backend import DeleteRequest, ReadRequest, StartRequest
from facematch_core.backend.session_types import DeletionState
from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet
from facematch_mock_server.vendors.veriff.vendor import API_KEY
from facematch_veriff import VeriffBackend, VeriffSessionOptions

State = fm.SessionState
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
ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))


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


UNDECIDED = {"status": "success", "verification": None}


def read(*bodies, record=RECORD):
    return BACKEND.read_reply(ReadRequest(record=record), *map(json_reply, bodies))


def attempts(*statuses):
    rows = [{"id": published.EVENT_ID, "status": status} for status in statuses]
    return {"status": "success", "verifications": rows}


def refusal(request, status, **body):
    return BACKEND.read_reply(request, json_reply({"status": "fail", **body}, status=status))


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


def test_a_reference_is_uploaded_after_the_start():
    backend = VeriffBackend(**{**SETTINGS, "solution": "selfie2selfie"})
    steps = backend.start_steps(StartRequest(record=RECORD, reference=picture()))
    next(steps)
    created = {
        "id": SESSION_ID,
        "url": "https://alchemy.veriff.com/v/x",
        "status": "created",
        "sessionToken": "x",
        "vendorData": VENDOR_DATA,
    }
    upload = steps.send(json_reply({"status": "success", "verification": created}, status=201))
    image = json.loads(upload.body)["image"]
    assert upload.url == f"{HOME}/v1/sessions/{SESSION_ID}/media"
    assert (image["context"], upload.charges) == ("face-reference", 0)
    with pytest.raises(StopIteration) as done:
        steps.send(json_reply({"status": "success"}))
    assert done.value.value.session_id == SESSION_ID


# What a decision means


@pytest.mark.parametrize(
    ("status", "state", "decision"),
    [
        ("approved", State.DECIDED, Decision.MATCH),
        ("declined", State.DECIDED, Decision.NO_MATCH),
        ("review", State.PROCESSING, None),
        ("resubmission_requested", State.PENDING, None),
        ("expired", State.EXPIRED, None),
        ("abandoned", State.ABANDONED, None),
        ("under_observation", State.UNKNOWN, None),
    ],
)
def test_status_decides_and_never_its_code(status, state, decision):
    # Veriff's pages give 9121 two meanings.
    for code in (9001, 9121):
        reading = read(decided(status, code=code))
        decisions = [check.result.decision for check in reading.checks]
        assert (reading.state, reading.vendor_status) == (state, status)
        assert decisions == ([] if decision is None else [decision])
        assert reading.is_asked_back is (status == "resubmission_requested")


@pytest.mark.parametrize(
    ("reason_code", "warning", "covers_liveness"),
    [
        (103, models.WarningCode.LOW_SIMILARITY, False),
        ("509", models.WarningCode.LOW_SIMILARITY, False),
        (120, models.WarningCode.LOW_SIMILARITY, False),
        (515, models.WarningCode.PRESENTATION_ATTACK, True),
        (641, models.WarningCode.MULTIPLE_FACES, True),
        (127, models.WarningCode.BLOCKLISTED, True),
        (102, models.WarningCode.OTHER, True),
        (None, None, True),
    ],
)
def test_reason_of_a_decline_is_a_warning(reason_code, warning, covers_liveness):
    text = None if reason_code is None else "A reason in words."
    reading = read(decided("declined", reasonCode=reason_code, reason=text))
    (check,) = reading.checks
    assert check.result.decision is Decision.NO_MATCH
    assert check.covers_liveness is covers_liveness
    shown = [(each.code, each.tag, each.text) for each in check.result.warnings]
    assert shown == ([] if warning is None else [(warning, str(reason_code), text)])
    assert {each.severity for each in check.result.warnings} <= {models.Severity.ERROR}


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


@pytest.mark.parametrize(
    ("statuses", "state", "shown"),
    [
        ((), State.PENDING, None),
        (("created",), State.PENDING, "created"),
        (("started",), State.PENDING, "started"),
        (("submitted",), State.PROCESSING, "submitted"),
        (("resubmission_requested", "started"), State.PENDING, "started"),
        (("submitted", "resubmission_requested"), State.PROCESSING, "submitted"),
        (("resubmission_requested",), State.PENDING, "resubmission_requested"),
        # The decision is not shown yet.
        (("approved",), State.PROCESSING, "approved"),
        (("under_observation",), State.UNKNOWN, "under_observation"),
    ],
)
@pytest.mark.parametrize("empty", [None, {}])
def test_without_a_decision_the_attempts_show_how_far_the_person_is(statuses, state, shown, empty):
    reading = read({"status": "success", "verification": empty}, attempts(*statuses))
    assert (reading.state, reading.vendor_status) == (state, shown)
    assert (reading.record_id, reading.terms, reading.checks) == (None, None, ())
    assert reading.has_begun is (shown == "started")


# Errors


def test_a_404_is_an_unknown_session_only_in_veriffs_own_form():
    reading = ReadRequest(record=RECORD)
    assert type(refusal(reading, 404, message="Session not found")) is errors.SessionNotFound
    foreign = BACKEND.read_reply(reading, json_reply({"detail": "Not here."}, status=404))
    assert type(foreign) is errors.RequestRejected


# Deletion


def test_deletion_is_a_request_and_compares_the_record_first():
    delete = DeleteRequest(record=RECORD)
    done = json_reply({"status": "success", "verification": {"id": SESSION_ID}})
    assert BACKEND.read_reply(delete, json_reply(decided()), done).state is DeletionState.REQUESTED
    # A session without a decision shows no id.
    assert BACKEND.read_reply(delete, json_reply(UNDECIDED), done).state is DeletionState.REQUESTED
    for other in ({"vendorData": "of-another-program"}, {"id": published.EVENT_ID}):
        error = BACKEND.read_reply(delete, json_reply(decided(**other)), done)
        assert type(error) is errors.SessionMismatch
    gone = json_reply({"status": "fail", "message": "Session not found"}, status=404)
    assert BACKEND.read_reply(delete, gone).state is DeletionState.NOT_THERE
    assert BACKEND.read_reply(delete, json_reply(decided()), gone).state is DeletionState.NOT_THERE


# Webhooks


def receive(body, signature, backend=BACKEND, name="X-HMAC-SIGNATURE"):
    headers = {"X-AUTH-CLIENT": SETTINGS["api_key"], name: signature}
    return backend.receive_session(body, headers, dt.datetime.now(dt.UTC))


def signed(document, secret=SECRET):
    body = json.dumps(document).encode()
    return body, hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


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


@pytest.mark.parametrize(
    ("document", "record_id", "session_id"),
    [
        (decided(), RECORD.id, SESSION_ID),
        (published.DECISION, None, published.SESSION_ID),
        *[(event, None, published.EVENT_ID) for event in published.EVENTS],
        ({**published.EVENTS[0], "vendorData": VENDOR_DATA}, RECORD.id, published.EVENT_ID),
        (published.FULL_AUTO, None, published.EVENT_ID),
        ({**published.FULL_AUTO, "vendorData": VENDOR_DATA}, RECORD.id, published.EVENT_ID),
    ],
)
def test_each_kind_of_webhook_names_its_session(document, record_id, session_id):
    (hint,) = receive(*signed(document))
    assert (hint.record_id, hint.session_id, hint.is_test) == (record_id, session_id, False)
    # No time is signed, so the same delivery is as good later.
    assert receive(*signed(document)) == (hint,)


def test_a_webhook_without_a_session_is_none_of_ours():
    assert receive(*signed({"eventType": "of-the-future"})) == ()


def test_signature_may_be_upper_case_and_is_compared_with_each_secret():
    body, signature = signed(decided())
    assert receive(body, signature.upper(), name="x-hmac-signature")
    rotated = VeriffBackend(
        **{**SETTINGS, "shared_secret": "the-new-secret"}, webhook_secrets=[SECRET]
    )
    assert receive(body, signature, rotated)
    for wrong in ("", "0" * 64, signed(decided(), "another")[1]):
        with pytest.raises(errors.WebhookRefused) as refused:
            receive(body, wrong)
        assert refused.value.http_status == 401


# A shop and its mock


@pytest.fixture
def mock():
    with MockServer(vendor="veriff") as server:
        server.control.webhooks.add(
            "http://127.0.0.1:9/hook", events=["decision", "event"], secret=server.live_key
        )
        yield server


def open_at(mock, compared_with="document", solution="document_selfie"):
    return fm.open_sessions(
        "veriff",
        compared_with=compared_with,
        solution=solution,
        require_environment="mock",
        environment="mock",
        api_key=API_KEY,
        shared_secret=mock.live_key,
        base_url=mock.url,
    )


@pytest.fixture
def shop(mock):
    with open_at(mock) as sessions:
        yield sessions


def plan(shop):
    return shop.plan("customer-17", purpose="payout")


def is_verified(result, subject="customer-17"):
    return result.is_verified_for(subject, purpose="payout", about=None, max_age_s=600)


def pass_session(mock, session_id, name="Ada Lovelace"):
    mock.control.sessions.document(session_id, full_name=name, date_of_birth=ADA.date_of_birth)
    mock.control.sessions.finish(session_id, "p1", "p1-again")


def deliver(mock, shop, number=-1):
    webhooks = mock.control.webhooks
    letter = webhooks.delivery(webhooks.deliveries()[number].id)
    return shop.receive(letter.body, letter.headers)


def test_an_approval_of_a_selfie_alone_is_no_match(mock, shop):
    """An integration for liveness alone approves, too."""
    session = shop.start(plan(shop))
    session_id = session.record.session_id
    pass_session(mock, session_id)
    world = mock.control.world
    world.sessions.change(
        session_id, lambda x: attrs.evolve(x, hosted=attrs.evolve(x.hosted, kind="biometric"))
    )
    result = shop.read(session.record, document=ADA)
    assert (result.state, result.match.decision) == (State.DECIDED, Decision.REVIEW)
    assert result.liveness.is_live
    assert not is_verified(result)


def test_a_pending_session_proves_nothing_and_a_decided_one_must_be_the_records(mock, shop):
    first = shop.start(plan(shop))
    second = shop.start(plan(shop))
    swapped = attrs.evolve(first.record, session_id=second.record.session_id)
    assert shop.read(swapped).state is State.PENDING
    pass_session(mock, second.record.session_id)
    with pytest.raises(errors.SessionMismatch):
        shop.read(swapped)


def test_a_webhook_before_the_answer_of_the_start_finds_its_record(mock, shop):
    record = plan(shop)
    lost_answer = Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.TRUNCATE, executed=True)
    mock.control.add_fault(lost_answer)
    with pytest.raises(errors.OutcomeUnknown) as lost:
        shop.start(record)
    assert "second session" in str(lost.value)
    (session,) = mock.control.sessions.open()
    mock.control.sessions.finish(session.id)
    (hint,) = deliver(mock, shop)
    assert (hint.record_id, hint.session_id) == (record.id, session.id)
    with pytest.raises(errors.InvalidRequest):
        shop.read(record)
    found = attrs.evolve(record, session_id=hint.session_id, started_at=record.planned_at)
    assert shop.read(found).state is State.DECIDED


def test_a_revised_decision_is_the_one_that_counts(mock, shop):
    session = shop.start(plan(shop))
    pass_session(mock, session.record.session_id)
    assert is_verified(shop.read(session.record, document=ADA))
    mock.control.sessions.decide(session.record.session_id, "declined")
    revised = shop.read(session.record, document=ADA)
    assert (revised.match.decision, is_verified(revised)) == (Decision.NO_MATCH, False)
    (hint,) = deliver(mock, shop)
    assert hint.record_id == session.record.id


def test_deleting_an_open_session_sends_a_webhook_about_a_session_that_is_gone(mock, shop):
    session = shop.start(plan(shop))
    assert shop.delete(session.record).state is DeletionState.REQUESTED
    (hint,) = deliver(mock, shop)
    assert hint.session_id == session.record.session_id
    with pytest.raises(errors.SessionNotFound):
        shop.read(session.record)
    assert shop.delete(session.record).state is DeletionState.NOT_THERE


def test_the_link_comes_with_the_start_alone(mock, shop):
    session = shop.start(plan(shop))
    assert session.access.link.reveal().startswith(mock.url)
    assert shop.read(session.record, with_access=True).access is None


def test_a_person_who_is_asked_back_has_time(mock, shop):
    record = shop.plan("customer-17", purpose="payout", valid_for_s=60)
    session = shop.start(record)
    mock.control.sessions.fail_attempt(session.record.session_id)
    result = shop.read(session.record)
    assert (result.state, result.vendor_status) == (State.PENDING, "resubmission_requested")


def test_without_an_environment_no_session_of_the_real_vendor_is_read(monkeypatch):
    monkeypatch.setattr(VeriffBackend, "read_session", lambda *_: read(decided()))
    with fm.open_sessions("veriff", compared_with="document", **SETTINGS) as sessions:
        record = attrs.evolve(plan(sessions), session_id=SESSION_ID)
        with pytest.raises(errors.EnvironmentMismatch):
            sessions.read(record)


def test_a_reference_is_compared_with_at_the_mock(mock):
    with open_at(mock, "given", "selfie2selfie") as sessions:
        session = sessions.start(plan(sessions), reference=card_sheet()["p1"].data)
        mock.control.sessions.finish(session.record.session_id, "p1-again")
        result = sessions.read(session.record)
        assert is_verified(result)
        assert result.compared_with is fm.ComparedWith.GIVEN

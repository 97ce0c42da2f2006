"""Stripe Identity: what its backend sends, and how it reads sessions, events and refusals."""

import datetime as dt
import hashlib
import hmac
from urllib.parse import parse_qs

import attrs
import pytest
from kit.fakes import json_reply

import facematch_core as fm
from facematch_core.backend import ReadRequest, StartRequest
from facematch_core.backend.session_types import Agreement, is_reported
from facematch_mock_server import MockServer
from facematch_stripe import StripeBackend

SECRET = "whsec_dummy"
ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
PAYOUT = {"purpose": "payout", "about": "payout 8841"}
VERIFIED_SELFIE = {"status": "verified", "document": "file_1", "selfie": "file_2", "error": None}


@pytest.fixture
def mock():
    with MockServer(vendor="stripe") as server:
        yield server


def open_at(mock, **more):
    settings = {"api_key": mock.live_key, "webhook_secrets": SECRET, **more}
    return fm.open_sessions(
        "stripe",
        base_url=mock.url,
        expects=["match"],
        compared_with="document",
        require_environment="mock",
        clock=mock.clock,
        **settings,
    )


@pytest.fixture
def sessions(mock):
    with open_at(mock) as opened:
        yield opened


def start(sessions, **more):
    return sessions.start(sessions.plan("customer-17", **PAYOUT), **more).record


def finish(mock, record, card="p1-again", document="p1"):
    """Let somebody show a face, and a document with Ada's name."""
    people = mock.control.sessions
    people.document(record.session_id, full_name=ADA.name, date_of_birth=ADA.date_of_birth)
    people.finish(record.session_id, card=card, document=document)


@pytest.fixture
def record():
    return fm.SessionRecord(
        backend="stripe",
        subject_ref="customer-17",
        purpose="payout",
        expects=("match",),
        compared_with="document",
        planned_at=dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC),
        session_id="vs_1Some",
        facts={"selfie": "required"},
    )


def session_of(record, status="verified", **fields):
    """Return a session of a record, as Stripe shows it with its report expanded."""
    return {
        "id": record.session_id or "vs_1Some",
        "object": "identity.verification_session",
        "client_reference_id": record.id,
        "client_secret": None,
        "created": int(record.planned_at.timestamp()),
        "last_error": None,
        "last_verification_report": None,
        "livemode": True,
        "metadata": {"facematch_terms": record.terms},
        "options": {"document": {"require_matching_selfie": True}},
        "redaction": None,
        "status": status,
        "type": "document",
        "url": None,
        **fields,
    }


def report_of(selfie, document_error=None):
    status = "verified" if document_error is None else "unverified"
    document = {"status": status, "error": document_error and {"code": document_error}}
    report = {"id": "vr_1", "object": "identity.verification_report", "document": document}
    return report if selfie is None else {**report, "selfie": selfie}


def failed_selfie(code):
    return {"status": "unverified", "error": {"code": code, "reason": "No."}}


def read(record, session):
    backend = StripeBackend(api_key="sk_live_some")
    return backend.read_reply(ReadRequest(record=record), json_reply(session))


# What is sent


def sent_by(backend, request, *sessions):
    """Return the requests of a call that gets these sessions, and its end."""
    made = []
    steps = getattr(backend, request.handler.steps)(request)
    replies = iter(sessions)
    try:
        reply = None
        while True:
            made.append(steps.send(reply))
            reply = json_reply(next(replies))
    except StopIteration as ended:
        return made, ended.value


def test_start_requires_the_selfie_and_is_made_once(record):
    backend = StripeBackend(api_key="sk_test_some")
    unstarted = attrs.evolve(record, session_id=None)
    request = StartRequest(record=unstarted, return_url="https://shop.example/back")
    opened = session_of(record, "requires_input", url="https://verify.stripe.com/start/some")
    (sent,), reading = sent_by(backend, request, opened)
    form = parse_qs(sent.encoded().body.decode())
    assert form == {
        "type": ["document"],
        "options[document][require_matching_selfie]": ["true"],
        "client_reference_id": [record.id],
        "metadata[facematch_terms]": [unstarted.terms],
        "return_url": ["https://shop.example/back"],
    }
    assert sent.headers["Idempotency-Key"] == record.id
    assert sent.headers["Stripe-Version"] == "2026-10-28.endive"
    assert reading.state is fm.SessionState.PENDING


@pytest.mark.parametrize(
    ("api_key", "expanded"),
    [
        ("sk_live_some", ["last_verification_report", "verified_outputs"]),
        (
            "rk_live_some",
            ["last_verification_report", "verified_outputs", "verified_outputs.dob"],
        ),
    ],
)
def test_date_of_birth_is_asked_for_with_a_restricted_key_alone(record, api_key, expanded):
    backend = StripeBackend(api_key=api_key)
    (sent,), _ = sent_by(backend, ReadRequest(record=record), session_of(record))
    assert list(sent.params.values()) == expanded


def test_personal_data_are_not_asked_for_without_a_comparison(record):
    liveness_alone = attrs.evolve(record, expects=("liveness",), compared_with=None)
    backend = StripeBackend(api_key="rk_live_some")
    request = ReadRequest(record=liveness_alone)
    (sent,), _ = sent_by(backend, request, session_of(liveness_alone))
    assert list(sent.params.values()) == ["last_verification_report"]


@pytest.mark.parametrize(
    ("api_key", "environment"),
    [
        ("sk_live_some", fm.Environment.PRODUCTION),
        ("rk_live_some", fm.Environment.PRODUCTION),
        ("sk_test_some", fm.Environment.SANDBOX),
        ("rk_test_some", fm.Environment.SANDBOX),
    ],
)
def test_prefix_of_the_key_says_the_environment(api_key, environment):
    assert StripeBackend(api_key=api_key).environments == {environment}
    others = {fm.Environment.PRODUCTION, fm.Environment.SANDBOX} - {environment}
    with pytest.raises(fm.ConfigurationError, match="prefix"):
        StripeBackend(api_key=api_key, environment=others.pop())


# What decides


@pytest.mark.parametrize(
    ("report", "selfie"), [("vr_1", "required"), (report_of(None), "required"), (None, "required")]
)
def test_verified_without_a_selfie_compared_no_face(record, report, selfie):
    reading = read(record, session_of(record, last_verification_report=report))
    assert reading.state is fm.SessionState.DECIDED
    assert reading.checks == ()
    assert reading.compared_with is fm.ComparedWith.UNKNOWN
    assert reading.facts == {"selfie": selfie}


@pytest.mark.parametrize(
    "code",
    [
        "document_expired",
        "document_type_not_supported",
        "document_unverified_other",
        "id_number_mismatch",
        "consent_declined",
        "country_not_supported",
        "abandoned",
        "under_supported_age",
    ],
)
def test_failure_of_anything_else_says_nothing_about_the_face(record, code):
    session = session_of(
        record,
        "requires_input",
        last_error={"code": code, "reason": "No."},
        last_verification_report=report_of(VERIFIED_SELFIE, document_error=code),
    )
    reading = read(record, session)
    assert reading.checks == ()
    assert reading.is_asked_back


def test_earlier_report_does_not_decide_while_a_try_is_processed(record):
    report = report_of(failed_selfie("selfie_face_mismatch"))
    reading = read(record, session_of(record, "processing", last_verification_report=report))
    assert (reading.state, reading.checks) == (fm.SessionState.PROCESSING, ())


def test_success_does_not_claim_that_the_face_was_live(mock, sessions):
    record = start(sessions)
    finish(mock, record)
    assert not is_reported(sessions.read(record, document=ADA).liveness)


@pytest.mark.parametrize(
    ("restricted", "agreement"), [(True, Agreement.AGREES), (False, Agreement.UNKNOWN)]
)
def test_date_of_birth_agrees_if_the_key_may_read_it(mock, restricted, agreement):
    api_key = mock.live_key
    if restricted:
        api_key = "rk_live_of-the-shop"
        mock.control.add_key(key=api_key)
    with open_at(mock, api_key=api_key) as sessions:
        record = start(sessions)
        finish(mock, record)
        result = sessions.read(record, document=ADA)
    assert result.name_agreement is Agreement.AGREES
    assert result.date_of_birth_agreement is agreement


# Deletion


def test_redacted_session_of_somebody_else_is_not_reported_as_deleted(mock, sessions):
    mine = start(sessions)
    other = start(sessions)
    sessions.delete(other)
    with pytest.raises(fm.SessionMismatch):
        sessions.delete(attrs.evolve(mine, session_id=other.session_id))


def test_session_that_is_processed_is_not_deleted(mock, sessions):
    record = start(sessions)
    mock.control.set_outcome("match", review=True)
    finish(mock, record)
    with pytest.raises(fm.RequestRejected) as caught:
        sessions.delete(record)
    assert caught.value.billing.charged is fm.Charged.NO
    assert sessions.read(record, document=ADA).state is fm.SessionState.PROCESSING


def test_start_at_an_account_that_is_not_set_up_says_where_to_apply(mock):
    mock.control.reset(switches={"access": "unapproved"})
    with open_at(mock) as sessions, pytest.raises(fm.PermissionDenied) as caught:
        start(sessions)
    assert "identity/application" in caught.value.message
    assert caught.value.billing.charged is fm.Charged.NO


# Events

BODY = b'{"id":"evt_1","object":"event"}'
#: Computed with stripe 16.1.0 for Python: secret, time 1700000000 and `BODY`.
DIGEST = "d1bfc9a745997caaad734fefe9255cca2ac11f82d1fe43b98418cf73defe7710"


def signed(header, *, secret=SECRET):
    backend = StripeBackend(api_key="sk_live_some", webhook_secrets=secret)
    return backend.is_signed(BODY, {"stripe-signature": header}, backend.webhook_keys)


@pytest.mark.parametrize(
    ("header", "is_signed"),
    [
        (f"t=1700000000,v1={DIGEST}", True),
        (f"t=1700000000,v0={'0' * 64},v1={'1' * 64},v1={DIGEST}", True),
        (f"t=1700000000,v0={DIGEST}", False),
        (f"t=1700000001,v1={DIGEST}", False),
        (f"v1={DIGEST}", False),
        (f"t=1700000000,t=1700000001,v1={DIGEST}", True),
        (f"t=1700000001,t=1700000000,v1={DIGEST}", False),
        ("", False),
    ],
)
def test_signature_is_one_of_version_1_by_the_whole_secret(header, is_signed):
    assert signed(header) is is_signed
    assert not signed(header, secret=SECRET.removeprefix("whsec_"))


@pytest.mark.parametrize(
    ("seconds", "is_accepted"), [(0, True), (299, True), (301, False), (-100_000, True)]
)
def test_only_an_old_signature_is_refused(mock, sessions, seconds, is_accepted):
    time = int(mock.clock.now().timestamp()) - seconds
    body = (
        b'{"id":"evt_1","data":{"object":{"id":"vs_1","object":"identity.verification_session"}}}'
    )
    message = f"{time}.".encode() + body
    digest = hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={time},v1={digest}"}
    if is_accepted:
        (hint,) = sessions.receive(body, headers)
        assert (hint.session_id, hint.record_id, hint.event_id) == ("vs_1", None, "evt_1")
    else:
        with pytest.raises(fm.WebhookRefused):
            sessions.receive(body, headers)


def test_event_of_a_rolled_secret_is_taken_by_both_secrets(mock, sessions):
    destination = mock.control.webhooks.add("http://127.0.0.1:9/", secret=SECRET)
    rolled = mock.control.webhooks.roll(destination.uuid)
    record = start(sessions)
    letter = mock.control.webhooks.delivery(mock.control.webhooks.deliveries()[-1].id)
    (hint,) = sessions.receive(letter.body, letter.headers)
    assert (hint.session_id, hint.record_id) == (record.session_id, record.id)
    with open_at(mock, webhook_secrets=rolled.secret) as others:
        assert others.receive(letter.body, letter.headers) == (hint,)

"""Sumsub's sessions: signatures, the two requests of a start, verdicts, and webhooks."""

import datetime as dt
import hashlib
import hmac
import json

import attrs
import pytest
from kit.fakes import json_reply
from kit.sessions import session_record

import facematch_core as fm
from facematch_core.backend import ReadRequest, SessionReading, StartRequest
from facematch_core.errors import WebhookRefused
from facematch_mock_server import MockServer
from facematch_sumsub import SumsubBackend
from facematch_sumsub.backend import sign

APPLICANT_ID = "5cb56e8e0a975a35f333cb83"
KEYS = {"app_token": "prd:token", "secret_key": "secret-key", "level_name": "basic-kyc-level"}
BACKEND = SumsubBackend(**KEYS)
RECORD = session_record("sumsub", session_id=APPLICANT_ID, facts={"level_name": "basic-kyc-level"})
UNSTARTED = attrs.evolve(RECORD, session_id=None)
ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
# Signatures, by the vendor's own examples


@pytest.mark.parametrize(
    ("method", "path", "body", "signature"),
    [
        (
            "POST",
            "/resources/accessTokens/sdk",
            b'{"userId": "u-1", "levelName": "basic-kyc-level", "ttlInSecs": 600}',
            "553515ce28714ad446f47d3917fc7068dee493c65883d3b7325b44140a3cc175",
        ),
        (
            "GET",
            "/resources/applicants/-;externalUserId=a%7Cb/one",
            b"",
            "cff8dcaec06764475a3fc7175fe32fd8ba226486aec66551294dd6d7120f1bde",
        ),
    ],
)
def test_requests_are_signed_as_by_the_vendors_examples(method, path, body, signature):
    key = fm.Secret("Hej2ch71kG2kTd1iIUDZFNsO5C1lh5Gq")
    signed = sign(body, method=method, path=path, timestamp=1607551635, secret_key=key)
    assert signed.reveal() == signature


def test_signature_covers_the_path_below_a_gateways_address():
    backend = SumsubBackend(**KEYS, base_url="https://gate.example/sumsub", allow_base_url=True)
    start = StartRequest(record=UNSTARTED)
    signed = backend.sign(next(backend.start_steps(start)), start)
    timestamp = signed.headers["X-App-Access-Ts"]
    text = f"{timestamp}POST/resources/applicants?levelName=basic-kyc-level".encode() + signed.body
    expected = hmac.new(b"secret-key", text, hashlib.sha256).hexdigest()
    assert signed.headers["X-App-Access-Sig"] == fm.Secret(expected)


# Settings


@pytest.mark.parametrize(
    ("token", "environments"),
    [
        ("prd:x", {fm.Environment.PRODUCTION}),
        ("sbx:x", {fm.Environment.SANDBOX}),
        ("x", {fm.Environment.PRODUCTION, fm.Environment.SANDBOX}),
    ],
)
def test_app_token_says_the_environment(token, environments):
    assert SumsubBackend(**{**KEYS, "app_token": token}).session_environments == environments


def test_app_token_says_nothing_of_another_host():
    gateway = {"base_url": "https://gate.example", "allow_base_url": True}
    backend = SumsubBackend(**KEYS, **gateway)
    assert (backend.session_environments, backend.answer_environment) == (frozenset(), None)
    declared = SumsubBackend(**KEYS, **gateway, environment="production")
    assert declared.answer_environment is fm.Environment.PRODUCTION


def test_environment_that_is_not_the_app_tokens_is_refused():
    with pytest.raises(fm.ConfigurationError, match="sandbox"):
        SumsubBackend(**{**KEYS, "app_token": "sbx:x"}, environment="production")
    assert SumsubBackend(**KEYS, environment="mock").environments == {fm.Environment.PRODUCTION}


def test_start_needs_a_level():
    backend = SumsubBackend(app_token="prd:x", secret_key="k")
    with pytest.raises(fm.ConfigurationError, match="SUMSUB_LEVEL_NAME"):
        next(backend.start_steps(StartRequest(record=UNSTARTED)))


# Answers


def applicant(*, review=None, **changes):
    result = {"reviewStatus": "completed", "reviewResult": {"reviewAnswer": "GREEN"}}
    selfie = {"idDocSetType": "SELFIE", "videoRequired": "passiveLiveness"}
    return {
        "id": APPLICANT_ID,
        "createdAt": "2026-07-02 09:15:00",
        "externalUserId": RECORD.id,
        "requiredIdDocs": {"docSets": [{"idDocSetType": "IDENTITY"}, selfie]},
        "review": {"levelName": "basic-kyc-level", **(review or result)},
        **changes,
    }


def step(answer="GREEN", *labels, **changes):
    result = {"reviewAnswer": answer}
    if labels:
        result["rejectLabels"] = list(labels)
    return {"idDocType": "PASSPORT", "country": "DEU", "reviewResult": result, **changes}


def read(body=None, *, identity=None, **steps):
    steps = {"IDENTITY": identity or step(), "SELFIE": step(), **steps}
    replies = [json_reply(body or applicant()), json_reply(steps)]
    return BACKEND.read_reply(ReadRequest(record=RECORD), *replies)


def verdicts(reading):
    return tuple(check.result.decision.value for check in reading.checks)


def test_green_selfie_is_a_match_and_live():
    reading = read()
    assert verdicts(reading) == ("match", "live")
    assert (reading.compared_with, reading.approved) == (fm.ComparedWith.DOCUMENT, True)
    assert reading.environment is fm.Environment.PRODUCTION


def test_labels_are_the_tags_of_the_warnings():
    labels = ["SELFIE_MISMATCH", "FORGERY"]
    for check in read(SELFIE=step("RED", *labels)).checks:
        assert [warning.tag for warning in check.result.warnings] == labels


def test_labels_of_a_replaced_picture_do_not_count():
    picture = {"1001": {"reviewAnswer": "RED", "rejectLabels": ["FRAUDULENT_LIVENESS"]}}
    reading = read(SELFIE=step("GREEN", imageReviewResults=picture))
    assert verdicts(reading) == ("match", "live")


def test_face_is_in_review_if_the_level_is_not_shown():
    assert verdicts(read(applicant(requiredIdDocs=None))) == ("match", "review")


def test_second_selfie_counts_too():
    assert verdicts(read(SELFIE2=step("RED", "BAD_FACE_MATCHING")))[2] == "no_match"


def test_only_the_holder_of_the_shown_document_is_compared():
    shown = {
        "idDocType": "PASSPORT",
        "country": "DEU",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "dob": "1980-01-01",
    }
    of_another_country = {**shown, "country": "FRA", "firstName": "Grace", "lastName": "Hopper"}
    of_another_type = {"idDocType": "UTILITY_BILL", "country": "DEU", "firstName": "FREYA"}
    documents = [shown, of_another_country, of_another_type]
    (holder,) = read(applicant(info={"idDocs": documents})).document_holders
    assert holder.name == ADA.name
    assert holder.date_of_birth == ADA.date_of_birth


def test_applicant_without_documents_has_no_holder():
    assert read().document_holders == ()


def test_raw_has_neither_names_nor_comments():
    review = {
        "reviewStatus": "completed",
        "reviewResult": {
            "reviewAnswer": "RED",
            "moderationComment": "Ada, please",
            "buttonIds": [],
        },
    }
    reading = read(applicant(review=review, info={"firstName": "Ada"}))
    assert "Ada" not in json.dumps(reading.raw)
    assert reading.raw["review"]["reviewResult"] == {"reviewAnswer": "RED", "buttonIds": []}


LINK_REPLY = json_reply({"url": "https://in.sumsub.com/websdk/p/x"})
TOKEN_REPLY = json_reply({"token": "_act-x", "userId": UNSTARTED.id})


@pytest.mark.parametrize("status", [200, 201])
def test_start_accepts_each_documented_status(status):
    start = StartRequest(record=UNSTARTED)
    replies = [json_reply(applicant(), status), LINK_REPLY, TOKEN_REPLY]
    assert BACKEND.read_reply(start, *replies).access is not None


def test_start_without_a_link_is_counted_and_not_retried():
    replies = [json_reply(applicant(), 201), json_reply({"description": "So."}, 500)]
    error = BACKEND.read_reply(StartRequest(record=UNSTARTED), *replies)
    assert isinstance(error, fm.OutcomeUnknown)
    assert (error.billing.charged, error.retryable) == (fm.Charged.YES, False)


@pytest.mark.parametrize(("status", "outcome"), [(403, SessionReading), (500, fm.OutcomeUnknown)])
def test_an_app_token_without_the_permission_for_tokens_gives_a_link_alone(status, outcome):
    refused = json_reply({"description": "No.", "code": status, "correlationId": "c"}, status)
    replies = [json_reply(applicant(), 201), LINK_REPLY, refused]
    started = BACKEND.read_reply(StartRequest(record=UNSTARTED), *replies)
    assert type(started) is outcome
    if status == 403:
        assert started.access.link is not None
        assert started.access.token is None


# At the mock


@pytest.fixture
def mock():
    with MockServer(vendor="sumsub") as server:
        yield server


@pytest.fixture
def sessions(mock):
    with fm.open_sessions(
        "sumsub",
        app_token=mock.client_id,
        secret_key=mock.live_key,
        base_url=mock.url,
        level_name="basic-kyc-level",
        webhook_secrets="a-secret-of-the-webhook",
        compared_with="document",
        require_environment="mock",
    ) as opened:
        yield opened


def test_link_to_a_longer_session_ends_after_30_days(mock, sessions):
    planned = sessions.plan("customer-17", purpose="payout", valid_for_s=60 * 86_400)
    started = sessions.start(planned)
    # The link is made after the start.
    lasts = started.access.expires_at - started.record.started_at
    assert lasts.days == 30
    (session,) = mock.control.sessions.all()
    # The vendor counts from the moment in which it makes the link.
    assert session.hosted.expires_at >= started.access.expires_at


# Webhooks

BODY = (
    b'{"type":"applicantReviewed","applicantId":"5cb56e8e0a975a35f333cb83","reviewStatus":'
    b'"completed","reviewResult":{"reviewAnswer":"GREEN"}}'
)
#: The digests of that body by the vendor's documents, with the secret SoMe_SeCrEt_KeY.
DIGESTS = {
    "HMAC_SHA256_HEX": "e34c87d4a2e0680fef21bae57417da3e9728a87a5b99d21a1038c89f901ec43c",
    "HMAC_SHA1_HEX": "67edd892e2a30a67120c3b6ec846e71082915c14",
}


def receive(headers, algorithm="HMAC_SHA256_HEX", body=BODY, **settings):
    settings = {"webhook_secrets": "SoMe_SeCrEt_KeY", **settings}
    backend = SumsubBackend(**KEYS, webhook_algorithm=algorithm, **settings)
    with fm.Sessions(fm.FaceVerifier(backend), compared_with="document") as opened:
        return opened.receive(body, headers)


def signed_by(algorithm):
    return {"X-Payload-Digest": DIGESTS[algorithm], "X-Payload-Digest-Alg": algorithm}


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_webhook_is_verified_by_the_algorithm_of_the_settings(algorithm):
    (hint,) = receive(signed_by(algorithm), algorithm)
    assert (hint.session_id, hint.record_id, hint.event_id) == (APPLICANT_ID, None, None)
    assert receive(signed_by(algorithm), algorithm, webhook_secrets=["new", "SoMe_SeCrEt_KeY"])


def test_sender_cannot_choose_another_algorithm():
    with pytest.raises(WebhookRefused, match="webhook_algorithm"):
        receive(signed_by("HMAC_SHA1_HEX"), "HMAC_SHA256_HEX")
    with pytest.raises(WebhookRefused):
        receive({"X-Payload-Digest": DIGESTS["HMAC_SHA1_HEX"]}, "HMAC_SHA256_HEX")


@pytest.mark.parametrize("document", [[], {}, {"applicantId": 7}, {"applicantId": "one"}])
def test_signed_webhook_without_an_applicant_cannot_be_read(document):
    body = json.dumps(document).encode()
    digest = hmac.new(b"SoMe_SeCrEt_KeY", body, hashlib.sha256).hexdigest()
    with pytest.raises(WebhookRefused) as caught:
        receive({"X-Payload-Digest": digest}, body=body)
    assert caught.value.http_status == 422


def test_webhook_sent_by_hand_is_a_test():
    body = json.dumps({"applicantId": APPLICANT_ID, "testMode": True}).encode()
    digest = hmac.new(b"SoMe_SeCrEt_KeY", body, hashlib.sha256).hexdigest()
    assert receive({"X-Payload-Digest": digest}, body=body) == ()

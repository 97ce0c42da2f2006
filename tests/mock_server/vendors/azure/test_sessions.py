"""Liveness sessions as the mock's Azure has them, each answer held against Microsoft's examples."""

import json

import pytest
import requests
from kit import azure_liveness as published
from kit.cards import CARDS

from facematch_mock_server import MockServer, VirtualClock

LIVENESS = "detectLiveness-sessions"
WITH_VERIFY = "detectLivenessWithVerify-sessions"
#: Microsoft's examples of an answer to a start, and to a read.
STARTED = {LIVENESS: published.START, WITH_VERIFY: published.START_WITH_VERIFY}
READ = {LIVENESS: published.READING, WITH_VERIFY: published.READING_WITH_VERIFY}
START = {"livenessOperationMode": "Passive", "deviceCorrelationId": "a device"}
#: What an answer may lack.
OPTIONAL = {"sessionImageId", "verifyImageHash", "verifyResult"}


def check(answer, example, where="answer"):
    """Fail unless an answer has the form of an example: names, types, and what a list holds."""
    assert type(answer) is type(example), where
    if isinstance(answer, dict):
        assert set(example) - OPTIONAL <= set(answer) <= set(example), where
        for name, value in answer.items():
            check(value, example[name], f"{where}.{name}")
    elif isinstance(answer, list):
        for item in answer:
            is_error = "error" in item
            like = next(each for each in example if ("error" in each) is is_error)
            check(item, like, f"{where}[]")


class Face:
    """The resource as a client asks for it."""

    def __init__(self, mock):
        self.mock = mock
        self.people = mock.control.sessions

    def ask(self, path, method="GET", **sent):
        headers = {"Ocp-Apim-Subscription-Key": self.mock.live_key}
        url = f"{self.mock.url}/face/v1.2/{path}"
        return requests.request(method, url, headers=headers, timeout=20, **sent)

    def start(self, kind=LIVENESS, reference="p1", name="id.png", **fields):
        if kind == LIVENESS:
            return self.ask(kind, "POST", json={**START, **fields})
        parts = {"verifyImage": (name, CARDS.get(reference, reference))}
        for field, value in {**START, **fields}.items():
            parts[field] = (None, str(value).lower())
        return self.ask(kind, "POST", files=parts)

    def make(self, kind=LIVENESS, **fields):
        body = self.start(kind, **fields).json()
        check(body, STARTED[kind])
        return body["sessionId"]

    def read(self, session_id, kind=LIVENESS):
        body = self.ask(f"{kind}/{session_id}").json()
        check(body, READ[kind])
        return body


@pytest.fixture
def face():
    with MockServer(vendor="azure", clock=VirtualClock()) as mock:
        yield Face(mock)


def refusal(answer):
    error = answer.json()["error"]
    assert answer.headers["x-ms-error-code"] == error["code"]
    return answer.status_code, error["code"]


@pytest.mark.parametrize("kind", READ)
def test_full_session_response_has_the_fields_of_microsofts_example(face, kind):
    session_id = face.make(kind, enableSessionImage=True, returnVerifyImageHash=True)
    face.people.fail_attempt(session_id)
    face.people.finish(session_id, "p1-again")
    body = face.read(session_id, kind)
    assert (body["sessionId"], body["status"]) == (session_id, "Succeeded")
    finished, failed = body["results"]["attempts"]
    finished_example, failed_example = READ[kind]["results"]["attempts"]
    assert (finished["attemptId"], failed["attemptId"]) == (2, 1)
    assert failed == failed_example
    assert set(finished["result"]) == set(finished_example["result"])
    assert finished["result"]["livenessDecision"] == "realface"


def test_every_read_returns_the_same_token_until_the_session_is_deleted(face):
    started = face.start().json()
    session_id, token = started["sessionId"], started["authToken"]
    assert face.read(session_id)["authToken"] == token
    assert token in face.people.page(session_id)
    assert token not in repr(face.people.open())
    deleted = face.ask(f"{LIVENESS}/{session_id}", "DELETE")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method in ("GET", "DELETE"):
        gone = face.ask(f"{LIVENESS}/{session_id}", method)
        assert refusal(gone) == (404, "SessionNotFound")
    assert face.people.open() == ()
    with pytest.raises(LookupError):
        face.people.finish(session_id)


@pytest.mark.parametrize(
    ("card", "word", "is_identical"),
    [
        ("p1-again", "realface", True),
        ("p2", "realface", False),
        ("attack", "spoofface", True),
        ("liveness-none", "uncertain", True),
    ],
)
def test_card_determines_the_liveness_decision_and_verify_result(face, card, word, is_identical):
    session_id = face.make(WITH_VERIFY)
    face.people.finish(session_id, CARDS[card])
    (attempt,) = face.read(session_id, WITH_VERIFY)["results"]["attempts"]
    result = attempt["result"]
    assert result["livenessDecision"] == word
    assert result["verifyResult"]["isIdentical"] is is_identical
    assert OPTIONAL & set(result) == {"verifyResult"}


def test_picture_without_a_face_is_a_failed_attempt(face):
    session_id = face.make()
    for status in ("Running", "Running", "Failed"):
        face.people.finish(session_id, "no-face")
        assert face.read(session_id)["status"] == status


def test_session_is_unusable_after_token_expiry_and_gone_after_48_hours(face):
    session_id = face.make(authTokenTimeToLiveInSeconds=60)
    abandoned = face.make()
    face.people.abandon(abandoned)
    face.mock.control.advance(60)
    assert face.people.open() == ()
    assert face.read(session_id)["status"] == "NotStarted"
    assert face.read(abandoned)["status"] == "Canceled"
    assert refusal(face.ask(f"{WITH_VERIFY}/{session_id}")) == (404, "SessionNotFound")
    face.mock.control.advance(48 * 3600 - 61)
    assert face.read(session_id)["status"] == "NotStarted"
    face.mock.control.advance(1)
    assert refusal(face.ask(f"{LIVENESS}/{session_id}")) == (404, "SessionNotFound")


def test_session_image_is_stored_on_request_and_deleted_with_the_session(face):
    session_id = face.make(enableSessionImage=True)
    face.people.finish(session_id, "p2")
    (attempt,) = face.read(session_id)["results"]["attempts"]
    path = f"sessionImages/{attempt['result']['sessionImageId']}"
    picture = face.ask(path)
    assert picture.content == CARDS["p2"]
    assert picture.headers["content-type"] == "application/octet-stream"
    face.ask(f"{LIVENESS}/{session_id}", "DELETE")
    assert face.ask(path).status_code == 404


def test_session_image_is_not_stored_without_a_request(face):
    session_id = face.make(enableSessionImage=False)
    face.people.finish(session_id, "p2")
    (attempt,) = face.read(session_id)["results"]["attempts"]
    assert "sessionImageId" not in attempt["result"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("livenessOperationMode", None, "InvalidLivenessOperationMode"),
        ("livenessOperationMode", "Active", "InvalidLivenessOperationMode"),
        ("livenessOperationMode", 7, "InvalidLivenessOperationMode"),
        ("deviceCorrelationId", None, "InvalidDeviceCorrelationId"),
        ("deviceCorrelationId", "", "InvalidDeviceCorrelationId"),
        ("deviceCorrelationId", "x" * 65, "InvalidDeviceCorrelationId"),
        ("authTokenTimeToLiveInSeconds", 59, "InvalidTokenLifetime"),
        ("authTokenTimeToLiveInSeconds", 86401, "InvalidTokenLifetime"),
        ("authTokenTimeToLiveInSeconds", "soon", "InvalidTokenLifetime"),
        ("authTokenTimeToLiveInSeconds", True, "InvalidTokenLifetime"),
        ("authTokenTimeToLiveInSeconds", [], "InvalidTokenLifetime"),
        ("authTokenTimeToLiveInSeconds", 1e400, "InvalidTokenLifetime"),
        ("enableSessionImage", "perhaps", "InvalidRequestBody"),
        ("enableSessionImage", {}, "InvalidRequestBody"),
        ("livenessModelVersion", "2022-10-15", "InvalidRequestBody"),
    ],
)
def test_invalid_session_start_returns_microsofts_error_code(face, name, value, code):
    body = json.dumps({**START, name: value})
    assert refusal(face.ask(LIVENESS, "POST", data=body)) == (400, code)
    assert face.people.open() == ()


def test_start_accepts_tutorial_spelling_and_a_client_side_device_id(face):
    tutorial = {"livenessOperationMode": "passive", "enableSessionImage": "true"}
    assert face.start(**tutorial).status_code == 200
    of_client = {"deviceCorrelationId": None, "deviceCorrelationIdSetInClient": True}
    assert face.start(livenessOperationMode="PassiveActive", **of_client).status_code == 200


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"reference": b"x" * 100}, "InvalidImageSize"),
        ({"reference": b"%PDF" * 300}, "InvalidImage"),
        ({"reference": "no-face"}, "InvalidImage"),
        ({"reference": "two-faces"}, "InvalidImage"),
        ({"name": None}, "InvalidRequestBody"),
        ({"verifyConfidenceThreshold": 1.01}, "InvalidRequestBody"),
    ],
)
def test_invalid_verify_image_or_threshold_is_rejected(face, sent, code):
    assert refusal(face.start(WITH_VERIFY, **sent)) == (400, code)

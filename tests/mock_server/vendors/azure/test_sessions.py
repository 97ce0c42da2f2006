"""Liveness sessions as the mock's Azure has them, each answer held against Microsoft's examples.

Where the recordings of Microsoft's own clients differ from the examples, the recordings count.
"""

import re

import pytest
from kit import azure_liveness as published
from kit.cards import CARDS
from kit.mock_world import control_request, multipart, new_engine
from vendors.azure import IMAGES, LIVENESS, WITH_VERIFY, azure_request, start_request

from facematch_mock_server.recognition.recognizer import Recognizer

#: Microsoft's examples of an answer to a start, and to a read.
STARTED = {LIVENESS: published.START, WITH_VERIFY: published.START_WITH_VERIFY}
READ = {LIVENESS: published.READING, WITH_VERIFY: published.READING_WITH_VERIFY}
#: What a result may lack.
WISHED = {"sessionImageId", "verifyImageHash", "verifyResult"}
#: What an answer may lack: in recorded reads it does, before a result and always.
OPTIONAL = {*WISHED, "modelVersion", "referenceType"}


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


@pytest.fixture
def engine():
    return new_engine(Recognizer(), vendor="azure")


def start(engine, kind=LIVENESS, **fields):
    """Start a session; return the answer's body."""
    content = CARDS["p1"] if kind == WITH_VERIFY else None
    body = engine.handle(start_request(content, **fields)).json()
    check(body, STARTED[kind])
    return body


def ask_about(engine, session_id, kind=LIVENESS, method="GET"):
    return engine.handle(azure_request(f"{kind}/{session_id}", method=method))


def read(engine, session_id, kind=LIVENESS):
    body = ask_about(engine, session_id, kind).json()
    check(body, READ[kind])
    return body


def refusal(answer):
    error = answer.json()["error"]
    assert answer.header("x-ms-error-code") == error["code"]
    return answer.status, error["code"]


@pytest.mark.parametrize("kind", READ)
def test_full_session_response_has_the_fields_of_microsofts_example(engine, people, kind):
    wishes = {"enableSessionImage": "true", "returnVerifyImageHash": "true"}
    session_id = start(engine, kind, **wishes)["sessionId"]
    people.fail_attempt(session_id)
    people.finish(session_id, "p1-again")
    body = read(engine, session_id, kind)
    assert (body["sessionId"], body["status"]) == (session_id, "Succeeded")
    finished, failed = body["results"]["attempts"]
    finished_example, failed_example = READ[kind]["results"]["attempts"]
    assert (finished["attemptId"], failed["attemptId"]) == (2, 1)
    assert failed == failed_example
    assert set(finished["result"]) == set(finished_example["result"])
    assert finished["result"]["livenessDecision"] == "realface"


@pytest.mark.parametrize("kind", READ)
def test_token_and_type_of_a_reference_are_in_the_answer_to_the_start_alone(engine, people, kind):
    started = start(engine, kind)
    session_id = started["sessionId"]
    references = started["results"].get("verifyReferences", [])
    assert [each["referenceType"] for each in references] == ["image"] * len(references)
    for picture, has_result in ((None, False), ("no-face", False), ("p1-again", True)):
        if picture is not None:
            people.finish(session_id, picture)
        body = read(engine, session_id, kind)
        assert body["authToken"] == ""
        assert ("modelVersion" in body) is has_result
        shown = body["results"].get("verifyReferences", [])
        assert shown == [
            {name: value for name, value in each.items() if name != "referenceType"}
            for each in references
        ]


def test_token_is_secret_and_ends_with_its_session(engine, people):
    started = start(engine)
    session_id, token = started["sessionId"], started["authToken"]
    (session,) = people.open()
    assert token == session.hosted.token
    assert token not in repr(session)
    deleted = ask_about(engine, session_id, method="DELETE")
    assert (deleted.status, deleted.body) == (204, b"")
    for method in ("GET", "DELETE"):
        assert refusal(ask_about(engine, session_id, method=method)) == (404, "SessionNotFound")
    with pytest.raises(LookupError):
        people.finish(session_id)


@pytest.mark.parametrize(
    ("card", "word", "is_identical"),
    [
        ("p1-again", "realface", True),
        ("p2", "realface", False),
        ("attack", "spoofface", True),
        ("liveness-none", "uncertain", True),
    ],
)
def test_card_determines_the_liveness_decision_and_verify_result(
    engine, people, card, word, is_identical
):
    session_id = start(engine, WITH_VERIFY)["sessionId"]
    people.finish(session_id, CARDS[card])
    (attempt,) = read(engine, session_id, WITH_VERIFY)["results"]["attempts"]
    result = attempt["result"]
    assert result["livenessDecision"] == word
    assert result["verifyResult"]["isIdentical"] is is_identical
    assert WISHED & set(result) == {"verifyResult"}


def test_confidence_of_a_session_has_eight_decimals_and_a_set_score_is_exact(engine, people):
    session_id = start(engine, WITH_VERIFY)["sessionId"]
    people.finish(session_id, CARDS["p1-again"])
    (attempt,) = read(engine, session_id, WITH_VERIFY)["results"]["attempts"]
    confidence = attempt["result"]["verifyResult"]["matchConfidence"]
    assert confidence == round(confidence, 8)
    assert confidence == pytest.approx(0.95466, abs=1e-5)


def test_picture_without_a_face_is_a_failed_attempt(engine, people):
    session_id = start(engine)["sessionId"]
    for status in ("Running", "Running", "Failed"):
        people.finish(session_id, "no-face")
        assert read(engine, session_id)["status"] == status


def test_session_is_unusable_after_token_expiry_and_gone_after_48_hours(engine, people):
    session_id = start(engine, authTokenTimeToLiveInSeconds=60)["sessionId"]
    abandoned = start(engine)["sessionId"]
    people.abandon(abandoned)
    clock = engine.world.clock
    clock.advance(60)
    assert people.open() == ()
    assert read(engine, session_id)["status"] == "NotStarted"
    assert read(engine, abandoned)["status"] == "Canceled"
    assert refusal(ask_about(engine, session_id, WITH_VERIFY)) == (404, "SessionNotFound")
    clock.advance(48 * 3600 - 61)
    assert read(engine, session_id)["status"] == "NotStarted"
    clock.advance(1)
    assert refusal(ask_about(engine, session_id)) == (404, "SessionNotFound")


@pytest.mark.parametrize("is_wished", [True, False])
def test_session_image_is_stored_on_request_and_deleted_with_the_session(engine, people, is_wished):
    session_id = start(engine, enableSessionImage=is_wished)["sessionId"]
    people.finish(session_id, "p2")
    (attempt,) = read(engine, session_id)["results"]["attempts"]
    assert ("sessionImageId" in attempt["result"]) is is_wished
    image_id = attempt["result"].get("sessionImageId", published.IMAGE_ID)
    assert re.fullmatch(r"[\w-]{44}", image_id, re.ASCII)
    path = f"{IMAGES}/{attempt['result'].get('sessionImageId')}"
    picture = engine.handle(azure_request(path, method="GET"))
    if is_wished:
        assert picture.body == CARDS["p2"]
        assert picture.header("content-type") == "application/octet-stream"
    ask_about(engine, session_id, method="DELETE")
    assert engine.handle(azure_request(path, method="GET")).status == 404


@pytest.mark.parametrize(("switches", "status"), [({}, 400), ({"empty_device": "accepted"}, 200)])
def test_empty_device_beside_one_that_the_client_sets_is_refused_unless_switched(switches, status):
    engine = new_engine(Recognizer(), vendor="azure", switches=switches)
    set_in_client = {"deviceCorrelationIdSetInClient": True}
    for device, expected in (("", status), ("a device", 400), (None, 200)):
        sent = start_request(**set_in_client, deviceCorrelationId=device)
        assert engine.handle(sent).status == expected
    assert engine.handle(start_request(deviceCorrelationId="")).status == 400


def test_each_answer_after_the_checks_names_one_transaction(engine):
    session_id = start(engine)["sessionId"]
    answers = [
        engine.handle(start_request()),
        engine.handle(start_request(livenessOperationMode="Active")),
        ask_about(engine, session_id),
        ask_about(engine, session_id, method="DELETE"),
        ask_about(engine, session_id),
    ]
    assert [answer.status for answer in answers] == [200, 400, 200, 204, 404]
    usage = "CognitiveServices.Face.Transaction=1"
    assert [answer.header("csp-billing-usage") for answer in answers] == [usage] * 5
    engine.handle(control_request("limits", {"resource": 1}))
    limited = [engine.handle(start_request()) for _ in range(2)][-1]
    assert (limited.status, limited.header("csp-billing-usage")) == (429, None)
    assert limited.header("content-type") == "application/json; charset=utf-8"
    assert engine.world.ledger.charges.all() == ()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("livenessOperationMode", None, "InvalidLivenessOperationMode"),
        ("livenessOperationMode", "Active", "InvalidLivenessOperationMode"),
        ("livenessOperationMode", 7, "InvalidLivenessOperationMode"),
        ("deviceCorrelationId", None, "InvalidDeviceCorrelationId"),
        ("deviceCorrelationId", "", "InvalidDeviceCorrelationId"),
        ("deviceCorrelationId", "x" * 65, "InvalidDeviceCorrelationId"),
        # The request names a device, too.
        ("deviceCorrelationIdSetInClient", True, "InvalidDeviceCorrelationId"),
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
def test_invalid_session_start_returns_microsofts_error_code(engine, people, name, value, code):
    assert refusal(engine.handle(start_request(**{name: value}))) == (400, code)
    assert people.open() == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"livenessOperationMode": "passive", "enableSessionImage": "true"},
        {"deviceCorrelationId": None, "deviceCorrelationIdSetInClient": True},
        {"livenessOperationMode": "PassiveActive"},
    ],
)
def test_start_accepts_tutorial_spelling_and_a_client_side_device_id(engine, fields):
    assert engine.handle(start_request(**fields)).status == 200


@pytest.mark.parametrize(
    ("picture", "fields", "code"),
    [
        (b"x" * 100, {}, "InvalidImageSize"),
        (b"%PDF" * 300, {}, "InvalidImage"),
        (CARDS["no-face"], {}, "InvalidImage"),
        (CARDS["two-faces"], {}, "InvalidImage"),
        (CARDS["p1"], {"verifyConfidenceThreshold": 1.01}, "InvalidRequestBody"),
    ],
    ids=["small", "PDF", "no face", "two faces", "threshold"],
)
def test_invalid_verify_image_or_threshold_is_rejected(engine, picture, fields, code):
    assert refusal(engine.handle(start_request(picture, **fields))) == (400, code)


def test_verify_image_may_have_the_name_of_the_older_version(engine):
    answer = engine.handle(start_request(CARDS["p1"], image_name="VerifyImage"))
    assert answer.status == 200


def test_verify_image_without_a_file_name_is_rejected(engine):
    sent = {"livenessOperationMode": "Passive", "deviceCorrelationId": "a device"}
    sent["verifyImage"] = CARDS["p1"]
    answer = engine.handle(azure_request(WITH_VERIFY, *multipart(sent.items())))
    assert refusal(answer) == (400, "InvalidRequestBody")

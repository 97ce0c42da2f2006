"""What is read of AWS's Face Liveness, and what is sent for it."""

import base64
import datetime as dt

import attrs
import pytest
from kit.fakes import json_reply
from kit.sessions import START, session_record
from kit.vendors import AWS_KEYS

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import ReadRequest, StartRequest
from facematch_mock_server import VirtualClock, card_sheet
from facematch_rekognition import Challenge, FaceLivenessOptions, RekognitionBackend

PORTRAIT = card_sheet()["p1"].data
PORTRAIT_TEXT = base64.b64encode(PORTRAIT).decode()
BACKEND = RekognitionBackend(region="eu-west-1", **AWS_KEYS)
SESSION_ID = "0f1e2d3c-0000-4000-8000-000000000000"
RECORD = session_record(
    "rekognition",
    expects=("liveness",),
    compared_with=None,
    facts={"region": "eu-west-1"},
    liveness_threshold=80.0,
    started_at=START,
    session_id=SESSION_ID,
    vendor={"challenges": "FaceMovementAndLightChallenge"},
)
SUCCEEDED = {
    "SessionId": SESSION_ID,
    "Status": "SUCCEEDED",
    "Confidence": 97.5,
    "ReferenceImage": {"Bytes": PORTRAIT_TEXT, "BoundingBox": {"Left": 0.1}},
    "AuditImages": [{"Bytes": PORTRAIT_TEXT}],
    "Challenge": {"Type": "FaceMovementAndLightChallenge", "Version": "1.0.0"},
    "Feedback": [],
    "Metadata": {"SDKType": "web"},
}


def read(*, record=RECORD, with_portrait=True, **changes):
    """Read AWS's answer about a session that succeeded, but for these changes of its fields."""
    request = ReadRequest(record=record, with_portrait=with_portrait, clock=VirtualClock(START))
    return BACKEND.read_reply(request, json_reply({**SUCCEEDED, **changes}))


def read_check(**changes):
    (check,) = read(**changes).checks
    return check


@pytest.mark.parametrize(
    ("confidence", "threshold", "decision"),
    [
        pytest.param(80, 80, "live", id="equal"),
        pytest.param(79.99, 80, "not_live", id="below"),
        pytest.param(0, 0, "live", id="nothing is asked for"),
        pytest.param(100, None, "review", id="no threshold"),
        pytest.param(None, 80, "inconclusive", id="no confidence"),
    ],
)
def test_threshold_of_the_record_decides(confidence, threshold, decision):
    record = attrs.evolve(RECORD, liveness_threshold=threshold)
    assert read_check(Confidence=confidence, record=record).result.decision == decision


@pytest.mark.parametrize(
    ("code", "confidence", "decision"),
    [
        ("FACE_NOT_VISIBLE", 12, "inconclusive"),
        ("FACE_NOT_VISIBLE", 95, "live"),
        ("LOW_LIGHTING_DETECTED", 12, "not_live"),
    ],
)
def test_a_face_that_was_not_visible_is_not_judged(code, confidence, decision):
    feedback = [{"Code": code, "Message": "As AWS says it."}]
    assert read_check(Confidence=confidence, Feedback=feedback).result.decision == decision


@pytest.mark.parametrize(
    "change",
    [
        {"Confidence": 100.01},
        {"Confidence": "99"},
        {"Status": 7},
        {"Challenge": {"Type": None}},
        {"Feedback": [{"Code": 7}]},
    ],
    ids=str,
)
def test_invalid_answer_is_unexpected(change):
    assert isinstance(read(**change), fm.UnexpectedResponse)


def test_feedback_without_a_message_keeps_its_code():
    for message in (None, 7):
        feedback = [{"Code": "FACE_NOT_VISIBLE", "Message": message}]
        (warning,) = read_check(Confidence=95, Feedback=feedback).result.warnings
        assert (warning.tag, warning.text) == ("FACE_NOT_VISIBLE", None)


CODES = {
    "LOW_LIGHTING_DETECTED": "too_dark",
    "FACE_NOT_VISIBLE": "no_face",
    "FACE_OBSTRUCTION_DETECTED": "low_quality",
    "LOW_VIDEO_QUALITY_DETECTED": "low_quality",
    "FACE_NOT_ALIGNED": "other",
    "EYES_CLOSED_DETECTED": "other",
    "HIGH_LIGHTING_DETECTED": "too_bright",
    "A_CODE_OF_THE_FUTURE": "other",
}


def test_feedback_becomes_warnings_in_its_order():
    feedback = [{"Code": tag, "Message": f"Of {tag}."} for tag in CODES]
    warnings = read_check(Feedback=feedback).result.warnings
    assert [(warning.tag, warning.code) for warning in warnings] == list(CODES.items())
    assert warnings[0].text == "Of LOW_LIGHTING_DETECTED."
    assert {warning.severity for warning in warnings} == {models.Severity.WARNING}


def test_portrait_is_given_when_asked_for():
    assert read_check().portrait.data == PORTRAIT
    assert read_check(with_portrait=False).portrait is None


def test_pictures_are_in_no_raw_answer_and_no_repr():
    reading = read()
    assert set(reading.raw) == set(SUCCEEDED) - {"ReferenceImage", "AuditImages"}
    assert PORTRAIT_TEXT[:20] not in f"{reading!r} {reading.raw}"


@pytest.mark.parametrize("image", [None, {"S3Object": {}}, {"Bytes": "!"}, {"Bytes": "AAAA"}])
def test_missing_portrait_gives_a_warning(image):
    reading = read(ReferenceImage=image)
    (check,) = reading.checks
    assert check.portrait is None
    assert check.result.is_live
    assert [warning.tag for warning in reading.warnings] == ["no_reference_image"]


def test_missing_portrait_that_nobody_asked_for_gives_no_warning():
    assert read(ReferenceImage=None, with_portrait=False).warnings == ()


@pytest.mark.parametrize(("age_s", "state"), [(179, "expired"), (180, "gone")])
def test_session_is_gone_after_three_minutes(age_s, state):
    record = attrs.evolve(RECORD, started_at=START - dt.timedelta(seconds=age_s))
    reading = read(Status="EXPIRED", record=record)
    assert reading.state == state
    assert reading.access.page == {}


def test_start_asks_for_the_challenges_of_its_options():
    options = FaceLivenessOptions(challenges=Challenge.FACE_MOVEMENT)
    request = next(BACKEND.start_steps(StartRequest(record=RECORD, options=options)))
    preferences = request.json["Settings"]["ChallengePreferences"]
    assert preferences == [{"Type": "FaceMovementChallenge"}]


def test_session_of_another_region_is_refused_before_sending():
    other = attrs.evolve(RECORD, facts={"region": "us-east-1"})
    with pytest.raises(fm.InvalidRequest, match="us-east-1"):
        next(BACKEND.read_steps(ReadRequest(record=other)))


def test_delete_does_nothing_because_sessions_expire():
    sessions = fm.Sessions(fm.FaceVerifier(BACKEND), expects=["liveness"])
    assert sessions.delete(RECORD).state == "vanishes"

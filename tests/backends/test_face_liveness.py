import base64
import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import json_reply
from kit.sessions import START, session_record
from kit.vendors import AWS_KEYS as KEYS

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import ReadRequest, StartRequest
from facematch_mock_server import VirtualClock, card_sheet
from facematch_rekognition import Challenge, FaceLivenessOptions, RekognitionBackend

CARDS = {name: card.data for name, card in card_sheet().items()}
BACKEND = RekognitionBackend(region="eu-west-1", **KEYS)
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
PICTURE = {"Bytes": base64.b64encode(CARDS["p1"]).decode()}
SUCCEEDED = {
    "SessionId": SESSION_ID,
    "Status": "SUCCEEDED",
    "Confidence": 97.5,
    "ReferenceImage": {**PICTURE, "BoundingBox": {"Left": 0.1}},
    "AuditImages": [PICTURE],
    "Challenge": {"Type": "FaceMovementAndLightChallenge", "Version": "1.0.0"},
    "Feedback": [],
    "Metadata": {"SDKType": "web"},
}
FEEDBACK = {
    "FACE_NOT_VISIBLE": "no_face",
    "FACE_OBSTRUCTION_DETECTED": "low_quality",
    "LOW_VIDEO_QUALITY_DETECTED": "low_quality",
    "FACE_NOT_ALIGNED": "other",
    "EYES_CLOSED_DETECTED": "other",
    "LOW_LIGHTING_DETECTED": "too_dark",
    "HIGH_LIGHTING_DETECTED": "too_bright",
}


def read(answer, status=200, *, with_portrait=True, record=RECORD):
    request = ReadRequest(record=record, with_portrait=with_portrait, clock=VirtualClock(START))
    return BACKEND.read_reply(request, json_reply(answer, status))


@given(st.none() | st.integers(0, 100) | st.floats(0, 100), st.none() | st.floats(0, 100))
def test_threshold_of_the_record_decides(confidence, threshold):
    record = attrs.evolve(RECORD, liveness_threshold=threshold)
    (check,) = read({**SUCCEEDED, "Confidence": confidence}, record=record).checks
    result, decision = check.result, "review"
    if confidence is None:
        decision = "inconclusive"
    elif threshold is not None:
        decision = "live" if confidence >= threshold else "not_live"
    assert result.decision == decision
    assert (result.score and result.score.value) == confidence
    assert (result.threshold and result.threshold.value) == threshold


@pytest.mark.parametrize(
    "change",
    [
        *({"Confidence": value} for value in (-0.01, 100.01, "99", True, [99])),
        *({"Status": 7}, {"Challenge": {"Type": None}}, {"Feedback": [{"Code": 7}]}),
    ],
    ids=str,
)
def test_invalid_answer_is_unexpected(change):
    assert isinstance(read(SUCCEEDED | change), fm.UnexpectedResponse)


def test_feedback_becomes_warnings_in_order():
    rows = [{"Code": code, "Message": f"About {code}."} for code in (*FEEDBACK, "NEW_CODE")]
    (check,) = read({**SUCCEEDED, "Feedback": rows}).checks
    shown = [(each.tag, each.code, each.text, each.severity) for each in check.result.warnings]
    assert shown == [
        (code, word, f"About {code}.", models.Severity.WARNING)
        for code, word in (FEEDBACK | {"NEW_CODE": "other"}).items()
    ]


def test_portrait_is_given_only_when_asked_for():
    reading = read(SUCCEEDED)
    assert reading.checks[0].portrait.data == CARDS["p1"]
    assert set(reading.raw) == set(SUCCEEDED) - {"ReferenceImage", "AuditImages"}
    assert PICTURE["Bytes"][:20] not in f"{reading!r} {reading.raw}"
    assert read(SUCCEEDED, with_portrait=False).checks[0].portrait is None


@pytest.mark.parametrize("image", [None, {}, {"S3Object": {}}, {"Bytes": "!"}, {"Bytes": "AAAA"}])
def test_missing_portrait_gives_a_warning(image):
    body = {**SUCCEEDED, "ReferenceImage": image}
    reading = read(body)
    assert reading.checks[0].portrait is None
    assert reading.checks[0].result.is_live
    assert [warning.tag for warning in reading.warnings] == ["no_reference_image"]
    assert read(body, with_portrait=False).warnings == ()


@pytest.mark.parametrize(("age_s", "state"), [(179, "expired"), (180, "gone")])
def test_session_expires_after_three_minutes(age_s, state):
    record = attrs.evolve(RECORD, started_at=START - dt.timedelta(seconds=age_s))
    reading = read(SUCCEEDED | {"Status": "EXPIRED"}, record=record)
    assert (reading.state, reading.access.page) == (state, {})


def test_start_asks_for_the_challenges_of_its_options():
    options = FaceLivenessOptions(challenges=Challenge.FACE_MOVEMENT)
    steps = BACKEND.start_steps(StartRequest(record=RECORD, options=options))
    asked = next(steps).json["Settings"]["ChallengePreferences"]
    assert asked == [{"Type": "FaceMovementChallenge"}]


def test_session_of_another_region_is_refused_before_sending():
    other = attrs.evolve(RECORD, facts={"region": "us-east-1"})
    with pytest.raises(fm.InvalidRequest, match="us-east-1"):
        next(BACKEND.read_steps(ReadRequest(record=other)))


def test_delete_does_nothing_because_sessions_expire():
    sessions = fm.Sessions(fm.FaceVerifier(BACKEND), expects=["liveness"])
    assert sessions.delete(RECORD).state == "vanishes"
    with pytest.raises(fm.Unsupported):
        sessions.receive(b"{}", {})

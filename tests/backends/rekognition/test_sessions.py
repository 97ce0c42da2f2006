import base64
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import facematch_core as fm
from facematch_core import SessionRecord, SessionState, models, open_sessions
from facematch_core.backend.calls import ReadRequest
from facematch_core.base.clock import SystemClock
from facematch_core.http import HttpReply
from facematch_mock_server import MockServer, VirtualClock, card_sheet
from facematch_rekognition import Challenge, FaceLivenessOptions, RekognitionBackend

CARDS = {name: card.data for name, card in card_sheet().items()}
KEYS = {"access_key_id": "mock-access-key", "secret_access_key": "mock-live-key"}
BACKEND = RekognitionBackend(region="eu-west-1", **KEYS)
#: What a result is asked.
PAYOUT = {"purpose": "payout", "about": None, "max_age_s": 3600.0}
SESSION_ID = "0f1e2d3c-0000-4000-8000-000000000000"
START = SystemClock().now()
RECORD = SessionRecord(
    backend="rekognition",
    subject_ref="customer-17",
    purpose="payout",
    expects=("liveness",),
    facts={"region": "eu-west-1"},
    liveness_threshold=80.0,
    planned_at=START,
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
    body = json.dumps(answer).encode()
    return BACKEND.read_reply(request, HttpReply(status=status, headers={}, body=body))


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


# With the mock, from the plan to the end


@pytest.fixture
def connect(mock, at_end):
    def connect(**settings):
        aws = {"base_url": mock.url, "region": "eu-west-1", **KEYS}
        more = {"clock": mock.clock, "require_environment": "mock", "expects": ["liveness"]}
        return at_end.enter_context(open_sessions("rekognition", **{**aws, **more, **settings}))

    return connect


@pytest.fixture
def sessions(connect):
    return connect()


@pytest.fixture
def record(sessions):
    return sessions.plan("customer-17", purpose="payout", liveness_threshold=80)


@pytest.mark.parametrize("over", ["not_found", "expired"])
@pytest.mark.parametrize("is_finished", [True, False])
def test_session_is_gone_after_three_minutes(over, is_finished, record, connect):
    with MockServer(vendor="rekognition", switches={"session_over": over}) as mock:
        sessions = connect(base_url=mock.url, clock=mock.clock)
        session = sessions.start(record)
        if is_finished:
            mock.control.sessions.finish(session.record.session_id)
        mock.control.advance(181)
        result = sessions.read(session.record)
    assert result.state is SessionState.GONE
    assert not result.is_verified_for("customer-17", **PAYOUT)
    assert {result.match.decision, result.liveness.decision} == {"inconclusive"}
    assert result.read_again_s is None


def test_a_start_asks_for_the_challenges_of_its_options(sessions, record, mock):
    options = FaceLivenessOptions(challenges=Challenge.FACE_MOVEMENT)
    session = sessions.start(record, options=options)
    mock.control.sessions.finish(session.record.session_id)
    result = sessions.read(session.record)
    assert result.raw["Challenge"]["Type"] == "FaceMovementChallenge"
    assert result.liveness.is_live


def test_session_of_another_region_is_refused(sessions, connect, mock, record):
    session = sessions.start(record)
    count = len(mock.control.journal())
    with pytest.raises(fm.InvalidRequest, match="eu-west-1"):
        connect(region="us-east-1").read(session.record)
    assert len(mock.control.journal()) == count


def test_delete_does_nothing_since_sessions_vanish(sessions, record):
    assert sessions.delete(sessions.start(record).record).state == "vanishes"
    with pytest.raises(fm.Unsupported):
        sessions.receive(b"{}", {})

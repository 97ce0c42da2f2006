"""What Azure's answers about a session mean, by Microsoft's own examples."""

import datetime as dt
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import azure_liveness as published
from kit.azure_liveness import attempt, failed, with_attempts
from kit.fakes import json_reply, picture
from kit.sessions import session_record

import facematch_core as fm
from facematch_azure import AzureBackend, AzureSessionOptions, OperationMode
from facematch_core import models
from facematch_core.backend import DeleteRequest, ReadRequest, SessionReading, StartRequest
from facematch_core.backend.session_types import SessionState

HOME = "https://contoso.cognitiveservices.azure.com"
BACKEND = AzureBackend(api_key="secret-azure-key", base_url=HOME)
NOW = dt.datetime.now(dt.UTC)
LIFE = {"started_at": NOW, "expires_at": NOW + dt.timedelta(hours=1)}
RECORD = session_record("azure", compared_with="given", session_id=published.SESSION_ID, **LIFE)
ALONE = attrs.evolve(RECORD, expects=[fm.Operation.LIVENESS], compared_with=None)


def read(body, record=RECORD, **more):
    return BACKEND.read_reply(ReadRequest(record=record), json_reply(body, **more))


def items(reading):
    """Return the results of the checks by their class."""
    return {type(check.result): check.result for check in reading.checks}


def decisions(reading):
    """Return the decisions about the liveness and the match; None where there is no check."""
    by_class = {check_class: result.decision for check_class, result in items(reading).items()}
    return by_class.get(fm.LivenessResult), by_class.get(fm.MatchResult)


# What is sent


@pytest.mark.parametrize(("threshold", "fraction"), [(None, 0.5), (55.3, 0.553), (100, 1.0)])
def test_start_with_a_reference_is_a_form_with_its_threshold(threshold, fraction):
    options = AzureSessionOptions(
        operation_mode="PassiveActive", model_version="2024-11-15", enable_session_image=True
    )
    record = attrs.evolve(RECORD, threshold=threshold)
    start = StartRequest(record=record, reference=picture(), options=options)
    request = next(BACKEND.start_steps(start))
    assert request.url == f"{HOME}/face/v1.2/detectLivenessWithVerify-sessions"
    assert float(request.fields["verifyConfidenceThreshold"]) == fraction
    assert request.fields["livenessOperationMode"] == OperationMode.PASSIVE_ACTIVE
    assert request.fields["livenessModelVersion"] == "2024-11-15"
    assert request.fields["enableSessionImage"] == "true"
    (file,) = request.files
    assert (file.name, file.filename) == ("verifyImage", "verifyImage.jpg")
    assert file.data == picture().data


@pytest.mark.parametrize("name", ["authToken", "sessionId"])
@pytest.mark.parametrize("value", [None, 7])
def test_unreadable_start_is_charged(name, value):
    reply = json_reply({**published.START, name: value})
    error = BACKEND.read_reply(StartRequest(record=ALONE), reply)
    assert isinstance(error, fm.UnexpectedResponse)
    assert error.billing.charged is fm.Charged.YES


# What is read


@pytest.mark.parametrize(
    ("body", "record", "match", "compared_with"),
    [
        pytest.param(published.READING, ALONE, None, "unknown", id="liveness alone"),
        pytest.param(
            published.READING_WITH_VERIFY,
            RECORD,
            fm.Decision.NO_MATCH,
            "given",
            id="with a reference",
        ),
    ],
)
def test_in_an_example_attempt_2_decides_and_not_the_sessions_word(
    body, record, match, compared_with
):
    reading = read(body, record)
    assert (reading.state, reading.vendor_status) == (SessionState.DECIDED, "NotStarted")
    assert reading.has_begun
    assert decisions(reading) == (fm.LivenessDecision.LIVE, match)
    assert reading.compared_with == compared_with


def test_raw_hides_token_hashes_and_boxes():
    reading = read(published.READING_WITH_VERIFY)
    text = json.dumps(reading.raw)
    result = published.READING_WITH_VERIFY["results"]["attempts"][0]["result"]
    for hidden in (published.TOKEN, result["digest"], result["verifyImageHash"], "Rectangle"):
        assert hidden not in text
        assert hidden not in repr(reading)
    assert "FaceWithMaskDetected" in text


@given(st.floats(0, 1), st.booleans(), st.none() | st.floats(0, 100))
def test_verdict_that_contradicts_its_confidence_is_review(confidence, identical, threshold):
    record = attrs.evolve(RECORD, threshold=threshold)
    reading = read(with_attempts(attempt(1, "realface", confidence, identical)), record)
    match = items(reading)[fm.MatchResult]
    passes = match.score.value >= (50 if threshold is None else threshold)
    expected = fm.Decision.MATCH if identical else fm.Decision.NO_MATCH
    assert match.decision is (expected if passes is identical else fm.Decision.REVIEW)
    assert match.vendor_status == f"isIdentical: {str(identical).lower()}"


def test_missing_comparison_is_inconclusive():
    reading = read(with_attempts(attempt(1, verifyResult=None)))
    assert decisions(reading) == ("live", "inconclusive")


LATE = attrs.evolve(RECORD, expires_at=NOW)
NOBODY = attempt(3, "realface")
NOBODY["result"] = None


@pytest.mark.parametrize(
    ("attempts", "status", "record", "state"),
    [
        ([], "NotStarted", RECORD, "pending"),
        ([], "Running", RECORD, "pending"),
        ([], "Failed", RECORD, "failed"),
        ([], "Canceled", RECORD, "canceled"),
        ([], "Succeeded", RECORD, "unknown"),
        ([], "Paused", RECORD, "unknown"),
        ([attempt(1)], "Failed", RECORD, "decided"),
        ([failed(1)], "NotStarted", RECORD, "pending"),
        ([failed(1)], "NotStarted", LATE, "failed"),
        ([failed(1)], "Failed", RECORD, "failed"),
        ([failed(2, "Running"), attempt(1)], "Succeeded", RECORD, "pending"),
        ([{**attempt(2), "attemptStatus": "Running"}], "Running", RECORD, "pending"),
        ([{**attempt(2), "error": failed(2)["error"]}], "Succeeded", RECORD, "unknown"),
        ([failed(1, "Succeeded")], "Succeeded", RECORD, "unknown"),
        ([NOBODY], "Succeeded", RECORD, "unknown"),
    ],
)
def test_only_a_finished_attempt_gives_a_verdict(attempts, status, record, state):
    reading = read(with_attempts(*attempts, status=status), record)
    assert reading.state == state
    assert reading.vendor_status == status
    assert reading.has_begun is (status == "Running" or len(attempts) > 0)
    if attempts and state != "decided":
        assert decisions(reading) == ("inconclusive", "inconclusive")


def test_error_of_an_attempt_is_a_warning_of_both_checks():
    for result in items(read(with_attempts(failed(4)))).values():
        (warning,) = result.warnings
        assert warning.tag == "FaceWithMaskDetected"
        assert warning.advice is models.Advice.RETAKE_PHOTO


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**published.READING, "results": None},
        with_attempts(attempt("1")),
        with_attempts(attempt(1), attempt(1, "spoofface")),
        with_attempts(attempt(1, confidence=1.01)),
        with_attempts(attempt(1, word=7)),
        with_attempts({**failed(1), "error": "it failed"}),
    ],
)
def test_unreadable_result_hides_its_token(body):
    answer = read(body)
    assert isinstance(answer, fm.errors.UnexpectedResponse)
    assert answer.billing.charged is fm.Charged.NO
    assert published.TOKEN not in f"{answer!r} {answer}"


@pytest.mark.parametrize("token", ["", None, {"odd": 1}, published.TOKEN], ids=str)
def test_reading_gives_a_verdict_and_no_way_into_the_session(token):
    reading = read({**published.READING, "authToken": token})
    assert decisions(reading) == (fm.LivenessDecision.LIVE, fm.Decision.INCONCLUSIVE)
    assert (reading.access.token, dict(reading.access.page)) == (None, {})
    assert published.TOKEN not in f"{reading!r} {reading.raw}"


def test_error_of_an_attempt_without_a_code_is_a_warning_without_one():
    for result in items(read(with_attempts({**failed(1), "error": {}}))).values():
        (warning,) = result.warnings
        assert (warning.tag, warning.text) == (None, None)
        assert result.decision == "inconclusive"


@pytest.mark.parametrize("status", [200, 204])
def test_deletion_may_be_200_or_204(status):
    deletion = BACKEND.read_reply(DeleteRequest(record=RECORD), json_reply(b"", status))
    assert deletion.state == "done"
    assert deletion.face_kept is False


# A portrait

GONE = json_reply({"error": {"code": "NotFound", "message": "It is not there."}}, 404)


@pytest.mark.parametrize(
    "replies",
    [
        pytest.param([json_reply(published.READING), GONE], id="it is gone"),
        pytest.param([json_reply(with_attempts(attempt(1, sessionImageId=None)))], id="not kept"),
    ],
)
def test_missing_portrait_does_not_change_the_verdict(replies):
    request = ReadRequest(record=ALONE, with_portrait=True)
    (check,) = BACKEND.read_reply(request, *replies).checks
    assert check.result.is_live
    assert check.portrait is None


def test_no_portrait_is_asked_for_if_nobody_was_live():
    request = ReadRequest(record=ALONE, with_portrait=True)
    reading = BACKEND.read_reply(request, json_reply(with_attempts(attempt(1, "spoofface"))))
    assert isinstance(reading, SessionReading)


def test_no_portrait_is_asked_for_without_the_wish():
    assert isinstance(read(published.READING, ALONE), SessionReading)

"""What Azure's answers about a session mean, by Microsoft's own examples, and against the mock."""

import datetime as dt
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import azure_liveness as published
from kit.azure_liveness import attempt, failed, with_attempts
from kit.cards import CARDS as EVERY_CARD
from kit.fakes import picture

import facematch_core as fm
from facematch_azure import AzureBackend, AzureSessionOptions, OperationMode
from facematch_core import models
from facematch_core.backend import DeleteRequest, ReadRequest, StartRequest
from facematch_core.backend.session_types import DeletionState, SessionRecord, SessionState
from facematch_core.http import HttpReply
from facematch_mock_server import Fault, Kind, MockServer, Stage, VirtualClock, card_sheet

HOME = "https://contoso.cognitiveservices.azure.com"
BACKEND = AzureBackend(api_key="secret-azure-key", base_url=HOME)
BOTH = (fm.Operation.MATCH, fm.Operation.LIVENESS)
NOW = dt.datetime.now(dt.UTC)
RECORD = SessionRecord(
    backend="azure",
    subject_ref="customer-17",
    purpose="payout",
    expects=BOTH,
    compared_with="given",
    planned_at=NOW,
    started_at=NOW,
    expires_at=NOW + dt.timedelta(hours=1),
    session_id=published.SESSION_ID,
)
ALONE = attrs.evolve(RECORD, expects=[fm.Operation.LIVENESS], compared_with=None)
CARDS = card_sheet()
PAYOUT = {"purpose": "payout", "about": None, "max_age_s": 3600.0}


def reply(body, status=200):
    return HttpReply(
        status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode()
    )


def read(body, record=RECORD, **more):
    return BACKEND.read_reply(ReadRequest(record=record), reply(body, **more))


def items(reading):
    return {type(check.result): check.result for check in reading.checks}


def verdicts(reading):
    """Liveness and match, None for what was not reported."""
    results = items(reading)
    return tuple(
        results[kind].decision if kind in results else None
        for kind in (fm.LivenessResult, fm.MatchResult)
    )


# What is sent


def first_request(record, reference=None, options=None):
    request = StartRequest(record=record, reference=reference, options=options)
    return next(BACKEND.start_steps(request))


@pytest.mark.parametrize(("threshold", "fraction"), [(None, 0.5), (55.3, 0.553), (100, 1.0)])
def test_start_with_a_reference_is_a_form_with_its_threshold(threshold, fraction):
    options = AzureSessionOptions(
        operation_mode="PassiveActive", model_version="2024-11-15", enable_session_image=True
    )
    record = attrs.evolve(RECORD, threshold=threshold)
    request = first_request(record, picture(), options)
    assert request.url == f"{HOME}/face/v1.2/detectLivenessWithVerify-sessions"
    assert float(request.fields["verifyConfidenceThreshold"]) == fraction
    assert request.fields["livenessOperationMode"] == OperationMode.PASSIVE_ACTIVE
    assert request.fields["livenessModelVersion"] == "2024-11-15"
    assert request.fields["enableSessionImage"] == "true"
    (file,) = request.files
    assert (file.name, file.filename, file.data) == (
        "verifyImage", "verifyImage.jpg", picture().data,
    )  # fmt: skip


@pytest.mark.parametrize("lost", ["authToken", "sessionId"])
def test_unreadable_start_is_charged(lost):
    for body in ({**published.START, lost: None}, {**published.START, lost: 7}):
        answer = BACKEND.read_reply(StartRequest(record=ALONE), reply(body))
        assert isinstance(answer, fm.errors.UnexpectedResponse)
        assert answer.billing.charged is fm.Charged.YES


# What is read


def test_examples_of_a_result_are_read():
    """Live, by attempt 2 in place of 1; the session's own word, NotStarted, decides nothing."""
    alone, compared = read(published.READING, ALONE), read(published.READING_WITH_VERIFY)
    for reading in (alone, compared):
        assert (reading.state, reading.vendor_status) == (SessionState.DECIDED, "NotStarted")
        assert reading.has_begun
    assert verdicts(alone) == (fm.LivenessDecision.LIVE, None)
    assert verdicts(compared) == (fm.LivenessDecision.LIVE, fm.Decision.NO_MATCH)
    assert items(compared)[fm.MatchResult].score.value == 8.871888
    assert (alone.compared_with, compared.compared_with) == ("unknown", "given")


def test_raw_hides_token_hashes_and_boxes():
    reading = read(published.READING_WITH_VERIFY)
    assert reading.way_in.token.reveal() == published.TOKEN
    text = json.dumps(reading.raw)
    result = published.READING_WITH_VERIFY["results"]["attempts"][0]["result"]
    for hidden in (published.TOKEN, result["digest"], result["verifyImageHash"], "Rectangle"):
        assert hidden not in text
        assert hidden not in repr(reading)
    assert "FaceWithMaskDetected" in text


@given(st.permutations([attempt(1), failed(2), attempt(3, "spoofface"), attempt(10, "uncertain")]))
def test_attempt_with_the_highest_id_decides_in_any_order(attempts):
    assert verdicts(read(with_attempts(*attempts[:]))) == ("inconclusive", "match")
    others = [each for each in attempts if each["attemptId"] != 10]
    assert verdicts(read(with_attempts(*others))) == ("not_live", "match")


@given(st.floats(0, 1), st.booleans(), st.none() | st.floats(0, 100))
def test_verdict_that_contradicts_its_confidence_is_review(confidence, identical, threshold):
    record = attrs.evolve(RECORD, threshold=threshold)
    match = items(read(with_attempts(attempt(1, "realface", confidence, identical)), record))[
        fm.MatchResult
    ]
    passes = match.score.value >= (50 if threshold is None else threshold)
    expected = fm.Decision.MATCH if identical else fm.Decision.NO_MATCH
    assert match.decision is (expected if passes is identical else fm.Decision.REVIEW)
    assert match.vendor_status == f"isIdentical: {str(identical).lower()}"


def test_missing_comparison_is_inconclusive():
    reading = read(with_attempts(attempt(1, verifyResult=None)))
    assert verdicts(reading) == ("live", "inconclusive")


LATE = attrs.evolve(RECORD, expires_at=NOW)
NOBODY = attempt(3, "realface")
NOBODY["result"] = None


@pytest.mark.parametrize(
    ("attempts", "word", "record", "state"),
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
        ([failed(2, "Canceled"), attempt(1)], "Running", RECORD, "canceled"),
        ([failed(2, "Running"), attempt(1)], "Succeeded", RECORD, "pending"),
        ([{**attempt(2), "attemptStatus": "Running"}], "Running", RECORD, "pending"),
        ([{**attempt(2), "error": failed(2)["error"]}], "Succeeded", RECORD, "unknown"),
        ([failed(2, "Lost"), attempt(1)], "Succeeded", RECORD, "unknown"),
        ([failed(1, "Succeeded")], "Succeeded", RECORD, "unknown"),
        ([NOBODY], "Succeeded", RECORD, "unknown"),
    ],
)
def test_only_a_finished_attempt_gives_a_verdict(attempts, word, record, state):
    reading = read(with_attempts(*attempts, status=word), record)
    assert (reading.state, reading.vendor_status) == (state, word)
    assert reading.has_begun is (word == "Running" or bool(attempts))
    if attempts and state != "decided":
        assert verdicts(reading) == ("inconclusive", "inconclusive")
    assert (reading.way_in.token is None) is (record is LATE)


def test_error_of_an_attempt_is_a_warning_of_both_checks():
    for result in items(read(with_attempts(failed(4)))).values():
        (warning,) = result.warnings
        assert (warning.tag, warning.advice) == ("FaceWithMaskDetected", models.Advice.RETAKE_PHOTO)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {**published.READING, "results": None},
        {**published.READING, "status": None},
        {**published.READING, "authToken": None},
        with_attempts(attempt("1")),
        with_attempts(attempt(1), attempt(1, "spoofface")),
        with_attempts(attempt(1, identical="true")),
        with_attempts(attempt(1, confidence=1.01)),
        with_attempts(attempt(1, confidence=None)),
        with_attempts(attempt(1, word=7)),
        with_attempts({**attempt(1), "attemptStatus": None}),
        with_attempts({**failed(1), "error": {}}),
    ],
)
def test_unreadable_result_hides_its_token(body):
    answer = read(body)
    assert isinstance(answer, fm.errors.UnexpectedResponse)
    assert answer.billing.charged is fm.Charged.NO
    assert published.TOKEN not in f"{answer!r} {answer}"


@pytest.mark.parametrize("session_id", ["..", "a/b", "", "é", None, "x?y", "x" * 201])
def test_id_with_a_path_is_refused(session_id):
    for ask in (ReadRequest, DeleteRequest):
        with pytest.raises(fm.InvalidRequest):
            BACKEND.read_reply(ask(record=attrs.evolve(RECORD, session_id=session_id)))


@pytest.mark.parametrize("status", [200, 204])
def test_deletion_may_be_200_or_204(status):
    deletion = BACKEND.read_reply(DeleteRequest(record=RECORD), reply(b"", status))
    assert (deletion.state, deletion.face_kept) == (DeletionState.DONE, False)


# Against the mock


@pytest.fixture
def mock():
    with MockServer(vendor="azure", clock=VirtualClock()) as served:
        yield served


@pytest.fixture
def connect(mock, at_end):
    def connect(**more):
        return at_end.enter_context(
            fm.open_sessions(
                "azure",
                api_key=mock.live_key,
                base_url=mock.url,
                require_environment="mock",
                clock=mock.clock,
                **more,
            )
        )

    return connect


@pytest.fixture
def sessions(connect):
    return connect()


@pytest.fixture
def alone(connect):
    return connect(expects=["liveness"])


def start(sessions, reference="p1", **options):
    record = sessions.plan("customer-17", purpose="payout")
    return sessions.start(
        record,
        reference=CARDS[reference].data if record.compared_with else None,
        options=AzureSessionOptions(**options) if options else None,
    )


@pytest.mark.parametrize(
    ("reference", "card", "is_verified"),
    [
        ("p1", "p1-again", True),
        ("p1", "p2", False),
        ("p1", "attack", False),
        (None, "p1", True),
        (None, "not-live", False),
        (None, "liveness-none", False),
    ],
)
def test_person_after_a_failed_attempt(mock, connect, reference, card, is_verified):
    sessions = connect(expects=["match", "liveness"] if reference else ["liveness"])
    session = start(sessions, reference)
    played = mock.control.sessions
    played.fail_attempt(session.record.session_id)
    assert sessions.read(session.record).state == "pending"
    assert sessions.read(session.record, with_way_in=True).way_in.token == session.way_in.token
    played.finish(session.record.session_id, EVERY_CARD[card])
    result = sessions.read(session.record)
    assert result.state == "decided"
    assert result.is_verified_for("customer-17", **PAYOUT) is is_verified
    is_compared = "not_reported" not in [warning.tag for warning in result.match.warnings]
    assert is_compared is (reference is not None)


def test_portrait_needs_a_live_person_and_the_option(mock, alone):
    for card, is_kept, has_portrait in (
        ("p1-again", True, True),
        ("p1-again", False, False),
        ("not-live", True, False),
    ):
        session = start(alone, enable_session_image=is_kept)
        mock.control.sessions.finish(session.record.session_id, EVERY_CARD[card])
        result = alone.read(session.record, with_portrait=True)
        assert (result.portrait is not None) is has_portrait
        if has_portrait:
            assert result.portrait.data == EVERY_CARD[card]
    paths = [entry.path for entry in mock.control.journal()]
    assert sum("sessionImages" in path for path in paths) == 1


def test_missing_portrait_leaves_the_verdict(mock, alone):
    session = start(alone, enable_session_image=True)
    mock.control.sessions.finish(session.record.session_id, "p1")
    rule = {"stage": Stage.ANSWER, "kind": Kind.STATUS, "status": 404}
    mock.control.add_fault(Fault(path="/face/v1.2/sessionImages", **rule))
    result = alone.read(session.record, with_portrait=True)
    assert (result.liveness.is_live, result.portrait) == (True, None)


def test_deleted_session_is_not_found_and_old_one_is_gone(mock, sessions):
    deleted, old = start(sessions), start(sessions)
    assert sessions.delete(deleted.record).state is DeletionState.DONE
    assert sessions.delete(deleted.record).state is DeletionState.NOT_THERE
    with pytest.raises(fm.SessionNotFound):
        sessions.read(deleted.record)
    mock.control.advance(3601)
    assert sessions.read(old.record).state == "expired"
    assert sessions.read(old.record, with_way_in=True).way_in is None
    mock.control.advance(48 * 3600)
    assert sessions.read(old.record).state == "gone"

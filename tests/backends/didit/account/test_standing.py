"""Every status of a session and of a feature: none but approved in approved is ever a pass."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import Decision, LivenessDecision
from facematch_didit import wire
from facematch_didit.account import SessionStatus, session_decision
from facematch_didit.records import NEW_STATUSES, OPEN, STATUS_WORDS, STATUSES, standing

SESSION_WORDS = [
    "Not Started",
    "In Progress",
    "Awaiting User",
    "In Review",
    "Approved",
    "Declined",
    "Resubmitted",
    "Expired",
    "Kyc Expired",
    "Abandoned",
]
FEATURE_WORDS = ["Not Finished", "Approved", "Declined", "In Review", "Resub Requested"]

#: What a comparison with a good score is, by the word of its feature, in an approved session.
IN_APPROVED = {
    "Not Finished": Decision.INCONCLUSIVE,
    "Approved": Decision.MATCH,
    # Declined by nothing that the answer tells: the score alone is no ground to overrule it.
    "Declined": Decision.NO_MATCH,
    "In Review": Decision.REVIEW,
    "Resub Requested": Decision.REVIEW,
    "Something New": Decision.REVIEW,
}


def test_the_tables_are_whole():
    """Every word of the documents has its line, and every status of ours too."""
    assert sorted(STATUSES) == sorted(SESSION_WORDS)
    assert set(STATUS_WORDS) == set(SessionStatus) - {SessionStatus.OTHER}
    assert set(NEW_STATUSES) <= set(STATUS_WORDS)
    assert set(SessionStatus) > OPEN


@pytest.mark.parametrize(("feature", "expected"), IN_APPROVED.items())
def test_a_feature_in_an_approved_session(feature, expected, answers):
    """The word of the feature decides how far its score is heard."""
    body = answers["decision_match"]
    body["face_matches"][0]["status"] = feature
    (result,) = session_decision(body).results
    assert result.decision is expected
    assert result.vendor_status == feature


@pytest.mark.parametrize(
    ("session", "feature"),
    [*itertools.product([*SESSION_WORDS, "Something New"], [*FEATURE_WORDS, "Something New"])],
)
def test_a_pass_needs_both_words(session, feature, answers):
    """Of all pairs of words one makes a match, and one makes a face live."""
    for name, block, good in (
        ("decision_match", "face_matches", Decision.MATCH),
        ("decision_liveness", "liveness_checks", LivenessDecision.LIVE),
    ):
        body = answers[name]
        body["status"] = session
        body[block][0] |= {"status": feature, "score": 99.0, "warnings": []}
        (result,) = session_decision(body).results
        both = session == feature == "Approved"
        assert (result.decision is good) is both


@pytest.mark.parametrize("session", sorted({*SESSION_WORDS, "Something New"} - {"Approved"}))
def test_a_pass_that_is_held_back_says_why(session, answers):
    """REVIEW, with the score that was measured and a warning of ours."""
    body = answers["decision_match"] | {"status": session}
    (result,) = session_decision(body).results
    assert result.decision is Decision.REVIEW
    assert result.score.value == 87.36
    assert result.vendor_status == "Approved"
    (warning,) = result.warnings
    assert warning.tag is None
    assert "not approved" in warning.text


def test_an_approved_session_makes_no_match(answers):
    """A person who approves the session does not change what was measured."""
    body = answers["decision_liveness"] | {"status": "Approved"}
    (result,) = session_decision(body).results
    assert result.decision is LivenessDecision.NOT_LIVE


@pytest.mark.parametrize(("word", "status"), STATUSES.items())
def test_the_session_keeps_its_word(word, status, answers):
    """Ours beside Didit's; only some of them wait for somebody."""
    decision = session_decision(answers["decision_match"] | {"status": word})
    assert (decision.status, decision.vendor_status) == (status, word)
    assert decision.is_open is (
        word in {"Not Started", "In Progress", "Awaiting User", "In Review", "Resubmitted"}
    )


def test_an_unknown_status_is_kept(answers):
    """It is nobody's turn, as far as anybody knows."""
    decision = session_decision(answers["decision_match"] | {"status": "Suspended"})
    assert (decision.status, decision.vendor_status) == (SessionStatus.OTHER, "Suspended")
    assert not decision.is_open


@given(st.sampled_from(Decision), st.text(max_size=20), st.sampled_from(SessionStatus))
def test_standing_never_improves(decision, feature, session):
    """Nothing but a match is ever told as a match, and nothing is turned into "no"."""
    told = standing(wire.MATCH, decision, feature=feature, session=session)
    assert told is not Decision.MATCH or decision is Decision.MATCH
    assert told is not Decision.NO_MATCH or decision is Decision.NO_MATCH

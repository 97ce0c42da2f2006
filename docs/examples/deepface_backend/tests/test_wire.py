"""What is read from an answer 200, whatever is in it."""

from typing import Any

import pytest
from facematch_core import Decision, LivenessDecision, Threshold, ThresholdRule, ThresholdSource
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.testing import noise
from hypothesis import given
from hypothesis import strategies as st

from facematch_deepface import _wire

MODEL = _wire.Model(name="Facenet512", metric="cosine")
GOOD = {
    "verified": True,
    "distance": 0.11,
    "confidence": 93.5,
    "model": "Facenet512",
    "similarity_metric": "cosine",
}

#: Anything that JSON can hold where one value is expected.
VALUES = st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers())
ANSWERS = st.fixed_dictionaries(
    {key: st.just(value) | VALUES for key, value in GOOD.items()}
    | {"confidence": st.floats(0, 100) | VALUES, "distance": st.floats(0, 2) | VALUES}
)


def match_call(value: float = 50.0) -> MatchCall:
    threshold = Threshold(value, ThresholdRule.AT_LEAST, ThresholdSource.CALLER)
    return MatchCall(probe=noise(), reference=noise(1), threshold=threshold)


@given(ANSWERS, st.floats(0, 100))
def test_a_match_is_verified_and_reaches_the_threshold(body: dict[str, Any], value: float) -> None:
    """Whatever else comes is no match, or cannot be read."""
    try:
        result = _wire.match_result(match_call(value), body, MODEL)
    except (TypeError, ValueError):
        return
    passed = body["verified"] is True and body["confidence"] >= value
    assert (result.decision is Decision.MATCH) == passed
    assert result.score is not None
    assert result.score.value == body["confidence"]
    assert result.score.raw == body["distance"]


@pytest.mark.parametrize("missing", GOOD)
def test_what_is_missing_is_not_made_up(missing: str) -> None:
    """A result that rests on a default would be ours, not the server's."""
    body = {key: value for key, value in GOOD.items() if key != missing}
    with pytest.raises(LookupError):
        _wire.match_result(match_call(), body, MODEL)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("confidence", None),
        ("confidence", True),
        ("confidence", "93.5"),
        ("confidence", 250.0),
        ("distance", -0.5),
        ("verified", 1),
        ("model", "VGG-Face"),
        ("similarity_metric", "euclidean"),
    ],
)
def test_what_is_not_as_documented_is_refused(key: str, value: object) -> None:
    """Neither is a score what merely looks like one, nor one of another model."""
    with pytest.raises((TypeError, ValueError)):
        _wire.match_result(match_call(), {**GOOD, key: value}, MODEL)


def test_a_threshold_below_the_cut_lets_nobody_in() -> None:
    """A model without a formula gives every mismatch the same 49."""
    body = {**GOOD, "verified": False, "distance": 0.7, "confidence": 49.0}
    result = _wire.match_result(match_call(40), body, MODEL)
    assert result.decision is Decision.NO_MATCH
    assert result.warnings == (_wire.OWN_CUT,)


def test_without_detection_a_person_looks() -> None:
    """What was found to be alike may be two walls."""
    model = _wire.Model(name="Facenet512", metric="cosine", is_enforced=False)
    result = _wire.match_result(match_call(), GOOD, model)
    assert result.decision is Decision.REVIEW
    assert result.warnings == (_wire.NOT_ENFORCED,)


def test_liveness_meets_no_threshold() -> None:
    """There is no number to hold against one, so that a person looks."""
    threshold = Threshold(50, ThresholdRule.AT_LEAST, ThresholdSource.CALLER)
    held = _wire.liveness_result(LivenessCall(probe=noise(), threshold=threshold), GOOD, MODEL)
    free = _wire.liveness_result(LivenessCall(probe=noise()), GOOD, MODEL)
    assert (held.decision, free.decision) == (LivenessDecision.REVIEW, LivenessDecision.LIVE)


@given(ANSWERS)
def test_live_is_a_picture_that_is_like_itself(body: dict[str, Any]) -> None:
    """Any other answer is not that of the check that was asked for."""
    try:
        result = _wire.liveness_result(LivenessCall(probe=noise()), body, MODEL)
    except (TypeError, ValueError):
        return
    assert result.decision is LivenessDecision.LIVE
    assert body["verified"] is True

"""Decisions by verdict, score and threshold."""

import pytest
from kit.fakes import match_call, together

import facematch_core as fm
from facematch_deepvue.wire import RATES

LOW = fm.WarningCode.LOW_SIMILARITY
UNAVAILABLE = fm.WarningCode.SCORE_UNAVAILABLE
NO_THRESHOLD = fm.WarningCode.THRESHOLD_UNKNOWN
CONFLICT = fm.WarningCode.THRESHOLD_CONFLICT
SUSPICIOUS = fm.WarningCode.SCALE_SUSPICIOUS
NOT_SIMILAR = fm.WarningCode.SCORE_NOT_SIMILARITY
MATCH, NO_MATCH, REVIEW = fm.Decision.MATCH, fm.Decision.NO_MATCH, fm.Decision.REVIEW
LIVE, NOT_LIVE = fm.LivenessDecision.LIVE, fm.LivenessDecision.NOT_LIVE
LOW_LIVE = fm.WarningCode.LOW_LIVENESS
PERCENT = {"liveness_score_scale": "percent"}

SET = {"confidence_scale": "percent"}
SIMILAR = SET | {"confidence_meaning": "similarity"}
OF_DECISION = SET | {"confidence_meaning": "decision"}

#: Settings, verdict, number, threshold; then decision, score, codes of the warnings.
ROWS = [
    # Deepvue says no: nothing makes a match of it.
    (SIMILAR, False, 12, 60, NO_MATCH, 12, {LOW}),
    (SIMILAR, False, 60, 60, NO_MATCH, 60, {LOW, CONFLICT}),
    (SIMILAR, False, 97, 60, NO_MATCH, 97, {LOW, CONFLICT}),
    (SIMILAR, False, None, 0, NO_MATCH, None, {LOW}),
    # The number may be the confidence in the mismatch.
    (SET, False, 97, 60, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    (OF_DECISION, False, 97, 60, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    # Deepvue says yes: the caller's threshold may say no.
    (SET, True, 98, 60, MATCH, 98, set()),
    (SET, True, 60, 60, MATCH, 60, set()),
    (SET, True, 59.99, 60, NO_MATCH, 59.99, {LOW}),
    (SET, True, 0, 0, MATCH, 0, set()),
    (OF_DECISION, True, 98, 60, MATCH, 98, set()),
    (SET, True, None, 60, REVIEW, None, {UNAVAILABLE}),
    (SET, True, None, 0, REVIEW, None, {UNAVAILABLE}),
    # Without a threshold Deepvue's verdict counts.
    (SET, True, 98, None, MATCH, 98, {NO_THRESHOLD}),
    (SET, True, None, None, MATCH, None, {NO_THRESHOLD, UNAVAILABLE}),
    # An unknown scale gives no score.
    ({"confidence_scale": "unknown"}, True, 98, 60, REVIEW, None, {UNAVAILABLE}),
    ({"confidence_scale": "unknown"}, True, 98, None, MATCH, None, {NO_THRESHOLD, UNAVAILABLE}),
    ({"confidence_scale": "unknown"}, False, 98, 60, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    # The scale is not set.
    ({}, True, 98, 60, MATCH, 98, {fm.WarningCode.SCALE_ASSUMED}),
    ({}, False, 98, 60, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    # A fraction is read as one only if the setting says so.
    ({"confidence_scale": "fraction"}, True, 0.29, 29, MATCH, 29, set()),
    ({"confidence_scale": "fraction"}, True, 1, 100, MATCH, 100, set()),
    (SET, True, 0.98, 60, NO_MATCH, 0.98, {LOW, SUSPICIOUS}),
    (SET, True, 1, None, MATCH, 1, {NO_THRESHOLD, SUSPICIOUS}),
    (SET, False, 0.98, 60, NO_MATCH, None, {LOW, NOT_SIMILAR, SUSPICIOUS}),
    (SET, True, 1.01, 1, MATCH, 1.01, set()),
    (SET, True, "98", 60, MATCH, 98, {fm.WarningCode.OTHER}),
    # Checks of a live face.
    ({}, True, 91, None, LIVE, None, {NO_THRESHOLD, UNAVAILABLE}),
    ({}, True, 91, 50, fm.LivenessDecision.REVIEW, None, {UNAVAILABLE}),
    ({}, False, 91, 50, NOT_LIVE, None, {LOW_LIVE}),
    (PERCENT, True, None, 50, fm.LivenessDecision.REVIEW, None, {UNAVAILABLE}),
    (PERCENT, True, 50, 50, LIVE, 50, set()),
    (PERCENT, True, 49, 50, NOT_LIVE, 49, {LOW_LIVE}),
    (PERCENT, False, 91, 50, NOT_LIVE, 91, {LOW_LIVE, CONFLICT}),
    ({"liveness_score_scale": "fraction"}, True, 0.5, 50, LIVE, 50, set()),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[:-1]))  # a set has no fixed order
def test_decision_follows_match_and_confidence(parsed, row):
    settings, yes, value, threshold, decision, score, codes = row
    is_live = isinstance(decision, fm.LivenessDecision)
    data = {"is_live": yes, "score": value} if is_live else {"match": yes, "confidence": value}
    result = parsed(data, threshold=threshold, **settings)
    assert result.decision is decision
    assert (None if result.score is None else result.score.value) == score
    assert {warning.code for warning in result.warnings} == codes
    if result.score is not None:
        assert result.score.raw == float(value)
        assert result.score.source == ("configured" if settings else "assumed")
    assert result.raw["data"] == data
    # A graver warning would turn a pass into a review.
    assert {warning.severity for warning in result.warnings} <= {"warning", "information"}


def test_a_backend_declares_what_its_settings_say(open_backend):
    settings = {"confidence_scale": "percent", "liveness_score_scale": "fraction"}
    settings |= {"max_file_bytes": 1000, "plan": "growth"}
    can, unknown = (
        open_backend(**of).capabilities for of in (settings, {"confidence_scale": "unknown"})
    )
    assert (unknown.score_scale, can.score_scale) == (None, "deepvue/v1")
    assert (unknown.liveness_scale, can.liveness_scale) == (None, "deepvue/liveness-check")
    assert (can.image_limits.max_bytes, can.rate_windows) == (1000, RATES["growth"])


def test_assumed_scale_is_logged_once_for_each_backend(open_backend, deepvue, caplog):
    for backend in (open_backend(), open_backend()):
        caplog.clear()
        for _ in range(3):
            together(2, lambda backend=backend: backend.match(match_call()))
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("facematch", "WARNING")
        assert "confidence_scale" in record.getMessage()
    caplog.clear()
    open_backend(confidence_scale="percent").match(match_call())
    deepvue.set_answers("/v1/facematch", (200, {"data": {"match": True}}))
    open_backend().match(match_call())  # without a number nothing is assumed
    assert not caplog.records


@pytest.mark.parametrize("scale", ["percent", "fraction"])
def test_ends_of_a_scale_are_valid(parsed, scale):
    most = 100 if scale == "percent" else 1
    for number, value in ((0, 0), (most, 100)):
        result = parsed({"match": True, "confidence": number}, confidence_scale=scale)
        assert result.score == fm.Score(value, "deepvue/v1")
    for value in (-0.01, most + 0.01):
        with pytest.raises(fm.UnexpectedResponse, match="cannot be read"):
            parsed({"match": True, "confidence": value}, confidence_scale=scale)
        with pytest.raises(fm.UnexpectedResponse, match="cannot be read"):
            parsed({"is_live": True, "score": value}, liveness_score_scale=scale)

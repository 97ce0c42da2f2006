"""Decisions by verdict, score and threshold."""

import pytest
from kit.fakes import match_call, together

import facematch_core as fm
from facematch_deepvue.wire import RATES

LOW = fm.WarningCode.LOW_SIMILARITY
LOW_LIVE = fm.WarningCode.LOW_LIVENESS
UNAVAILABLE = fm.WarningCode.SCORE_UNAVAILABLE
NO_THRESHOLD = fm.WarningCode.THRESHOLD_UNKNOWN
CONFLICT = fm.WarningCode.THRESHOLD_CONFLICT
SUSPICIOUS = fm.WarningCode.SCALE_SUSPICIOUS
NOT_SIMILAR = fm.WarningCode.SCORE_NOT_SIMILARITY
MATCH = fm.Decision.MATCH
NO_MATCH = fm.Decision.NO_MATCH
REVIEW = fm.Decision.REVIEW
LIVE = fm.LivenessDecision.LIVE
NOT_LIVE = fm.LivenessDecision.NOT_LIVE
LIVE_REVIEW = fm.LivenessDecision.REVIEW

UNSET = {}
PERCENT = {"confidence_scale": "percent"}
FRACTION = {"confidence_scale": "fraction"}
UNKNOWN = {"confidence_scale": "unknown"}
SIMILARITY = {"confidence_scale": "percent", "confidence_meaning": "similarity"}
OF_DECISION = {"confidence_scale": "percent", "confidence_meaning": "decision"}


def check_result(result, *, decision, score, codes):
    assert result.decision is decision
    assert (None if result.score is None else result.score.value) == score
    assert sorted(warning.code for warning in result.warnings) == sorted(codes)
    # A graver warning would turn a pass into a review.
    assert {warning.severity for warning in result.warnings} <= {"warning", "information"}


@pytest.mark.parametrize(
    ("settings", "confidence", "threshold", "decision", "score", "codes"),
    [
        (PERCENT, 98, 60, MATCH, 98, []),
        (PERCENT, 60, 60, MATCH, 60, []),
        # The caller's threshold may say no.
        (PERCENT, 59.99, 60, NO_MATCH, 59.99, [LOW]),
        (PERCENT, 0, 0, MATCH, 0, []),
        (OF_DECISION, 98, 60, MATCH, 98, []),
        (PERCENT, None, 60, REVIEW, None, [UNAVAILABLE]),
        (PERCENT, None, 0, REVIEW, None, [UNAVAILABLE]),
        # Without a threshold Deepvue's verdict counts.
        (PERCENT, 98, None, MATCH, 98, [NO_THRESHOLD]),
        (PERCENT, None, None, MATCH, None, [UNAVAILABLE, NO_THRESHOLD]),
        # An unknown scale gives no score.
        (UNKNOWN, 98, 60, REVIEW, None, [UNAVAILABLE]),
        (UNKNOWN, 98, None, MATCH, None, [UNAVAILABLE, NO_THRESHOLD]),
        (UNSET, 98, 60, MATCH, 98, [fm.WarningCode.SCALE_ASSUMED]),
        # A fraction is read as one only if the setting says so.
        (FRACTION, 0.29, 29, MATCH, 29, []),
        (FRACTION, 1, 100, MATCH, 100, []),
        (PERCENT, 0.98, 60, NO_MATCH, 0.98, [SUSPICIOUS, LOW]),
        (PERCENT, 1, None, MATCH, 1, [SUSPICIOUS, NO_THRESHOLD]),
        (PERCENT, 1.01, 1, MATCH, 1.01, []),
        (PERCENT, "98", 60, MATCH, 98, [fm.WarningCode.OTHER]),
    ],
)
def test_a_match_of_deepvue_needs_the_callers_threshold(  # noqa: PLR0917 - parameters
    parse_match, settings, confidence, threshold, decision, score, codes
):
    result = parse_match({"match": True, "confidence": confidence}, threshold, **settings)
    check_result(result, decision=decision, score=score, codes=codes)
    if score is not None:
        assert result.score.raw == float(confidence)
        assert result.score.source == ("configured" if settings else "assumed")


@pytest.mark.parametrize(
    ("settings", "confidence", "threshold", "score", "codes"),
    [
        (SIMILARITY, 12, 60, 12, [LOW]),
        (SIMILARITY, 60, 60, 60, [LOW, CONFLICT]),
        (SIMILARITY, 97, 60, 97, [LOW, CONFLICT]),
        (SIMILARITY, None, 0, None, [LOW]),
        # The number may be the confidence in the mismatch.
        (PERCENT, 97, 60, None, [NOT_SIMILAR, LOW]),
        (OF_DECISION, 97, 60, None, [NOT_SIMILAR, LOW]),
        (UNKNOWN, 98, 60, None, [NOT_SIMILAR, LOW]),
        (UNSET, 98, 60, None, [NOT_SIMILAR, LOW]),
        (PERCENT, 0.98, 60, None, [SUSPICIOUS, NOT_SIMILAR, LOW]),
    ],
)
def test_nothing_makes_a_match_of_deepvues_no(  # noqa: PLR0917 - parameters
    parse_match, settings, confidence, threshold, score, codes
):
    result = parse_match({"match": False, "confidence": confidence}, threshold, **settings)
    check_result(result, decision=NO_MATCH, score=score, codes=codes)


@pytest.mark.parametrize(
    ("scale", "is_live", "number", "threshold", "decision", "score", "codes"),
    [
        (None, True, 91, None, LIVE, None, [UNAVAILABLE, NO_THRESHOLD]),
        (None, True, 91, 50, LIVE_REVIEW, None, [UNAVAILABLE]),
        (None, False, 91, 50, NOT_LIVE, None, [LOW_LIVE]),
        ("percent", True, None, 50, LIVE_REVIEW, None, [UNAVAILABLE]),
        ("percent", True, 50, 50, LIVE, 50, []),
        ("percent", True, 49, 50, NOT_LIVE, 49, [LOW_LIVE]),
        ("percent", False, 91, 50, NOT_LIVE, 91, [LOW_LIVE, CONFLICT]),
        ("fraction", True, 0.5, 50, LIVE, 50, []),
    ],
)
def test_liveness_follows_the_verdict_and_the_callers_threshold(  # noqa: PLR0917 - parameters
    parse_liveness, scale, is_live, number, threshold, decision, score, codes
):
    settings = {} if scale is None else {"liveness_score_scale": scale}
    data = {"is_live": is_live, "score": number}
    result = parse_liveness(data, threshold, **settings)
    check_result(result, decision=decision, score=score, codes=codes)
    assert result.raw["data"] == data


def test_a_backend_declares_what_its_settings_say(open_backend):
    backend = open_backend(
        confidence_scale="percent",
        liveness_score_scale="fraction",
        max_file_bytes=1000,
        plan="growth",
    )
    capabilities = backend.capabilities
    assert capabilities.score_scale == "deepvue/v1"
    assert capabilities.liveness_scale == "deepvue/liveness-check"
    assert capabilities.image_limits.max_bytes == 1000
    assert capabilities.rate_windows == RATES["growth"]


def test_a_backend_without_a_known_scale_declares_none(open_backend):
    capabilities = open_backend(confidence_scale="unknown").capabilities
    assert capabilities.score_scale is None
    assert capabilities.liveness_scale is None


def test_assumed_scale_is_logged_once_for_each_backend(open_backend, caplog):
    for backend in (open_backend(), open_backend()):
        caplog.clear()
        for _ in range(3):
            together(2, lambda backend=backend: backend.match(match_call()))
        (record,) = caplog.records
        assert record.name == "facematch"
        assert record.levelname == "WARNING"
        assert "confidence_scale" in record.getMessage()


def test_nothing_is_logged_if_no_scale_is_assumed(open_backend, deepvue, caplog):
    open_backend(confidence_scale="percent").match(match_call())
    deepvue.set_answers("/v1/facematch", (200, {"data": {"match": True}}))
    open_backend().match(match_call())  # without a number nothing is assumed
    assert not caplog.records


@pytest.mark.parametrize(
    ("scale", "number"),
    [("percent", -0.01), ("percent", 100.01), ("fraction", -0.01), ("fraction", 1.01)],
)
def test_number_beyond_its_scale_is_unreadable(parse_match, parse_liveness, scale, number):
    with pytest.raises(fm.UnexpectedResponse, match="cannot be read"):
        parse_match({"match": True, "confidence": number}, confidence_scale=scale)
    with pytest.raises(fm.UnexpectedResponse, match="cannot be read"):
        parse_liveness({"is_live": True, "score": number}, liveness_score_scale=scale)

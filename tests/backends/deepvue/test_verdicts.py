"""Decisions: the table of yes or no, score and threshold, row by row, and what holds for all."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_core import (
    Decision,
    LivenessDecision,
    ScaleSource,
    Score,
    Severity,
    ThresholdRule,
    ThresholdSource,
    WarningCode,
)
from facematch_core.errors import UnexpectedResponse

LOW = WarningCode.LOW_SIMILARITY
UNAVAILABLE = WarningCode.SCORE_UNAVAILABLE
NO_THRESHOLD = WarningCode.THRESHOLD_UNKNOWN
CONFLICT = WarningCode.THRESHOLD_CONFLICT
SUSPICIOUS = WarningCode.SCALE_SUSPICIOUS
NOT_SIMILAR = WarningCode.SCORE_NOT_SIMILARITY
MATCH, NO_MATCH, REVIEW = Decision.MATCH, Decision.NO_MATCH, Decision.REVIEW

SET = {"confidence_scale": "percent"}
SIMILAR = SET | {"confidence_meaning": "similarity"}
OF_DECISION = SET | {"confidence_meaning": "decision"}

#: Settings, match, confidence, threshold; then decision, score, codes of the warnings.
ROWS = [
    # Deepvue says no: nothing makes a match of it.
    (SIMILAR, False, 12, None, NO_MATCH, 12, {LOW}),
    (SIMILAR, False, 12, 60, NO_MATCH, 12, {LOW}),
    (SIMILAR, False, 60, 60, NO_MATCH, 60, {LOW, CONFLICT}),
    (SIMILAR, False, 97, 60, NO_MATCH, 97, {LOW, CONFLICT}),
    (SIMILAR, False, 97, 0, NO_MATCH, 97, {LOW, CONFLICT}),
    (SIMILAR, False, None, 0, NO_MATCH, None, {LOW}),
    # And the number may be the confidence in the mismatch.
    (SET, False, 97, None, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    (SET, False, 97, 60, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    (OF_DECISION, False, 97, 60, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    (SET, False, None, None, NO_MATCH, None, {LOW}),
    # Deepvue says yes: the caller's threshold may say no.
    (SET, True, 98, 60, MATCH, 98, set()),
    (SET, True, 60, 60, MATCH, 60, set()),
    (SET, True, 59.99, 60, NO_MATCH, 59.99, {LOW}),
    (SET, True, 0, 60, NO_MATCH, 0, {LOW}),
    (SET, True, 0, 0, MATCH, 0, set()),
    (OF_DECISION, True, 98, 60, MATCH, 98, set()),
    (SET, True, None, 60, REVIEW, None, {UNAVAILABLE}),
    (SET, True, None, 0, REVIEW, None, {UNAVAILABLE}),
    # Without a threshold its word stands alone.
    (SET, True, 98, None, MATCH, 98, {NO_THRESHOLD}),
    (SET, True, 3, None, MATCH, 3, {NO_THRESHOLD}),
    (SET, True, None, None, MATCH, None, {NO_THRESHOLD, UNAVAILABLE}),
    # Of an unknown scale there is no score.
    ({"confidence_scale": "unknown"}, True, 98, 60, REVIEW, None, {UNAVAILABLE}),
    ({"confidence_scale": "unknown"}, True, 98, None, MATCH, None, {NO_THRESHOLD, UNAVAILABLE}),
    ({"confidence_scale": "unknown"}, False, 98, 60, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    # Nobody has set the scale.
    ({}, True, 98, 60, MATCH, 98, {WarningCode.SCALE_ASSUMED}),
    ({}, False, 98, 60, NO_MATCH, None, {LOW, NOT_SIMILAR}),
    ({}, True, None, 60, REVIEW, None, {UNAVAILABLE}),
    # A fraction is one only if somebody says so.
    ({"confidence_scale": "fraction"}, True, 0.98, 98, MATCH, 98, set()),
    ({"confidence_scale": "fraction"}, True, 0.29, 29, MATCH, 29, set()),
    ({"confidence_scale": "fraction"}, True, 1, 100, MATCH, 100, set()),
    (SET, True, 0.98, 60, NO_MATCH, 0.98, {LOW, SUSPICIOUS}),
    (SET, True, 1, None, MATCH, 1, {NO_THRESHOLD, SUSPICIOUS}),
    (SET, False, 0.98, 60, NO_MATCH, None, {LOW, NOT_SIMILAR, SUSPICIOUS}),
    ({}, True, 0.98, 60, NO_MATCH, 0.98, {LOW, WarningCode.SCALE_ASSUMED, SUSPICIOUS}),
    ({"confidence_scale": "unknown"}, True, 0.98, 60, REVIEW, None, {UNAVAILABLE}),
    (SET, True, 1.01, 1, MATCH, 1.01, set()),
    (SET, True, "98", 60, MATCH, 98, {WarningCode.OTHER}),
]


def named(row):
    """A row without its set, whose order is another one in each process."""
    return str(row[:-1])


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_every_row_of_a_comparison(parsed, row):
    """What is decided, on which score, and what is said beside it."""
    settings, match, told, threshold, decision, score, codes = row
    data = {"match": match, "confidence": told}
    result = parsed(data, threshold=threshold, **settings)
    assert result.decision is decision
    assert (None if result.score is None else result.score.value) == score
    assert {warning.code for warning in result.warnings} == codes
    if result.score is not None:
        assert result.score.raw == float(told)
    assert result.raw["data"] == data
    # A warning of such a weight would turn a match into a case for review.
    assert not {w.severity for w in result.warnings} & {Severity.ERROR, Severity.UNKNOWN}


LIVE, NOT_LIVE = LivenessDecision.LIVE, LivenessDecision.NOT_LIVE
LOW_LIVE = WarningCode.LOW_LIVENESS
PERCENT = {"liveness_score_scale": "percent"}


@pytest.mark.parametrize(
    "row",
    [
        ({}, True, None, None, LIVE, None, {NO_THRESHOLD, UNAVAILABLE}),
        ({}, True, 91, None, LIVE, None, {NO_THRESHOLD, UNAVAILABLE}),
        ({}, True, 91, 50, LivenessDecision.REVIEW, None, {UNAVAILABLE}),
        ({}, False, None, None, NOT_LIVE, None, {LOW_LIVE}),
        ({}, False, 91, 50, NOT_LIVE, None, {LOW_LIVE}),
        (PERCENT, True, None, 50, LivenessDecision.REVIEW, None, {UNAVAILABLE}),
        (PERCENT, True, 50, 50, LIVE, 50, set()),
        (PERCENT, True, 49, 50, NOT_LIVE, 49, {LOW_LIVE}),
        (PERCENT, False, 49, 50, NOT_LIVE, 49, {LOW_LIVE}),
        (PERCENT, False, 91, 50, NOT_LIVE, 91, {LOW_LIVE, CONFLICT}),
        ({"liveness_score_scale": "fraction"}, True, 0.5, 50, LIVE, 50, set()),
    ],
    ids=named,
)
def test_every_row_of_a_liveness_check(parsed, row):
    """The same table; a score only if its scale is set."""
    settings, live, told, threshold, decision, score, codes = row
    result = parsed({"is_live": live, "score": told}, threshold=threshold, **settings)
    assert result.decision is decision
    assert (None if result.score is None else result.score.value) == score
    assert {warning.code for warning in result.warnings} == codes
    if result.score is not None:
        assert result.score.raw == told


DENIED = "Deepvue says that the faces do not match."
REACHED = "Deepvue says no, although the score 97.5 reaches the threshold 60."
BELOW = "Deepvue says yes, but the score 59.5 is below the threshold 60."
UNSCORED = "Deepvue says yes without a score that could be held against a threshold."


#: Settings, match, confidence, threshold; then what is told.
TOLD = [
    (SIMILAR, False, 12, None, [DENIED]),
    (SIMILAR, False, 12, 60, [DENIED]),
    (SIMILAR, False, None, None, [DENIED]),
    (SIMILAR, False, None, 60, [DENIED]),
    (SIMILAR, False, 97.5, 60, [DENIED, REACHED]),
    (SET, True, 59.5, 60, [BELOW]),
    (SET, True, None, 60, [UNSCORED]),
]


@pytest.mark.parametrize("row", TOLD, ids=named)
def test_what_is_told_beside_a_decision(parsed, row):
    """In order, each with the numbers that it speaks of."""
    settings, match, told, threshold, texts = row
    result = parsed({"match": match, "confidence": told}, threshold=threshold, **settings)
    assert [warning.text for warning in result.warnings] == texts
    assert {warning.severity for warning in result.warnings} == {Severity.WARNING}


def test_a_verdict_alone_is_no_fault(parsed):
    """Without a threshold it is told what decided, as information."""
    (told,) = parsed({"match": True, "confidence": 98}, **SET).warnings
    assert (told.code, told.severity) == (NO_THRESHOLD, Severity.INFORMATION)
    assert told.text.startswith("No threshold was set")
    (denied,) = parsed({"is_live": False, "score": None}).warnings
    assert denied.text == "Deepvue says that the face is not live."


def test_how_the_scale_is_known(parsed):
    """Assumed unless it is set, and of no scale at all without a score."""
    data = {"match": True, "confidence": 98}
    assert parsed(data).score.source is ScaleSource.ASSUMED
    assert parsed(data, **SET).score.source is ScaleSource.CONFIGURED
    assert parsed(data, confidence_scale="unknown").score is None
    assert parsed({"match": True, "confidence": None}).score is None


def test_whose_threshold(parsed):
    """The caller's, at least; else Deepvue's own, of which nothing is known."""
    data = {"match": True, "confidence": 98}
    ours, theirs = parsed(data, threshold=60).threshold, parsed(data).threshold
    assert (ours.value, ours.rule, ours.source) == (
        60,
        ThresholdRule.AT_LEAST,
        ThresholdSource.CALLER,
    )
    assert (theirs.value, theirs.rule, theirs.source) == (
        None,
        ThresholdRule.VENDOR,
        ThresholdSource.VENDOR,
    )


def test_every_doubt_says_what_it_is(parsed):
    """Each in a sentence, with its weight: an assumption is information, the rest a warning."""
    told = [
        parsed({"match": True, "confidence": 98}, threshold=60),
        parsed({"match": False, "confidence": 98}),
        parsed({"match": True, "confidence": "0.5"}, threshold=0, **SET),
    ]
    doubts = {w.code: (w.severity, w.text) for result in told for w in result.warnings}
    expected = {
        WarningCode.SCALE_ASSUMED: (Severity.INFORMATION, "percent is assumed"),
        LOW: (Severity.WARNING, "the faces do not match"),
        NOT_SIMILAR: (Severity.WARNING, "that in the mismatch"),
        SUSPICIOUS: (Severity.WARNING, "0.5 is read as percent"),
        WarningCode.OTHER: (Severity.WARNING, "as text"),
    }
    assert set(doubts) == set(expected)
    for code, (severity, words) in expected.items():
        assert doubts[code][0] is severity
        assert words in doubts[code][1]


NUMBERS = st.one_of(st.none(), st.floats(-10, 110), st.integers(-10, 110))
SETTINGS = st.fixed_dictionaries(
    {
        "confidence_scale": st.sampled_from([None, "percent", "fraction", "unknown"]),
        "confidence_meaning": st.sampled_from(["similarity", "decision", "unknown"]),
    }
)
ORDER = {MATCH: 2, REVIEW: 1, NO_MATCH: 0}


@given(match=st.booleans(), told=NUMBERS, settings=SETTINGS, threshold=st.floats(0, 100))
def test_a_threshold_only_tightens(parsed, match, told, settings, threshold):
    """Whatever the number: with a threshold nobody passes who would not without."""
    data = {"match": match, "confidence": told}
    try:
        free = parsed(data, **settings)
    except UnexpectedResponse:
        assume(False)
    held = parsed(data, threshold=threshold, **settings)
    assert ORDER[held.decision] <= ORDER[free.decision]
    assert (held.decision is MATCH) == (
        match and held.score is not None and held.score.value >= threshold
    )
    if not match:
        assert held.decision is free.decision is NO_MATCH


@given(low=st.floats(0, 100), high=st.floats(0, 100), told=st.floats(0, 100))
def test_a_higher_threshold_is_no_easier(parsed, low, high, told):
    """Who passes the higher one passes the lower one."""
    low, high = sorted((low, high))
    data = {"match": True, "confidence": told}
    if parsed(data, threshold=high).decision is MATCH:
        assert parsed(data, threshold=low).decision is MATCH


@pytest.mark.parametrize("scale", ["percent", "fraction"])
def test_the_ends_of_a_scale_are_on_it(parsed, scale):
    """And nothing beyond them: it is neither clamped nor read on another scale."""
    most = 100 if scale == "percent" else 1
    for told, value in ((0, 0), (most, 100)):
        assert parsed({"match": True, "confidence": told}, confidence_scale=scale).score == Score(
            value, "deepvue/v1"
        )
    for told in (-0.01, most + 0.01):
        with pytest.raises(UnexpectedResponse, match="cannot be read"):
            parsed({"match": True, "confidence": told}, confidence_scale=scale)
        with pytest.raises(UnexpectedResponse, match="cannot be read"):
            parsed({"is_live": True, "score": told}, liveness_score_scale=scale)


@given(raw=st.floats(0, 1))
def test_fractions_are_exact_decimals(parsed, raw):
    """As many hundredths as the number has in writing, for 0.29 is 29."""

    def percent(told):
        return parsed({"match": True, "confidence": told}, confidence_scale="fraction").score.value

    assert percent(raw) == pytest.approx(raw * 100)
    hundredths = round(raw * 100)
    assert percent(hundredths / 100) == hundredths


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
ODD = st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from([200, None, 500, "200", True]) | JSON,
        "sub_code": st.sampled_from(["SUCCESS", None, "NO_RECORDS_FOUND"]) | JSON,
        "transaction_id": JSON,
        "timestamp": JSON | st.integers(),
        "message": JSON,
        "data": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "match": st.booleans() | JSON,
                "confidence": NUMBERS | JSON,
                "error_code": st.none() | JSON,
            },
        ),
    },
)


@given(body=ODD | JSON, threshold=st.none() | st.floats(0, 100), settings=SETTINGS)
def test_any_answer_is_a_result_or_one_error(parsed, body, threshold, settings):
    """However odd the JSON: a match only of `match: true` in a success."""
    try:
        result = parsed(body=body, threshold=threshold, **settings)
    except UnexpectedResponse:
        return
    data = body["data"]
    assert body.get("code") in (None, 200)
    assert body.get("sub_code") in (None, "SUCCESS")
    assert data.get("error_code") is None
    assert isinstance(data["match"], bool)
    assert data["match"] or result.decision is NO_MATCH

"""The rules that hold for every backend."""

import itertools

import attrs
import pytest
from fakes import SCALE, FakeBackend, liveness_result, match_result, picture
from hypothesis import given
from hypothesis import strategies as st
from strategies import liveness_results, match_results, percentages, thresholds

from facematch_core import (
    Decision,
    Demographics,
    Face,
    FaceVerifier,
    LiveMatchDecision,
    LiveMatchResult,
    LivenessDecision,
    ResultWarning,
    Score,
    Severity,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    WarningCode,
)
from facematch_core._policy import check_score, review
from facematch_core.models import ends_early

PASSES = (Decision.MATCH, LivenessDecision.LIVE)
any_result = match_results | liveness_results


def above(value):
    return Threshold(value, ThresholdRule.ABOVE, ThresholdSource.CALLER)


@given(any_result, st.none() | percentages.map(above))
def test_review_only_ever_takes_a_pass_away(result, limit):
    """Whatever is reviewed, nothing becomes a pass and nothing but a pass changes."""
    after = review(result, limit)
    if result.decision in PASSES:
        assert after.decision in (result.decision, type(result.decision).REVIEW)
    else:
        assert after.decision is result.decision


@given(percentages, percentages)
def test_the_edge_of_the_review_threshold(score, limit):
    """A pass at the review threshold is reviewed, above it it stands."""
    after = review(match_result(score=Score(score, SCALE)), above(limit))
    assert after.decision is (Decision.MATCH if score > limit else Decision.REVIEW)


def test_a_pass_without_a_score_is_reviewed():
    """No number is not a high number."""
    assert review(match_result(), above(10)).decision is Decision.REVIEW


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("code", [WarningCode.OTHER, WarningCode.PRESENTATION_ATTACK])
def test_a_pass_with_a_grave_warning_is_reviewed(code, severity):
    """Vendors decline because of such a warning, so the answer contradicts itself."""
    result = match_result(warnings=(ResultWarning(code=code, severity=severity, tag="NEW_RISK"),))
    grave = severity in (Severity.ERROR, Severity.UNKNOWN)
    after = review(result, None)
    assert after.decision is (Decision.REVIEW if grave else Decision.MATCH)
    assert after.warnings == result.warnings


@given(any_result, st.none() | thresholds, st.none() | thresholds)
def test_a_pass_that_its_score_does_not_bear_out_is_not_believed(result, told, asked):
    """Below the threshold that is told or asked for, or without a score: REVIEW, with a warning."""
    result = attrs.evolve(result, threshold=told)
    after = check_score(result, asked)
    values = [t.value for t in (told, asked) if t is not None and t.value is not None]
    fine = not values or (result.score is not None and result.score.value >= max(values))
    if result.decision in PASSES and not fine:
        assert after.decision is type(result.decision).REVIEW
        missing = result.score is None
        code = WarningCode.SCORE_UNAVAILABLE if missing else WarningCode.THRESHOLD_CONFLICT
        assert code in {warning.code for warning in after.warnings}
    else:
        assert after == result


def test_demographics_go_from_both_pictures():
    """The reference is a person too."""
    face = Face(demographics=Demographics(age=31))
    given = match_result(probe_faces=(face,), reference_faces=(face,))
    after = FaceVerifier(FakeBackend(script=[given])).verify(picture(), picture((1, 2, 3)))
    assert (after.probe_faces, after.reference_faces) == ((Face(),), (Face(),))


def test_a_decision_follows_from_its_parts():
    """Nobody is let in by a document, or a program, that says more than its parts."""
    with pytest.raises(ValueError, match="does not follow"):
        LiveMatchResult(
            decision=LiveMatchDecision.VERIFIED,
            liveness=liveness_result(LivenessDecision.NOT_LIVE),
        )
    document = LiveMatchResult.of(liveness_result(LivenessDecision.NOT_LIVE), None).to_dict()
    with pytest.raises(ValueError, match="Not a LiveMatchResult"):
        LiveMatchResult.from_dict({**document, "decision": "verified"})


@pytest.mark.parametrize(
    ("live", "match"), list(itertools.product(LivenessDecision, [None, *Decision]))
)
def test_both_together(live, match):
    """VERIFIED needs both; what ends early needs no comparison; else the worse one stands."""
    liveness = liveness_result(live)
    compared = None if match is None else match_result(match)
    early = live in (LivenessDecision.NOT_LIVE, LivenessDecision.INCONCLUSIVE)
    assert ends_early(liveness) is early
    if match is None and not early:
        with pytest.raises(ValueError, match="Without a comparison"):
            LiveMatchResult.of(liveness, None)
        return
    result = LiveMatchResult.of(liveness, compared)
    assert result.is_verified is (live is LivenessDecision.LIVE and match is Decision.MATCH)
    if live is LivenessDecision.NOT_LIVE:
        assert result.decision is LiveMatchDecision.NOT_LIVE
    elif match is Decision.NO_MATCH:
        assert result.decision is LiveMatchDecision.NO_MATCH
    elif live is LivenessDecision.INCONCLUSIVE or match is Decision.INCONCLUSIVE:
        assert result.decision is LiveMatchDecision.INCONCLUSIVE
    elif live is LivenessDecision.REVIEW or match is Decision.REVIEW:
        assert result.decision is LiveMatchDecision.REVIEW

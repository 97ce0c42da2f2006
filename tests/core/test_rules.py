"""The rules that hold for every backend."""

import datetime as dt
import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import SCALE, FakeBackend, liveness_result, match_result, picture
from kit.strategies import liveness_results, match_results, percentages, thresholds

import facematch_core as fm
from facematch_core.models import ends_early

PASSES = (fm.Decision.MATCH, fm.LivenessDecision.LIVE)
any_result = match_results | liveness_results


def above(value):
    return fm.Threshold(value, fm.ThresholdRule.ABOVE, fm.ThresholdSource.CALLER)


def judged(result, asked=None, limit=None):
    """The result as a call with these thresholds would have had it."""
    match = isinstance(result, fm.MatchResult)
    call = fm.CallRecord(
        id="a call",
        operation=fm.Operation.MATCH if match else fm.Operation.LIVENESS,
        backend="fake",
        started_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        kept=False,
        threshold=asked,
        review_threshold=limit,
    )
    ids = attrs.evolve(result.ids, call=call.id)
    return fm.judge(attrs.evolve(result, ids=ids), call)


@given(any_result, st.none() | percentages.map(above))
def test_review_only_ever_takes_a_pass_away(result, limit):
    """Whatever is reviewed, nothing becomes a pass and nothing but a pass changes."""
    after = judged(result, limit=limit)
    if result.decision in PASSES:
        assert after.decision in (result.decision, type(result.decision).REVIEW)
    else:
        assert after.decision is result.decision


@given(percentages, percentages)
def test_the_edge_of_the_review_threshold(score, limit):
    """A pass at the review threshold is reviewed, above it it stands."""
    after = judged(match_result(score=fm.Score(score, SCALE)), limit=above(limit))
    assert after.decision is (fm.Decision.MATCH if score > limit else fm.Decision.REVIEW)


def test_a_pass_without_a_score_is_reviewed():
    """No number is not a high number."""
    assert judged(match_result(), limit=above(10)).decision is fm.Decision.REVIEW


@pytest.mark.parametrize("severity", fm.Severity)
@pytest.mark.parametrize("code", [fm.WarningCode.OTHER, fm.WarningCode.PRESENTATION_ATTACK])
def test_a_pass_with_a_grave_warning_is_reviewed(code, severity):
    """Vendors decline because of such a warning, so the answer contradicts itself."""
    result = match_result(
        warnings=(fm.ResultWarning(code=code, severity=severity, tag="NEW_RISK"),)
    )
    grave = severity in (fm.Severity.ERROR, fm.Severity.UNKNOWN)
    after = judged(result)
    assert after.decision is (fm.Decision.REVIEW if grave else fm.Decision.MATCH)
    assert after.warnings == result.warnings


@given(any_result, st.none() | thresholds, st.none() | thresholds)
def test_a_pass_that_its_score_does_not_bear_out_is_not_believed(result, told, asked):
    """Below the threshold that is told or asked for, or without a score: REVIEW, with a warning."""
    result = attrs.evolve(result, threshold=told)
    after = judged(result, asked)
    values = [t.value for t in (told, asked) if t is not None and t.value is not None]
    fine = not values or (result.score is not None and result.score.value >= max(values))
    if result.decision in PASSES and not fine:
        assert after.decision is type(result.decision).REVIEW
        missing = result.score is None
        code = fm.WarningCode.SCORE_UNAVAILABLE if missing else fm.WarningCode.THRESHOLD_CONFLICT
        assert code in {warning.code for warning in after.warnings}
    elif not any(warning.severity.is_grave for warning in result.warnings):
        assert (after.decision, after.warnings) == (result.decision, result.warnings)


def test_demographics_go_from_both_pictures():
    """The reference is a person too."""
    face = fm.Face(demographics=fm.Demographics(age=31))
    given = match_result(probe_faces=(face,), reference_faces=(face,))
    after = fm.FaceVerifier(FakeBackend(script=[given])).verify(picture(), picture((1, 2, 3)))
    assert (after.probe_faces, after.reference_faces) == ((fm.Face(),), (fm.Face(),))


def test_a_decision_follows_from_its_parts():
    """Nobody is let in by a document, or a program, that says more than its parts."""
    with pytest.raises(ValueError, match="does not follow"):
        fm.LiveMatchResult(
            decision=fm.LiveMatchDecision.VERIFIED,
            liveness=liveness_result(fm.LivenessDecision.NOT_LIVE),
        )
    document = fm.LiveMatchResult.of(liveness_result(fm.LivenessDecision.NOT_LIVE), None).to_dict()
    with pytest.raises(ValueError, match="Not a LiveMatchResult"):
        fm.LiveMatchResult.from_dict({**document, "decision": "verified"})


@pytest.mark.parametrize("decision", list(fm.LiveMatchDecision))
def test_only_a_check_and_a_comparison_are_joined(decision):
    """Words of both are equal as text, and neither result is taken for the other."""
    check, comparison = liveness_result(), match_result()
    for parts in (
        {"liveness": comparison},
        {"liveness": check, "match": check},
        {"liveness": comparison, "match": check},
    ):
        with pytest.raises(ValueError, match="Only a LivenessResult"):
            fm.LiveMatchResult(decision=decision, **parts)


@pytest.mark.parametrize(
    ("live", "match"), list(itertools.product(fm.LivenessDecision, [None, *fm.Decision]))
)
def test_both_together(live, match):
    """VERIFIED needs both; what ends early needs no comparison; else the worse one stands."""
    liveness = liveness_result(live)
    compared = None if match is None else match_result(match)
    early = live in (fm.LivenessDecision.NOT_LIVE, fm.LivenessDecision.INCONCLUSIVE)
    assert ends_early(liveness) is early
    if match is None and not early:
        with pytest.raises(ValueError, match="Without a comparison"):
            fm.LiveMatchResult.of(liveness, None)
        return
    result = fm.LiveMatchResult.of(liveness, compared)
    assert result.is_verified is (live is fm.LivenessDecision.LIVE and match is fm.Decision.MATCH)
    if live is fm.LivenessDecision.NOT_LIVE:
        assert result.decision is fm.LiveMatchDecision.NOT_LIVE
    elif match is fm.Decision.NO_MATCH:
        assert result.decision is fm.LiveMatchDecision.NO_MATCH
    elif live is fm.LivenessDecision.INCONCLUSIVE or match is fm.Decision.INCONCLUSIVE:
        assert result.decision is fm.LiveMatchDecision.INCONCLUSIVE
    elif live is fm.LivenessDecision.REVIEW or match is fm.Decision.REVIEW:
        assert result.decision is fm.LiveMatchDecision.REVIEW

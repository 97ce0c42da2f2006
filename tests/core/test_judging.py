import itertools
import pickle

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kit.fakes import PROBE, REFERENCE, SCALE, FakeBackend, liveness_result, match_result
from kit.strategies import liveness_results, match_results, percentages, thresholds

import facematch_core as fm
from facematch_core import models
from facematch_core.call.verdict import apply_rules
from facematch_core.models import ends_early
from facematch_core.testing import ManualClock

MOCK = fm.Environment.MOCK
PRODUCTION = fm.Environment.PRODUCTION
SANDBOX = fm.Environment.SANDBOX
PAID = fm.Billing(fm.Charged.YES, "said", 2)


def at_least(value):
    return fm.Threshold(value, models.ThresholdRule.AT_LEAST, models.ThresholdSource.CALLER)


def scored(value, **more):
    return match_result(score=fm.Score(value, SCALE), billing=PAID, **more)


def verified(answer, backend=None, **more):
    options = {name: more.pop(name) for name in ("threshold", "metadata") if name in more}
    backend = backend or FakeBackend(environment=more.pop("environment", PRODUCTION))
    backend.script = [answer]
    return fm.FaceVerifier(backend, **more).verify(PROBE, REFERENCE, caller_ref="case 7", **options)


def called(**facts):
    usual = {
        "id": "a-1",
        "operation": fm.Operation.MATCH,
        "backend": "fake",
        "retention": fm.Retention.KEEP,
    }
    return fm.CallRecord(**{**usual, "started_at": ManualClock().now(), **facts})


def test_unusable_result_is_still_charged():
    answer = attrs.evolve(scored(80), ids=models.Ids(vendor="v-1"))
    events = []
    object.__setattr__(answer, "probe_faces", 5)
    with pytest.raises(fm.UnexpectedResponse) as at:
        verified(answer, on_event=events.append)
    assert (at.value.billing, at.value.ids.vendor) == (PAID, "v-1")
    assert events[-1].kind is fm.EventKind.CHARGED


@pytest.mark.parametrize(
    ("declared", "source", "required"),
    [
        (PRODUCTION, MOCK, None),
        (PRODUCTION, SANDBOX, PRODUCTION),
        (None, MOCK, PRODUCTION),
        (None, None, PRODUCTION),
    ],
)
def test_result_from_another_environment_is_attached_to_the_error(declared, source, required):
    possible = {"environments": frozenset({PRODUCTION, MOCK})}
    kind = type("Anywhere", (FakeBackend,), possible)
    events = []
    result = scored(80, environment=source, ids=models.Ids(vendor="v-1"))
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        backend = kind(environment=declared)
        verified(result, backend, require_environment=required, on_event=events.append)
    error = caught.value
    assert (error.environment, error.billing) == (source, PAID)
    assert error.ids == error.result.ids
    assert (error.ids.vendor, error.call.id) == ("v-1", error.ids.call)
    assert error.result.score == result.score
    assert pickle.loads(pickle.dumps(error)).call == error.call
    assert source is None or not any(event.counts for event in events)


# The rules that hold for every backend

PASSES = (fm.Decision.MATCH, fm.LivenessDecision.LIVE)
any_result = match_results | liveness_results


def above(value):
    return fm.Threshold(value, models.ThresholdRule.ABOVE, models.ThresholdSource.CALLER)


def judged(result, threshold=None, limit=None):
    """The result as a call with these thresholds would have had it."""
    match = isinstance(result, fm.MatchResult)
    operation = fm.Operation.MATCH if match else fm.Operation.LIVENESS
    call = called(operation=operation, threshold=threshold, review_threshold=limit)
    return apply_rules(attrs.evolve(result, ids=attrs.evolve(result.ids, call=call.id)), call)


@given(any_result, st.none() | percentages.map(above))
def test_review_threshold_only_turns_passes_into_reviews(result, limit):
    after = judged(result, limit=limit)
    if result.decision in PASSES:
        assert after.decision in (result.decision, type(result.decision).REVIEW)
    else:
        assert after.decision is result.decision


@given(percentages, percentages)
def test_match_at_the_review_threshold_or_without_a_score_is_reviewed(score, limit):
    after = judged(match_result(score=fm.Score(score, SCALE)), limit=above(limit))
    assert after.decision is (fm.Decision.MATCH if score > limit else fm.Decision.REVIEW)
    assert judged(match_result(), limit=above(limit)).decision is fm.Decision.REVIEW


@pytest.mark.parametrize("severity", models.Severity)
@pytest.mark.parametrize("code", [fm.WarningCode.OTHER, fm.WarningCode.PRESENTATION_ATTACK])
@pytest.mark.parametrize("passing", [match_result(), liveness_result()], ids=["match", "liveness"])
def test_pass_with_a_severe_warning_is_reviewed(passing, code, severity):
    """Vendors decline because of such a warning, so the answer contradicts itself."""
    warning = fm.ResultWarning(code=code, severity=severity, tag="NEW_RISK")
    after = judged(attrs.evolve(passing, warnings=(warning,)))
    grave = severity in (models.Severity.ERROR, models.Severity.UNKNOWN)
    assert after.decision is (type(passing.decision).REVIEW if grave else passing.decision)
    assert after.warnings == (warning,)


@given(any_result, st.none() | thresholds, st.none() | thresholds)
@example(scored(60), None, at_least(60))
@example(scored(60), at_least(50), at_least(70))
def test_pass_below_the_threshold_becomes_a_review(result, got, threshold):
    result = attrs.evolve(result, threshold=got)
    after = judged(result, threshold)
    assert after.warnings[: len(result.warnings)] == result.warnings
    added = after.warnings[len(result.warnings) :]
    assert all(warning.severity is models.Severity.ERROR for warning in added) or not result.score
    again = judged(attrs.evolve(result, warnings=after.warnings), threshold)
    assert (again.decision, again.warnings) == (after.decision, after.warnings)
    values = [t.value for t in (got, threshold) if t is not None and t.value is not None]
    fine = not values or (result.score is not None and result.score.value >= max(values))
    if result.decision in PASSES and not fine:
        assert after.decision is type(result.decision).REVIEW
        missing = result.score is None
        code = fm.WarningCode.SCORE_UNAVAILABLE if missing else fm.WarningCode.THRESHOLD_CONFLICT
        assert code in {warning.code for warning in after.warnings}
    elif not any(warning.severity.is_grave for warning in result.warnings):
        is_silent = not result.warnings and result.score is None
        warnings = result.warnings
        if is_silent and result.decision.name == "INCONCLUSIVE":
            warnings = (fm.backend.SCORE_UNAVAILABLE,)
        assert (after.decision, after.warnings) == (result.decision, warnings)


def test_live_match_decision_must_follow_from_both_results():
    with pytest.raises(ValueError):
        fm.LiveMatchResult(
            decision=fm.LiveMatchDecision.VERIFIED,
            liveness=liveness_result(fm.LivenessDecision.NOT_LIVE),
        )
    document = fm.LiveMatchResult.of(liveness_result(fm.LivenessDecision.NOT_LIVE), None).to_dict()
    with pytest.raises(ValueError):
        fm.LiveMatchResult.from_dict({**document, "decision": "verified"})


@pytest.mark.parametrize(
    "make",
    [
        lambda: fm.Billing(fm.Charged.NO, charges=1),
        lambda: fm.Billing(fm.Charged.YES, charges=0),
        lambda: fm.LiveMatchResult.of(match_result(), None),
        lambda: fm.backend.SessionCapabilities(checks=frozenset({fm.Operation.MATCH})),
        lambda: fm.Reconciliation(outcome=models.Reconciled.FOUND, call=None, reason=""),
    ],
)
def test_contradictory_models_are_refused(make):
    with pytest.raises(ValueError):
        make()


def test_live_match_lists_liveness_warnings_first():
    dark = fm.ResultWarning(code=fm.WarningCode.TOO_DARK)
    far = fm.ResultWarning(code=fm.WarningCode.LOW_SIMILARITY)
    liveness = attrs.evolve(liveness_result(fm.LivenessDecision.LIVE), warnings=(dark,))
    compared = attrs.evolve(match_result(fm.Decision.NO_MATCH), warnings=(far,))
    assert fm.LiveMatchResult.of(liveness, compared).warnings == (dark, far)
    ended = attrs.evolve(liveness, decision=fm.LivenessDecision.INCONCLUSIVE)
    assert fm.LiveMatchResult.of(ended, None).warnings == (dark,)


@pytest.mark.parametrize(
    ("live", "match"), list(itertools.product(fm.LivenessDecision, [None, *fm.Decision]))
)
def test_live_match_decision_for_every_combination(live, match):
    liveness = liveness_result(live)
    compared = None if match is None else match_result(match)
    early = live in (fm.LivenessDecision.NOT_LIVE, fm.LivenessDecision.INCONCLUSIVE)
    assert ends_early(liveness) is early
    if match is None and not early:
        with pytest.raises(ValueError):
            fm.LiveMatchResult.of(liveness, None)
        return
    result = fm.LiveMatchResult.of(liveness, compared)
    # Whoever logs `result.ids.call` finds the last call that was made.
    assert result.ids is (liveness if compared is None else compared).ids
    assert str(liveness) in str(result)
    assert compared is None or str(compared) in str(result)
    assert "\n" not in str(result)
    for environment, is_said in ((None, False), ("production", False), ("sandbox", True)):
        told = attrs.evolve(liveness, environment=environment and fm.Environment(environment))
        assert ("from sandbox" in str(told), "from" in str(told)) == (is_said, is_said)
    assert result.is_verified is (live is fm.LivenessDecision.LIVE and match is fm.Decision.MATCH)
    if live is fm.LivenessDecision.NOT_LIVE:
        assert result.decision is fm.LiveMatchDecision.NOT_LIVE
    elif match is fm.Decision.NO_MATCH:
        assert result.decision is fm.LiveMatchDecision.NO_MATCH
    elif live is fm.LivenessDecision.INCONCLUSIVE or match is fm.Decision.INCONCLUSIVE:
        assert result.decision is fm.LiveMatchDecision.INCONCLUSIVE
    elif live is fm.LivenessDecision.REVIEW or match is fm.Decision.REVIEW:
        assert result.decision is fm.LiveMatchDecision.REVIEW


def test_threshold_without_a_value_does_not_reject_a_score():
    unknown = fm.Threshold(None, models.ThresholdRule.VENDOR, models.ThresholdSource.VENDOR)
    assert apply_rules(
        match_result(ids=models.Ids(call="a-1"), threshold=unknown), called()
    ).is_match
    got = verified(scored(40, threshold=unknown), threshold=90)
    assert got.decision is fm.Decision.REVIEW

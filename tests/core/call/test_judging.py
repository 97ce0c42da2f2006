import pickle

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kit.attempts import new_record
from kit.fakes import PROBE, REFERENCE, SCALE, FakeBackend, liveness_result, match_result
from kit.strategies import liveness_results, match_results, percentages, thresholds

import facematch_core as fm
from facematch_core import models
from facematch_core.call.verdict import apply_rules
from facematch_core.models import ends_early

MOCK = fm.Environment.MOCK
PRODUCTION = fm.Environment.PRODUCTION
SANDBOX = fm.Environment.SANDBOX
PAID = fm.Billing(fm.Charged.YES, "said", 2)


def at_least(value):
    return fm.Threshold(value, models.ThresholdRule.AT_LEAST, models.ThresholdSource.CALLER)


def scored(value, **fields):
    return match_result(score=fm.Score(value, SCALE), billing=PAID, **fields)


def verified(answer, backend=None, **settings):
    backend = backend or FakeBackend()
    backend.script = [answer]
    return fm.FaceVerifier(backend, **settings).verify(PROBE, REFERENCE, caller_ref="case 7")


def test_unusable_result_is_still_charged():
    answer = attrs.evolve(scored(80), ids=models.Ids(vendor="v-1"))
    events = []
    object.__setattr__(answer, "probe_faces", 5)
    with pytest.raises(fm.UnexpectedResponse) as caught:
        verified(answer, on_event=events.append)
    assert (caught.value.billing, caught.value.ids.vendor) == (PAID, "v-1")
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
    backend_class = type("Anywhere", (FakeBackend,), possible)
    events = []
    result = scored(80, environment=source, ids=models.Ids(vendor="v-1"))
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        backend = backend_class(environment=declared)
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
    is_match = isinstance(result, fm.MatchResult)
    operation = fm.Operation.MATCH if is_match else fm.Operation.LIVENESS
    call = new_record(operation=operation, threshold=threshold, review_threshold=limit)
    return apply_rules(attrs.evolve(result, ids=attrs.evolve(result.ids, call=call.id)), call)


@given(any_result, st.none() | percentages.map(above))
def test_review_threshold_only_turns_passes_into_reviews(result, limit):
    decisions = [result.decision]
    if result.decision in PASSES:
        decisions.append(type(result.decision).REVIEW)
    assert judged(result, limit=limit).decision in decisions


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
    judged_again = judged(attrs.evolve(result, warnings=after.warnings), threshold)
    assert (judged_again.decision, judged_again.warnings) == (after.decision, after.warnings)
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


LIVE = fm.LivenessDecision
ENDS_EARLY = (LIVE.NOT_LIVE, LIVE.INCONCLUSIVE)


@pytest.mark.parametrize("match", fm.Decision)
@pytest.mark.parametrize("live", LIVE)
def test_live_match_decision_for_every_combination(live, match):
    liveness = liveness_result(live)
    compared = match_result(match)
    assert ends_early(liveness) is (live in ENDS_EARLY)
    result = fm.LiveMatchResult.of(liveness, compared)
    # Whoever logs `result.ids.call` finds the last call that was made.
    assert result.ids is compared.ids
    assert str(liveness) in str(result)
    assert str(compared) in str(result)
    assert "\n" not in str(result)
    assert result.is_verified is (live is LIVE.LIVE and match is fm.Decision.MATCH)
    if live is LIVE.NOT_LIVE:
        assert result.decision is fm.LiveMatchDecision.NOT_LIVE
    elif match is fm.Decision.NO_MATCH:
        assert result.decision is fm.LiveMatchDecision.NO_MATCH
    elif live is LIVE.INCONCLUSIVE or match is fm.Decision.INCONCLUSIVE:
        assert result.decision is fm.LiveMatchDecision.INCONCLUSIVE
    elif live is LIVE.REVIEW or match is fm.Decision.REVIEW:
        assert result.decision is fm.LiveMatchDecision.REVIEW


@pytest.mark.parametrize("live", LIVE)
def test_only_a_failed_liveness_check_needs_no_match(live):
    liveness = liveness_result(live)
    if live not in ENDS_EARLY:
        with pytest.raises(ValueError):
            fm.LiveMatchResult.of(liveness, None)
        return
    result = fm.LiveMatchResult.of(liveness, None)
    assert result.decision == live.value
    assert result.ids is liveness.ids
    assert str(liveness) in str(result)


@pytest.mark.parametrize(
    ("environment", "is_said"),
    [(None, False), (fm.Environment.PRODUCTION, False), (fm.Environment.SANDBOX, True)],
)
def test_text_of_a_result_says_that_it_is_from_a_sandbox(environment, is_said):
    text = str(liveness_result(environment=environment))
    assert ("from sandbox" in text) is is_said
    assert ("from" in text) is is_said


def test_threshold_without_a_value_does_not_reject_a_score():
    unknown = fm.Threshold(None, models.ThresholdRule.VENDOR, models.ThresholdSource.VENDOR)
    assert judged(match_result(threshold=unknown)).is_match
    below = judged(scored(40, threshold=unknown), at_least(90))
    assert below.decision is fm.Decision.REVIEW

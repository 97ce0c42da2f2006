from types import MappingProxyType

import attrs
import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import (
    LOST,
    as_decisions,
    crowd,
    system_answers,
    with_columns,
    without_answers,
)

from facematch_comparison.judging.evaluation import evaluate
from facematch_comparison.judging.gate import Conclusion, judge, plan_study
from facematch_comparison.judging.requirements import Requirements, built_in, read_requirements
from facematch_comparison.stats import ENOUGH_FALSE_MATCHES, bounds
from facematch_comparison.stats.rates import exact_upper
from facematch_comparison.values.numbers import upper_percent
from facematch_core import InvalidRequest
from facematch_core.models import ThresholdRule

DOOR = Requirements(name="door", title="Our door", max_fmr=0.01, max_frr=0.05, required_fmr=2e-3)
AS_ASKED = attrs.evolve(DOOR, at="default")


def judged(*systems, requirements=DOOR, at_thresholds=MappingProxyType({}), **options):
    evaluation = evaluate(
        systems,
        required_fmr=requirements.required_fmr,
        confidence=requirements.evaluation_confidence,
        at_thresholds=at_thresholds,
    )
    return judge(evaluation, requirements, **options)


def verdict_of(answers, requirements=DOOR):
    (verdict,) = judged(answers, requirements=requirements).systems
    return verdict


GOOD = crowd("good", mean=85, others=60)
BAD = crowd("bad", mean=45, others=60)


def at_default(mated, rejected, others, accepted):
    """Pairs of as many people, with so many errors at the default threshold."""
    mated_scores = [20] * rejected + [90] * (mated - rejected)
    return system_answers(mated_scores, [60] * accepted + [10] * (others - accepted))


def test_a_pass_needs_both_upper_bounds_within_their_limits():
    verdict = verdict_of(GOOD)
    assert (verdict.outcome, verdict.chosen_on) == (Conclusion.PASS, "evaluation")
    fmr, frr = verdict.rates
    assert (fmr.name, frr.name) == ("fmr", "frr")
    assert fmr.high <= 0.01
    assert frr.high <= 0.05
    for rate in verdict.rates:
        assert f"below {upper_percent(rate.high)} % (limit" in verdict.sentence


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(BAD, id="low scores"),
        # Scores alone would pass; failures to acquire are errors.
        pytest.param(crowd(mean=95, others=60, failures=0.2), id="failures to acquire"),
    ],
)
def test_a_fail_needs_a_lower_bound_beyond_its_limit(answers):
    verdict = verdict_of(answers)
    _fmr, frr = verdict.rates
    assert verdict.outcome is Conclusion.FAIL
    assert frr.low > 0.05


def test_a_threshold_that_is_stricter_than_it_need_be_is_no_fail():
    strict = attrs.evolve(DOOR, required_fmr=1e-4, max_fmr=0.3)
    verdict = verdict_of(crowd(mean=60, others=60), strict)
    _fmr, frr = verdict.rates
    assert (verdict.outcome, frr.outcome) == (Conclusion.INCONCLUSIVE, Conclusion.FAIL)
    assert "another one might meet it" in verdict.sentence


@pytest.mark.parametrize("rate_name", ["fmr", "frr"])
def test_a_bound_that_equals_the_limit_is_within_it(rate_name):
    generous = attrs.evolve(AS_ASKED, max_fmr=0.5, max_frr=0.5)

    def judged_at(limit):
        requirements = attrs.evolve(generous, **{f"max_{rate_name}": float(limit)})
        verdict = verdict_of(at_default(400, 20, 400, 20), requirements)
        (rate,) = (rate for rate in verdict.rates if rate.name == rate_name)
        return rate

    low, high = judged_at(0.5).low, judged_at(0.5).high
    assert judged_at(high).outcome is Conclusion.PASS
    assert judged_at(np.nextafter(high, 0)).outcome is Conclusion.INCONCLUSIVE
    assert judged_at(low).outcome is Conclusion.INCONCLUSIVE
    assert judged_at(np.nextafter(low, 0)).outcome is Conclusion.FAIL


@pytest.mark.parametrize(
    ("fmr_low", "frr_low", "outcome"),
    [
        # Between the points FMR may be as low as at the second, and FRR as low as at the first.
        ((0.5, 0.0), (0.0, 0.5), Conclusion.INCONCLUSIVE),
        ((0.5, 0.02), (0.0, 0.5), Conclusion.FAIL),
        ((0.5, 0.01), (0.05, 0.5), Conclusion.INCONCLUSIVE),
        ((0.5, 0.0), (0.06, 0.5), Conclusion.FAIL),
        # Beyond the last point FMR is no lower than there.
        ((0.5, 0.02), (0.06, 0.04), Conclusion.FAIL),
        ((0.5, 0.0), (0.06, 0.04), Conclusion.INCONCLUSIVE),
    ],
)
def test_other_thresholds_are_searched_between_points_of_the_curve(fmr_low, frr_low, outcome):
    confidence = DOOR.evaluation_confidence
    evaluation = evaluate([BAD], required_fmr=2e-3, confidence=confidence)
    (system,) = evaluation.systems
    curve = attrs.evolve(system.curve, thresholds=(1, 2), fmr_low=fmr_low, frr_low=frr_low)
    evaluation = attrs.evolve(evaluation, systems=(attrs.evolve(system, curve=curve),))
    (verdict,) = judge(evaluation, DOOR).systems
    _fmr, frr = verdict.rates
    assert (verdict.outcome, frr.outcome) == (outcome, Conclusion.FAIL)


PLAN = "facematch compare plan --fmr 0.01 --frr 0.05 --confidence 0.95"


@pytest.mark.parametrize(
    ("answers", "requirements", "plan"),
    [
        pytest.param(at_default(40, 0, 400, 0), AS_ASKED, PLAN, id="too few mated pairs"),
        pytest.param(at_default(100, 0, 200, 0), DOOR, PLAN, id="too few to choose a threshold"),
        # A rate that was seen beyond its limit stays there with more pairs.
        pytest.param(at_default(40, 3, 400, 0), AS_ASKED, None, id="beyond its limit"),
    ],
)
def test_an_inconclusive_verdict_for_lack_of_pairs_names_the_plan(answers, requirements, plan):
    verdict = verdict_of(answers, requirements)
    assert verdict.outcome is Conclusion.INCONCLUSIVE
    assert verdict.plan == plan


@pytest.mark.parametrize(
    ("required_fmr", "fmr"),
    [
        pytest.param(0.001, "0.005", id="a fifth of it is required"),
        pytest.param(0.01, "0.01", id="the limit is lower"),
    ],
)
def test_plan_uses_the_gates_way_of_choosing_thresholds(required_fmr, fmr):
    strict = attrs.evolve(DOOR, required_fmr=required_fmr)
    plan = verdict_of(at_default(100, 0, 100, 0), strict).plan
    assert plan == PLAN.replace("0.01", fmr, 1)


@pytest.mark.parametrize(
    ("requirements", "outcome"),
    [(AS_ASKED, Conclusion.FAIL), (DOOR, Conclusion.PASS)],
    ids=["default", "required_fmr"],
)
def test_a_default_threshold_fails_even_if_another_one_would_pass(requirements, outcome):
    verdict = verdict_of(at_default(400, 60, 600, 0), requirements)
    assert verdict.outcome is outcome
    assert (verdict.chosen_on == "default") == (requirements is AS_ASKED)


@pytest.mark.parametrize("requirements", [DOOR, AS_ASKED], ids=["chosen", "as asked"])
@pytest.mark.parametrize(
    ("threshold", "outcome"),
    [(55, Conclusion.PASS), (40, Conclusion.FAIL), (99, Conclusion.FAIL)],
)
def test_a_fixed_threshold_is_judged_alone(requirements, threshold, outcome):
    """Another threshold might pass, but this one is in production."""
    undecided = with_columns(GOOD, decisions=np.full(len(GOOD), -1, np.int8))
    verdict = judged(undecided, requirements=requirements, at_thresholds={"good": threshold})
    (of_system,) = verdict.systems
    assert (of_system.outcome, of_system.chosen_on) == (outcome, "fixed")
    assert of_system.threshold == threshold


def test_a_verdict_has_the_caveats_that_make_it_doubtful():
    """Most calls of one system failed: they count in no rate, and it passes on the others."""
    lost = without_answers(GOOD, range(1, len(GOOD), 2))
    unnamed = attrs.evolve(lost, people_known=False)
    verdict = judged(unnamed, BAD)
    codes = {caveat.code: caveat.systems for caveat in verdict.caveats}
    assert codes == {"not_answered": ("good",), "people_unknown": ()}
    assert f"{len(GOOD) // 2:,} of" in verdict.caveats[0].text
    assert [caveat.code for caveat in judged(lost, BAD, systems=["bad"]).caveats] == []


GOOD_DECISIONS = as_decisions(GOOD)


@pytest.mark.parametrize(
    ("answers", "requirements", "outcome"),
    [
        pytest.param(GOOD_DECISIONS, DOOR, Conclusion.PASS, id="good"),
        pytest.param(GOOD_DECISIONS, AS_ASKED, Conclusion.PASS, id="good as asked"),
        pytest.param(as_decisions(crowd(mean=40)), DOOR, Conclusion.FAIL, id="bad"),
        pytest.param(
            attrs.evolve(GOOD_DECISIONS, threshold=None), DOOR, Conclusion.PASS, id="not known"
        ),
    ],
)
def test_decisions_are_judged_at_their_one_threshold(answers, requirements, outcome):
    verdict = verdict_of(answers, requirements)
    assert (verdict.outcome, verdict.chosen_on) == (outcome, "default")
    assert verdict.threshold == answers.threshold


@pytest.mark.parametrize(
    ("strangers", "outcome"), [(499, Conclusion.INCONCLUSIVE), (500, Conclusion.PASS)]
)
def test_the_required_fmr_takes_500_pairs_of_strangers(strangers, outcome):
    assert verdict_of(at_default(100, 0, strangers, 0)).outcome is outcome


def test_without_a_comparison_the_reason_is_the_verdict():
    verdict = verdict_of(system_answers([LOST], [LOST]))
    assert (verdict.outcome, verdict.rates) == (Conclusion.INCONCLUSIVE, ())
    assert "It compared no pair" in verdict.sentence


def test_a_system_that_no_threshold_keeps_within_both_limits_fails():
    # 20 pairs of two people have the highest score: nobody gets in without them.
    answers = system_answers(
        [*range(50, 90)] * 10, [10] * 380 + [90] * 20, rule=ThresholdRule.AT_LEAST
    )
    verdict = verdict_of(answers)
    assert (verdict.outcome, verdict.rates, verdict.threshold) == (Conclusion.FAIL, (), None)
    assert verdict.sentence.startswith("a: No threshold keeps both")


def test_a_run_without_decisions_needs_a_threshold_and_not_more_pairs():
    answers = at_default(100, 0, 200, 0)
    undecided = with_columns(answers, decisions=np.full(len(answers), -1, np.int8))
    verdict = verdict_of(undecided, AS_ASKED)
    assert (verdict.outcome, verdict.rates) == (Conclusion.INCONCLUSIVE, ())
    assert "at_thresholds={'a': 'NUMBER'}" in verdict.sentence
    assert "too few" not in verdict.sentence
    assert verdict.plan is None
    at_required_fmr = verdict_of(undecided)
    assert "too few" in at_required_fmr.sentence
    assert at_required_fmr.plan == PLAN


def test_a_run_without_answers_compared_nothing():
    answers = without_answers(at_default(100, 0, 200, 0), slice(None))
    assert "It compared no pair" in verdict_of(answers, AS_ASKED).sentence


def test_reversed_scores_affect_only_their_own_system():
    distances = attrs.evolve(with_columns(GOOD, scores=100 - GOOD.scores), name="wrong")
    good, stopped = judged(GOOD, distances).systems
    assert (good.outcome, stopped.outcome) == (Conclusion.PASS, Conclusion.INCONCLUSIVE)
    assert (stopped.rates, stopped.plan) == ((), None)
    assert "distances" in stopped.sentence


def test_a_rate_without_trials_is_inconclusive():
    answers = without_answers(at_default(59, 0, 20, 0), slice(59, None))
    verdict = verdict_of(answers, AS_ASKED)
    assert (verdict.rates[0].low, verdict.rates[0].high) == (None, None)
    assert verdict.outcome is Conclusion.INCONCLUSIVE


OPEN = attrs.evolve(
    without_answers(GOOD_DECISIONS, np.flatnonzero(~GOOD_DECISIONS.mated)), name="open"
)


@pytest.mark.parametrize(
    ("systems", "outcome"),
    [
        pytest.param([GOOD, attrs.evolve(GOOD, name="two")], Conclusion.PASS, id="all pass"),
        pytest.param([GOOD, BAD], Conclusion.FAIL, id="one fails"),
        pytest.param([GOOD, OPEN], Conclusion.INCONCLUSIVE, id="one is inconclusive"),
        pytest.param([GOOD, OPEN, BAD], Conclusion.FAIL, id="one of each"),
    ],
)
def test_all_systems_must_pass(systems, outcome):
    assert judged(*systems).outcome is outcome


def test_only_the_named_systems_must_pass():
    assert judged(GOOD, BAD, systems=["good"]).outcome is Conclusion.PASS


@pytest.mark.parametrize("requirements", [DOOR, attrs.evolve(AS_ASKED, confidence=0.99)])
def test_an_evaluation_with_other_fmr_or_narrower_intervals_is_refused(requirements):
    with pytest.raises(InvalidRequest):
        judge(evaluate([GOOD], required_fmr=1e-3), requirements)


def test_at_the_default_threshold_the_required_fmr_does_not_matter():
    assert judge(evaluate([GOOD], required_fmr=1e-3), AS_ASKED).outcome is Conclusion.PASS


DOOR_FILE = {"title": "Our door", "max_fmr": 1e-3, "max_frr": 0.02}


@pytest.fixture
def write_door(tmp_path):
    def write(document):
        path = tmp_path / "door.toml"
        path.write_text(tomli_w.dumps(document))
        return path

    return write


def test_sp800_63a_has_its_documented_limits_and_source():
    assert built_in() == ("sp800-63a",)
    requirements = read_requirements("sp800-63a")
    assert requirements.name == "sp800-63a"
    assert (requirements.max_fmr, requirements.max_frr) == (1e-4, 1e-2)
    assert (requirements.at, requirements.confidence) == ("required_fmr", 0.95)
    # Chosen with room to the limit.
    assert requirements.required_fmr == pytest.approx(requirements.max_fmr / 5)
    assert "section 3.11" in requirements.source
    assert "25 % worse" in requirements.leaves_out


def test_requirements_have_defaults(write_door):
    path = write_door(DOOR_FILE)
    expected = Requirements(name="door", **DOOR_FILE, required_fmr=1e-3 / 5)
    assert read_requirements(path) == read_requirements(str(path)) == expected
    assert expected.evaluation_confidence == pytest.approx(0.9)
    assert read_requirements(write_door(without("title"))).title == "door"


@pytest.mark.parametrize(
    "keys",
    [
        {"required_fmr": 1e-3, "at": "default", "confidence": 0.99},
        {"source": "a", "leaves_out": "b"},
    ],
    ids=str,
)
def test_requirements_accept(write_door, keys):
    requirements = read_requirements(write_door(DOOR_FILE | keys))
    assert {key: getattr(requirements, key) for key in keys} == keys


def without(key):
    return {other: value for other, value in DOOR_FILE.items() if other != key}


@pytest.mark.parametrize("key", ["max_fmr", "max_frr"])
def test_requirements_need_both_limits(write_door, key):
    with pytest.raises(InvalidRequest, match=f"missing `{key}`"):
        read_requirements(write_door(without(key)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_fmr", 0),
        ("max_frr", "0.01"),
        ("max_frr", True),
        ("max_frr", float("nan")),
        ("required_fmr", 0.01),
        ("confidence", 0.5),
        ("at", "both"),
        ("max_far", 0.01),
        ("attempts", 5),
    ],
)
def test_a_wrong_key_is_named_with_its_file(write_door, key, value):
    path = write_door(DOOR_FILE | {key: value})
    with pytest.raises(InvalidRequest, match=key) as caught:
        read_requirements(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["sp800-63b", "nothing.toml", ".", "a\0.toml"])
def test_missing_requirements_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest):
        read_requirements(name)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"x = ", id="no TOML"),
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param(b"a = [" * 3000, id="deeply nested"),
        pytest.param(b"#" * ((1 << 20) + 1), id="more than a MiB"),
    ],
)
def test_unreadable_requirements_are_refused(tmp_path, content):
    (tmp_path / "broken.toml").write_bytes(content)
    with pytest.raises(InvalidRequest):
        read_requirements(tmp_path / "broken.toml")


def test_the_gate_judges_a_fixed_threshold():
    evaluation = evaluate(
        [GOOD],
        at_thresholds={"good": 60.0},
        required_fmr=DOOR.required_fmr,
        confidence=DOOR.evaluation_confidence,
    )
    (verdict,) = judge(evaluation, DOOR).systems
    assert (verdict.threshold, verdict.chosen_on) == (60.0, "fixed")
    assert "chosen for" not in verdict.sentence
    fmr, _frr = verdict.rates
    _, upper_bound = bounds(fmr.rate, 0.95)
    assert fmr.high == pytest.approx(upper_bound)


RATES = st.floats(1e-3, 0.5)


@given(fmr=st.floats(1e-4, 0.5), frr=RATES, confidence=st.floats(0.5, 0.99))
def test_planned_numbers_suffice(fmr, frr, confidence):
    for need in plan_study(fmr=fmr, frr=frr, confidence=confidence).needs:
        assert need.non_mated * fmr >= ENOUGH_FALSE_MATCHES * (1 - 1e-9)
        assert exact_upper(need.errors, need.mated, confidence) <= frr * (1 + 1e-9)
        assert exact_upper(need.errors, need.non_mated, confidence) <= fmr * (1 + 1e-9)


@given(fmr=st.floats(1e-4, 0.5), frr=RATES, confidence=st.floats(0.5, 0.99))
def test_no_smaller_numbers_than_the_planned_ones_suffice(fmr, frr, confidence):
    for need in plan_study(fmr=fmr, frr=frr, confidence=confidence).needs:
        if need.mated > need.errors + 1:
            assert exact_upper(need.errors, need.mated - 1, confidence) > frr * (1 - 1e-9)
        # Fewer would not be enough to choose a threshold either.
        is_for_threshold = (need.non_mated - 1) * fmr < ENOUGH_FALSE_MATCHES
        if need.non_mated > need.errors + 1 and not is_for_threshold:
            assert exact_upper(need.errors, need.non_mated - 1, confidence) > fmr * (1 - 1e-9)


@pytest.mark.parametrize("numbers", [{"fmr": 0}, {"frr": 1}, {"confidence": 1.0}], ids=str)
def test_plan_refuses_numbers_out_of_range(numbers):
    with pytest.raises(InvalidRequest):
        plan_study(**{"fmr": 1e-3, "frr": 0.01} | numbers)

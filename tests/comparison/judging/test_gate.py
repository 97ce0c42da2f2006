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
    in_transactions,
    system_answers,
    with_columns,
    without_answers,
)

from facematch_comparison.judging.evaluation import evaluate
from facematch_comparison.judging.gate import Conclusion, judge, plan_study
from facematch_comparison.judging.requirements import Requirements, built_in, read_requirements
from facematch_comparison.scores.answers import Grouping
from facematch_comparison.stats import ENOUGH_FALSE_MATCHES, bounds, exact_upper
from facematch_comparison.values.numbers import upper_percent
from facematch_core import InvalidRequest
from facematch_core.models import ThresholdRule

DOOR = Requirements(name="door", title="Our door", max_fmr=0.01, max_frr=0.05, required_fmr=2e-3)
AS_ASKED = attrs.evolve(DOOR, at="default")


def judged(*answers, requirements=DOOR, **options):
    asked = {"required_fmr": requirements.required_fmr}
    evaluation = evaluate(answers, confidence=requirements.evaluation_confidence, **asked)
    return judge(evaluation, requirements, **options)


def verdict_of(answers, requirements=DOOR, **options):
    (verdict,) = judged(answers, requirements=requirements, **options).systems
    return verdict


def at_default(mated, wrong, others, let_in, **more):
    """Pairs of as many people, of which so many are errors at the default threshold."""
    same = [20] * wrong + [90] * (mated - wrong)
    return system_answers(same, [60] * let_in + [10] * (others - let_in), **more)


def test_a_pass_needs_both_upper_bounds_and_a_fail_a_lower_one_at_every_threshold():
    good, bad = crowd(mean=85, others=60), crowd(mean=45, others=60)
    verdict = verdict_of(good)
    assert (verdict.outcome, verdict.chosen_on) == (Conclusion.PASS, "evaluation")
    fmr, frr = verdict.rates
    assert (fmr.name, frr.name) == ("fmr", "frr")
    assert fmr.high <= 0.01
    assert frr.high <= 0.05
    for rate in verdict.rates:
        assert f"below {upper_percent(rate.high)} % (limit" in verdict.sentence
    assert verdict_of(bad).outcome is Conclusion.FAIL
    # Scores alone would pass; failures to acquire are errors.
    for wrong in (bad, crowd(mean=95, others=60, failures=0.2)):
        verdict = verdict_of(wrong)
        assert (verdict.outcome, verdict.rates[1].low > 0.05) == (Conclusion.FAIL, True)
    # Chosen for an FMR that is stricter than it need be, it refuses too many; that is no FAIL.
    strict = attrs.evolve(DOOR, required_fmr=1e-4, max_fmr=0.3)
    verdict = verdict_of(crowd(mean=60, others=60), strict)
    assert (verdict.outcome, verdict.rates[1].outcome) == (Conclusion.INCONCLUSIVE, Conclusion.FAIL)
    assert "another one might meet it" in verdict.sentence


@pytest.mark.parametrize(("rate", "limit"), [("fmr", "max_fmr"), ("frr", "max_frr")])
def test_a_bound_that_equals_the_limit_is_within_it(rate, limit):
    answers = at_default(400, 20, 400, 20)
    generous = attrs.evolve(AS_ASKED, max_fmr=0.5, max_frr=0.5)

    def judged_rate(value):
        verdict = verdict_of(answers, attrs.evolve(generous, **{limit: float(value)}))
        return next(each for each in verdict.rates if each.name == rate)

    def outcome(value):
        return judged_rate(value).outcome

    bound = judged_rate(0.5)

    assert outcome(bound.high) is Conclusion.PASS
    assert outcome(np.nextafter(bound.high, 0)) is Conclusion.INCONCLUSIVE
    assert outcome(bound.low) is Conclusion.INCONCLUSIVE
    assert outcome(np.nextafter(bound.low, 0)) is Conclusion.FAIL


def test_other_thresholds_are_searched_between_points_of_the_curve():
    evaluation = evaluate(
        [crowd(mean=45, others=60)], required_fmr=2e-3, confidence=DOOR.evaluation_confidence
    )
    (system,) = evaluation.systems
    for fmr_low, frr_low, outcome in (
        # Between the points FMR may be as low as at the second, and FRR as low as at the first.
        ((0.5, 0.0), (0.0, 0.5), Conclusion.INCONCLUSIVE),
        ((0.5, 0.02), (0.0, 0.5), Conclusion.FAIL),
        ((0.5, 0.01), (0.05, 0.5), Conclusion.INCONCLUSIVE),
        ((0.5, 0.0), (0.06, 0.5), Conclusion.FAIL),
        # Beyond the last point FMR is no lower than there.
        ((0.5, 0.02), (0.06, 0.04), Conclusion.FAIL),
        ((0.5, 0.0), (0.06, 0.04), Conclusion.INCONCLUSIVE),
    ):
        curve = attrs.evolve(system.curve, thresholds=(1, 2), fmr_low=fmr_low, frr_low=frr_low)
        systems = (attrs.evolve(system, curve=curve),)
        verdict = judge(attrs.evolve(evaluation, systems=systems), DOOR)
        came = (verdict.outcome, verdict.systems[0].rates[1].outcome)
        assert came == (outcome, Conclusion.FAIL), (fmr_low, frr_low)


PLAN = "facematch compare plan --fmr 0.01 --frr 0.05 --confidence 0.95"


@pytest.mark.parametrize(
    ("answers", "requirements", "is_planned"),
    [
        (at_default(40, 0, 400, 0), AS_ASKED, True),
        # Of too few pairs no threshold was chosen.
        (at_default(100, 0, 200, 0), DOOR, True),
        # A plan knows neither groups nor transactions.
        (at_default(200, 0, 600, 0), attrs.evolve(DOOR, max_ratio_frr=1.25), False),
        (
            in_transactions(at_default(40, 0, 600, 0), 1),
            attrs.evolve(DOOR, counts="transactions"),
            False,
        ),
        # A rate that was seen beyond its limit stays there with more pairs.
        (at_default(40, 3, 400, 0), AS_ASKED, False),
    ],
)
def test_an_inconclusive_verdict_for_lack_of_pairs_names_the_plan(
    answers, requirements, is_planned
):
    verdict = verdict_of(answers, requirements)
    assert verdict.outcome is Conclusion.INCONCLUSIVE
    assert verdict.plan == (PLAN if is_planned else None)


def test_plan_uses_the_gates_way_of_choosing_thresholds():
    strict = attrs.evolve(DOOR, required_fmr=0.001)
    plan = verdict_of(at_default(100, 0, 200, 0), strict).plan
    assert plan == PLAN.replace("0.01", "0.005", 1)


def test_decisions_are_judged_at_their_one_threshold():
    for requirements in (DOOR, AS_ASKED):
        verdict = verdict_of(as_decisions(crowd(mean=85, others=60)), requirements)
        assert (verdict.outcome, verdict.chosen_on) == (Conclusion.PASS, "default")
    assert verdict_of(as_decisions(crowd(mean=40))).outcome is Conclusion.FAIL
    unknown = verdict_of(attrs.evolve(as_decisions(crowd(mean=85, others=60)), threshold=None))
    assert (unknown.threshold, unknown.outcome) == (None, Conclusion.PASS)


def test_without_a_threshold_its_reason_is_the_verdict():
    # The required FMR takes 500 non-mated pairs.
    few, enough = (verdict_of(at_default(100, 0, others, 0)) for others in (499, 500))
    assert (few.outcome, enough.outcome) == (Conclusion.INCONCLUSIVE, Conclusion.PASS)
    nothing = verdict_of(system_answers([LOST], [LOST]))
    assert (nothing.outcome, nothing.rates) == (Conclusion.INCONCLUSIVE, ())
    assert "It compared no pair" in nothing.sentence
    # 20 pairs of two people have the highest score: nobody gets in without them.
    tops = system_answers(
        [*range(50, 90)] * 10, [10] * 380 + [90] * 20, rule=ThresholdRule.AT_LEAST
    )
    verdict = verdict_of(tops)
    assert (verdict.outcome, verdict.rates, verdict.threshold) == (Conclusion.FAIL, (), None)
    assert verdict.sentence.startswith("a: No threshold keeps both")


def test_a_run_without_decisions_needs_a_threshold_and_not_more_pairs():
    few = at_default(100, 0, 200, 0)
    undecided = with_columns(few, decisions=np.full(len(few), -1, np.int8))
    at_required = verdict_of(undecided)
    assert ("too few" in at_required.sentence, at_required.plan) == (True, PLAN)
    verdict = verdict_of(undecided, AS_ASKED)
    assert (verdict.outcome, verdict.rates) == (Conclusion.INCONCLUSIVE, ())
    assert "without a known threshold" in verdict.sentence
    assert "too few" not in verdict.sentence
    assert verdict.plan is None
    nothing = verdict_of(without_answers(few, slice(None)), AS_ASKED)
    assert "It compared no pair" in nothing.sentence


def test_reversed_scores_affect_only_their_own_system():
    good, wrong = crowd("good", mean=85, others=60), crowd("wrong", mean=85, others=60)
    wrong = with_columns(wrong, scores=100 - wrong.scores)
    verdict = judged(good, wrong)
    passed, stopped = verdict.systems
    assert (passed.outcome, stopped.outcome) == (Conclusion.PASS, Conclusion.INCONCLUSIVE)
    assert (stopped.rates, stopped.plan) == ((), None)
    assert "distances" in stopped.sentence


def test_a_rate_without_trials_is_inconclusive():
    answers = without_answers(at_default(59, 0, 20, 0), slice(59, None))
    verdict = verdict_of(answers, AS_ASKED)
    assert (verdict.rates[0].low, verdict.rates[0].high) == (None, None)
    assert verdict.outcome is Conclusion.INCONCLUSIVE


def test_all_systems_must_pass():
    good, bad = crowd("good", mean=85, others=60), crowd("bad", mean=45, others=60)
    small = as_decisions(crowd("open", mean=85, others=60))
    small = without_answers(small, np.flatnonzero(~small.mated))
    assert judged(good, attrs.evolve(good, name="two")).outcome is (Conclusion.PASS)
    assert judged(good, bad).outcome is Conclusion.FAIL
    assert judged(good, small).outcome is Conclusion.INCONCLUSIVE
    assert judged(good, small, bad).outcome is Conclusion.FAIL
    assert judged(good, bad, systems=["good"]).outcome is Conclusion.PASS


def test_an_evaluation_with_other_fmr_or_narrower_intervals_is_rejected():
    evaluation = evaluate([crowd(mean=85, others=60)], required_fmr=1e-3)
    for wrong in (DOOR, attrs.evolve(AS_ASKED, confidence=0.99)):
        with pytest.raises(InvalidRequest):
            judge(evaluation, wrong)
    # At the default threshold the required FMR does not matter.
    assert judge(evaluation, AS_ASKED).outcome is Conclusion.PASS


def in_groups(*of_each, mated_errors, accepted=(0, 0), lost=(0, 0)):
    """Decisions on independent pairs of two groups: so many mated ones, and as many others."""
    mated, others, places = [], [], []
    for place, (pairs, wrong, strangers, failures) in enumerate(
        zip(of_each, mated_errors, accepted, lost, strict=True)
    ):
        mated += [LOST] * failures + [20] * wrong + [90] * (pairs - wrong - failures)
        others += [60] * strangers + [10] * (pairs - strangers)
        places += [place] * pairs
    group = np.array(places * 2)
    group = Grouping(labels=("x", "y"), probe=group, reference=group)
    return with_columns(as_decisions(system_answers(mated, others)), groups={"column": group})


GROUPS = attrs.evolve(DOOR, max_fmr=0.2, max_frr=0.2)


@pytest.mark.parametrize(
    ("limit", "outcomes"),
    [
        # Of 1,000 mated pairs each, 20 and 100 are rejected: 2 and 10 %, 0.33 and 1.67 times
        # the rate of both; 10 and 0 failed to acquire.
        ({"max_frr_group": 0.15}, ["pass", "pass"]),
        ({"max_frr_group": 0.05}, ["pass", "fail"]),
        ({"max_frr_group": 0.11}, ["pass", "inconclusive"]),
        ({"max_ratio_frr": 2.0}, ["pass", "pass"]),
        ({"max_ratio_frr": 1.25}, ["pass", "fail"]),
        ({"max_ratio_frr": 1.7}, ["pass", "inconclusive"]),
        ({"max_fta_group": 0.002}, ["fail", "inconclusive"]),
        ({"max_fta_group": 0.02}, ["pass", "pass"]),
        ({"max_fmr_group": 0.01, "max_frr_group": 0.15}, ["pass", "pass", "pass", "pass"]),
        # Nobody was accepted: a ratio cannot be had yet.
        ({"max_ratio_fmr": 1.25}, ["inconclusive", "inconclusive"]),
    ],
    ids=str,
)
def test_a_group_limit_applies_to_every_group(limit, outcomes):
    answers = in_groups(1000, 1000, mated_errors=(10, 100), lost=(10, 0))
    verdict = verdict_of(answers, attrs.evolve(GROUPS, **limit))
    assert [rate.outcome for rate in verdict.groups] == outcomes
    places = {(rate.column, rate.group) for rate in verdict.groups}
    assert places == {("column", "x"), ("column", "y")}
    assert [rate.outcome for rate in verdict.rates] == ["pass", "pass"]
    worst = next(word for word in ("fail", "inconclusive", "pass") if word in outcomes)
    assert verdict.outcome == worst
    assert ("column y (" in verdict.sentence) == (outcomes[-1] != "pass")
    for rate in verdict.groups:
        # Lower bounds of both groups hold together, upper ones each for itself.
        if not rate.name.endswith("_ratio"):
            expected = bounds(rate.rate, 0.975)[0], bounds(rate.rate, 0.95)[1]
            assert (rate.low, rate.high) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [0, 4])
def test_a_group_with_too_few_people_is_inconclusive(wrong):
    answers = in_groups(1000, 4, mated_errors=(0, wrong))
    verdict = verdict_of(answers, attrs.evolve(GROUPS, max_frr_group=0.9))
    assert [rate.outcome for rate in verdict.groups] == ["pass", "inconclusive"]
    assert verdict.outcome is Conclusion.INCONCLUSIVE
    assert "column y (people: 4, 10 are needed)" in verdict.sentence


def test_limits_of_transactions_are_those_of_the_best_attempt():
    answers = in_transactions(crowd(people=300, mated=3, others=60, mean=62), 3)
    limits = attrs.evolve(DOOR, max_frr=0.05, counts="transactions")
    attempts, best = verdict_of(answers), verdict_of(answers, limits)
    assert (attempts.outcome, best.outcome) == (Conclusion.INCONCLUSIVE, Conclusion.PASS)
    assert [rate.outcome for rate in attempts.rates] == [Conclusion.PASS, Conclusion.FAIL]
    assert (best.threshold, best.rates[1].rate.trials) == (attempts.threshold, 300)
    # Its own curve says whether another threshold would pass, and not that of attempts.
    strict = attrs.evolve(limits, required_fmr=1e-5, max_fmr=0.3)
    answers = in_transactions(crowd(people=300, mated=3, others=60, mean=37), 3)
    assert verdict_of(answers, strict).outcome is Conclusion.INCONCLUSIVE
    assert verdict_of(answers, attrs.evolve(strict, counts="attempts")).outcome is Conclusion.FAIL
    bad = in_transactions(crowd(people=300, mated=3, others=60, mean=35), 3)
    assert verdict_of(bad, limits).outcome is Conclusion.FAIL


DOOR_FILE = {"title": "Our door", "max_fmr": 1e-3, "max_frr": 0.02}


def write_file(tmp_path, document):
    path = tmp_path / "door.toml"
    path.write_text(document if isinstance(document, str) else tomli_w.dumps(document))
    return path


def test_sp800_63a_has_its_documented_limits_and_source():
    requirements = read_requirements("sp800-63a")
    assert (requirements.max_fmr, requirements.max_frr) == (1e-4, 1e-2)
    assert (requirements.at, requirements.confidence) == ("required_fmr", 0.95)
    # Chosen with room to the limit.
    assert requirements.required_fmr == pytest.approx(requirements.max_fmr / 5)
    assert "section 3.11" in requirements.source
    assert (requirements.max_ratio_fmr, requirements.max_ratio_frr) == (1.25, 1.25)
    for name in built_in():
        assert read_requirements(name).source
        assert read_requirements(name).name == name


def test_requirements_need_two_keys_and_accept_the_others(tmp_path):
    path = write_file(tmp_path, DOOR_FILE)
    expected = Requirements(name="door", **DOOR_FILE, required_fmr=1e-3 / 5)
    assert read_requirements(path) == read_requirements(str(path)) == expected
    assert expected.evaluation_confidence == pytest.approx(0.9)
    more = {"required_fmr": 1e-3, "at": "default", "confidence": 0.99}
    words = {"source": "a", "leaves_out": "b"}
    requirements = read_requirements(write_file(tmp_path, DOOR_FILE | more | words))
    assert {key: getattr(requirements, key) for key in more | words} == more | words
    more = {"counts": "transactions", "attempts": 5, "max_fta_group": 0.1, "max_ratio_fmr": 2}
    requirements = read_requirements(write_file(tmp_path, DOOR_FILE | more))
    assert (requirements.counts, requirements.attempts) == ("transactions", 5)
    assert requirements.by_group == {"fta": 0.1, "fmr_ratio": 2.0}
    untitled = {key: value for key, value in DOOR_FILE.items() if key != "title"}
    assert read_requirements(write_file(tmp_path, untitled)).title == "door"
    for key in untitled:
        path = write_file(tmp_path, {k: v for k, v in DOOR_FILE.items() if k != key})
        with pytest.raises(InvalidRequest, match=f"missing `{key}`"):
            read_requirements(path)


@pytest.mark.parametrize(
    "change",
    [
        *({"max_fmr": 0}, {"max_frr": "0.01"}, {"max_frr": True}, {"max_frr": float("nan")}),
        *({"required_fmr": 0.01}, {"confidence": 0.5}, {"at": "both"}, {"max_far": 0.01}),
        *({"attempts": 0}, {"attempts": 2.0}, {"counts": 5}, {"max_ratio_fmr": 1}),
    ],
    ids=str,
)
def test_a_wrong_key_is_named_with_its_file(tmp_path, change):
    path = write_file(tmp_path, {**DOOR_FILE, **change})
    (key,) = change
    with pytest.raises(InvalidRequest, match=key) as caught:
        read_requirements(path)
    assert str(path) in str(caught.value)


def test_unreadable_requirements_are_rejected(tmp_path):
    with pytest.raises(InvalidRequest, match="by group"):
        read_requirements(write_file(tmp_path, DOOR_FILE | {"max_fmr_group": 0.1, "at": "default"}))
    for wrong in ("sp800-63b", tmp_path / "nothing.toml", tmp_path, "a\0.toml"):
        with pytest.raises(InvalidRequest):
            read_requirements(wrong)
    for content in (b"x = ", b"\xff", b"a = [" * 3000, b"#" * ((1 << 20) + 1)):
        (tmp_path / "broken.toml").write_bytes(content)
        with pytest.raises(InvalidRequest):
            read_requirements(tmp_path / "broken.toml")


def test_the_gate_judges_a_fixed_threshold():
    options = {"required_fmr": DOOR.required_fmr, "confidence": DOOR.evaluation_confidence}
    answers = [crowd(mean=85, others=60)]
    evaluation = evaluate(answers, at_thresholds={"a": 60.0}, **options)
    (verdict,) = judge(evaluation, DOOR).systems
    assert (verdict.threshold, verdict.chosen_on) == (60.0, "fixed")
    assert "chosen for" not in verdict.sentence
    assert verdict.rates[0].high == pytest.approx(bounds(verdict.rates[0].rate, 0.95)[1])


@given(fmr=st.floats(1e-4, 0.5), frr=st.floats(1e-3, 0.5), confidence=st.floats(0.5, 0.99))
def test_planned_numbers_suffice_and_no_smaller_ones_do(fmr, frr, confidence):
    for need in plan_study(fmr=fmr, frr=frr, confidence=confidence).needs:
        assert need.non_mated * fmr >= ENOUGH_FALSE_MATCHES * (1 - 1e-9)
        for trials, rate in ((need.mated, frr), (need.non_mated, fmr)):
            assert exact_upper(need.errors, trials, confidence) <= rate * (1 + 1e-9)
            places = rate == fmr and (trials - 1) * fmr < ENOUGH_FALSE_MATCHES
            if trials > need.errors + 1 and not places:
                assert exact_upper(need.errors, trials - 1, confidence) > rate * (1 - 1e-9)


@pytest.mark.parametrize("wrong", [{"fmr": 0}, {"frr": 1}, {"confidence": 1.0}], ids=str)
def test_plan_refuses_numbers_out_of_range(wrong):
    with pytest.raises(InvalidRequest):
        plan_study(**{"fmr": 1e-3, "frr": 0.01} | wrong)

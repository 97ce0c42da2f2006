import datetime as dt
import re

import attrs
import numpy as np
import pytest
import scipy
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.comparison.tables import (
    LOST,
    as_decisions,
    as_real,
    crowd,
    exact_ends,
    in_transactions,
    rates_at,
    system_answers,
    with_columns,
    without_answers,
)

from facematch_comparison.judging.evaluation import evaluate, service_of
from facematch_comparison.scores.answers import BILLED, DECISIONS
from facematch_comparison.stats import exact_upper
from facematch_comparison.values.model import Costs, Method, Traffic
from facematch_core import Charged, Decision, Environment, InvalidRequest
from facematch_core.models import ThresholdRule

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
WHOLE = {"required_fmr": 0.25}


def test_ten_pairs_of_ten_people_by_hand():
    answers = system_answers([90, 80, 60, 30, LOST], [70, 40, 20, 10, 5])
    evaluation = evaluate([answers], **WHOLE, name="hand", digest="d", made_at=NOW)
    study = evaluation.study
    assert (study.name, study.digest, evaluation.made_at) == ("hand", "d", NOW)
    assert len(repr(evaluation)) < 300
    assert attrs.astuple(study.size) == (10, 5, 5, 15)
    (system,) = evaluation.systems
    at = system.at_required
    # One of five may pass at 0.25: the lowest whole number above 40.
    assert (at.threshold, at.rule, at.chosen_on) == (41, ThresholdRule.AT_LEAST, "evaluation")
    assert (at.fmr.errors, at.fmr.trials) == (1, 5)
    assert (at.fnmr.errors, at.fnmr.trials) == (1, 4)
    assert (at.frr.errors, at.frr.trials) == (2, 5)
    assert (at.far.errors, at.far.trials) == (1, 5)
    assert (at.frr.interval.low, at.frr.interval.high) == exact_ends(2, 5)
    default = system.at_default
    assert (default.threshold, default.chosen_on) == (50, "default")
    assert (default.frr.errors, default.fmr.errors) == (2, 1)
    assert (system.kind, system.scale, system.why_not) == ("scores", "fake/v1", None)
    assert system.score_range == (5, 90)


def test_a_system_with_decisions_only_has_one_operating_point():
    system = evaluate([as_decisions(crowd())]).systems[0]
    assert (system.kind, system.curve, system.score_range) == ("decisions", None, None)
    assert (system.at_required, bool(system.why_not), system.at_fmrs) == (None, True, ())
    scored = evaluate([crowd()]).systems[0]
    assert system.at_default.frr == scored.at_default.frr
    assert "own decisions" in evaluate([as_decisions(crowd())]).headline


def test_a_system_without_comparisons_or_threshold_has_a_reason():
    system = evaluate([system_answers([LOST, LOST], [LOST])], **WHOLE).systems[0]
    assert (system.kind, system.at_required, system.curve) == ("scores", None, None)
    assert system.why_not == "It compared no pair."
    assert (system.at_default.frr.errors, system.at_default.frr.trials) == (2, 2)
    assert system.at_default.fnmr.value is None


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=1, max_size=20),
    st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=1, max_size=20),
    st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST]),
    st.floats(0.01, 0.99),
)
def test_any_valid_answers_can_be_evaluated(mated, others, rule, max_fmr):
    answers = system_answers(mated, others, rule=rule)
    both = [(a, b) for a in mated for b in others if None not in (a, b)]
    auc = sum((a > b) + (a == b) / 2 for a, b in both) / len(both) if both else None
    if auc is not None and auc < 0.5:
        first, second = ([s for s in side if s is not None] for side in (mated, others))
        test = scipy.stats.mannwhitneyu(first, second, alternative="less", method="asymptotic")
        chance = test.pvalue
        if chance < 0.03:
            with pytest.raises(InvalidRequest, match="distances"):
                evaluate([answers], required_fmr=max_fmr)
            return
        assume(chance > 0.1)  # Between, ties and continuity decide.
    system = evaluate([answers], required_fmr=max_fmr).systems[0]
    assert (system.at_required is None) is (system.why_not is not None)
    if system.at_required is not None:
        at = system.at_required.threshold
        passes = [
            s is not None and (s > at if rule is ThresholdRule.ABOVE else s >= at) for s in mated
        ]
        assert system.at_required.frr.errors == passes.count(False)
        assert system.at_required.fmr.value <= max_fmr


@pytest.mark.parametrize(
    ("systems", "options"),
    [
        *(([], {}), ([crowd(), crowd()], {}), ([crowd(), crowd("b", people=50)], {})),
        ([system_answers([1], [2]), system_answers([1, 1], [], "b")], {}),
        # Distances: the less, the more alike.
        ([with_columns(crowd("b"), scores=100 - crowd().scores)], {}),
        *(([crowd()], {"required_fmr": 0}), ([crowd()], {"required_fmr": np.nan})),
        *(([crowd()], {"confidence": 1}), ([crowd()], {"attempts": 0})),
        *(([crowd()], {"at_thresholds": {"c": 50}}), ([crowd()], {"at_thresholds": {"a": np.nan}})),
        ([as_decisions(crowd())], {"at_thresholds": {"a": 50}}),
    ],
)
def test_incomparable_systems_and_invalid_numbers_are_rejected(systems, options):
    with pytest.raises(InvalidRequest):
        evaluate(systems, **options)


def test_reversed_scores_get_no_verdict_and_do_not_stop_other_systems():
    reverse = with_columns(crowd("b"), scores=100 - crowd().scores)
    for fixed in ({}, {"b": 50}):
        three = [crowd(), reverse, crowd("c", seed=3)]
        good, bad, other = evaluate(three, at_thresholds=fixed).systems
        assert None not in (good.at_required, other.at_required)
        assert (bad.at_required, "distances" in bad.why_not) == (None, True)
    # Five of twelve mated scores are higher, which may be due to chance.
    few = system_answers([5, 9, 9, 3], [10, 4, 6])
    assert evaluate([few], required_fmr=0.4).systems[0].at_required is not None


def test_headline_compares_systems_with_the_best_unbeaten_one():
    good = crowd("good", mean=62)
    hard = np.flatnonzero(good.mated & (good.scores < 66))
    lucky = without_answers(crowd("lucky", mean=65, seed=3), hard)
    evaluation = evaluate([lucky, good, crowd("poor", mean=50, seed=5)], required_fmr=0.01)
    first, second, _ = evaluation.systems
    assert first.at_required.frr.value < second.at_required.frr.value
    assert evaluation.differences[0].better == "good"
    assert (
        "good rejects 76 of 1,000 genuine attempts: significantly fewer than lucky"
        in evaluation.headline
    )
    three = [("a", 62, 1), ("b", 62, 2), ("c", 50, 3)]
    headline = evaluate([crowd(name, mean=mean, seed=seed) for name, mean, seed in three]).headline
    assert "significantly fewer than c among these 200 people; no significant" in headline
    assert len(headline.split()) <= 30


def test_a_threshold_chosen_on_these_pairs_is_bounded_by_its_rank():
    tied = system_answers([90] * 5, [10] * 10 + [50] * 4)
    fmr = evaluate([tied], required_fmr=0.2).systems[0].at_required.fmr
    assert (fmr.errors, fmr.trials) == (0, 14)
    assert fmr.interval.high == exact_upper(2, 14, 0.975)


def test_incomplete_decisions_give_no_default_operating_point():
    answers = system_answers([90] * 5, [10] * 10)
    decisions = answers.decisions.copy()
    assert evaluate([answers]).systems[0].at_default is not None
    decisions[-1] = -1
    assert evaluate([with_columns(answers, decisions=decisions)]).systems[0].at_default is None


def test_service_errors_are_pairs_without_an_answer():
    answers = without_answers(system_answers([90, LOST, 80], [10, LOST]), [0])
    service = service_of(answers)
    assert (service.calls, service.answered.errors, service.answered.trials) == (5, 1, 5)
    # An outage takes many calls, a bad picture many pairs: no interval would hold.
    assert (service.answered.interval, service.acquisition.interval) == (None, None)
    assert (service.acquisition.errors, service.acquisition.trials) == (2, 4)
    assert service.not_answered == {"VendorUnavailable": 1}
    # Nor does the time of what was not answered count.
    timed = with_columns(answers, elapsed_s=np.array([99.0, 2.0, 2.0, np.nan, np.nan]))
    assert (service_of(timed).latency_s, service_of(timed).timed) == ({"50": 2.0}, 2)
    assert service.latency_s == {}


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=200))
def test_latency_percentiles_are_measured_times(times):
    answers = with_columns(system_answers([90] * len(times), []), elapsed_s=np.array(times))
    percentiles, count = service_of(answers).latency_s, len(times)
    assert [*percentiles] == [str(p) for p in (50, 90, 95, 99) if count * (100 - p) >= 100]
    assert service_of(answers).timed == count
    for percent, value in percentiles.items():
        assert value in times
        within = sum(time <= value for time in times)
        below = sum(time < value for time in times)
        assert 100 * within >= int(percent) * len(times) > 100 * below


def test_calls_with_unknown_charge_count_in_the_cost():
    billed = np.array([BILLED.index(b) for b in (Charged.YES, Charged.UNKNOWN, Charged.NO)])
    answers = with_columns(as_real(system_answers([90], [10, 20])), billed=billed)
    service = service_of(answers)
    assert (service.cost, service.price, service.currency) == (0.1, 0.05, "USD")
    assert service.cost_per_verified == 0.05
    # Three times 0.1 is 0.3: money is no binary fraction.
    answers = with_columns(as_real(system_answers([90, 90, 20], [])), billed=np.full(3, 1))
    service = service_of(attrs.evolve(answers, price=0.1))
    assert (service.cost, service.cost_per_verified) == (0.3, 0.15)
    free = service_of(system_answers([90], [10]))
    assert (free.cost, free.price, free.currency, free.cost_per_verified) == (None,) * 4


@pytest.mark.parametrize(
    ("decision", "per_verified"),
    [(Decision.MATCH, 0.05), (Decision.REVIEW, None), (Decision.NO_MATCH, None)],
)
def test_decision_match_counts_as_verified(decision, per_verified):
    place = np.full(2, DECISIONS.index(decision), np.int8)
    answers = as_real(system_answers([90], [90]))
    service = service_of(with_columns(answers, decisions=place, billed=np.full(2, 1)))
    assert (service.cost, service.cost_per_verified) == (0.1, per_verified)


def caveats_of(*systems, **options):
    """Code to caveat; one code is about one set of systems in these tests."""
    caveats = evaluate(systems, **options).caveats
    by_code = {caveat.code: caveat for caveat in caveats}
    assert len(by_code) == len(caveats)
    return by_code


def wrong_in_one_of_twenty(name, seed):
    """Everybody scores 10 with others; with themselves 90 and, one time in twenty, 5."""
    system = as_real(crowd(name, people=400, mated=3, others=60, grouped=True))
    unlike = np.random.default_rng(seed).random(len(system)) < 0.05
    return with_columns(system, scores=np.where(system.mated, np.where(unlike, 5.0, 90.0), 10.0))


def test_twenty_pairs_get_many_caveats():
    caveats = caveats_of(system_answers([90] * 10, [10] * 10), required_fmr=1e-3)
    for code, numbers in {
        "no_threshold": ("10 non-mated", "0.1 %", "1,000"),
        "fnmr_floor": ("10 mated", "1 %", "299"),
        "few_people": ("30 people",),
    }.items():
        assert all(number in caveats[code].text for number in numbers), caveats[code]
    assert {"no_groups", "impostors", "one_system", "unknown_origin"} < set(caveats)


def test_a_count_of_one_is_singular():
    evaluation = evaluate([system_answers([90], [10], name) for name in "ab"], required_fmr=0.5)
    texts = [evaluation.headline, evaluation.limit, *(each.text for each in evaluation.caveats)]
    assert "1 non-mated pair is " in evaluation.headline
    assert not re.search(r"\b1 ([a-z-]+ )?(pairs|people|attempts|matches)\b", " ".join(texts))


def test_a_large_study_has_few_caveats():
    systems = wrong_in_one_of_twenty("a", 1), wrong_in_one_of_twenty("b", 2)
    assert set(caveats_of(*systems, required_fmr=2e-3)) == {"impostors"}


def test_each_group_has_its_number_of_pairs():
    (group,) = (system := wrong_in_one_of_twenty("a", 1)).groups.values()
    sizes = evaluate([system], required_fmr=0.1).study.groups["number"]
    pairs = [int((group.within == place).sum()) for place, _ in enumerate(group.labels)]
    assert [sizes[label].pairs for label in group.labels] == pairs


@pytest.mark.parametrize("environment", Environment)
def test_answers_of_a_mock_get_a_caveat(environment):
    caveats = caveats_of(attrs.evolve(as_real(system_answers([90], [10])), environment=environment))
    is_mock = environment in (Environment.MOCK, Environment.SANDBOX)
    assert ("not_the_vendor" in caveats) is is_mock
    if is_mock:
        assert caveats["not_the_vendor"].systems == ("a",)
    assert "unknown_origin" not in caveats


#: Scores of `crowd`, of which one is missing.
WITH_A_GAP = np.where(np.arange(len(crowd())) == 3, np.nan, crowd().scores)


@pytest.mark.parametrize(
    ("answers", "options", "code", "number"),
    [
        (without_answers(crowd(), np.arange(1200)), {}, "not_answered", "1,200 of 5,000"),
        # One of thousands does not make a vendor one that gives decisions only.
        (with_columns(crowd(), scores=WITH_A_GAP), {}, "without_score", ""),
        (attrs.evolve(crowd(), people_known=False), {}, "people_unknown", ""),
        # What was asked and not answered shows nothing.
        (
            without_answers(system_answers([90] * 300, [10] * 3000), np.arange(600, 3300)),
            *({"required_fmr": 5e-3}, "fmr_floor", "300 non-mated"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_caveat_appears_with_its_number_only_when_true(answers, options, code, number):
    caveats = caveats_of(answers, **options)
    assert number in caveats[code].text
    assert "decisions_only" not in caveats
    plain = caveats_of(crowd(), required_fmr=0.01)
    assert code not in plain or number not in plain[code].text


def test_stated_minimum_of_pairs_is_sufficient():
    floors = {"fmr_floor", "fnmr_floor"}
    assert not floors & set(caveats_of(system_answers([90] * 299, [10] * 299), required_fmr=1e-2))
    assert floors < set(caveats_of(system_answers([90] * 298, [10] * 298), required_fmr=1e-2))


def test_one_person_with_most_false_matches_gets_a_caveat():
    quiet = crowd(people=100, others=60)
    is_wolf = ~quiet.mated & ((quiet.probe_subjects == 7) | (quiet.reference_subjects == 7))
    wolf = with_columns(quiet, scores=np.where(is_wolf, 99.0, quiet.scores))
    caveat = caveats_of(wolf, required_fmr=0.02)["concentrated"]
    assert "Without that person it would be" in caveat.text
    assert "concentrated" not in caveats_of(quiet, required_fmr=0.02)


def test_identical_scores_and_another_model_are_told_from_chance():
    march = as_real(crowd("march"))
    april = attrs.evolve(march, name="april")
    evaluation = evaluate([march, april])
    (difference,) = evaluation.differences
    assert difference.same_scores == difference.both_scored == 5_000
    assert "all 5,000 scores are identical" in evaluation.headline
    moved = attrs.evolve(april, frame=april.frame.assign(score=april.scores * 1.001))
    assert "after a change of the model" in evaluate([march, moved]).headline
    # So few pairs are not compared, and their scores are.
    few = as_real(system_answers([90, 80, 85], [10, 20, 30], "march"))
    again = attrs.evolve(few, name="april")
    assert "All 6 scores are identical." in evaluate([few, again]).headline
    later = attrs.evolve(again, frame=again.frame.assign(score=again.scores + 0.01))
    (difference,) = evaluate([few, later]).differences
    assert "(0 of 6), as after a change of the model." in difference.sentence
    # Of two vendors, nobody expects the same scores.
    other = attrs.evolve(moved, backend="other")
    assert "change of the model" not in evaluate([march, other]).headline


FIXED = {"required_fmr": 0.01, "made_at": NOW}


def test_a_fixed_threshold_is_judged_in_place_of_the_chosen_one():
    chosen = evaluate([crowd(others=25), crowd("b", others=25, seed=3)], **FIXED)
    old = chosen.systems[0].at_required.threshold
    now = crowd(others=25, seed=7)
    evaluation = evaluate([now, crowd("b", others=25, seed=3)], **FIXED, at_thresholds={"a": old})
    fixed, other = evaluation.systems
    at, plain = fixed.at_required, rates_at(now, old)
    assert (at.threshold, at.chosen_on) == (old, "fixed")
    # The ordinary interval, and not that of an order statistic.
    assert (at.fmr, at.fnmr, at.far, at.frr) == (plain.fmr, plain.fnmr, plain.far, plain.frr)
    assert other.at_required == chosen.systems[1].at_required
    # What is true at the common rates is so wherever it is used.
    chosen_now = evaluate([now], **FIXED).systems[0].at_fmrs
    for point_at, expected in zip(fixed.at_fmrs, chosen_now, strict=True):
        point = expected.point
        if point is not None:
            point = attrs.evolve(point, frr_at_fmr=None, fnmr_at_fmr=None)
        assert point_at == attrs.evolve(expected, point=point)
    # The false matches at it, for nobody forced it up.
    assert fixed.concentration.pairs == at.fmr.errors
    assert f"{old:g} (a)" in evaluation.headline
    assert "1 false match in 100, and" in evaluation.headline
    alone = evaluate([now], **FIXED, at_thresholds={"a": old})
    assert f"the fixed threshold {old:g} (a)" in alone.headline
    assert "seen at the threshold" in alone.limit


@pytest.mark.parametrize("others", [(), ("c",)])
def test_headline_starts_with_systems_above_the_required_fmr(others):
    systems = [crowd(name, seed=seed) for seed, name in enumerate(("a", "b", *others))]
    evaluation = evaluate(systems, **FIXED, at_thresholds={"b": 40.0})
    assert evaluation.headline.startswith("b exceeds an FMR of 1 %, so its FRR looks too low. At ")


@pytest.mark.parametrize("rule", [ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
def test_systems_at_fixed_thresholds_are_compared_at_them(rule):
    systems = [crowd(rule=rule), crowd("b", seed=3, rule=rule)]
    chosen = evaluate(systems, **FIXED)
    at = {system.name: system.at_required.threshold for system in chosen.systems}
    (free,), (half,), (fixed,) = (
        evaluate(systems, **FIXED, at_thresholds=dict(pinned)).differences
        for pinned in ([], [*at.items()][:1], at.items())
    )
    assert fixed.frr.value == half.frr.value == free.frr.value
    assert (fixed.exact, fixed.p_exact) == (free.exact, free.p_exact)
    widths = [system.frr.interval.high - system.frr.interval.low for system in (fixed, half, free)]
    # Only a threshold that was chosen here moves with whoever was tested.
    assert widths == sorted(widths)
    assert widths[0] <= 1.1 * (fixed.exact.high - fixed.exact.low)
    assert "the fixed thresholds" in fixed.sentence
    # It may reject fewer because more others pass.
    assert "is better" not in fixed.sentence + half.sentence


def test_limit_states_the_fmr_bound_unless_within_the_required_fmr():
    evaluation = evaluate([crowd(others=25)], required_fmr=0.01)
    at = evaluation.systems[0].at_required
    assert f"(threshold {at.threshold:.10g}" in evaluation.headline
    assert f"{at.frr.errors:,} of {at.frr.trials:,}" in evaluation.headline
    fmr = at.fmr
    often = int(evaluation.limit.split("1 in ")[1].strip("."))
    assert f"rests on only {fmr.errors} false matches" in evaluation.limit
    # Never rarer than the upper end, and near it.
    assert fmr.interval.high <= 1 / often <= 1.1 * fmr.interval.high
    fixed = evaluate([crowd(others=25)], required_fmr=1e-3, at_thresholds={"a": 50}).limit
    assert " false matches were seen at the threshold;" in fixed
    two = evaluate([crowd(), crowd("b")], required_fmr=0.01)
    assert "threshold of a rests" in two.limit
    # Its own decisions are within it.
    decides = as_decisions(system_answers([90] * 99 + [1], [10] * 3000))
    assert evaluate([decides], required_fmr=0.01).limit is None
    assert "the true FMR may be" in evaluate([as_decisions(crowd())], required_fmr=1e-3).limit
    assert evaluate([without_answers(crowd(), slice(None))]).limit is None


@pytest.mark.parametrize(
    ("pairs", "fmr"),
    [
        *((50_000, 1e-4), (49_999, 1e-3), (5_000, 1e-3), (500, 1e-2)),
        *((499, 1 / 99), (90, 1 / 18), (10, 1 / 2), (9, 1e-2), (0, 1e-2)),
    ],
)
def test_default_required_fmr_depends_on_the_number_of_pairs(pairs, fmr):
    both = [system_answers([90] * 20, [10] * pairs, name) for name in "ab"]
    evaluation = evaluate(both)
    assert evaluation.required_fmr == pytest.approx(fmr)
    assert all((each.at_required is None) is (pairs < 10) for each in evaluation.systems)
    assert (evaluation.differences[0].frr is None) is (pairs < 10)
    # It is no stricter rate than they do bear, which is said beside it.
    bears = [each.text for each in evaluation.caveats if each.code == "strictest_rate"]
    assert (len(bears) == 1) is (pairs >= 10)
    for text in bears:
        assert re.search(f"{pairs:,} non-mated .* than 1 false match in {pairs // 5:,}", text)
    if pairs > 500:
        return  # what follows is the same of many
    named = evaluate(both[:1], required_fmr=evaluation.required_fmr)
    assert not [each for each in named.caveats if each.code == "strictest_rate"]
    alone = evaluate([both[0], as_decisions(both[1])])
    assert alone.required_fmr == evaluation.required_fmr


def test_an_unsupported_fmr_names_the_supported_one():
    both = [system_answers([90] * 100, [10] * 900, name) for name in "ab"]
    evaluation = evaluate(both, required_fmr=1e-3)
    assert [each.at_required for each in evaluation.systems] == [None, None]
    assert "1,000" in evaluation.systems[0].why_not
    assert "1 false match in 180" in evaluation.headline
    evaluation = evaluate(both, required_fmr=2e-3)
    assert evaluation.differences[0].frr is None
    assert all(words in evaluation.headline for words in ("2,500", "1 false match in 180"))
    assert evaluate(both, required_fmr=1 / 180).differences[0].frr is not None
    assert evaluate(both, required_fmr=1 / 179.9).differences[0].frr is not None


def test_a_system_without_comparison_is_never_best():
    both = [
        system_answers([5] * n + [90] * (300 - n), [10] * 1_000, name)
        for n, name in ((1, "a"), (90, "b"))
    ]
    third = system_answers([90] * 300, [10] * 1_000, "c")
    few = without_answers(third, np.arange(700, 1_300))
    for required in (0.01, None):
        evaluation = evaluate([*both, few], required_fmr=required)
        assert evaluation.headline.endswith("c is not compared.") is (required == 0.01)
        assert evaluation.differences[0].better == "a"
    nearly_none = without_answers(third, np.arange(309, 1_300))
    evaluation = evaluate([*both, nearly_none])
    assert evaluation.required_fmr == evaluate(both).required_fmr
    assert evaluation.differences[0].better == "a"
    assert " 9 non-mated" not in evaluation.headline


def test_headline_names_all_systems_of_which_no_two_can_be_compared():
    whole = system_answers([90] * 300, [10] * 1_000)
    systems = []
    for number, name in enumerate("abc"):
        others = [row for row in range(300) if row % 3 != number]
        systems.append(without_answers(attrs.evolve(whole, name=name), others))
    evaluation = evaluate(systems, required_fmr=0.01)
    assert not any(difference.frr for difference in evaluation.differences)
    assert "a, b and c" in evaluation.headline
    assert "a and b answered no mated pair in common" in evaluation.headline


def test_transaction_rates_are_reported_beside_attempt_rates():
    people, tries = 200, 5
    answers = in_transactions(crowd(people=people, mated=tries, mean=60, failures=0.05), tries)
    # Of many equal scores fewer pass than may.
    answers = with_columns(answers, scores=np.round(answers.scores / 4) * 4)
    for attempts in (None, 5, 2, 1):
        (system,) = evaluate([answers], required_fmr=1e-2, attempts=attempts).systems
        of, at = system.transactions, system.at_required
        assert (of.attempts, of.size.mated, of.size.subjects) == (attempts or 5, people, people)
        passed = answers.passed(at.threshold)[: people * tries].reshape(people, tries)
        errors = int((~passed[:, : attempts or 5].any(axis=1)).sum())
        assert (of.at_required.frr.errors, of.at_required.frr.trials) == (errors, people)
        # People are the clusters: each has one transaction here.
        assert (of.at_required.frr.subjects, of.at_required.frr.interval.method) == (200, "exact")
        assert (of.at_required.threshold, of.at_required.chosen_on) == (at.threshold, at.chosen_on)
        # Others had one attempt each, of which the same pass.
        assert of.at_required.fmr == at.fmr
        assert of.at_default.far.errors == system.at_default.far.errors
    assert evaluate([crowd()]).systems[0].transactions is None


def test_decisions_have_transaction_rates():
    answers = as_decisions(in_transactions(crowd(mated=4, mean=60), 4))
    (system,) = evaluate([answers]).systems
    assert (system.transactions.at_required, system.transactions.curve) == (None, None)
    assert system.transactions.at_default.frr.errors < system.at_default.frr.errors


@pytest.mark.parametrize("fmr", [1e-2, 1e-3])
def test_intervals_at_an_fmr_include_threshold_uncertainty(fmr):
    answers = crowd(others=60, mean=62, failures=0.05)
    (system,) = evaluate([answers], required_fmr=fmr).systems
    at = system.at_required
    for rate, ends in ((at.frr, at.frr_at_fmr), (at.fnmr, at.fnmr_at_fmr)):
        assert (ends.confidence, ends.method) == (0.95, Method.BOOTSTRAP)
        low, high = rate.interval.low, rate.interval.high
        assert ends.low <= low < rate.value < high <= ends.high
        assert (low - ends.low, ends.high - high) > (0, 0)
    # The same wherever that rate is said, and nowhere below five expected false matches.
    assert [each.point for each in system.at_fmrs if each.fmr == fmr] == [at]
    assert [each.fmr for each in system.at_fmrs] == [1e-2, 1e-3, 1e-4]
    assert [each.point is None for each in system.at_fmrs] == [False, False, True]
    assert [each.why_not is None for each in system.at_fmrs] == [True, True, False]
    assert system.at_fmrs[2].pairs_needed == 50_000
    (few,) = evaluate([crowd()], required_fmr=1e-3).systems
    assert (few.at_required is None, few.at_fmrs[1].point) == (False, None)
    # Whatever threshold would be fixed or was that of the run is what it is.
    fixed = evaluate([answers], required_fmr=fmr, at_thresholds={"a": 50.0}).systems[0]
    for point in (fixed.at_required, fixed.at_default):
        assert (point.frr_at_fmr, point.fnmr_at_fmr) == (None, None)
    # At a fixed threshold, no FMR is asked for.
    for point_at in fixed.at_fmrs[:2]:
        assert (point_at.point.frr_at_fmr, point_at.point.fnmr_at_fmr) == (None, None)


def test_a_scatter_counts_each_pair_that_both_scored():
    first = crowd("a", failures=0.02)
    second = crowd("b", mean=55, seed=4, failures=0.02)
    evaluation = evaluate([first, second], **FIXED)
    (difference,) = evaluation.differences
    scatter = difference.scatter
    thresholds = [system.at_required.threshold for system in evaluation.systems]
    both = first.scored & second.scored
    for dots, rows in (
        (scatter.mated, both & first.mated),
        (scatter.non_mated, both & ~first.mated),
    ):
        edges = (scatter.edges_first, scatter.edges_second)
        counts, _, _ = np.histogram2d(first.scores[rows], second.scores[rows], edges)
        drawn = np.zeros_like(counts)
        drawn[list(dots.first), list(dots.second)] = dots.pairs
        assert (drawn == counts).all()
    passed = [each.passed(at) for each, at in zip((first, second), thresholds, strict=True)]
    for overlap, wrong, rows in (
        (scatter.mated_rejected, [~each for each in passed], first.mated),
        (scatter.non_mated_passed, passed, ~first.mated),
    ):
        assert overlap.pairs == rows.sum()
        assert overlap.both == (wrong[0] & wrong[1] & rows).sum()
        assert overlap.only_first == (wrong[0] & ~wrong[1] & rows).sum()
        assert overlap.only_second == (wrong[1] & ~wrong[0] & rows).sum()
    # The same pairs as those of the verdict.
    assert scatter.mated_rejected.only_first == difference.only_first
    assert scatter.mated_rejected.only_second == difference.only_second


def test_more_than_four_systems_have_no_scatters():
    systems = [crowd(name, people=40, seed=seed) for seed, name in enumerate("abcde")]
    assert all(two.scatter is None for two in evaluate(systems).differences)
    assert all(two.scatter is not None for two in evaluate(systems[:4]).differences)


COSTS = Costs(false_match=200, false_reject=3, currency="USD")


def test_a_year_multiplies_the_rates_of_the_report():
    traffic = Traffic(calls_per_year=1_000_000, impostors=0.01, costs=COSTS)
    (system,) = evaluate([as_real(crowd(failures=0.01))], **FIXED, traffic=traffic).systems
    year = system.year
    frr = system.at_required.shown("frr")
    far = system.at_required.far
    assert year.false_rejects.value == pytest.approx(990_000 * frr.value)
    assert year.false_rejects.interval.low == pytest.approx(990_000 * frr.interval.low)
    assert year.false_rejects.interval.high == pytest.approx(990_000 * frr.interval.high)
    assert year.false_matches.value == pytest.approx(10_000 * far.value)
    # The threshold was chosen on these pairs, as for the FMR of the report.
    assert year.false_matches.interval.high >= 10_000 * far.interval.high
    assert year.false_matches.interval.high == pytest.approx(
        10_000 * system.at_required.fmr.interval.high, rel=0.05
    )
    errors = year.cost_of_errors
    assert errors.value == pytest.approx(
        200 * year.false_matches.value + 3 * year.false_rejects.value
    )
    # A sum of independent errors: narrower than the sum of both ends.
    lowest = 200 * year.false_matches.interval.low + 3 * year.false_rejects.interval.low
    highest = 200 * year.false_matches.interval.high + 3 * year.false_rejects.interval.high
    assert lowest < errors.interval.low < errors.value < errors.interval.high < highest
    assert year.cost_of_calls == pytest.approx(50_000)
    assert year.cost.value == pytest.approx(errors.value + 50_000)
    assert year.cost.interval.high == pytest.approx(errors.interval.high + 50_000)
    assert "1,000,000 calls, 1 % of them by impostors" in year.sentence


def test_a_year_lacks_what_is_unknown():
    traffic = Traffic(calls_per_year=1000, impostors=0.5)
    free = crowd("free")
    euros = attrs.evolve(as_real(crowd("euros", seed=2)), currency="EUR")
    without_costs = evaluate([free, euros], **FIXED, traffic=traffic)
    assert [system.year.cost_of_errors for system in without_costs.systems] == [None, None]
    assert [system.year.cost_of_calls for system in without_costs.systems] == [None, 50]
    with_costs = evaluate([free, euros], **FIXED, traffic=attrs.evolve(traffic, costs=COSTS))
    # Dollars and euros have no sum.
    assert [system.year.cost for system in with_costs.systems] == [None, None]
    assert all(system.year.cost_of_errors for system in with_costs.systems)
    assert "year" in {caveat.code for caveat in with_costs.caveats}
    no_strangers = evaluate([system_answers([90] * 40, [])], traffic=traffic)
    assert [system.year for system in no_strangers.systems] == [None]
    assert evaluate([free], **FIXED).systems[0].year is None


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic(calls_per_year=0, impostors=0.1),
        Traffic(calls_per_year=10, impostors=1.5),
        Traffic(calls_per_year=10, impostors=-0.5),
        Traffic(calls_per_year=10, impostors=0.1, costs=attrs.evolve(COSTS, false_match=-1)),
    ],
)
def test_impossible_traffic_is_refused(traffic):
    with pytest.raises(InvalidRequest):
        evaluate([crowd()], traffic=traffic)

import math

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import crowd, system_answers, with_columns, without_answers

from facematch_comparison import stats
from facematch_comparison.values.model import Method

ERRORS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=1)


def columns(pairs):
    first, second, whose = zip(*pairs, strict=True)
    return np.array(first), np.array(second), np.array(whose)


@given(ERRORS)
def test_the_exact_test_equals_statsmodels(pairs):
    from statsmodels.stats.contingency_tables import mcnemar

    first, second, _ = columns(pairs)
    test = stats.Paired(first, second, np.arange(len(first)))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    theirs = mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue
    assert (test.only_first, test.only_second) == (only_first, only_second)
    assert test.mcnemar() == pytest.approx(min(theirs, 1.0))


@given(ERRORS, st.sampled_from([0.8, 0.95]))
def test_the_difference_is_within_its_interval_and_antisymmetric(pairs, confidence):
    first, second, whose = columns(pairs)
    interval = stats.Paired(first, second, whose).interval(confidence)
    turned = stats.Paired(second, first, whose).interval(confidence)
    assert (interval.low, interval.high) == pytest.approx((-turned.high, -turned.low))
    middle = (int(first.sum()) - int(second.sum())) / (len(first) + 2)
    assert -1 <= interval.low < middle < interval.high <= 1
    assert (interval.method, interval.confidence) == (Method.CLUSTERED, confidence)


def test_the_difference_of_three_people_by_hand():
    first, second = np.array([1, 1, 0, 0], bool), np.array([0, 0, 0, 1], bool)
    interval = stats.Paired(first, second, np.array([7, 7, 8, 9])).interval(0.5)
    # What is left at each of five: 10/6, -1/6, -7/6; 5/6, 7/6. Half of t with 4 lies within 0.7407.
    wide = 0.740697 * math.sqrt((100 + 1 + 49 + 25 + 49) / 36 * 5 / 4) / 6
    assert (interval.low, interval.high) == pytest.approx((1 / 6 - wide, 1 / 6 + wide), abs=1e-6)


#: Non-mated scores of which 5 in 2,000 may pass, and the next ones lie close by.
STRANGERS = [*np.linspace(0, 49, 1_990), *np.linspace(49.1, 50, 10)]

#: The lowest rate that they can be compared at.
FMR = 2.5e-3


def sides_of(*systems, fmr=FMR):
    return [
        stats.Side(table=system, threshold=stats.threshold_for_fmr(system, fmr).threshold)
        for system in systems
    ]


def compared(*systems, fmr=FMR, resamples=200, **more):
    sides = sides_of(*systems, fmr=fmr)
    differences, _ = stats.compare_systems(sides, required_fmr=fmr, resamples=resamples, **more)
    return differences[0] if len(systems) == 2 else differences


def refusing(number, of=300, name="alpha", others=STRANGERS):
    return system_answers([20] * number + [90] * (of - number), others, name)


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_significance_is_corrected_for_all_comparisons(confidence):
    systems = [refusing(number, name=f"v{number}") for number in (0, 7, 9, 16, 30)]
    differences = compared(*systems, confidence=confidence, resamples=None)
    assert {difference.is_real for difference in differences} == {False, True}
    for difference in differences:
        assert difference.is_real is (difference.p_adjusted < 1 - confidence)
        fewer = min(difference.first, difference.second, key=lambda name: int(name[1:]))
        assert difference.better == (fewer if difference.is_real else None)


@pytest.mark.parametrize(
    ("of_alpha", "of_beta", "better"),
    [(0, 54, "alpha"), (97, 1, "beta"), (3, 5, None), (0, 4, None), (7, 7, None)],
)
def test_significance_follows_one_rule(of_alpha, of_beta, better):
    difference = compared(refusing(of_alpha), refusing(of_beta, name="beta"))
    assert (difference.is_real, difference.better) == (better is not None, better)
    assert (difference.p_adjusted < 0.05) is difference.is_real
    assert (difference.errors_first, difference.errors_second) == (of_alpha, of_beta)
    ends = difference.frr.interval
    assert ends.method is Method.BOOTSTRAP
    assert ends.low <= difference.exact.low <= difference.exact.high <= ends.high
    # What the interval says is what the verdict says.
    assert (ends.low <= 0 <= ends.high) is not difference.is_real
    assert difference.p_value >= difference.p_exact


def test_threshold_uncertainty_is_included():
    """What two equal systems differ by at given thresholds is within what thresholds explain."""
    first, second = (crowd(name, mean=60, seed=seed) for name, seed in (("a", 6), ("b", 7)))
    difference = compared(first, second)
    assert difference.p_exact < 0.05 < difference.p_value
    assert not difference.is_real


def test_nothing_is_compared_below_five_expected_false_matches():
    first, second = refusing(0), refusing(60, name="beta")
    assert compared(first, second).is_real
    for fmr, expected in ((FMR, 5), (FMR * 0.99, 4), (1e-3, 2), (5e-4, 1)):
        assert stats.allowed_errors(fmr, len(STRANGERS)) == expected
        difference = compared(first, second, fmr=fmr)
        assert (difference.frr is None) is (expected < stats.ENOUGH_FALSE_MATCHES)
        if difference.frr is None:
            assert (difference.p_value, difference.p_adjusted, difference.better) == (None,) * 3
            assert (difference.is_real, "2,000 non-mated" in difference.sentence) == (False, True)
    # What choosing nothing on these pairs does not ask for.
    sides = [attrs.evolve(side, is_fixed=True) for side in sides_of(first, second)]
    ((difference,), _) = stats.compare_systems(sides, required_fmr=1e-4, resamples=200)
    assert difference.better == "alpha"


def with_intervals(*systems, fmr):
    return stats.compare_systems(sides_of(*systems, fmr=fmr), required_fmr=fmr, resamples=2_000)


@pytest.mark.parametrize("failures", [0.0, 0.05])
def test_influences_give_the_intervals_of_a_bootstrap(monkeypatch, failures):
    systems = [
        crowd(name, people=300, mated=10, others=200, mean=mean, seed=seed, failures=failures)
        for name, mean, seed in (("a", 60, 0), ("b", 58, 1))
    ]
    ((difference,), intervals) = with_intervals(*systems, fmr=0.01)
    monkeypatch.setattr("facematch_comparison.stats.influence.ENOUGH_PASSED", 10**9)
    ((resampled,), by_bootstrap) = with_intervals(*systems, fmr=0.01)
    both = [(difference.frr.interval, resampled.frr.interval)]
    for found, expected in zip(intervals, by_bootstrap, strict=True):
        both += [(found[key], expected[key]) for key in expected]
    assert len(both) == 5
    for interval, expected in both:
        width = expected.high - expected.low
        ends = pytest.approx((expected.low, expected.high), abs=0.15 * width)
        assert (interval.low, interval.high) == ends
        assert (interval.method, expected.method) == (Method.INFLUENCE, Method.BOOTSTRAP)
    assert difference.is_real == resampled.is_real


def test_influences_are_not_used_for_few_false_matches_or_equal_scores():
    few = [crowd(name, people=300, others=150, seed=seed) for seed, name in enumerate("ab")]
    whole = [with_columns(system, scores=system.scores.round()) for system in few]
    for systems, fmr in ((few, 1e-3), (whole, 0.02)):
        ((difference,), _) = with_intervals(*systems, fmr=fmr)
        assert difference.frr.interval.method is Method.BOOTSTRAP
    assert with_intervals(*few, fmr=0.02)[0][0].frr.interval.method is Method.INFLUENCE


def test_only_pairs_answered_by_both_systems_are_compared():
    first = refusing(40)
    second = without_answers(refusing(0, name="beta"), list(range(30)))
    scores = second.scores.copy()
    scores[30] = np.nan
    difference = compared(first, with_columns(second, scores=scores))
    assert (difference.pairs, difference.only_first, difference.only_second) == (270, 9, 0)


@pytest.mark.parametrize("missing", [{"first"}, {"first", "second"}])
def test_systems_without_threshold_or_common_pairs_are_not_compared(missing):
    sides = [
        stats.Side(
            table=system_answers([90], [10, 20] * 30, name),
            threshold=None if name in missing else 50,
        )
        for name in ("first", "second")
    ]
    ((difference,), _) = stats.compare_systems(sides, required_fmr=0.1)
    without, _, _ = difference.sentence.partition("no threshold")
    assert {name for name in ("first", "second") if name in without} == missing
    assert not difference.is_real
    names = ("errors_first", "errors_second", "only_first", "only_second")
    for number in (*names, "frr", "exact", "p_value", "p_exact", "p_adjusted"):
        assert getattr(difference, number) is None


def test_a_resample_may_have_no_mated_pair():
    answers = crowd(people=10)
    rows = np.flatnonzero(~answers.mated | (answers.probe_subjects == 0))
    side = stats.Side(table=answers.take(rows), threshold=60.0)
    ((difference,), _) = stats.compare_systems([side, side], required_fmr=0.1, resamples=50)
    ends = difference.frr.interval
    assert np.isfinite([ends.low, ends.high]).all()


def test_holm_correction_covers_only_tested_pairs():
    systems = [refusing(number, name=f"v{number}") for number in (0, 9, 30)]
    sides = sides_of(*systems)
    silent = attrs.evolve(sides[0], threshold=None, table=refusing(0, name="silent"))
    differences, _ = stats.compare_systems(
        [sides[0], silent, *sides[1:]], required_fmr=FMR, resamples=200
    )
    tested = [each for each in differences if each.p_value is not None]
    assert [(each.first, each.second) for each in tested] == [
        *(("v0", "v9"), ("v0", "v30"), ("v9", "v30"))
    ]
    p_values = [each.p_value for each in tested]
    assert [each.p_adjusted for each in tested] == stats.holm(p_values)
    # One and the same, asked among many questions, is no longer shown.
    assert compared(refusing(0), refusing(7, name="beta")).is_real
    many = [refusing(0), *(refusing(7, name=f"v{place}") for place in range(5))]
    assert not any(each.is_real for each in compared(*many, resamples=None))
    assert stats.compare_systems(sides[:1], required_fmr=FMR)[0] == ()


@pytest.mark.parametrize("beyond", ["b", "ab", ""])
def test_systems_above_the_required_fmr_are_named(beyond):
    at = stats.threshold_for_fmr(system_answers([90], STRANGERS), FMR).threshold
    sides = []
    for name in "ab":
        others = [score + 5 * (name in beyond) for score in STRANGERS]
        table = refusing(2 if name == "a" else 60, name=name, others=others)
        sides.append(stats.Side(table=table, threshold=at, is_fixed=True))
    ((difference,), _) = stats.compare_systems(sides, required_fmr=FMR, resamples=200)
    assert difference.beyond == tuple(beyond)
    assert difference.is_real

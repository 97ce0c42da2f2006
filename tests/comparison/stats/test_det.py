import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, crowd, rates_at, system_answers

from facematch_comparison import Answers
from facematch_comparison.stats import Rates, curve_of, threshold_for_fmr
from facematch_comparison.stats.threshold import POINTS, det_curve
from facematch_core.models import ThresholdRule

RULES = (ThresholdRule.ABOVE, ThresholdRule.AT_LEAST)
#: Few distinct values, so that ties are common.
SCORES = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=30)


def passed(scores, threshold, rule):
    if rule is ThresholdRule.ABOVE:
        return np.array(scores) > threshold
    return np.array(scores) >= threshold


@given(SCORES, SCORES, st.sampled_from(RULES))
def test_each_vertex_equals_a_plain_count(mated, non_mated, rule):
    curve = det_curve(np.sort(mated), np.sort(non_mated), rule)
    assert np.all(np.diff(curve.thresholds) > 0)
    assert np.all(np.diff(curve.fnmr) > 0)
    assert np.all(np.diff(curve.fmr) <= 0)
    assert (curve.fnmr[-1], curve.fmr[-1]) == (1, 0)
    for threshold, fmr, fnmr in zip(curve.thresholds, curve.fmr, curve.fnmr, strict=True):
        assert fmr == np.mean(passed(non_mated, threshold, rule))
        assert fnmr == np.mean(~passed(mated, threshold, rule))


@given(SCORES, SCORES, st.sampled_from(RULES))
def test_the_eer_is_where_the_roc_crosses(mated, non_mated, rule):
    thresholds = [np.inf, *sorted({*mated, *non_mated}, reverse=True)]
    false_positives = [np.mean(np.array(non_mated) >= threshold) for threshold in thresholds]
    true_positives = [np.mean(np.array(mated) >= threshold) for threshold in thresholds]
    vertices = np.arange(len(thresholds))

    def fmr_at(vertex):
        return np.interp(vertex, vertices, false_positives)

    def fnmr_at(vertex):
        return 1 - np.interp(vertex, vertices, true_positives)

    crossing = scipy.optimize.brentq(lambda x: fnmr_at(x) - fmr_at(x), 0, vertices[-1])
    eer = det_curve(np.sort(mated), np.sort(non_mated), rule).eer
    assert eer == pytest.approx(fmr_at(crossing), abs=1e-9)


ANSWERS = st.lists(st.just(LOST) | st.integers(0, 20), max_size=25)


@given(ANSWERS, ANSWERS, st.sampled_from(RULES), st.lists(st.integers(-2, 30), max_size=3))
def test_each_point_of_the_page_equals_a_plain_count(mated, others, rule, include):
    table = system_answers(mated, others, rule=rule)
    curve = curve_of(Rates(table, 0.9), include=include)
    if curve is None:
        assert set(mated) <= {LOST} or set(others) <= {LOST}
        return
    assert curve.confidence == 0.9
    assert set(include) <= set(curve.thresholds)
    assert np.all(np.diff(curve.thresholds) > 0)
    points = [rates_at(table, threshold, 0.9) for threshold in curve.thresholds]
    for name in ("fmr", "fnmr", "frr"):
        rates = [getattr(point, name) for point in points]
        assert getattr(curve, name) == tuple(rate.value for rate in rates)
        assert getattr(curve, f"{name}_low") == tuple(rate.interval.low for rate in rates)
        assert getattr(curve, f"{name}_high") == tuple(rate.interval.high for rate in rates)


def test_a_thinned_curve_keeps_the_threshold_and_the_eer():
    table = crowd(people=400, mean=60, failures=0.1, rule=ThresholdRule.AT_LEAST)
    threshold = threshold_for_fmr(table, 1e-3).threshold
    curve = curve_of(Rates(table), include=[threshold])
    assert POINTS / 2 < len(curve.thresholds) <= POINTS + 1
    point = curve.thresholds.index(threshold)
    assert curve.frr[point] == rates_at(table, threshold).frr.value
    # Failures to acquire are in the FRR, and not in the FNMR and the EER.
    assert curve.frr[point] > curve.fnmr[point] + 0.05
    mated = np.sort(table.scores[table.mated & table.scored])
    others = np.sort(table.scores[~table.mated & table.scored])
    assert curve.eer.value == det_curve(mated, others, table.rule).eer
    assert curve.eer.interval.low < curve.eer.value < curve.eer.interval.high


def test_the_interval_of_the_eer_covers_the_true_one():
    """Of normal scores three standard deviations apart, it is the share beyond 1.5 of them."""
    truth = 0.0668
    covered = 0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        people = chance.permutation(4_000)
        scores = np.concatenate([chance.normal(3, 1, 400), chance.normal(0, 1, 1_800)])
        table = Answers.of(
            name="a",
            rule=ThresholdRule.AT_LEAST,
            scores=scores,
            probe_subjects=people[:2_200],
            reference_subjects=np.concatenate([people[:400], people[2_200:]]),
        )
        eer = curve_of(Rates(table)).eer
        covered += eer.interval.low <= truth <= eer.interval.high
        assert eer.interval.width < 0.04
    assert covered >= 35


def test_scores_without_an_error_have_an_eer_of_0_with_an_upper_bound():
    eer = curve_of(Rates(system_answers([90, 80, 70], [40, 30, 20]))).eer
    assert (eer.value, eer.interval.low) == (0, 0)
    assert 0.4 < eer.interval.high < 1


def test_the_interval_of_a_small_eer_contains_that_of_its_few_errors():
    """One of 100 mated pairs lies below 10 of 1,000 others: both rates are 1 %."""
    mated = [40, *np.linspace(80, 99, 99)]
    others = [*np.linspace(0, 39, 990), *np.linspace(41, 60, 10)]
    eer = curve_of(Rates(system_answers(mated, others))).eer
    assert eer.value == 0.01
    assert eer.interval.low <= scipy.stats.beta.ppf(0.025, 1, 100)
    assert scipy.stats.beta.ppf(0.975, 11, 990) < eer.interval.high < 0.06


def missed(*, mated, others, distance, repeats):
    """How often the interval begins above the true EER, and ends below it."""
    truth = scipy.stats.norm.cdf(-distance / 22)
    chance = np.random.default_rng(5)
    above = below = 0
    for _ in range(repeats):
        mated_scores = chance.normal(30 + distance, 10, mated).round(2)
        other_scores = chance.normal(30, 12, others).round(2)
        interval = curve_of(Rates(system_answers(mated_scores, other_scores))).eer.interval
        above += truth < interval.low
        below += truth > interval.high
    return above, below


def test_the_interval_of_a_small_eer_begins_below_the_true_one():
    above, below = missed(mated=100, others=1_000, distance=60, repeats=40)
    assert above <= 1
    assert below <= 1


def test_intervals_of_eers_cover_the_true_ones():
    for mated, others, distance in ((100, 10_000, 60), (300, 3_000, 60), (300, 3_000, 40)):
        above, below = missed(mated=mated, others=others, distance=distance, repeats=120)
        assert above <= 8  # of 3 expected, at most one time in a hundred
        assert below <= 8

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, crowd, rates_at, system_answers

from facematch_comparison.stats import Rates, curve_of, det_curve, threshold_for_fmr
from facematch_comparison.stats.threshold import POINTS
from facematch_core.models import ThresholdRule

RULES = (ThresholdRule.ABOVE, ThresholdRule.AT_LEAST)
#: Few distinct values, so that ties are common.
SCORES = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=30)


def passing(scores, threshold, rule):
    above = rule is ThresholdRule.ABOVE
    return sum(s > threshold if above else s >= threshold for s in scores)


@given(SCORES, SCORES, st.sampled_from(RULES))
def test_each_vertex_equals_a_plain_count(mated, non_mated, rule):
    curve = det_curve(np.sort(mated), np.sort(non_mated), rule)
    assert np.all(np.diff(curve.thresholds) > 0)
    assert np.all(np.diff(curve.fnmr) > 0)
    assert np.all(np.diff(curve.fmr) <= 0)
    assert (curve.fnmr[-1], curve.fmr[-1]) == (1, 0)
    for threshold, fmr, fnmr in zip(curve.thresholds, curve.fmr, curve.fnmr, strict=True):
        assert fmr == passing(non_mated, threshold, rule) / len(non_mated)
        assert fnmr == (len(mated) - passing(mated, threshold, rule)) / len(mated)


@given(SCORES, SCORES, st.sampled_from(RULES))
def test_the_eer_is_where_the_roc_crosses(mated, non_mated, rule):
    places = [np.inf, *sorted({*mated, *non_mated}, reverse=True)]
    fpr = np.array([np.mean(np.array(non_mated) >= place) for place in places])
    tpr = np.array([np.mean(np.array(mated) >= place) for place in places])

    def gap(along):
        at = np.arange(len(fpr))
        return np.interp(along, at, 1 - tpr) - np.interp(along, at, fpr)

    along = scipy.optimize.brentq(gap, 0, len(fpr) - 1)
    expected = np.interp(along, np.arange(len(fpr)), fpr)
    rate = det_curve(np.sort(mated), np.sort(non_mated), rule).eer
    assert rate == pytest.approx(expected, abs=1e-9)


SOME = st.lists(st.one_of(st.none(), st.integers(0, 20)), max_size=25)


@given(SOME, SOME, st.sampled_from(RULES), st.lists(st.integers(-2, 30), max_size=3))
def test_each_point_of_the_page_equals_a_plain_count(mated, others, rule, include):
    table = system_answers(mated, others, rule=rule)
    curve = curve_of(Rates(table, 0.9), include=include)
    if curve is None:
        assert set(mated) <= {LOST} or set(others) <= {LOST}
        return
    assert curve.confidence == 0.9
    assert set(include) <= set(curve.thresholds)
    assert np.all(np.diff(curve.thresholds) > 0)
    for place, threshold in enumerate(curve.thresholds):
        rates = rates_at(table, threshold, 0.9)
        for name in ("fmr", "fnmr", "frr"):
            rate = getattr(rates, name)
            ends = getattr(curve, f"{name}_low")[place], getattr(curve, f"{name}_high")[place]
            assert getattr(curve, name)[place] == rate.value
            assert ends == (rate.interval.low, rate.interval.high)


def test_a_thinned_curve_keeps_the_threshold_and_the_eer():
    table = crowd(people=400, mean=60, failures=0.1, rule=ThresholdRule.AT_LEAST)
    at = threshold_for_fmr(table, 1e-3).threshold
    curve = curve_of(Rates(table), include=[at])
    assert POINTS / 2 < len(curve.thresholds) <= POINTS + 1
    place = curve.thresholds.index(at)
    assert curve.frr[place] == rates_at(table, at).frr.value > curve.fnmr[place] + 0.05
    # Failures to acquire are in the FRR, and not in the EER.
    mated, others = (table.scores[kind & table.scored] for kind in (table.mated, ~table.mated))
    assert curve.eer == det_curve(np.sort(mated), np.sort(others), table.rule).eer

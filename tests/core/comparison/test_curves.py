"""The curve and the histogram of a page: thinner than the data, and true to it."""

import numpy as np
import pytest
from core.comparison.tables import LOST, answers, changed, crowd
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import ThresholdRule
from facematch_core.comparison._curves import BINS, POINTS, curve_of, histogram_of
from facematch_core.comparison.metrics import Rates, det_curve, eer, rates_at

SCORES = st.lists(st.one_of(st.none(), st.integers(0, 20)), min_size=1, max_size=25)
RULES = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])


@given(SCORES, SCORES, RULES)
def test_each_point_is_what_counting_says(mated, others, rule):
    """FMR of what was compared, FRR of what was answered."""
    table = answers(mated, others, rule=rule).table
    curve = curve_of(Rates(table, 0.9))
    if curve is None:
        assert set(mated) == {LOST} or set(others) == {LOST}
        return
    assert curve.confidence == 0.9
    for place, threshold in enumerate(curve.thresholds):
        told = rates_at(table, threshold)
        assert curve.fmr[place] == pytest.approx(told.fmr.value)
        assert curve.frr[place] == pytest.approx(told.frr.value)
        assert curve.fmr_low[place] <= curve.fmr[place] <= curve.fmr_high[place]
        assert curve.frr_low[place] <= curve.frr[place] <= curve.frr_high[place]


@given(SCORES, SCORES, RULES)
def test_a_curve_goes_one_way(mated, others, rule):
    """Thresholds and FRR rise, FMR falls; all of them are numbers."""
    curve = curve_of(Rates(answers(mated, others, rule=rule).table))
    if curve is not None:
        assert np.all(np.diff(curve.thresholds) > 0)
        assert np.all(np.diff(curve.frr) > 0)
        assert np.all(np.diff(curve.fmr) <= 0)
        assert np.isfinite([*curve.thresholds, *curve.fmr_high, *curve.frr_low]).all()


def test_thinned_but_whole():
    """Of thousands of vertices few are left; both ends stay, and so does the equal error rate."""
    table = crowd(people=400, mean=45, rule=ThresholdRule.AT_LEAST).table
    whole = det_curve(table.scores[table.mated], table.scores[~table.mated], rule=table.rule)
    curve = curve_of(Rates(table))
    assert len(whole.thresholds) > 10 * POINTS
    assert POINTS / 2 < len(curve.thresholds) <= POINTS
    assert curve.thresholds[0] == whole.thresholds[0]
    # The last vertex of all lets nobody in: no threshold can be set to it.
    assert curve.thresholds[-1] == whole.thresholds[-2]
    assert curve.eer == eer(whole)


def test_thinned_evenly():
    """No step of the curve is much longer than the others on normal-deviate axes."""
    from scipy.special import ndtri

    curve = curve_of(Rates(crowd(people=400, mean=45).table))
    x, y = (ndtri(np.clip(rate, 1e-6, 1 - 1e-6)) for rate in (curve.fmr, curve.frr))
    steps = np.hypot(np.diff(x), np.diff(y))
    # A step of the data itself can be long: nobody scores between two people.
    assert np.median(steps) > 0.02
    assert np.quantile(steps, 0.9) < 5 * np.median(steps)


@given(SCORES, SCORES)
def test_every_score_is_in_one_bin(mated, others):
    """None is counted twice or lost, the highest neither."""
    found = histogram_of(answers(mated, others).table)
    told = [[s for s in kind if s is not LOST] for kind in (mated, others)]
    if found is None:
        assert told == [[], []]
        return
    assert len(found.edges) == BINS + 1
    assert (sum(found.mated), sum(found.non_mated)) == (len(told[0]), len(told[1]))


@pytest.mark.parametrize(
    ("scores", "edges"),
    [((20, 80), (0, 100)), ((-3, 7), (-3, 7)), ((150, 150), (149.5, 150.5))],
)
def test_edges_of_a_histogram(scores, edges):
    """0 to 100 where that is the scale, else as far as scores go."""
    found = histogram_of(answers(scores, []).table)
    assert (found.edges[0], found.edges[-1]) == edges


def test_no_scores_no_histogram():
    """Nor a curve."""
    table = answers([LOST], [LOST]).table
    assert (histogram_of(table), curve_of(Rates(table))) == (None, None)
    one_kind = changed(answers([90], []), threshold=None).table
    assert curve_of(Rates(one_kind)) is None

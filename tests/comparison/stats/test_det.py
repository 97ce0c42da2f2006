"""The DET curve: every point is what counting says, and what scikit-learn says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, answers, changed, crowd
from scipy.optimize import brentq
from scipy.special import ndtri
from sklearn.metrics import roc_auc_score, roc_curve

from facematch_comparison.stats import (
    Rates,
    curve_of,
    det_curve,
    histogram_of,
    rates_at,
    separation,
    threshold_for_fmr,
)
from facematch_comparison.stats.det import BINS, POINTS
from facematch_core import InvalidRequest, ThresholdRule

RULES = (ThresholdRule.ABOVE, ThresholdRule.AT_LEAST)
#: Few distinct values, so that ties are common.
SCORES = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=30)


def passing(scores, threshold, rule):
    """By counting, one score at a time."""
    above = rule is ThresholdRule.ABOVE
    return sum(s > threshold if above else s >= threshold for s in scores)


@given(SCORES, SCORES, st.integers(0, 3), st.integers(0, 3), st.sampled_from(RULES))
def test_each_vertex_is_what_counting_says(mated, non_mated, lost, unmet, rule):
    """At the threshold of each vertex both rates are those of the definition, failures included."""
    curve = det_curve(mated, non_mated, mated_failures=lost, non_mated_failures=unmet, rule=rule)
    for threshold, fmr, fnmr in zip(curve.thresholds, curve.fmr, curve.fnmr, strict=True):
        assert fmr == passing(non_mated, threshold, rule) / (len(non_mated) + unmet)
        refused = len(mated) - passing(mated, threshold, rule) + lost
        assert fnmr == refused / (len(mated) + lost)


@given(SCORES, SCORES, st.sampled_from(RULES))
def test_no_threshold_is_better(mated, non_mated, rule):
    """Whatever threshold is tried, a vertex is as good in both rates."""
    curve = det_curve(mated, non_mated, rule=rule)
    for threshold in {-1.0, 99.0, *mated, *non_mated, *(s + 0.5 for s in mated)}:
        fmr = passing(non_mated, threshold, rule) / len(non_mated)
        fnmr = 1 - passing(mated, threshold, rule) / len(mated)
        assert np.any((curve.fmr <= fmr + 1e-12) & (curve.fnmr <= fnmr + 1e-12))


@given(SCORES, SCORES)
def test_thresholds_rise(mated, non_mated):
    """One vertex per FNMR, in order, from everybody to nobody."""
    for rule in RULES:
        curve = det_curve(mated, non_mated, rule=rule)
        assert np.all(np.diff(curve.thresholds) > 0)
        assert np.all(np.diff(curve.fnmr) > 0)
        assert np.all(np.diff(curve.fmr) <= 0)
        assert (curve.fnmr[0], curve.fnmr[-1], curve.fmr[-1]) == (0, 1, 0)


@given(SCORES, SCORES, st.integers(0, 3), st.sampled_from(RULES))
def test_the_eer_is_where_the_roc_crosses(mated, non_mated, lost, rule):
    """As everybody reckons it, from scikit-learn's ROC by straight lines; failures aside."""
    labels = np.concatenate([np.ones(len(mated)), np.zeros(len(non_mated))])
    fpr, tpr, _ = roc_curve(labels, [*mated, *non_mated], drop_intermediate=False)

    def gap(along):
        at = np.arange(len(fpr))
        return np.interp(along, at, 1 - tpr) - np.interp(along, at, fpr)

    along = brentq(gap, 0, len(fpr) - 1)
    expected = np.interp(along, np.arange(len(fpr)), fpr)
    found = det_curve(mated, non_mated, mated_failures=lost, rule=rule).eer
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("scores", "more", "words"),
    [
        (([], [1]), {}, "no mated"),
        (([1], []), {}, "no non_mated"),
        (([1, float("nan")], [1]), {}, "mated scores are NaN"),
        (([1], [0]), {"mated_failures": -1}, "mated_failures .* -1"),
        (([1], [0]), {"rule": ThresholdRule.VENDOR}, "ABOVE or AT_LEAST"),
    ],
)
def test_what_cannot_be_drawn_is_refused(scores, more, words):
    """It is said which."""
    with pytest.raises(InvalidRequest, match=words):
        det_curve(*scores, **more)


# --- What a page shows --------------------------------------------------------------------------

SOME = st.lists(st.one_of(st.none(), st.integers(0, 20)), min_size=1, max_size=25)


@given(SOME, SOME, st.sampled_from(RULES), st.lists(st.integers(-2, 30), max_size=3))
def test_each_point_is_what_counting_says(mated, others, rule, include):
    """FMR and FNMR of what was compared, FRR of what was answered; operating points among them."""
    table = answers(mated, others, rule=rule).table
    curve = curve_of(Rates(table, 0.9), include=include)
    if curve is None:
        assert set(mated) == {LOST} or set(others) == {LOST}
        return
    assert curve.confidence == 0.9
    assert set(include) <= set(curve.thresholds)
    assert np.all(np.diff(curve.thresholds) > 0)
    for place, threshold in enumerate(curve.thresholds):
        rates = Rates(table, 0.9).all_at(threshold)
        for name in ("fmr", "fnmr", "frr"):
            rate = getattr(rates, name)
            ends = getattr(curve, f"{name}_low")[place], getattr(curve, f"{name}_high")[place]
            assert getattr(curve, name)[place] == rate.value
            assert ends == (rate.interval.low, rate.interval.high)


def test_thinned_but_whole():
    """Of thousands of vertices few are left; both ends stay, and so do the operating points."""
    table = crowd(people=400, mean=60, failures=0.1, rule=ThresholdRule.AT_LEAST).table
    scored = table.scored
    whole = det_curve(
        table.scores[table.mated & scored], table.scores[~table.mated & scored], rule=table.rule
    )
    at = threshold_for_fmr(table, 1e-3).threshold
    curve = curve_of(Rates(table), include=[at])
    assert len(whole.thresholds) > 10 * POINTS
    assert POINTS / 2 < len(curve.thresholds) <= POINTS + 1
    assert curve.thresholds[0] == whole.thresholds[0]
    # The last vertex of all lets nobody in: no threshold can be set to it.
    assert curve.thresholds[-1] == whole.thresholds[-2]
    place = curve.thresholds.index(at)
    assert curve.frr[place] == rates_at(table, at).frr.value > curve.fnmr[place] + 0.05
    # Failures to acquire are in the FRR, and not in the EER.
    assert curve.eer == whole.eer


def test_thinned_evenly():
    """No step of the curve is much longer than the others on normal-deviate axes."""
    curve = curve_of(Rates(crowd(people=400, mean=45).table))
    x, y = (ndtri(np.clip(rate, 1e-6, 1 - 1e-6)) for rate in (curve.fmr, curve.fnmr))
    steps = np.hypot(np.diff(x), np.diff(y))
    # A step of the data itself can be long: nobody scores between two people.
    assert np.median(steps) > 0.02
    assert np.quantile(steps, 0.9) < 5 * np.median(steps)


@given(SOME, SOME)
def test_every_score_is_in_one_bin(mated, others):
    """None is counted twice or lost, the highest neither."""
    found = histogram_of(answers(mated, others).table)
    scores = [[s for s in kind if s is not LOST] for kind in (mated, others)]
    if found is None:
        assert scores == [[], []]
        return
    assert len(found.edges) == BINS + 1
    assert (sum(found.mated), sum(found.non_mated)) == (len(scores[0]), len(scores[1]))


@pytest.mark.parametrize(
    ("scores", "edges"),
    [
        ((20, 80), (0, 100)),
        ((0.2, 0.9), (0, 1)),
        ((-3, 7), (-3, 7)),
        ((-0.5, 0.9), (-0.5, 0.9)),
        ((150, 150), (149.5, 150.5)),
    ],
)
def test_edges_of_a_histogram(scores, edges):
    """0 to 1 or to 100 where that may be the scale, else as far as scores go."""
    found = histogram_of(answers(scores, []).table)
    assert (found.edges[0], found.edges[-1]) == edges


def test_no_scores_no_histogram():
    """Nor a curve."""
    table = answers([LOST], [LOST]).table
    assert (histogram_of(table), curve_of(Rates(table))) == (None, None)
    one_kind = changed(answers([90], []), threshold=None).table
    assert curve_of(Rates(one_kind)) is None


@given(SOME, SOME)
def test_how_far_scores_lie_apart(mated, others):
    """AUC as scikit-learn counts it, ties half; d' by its definition."""
    same, strangers = ([s for s in kind if s is not LOST] for kind in (mated, others))
    auc, d_prime = separation(answers(mated, others).table)
    if not same or not strangers:
        assert (auc, d_prime) == (None, None)
        return
    labels = [1] * len(same) + [0] * len(strangers)
    assert auc == pytest.approx(roc_auc_score(labels, [*same, *strangers]), abs=1e-12)
    spread = np.sqrt((np.var(same) + np.var(strangers)) / 2)
    if not spread:
        assert d_prime is None
    else:
        assert d_prime == pytest.approx((np.mean(same) - np.mean(strangers)) / spread)


def test_a_vendor_that_scores_matches_only_has_no_auc():
    """What the others would score is not known."""
    table = answers([90, 80, LOST], [10, 20]).table
    assert separation(table)[0] == 1
    table = changed(answers([90, 80, 70], [10, 20]), scores=np.array([90, 80, np.nan, 10, 20]))
    assert separation(table.table) == (None, None)

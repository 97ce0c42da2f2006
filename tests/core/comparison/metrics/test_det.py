"""The DET curve: every vertex is what counting says, and what scikit-learn says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import det_curve as by_scikit_learn

from facematch_core import InvalidRequest, ThresholdRule
from facematch_core.comparison.metrics import det_curve, eer

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


@pytest.mark.parametrize("decimals", [2, 12])
def test_scikit_learn_says_the_same(decimals):
    """At every threshold of ours that it has, `det_curve` of scikit-learn gives the same rates."""
    random = np.random.default_rng(7)
    mated = random.normal(70, 10, 3_000).round(decimals)
    non_mated = random.normal(30, 12, 20_000).round(decimals)
    curve = det_curve(mated, non_mated)
    labels = np.concatenate([np.ones(len(mated)), np.zeros(len(non_mated))])
    scores = np.concatenate([mated, non_mated])
    fpr, fnr, thresholds = by_scikit_learn(labels, scores, drop_intermediate=False)
    place = {value: at for at, value in enumerate(thresholds)}
    # It leaves out what lies above every non-mated score, where FMR is 0.
    shared = np.flatnonzero(curve.thresholds <= non_mated.max())
    assert len(shared) > 1_000
    theirs = [place[curve.thresholds[at]] for at in shared]
    np.testing.assert_allclose(curve.fmr[shared], fpr[theirs], atol=1e-12)
    np.testing.assert_allclose(curve.fnmr[shared], fnr[theirs], atol=1e-12)


def test_eer_of_a_known_case():
    """Two of ten each way at the crossing."""
    mated = [1, 2, 6, 7, 8, 9, 10, 11, 12, 13]
    non_mated = [-9, -8, -7, -6, -5, -4, -3, -2, 4, 6.5]
    assert eer(det_curve(mated, non_mated)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([], [1]), "There are no mated scores"),
        (([1], []), "There are no non_mated scores"),
        (([1, float("nan")], [1]), "Some mated scores are NaN"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, told):
    """One sentence says what is wrong."""
    with pytest.raises(InvalidRequest, match=told):
        det_curve(*arguments)


def test_counts_and_rules_are_checked():
    """A negative count, and a rule that is not known."""
    with pytest.raises(InvalidRequest, match="mated_failures must be at least 0, not -1"):
        det_curve([1], [0], mated_failures=-1)
    with pytest.raises(InvalidRequest, match="ABOVE or AT_LEAST"):
        det_curve([1], [0], rule=ThresholdRule.VENDOR)

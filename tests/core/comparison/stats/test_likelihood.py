"""Scores as calibrated likelihood ratios."""

import math

import attrs
import numpy as np
import pytest
from core.comparison.stats.choice import World, changed, written
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from facematch_core.comparison.stats.likelihood import (
    PLACES,
    cost_of,
    likelihood_ratios,
    logistic,
    pav,
)


def normal(chance, mated=300, others=700, apart=3.0):
    """Scores of two normal distributions: the true log ratio is linear."""
    same = np.arange(mated + others) < mated
    return chance.normal(np.where(same, apart, 0.0), 1.0), same


def from_ratio(ratios, mated):
    """The share of mated pairs that log10 ratios stand for, in these proportions."""
    odds = 10.0**ratios * np.count_nonzero(mated) / np.count_nonzero(~mated)
    return np.where(np.isinf(odds), 1.0, odds / (1 + np.where(np.isinf(odds), 0, odds)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=60))
def test_pav_is_isotonic_regression(pairs):
    """As scipy has it on each score, and scikit-learn on pairs with ties."""
    scores = np.array([score for score, _ in pairs], float)
    mated = np.array([same for _, same in pairs])
    if mated.all() or not mated.any():
        return
    places, ratios = pav(scores, mated)
    assert np.array_equal(places, np.unique(scores))
    share = from_ratio(ratios, mated)
    _, of_pair = np.unique(scores, return_inverse=True)
    weights = np.bincount(of_pair)
    means = np.bincount(of_pair, mated) / weights
    assert share == pytest.approx(isotonic_regression(means, weights=weights).x, abs=1e-9)
    model = IsotonicRegression().fit(scores, mated)
    assert share == pytest.approx(model.predict(places), abs=1e-9)
    assert np.all(np.diff(ratios[np.isfinite(ratios)]) >= -1e-12)


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e-3])
def test_logistic_is_logistic_regression(scale):
    """As scikit-learn has it with balanced classes, on any scale."""
    scores, mated = normal(np.random.default_rng(0))
    offset, slope = logistic(scores * scale + 7 * scale, mated)
    model = LogisticRegression(C=1e12, class_weight="balanced", tol=1e-10, max_iter=1000)
    model.fit(scores[:, None], mated)
    assert slope * scale == pytest.approx(float(model.coef_[0, 0]) / math.log(10), rel=1e-5)
    at_zero = offset + slope * 7 * scale
    assert at_zero == pytest.approx(float(model.intercept_[0]) / math.log(10), rel=1e-5)


def test_logistic_finds_the_true_ratio():
    """log LR = 3 s - 4.5 for unit normals that are 3 apart."""
    scores, mated = normal(np.random.default_rng(1), 20_000, 60_000)
    offset, slope = logistic(scores, mated)
    assert slope * math.log(10) == pytest.approx(3, rel=0.05)
    assert offset * math.log(10) == pytest.approx(-4.5, rel=0.05)


def test_logistic_needs_no_prior():
    """Ten times as many non-mated pairs change nothing."""
    scores, mated = normal(np.random.default_rng(2))
    more = np.concatenate([scores, *[scores[~mated]] * 9])
    same = np.concatenate([mated, np.zeros(9 * np.count_nonzero(~mated), bool)])
    assert logistic(more, same) == pytest.approx(logistic(scores, mated))


@settings(max_examples=60, deadline=None)
@given(
    mated=st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=1, max_size=20),
    others=st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=1, max_size=20),
)
def test_logistic_never_fails(mated, others):
    """Separated, touching, the wrong way round, with outliers: finite; no worse than nothing."""
    scores = np.array([*mated, *others])
    same = np.arange(len(scores)) < len(mated)
    if np.ptp(scores) < 1e-2:
        return
    offset, slope = logistic(scores, same)
    assert math.isfinite(offset)
    assert math.isfinite(slope)
    if min(mated) < max(others) and max(mated) > min(others):
        assert cost_of(offset + slope * scores, same) <= 1 + 1e-9


def test_cllr_by_its_definition():
    """Brümmer and du Preez's formula; 1 for no information, 0 for infinite certainty."""
    scores, mated = normal(np.random.default_rng(3))
    ratios = (3 * scores - 4.5) / math.log(10)
    plain = (
        np.mean(np.log2(1 + 1 / 10 ** ratios[mated])) + np.mean(np.log2(1 + 10 ** ratios[~mated]))
    ) / 2
    assert cost_of(ratios, mated) == pytest.approx(plain)
    assert cost_of(np.zeros(1000), mated) == pytest.approx(1)
    assert cost_of(np.where(mated, np.inf, -np.inf), mated) == 0
    assert cost_of(np.where(mated, -np.inf, 0.0), mated) == np.inf


def test_a_system():
    """Its ratios rise, stay within what so many pairs can show, and its costs are in order."""
    (one,) = World(people=200, mated=1000, non_mated=4000).study(np.random.default_rng(4))
    found = likelihood_ratios(one.table)
    assert len(found.scores) == len(found.pav) == len(found.logistic) == PLACES
    assert (found.scores[0], found.scores[-1]) == (one.table.scores.min(), one.table.scores.max())
    for ratios in (found.pav, found.logistic):
        assert np.all(np.diff(ratios) >= 0)
        assert (ratios[0], ratios[-1]) == pytest.approx((found.lowest, found.highest))
    # At most log10 of the pairs and one more; fewer, because pairs share people.
    assert -math.log10(1001) < found.lowest < -2
    assert 3 < found.highest < math.log10(4001)
    assert 0 < found.cllr_min < found.cllr.value < 1
    assert found.cllr.interval.low < found.cllr.value < found.cllr.interval.high
    assert likelihood_ratios(one.table) == found
    line = np.clip(found.slope * np.array(found.scores) + found.offset, found.lowest, found.highest)
    assert found.logistic == pytest.approx(tuple(line))


def test_a_threshold_of_scores_is_no_matter_of_scale():
    """Twice the scores, half the slope, the same Cllr."""
    (one,) = World(people=100).study(np.random.default_rng(5))
    twice = changed(one, scores=2 * one.table.scores + 10)
    first, second = likelihood_ratios(one.table), likelihood_ratios(twice.table)
    assert second.slope == pytest.approx(first.slope / 2)
    assert second.cllr.value == pytest.approx(first.cllr.value)
    assert second.cllr_min == first.cllr_min


def test_people_are_judged_by_what_never_saw_them():
    """A person whose scores are their own makes the calibration of others no better."""
    (one,) = World(people=50, mated=2000, non_mated=2000, own=0.5, mean=(1.5,)).study(
        np.random.default_rng(6)
    )
    found = likelihood_ratios(one.table)
    fitted = cost_of(found.slope * one.table.scores + found.offset, one.table.mated)
    assert found.cllr.value > fitted


def test_a_perfect_system():
    """Is still bounded: few pairs do not show more."""
    one = written(list(np.linspace(80, 90, 40)), list(np.linspace(10, 20, 60)))
    found = likelihood_ratios(one.table)
    assert (found.lowest, found.highest) == pytest.approx((-math.log10(41), math.log10(61)))
    assert (found.pav[0], found.pav[-1]) == (found.lowest, found.highest)
    assert found.cllr_min == 0
    assert 0 < found.cllr.value < 0.2


def test_what_has_no_ratios():
    """Decisions only, one kind of pairs, one score, hardly anybody."""
    one = written([90, 80] * 10, [10, 20] * 10)
    assert likelihood_ratios(one.table) is not None
    assert likelihood_ratios(changed(one, scores=np.full(40, np.nan)).table) is None
    assert likelihood_ratios(written([90] * 10, []).table) is None
    assert likelihood_ratios(written([], [10] * 10).table) is None
    assert likelihood_ratios(written([50] * 10, [50] * 10).table) is None
    assert likelihood_ratios(written([90], [10]).table) is None


def test_pairs_without_a_score_play_no_part():
    """Failures to acquire say nothing of likelihood."""
    one = written([90, 80, 40] * 20, [10, 20, 60] * 20)
    more = written([90, 80, 40] * 20 + ["lost"] * 5, [10, 20, 60] * 20)
    first, second = likelihood_ratios(one.table), likelihood_ratios(more.table)
    assert (first.pav, first.slope) == (second.pav, second.slope)
    assert attrs.asdict(second)["scores"] == first.scores


def test_numbers_of_people_are_only_names():
    """Whoever numbers them as high as they like, or below 0, gets the same."""
    (one,) = World(people=60).study(np.random.default_rng(7))
    sides = one.table.probe_subjects, one.table.reference_subjects
    first, second = (side * 10**16 - 10**17 for side in sides)
    high = changed(one, probe_subjects=first, reference_subjects=second)
    assert likelihood_ratios(high.table) == likelihood_ratios(one.table)

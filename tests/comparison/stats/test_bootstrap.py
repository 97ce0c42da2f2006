from collections import Counter

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import crowd, table_of, with_columns

from facematch_comparison.stats import Clusters, allowed_errors, interval, threshold_for_fmr
from facematch_comparison.stats.bootstrap import (
    PeopleToDraw,
    RedrawnErrors,
    RedrawnThreshold,
    TooFewScores,
    bootstrap_p_value,
    percentile_interval,
)
from facematch_comparison.values.model import Method
from facematch_core.models import ThresholdRule


def simulated_table(people, mated, others, *, decimals, failures, seed):
    """Answers of people who are easier or harder to recognise."""
    generator = np.random.default_rng(seed)
    ease = generator.normal(0, 4, people)
    mated_people = generator.integers(0, people, mated)
    first = generator.integers(0, people, others)
    second = (first + generator.integers(1, people, others)) % people
    probe = np.concatenate([mated_people, first])
    reference = np.concatenate([mated_people, second])
    is_mated = np.arange(len(probe)) < mated
    scores = generator.normal(np.where(is_mated, 60, 40), 10) + ease[probe]
    acquired = generator.random(len(probe)) >= failures
    acquired[mated : mated + 2] = True
    scores = np.where(acquired, scores.round(decimals), np.nan)
    return table_of(probe * 7, reference * 7, scores, rule=ThresholdRule.ABOVE)


SIMULATED = st.builds(
    simulated_table,
    people=st.integers(2, 12),
    mated=st.integers(1, 25),
    others=st.integers(2, 300),
    decimals=st.sampled_from([0, 1, 12]),
    failures=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 99),
)


def drawn_from(people, *, resamples, seed=0, length=0):
    """float64, (B, P)."""
    everyone = PeopleToDraw(np.zeros((people, 1)), np.arange(people))
    blocks = everyone.draw(resamples, seed, length=length)
    return np.concatenate([draws for draws, _sums in blocks])


def people_of(table):
    return np.unique([table.probe_subjects, table.reference_subjects])


class PlainBootstrap:
    """The weight of each non-mated pair, all sorted, and the mated pairs one by one."""

    def __init__(self, table, fmr):
        self._table = table
        rows = np.flatnonzero(table.scored & ~table.mated)
        people = people_of(table)
        self._first = np.searchsorted(people, table.probe_subjects[rows])
        self._second = np.searchsorted(people, table.reference_subjects[rows])
        self._scores = table.scores[rows]
        self._allowed = allowed_errors(fmr, len(rows))
        self._scale = self._scale_of_weights()

    def _scale_of_weights(self):
        """So that the FMR varies as its interval says, and not as products of draws do."""
        count = len(self._scores)
        errors = self._scores >= np.sort(self._scores)[count - 1 - self._allowed]
        rate = errors.mean()
        at_people = Counter()
        at_couples = Counter()
        for first, second, error in zip(self._first, self._second, errors, strict=True):
            at_people[first] += error - rate
            at_people[second] += error - rate
            at_couples[frozenset([first, second])] += error - rate
        deviations = [*at_people.values(), *at_couples.values()]
        variance_of_draws = sum(deviation**2 for deviation in deviations)
        if rate == 1 or variance_of_draws <= 0:
            return 1.0
        ends = interval(errors, Clusters(self._first, self._second))
        # Less is known where the variance hangs on few people: Student's t at 80 %.
        certainty = 1.0
        if ends.freedom is not None:
            quantiles = scipy.stats.norm.ppf(0.1), scipy.stats.t.ppf(0.1, ends.freedom)
            certainty = (quantiles[0] / quantiles[1]) ** 2
        variance = rate * (1 - rate) / (ends.effective * certainty)
        return min(1.0, np.sqrt(variance / variance_of_draws) * count)

    def highest_refused(self, draws):
        """The highest score that is refused, or minus infinity."""
        products = draws[self._first] * draws[self._second]
        weights = 1 + self._scale * (products - 1)
        most_passed = (self._allowed + 0.5) / len(weights) * weights.sum() * (1 + 1e-12)
        passed = 0.0
        for row in np.argsort(-self._scores, kind="stable"):
            passed += weights[row]
            if passed > most_passed:
                return self._scores[row]
        return -np.inf

    def errors(self, draws):
        """How many mated pairs are refused, each as often as its person was drawn."""
        table = self._table
        highest_refused = self.highest_refused(draws)
        refused = ~table.scored | (table.scores <= highest_refused)
        people = np.searchsorted(people_of(table), table.probe_subjects[table.mated & refused])
        return draws[people].sum()


def refused_by(threshold, draws):
    return threshold.highest_refused(draws, draws @ threshold.totals)


@given(SIMULATED, st.sampled_from([1e-3, 0.01, 0.2, 0.6]), st.integers(0, 99))
def test_resampled_thresholds_and_errors_equal_a_plain_bootstrap(table, fmr, seed):
    threshold = RedrawnThreshold(table, fmr, keeps_all=True)
    errors = RedrawnErrors(table, table.mated[None], threshold)
    draws = drawn_from(len(people_of(table)), resamples=6, seed=seed)
    refused = refused_by(threshold, draws)
    plain = PlainBootstrap(table, fmr)
    assert refused.tolist() == [plain.highest_refused(resample) for resample in draws]
    counted = errors.count(draws, refused)[:, 0]
    assert counted.tolist() == [plain.errors(resample) for resample in draws]


@pytest.mark.parametrize("chosen", [0, 1, 40, 100])
def test_people_in_groups_are_drawn_as_often_as_one_by_one(chosen):
    pairs = np.random.default_rng(1).integers(0, 3, 100).astype(float)
    totals = np.column_stack([np.ones(100), pairs])
    blocks = [*PeopleToDraw(totals, np.arange(chosen)).draw(3000, seed=2)]
    draws = np.concatenate([draws for draws, _sums in blocks])
    sums = np.concatenate([sums for _draws, sums in blocks])
    assert draws.shape == (3000, chosen)
    assert (sums[:, 0] == 100).all()
    # A sum of 100 draws has 100 times the variance of one.
    assert abs(sums[:, 1].mean() - pairs.sum()) < 5 * np.sqrt(100 * pairs.var() / 3000)
    assert 0.85 < sums[:, 1].var() / (100 * pairs.var()) < 1.15
    if chosen:
        assert 0.9 < draws.mean() < 1.1


@pytest.mark.parametrize("fmr", [1e-3, 0.01, 0.1])
def test_drawing_everyone_once_reproduces_the_sample(fmr):
    table = crowd(people=300, mean=60, failures=0.05)
    once = np.ones((2, 300))
    choice = threshold_for_fmr(table, fmr)
    threshold = RedrawnThreshold(table, fmr, keeps_all=False)
    refused = refused_by(threshold, once)
    assert refused.tolist() == [choice.threshold] * 2
    rows = table.mated & table.answered
    turned_away = int(np.count_nonzero(~table.passed(choice.threshold)[rows]))
    errors = RedrawnErrors(table, rows[None], threshold)
    assert errors.count(once, refused).tolist() == [[turned_away]] * 2


def test_few_scores_are_kept_and_suffice_for_every_resample():
    """Some people look like many. All 60,000 scores would take sixty times the time."""
    table = crowd(people=300, others=200)
    likeness = np.random.default_rng(1).normal(0, 3, 300)
    added = likeness[table.probe_subjects] + likeness[table.reference_subjects]
    table = with_columns(table, scores=table.scores + added)
    threshold = RedrawnThreshold(table, 0.01, keeps_all=False)
    assert threshold.ends.shape[1] <= 1_000
    # It raises no TooFewScores, upon which all would be examined after all.
    assert len(refused_by(threshold, drawn_from(300, resamples=1_000))) == 1_000


def test_draws_are_the_same_with_the_same_seed():
    draws = drawn_from(30, resamples=700, seed=3)
    in_small_blocks = drawn_from(30, resamples=700, seed=3, length=1_000_000)
    assert draws.shape == (700, 30)
    np.testing.assert_array_equal(draws, in_small_blocks)
    assert set(draws.sum(axis=1)) == {30}
    assert not np.array_equal(draws, drawn_from(30, resamples=700, seed=4))


VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=60).map(np.array)


@given(VALUES)
def test_a_p_value_is_never_zero(values):
    p_value = bootstrap_p_value(values)
    beyond = min((values <= 0).sum(), (values >= 0).sum())
    assert p_value == min(1, 2 * (beyond + 1) / (len(values) + 1))
    assert p_value == bootstrap_p_value(-values)


@given(VALUES)
def test_a_percentile_interval_is_within_the_values(values):
    interval = percentile_interval(values, 0.8)
    assert values.min() <= interval.low <= interval.high <= values.max()
    assert (interval.method, interval.confidence) == (Method.BOOTSTRAP, 0.8)


def test_all_scores_are_examined_if_the_highest_do_not_suffice():
    """All false matches are of one person, who is drawn forty times or never."""
    table = crowd(people=40, others=200)
    of_first = ~table.mated & ((table.probe_subjects == 0) | (table.reference_subjects == 0))
    scores = table.scores.copy()
    scores[of_first] = np.where(scores[of_first] > 25, 100, 99)
    table = with_columns(table, scores=scores)
    only_first = np.eye(1, 40, 1) * 40
    with pytest.raises(TooFewScores):
        refused_by(RedrawnThreshold(table, 1e-3, keeps_all=False), only_first)
    without_first = np.ones((1, 40))
    without_first[0, 0] = 0
    others = table.scores[~table.mated & table.scored & ~of_first]
    # However weights are rescaled, it lies above what the others let pass.
    (refused,) = refused_by(RedrawnThreshold(table, 1e-3, keeps_all=True), without_first)
    assert others.min() <= refused <= 100

from collections import Counter

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import crowd, system_answers, table_of, with_columns

from facematch_comparison.stats import (
    Clusters,
    bootstrap,
    interval,
    threshold_for_fmr,
)
from facematch_comparison.stats.bootstrap import (
    Crowd,
    Draws,
    MatedPairs,
    RedrawnThreshold,
    Resampling,
    bootstrap_p_value,
    percentile_interval,
    redraw,
)
from facematch_comparison.stats.rates import Side, allowed_errors
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


def drawn_from(people, *, resamples, seed=0):
    """The draws of a block of resamples."""
    stream = np.random.default_rng(seed)
    drawn = [stream.integers(0, people, people) for _ in range(resamples)]
    return block_of([np.bincount(each, minlength=people) for each in drawn])


def block_of(draws_of_resamples):
    return Draws(np.array(draws_of_resamples, np.float64).T)


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


@given(SIMULATED, st.sampled_from([1e-3, 0.01, 0.2, 0.6]), st.integers(0, 99))
def test_resampled_thresholds_and_errors_equal_a_plain_bootstrap(table, fmr, seed):
    threshold = RedrawnThreshold(table, fmr)
    mated = MatedPairs(table, table.mated)
    plain = PlainBootstrap(table, fmr)
    threshold.keep_highest(10**9)
    block = drawn_from(len(people_of(table)), resamples=6, seed=seed)
    all_refused = threshold.highest_refused(block)
    rates = mated.frr(block, all_refused)
    persons = np.searchsorted(people_of(table), table.probe_subjects[table.mated])
    for draws, refused, rate in zip(block.of_each.T, all_refused, rates, strict=True):
        assert refused == plain.highest_refused(draws)
        pairs = draws[persons].sum()
        if pairs:
            assert rate == plain.errors(draws) / pairs
        else:
            assert np.isnan(rate)


@pytest.mark.parametrize("fmr", [1e-3, 0.01, 0.1])
def test_drawing_everyone_once_reproduces_the_sample(fmr):
    table = crowd(people=300, mean=60, failures=0.05)
    once = block_of([np.ones(300)])
    choice = threshold_for_fmr(table, fmr)
    refused = RedrawnThreshold(table, fmr).highest_refused(once)
    assert refused == choice.threshold
    rows = table.mated & table.answered
    turned_away = ~table.passed(choice.threshold)[rows]
    assert MatedPairs(table, rows).frr(once, refused) == pytest.approx(turned_away.mean())


def test_few_scores_are_kept_and_suffice_for_every_resample():
    """Some people look like many. All 60,000 scores would take sixty times the time."""
    table = crowd(people=300, others=200)
    likeness = np.random.default_rng(1).normal(0, 3, 300)
    added = likeness[table.probe_subjects] + likeness[table.reference_subjects]
    table = with_columns(table, scores=table.scores + added)
    threshold = RedrawnThreshold(table, 0.01)
    threshold.highest_refused(drawn_from(300, resamples=1_000))
    assert threshold.kept <= 2_500


def test_draws_are_the_same_with_the_same_seed():
    table = crowd(people=60, mean=60, others=20)
    series = [Resampling(0, table.mated, 80), Resampling(1, table.mated, 50)]
    sides = [Side(table=table, threshold=50.0, is_fixed=is_fixed) for is_fixed in (False, True)]
    first = redraw(sides, series, 0.05, seed=3)
    again = redraw(sides, series, 0.05, seed=3)
    assert [len(rates) for rates in first] == [80, 50]
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert not np.array_equal(first[1], redraw(sides, series, 0.05, seed=4)[1])


def test_rates_do_not_depend_on_the_size_of_a_block(monkeypatch):
    table = crowd(people=60, mean=60, others=20)
    sides = [Side(table=table, threshold=50.0)]
    rates = []
    for size in (1, 7, 256):
        monkeypatch.setattr(bootstrap, "_MOST_IN_BLOCK", size)
        rates.append(redraw(sides, [Resampling(0, table.mated, 300)], 0.05, seed=3)[0].tolist())
    assert rates[0] == rates[1] == rates[2]


def rates_by_groups(monkeypatch, table, fmr, resamples):
    """The FRRs of two bootstraps: everybody is drawn alone, or groups of 100 people or more."""
    rates = []
    for fewest in (10**9, 100):
        monkeypatch.setattr(bootstrap, "FEWEST_ALIKE", fewest)
        series = [Resampling(0, table.mated, resamples)]
        rates += redraw([Side(table=table, threshold=50.0)], series, fmr, seed=5)
    return rates


def test_people_with_equal_numbers_of_pairs_are_drawn_as_a_group():
    is_seen = np.arange(1_000) < 20
    pairs = np.where(np.arange(1_000) < 500, 3.0, 4.0)
    crowd = Crowd(is_seen, [pairs])
    assert not crowd.has_groups
    assert crowd.index_of_person.tolist() == list(range(1_000))
    of_2_000 = Crowd(np.repeat(is_seen, 2), [np.repeat(pairs, 2)])
    assert of_2_000.has_groups
    # The 960 others with three pairs are too few to be a group, the 1,000 with four are one.
    assert of_2_000.index_of_person.tolist() == [*range(1_000), *[1_000] * 1_000]
    stream = np.random.default_rng(1)
    draws = of_2_000.draw(stream, 2_000).of_each.T
    assert (draws.sum(axis=1) == 2_000).all()
    assert draws.mean() * len(draws[0]) == 2_000
    deviations = draws.std(axis=0)
    assert deviations[:1_000].mean() == pytest.approx(1, rel=0.02)
    assert deviations[1_000] == pytest.approx(np.sqrt(2_000 * 0.5 * 0.5), rel=0.05)
    assert of_2_000.of_each(np.repeat(pairs, 2)).tolist() == [3] * 1_000 + [4]


def test_rates_vary_alike_if_people_are_drawn_as_a_group(monkeypatch):
    scores = np.random.default_rng(2)
    table = system_answers(scores.normal(60, 10, 150), scores.normal(25, 10, 4_000))
    alone, in_groups = rates_by_groups(monkeypatch, table, 0.005, 3_000)
    assert not np.array_equal(alone, in_groups)
    assert in_groups.mean() == pytest.approx(alone.mean(), rel=0.02)
    assert in_groups.std() == pytest.approx(alone.std(), rel=0.05)


def test_nobody_is_in_a_group_if_a_resample_needs_his_pairs(monkeypatch):
    """The 300 highest scores are of one person: without him, a pair of the others decides."""
    others = np.random.default_rng(3).uniform(0, 50, 3_000)
    scores = [*[70] * 30, *[99] * 300, *others]
    probe = np.arange(len(scores))
    reference = probe + len(scores) * (np.array(scores) < 70)
    probe[30:330] = len(scores) * 3
    table = table_of(probe, reference, scores)
    rates = rates_by_groups(monkeypatch, table, 0.002, 1_000)
    for own_rates in rates:
        assert set(own_rates) == {0, 1}
        # He is drawn in a resample with probability 1 - 1 / e.
        assert own_rates.mean() == pytest.approx(1 - np.exp(-1), abs=0.05)


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


def test_more_scores_are_examined_if_the_highest_do_not_suffice():
    """All false matches are of one person, who is drawn forty times or never."""
    table = crowd(people=40, others=200)
    of_first = ~table.mated & ((table.probe_subjects == 0) | (table.reference_subjects == 0))
    scores = table.scores.copy()
    scores[of_first] = np.where(scores[of_first] > 25, 100, 99)
    table = with_columns(table, scores=scores)
    threshold = RedrawnThreshold(table, 1e-3)
    kept = threshold.kept
    threshold.highest_refused(block_of([np.eye(1, 40, 1)[0] * 40]))
    assert threshold.kept > kept
    without_first = np.ones(40)
    without_first[0] = 0
    others = table.scores[~table.mated & table.scored & ~of_first]
    # However weights are rescaled, it lies above what the others let pass.
    assert others.min() <= threshold.highest_refused(block_of([without_first]))[0] <= 100

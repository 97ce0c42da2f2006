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

CASES = st.fixed_dictionaries(
    {
        "people": st.integers(2, 12),
        "mated": st.integers(1, 25),
        "others": st.integers(2, 300),
        "decimals": st.sampled_from([0, 1, 12]),
        "failures": st.sampled_from([0.0, 0.2]),
        "seed": st.integers(0, 99),
    }
)


def simulated_table(people, mated, others, *, decimals, failures, seed):
    chance = np.random.default_rng(seed)
    ease = chance.normal(0, 4, people)
    whose = chance.integers(0, people, mated)
    first = chance.integers(0, people, others)
    second = (first + chance.integers(1, people, others)) % people
    probe, reference = np.concatenate([whose, first]), np.concatenate([whose, second])
    is_mated = np.arange(len(probe)) < mated
    scores = chance.normal(np.where(is_mated, 60, 40), 10) + ease[probe]
    acquired = chance.random(len(probe)) >= failures
    acquired[mated : mated + 2] = True
    scores = np.where(acquired, scores.round(decimals), np.nan)
    return table_of(probe * 7, reference * 7, scores, rule=ThresholdRule.ABOVE)


def drawn_from(people, *, resamples, seed=0, length=0):
    """float64, (B, P)."""
    everyone = PeopleToDraw(np.zeros((people, 1)), np.arange(people))
    blocks = everyone.draw(resamples, seed, length=length)
    return np.concatenate([draws for draws, _sums in blocks])


def plain(table, fmr, drawn):
    """The weight of each non-mated pair, all sorted, and the mated pairs one by one."""
    numbers = np.unique([table.probe_subjects, table.reference_subjects])
    rows = np.flatnonzero(table.scored & ~table.mated)
    first = np.searchsorted(numbers, table.probe_subjects[rows])
    second = np.searchsorted(numbers, table.reference_subjects[rows])
    scores, count = table.scores[rows], len(rows)
    allowed = allowed_errors(fmr, count)
    errors = scores >= np.sort(scores)[count - 1 - allowed]
    # Rescaled, so that the FMR varies as its interval says, and not as products of draws do.
    rate = errors.mean()
    off = errors - rate
    at_people, twos = np.zeros(len(numbers)), {}
    for person, second_person, part in zip(first, second, off, strict=True):
        at_people[person] += part
        at_people[second_person] += part
        both = frozenset((int(person), int(second_person)))
        twos[both] = twos.get(both, 0.0) + part
    by_drawing = (at_people**2).sum() + sum(part**2 for part in twos.values())
    ends = interval(errors, Clusters(first, second))
    # Less is known where the variance hangs on few people: Student's t at 80 %.
    norm, t = scipy.stats.norm, scipy.stats.t
    sureness = 1.0 if ends.freedom is None else (norm.ppf(0.1) / t.ppf(0.1, ends.freedom)) ** 2
    variance = rate * (1 - rate) / (ends.effective * sureness)
    scale = 1.0
    if rate < 1 and by_drawing > 0:
        scale = min(1.0, np.sqrt(variance / by_drawing) * count)
    order = np.argsort(-scores, kind="stable")
    products = drawn[first] * drawn[second]
    weights = 1 + scale * (products - 1)
    passed, threshold = 0.0, -np.inf
    total = weights.sum()
    for place in order:
        passed += weights[place]
        if passed > (allowed + 0.5) / count * total * (1 + 1e-12):
            threshold = scores[place]
            break
    refused = 0
    for row in np.flatnonzero(table.mated):
        turned_away = not table.scored[row] or table.scores[row] <= threshold
        refused += drawn[np.searchsorted(numbers, table.probe_subjects[row])] * turned_away
    return threshold, refused


def refused_by(threshold, drawn):
    return threshold.highest_refused(drawn, drawn @ threshold.totals)


@given(CASES, st.sampled_from([1e-3, 0.01, 0.2, 0.6]))
def test_resampled_thresholds_and_errors_equal_a_plain_bootstrap(case, fmr):
    table = simulated_table(**case)
    numbers = np.unique([table.probe_subjects, table.reference_subjects])
    threshold = RedrawnThreshold(table, fmr, keeps_all=True)
    errors = RedrawnErrors(table, table.mated[None], threshold)
    drawn = drawn_from(len(numbers), resamples=6, seed=case["seed"])
    refused = refused_by(threshold, drawn)
    counted = errors.count(drawn, refused)[:, 0]
    for place in range(6):
        expected, turned_away = plain(table, fmr, drawn[place])
        assert refused[place] == expected
        assert counted[place] == turned_away


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


def test_draws_are_the_same_with_the_same_seed():
    some, others = (
        drawn_from(30, resamples=700, seed=3, length=length) for length in (0, 1_000_000)
    )
    assert some.shape == (700, 30)
    np.testing.assert_array_equal(some, others)
    assert set(some.sum(axis=1)) == {30}
    assert not np.array_equal(some, drawn_from(30, resamples=700, seed=4))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60))
def test_a_p_value_is_never_zero(values):
    values = np.array(values)
    p_value = bootstrap_p_value(values)
    assert 2 / (len(values) + 1) <= p_value <= 1 or p_value == 1
    assert p_value == bootstrap_p_value(-values)
    beyond = min(sum(value <= 0 for value in values), sum(value >= 0 for value in values))
    assert p_value == min(1, 2 * (beyond + 1) / (len(values) + 1))
    ends = percentile_interval(values, 0.8)
    assert values.min() <= ends.low <= ends.high <= values.max()
    assert (ends.method, ends.confidence) == (Method.BOOTSTRAP, 0.8)


def test_all_scores_are_examined_if_the_highest_do_not_suffice():
    table = crowd(people=40, others=200)
    scores = table.scores.copy()
    of_first = ~table.mated & ((table.probe_subjects == 0) | (table.reference_subjects == 0))
    scores[of_first] = np.where(scores[of_first] > 25, 100, 99)
    table = with_columns(table, scores=scores)
    with pytest.raises(TooFewScores):
        refused_by(RedrawnThreshold(table, 1e-3, keeps_all=False), np.eye(1, 40, 1) * 40)
    threshold = RedrawnThreshold(table, 1e-3, keeps_all=True)
    drawn = np.ones((1, 40))
    drawn[0, 0] = 0
    without = table.take(~of_first | table.mated)
    others = np.sort(without.scores[~without.mated & without.scored])
    # However weights are rescaled, it lies above what the others let pass.
    assert others[0] <= refused_by(threshold, drawn)[0] <= 100

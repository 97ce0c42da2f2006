import itertools

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import crowd, table_of

from facematch_comparison.model import Method
from facematch_comparison.stats import Clusters, allowed_errors, interval, threshold_for_fmr
from facematch_comparison.stats.bootstrap import (
    RedrawnErrors,
    RedrawnThreshold,
    bootstrap_p_value,
    draws,
    percentile_interval,
    person_draws,
)
from facematch_core import ThresholdRule

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


def made(people, mated, others, *, decimals, failures, seed):
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
    for one, other, part in zip(first, second, off, strict=True):
        at_people[one] += part
        at_people[other] += part
        both = frozenset((int(one), int(other)))
        twos[both] = twos.get(both, 0.0) + part
    by_drawing = (at_people**2).sum() + sum(part**2 for part in twos.values())
    wanted = rate * (1 - rate) / interval(errors, Clusters(first, second)).effective
    scale = 1.0
    if rate < 1 and by_drawing > 0:
        scale = min(1.0, np.sqrt(wanted / by_drawing) * count)
    order = np.argsort(-scores, kind="stable")
    products = drawn[first] * drawn[second]
    weights = 1 + scale * (products - 1)
    passed, found = 0.0, -np.inf
    total = weights.sum()
    for place in order:
        passed += weights[place]
        if passed > (allowed + 0.5) / count * total * (1 + 1e-12):
            found = scores[place]
            break
    refused = 0
    for row in np.flatnonzero(table.mated):
        turned_away = not table.scored[row] or table.scores[row] <= found
        refused += drawn[np.searchsorted(numbers, table.probe_subjects[row])] * turned_away
    return found, refused


@given(CASES, st.sampled_from([1e-3, 0.01, 0.2, 0.6]))
def test_redrawn_thresholds_and_errors_are_those_of_the_plain_way(case, fmr):
    table = made(**case)
    numbers = np.unique([table.probe_subjects, table.reference_subjects])
    threshold = RedrawnThreshold(table, fmr, numbers)
    errors = RedrawnErrors(table, table.mated, numbers)
    drawn = np.array(list(person_draws(len(numbers), 6, case["seed"])), float).T
    refused = threshold.refused(drawn)
    counted = errors.count(drawn, refused)
    for place in range(6):
        expected, turned_away = plain(table, fmr, drawn[:, place])
        if threshold.length == np.count_nonzero(table.scored & ~table.mated):
            assert refused[place] == expected
            assert counted[place] == turned_away


@pytest.mark.parametrize("fmr", [1e-3, 0.01, 0.1])
def test_everybody_drawn_once_is_what_was_seen(fmr):
    table = crowd(people=300, mean=60, failures=0.05).table
    numbers = np.arange(300)
    once = np.ones((300, 2))
    choice = threshold_for_fmr(table, fmr)
    refused = RedrawnThreshold(table, fmr, numbers).refused(once)
    assert refused.tolist() == [choice.threshold] * 2
    rows = table.mated & table.answered
    turned_away = int(np.count_nonzero(~table.passed(choice.threshold)[rows]))
    assert RedrawnErrors(table, rows, numbers).count(once, refused).tolist() == [turned_away] * 2


def test_the_fmr_varies_as_its_interval_says():
    random, count, allowed = np.random.default_rng(3), 2_000, 100
    people, scores = np.arange(count), random.permutation(count)
    table = table_of(people, people + count, scores, rule=ThresholdRule.ABOVE)
    numbers = np.arange(2 * count)
    threshold = RedrawnThreshold(table, allowed / count, numbers)
    refused = np.concatenate([threshold.refused(drawn) for drawn in draws([numbers], 600, 1)])
    # Scores are ranks: the threshold moves by as many pairs as pass more or fewer.
    expected = np.sqrt(allowed * (1 - allowed / count))
    assert 0.8 * expected < refused.std() < 1.25 * expected
    assert refused.mean() == pytest.approx(count - 1 - allowed, abs=3)


def test_draws_are_the_same_with_the_same_seed():
    strata = np.arange(10), np.arange(10, 30)
    some, others = (np.hstack(list(draws(strata, 700, 3, rows=rows))) for rows in (0, 1_000_000))
    assert some.shape == (30, 700)
    np.testing.assert_array_equal(some, others)
    assert set(some[:10].sum(axis=0)) == {10}
    assert set(some[10:].sum(axis=0)) == {20}
    other_seed = np.hstack(list(draws(strata, 700, 4)))
    assert not np.array_equal(some, other_seed)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60))
def test_a_p_value_is_never_none_at_all(values):
    values = np.array(values)
    found = bootstrap_p_value(values)
    assert 2 / (len(values) + 1) <= found <= 1 or found == 1
    assert found == bootstrap_p_value(-values)
    beyond = min(sum(one <= 0 for one in values), sum(one >= 0 for one in values))
    assert found == min(1, 2 * (beyond + 1) / (len(values) + 1))
    ends = percentile_interval(values, 0.8)
    assert values.min() <= ends.low <= ends.high <= values.max()
    assert (ends.method, ends.confidence) == (Method.BOOTSTRAP, 0.8)


def test_more_is_looked_at_where_the_highest_do_not_suffice():
    table = crowd(people=40, others=200).table
    scores = table.scores.copy()
    of_first = ~table.mated & ((table.probe_subjects == 0) | (table.reference_subjects == 0))
    scores[of_first] = np.where(scores[of_first] > 25, 100, 99)
    table = attrs.evolve(table, scores=scores)
    threshold = RedrawnThreshold(table, 1e-3, np.arange(40))
    drawn = np.ones((40, 1))
    drawn[0] = 0
    without = table.take(~of_first | table.mated)
    others = np.sort(without.scores[~without.mated & without.scored])
    # However weights are rescaled, it lies above what the others let pass.
    assert others[0] <= threshold.refused(drawn)[0] <= 100
    assert len(set(itertools.chain(*(threshold.refused(drawn) for _ in range(3))))) == 1

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_comparison import BILLED
from facematch_comparison.simulate import answer, draw
from facematch_comparison.stats import rates_at
from facematch_core import Charged, Environment, InvalidRequest, ThresholdRule

LARGE = draw(1500, 20_000, 60_000, groups={"sex": {"f": "1", "m": "3"}}, seed=1)
PICTURES, PEOPLE, GROUPS = LARGE
MATED = PEOPLE[0] == PEOPLE[1]
VENDORS = {
    "plain": {"fmr": "0.01", "fnmr": "0.03"},
    "coarse": {"fmr": "0.02", "fnmr": "0.02", "decimals": "0", "rule": "above"},
    "failing": {"fmr": "0.03", "fnmr": "0.05", "fta": "0.02", "outage": "0.05", "threshold": "70"},
    "unfair": {"fmr": "0.01", "fnmr": "0.02", "sex.f.fmr": "0.04", "sex.f.fnmr": "0.08"},
}


def answers_of(name, words, pairs=LARGE, **more):
    return answer(name, words, pairs, **more)[0]


def close(measured, true, error, *, widths=4):
    """Within so many standard errors."""
    assert abs(measured - true) <= widths * error, (measured, true)


@pytest.mark.parametrize("name", VENDORS)
def test_rates_are_the_true_ones(name):
    answers, (threshold, *true) = answer(name, VENDORS[name], LARGE, seed=7)
    for at in (None, threshold):
        rates = rates_at(answers.table, at)
        for kind, rate in zip(("fmr", "fnmr", "far", "frr"), true, strict=True):
            measured = getattr(rates, kind)
            error = math.sqrt(rate * (1 - rate) / measured.trials)
            # A picture that fails takes all of its pairs with it.
            close(measured.value, rate, error, widths=12 if kind == "frr" else 4)


@pytest.mark.parametrize("name", VENDORS)
def test_decisions_follow_the_scores_and_a_seed_repeats_them(name):
    first, again, other = (
        answers_of(each, VENDORS[name], seed=2).table.scores for each in (name, name, "x")
    )
    assert np.array_equal(first, again, equal_nan=True)
    assert not np.array_equal(first, other, equal_nan=True)
    table = answers_of(name, VENDORS[name], seed=2).table
    by_score = table.passed(table.threshold)[table.acquired]
    assert np.array_equal(table.passed(None)[table.acquired], by_score)
    assert table.is_scored
    assert np.isnan(table.scores[~table.acquired]).all()


def test_outages_prices_and_times_are_those_of_a_vendor():
    words = {"outage": "0.1", "decisions_only": "true", "latency_s": "0.5", "price": "0.05"}
    answers = answers_of("d", words, seed=1)
    table = answers.table
    assert answers.environment is Environment.MOCK
    assert (table.rule, table.threshold, table.scale) == (ThresholdRule.VENDOR, None, None)
    missing = int((~table.answered).sum())
    assert sum(answers.not_answered.values()) == missing
    close(missing / len(table), 0.1, 0.0025)
    assert np.median(answers.elapsed_s) == pytest.approx(0.5, rel=0.05)
    assert (answers.billed == BILLED.index(Charged.YES)).sum() == len(table) - missing
    assert set(table.decisions[~table.answered].tolist()) == {-1}


@given(people=st.integers(2, 12), each=st.integers(1, 4), data=st.data(), seed=st.integers(0, 1000))
def test_a_study_has_no_pair_twice(people, each, data, seed):
    mated = data.draw(st.integers(0, people * each * (each - 1) // 2))
    possible = people * (people - 1) // 2 * each**2
    non_mated = data.draw(st.integers(0 if mated else 1, possible))
    pictures, shown, _ = draw(people, mated, non_mated, pictures=each, groups={}, seed=seed)
    assert pictures.shape == shown.shape == (2, mated + non_mated)
    assert (shown[0] == shown[1]).tolist() == [True] * mated + [False] * non_mated
    assert np.array_equal(pictures // each, shown)
    assert not non_mated or (shown.min() >= 0 and shown.max() < people)
    both = np.sort(pictures, axis=0)
    assert (both[0] != both[1]).all()
    assert len({*map(tuple, both.T.tolist())}) == mated + non_mated
    turns = np.bincount(shown[0, :mated], minlength=people)
    assert not mated or turns.max() - turns.min() <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"mated": 0, "non_mated": 0},
        {"mated": 41, "pictures": 2},
        {"non_mated": 3121, "pictures": 2},
        {"groups": {"sex": {"f": "0"}}},
    ],
)
def test_a_study_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidRequest):
        draw(**{"people": 40, "mated": 1, "non_mated": 1, "groups": {}} | wrong)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("fmr", "0"), ("fnmr", "1"), ("fmr", "nan"), ("threshold", "100"), ("wolves", "0.6")),
        *(("decimals", "1.5"), ("decisions_only", "1"), ("rule", "below"), ("price", "inf")),
    ],
)
def test_a_value_that_no_vendor_has_is_refused_by_its_name(key, value):
    with pytest.raises(InvalidRequest, match=f"v: {key} cannot be '{value}'"):
        answer("v", {key: value}, LARGE)

"""Intervals for pairs that share people, against the sums that define them."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_core import InvalidRequest
from facematch_core.comparison.metrics import (
    Method,
    Rate,
    Sharing,
    bounds,
    design_of,
    exact_interval,
    exact_upper,
    interval,
    upper_bound,
    worth_of,
)


def mated(*whose):
    """Pairs of one person each."""
    return Sharing(np.array(whose), None)


def study(seed, people, pairs, rate, *, two):
    """Errors, and who stands behind the pairs."""
    chance = np.random.default_rng(seed)
    first = chance.integers(0, people, pairs)
    second = (first + chance.integers(1, people, pairs)) % people if two else None
    return chance.random(pairs) < rate, first, second


STUDIES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "people": st.integers(2, 12),
        "pairs": st.integers(2, 40),
        "rate": st.sampled_from([0.1, 0.3, 0.8]),
        "two": st.booleans(),
    }
)


def plain_effect(errors, first, second):
    """The sum of all products of two pairs that share a person, over that of each with itself."""
    off = errors - errors.mean()
    behind = [{a} if second is None else {a, int(second[i])} for i, a in enumerate(first.tolist())]
    people = len(set().union(*behind))
    together = sum(
        off[i] * off[j]
        for i, j in itertools.product(range(len(off)), repeat=2)
        if behind[i] & behind[j]
    )
    return together * people / max(people - 1, 1) / float((off**2).sum())


@given(STUDIES)
def test_the_variance_is_the_sum_over_pairs_that_share_somebody(case):
    """Aronow, Samii and Assenova's sum, term by term."""
    errors, first, second = study(**case)
    assume(0 < errors.sum() < len(errors))
    sharing = Sharing(first, second)
    design = design_of(errors, sharing)
    effect = plain_effect(errors, first, second)
    if design.method is Method.EXACT:
        assert sharing.share == pytest.approx(1)
        assert design.effective == len(errors)
        return
    # Few errors or few people: what was seen, or what is assumed, whichever says less.
    assumed = 1 + (sharing.share - 1) * (0.005 if case["two"] else 0.05)
    worth = len(errors) / max(1.0, effect, assumed)
    assert design.effective == pytest.approx(max(1.0, worth), rel=1e-9)
    assert (design.method, design.care) == (Method.CONSERVATIVE, 1)
    assert (
        design.people == sharing.people == len(set(first) | set(() if second is None else second))
    )


@given(STUDIES)
def test_the_average_pair_shares_a_person_with_so_many(case):
    """Counted pair by pair; two pairs of the same two people share both of them."""
    _, first, second = study(**case)
    ends = [first] if second is None else [first, second]
    counted = sum(
        int(np.count_nonzero(one == other)) for end in ends for one in end for other in ends
    )
    expected = counted / len(first) - (len(ends) - 1)
    assert Sharing(first, second).share == pytest.approx(expected)


@pytest.mark.parametrize("two", [False, True])
def test_enough_errors_and_people_tell_it_themselves(two):
    """Then nothing is assumed, and the variance is that of the errors."""
    errors, first, second = study(3, 60, 400, 0.1, two=two)
    design = design_of(errors, Sharing(first, second))
    assert design.method is Method.CLUSTERED
    worth = len(errors) / max(1.0, plain_effect(errors, first, second))
    assert design.effective == pytest.approx(worth, rel=1e-9)
    assert design.care == (0.25 if two else 0.5)
    assert 2 <= design.freedom <= 59
    assert two or design.freedom == 59
    assert 2 <= design.sure_freedom <= design.freedom


@given(st.integers(0, 30), st.integers(1, 30))
def test_pairs_of_as_many_people_are_exact(errors, more):
    """Clopper and Pearson's interval."""
    trials = errors + more
    wrong = np.arange(trials) < errors
    for sharing in (mated(*range(trials)), Sharing(np.arange(trials), np.arange(trials) + trials)):
        found, exact = interval(wrong, sharing, 0.9), exact_interval(errors, trials, 0.9)
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
        assert (found.method, found.effective) == (Method.EXACT, trials)
        assert upper_bound(wrong, sharing) == pytest.approx(exact_upper(errors, trials))


@given(STUDIES, st.sampled_from([0.8, 0.95, 0.99]))
def test_sharing_never_helps(case, confidence):
    """The interval holds what was seen, and is no narrower than Jeffreys' for as many pairs."""
    errors, first, second = study(**case)
    found = interval(errors, Sharing(first, second), confidence)
    assert 0 <= found.low <= errors.mean() <= found.high <= 1
    exact = exact_interval(int(errors.sum()), len(errors), confidence)
    assert found.low <= exact.low + 1e-12
    assert found.high >= exact.high - 1e-12


@pytest.mark.parametrize(("people", "pairs"), [(100, 300), (60, 1_000), (200, 20_000), (30, 500)])
def test_one_error_more_is_no_good_news(people, pairs):
    """Wherever it happens: not from none to one, and not where assumptions give way to data."""
    _, first, second = study(0, people, pairs, 0, two=True)
    order = np.random.default_rng(1).permutation(pairs)
    sharing = Sharing(first, second)
    highs = [upper_bound(np.isin(np.arange(pairs), order[:wrong]), sharing) for wrong in range(15)]
    assert highs[:5] == sorted(highs[:5])
    assert all(later > 0.9 * earlier for earlier, later in itertools.pairwise(highs))


def test_one_person_with_many_pairs_is_one():
    """A hundred errors of one person widen the interval, and say so."""
    each = np.arange(100)
    alone = np.isin(np.repeat(each, 10), np.arange(10))
    spread = np.arange(1_000) % 10 == 0
    whose = Sharing(np.repeat(each, 10), None)
    gathered, scattered = interval(alone, whose), interval(spread, whose)
    assert gathered.high - gathered.low > 2 * (scattered.high - scattered.low)
    assert gathered.effective < 120
    assert scattered.effective == 1_000


def test_without_an_error_the_pairs_are_worth_less():
    """Ten pairs of each of thirty people are fewer than three hundred people."""
    whose = mated(*np.repeat(np.arange(30), 10))
    found = interval(np.zeros(300, bool), whose)
    assert (found.low, found.method) == (0, Method.CONSERVATIVE)
    assert found.effective == pytest.approx(300 / (1 + 9 * 0.05))
    assert found.high > exact_interval(0, 300).high


@given(STUDIES, st.sampled_from([0.8, 0.95, 0.99]))
def test_bounds_of_a_rate_are_those_of_its_trials(case, confidence):
    """A rate carries what is needed to bound it anew, at another confidence."""
    errors, first, second = study(**case)
    sharing = Sharing(first, second)
    rate = Rate(
        errors=int(errors.sum()),
        trials=len(errors),
        subjects=sharing.people,
        interval=interval(errors, sharing),
    )
    low, high = bounds(rate, confidence)
    again = interval(errors, sharing, 2 * confidence - 1)
    # The careful ends of an interval that misses as often on one side as on the other.
    assert low <= again.low + 1e-12
    assert high >= again.high - 1e-12
    assert high == pytest.approx(upper_bound(errors, sharing, confidence))
    assert worth_of(rate, confidence) <= len(errors) * (1 + 1e-9)


@pytest.mark.parametrize("first", [[0, 0], [0, 1], [0, 1, 2, 3, 4, 5] * 3])
def test_errors_spread_evenly(first):
    """Two pictures each of the same two people, one of them wrong: no ratio, and no division."""
    first = np.array(first)
    second = np.where(first % 2, first - 1, first + 1)
    errors = np.arange(len(first)) < len(first) / 3
    found = interval(errors, Sharing(first, second))
    assert 0 <= found.low < errors.mean() < found.high <= 1
    assert found.freedom == len(set(first) | set(second)) - 1


def test_what_cannot_be_bounded():
    """Nothing to go by, and confidences out of range."""
    pair = mated(1)
    with pytest.raises(InvalidRequest, match="There is no pair: a rate needs one at least"):
        interval(np.zeros(0, bool), mated())
    with pytest.raises(InvalidRequest, match="between 0 and 1; 1 was given"):
        interval(np.zeros(1, bool), pair, 1)
    with pytest.raises(InvalidRequest, match="without a trial and an interval"):
        bounds(Rate(errors=0, trials=0))
    rate = Rate(errors=0, trials=1, interval=interval(np.zeros(1, bool), pair))
    with pytest.raises(InvalidRequest, match=r"between 0\.5 and 1; 0\.5 was given"):
        worth_of(rate, 0.5)

import itertools

import numpy as np
import pytest
import scipy
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.comparison.tables import exact_ends

from facematch_comparison import stats
from facematch_comparison.values.model import Method, Rate

COUNTS = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCES = st.sampled_from([0.5, 0.9, 0.95, 0.999])


@pytest.mark.parametrize(
    ("rate", "trials", "errors"), [(0.001, 2_995, 2), (0.29, 100, 29), (1, 7, 7), (0.001, 999, 0)]
)
def test_allowed_errors_of_a_rate(rate, trials, errors):
    assert stats.allowed_errors(rate, trials) == errors


def mated(*whose):
    return stats.Clusters(np.array(whose), None)


def study(seed, people, pairs, rate, *, two):
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
def test_the_variance_sums_over_pairs_that_share_a_person(case):
    """Aronow, Samii and Assenova's sum, term by term."""
    errors, first, second = study(**case)
    assume(0 < errors.sum() < len(errors))
    clusters = stats.Clusters(first, second)
    interval = stats.interval(errors, clusters)
    if interval.method is Method.EXACT:
        assert clusters.share == pytest.approx(1)
        assert interval.effective == len(errors)
        return
    # Few people: what was seen, or what is assumed, whichever says less.
    assumed = 1 + (clusters.share - 1) * (0.005 if case["two"] else 0.05)
    effective = len(errors) / max(1.0, plain_effect(errors, first, second), assumed)
    assert interval.effective == pytest.approx(max(1.0, effective), rel=1e-9)
    assert interval.method is Method.CONSERVATIVE
    assert clusters.people == len(set(first) | set(() if second is None else second))


@pytest.mark.parametrize("rate", [0.1, 0.9])
@pytest.mark.parametrize("two", [False, True])
def test_with_enough_errors_and_people_the_interval_is_korn_graubard(two, rate):
    errors, first, second = study(3, 60, 400, rate, two=two)
    clusters = stats.Clusters(first, second)
    interval = stats.interval(errors, clusters)
    assert interval.method is Method.CLUSTERED
    effective = len(errors) / max(1.0, plain_effect(errors, first, second))
    assert interval.effective == pytest.approx(effective, rel=1e-9)
    ends = first if second is None else np.concatenate([first, second])
    off = np.tile(errors - errors.mean(), len(ends) // len(errors))
    squares = np.bincount(ends, off) ** 2
    assert interval.freedom == pytest.approx(min(59, squares.sum() ** 2 / (squares**2).sum()))
    normal, t, beta = scipy.stats.norm, scipy.stats.t, scipy.stats.beta
    size = effective * (normal.ppf(0.025) / t.ppf(0.025, interval.freedom)) ** 2
    wrong = errors.mean() * size
    assert interval.low == pytest.approx(beta.ppf(0.025, wrong, size - wrong + 1))
    assert interval.high == pytest.approx(beta.ppf(0.975, wrong + 1, size - wrong))


@given(COUNTS, CONFIDENCES)
def test_independent_pairs_have_the_exact_interval(counts, confidence):
    errors, trials = counts
    wrong = np.arange(trials) < errors
    for clusters in (
        mated(*range(trials)),
        stats.Clusters(np.arange(trials), np.arange(trials) + trials),
    ):
        interval = stats.interval(wrong, clusters, confidence)
        assert (interval.low, interval.high) == exact_ends(errors, trials, confidence)
        assert (interval.method, interval.effective, interval.freedom) == (
            *(Method.EXACT, trials),
            None,
        )
        assert interval.confidence == confidence
        rate = Rate(errors=errors, trials=trials, interval=interval)
        assert stats.bounds(rate)[1] == pytest.approx(stats.exact_upper(errors, trials))


@pytest.mark.parametrize("rarer", [0, 1, 4, 5, 11])
def test_the_assumed_correlation_matters_less_with_more_errors(rarer):
    first = np.arange(1_000) % 100
    errors = np.zeros(1_000, bool)
    errors[np.linspace(0, 999, rarer).astype(int)] = True
    clusters = stats.Clusters(first, None)
    few, many = stats.interval(errors, clusters), stats.interval(~errors, clusters)
    assert few.effective == pytest.approx(many.effective)
    assert few.method is many.method
    assumed = 1_000 / (1 + 9 * 0.05)
    if rarer < 5:
        assert few.method is Method.CONSERVATIVE
        assert few.effective <= assumed + 1e-9
    if rarer == 0:
        assert few.effective == pytest.approx(assumed)


@pytest.mark.parametrize(("people", "pairs"), [(100, 300), (30, 500)])
def test_bounds_increase_with_errors(people, pairs):
    _, first, second = study(0, people, pairs, 0, two=True)
    order = np.random.default_rng(1).permutation(pairs)
    clusters = stats.Clusters(first, second)
    highs = [
        stats.interval(np.isin(np.arange(pairs), order[:wrong]), clusters, 0.9).high
        for wrong in range(15)
    ]
    assert highs[:5] == sorted(highs[:5])
    assert all(later > 0.9 * earlier for earlier, later in itertools.pairwise(highs))


@given(STUDIES, st.sampled_from([0.8, 0.95, 0.99]))
def test_bounds_of_a_rate_are_the_ends_of_its_interval(case, confidence):
    errors, first, second = study(**case)
    clusters = stats.Clusters(first, second)
    rate = Rate(
        errors=int(errors.sum()), trials=len(errors), interval=stats.interval(errors, clusters, 0.5)
    )
    ends = stats.interval(errors, clusters, 2 * confidence - 1)
    assert stats.bounds(rate, confidence) == pytest.approx((ends.low, ends.high))
    assert rate.interval.effective <= len(errors) * (1 + 1e-9)
    assert 0 <= ends.low <= errors.mean() <= ends.high <= 1


@given(STUDIES, st.floats(0.01, 1))
def test_a_chosen_threshold_is_bounded_by_its_order_statistic(case, max_fmr):
    errors, first, second = study(**case)
    count = len(errors)
    rate = Rate(
        errors=int(errors.sum()),
        trials=count,
        interval=stats.interval(errors, stats.Clusters(first, second)),
    )
    bounded = stats.at_chosen_threshold(rate, max_fmr)
    assert (bounded.errors, bounded.trials) == (rate.errors, count)
    assert bounded.interval.low == rate.interval.low
    assert bounded.interval.high >= rate.interval.high
    assert stats.bounds(rate, 0.975, chosen_for=max_fmr)[1] == pytest.approx(bounded.interval.high)
    assert stats.at_chosen_threshold(rate, rate.value or 1e-9) == rate
    if bounded.interval.method is Method.EXACT:
        allowed = max(rate.errors, stats.allowed_errors(max_fmr, count))
        assert (rate.interval.low, bounded.interval.high) == (
            exact_ends(rate.errors, count).expected[0],
            exact_ends(allowed, count).expected[1],
        )


@pytest.mark.parametrize("first", [[0, 0], [0, 1], [0, 1, 2, 3, 4, 5] * 3])
def test_evenly_spread_errors_cause_no_division_by_zero(first):
    first = np.array(first)
    second = np.where(first % 2, first - 1, first + 1)
    errors = np.arange(len(first)) < len(first) / 3
    interval = stats.interval(errors, stats.Clusters(first, second))
    assert 0 <= interval.low < errors.mean() < interval.high <= 1
    # Who brings most errors leaves two degrees at least: with one the interval would be everything.
    whose = np.repeat(np.arange(60), 10)
    assert stats.interval(whose == 0, stats.Clusters(whose, None)).freedom == 2
    # If each of sixty people brings as much as the others, it is one less than people.
    whose = np.repeat(np.arange(60), 2)
    assert stats.interval(whose % 2 == 0, stats.Clusters(whose, None)).freedom == 59


@pytest.mark.parametrize(("people", "method"), [(49, Method.CONSERVATIVE), (50, Method.CLUSTERED)])
def test_correlation_is_detected_with_fifty_people(people, method):
    errors, first, _ = study(0, people, 400, 0.2, two=False)
    assert len(set(first)) == people
    assert stats.interval(errors, stats.Clusters(first, None)).method is method

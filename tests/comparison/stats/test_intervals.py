import itertools

import attrs
import numpy as np
import pytest
import scipy
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.comparison.tables import exact_ends

from facematch_comparison import stats
from facematch_comparison.stats import Term, weighted_sum
from facematch_comparison.values.model import Estimate, Interval, Method, Rate

CONFIDENCES = st.sampled_from([0.5, 0.9, 0.95, 0.999])


@pytest.mark.parametrize(
    ("rate", "trials", "errors"), [(0.001, 2_995, 2), (0.29, 100, 29), (1, 7, 7), (0.001, 999, 0)]
)
def test_allowed_errors_of_a_rate(rate, trials, errors):
    assert stats.rates.allowed_errors(rate, trials) == errors


@attrs.frozen
class ErrorsOfPairs:
    """Errors on pairs, mated pairs of `probes` or pairs with other people.

    Attributes:
        errors: Whether each pair is an error.
        probes, references: The people of each pair; `references` is None for mated pairs.
    """

    errors: np.ndarray
    probes: np.ndarray
    references: np.ndarray | None

    @property
    def clusters(self):
        return stats.Clusters(self.probes, self.references)

    def rate(self, confidence=0.95):
        interval = stats.interval(self.errors, self.clusters, confidence)
        return Rate(errors=int(self.errors.sum()), trials=len(self.errors), interval=interval)


def simulated(seed, people, pairs, rate, *, is_mated):
    generator = np.random.default_rng(seed)
    probes = generator.integers(0, people, pairs)
    references = None
    if not is_mated:
        references = (probes + generator.integers(1, people, pairs)) % people
    errors = generator.random(pairs) < rate
    return ErrorsOfPairs(errors=errors, probes=probes, references=references)


SIMULATED = st.builds(
    simulated,
    seed=st.integers(0, 10_000),
    people=st.integers(2, 12),
    pairs=st.integers(2, 40),
    rate=st.sampled_from([0.1, 0.3, 0.8]),
    is_mated=st.booleans(),
)


def plain_effect(study):
    """The sum of all products of two pairs that share a person, over that of each with itself."""
    deviations = study.errors - study.errors.mean()
    references = study.probes if study.references is None else study.references
    people_of_pair = [set(pair) for pair in zip(study.probes, references, strict=True)]
    people = len(set().union(*people_of_pair))
    total = 0.0
    for i, j in itertools.product(range(len(deviations)), repeat=2):
        if people_of_pair[i] & people_of_pair[j]:
            total += deviations[i] * deviations[j]
    return total * people / max(people - 1, 1) / float((deviations**2).sum())


@given(SIMULATED)
def test_the_variance_sums_over_pairs_that_share_a_person(study):
    """Aronow, Samii and Assenova's sum, term by term."""
    pairs = len(study.errors)
    assume(0 < study.errors.sum() < pairs)
    clusters = study.clusters
    interval = study.rate().interval
    if interval.method is Method.EXACT:
        assert clusters.share == pytest.approx(1)
        assert interval.effective == pairs
        return
    # Few people: what was seen, or what is assumed, whichever says less.
    assumed = 1 + (clusters.share - 1) * (0.05 if study.references is None else 0.005)
    effective = pairs / max(1.0, plain_effect(study), assumed)
    assert interval.effective == pytest.approx(max(1.0, effective), rel=1e-9)
    assert interval.method is Method.CONSERVATIVE


@given(SIMULATED)
def test_everybody_in_a_pair_is_counted(study):
    references = [] if study.references is None else study.references
    assert study.clusters.people == len({*study.probes, *references})


@pytest.mark.parametrize("rate", [0.1, 0.9])
@pytest.mark.parametrize("is_mated", [True, False])
def test_with_enough_errors_and_people_the_interval_is_korn_graubard(is_mated, rate):
    study = simulated(3, people=60, pairs=400, rate=rate, is_mated=is_mated)
    interval = study.rate().interval
    assert interval.method is Method.CLUSTERED
    effective = 400 / max(1.0, plain_effect(study))
    assert interval.effective == pytest.approx(effective, rel=1e-9)
    deviations = study.errors - study.errors.mean()
    at_people = np.bincount(study.probes, deviations)
    if not is_mated:
        at_people += np.bincount(study.references, deviations)
    squares = at_people**2
    assert interval.freedom == pytest.approx(min(59, squares.sum() ** 2 / (squares**2).sum()))
    normal_quantile = scipy.stats.norm.ppf(0.025)
    t_quantile = scipy.stats.t.ppf(0.025, interval.freedom)
    size = effective * (normal_quantile / t_quantile) ** 2
    errors = study.errors.mean() * size
    beta = scipy.stats.beta
    assert interval.low == pytest.approx(beta.ppf(0.025, errors, size - errors + 1))
    assert interval.high == pytest.approx(beta.ppf(0.975, errors + 1, size - errors))


@given(st.integers(1, 5_000), st.data(), st.booleans(), CONFIDENCES)
def test_independent_pairs_have_the_exact_interval(trials, data, is_mated, confidence):
    errors = data.draw(st.integers(0, trials))
    probes = np.arange(trials)
    study = ErrorsOfPairs(
        errors=probes < errors, probes=probes, references=None if is_mated else probes + trials
    )
    rate = study.rate(confidence)
    interval = rate.interval
    assert (interval.low, interval.high) == exact_ends(errors, trials, confidence)
    assert (interval.method, interval.confidence) == (Method.EXACT, confidence)
    assert (interval.effective, interval.freedom) == (trials, None)
    _, upper_bound = stats.bounds(rate)
    assert upper_bound == pytest.approx(stats.rates.exact_upper(errors, trials))


@pytest.mark.parametrize("rarer", [0, 1, 4, 5, 11])
def test_errors_and_correct_pairs_are_treated_alike(rarer):
    few, many = few_and_many_errors(rarer)
    assert few.effective == pytest.approx(many.effective)
    assert few.method is many.method


#: 1,000 mated pairs of 100 people, of whom each has ten, at the assumed correlation.
ASSUMED_SIZE = 1_000 / (1 + 9 * 0.05)


def few_and_many_errors(rarer):
    """The interval of so many errors, and of as many correct pairs."""
    clusters = stats.Clusters(np.arange(1_000) % 100, None)
    errors = np.zeros(1_000, bool)
    errors[np.linspace(0, 999, rarer).astype(int)] = True
    return stats.interval(errors, clusters), stats.interval(~errors, clusters)


def test_without_an_error_the_correlation_is_assumed():
    assert few_and_many_errors(0)[0].effective == pytest.approx(ASSUMED_SIZE)


@pytest.mark.parametrize("rarer", [0, 1, 4])
def test_below_five_errors_the_correlation_is_at_least_the_assumed_one(rarer):
    few, _ = few_and_many_errors(rarer)
    assert few.method is Method.CONSERVATIVE
    assert few.effective <= ASSUMED_SIZE + 1e-9


@pytest.mark.parametrize(("people", "pairs"), [(100, 300), (30, 500)])
def test_bounds_increase_with_errors(people, pairs):
    study = simulated(0, people, pairs, rate=0, is_mated=False)
    order = np.random.default_rng(1).permutation(pairs)
    highs = []
    for errors in range(15):
        is_error = np.isin(np.arange(pairs), order[:errors])
        highs.append(stats.interval(is_error, study.clusters, 0.9).high)
    assert highs[:5] == sorted(highs[:5])
    assert all(later > 0.9 * earlier for earlier, later in itertools.pairwise(highs))


@given(SIMULATED, st.sampled_from([0.8, 0.95, 0.99]))
def test_bounds_of_a_rate_are_the_ends_of_its_interval(study, confidence):
    rate = study.rate(0.5)
    ends = study.rate(2 * confidence - 1).interval
    assert stats.bounds(rate, confidence) == pytest.approx((ends.low, ends.high))
    assert rate.interval.effective <= rate.trials * (1 + 1e-9)
    assert 0 <= ends.low <= rate.value <= ends.high <= 1


@given(SIMULATED, st.floats(0.01, 1))
def test_a_chosen_threshold_is_bounded_by_its_order_statistic(study, max_fmr):
    rate = study.rate()
    bounded = stats.at_chosen_threshold(rate, max_fmr)
    assert (bounded.errors, bounded.trials) == (rate.errors, rate.trials)
    assert bounded.interval.low == rate.interval.low
    assert bounded.interval.high >= rate.interval.high
    _, upper_bound = stats.bounds(rate, 0.975, chosen_for=max_fmr)
    assert upper_bound == pytest.approx(bounded.interval.high)
    assert stats.at_chosen_threshold(rate, rate.value or 1e-9) == rate
    if bounded.interval.method is Method.EXACT:
        allowed = max(rate.errors, stats.rates.allowed_errors(max_fmr, rate.trials))
        low, _ = exact_ends(rate.errors, rate.trials).expected
        _, high = exact_ends(allowed, rate.trials).expected
        assert (bounded.interval.low, bounded.interval.high) == (low, high)


@pytest.mark.parametrize("probes", [[0, 0], [0, 1], [0, 1, 2, 3, 4, 5] * 3])
def test_evenly_spread_errors_cause_no_division_by_zero(probes):
    probes = np.array(probes)
    neighbours = np.where(probes % 2, probes - 1, probes + 1)
    errors = np.arange(len(probes)) < len(probes) / 3
    interval = stats.interval(errors, stats.Clusters(probes, neighbours))
    assert 0 <= interval.low < errors.mean() < interval.high <= 1


def test_one_person_with_most_errors_leaves_two_degrees_of_freedom():
    """With one the interval would be everything."""
    people = np.repeat(np.arange(60), 10)
    assert stats.interval(people == 0, stats.Clusters(people, None)).freedom == 2


def test_people_with_equal_errors_leave_one_degree_of_freedom_less_than_people():
    people = np.repeat(np.arange(60), 2)
    assert stats.interval(people % 2 == 0, stats.Clusters(people, None)).freedom == 59


@pytest.mark.parametrize(("people", "method"), [(49, Method.CONSERVATIVE), (50, Method.CLUSTERED)])
def test_correlation_is_detected_with_fifty_people(people, method):
    study = simulated(0, people, pairs=400, rate=0.2, is_mated=True)
    assert study.clusters.people == people
    assert study.rate().interval.method is method


def test_ends_of_a_weighted_sum_are_recovered_from_those_of_its_terms():
    def estimate(value, low, high):
        ends = Interval(low=low, high=high, confidence=0.95, method=Method.CLUSTERED)
        return Estimate(value=value, interval=ends)

    terms = [Term(3, estimate(1, 0, 3)), Term(4, estimate(2, 1, 4))]
    total = weighted_sum(terms, 0.95)
    ends = total.interval
    assert (total.value, ends.low, ends.high) == pytest.approx((11, 11 - 5, 11 + 10))

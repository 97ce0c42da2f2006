"""Exact intervals, against statsmodels and the binomial itself; the floors of every claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from facematch_core import InvalidRequest
from facematch_core.comparison.metrics import Method, exact_interval, exact_upper, trials_for
from facematch_core.comparison.metrics._binomial import beta_ends, jeffreys_ends

COUNTS = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCES = st.sampled_from([0.5, 0.9, 0.95, 0.999])


@given(COUNTS, CONFIDENCES)
def test_the_ends_are_those_of_statsmodels(counts, confidence):
    """Clopper and Pearson's, by another hand."""
    errors, trials = counts
    found = exact_interval(errors, trials, confidence)
    low, high = proportion_confint(errors, trials, 1 - confidence, method="beta")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert found.low <= errors / trials <= found.high
    assert (found.method, found.effective, found.freedom) == (Method.EXACT, trials, None)
    assert found.confidence == confidence


@given(COUNTS, CONFIDENCES)
def test_beyond_the_upper_bound_so_few_errors_are_rare(counts, confidence):
    """The definition: at that rate, so few errors happen with what is left of the confidence."""
    errors, trials = counts
    bound = exact_upper(errors, trials, confidence)
    if errors == trials:
        assert bound == 1
    else:
        assert binom.cdf(errors, trials, bound) == pytest.approx(1 - confidence, rel=1e-6)


@pytest.mark.parametrize(("rate", "trials"), [(1e-2, 299), (1e-3, 2_995), (1e-4, 29_956)])
def test_the_floors(rate, trials):
    """Without an error, at 95 %."""
    assert trials_for(rate) == trials
    assert exact_upper(0, trials) < rate < exact_upper(0, trials - 1)


@given(st.floats(1e-3, 0.5), st.integers(0, 30), CONFIDENCES)
def test_so_many_trials_and_not_one_less(rate, errors, confidence):
    """The smallest number that shows it."""
    trials = trials_for(rate, errors, confidence)
    assert exact_upper(errors, trials, confidence) <= rate * (1 + 1e-12)
    if trials - 1 > errors:
        assert exact_upper(errors, trials - 1, confidence) > rate * (1 - 1e-12)


@given(COUNTS, CONFIDENCES)
def test_jeffreys_ends_lie_within(counts, confidence):
    """Narrower than Clopper and Pearson's on both sides, and around what was seen."""
    errors, trials = counts
    low, high = beta_ends(errors, trials, confidence)
    inner_low, inner_high = jeffreys_ends(errors, trials, confidence)
    assert low <= inner_low <= inner_high <= high
    assert (inner_low == 0) == (errors == 0)
    assert (inner_high == 1) == (errors == trials)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: exact_interval(2, 1), "There cannot be 2 errors in 1 trials"),
        (lambda: exact_interval(0, 0), "There cannot be 0 errors in 0 trials"),
        (lambda: exact_interval(-1, 4), "There cannot be -1 errors"),
        (lambda: exact_upper(0, 4, 1.0), "A confidence lies between 0 and 1; 1.0 was given"),
        (lambda: exact_interval(0, 4, float("nan")), "A confidence lies between 0 and 1; nan"),
        (lambda: trials_for(0), "A rate to be shown lies between 0 and 1; 0 was given"),
        (lambda: trials_for(1.0), "A rate to be shown lies between 0 and 1"),
        (lambda: trials_for(0.1, -1), "There cannot be -1 errors"),
    ],
)
def test_numbers_out_of_range(call, words):
    """One sentence with the value."""
    with pytest.raises(InvalidRequest, match=words):
        call()

"""How many more comparisons would show what a study does not show yet."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_core.comparison.gate._more import MOST, more_needed, trials_needed
from facematch_core.comparison.metrics import (
    Interval,
    Method,
    Rate,
    exact_interval,
    trials_for,
)
from facematch_core.comparison.metrics._binomial import beta_ends, jeffreys_ends


@pytest.mark.parametrize(("limit", "floor"), [(0.01, 299), (1e-3, 2_995), (1e-4, 29_956)])
def test_without_an_error_it_is_the_floor(limit, floor):
    """The number that the plan names."""
    assert trials_needed(0, limit, 0.95) == floor == trials_for(limit)


@given(st.floats(0, 0.1), st.floats(1e-3, 0.2), st.sampled_from([0, 0.25, 1]))
def test_the_first_that_shows_it(rate, limit, care):
    """The bound at that many trials is within the limit, and at one fewer it is not."""
    assume(rate < 0.9 * limit)
    found = trials_needed(rate, limit, 0.95, care)

    def bound(trials):
        ends = rate * trials, trials, 0.9
        return care * beta_ends(*ends)[1] + (1 - care) * jeffreys_ends(*ends)[1]

    assert bound(found) <= limit < bound(found - 1)


@given(st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0.001, 0.2))
def test_a_worse_rate_needs_more(rate, other, limit):
    """And one that is not below the limit no number."""
    assume(rate <= other)
    low, high = trials_needed(rate, limit, 0.95), trials_needed(other, limit, 0.95)
    assert high is None or low <= high
    if other >= limit:
        assert high is None


def test_so_close_that_nobody_would():
    """A number that exists and that nobody asks for is none."""
    assert trials_needed(0.00999999, 0.01, 0.95) is None
    assert trials_needed(0.0099, 0.01, 0.95) < MOST


def rate(errors, trials, effective=None, method=Method.EXACT):
    """A rate whose pairs are worth `effective` independent ones; None for all of them."""
    found = exact_interval(errors, trials)
    told = Interval(
        low=found.low,
        high=found.high,
        confidence=0.95,
        method=method,
        effective=float(effective or trials),
    )
    return Rate(errors=errors, trials=trials, subjects=trials, interval=told)


def test_what_is_there_already_is_not_asked_again():
    """A thousand of the 2,995 that it takes."""
    assert more_needed(rate(0, 1000), 1e-3, 0.95, 1000) == 1995


def test_pairs_that_are_not_judged_are_bought_as_well():
    """Where a quarter of the pairs is judged, four times as many are needed."""
    assert more_needed(rate(0, 1000), 1e-3, 0.95, 4000) == 4 * 1995


def test_pairs_that_share_people_are_worth_less():
    """Two for one, and their own variance is not known."""
    found = more_needed(rate(0, 1000, effective=500), 1e-3, 0.95, 1000)
    assert found == 2 * 2995 - 1000


def test_nothing_was_judged():
    """Then it is the floor."""
    assert more_needed(Rate(errors=0, trials=0), 0.01, 0.95, 0) == 299
    assert more_needed(Rate(errors=0, trials=0), 0.01, 0.95, 700) == 299


def test_no_number_will_do():
    """The rate itself is at the limit."""
    assert more_needed(rate(10, 1000), 0.01, 0.95, 1000) is None


def test_at_least_one_more():
    """Who is asked has not shown it yet."""
    assert more_needed(rate(0, 298), 0.01, 0.95, 298) == 1
    assert more_needed(rate(0, 400), 0.01, 0.95, 400) == 1

"""The fast bootstrap gives the numbers of the plain one, to the last bit."""

import numpy as np
import pytest
from core.comparison.metrics.plain import plain_fnmr_at_fmr
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import InvalidRequest
from facematch_core.comparison.metrics import Scored, bootstrap_fnmr_at_fmr


def made(people, mated, others, *, seed, two_way, decimals=12, failures=0):
    """Scores of people who differ."""
    chance = np.random.default_rng(seed)
    ease = chance.normal(0, 4, people)
    whose = chance.integers(0, people, mated)
    first = chance.integers(0, people, others)
    second = (first + chance.integers(1, max(people, 2), others)) % people
    return Scored(
        mated=(chance.normal(70, 10, mated) + ease[whose]).round(decimals),
        non_mated=(chance.normal(30, 10, others) + ease[first] / 2).round(decimals),
        mated_people=whose,
        first=first,
        second=second if two_way else None,
        people=people,
        failures=chance.integers(0, people, failures),
    )


CASES = st.fixed_dictionaries(
    {
        "people": st.integers(1, 12),
        "mated": st.integers(1, 25),
        "others": st.integers(1, 300),
        "two_way": st.booleans(),
        "decimals": st.sampled_from([0, 1, 12]),
        "failures": st.integers(0, 3),
        "seed": st.integers(0, 99),
    }
)


@given(CASES, st.sampled_from([1e-3, 0.01, 0.2, 0.9]))
def test_it_equals_the_plain_way(case, fmr):
    """Ties, few people, failures and every rate: the same numbers."""
    scored = made(**case)
    fast = bootstrap_fnmr_at_fmr(scored, fmr, resamples=5, seed=case["seed"])
    plain = plain_fnmr_at_fmr(scored, fmr, resamples=5, seed=case["seed"])
    np.testing.assert_array_equal(fast, plain)


def test_it_varies_around_what_was_seen():
    """The middle of the resamples is the FNMR of the sample, and they differ."""
    scored = made(300, 3_000, 30_000, seed=5, two_way=True)
    found = bootstrap_fnmr_at_fmr(scored, 1e-2, resamples=400, seed=1)
    highest = np.sort(scored.non_mated)[::-1][300]
    seen = np.mean(scored.mated <= highest)
    assert abs(np.median(found) - seen) < 3 * found.std()
    assert 0 < found.std() < 0.1


def test_what_cannot_be_drawn_is_refused():
    """No pair of a kind, and numbers out of range."""
    scored = made(5, 5, 5, seed=1, two_way=False)
    with pytest.raises(InvalidRequest, match="max_fmr lies between 0 and 1"):
        bootstrap_fnmr_at_fmr(scored, 1.0)
    empty = Scored(
        mated=scored.mated[:0],
        non_mated=scored.non_mated,
        mated_people=scored.mated_people[:0],
        first=scored.first,
        second=None,
        people=5,
    )
    with pytest.raises(InvalidRequest, match="at least one mated"):
        bootstrap_fnmr_at_fmr(empty, 0.1)

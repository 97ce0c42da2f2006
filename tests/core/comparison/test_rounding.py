"""Bounds as text say no more than was shown."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core.comparison._rounding import lower, upper

RATES = st.floats(1e-9, 1)


@given(RATES, st.none() | RATES)
def test_away_from_what_they_bound(value, limit):
    """An upper one never below, a lower one never above; both on their side of a limit."""
    high, low = Decimal(upper(value, limit)), Decimal(lower(value, limit))
    assert low <= Decimal(repr(value)) <= high
    if limit is not None:
        assert (high > Decimal(repr(limit))) == (value > limit)
        assert (low < Decimal(repr(limit))) == (value < limit)


@pytest.mark.parametrize(
    ("value", "limit", "high", "low"),
    [
        (0.01425, None, "0.015", "0.014"),
        (0.00105, 0.001, "0.0011", "0.00105"),
        (0.000999, 0.001, "0.000999", "0.00099"),
        (0.0, 0.01, "0", "0"),
        (1.0, 0.5, "1", "1"),
    ],
)
def test_cases(value, limit, high, low):
    """A limit that lies near takes more digits."""
    assert (upper(value, limit), lower(value, limit)) == (high, low)

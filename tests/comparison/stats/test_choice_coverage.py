"""Intervals and tests for the choice of a vendor are right as often as they say.

In a short form; the page is made by ``benchmarks/coverage_choice.py``, of 2,000 studies.
"""

import pytest
from kit.comparison.choice_coverage import ROWS, share_of

FEW, MANY = 25, 2_000

#: What a share of `FEW` studies may be off by, by chance, one time in a thousand.
CHANCE = 0.2

#: Enough to see each estimator at work in passing.
QUICK = [row for row in ROWS if row.share == 1 and "400" not in row.study]


def name(row):
    return f"{row.what}-{row.study}"


@pytest.mark.parametrize("row", QUICK, ids=name)
def test_in_passing(row):
    """No estimator is off by more than chance explains."""
    low, high = row.wanted
    assert low - CHANCE <= share_of(row, FEW, seed=7) <= high + CHANCE


@pytest.mark.long
@pytest.mark.parametrize("row", ROWS, ids=name)
def test_over_many_studies(row):
    """Within the range that the page promises."""
    low, high = row.wanted
    assert low <= share_of(row, round(row.share * MANY), seed=1) <= high

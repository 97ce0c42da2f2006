"""Intervals and tests for the choice of a vendor are right as often as they say.

In a short form; the page is made by ``benchmarks/coverage_choice.py``.
"""

import pytest
from kit.comparison.choice_coverage import ANY, ROWS, share_of

FEW, MANY = 25, 2_000

#: What a share of `FEW` studies may be off by, by chance, one time in a thousand.
CHANCE = 0.2

PROMISED = [row for row in ROWS if row.wanted != ANY]


def name(row):
    return f"{row.what}-{row.study}"


@pytest.mark.parametrize("row", [row for row in PROMISED if "400" not in row.study], ids=name)
def test_in_passing(row):
    """No estimator is off by more than chance explains."""
    low, high = row.wanted
    assert low - CHANCE <= share_of(row, FEW, seed=7) <= high + CHANCE


@pytest.mark.long
@pytest.mark.parametrize("row", PROMISED, ids=name)
def test_over_many_studies(row):
    """Within the range that the page promises."""
    low, high = row.wanted
    assert low <= share_of(row, MANY, seed=1) <= high

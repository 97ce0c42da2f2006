"""Two contenders on the same pairs: against statsmodels, and against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as by_statsmodels
from statsmodels.stats.multitest import multipletests

from facematch_core import InvalidRequest
from facematch_core.comparison.metrics import (
    Method,
    holm,
    mcnemar,
    paired_difference,
    with_spread,
)

ERRORS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=1)


def columns(pairs):
    """The errors of both, and whose pair it is."""
    first, second, whose = zip(*pairs, strict=True)
    return np.array(first), np.array(second), np.array(whose)


@given(ERRORS)
def test_the_exact_test_is_that_of_statsmodels(pairs):
    """For pairs of as many people."""
    first, second, _ = columns(pairs)
    found = mcnemar(first, second)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    theirs = by_statsmodels([[0, only_first], [only_second, 0]], exact=True).pvalue
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p_value == pytest.approx(min(theirs, 1.0))


@given(ERRORS)
def test_people_never_make_it_surer(pairs):
    """Known people can only raise the p-value; and who is named first plays no part."""
    first, second, whose = columns(pairs)
    found = mcnemar(first, second, whose)
    assert mcnemar(first, second).p_value <= found.p_value <= 1
    turned = mcnemar(second, first, whose)
    assert (turned.only_first, turned.only_second) == (found.only_second, found.only_first)
    assert turned.p_value == pytest.approx(found.p_value)


def test_one_person_does_not_make_a_difference():
    """Thirty errors of one person say less than one each of thirty people."""
    first, second = np.ones(30, bool), np.zeros(30, bool)
    assert mcnemar(first, second, np.zeros(30, int)).p_value == pytest.approx(0.3173, abs=1e-4)
    assert mcnemar(first, second, np.arange(30)).p_value < 1e-7


@given(ERRORS, st.sampled_from([0.8, 0.95]))
def test_the_difference_lies_within(pairs, confidence):
    """Turned round for turned contenders; it holds what was seen, drawn a little to nothing."""
    first, second, whose = columns(pairs)
    found = paired_difference(first, second, whose, confidence)
    turned = paired_difference(second, first, whose, confidence)
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low))
    middle = (int(first.sum()) - int(second.sum())) / (len(first) + 2)
    assert -1 <= found.low < middle < found.high <= 1
    assert (found.method, found.confidence) == (Method.CLUSTERED, confidence)


def test_more_people_know_more():
    """Errors that gather at eight people widen the interval, and so does more confidence."""
    chance = np.random.default_rng(2)
    first, second = chance.random(400) < 0.2, chance.random(400) < 0.1
    alike = np.argsort(np.argsort(first.astype(int) - second, kind="stable")) // 50
    few = paired_difference(first, second, alike)
    many = paired_difference(first, second, np.arange(400))
    surer = paired_difference(first, second, np.arange(400), 0.999)
    assert many.high - many.low < few.high - few.low
    assert surer.low < many.low < many.high < surer.high
    assert many.low > 0


@settings(max_examples=25)  # statsmodels takes a tenth of a second each time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p_values):
    """In the order given."""
    theirs = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(theirs))


def test_nothing_to_correct():
    """No question was asked."""
    assert holm([]) == []


def test_what_cannot_be_compared():
    """Other pairs, or none."""
    one, two = np.zeros(1, bool), np.zeros(2, bool)
    with pytest.raises(InvalidRequest, match="Errors of 1 and of 2 pairs cannot be compared"):
        mcnemar(one, two)
    with pytest.raises(InvalidRequest, match="at least one pair, and a person for each"):
        paired_difference(two[:0], two[:0], np.zeros(0, int))
    with pytest.raises(InvalidRequest, match="at least one pair, and a person for each"):
        paired_difference(two, two, np.zeros(1, int))


@given(ERRORS, st.floats(0, 0.5))
def test_a_spread_of_thresholds_only_adds_doubt(pairs, spread):
    """Wider, and no surer; without one nothing changes."""
    first, second, whose = columns(pairs)
    interval, p_value = (
        paired_difference(first, second, whose),
        mcnemar(first, second, whose).p_value,
    )
    seen = (int(first.sum()) - int(second.sum())) / len(first)
    wide, less_sure = with_spread(interval, seen, p_value, spread)
    assert -1 <= wide.low <= interval.low + 1e-12
    assert interval.high - 1e-12 <= wide.high <= 1
    assert p_value <= less_sure <= 1
    if not spread:
        assert (wide, less_sure) == (interval, p_value)

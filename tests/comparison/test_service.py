"""Latency, availability and price, counted."""

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, answers, changed, real, unanswered

from facematch_comparison.answers import BILLED, DECISIONS
from facematch_comparison.evaluation import service_of
from facematch_core import Charged, Decision


def test_availability():
    """Errors are the pairs without an answer; failures to acquire are none of them."""
    one = unanswered(answers([90, LOST, 80], [10, LOST]), [0])
    found = service_of(one)
    assert (found.calls, found.answered.errors, found.answered.trials) == (5, 1, 5)
    # An outage takes many calls, a bad picture many pairs: no interval would hold.
    assert (found.answered.interval, found.acquisition.interval) == (None, None)
    assert (found.acquisition.errors, found.acquisition.trials) == (2, 4)
    assert found.not_answered == {"VendorUnavailable": 1}


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=200))
def test_percentiles_are_times_that_were_measured(times):
    """The nearest rank: at least so many of a hundred took no longer, and one fewer would not."""
    one = attrs.evolve(answers([90] * len(times), []), elapsed_s=np.array(times))
    found, count = service_of(one).latency_s, len(times)
    assert [*found] == [str(p) for p in (50, 90, 95, 99) if count * (100 - p) >= 100]
    assert service_of(one).timed == count
    for percent, value in found.items():
        assert value in times
        within = sum(time <= value for time in times)
        below = sum(time < value for time in times)
        assert 100 * within >= int(percent) * len(times) > 100 * below


def test_times_of_what_was_not_answered_do_not_count():
    """Nor does what was not measured; without any there is no percentile."""
    one = unanswered(answers([90, 80, 70], [10]), [0])
    timed = attrs.evolve(one, elapsed_s=np.array([99.0, 2.0, 2.0, np.nan]))
    assert service_of(timed).latency_s == {"50": 2.0}
    assert service_of(timed).timed == 2
    assert service_of(one).latency_s == {}


def test_what_may_have_been_charged_is_counted():
    """Of three pairs one was charged, one perhaps, one not."""
    one = attrs.evolve(
        real(answers([90], [10, 20])),
        billed=np.array([BILLED.index(b) for b in (Charged.YES, Charged.UNKNOWN, Charged.NO)]),
    )
    found = service_of(one)
    assert (found.cost, found.price, found.currency) == (0.1, 0.05, "USD")
    assert found.cost_per_verified == 0.05


def test_money_is_no_binary_fraction():
    """Three times 0.1 is 0.3."""
    one = attrs.evolve(real(answers([90, 90, 20], [])), price=0.1, billed=np.full(3, 1))
    found = service_of(one)
    assert (found.cost, found.cost_per_verified) == (0.3, 0.15)


def test_nobody_let_in_costs_nothing_per_person():
    """There is no such number, nor one without a price."""
    one = attrs.evolve(real(answers([20], [10])), billed=np.full(2, 1))
    assert service_of(one).cost == 0.1
    assert service_of(one).cost_per_verified is None
    free = service_of(answers([90], [10]))
    assert (free.cost, free.price, free.currency, free.cost_per_verified) == (None,) * 4


@pytest.mark.parametrize("decision", Decision)
def test_verified_is_who_matches(decision):
    """REVIEW is a person's work, and a match of two people is no verified person."""
    one = real(answers([90], [90]))
    place = np.full(2, DECISIONS.index(decision), np.int8)
    one = attrs.evolve(changed(one, decisions=place), billed=np.full(2, 1))
    expected = 0.05 if decision is Decision.MATCH else None
    assert service_of(one).cost_per_verified == expected


def test_nothing_was_asked():
    """An empty study has no rate."""
    found = service_of(answers([], []))
    assert (found.calls, found.answered.interval, found.latency_s) == (0, None, {})

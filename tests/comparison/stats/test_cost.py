import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.choice import NormalScores
from kit.comparison.tables import (
    INCONCLUSIVE,
    LOST,
    MATCH,
    NO_MATCH,
    REVIEW,
    rates_at,
    system_answers,
)

from facematch_comparison.model import Costs
from facematch_comparison.stats import expected_cost

COSTS = Costs(impostors=0.1, false_match=100, false_reject=5, review=2, currency="EUR")


def priced(answers, price=0.05, currency="EUR"):
    return attrs.evolve(answers, price=price, currency=currency)


def test_ten_mated_and_twenty_other_pairs_by_hand():
    decisions = [MATCH] * 7 + [REVIEW] * 2 + [INCONCLUSIVE] + [NO_MATCH] * 18 + [MATCH, REVIEW]
    answers = system_answers(
        [90] * 7 + [55] * 2 + [LOST], [10] * 18 + [70, 55], decisions=decisions
    )
    cost = expected_cost(priced(answers), COSTS, at_required=60.0, at_default=True)
    at = cost.at_required
    # One of twenty gets in, two who score 55 and one without a face are turned away.
    assert (at.false_matches, at.false_rejects) == pytest.approx((0.1 * 0.05 * 100, 0.9 * 0.3 * 5))
    assert (at.reviews, at.calls, at.threshold) == (0, 0.05, 60.0)
    assert at.expected.value == pytest.approx(0.5 + 1.35 + 0.05)
    default = cost.at_default
    # What is reviewed neither passes nor is turned away.
    assert (default.false_matches, default.false_rejects) == pytest.approx((0.5, 0.9 * 0.1 * 5))
    assert default.reviews == pytest.approx((0.1 * 0.05 + 0.9 * 0.2) * 2)
    assert default.expected.value == pytest.approx(0.5 + 0.45 + 0.37 + 0.05)
    assert default.threshold == 50.0
    for point in (at, default):
        ends = point.expected.interval
        assert point.calls <= ends.low < point.expected.value < ends.high


@given(
    seed=st.integers(0, 1000),
    impostors=st.floats(0, 1),
    costs=st.tuples(*[st.floats(0, 1000)] * 3),
    threshold=st.floats(-1, 5),
)
def test_a_cost_is_the_weighted_sum_of_the_rates(seed, impostors, costs, threshold):
    (answers,) = NormalScores(people=20, mated=40, non_mated=60, fta=0.1).study(
        np.random.default_rng(seed)
    )
    money = Costs(impostors=impostors, false_match=costs[0], false_reject=costs[1], review=costs[2])
    cost = expected_cost(answers, money, at_required=threshold, at_default=True)
    rates = rates_at(answers.table, threshold)
    value = impostors * rates.far.value * costs[0] + (1 - impostors) * rates.frr.value * costs[1]
    assert cost.at_required.expected.value == pytest.approx(value, abs=1e-9)
    ends = cost.at_required.expected.interval
    assert ends.low <= value + 1e-9 <= ends.high + 2e-9


def test_what_costs_nothing_and_what_nobody_knows():
    only = system_answers([90] * 10, [])
    cost = expected_cost(only, COSTS, at_required=60.0, at_default=True)
    assert (cost.at_required, cost.at_default) == (None, None)
    nobody = attrs.evolve(COSTS, impostors=0.0)
    cost = expected_cost(only, nobody, at_required=60.0, at_default=False)
    assert (cost.at_required.expected.value, cost.at_required.calls) == (0, 0)
    others = system_answers([], [10] * 10)
    everybody = attrs.evolve(COSTS, impostors=1.0)
    for costs, at in ((everybody, 0), (COSTS, None)):
        point = expected_cost(others, costs, at_required=60.0, at_default=False).at_required
        assert (point and point.expected.value) == at
    # No error in ten pairs is not a rate of 0.
    assert cost.at_required.expected.interval.high > 0.2 * COSTS.false_reject


def test_a_cost_lies_no_closer_than_its_rates():
    (system,) = NormalScores(people=60, mated=300).study(np.random.default_rng(2))
    rates = rates_at(system.table, 2.5)
    for costs, rate, weight in (
        (attrs.evolve(COSTS, false_match=0), rates.frr, 0.9 * 5),
        (attrs.evolve(COSTS, false_reject=0), rates.far, 0.1 * 100),
    ):
        cost = expected_cost(priced(system), costs, at_required=2.5, at_default=False)
        ends, of_rate = cost.at_required.expected.interval, rate.interval
        assert ends.low == pytest.approx(0.05 + weight * of_rate.low)
        assert ends.high == pytest.approx(0.05 + weight * of_rate.high)

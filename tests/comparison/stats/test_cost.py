import math

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.choice import World
from kit.comparison.tables import (
    INCONCLUSIVE,
    LOST,
    MATCH,
    NO_MATCH,
    REVIEW,
    SILENT,
    answers,
)

from facematch_comparison.model import Costs
from facematch_comparison.stats import Rates
from facematch_comparison.stats.cost import IMPOSTORS, Joint, cost_difference, expected_cost
from facematch_comparison.stats.rates import Sample
from facematch_core import InvalidRequest

COSTS = Costs(impostors=0.1, false_match=100, false_reject=5, review=2, currency="EUR")


def priced(one, price=0.05, currency="EUR"):
    return attrs.evolve(one, price=price, currency=currency)


def test_ten_mated_and_twenty_other_pairs_by_hand():
    decisions = [MATCH] * 7 + [REVIEW] * 2 + [INCONCLUSIVE] + [NO_MATCH] * 18 + [MATCH, REVIEW]
    made = answers([90] * 7 + [55] * 2 + [LOST], [10] * 18 + [70, 55], decisions=decisions)
    found = expected_cost(priced(made), COSTS, at_required=60.0, at_default=True)
    at = found.at_required
    # One of twenty gets in, two who score 55 and one without a face are turned away.
    assert (at.false_matches, at.false_rejects) == pytest.approx((0.1 * 0.05 * 100, 0.9 * 0.3 * 5))
    assert (at.reviews, at.calls, at.threshold) == (0, 0.05, 60.0)
    assert at.expected.value == pytest.approx(0.5 + 1.35 + 0.05)
    own = found.at_default
    # What is reviewed neither passes nor is turned away.
    assert (own.false_matches, own.false_rejects) == pytest.approx((0.5, 0.9 * 0.1 * 5))
    assert own.reviews == pytest.approx((0.1 * 0.05 + 0.9 * 0.2) * 2)
    assert own.expected.value == pytest.approx(0.5 + 0.45 + 0.37 + 0.05)
    assert own.threshold == 50.0
    for point in (at, own):
        ends = point.expected.interval
        assert point.calls <= ends.low < point.expected.value < ends.high


@given(
    seed=st.integers(0, 1000),
    impostors=st.floats(0, 1),
    costs=st.tuples(*[st.floats(0, 1000)] * 3),
    threshold=st.floats(-1, 5),
)
def test_a_cost_is_the_weighted_sum_of_the_rates(seed, impostors, costs, threshold):
    (one,) = World(people=20, mated=40, non_mated=60, fta=0.1).study(np.random.default_rng(seed))
    money = Costs(impostors=impostors, false_match=costs[0], false_reject=costs[1], review=costs[2])
    found = expected_cost(one, money, at_required=threshold, at_default=True)
    rates = Rates(one.table).all_at(threshold)
    value = impostors * rates.far.value * costs[0] + (1 - impostors) * rates.frr.value * costs[1]
    assert found.at_required.expected.value == pytest.approx(value, abs=1e-9)
    place = found.impostors.index(impostors)
    assert found.curve[place] == pytest.approx(value, abs=1e-9)
    assert found.impostors == tuple(sorted({*IMPOSTORS, impostors}))
    for low, middle, high in zip(found.curve_low, found.curve, found.curve_high, strict=True):
        assert low <= middle + 1e-9 <= high + 2e-9


def test_what_costs_nothing_and_what_nobody_knows():
    only = answers([90] * 10, [])
    found = expected_cost(only, COSTS, at_required=60.0, at_default=True)
    assert (found.at_required, found.at_default) == (None, None)
    assert (found.impostors, found.curve, found.curve_low) == ((), (), ())
    nobody = attrs.evolve(COSTS, impostors=0.0)
    found = expected_cost(only, nobody, at_required=60.0, at_default=False)
    assert (found.at_required.expected.value, found.at_required.calls) == (0, 0)
    others = answers([], [10] * 10)
    everybody = attrs.evolve(COSTS, impostors=1.0)
    for costs, at in ((everybody, 0), (COSTS, None)):
        point = expected_cost(others, costs, at_required=60.0, at_default=False).at_required
        assert (point and point.expected.value) == at
    # No error in ten pairs is not a rate of 0.
    assert found.at_required.expected.interval.high > 0.2 * COSTS.false_reject


def test_costs_are_compared_where_both_or_neither_have_a_price_in_one_currency():
    one, other = answers([90] * 10, [10] * 10), answers([90] * 10, [10] * 10, "b")
    # Half of the calls for nothing would look cheap.
    assert cost_difference(priced(one), 50, other, 50, COSTS) is None
    assert cost_difference(one, 50, priced(other), 50, COSTS) is None
    assert cost_difference(one, 50, other, 50, COSTS).value == 0
    free, dollars = priced(one, 0.0), priced(one, currency="USD")
    assert cost_difference(free, 50, other, 50, COSTS).value == 0
    with pytest.raises(InvalidRequest, match="USD, and the costs are in EUR"):
        expected_cost(dollars, COSTS, at_required=60.0, at_default=False)
    with pytest.raises(InvalidRequest, match="a charges in USD, b in EUR"):
        cost_difference(dollars, 50, priced(other), 50, COSTS)


def test_a_difference_in_cost_is_paired():
    first, second = World(mean=(3.5, 4.5), common=0.9).study(np.random.default_rng(0))
    found = cost_difference(priced(first), 2.5, priced(second, 0.1), 2.5, COSTS, 0.95)
    alone = [
        expected_cost(one, COSTS, at_required=2.5, at_default=False).at_required.expected
        for one in (priced(first), priced(second, 0.1))
    ]
    assert found.value == pytest.approx(alone[0].value - alone[1].value)
    width = found.interval.high - found.interval.low
    apart = math.hypot(*(one.interval.high - one.interval.low for one in alone))
    assert width < apart
    back = cost_difference(priced(second, 0.1), 2.5, priced(first), 2.5, COSTS, 0.95)
    assert (back.value, back.interval.low) == pytest.approx((-found.value, -found.interval.high))


def test_pairs_that_one_did_not_answer_count_in_no_difference():
    first = answers([90, 20, 90, 90], [10] * 4)
    second = answers([90, SILENT, 20, 90], [10] * 4, "b")
    found = cost_difference(first, 50, second, 50, attrs.evolve(COSTS, impostors=0))
    assert found.value == pytest.approx(-5 / 3)
    nothing = answers([SILENT] * 4, [SILENT] * 4, "c")
    assert cost_difference(first, 50, nothing, None, COSTS) is None
    with pytest.raises(InvalidRequest, match="a and b were asked about other pairs"):
        cost_difference(first, 50, answers([90] * 3, [10] * 5, "b"), 50, COSTS)


def test_a_sum_of_one_rate_is_that_rate():
    (one,) = World(people=60).study(np.random.default_rng(2))
    rows = np.flatnonzero(one.table.mated)
    sample, errors = Sample(one.table, rows), one.table.scores[rows] < 3
    found = sample.rate(errors, 0.95)
    joint = Joint([(sample, errors)], 0.95)
    for weight in (2.0, -3.0):
        ends = sorted((weight * found.interval.low + 1, weight * found.interval.high + 1))
        total = joint.sum([weight], 1.0)
        assert total.value == pytest.approx(weight * found.value + 1)
        assert (total.interval.low, total.interval.high) == pytest.approx(ends)


def test_two_rates_vary_together_as_their_pairs_share_people():
    (one,) = World(people=8, mated=20, non_mated=30).study(np.random.default_rng(2))
    table = one.table
    sides = list(zip(table.probe_subjects, table.reference_subjects, strict=True))
    for kind in (table.mated, ~table.mated):
        rows = np.flatnonzero(kind)
        people = [{*sides[row]} for row in rows]
        shared = np.array([[len(a & b) for b in people] for a in people], float)
        np.fill_diagonal(shared, 1.0)
        errors = [np.array([min(each) < most for each in people]) for most in (2, 4)]
        left = np.array([each - each.mean() for each in errors])
        (var, both), (_, other) = left @ shared @ left.T
        sample = Sample(table, rows)
        joint = Joint([(sample, each) for each in errors], 0.95)
        above = joint.high - joint.values
        total = joint.sum([1, 1])
        wide = (above**2).sum() + 2 * both / math.sqrt(var * other) * above.prod()
        assert (total.interval.high - total.value) ** 2 == pytest.approx(wide)

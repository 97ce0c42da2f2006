"""What an attempt costs: of one system, of two side by side, of a chain."""

import math

import attrs
import numpy as np
import pytest
from core.comparison.stats.choice import (
    INCONCLUSIVE,
    LOST,
    MATCH,
    NO_MATCH,
    REVIEW,
    SILENT,
    World,
    changed,
    written,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_core import InvalidRequest, ThresholdRule
from facematch_core.comparison.model import Costs
from facematch_core.comparison.stats import Rates
from facematch_core.comparison.stats.combine import Joint, Sample
from facematch_core.comparison.stats.cost import IMPOSTORS, chain, cost_difference, expected_cost

COSTS = Costs(impostors=0.1, false_match=100, false_reject=5, review=2, currency="EUR")


def priced(answers, price=0.05, currency="EUR"):
    return attrs.evolve(answers, price=price, currency=currency)


# --- Expected cost ------------------------------------------------------------------------------


def test_by_hand():
    """Ten mated, twenty non-mated pairs, at 60 and as the vendor decided."""
    one = priced(
        written(
            [90] * 7 + [55] * 2 + [LOST],
            [10] * 18 + [70, 55],
            decisions=[MATCH] * 7
            + [REVIEW] * 2
            + [INCONCLUSIVE]
            + [NO_MATCH] * 18
            + [MATCH, REVIEW],
        )
    )
    found = expected_cost(one, COSTS, at_required=60.0, at_default=True)
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


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    impostors=st.floats(0, 1),
    costs=st.tuples(*[st.floats(0, 1000)] * 3),
    threshold=st.floats(-1, 5),
)
def test_it_is_the_weighted_sum_of_the_rates(seed, impostors, costs, threshold):
    """Of any answers; the curve goes through it, and no threshold costs less than the cheapest."""
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
    assert found.cheapest.expected.value <= value + 1e-9
    again = expected_cost(one, money, at_required=found.cheapest.threshold, at_default=False)
    assert again.at_required == found.cheapest


def test_the_cheapest_threshold_by_brute_force():
    """Every threshold that makes a difference, for both rules, with ties."""
    chance = np.random.default_rng(5)
    for rule in (ThresholdRule.ABOVE, ThresholdRule.AT_LEAST):
        mated, others = chance.normal(60, 15, 60).round(), chance.normal(40, 15, 90).round()
        one = written([*mated, LOST], others, rule=rule)
        found = expected_cost(one, COSTS, at_required=None, at_default=False).cheapest
        every = [*np.unique([*mated, *others]), -1e9, 1e9]
        lowest = min(
            expected_cost(
                one, COSTS, at_required=float(at), at_default=False
            ).at_required.expected.value
            for at in every
        )
        assert found.expected.value == pytest.approx(lowest)


def test_what_costs_nothing_and_what_nobody_knows():
    """No price is no call; a kind of pairs that the costs do not need may be missing."""
    only = written([90] * 10, [])
    found = expected_cost(only, COSTS, at_required=60.0, at_default=True)
    assert (found.at_required, found.at_default, found.cheapest) == (None, None, None)
    assert (found.impostors, found.curve, found.curve_low) == ((), (), ())
    nobody = attrs.evolve(COSTS, impostors=0.0)
    found = expected_cost(only, nobody, at_required=60.0, at_default=False)
    assert (found.at_required.expected.value, found.at_required.calls) == (0, 0)
    # No error in ten pairs is not a rate of 0.
    assert found.at_required.expected.interval.high > 0.2 * COSTS.false_reject


def test_a_vendor_of_decisions():
    """Has one point, no threshold, and no cheapest one."""
    one = written([90] * 20, [10] * 20)
    one = changed(one, scores=np.full(40, np.nan), rule=ThresholdRule.VENDOR, threshold=None)
    found = expected_cost(one, COSTS, at_required=None, at_default=True)
    assert (found.at_required, found.cheapest, found.at_default.threshold) == (None, None, None)
    assert len(found.curve) == len(found.impostors)


def test_a_file_of_scores_with_a_threshold():
    """There are no decisions: the threshold of the run makes them."""
    one = written([90] * 20, [10] * 20)
    silent = changed(one, decisions=np.full(40, -1, np.int8))
    first, second = (
        expected_cost(answers, COSTS, at_required=None, at_default=True).at_default
        for answers in (one, silent)
    )
    assert first == second


def test_two_currencies():
    """Are not added up."""
    one = priced(written([90] * 10, [10] * 10), currency="USD")
    with pytest.raises(InvalidRequest, match="charges in USD, and the costs are in EUR"):
        expected_cost(one, COSTS, at_required=60.0, at_default=False)
    with pytest.raises(InvalidRequest, match="a charges in USD, b in EUR"):
        chain(one, 50, priced(written([90] * 10, [10] * 10, "b")), 50, when="failure")


# --- Two side by side ---------------------------------------------------------------------------


def test_a_difference_is_that_of_the_two():
    """On the pairs that both answered, and paired: two that err together differ surely."""
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


def test_a_system_beside_itself():
    """Differs by nothing, and much more surely than each cost is known."""
    (one,) = World().study(np.random.default_rng(0))
    found = cost_difference(one, 2.5, one, 2.5, COSTS)
    alone = expected_cost(one, COSTS, at_required=2.5, at_default=False).at_required.expected
    assert found.value == pytest.approx(0)
    assert found.interval.low == pytest.approx(-found.interval.high)
    assert found.interval.high < 0.3 * (alone.interval.high - alone.interval.low)


def test_pairs_that_one_did_not_answer_count_in_no_difference():
    """Nor does one without a score; and without any pair there is none."""
    first = written([90, 20, 90, 90], [10] * 4)
    second = written([90, SILENT, 20, 90], [10] * 4, "b")
    found = cost_difference(first, 50, second, 50, attrs.evolve(COSTS, impostors=0))
    assert found.value == pytest.approx(-5 / 3)
    nothing = written([SILENT] * 4, [SILENT] * 4, "c")
    assert cost_difference(first, 50, nothing, None, COSTS) is None
    with pytest.raises(InvalidRequest, match="a and b were asked about other pairs"):
        cost_difference(first, 50, written([90] * 3, [10] * 5, "b"), 50, COSTS)


# --- Chains -------------------------------------------------------------------------------------


def decided(decisions, name, mated=None, **more):
    """Answers by their decisions, half of the pairs mated."""
    half = len(decisions) // 2 if mated is None else mated
    scores = {MATCH: 80, NO_MATCH: 20, REVIEW: 55, INCONCLUSIVE: LOST}
    cells = [scores[one] for one in decisions]
    return written(cells[:half], cells[half:], name, decisions=list(decisions), **more)


def test_a_chain_by_hand():
    """What the first wants reviewed goes to the second; its NO_MATCH never does."""
    first = decided([MATCH, REVIEW, REVIEW, NO_MATCH, INCONCLUSIVE] * 2, "a")
    second = decided([NO_MATCH, MATCH, NO_MATCH, MATCH, MATCH] * 2, "b")
    one = chain(first, None, second, None, when="review")
    assert (one.first, one.second, one.when, one.pairs) == ("a", "b", "review", 10)
    assert one.asked_second == 0.4
    # Passed: the first, and the one of two that the second passes.
    assert (one.fmr.errors, one.fmr.trials, one.frr.errors, one.frr.trials) == (2, 5, 3, 5)
    assert one.review.errors == 0
    both = chain(first, None, second, None, when="both")
    assert (both.asked_second, both.fmr.errors, both.frr.errors) == (0.6, 3, 2)
    failure = chain(first, None, second, None, when="failure")
    assert (failure.asked_second, failure.fmr.errors, failure.frr.errors) == (0.2, 2, 3)
    assert failure.review.errors == 4
    assert one.sentence == (
        "If b is asked wherever a asks for a review (40 % of pairs), 40 % of non-mated pairs pass "
        "and 60 % of mated pairs do not."
    )
    assert "a person must look at 40 %" in failure.sentence


def test_what_nobody_decides():
    """Stays a review if the first wanted one, and is turned away if nobody saw two faces."""
    first = decided([REVIEW, REVIEW, INCONCLUSIVE, INCONCLUSIVE] * 2, "a")
    second = decided([REVIEW, INCONCLUSIVE, REVIEW, INCONCLUSIVE] * 2, "b")
    found = chain(first, None, second, None, when="both")
    assert (found.review.errors, found.frr.errors, found.fmr.errors) == (6, 4, 0)
    costs = Costs(impostors=0.5, false_match=7, false_reject=8, review=1)
    found = chain(first, None, second, None, when="both", costs=costs)
    assert found.cost.value == pytest.approx(0.75 + 0.5 * 0.25 * 8)


def test_a_band_of_scores():
    """Below it nobody gets a second chance, above it the first passes; both ends are in it."""
    scores = [30, 40, 50, 60, 70]
    first = written(scores, scores)
    second = written([90] * 5, [90] * 5, "b")
    found = chain(first, 50, second, 50, when="review", band=(40, 60))
    assert (found.asked_second, found.band) == (0.6, (40, 60))
    assert (found.frr.errors, found.fmr.errors) == (1, 4)
    # The ends of the band are the thresholds, wherever its own lies.
    assert chain(first, 65, second, 50, when="review", band=(40, 60)) == found
    assert chain(first, 35, second, 50, when="review", band=(40, 60)) == found
    # By its own decisions, what the vendor turned down stays turned down within the band.
    found = chain(first, None, second, 50, when="review", band=(40, 60))
    assert (found.asked_second, found.frr.errors) == (0.4, 2)
    assert found.sentence.startswith("If b is asked wherever a scores 40 to 60 (40 % of pairs), ")


def test_a_chain_for_outages():
    """A pair that only the second answered was asked there, unless the first was never asked."""
    first = written([90, SILENT, LOST, 20], [10, SILENT, 10, 10])
    second = written([90, 90, 90, 90], [10, 10, 10, SILENT], "b")
    found = chain(first, 50, second, 50, when="failure")
    assert (found.pairs, found.asked_second) == (7, pytest.approx(3 / 7))
    assert (found.frr.errors, found.frr.trials, found.fmr.trials) == (1, 4, 3)
    assert chain(first, 50, second, 50, when="review").pairs == 5
    unasked = attrs.evolve(first, not_answered={"not asked": 2})
    assert chain(unasked, 50, second, 50, when="failure").pairs == 5


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(*[st.sampled_from([MATCH, NO_MATCH, REVIEW, INCONCLUSIVE])] * 2,
                             st.booleans()), min_size=2, max_size=30),
    when=st.sampled_from(["review", "failure", "both"]),
)  # fmt: skip
def test_any_chain_against_a_plain_loop(pairs, when):
    """Pair by pair, as a person would do it."""
    pairs = sorted(pairs, key=lambda pair: not pair[2])
    mated = sum(pair[2] for pair in pairs)
    first = decided([a for a, _, _ in pairs], "a", mated)
    second = decided([b for _, b, _ in pairs], "b", mated)
    found = chain(first, None, second, None, when=when)
    asked, ends = 0, []
    for a, b, _ in pairs:
        end = a
        if (a == REVIEW and when != "failure") or (a == INCONCLUSIVE and when != "review"):
            asked += 1
            end = REVIEW if a == REVIEW and b == INCONCLUSIVE else b
        ends.append(end)
    assert found.asked_second == pytest.approx(asked / len(pairs))
    assert found.review.errors == ends.count(REVIEW)
    assert found.frr.errors == sum(end != MATCH for end in ends[:mated])
    assert found.fmr.errors == sum(end == MATCH for end in ends[mated:])
    assert found.fmr.errors <= sum(a != NO_MATCH for a, _, same in pairs if not same)


def test_what_a_chain_costs_and_how_long_it_takes():
    """The second is paid and waited for only where it is asked."""
    first = decided([MATCH, REVIEW, NO_MATCH, MATCH] * 50, "a", price=0.1, currency="EUR")
    second = decided([MATCH] * 200, "b", price=1.0, currency="EUR")
    first = attrs.evolve(first, elapsed_s=np.full(200, 0.5))
    second = attrs.evolve(second, elapsed_s=np.full(200, 2.0))
    found = chain(first, None, second, None, when="review")
    assert found.cost.value == pytest.approx(0.1 + 0.25)
    assert found.cost.interval.low < 0.35 < found.cost.interval.high
    assert found.latency_s == {"50": 0.5, "90": 2.5, "95": 2.5, "99": 2.5}
    # Reviewed pairs are passed by the second: 75 % of others get in, 25 % of people do not.
    found = chain(first, None, second, None, when="review", costs=COSTS)
    assert found.cost.value == pytest.approx(0.35 + 0.1 * 0.75 * 100 + 0.9 * 0.25 * 5)
    unpriced = attrs.evolve(second, price=None, currency=None)
    assert chain(first, None, unpriced, None, when="review").cost is None
    # Half of the calls for nothing would look cheap.
    assert chain(first, None, unpriced, None, when="review", costs=COSTS).cost is None
    assert cost_difference(first, None, unpriced, None, COSTS) is None
    unpriced = [attrs.evolve(one, price=None, currency=None) for one in (first, second)]
    assert chain(unpriced[0], None, unpriced[1], None, when="review", costs=COSTS).cost is not None


def test_two_currencies_are_not_subtracted():
    """150 yen are not 149 euros more than one."""
    first = decided([MATCH] * 40, "a", price=1.0, currency="EUR")
    second = decided([MATCH] * 40, "b", price=150.0, currency="JPY")
    costs = Costs(impostors=0.1, false_match=1, false_reject=1)
    with pytest.raises(InvalidRequest, match="a charges in EUR, b in JPY"):
        cost_difference(first, None, second, None, costs)


def test_percentiles_need_calls_beyond_them():
    """And times that are not known are left out."""
    first = decided([MATCH] * 40, "a")
    second = decided([MATCH] * 40, "b")
    timed = attrs.evolve(first, elapsed_s=np.r_[np.full(20, np.nan), np.arange(20.0)])
    assert set(chain(timed, None, second, None, when="review").latency_s) == {"50", "90", "95"}
    assert chain(first, None, second, None, when="review").latency_s == {}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"when": "always"}, "on review, failure or both, not 'always'"),
        ({"when": "failure", "band": (40, 60)}, "A chain on failure has no band"),
        ({"band": (60, 40)}, "from a lower to a higher score"),
        ({"band": (math.nan, 40)}, "from a lower to a higher score"),
    ],
)
def test_chains_that_cannot_be(wrong, said):
    """One sentence says why."""
    first, second = written([90] * 4, [10] * 4), written([90] * 4, [10] * 4, "b")
    with pytest.raises(InvalidRequest, match=said):
        chain(first, 50, second, 50, **{"when": "review"} | wrong)


def test_chains_of_nothing():
    """A band needs scores, a chain pairs that both answered."""
    one = written([90] * 4, [10] * 4)
    without = changed(one, scores=np.full(8, np.nan))
    with pytest.raises(InvalidRequest, match="no band"):
        chain(without, None, one, None, when="review", band=(1, 2))
    nothing = written([SILENT] * 4, [SILENT] * 4, "b")
    with pytest.raises(InvalidRequest, match="answered no pair both"):
        chain(one, 50, nothing, None, when="review")


# --- Sums of rates ------------------------------------------------------------------------------


def test_a_sum_of_one_rate_is_that_rate():
    """With its interval, turned round by a negative weight."""
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


def test_rates_that_vary_together():
    """A rate less itself is nothing; twice the same rate is as wide as twice the rate."""
    (one,) = World(people=60).study(np.random.default_rng(2))
    for kind in (one.table.mated, ~one.table.mated):
        sample = Sample(one.table, np.flatnonzero(kind))
        errors = one.table.scores[sample.rows] > 2
        joint = Joint([(sample, errors)] * 2, 0.95)
        rate = sample.rate(errors, 0.95).interval
        none = joint.sum([1, -1]).interval
        assert none.high - none.low < 0.5 * (rate.high - rate.low)
        twice = joint.sum([1, 1]).interval
        assert (twice.low, twice.high) == pytest.approx((2 * rate.low, 2 * rate.high))


def test_numbers_of_people_are_only_names():
    """Whoever numbers them as high as they like, or below 0, gets the same."""
    (one,) = World(people=60).study(np.random.default_rng(2))
    sides = one.table.probe_subjects, one.table.reference_subjects
    first, second = (side * 10**16 - 10**17 for side in sides)
    high = changed(one, probe_subjects=first, reference_subjects=second)
    known, found = (
        expected_cost(answers, COSTS, at_required=3.0, at_default=True) for answers in (one, high)
    )
    assert found == known


def test_mated_and_non_mated_pairs_in_one_rate():
    """Counted as if each kind were alone where nobody is in two pairs."""
    one = written([20] * 5 + [90] * 15, [10] * 20)
    sample = Sample(one.table, np.arange(40))
    found = sample.rate(one.table.scores < 30, 0.95)
    assert (found.errors, found.trials, found.subjects) == (25, 40, 60)
    assert found.interval.effective == 40

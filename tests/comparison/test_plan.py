"""A plan: the floors are those of the statistics, power is that of the test, money is exact."""

import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_comparison.plan import (
    ERRORS,
    FEW_FALSE_MATCHES,
    DifferencePlan,
    plan_study,
    power_of_mcnemar,
)
from facematch_comparison.stats import exact_upper, mcnemar
from facematch_core import InvalidRequest


def test_the_floors_that_are_known():
    """299 mated for 1 %, 2,995 and 29,956 non-mated for 1e-3 and 1e-4, and what they cost."""
    plan = plan_study(fmr=1e-4, frr=0.01, prices={"didit": Decimal("0.05")})
    floor = plan.needs[0]
    assert (floor.errors, floor.mated, floor.non_mated) == (0, 299, 29_956)
    assert (floor.draw_mated, floor.draw_non_mated) == (299, 29_956)
    assert floor.cost == {"didit": Decimal("1512.75")}
    # Half of the people choose the thresholds, and are asked about, too.
    halves = plan_study(fmr=1e-4, frr=0.01, prices={"didit": Decimal("0.05")}, split=True)
    assert (halves.needs[0].draw_mated, halves.needs[0].draw_non_mated) == (598, 59_912)
    assert halves.needs[0].cost == {"didit": Decimal("3025.50")}
    assert plan_study(fmr=1e-3, frr=0.01).needs[0].non_mated == 2_995
    assert [need.errors for need in plan.needs] == [*ERRORS]
    assert (plan.split, plan.difference) == (False, None)


@settings(max_examples=25, deadline=None)
@given(fmr=st.floats(1e-4, 0.5), frr=st.floats(1e-3, 0.5), confidence=st.floats(0.5, 0.99))
def test_the_numbers_suffice_and_no_smaller_ones_do(fmr, frr, confidence):
    """For each number of errors: with one pair fewer the claim is not shown."""
    for need in plan_study(fmr=fmr, frr=frr, confidence=confidence).needs:
        for trials, rate in ((need.mated, frr), (need.non_mated, fmr)):
            assert exact_upper(need.errors, trials, confidence) <= rate * (1 + 1e-9)
            if trials > need.errors + 1:
                assert exact_upper(need.errors, trials - 1, confidence) > rate * (1 - 1e-9)


@settings(max_examples=50, deadline=None)
@given(
    price=st.decimals("0.0001", 100, places=4),
    budget=st.decimals("0.01", 10_000, places=2),
    split=st.booleans(),
)
def test_less_money(price, budget, split):
    """A budget is never overspent, buys as much as it can, and shows what an exact bound says."""
    plan = plan_study(fmr=1e-3, frr=0.01, prices={"a": price}, budgets=[budget], split=split)
    (less,) = plan.less
    calls = less.mated + less.non_mated
    assert calls * price <= budget < (calls + 1) * price
    for asked, rate in ((less.mated, less.frr), (less.non_mated, less.fmr)):
        trials = asked // 2 if split else asked
        if trials:
            assert rate == pytest.approx(exact_upper(0, trials))
        else:
            assert rate is None


def test_parts_of_the_whole_unless_budgets_are_named():
    """For each vendor with a price; a free one needs no less."""
    plan = plan_study(
        fmr=1e-3, frr=0.01, prices={"a": Decimal("0.05"), "free": Decimal(0), "b": Decimal(1)}
    )
    assert [(one.vendor, one.budget) for one in plan.less] == [
        ("a", Decimal("82.35")),
        ("a", Decimal("32.94")),
        ("a", Decimal("8.24")),
        ("b", Decimal("1647.00")),
        ("b", Decimal("658.80")),
        ("b", Decimal("164.70")),
    ]
    assert plan.needs[0].cost["free"] == 0
    assert plan_study(fmr=1e-3, frr=0.01).less == ()


def test_an_amount_that_nobody_counts_to_the_cent():
    """Is no crash."""
    plan = plan_study(fmr=1e-3, frr=0.01, prices={"a": Decimal("1e30")})
    assert plan.less[0].mated == 149


# --- A difference -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "only_first", "only_second", "alpha"),
    [(700, 0.05, 0.025, 0.05), (60, 0.3, 0.1, 0.01), (300, 0.04, 0.04, 0.05), (15, 0.5, 0.02, 0.1)],
)
def test_power_against_simulation(pairs, only_first, only_second, alpha):
    """Of McNemar's exact test itself, study by study."""
    chance = np.random.default_rng(1)
    drawn = chance.multinomial(
        pairs, [only_first, only_second, 1 - only_first - only_second], 4_000
    )
    cells, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
    seen = 0
    for (a, b), count in zip(cells, counts, strict=True):
        first = np.arange(a + b) < a
        seen += count * (mcnemar(first, ~first).p_value < alpha)
    power = power_of_mcnemar(pairs, only_first, only_second, alpha)
    assert seen / 4_000 == pytest.approx(power, abs=0.03)


def test_power_of_nothing():
    """Two that never disagree are never seen to differ; a certain difference of a few pairs is."""
    assert power_of_mcnemar(100, 0.0, 0.0, 0.05) == 0
    assert power_of_mcnemar(5, 1.0, 0.0, 0.05) == 0
    assert power_of_mcnemar(6, 1.0, 0.0, 0.05) == pytest.approx(1)


def need(fmr=1e-3, confidence=0.95, split=False, **of):
    """What a difference needs."""
    of = DifferencePlan(**{"first": 0.02, "second": 0.05} | of)
    plan = plan_study(fmr=fmr, frr=0.01, confidence=confidence, difference=of, split=split)
    return plan.difference


@settings(max_examples=15, deadline=None)
@given(
    first=st.floats(0.005, 0.1),
    ratio=st.floats(1.5, 6),
    power=st.sampled_from([0.8, 0.9]),
    growth=st.sampled_from([None, 2.0]),
)
def test_both_kinds_of_pairs_suffice(first, ratio, power, growth):
    """The test alone has more power than is asked for, thresholds are placed by enough pairs."""
    found = need(first=first, second=first * ratio, power=power, growth=growth)
    psi, apart = found.disagreement, first - first * ratio
    alone = power_of_mcnemar(found.mated, (psi + apart) / 2, (psi - apart) / 2, found.alpha)
    assert alone > power - 1e-9
    assert found.false_matches >= FEW_FALSE_MATCHES
    assert found.non_mated * 1e-3 >= found.false_matches - 1e-6
    assert 0 < found.threshold_share < 1


def test_what_makes_a_difference_dearer():
    """More power, more systems, pairs that share people, a steep curve, a smaller difference."""
    plain = need()
    for dearer in (
        need(power=0.9),
        need(systems=5),
        need(pairs_per_person=5, intra_cluster_correlation=0.2),
        need(second=0.04),
        need(confidence=0.99),
    ):
        assert dearer.mated > plain.mated
    assert need(growth=1.5).non_mated < plain.non_mated
    assert need(correlation=0.3).mated < plain.mated
    assert need(systems=5).alpha == pytest.approx(0.005)
    many = need(pairs_per_person=5, intra_cluster_correlation=0.2)
    assert many.design_effect == pytest.approx(1.8)
    assert 5 * many.people >= many.mated > 5 * (many.people - 1)
    halves = need(split=True)
    assert (halves.draw_mated, halves.draw_non_mated) == (2 * plain.mated, 2 * plain.non_mated)


def test_a_plan_as_json():
    """Every number, and money as text."""
    of = DifferencePlan(first=0.02, second=0.05)
    plan = plan_study(fmr=1e-3, frr=0.01, prices={"a": Decimal("0.05")}, difference=of)
    document = json.loads(json.dumps(plan.to_dict()))
    assert document["needs"][0]["cost"] == {"a": "164.70"}
    assert document["less"][0]["budget"] == "82.35"
    assert document["difference"]["of"]["second"] == 0.05
    assert document["difference"]["mated"] == plan.difference.mated


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fmr": 0}, "between 0 and 1; 0 was given"),
        ({"frr": 1}, "between 0 and 1; 1 was given"),
        ({"confidence": 1.0}, "confidence"),
        ({"prices": {"a": Decimal(-1)}}, "The price of a must be at least 0, not -1"),
        ({"prices": {"a": Decimal("NaN")}}, "The price of a must be at least 0"),
        ({"budgets": [Decimal(0)]}, "A budget must be above 0"),
        ({"budgets": [Decimal("Infinity")]}, "A budget must be above 0"),
    ],
)
def test_what_cannot_be_planned(wrong, said):
    """One sentence says which number is out of range."""
    with pytest.raises(InvalidRequest, match=said):
        plan_study(**{"fmr": 1e-3, "frr": 0.01} | wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"first": 0.0}, "first must lie between 0 and 1"),
        ({"second": 1.0}, "second must lie between 0 and 1"),
        ({"power": 0.4}, "power must lie between 0.5 and 1"),
        ({"second": 0.02}, "have no difference"),
        ({"systems": 1}, "at least two systems"),
        ({"pairs_per_person": 0}, "at least two systems, and one pair"),
        ({"intra_cluster_correlation": 1.1}, "lies between 0 and 1, and is 1.1"),
        ({"growth": 1.0}, "growth must lie between 1"),
        ({"correlation": 0.9}, "disagree about 0.03 to 0.07 of the pairs"),
        ({"correlation": -0.9}, "disagree about 0.03 to 0.07 of the pairs"),
    ],
)
def test_differences_that_cannot_be(wrong, said):
    """One sentence says why."""
    with pytest.raises(InvalidRequest, match=said):
        DifferencePlan(**{"first": 0.02, "second": 0.05} | wrong)

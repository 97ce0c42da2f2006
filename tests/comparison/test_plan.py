from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_comparison.plan import (
    DifferencePlan,
    plan_study,
    power_of_mcnemar,
)
from facematch_comparison.stats import ENOUGH_FALSE_MATCHES, Paired, exact_upper
from facematch_core import InvalidRequest


@given(fmr=st.floats(1e-4, 0.5), frr=st.floats(1e-3, 0.5), confidence=st.floats(0.5, 0.99))
def test_the_numbers_suffice_and_no_smaller_ones_do(fmr, frr, confidence):
    for need in plan_study(fmr=fmr, frr=frr, confidence=confidence).needs:
        assert need.non_mated * fmr >= ENOUGH_FALSE_MATCHES * (1 - 1e-9)
        for trials, rate in ((need.mated, frr), (need.non_mated, fmr)):
            assert exact_upper(need.errors, trials, confidence) <= rate * (1 + 1e-9)
            places = rate == fmr and (trials - 1) * fmr < ENOUGH_FALSE_MATCHES
            if trials > need.errors + 1 and not places:
                assert exact_upper(need.errors, trials - 1, confidence) > rate * (1 - 1e-9)


@given(
    price=st.decimals("0.0001", 100, places=4),
    budget=st.decimals("0.01", 10_000, places=2),
    split=st.booleans(),
)
def test_a_budget_is_never_overspent_and_shows_what_an_exact_bound_says(price, budget, split):
    plan = plan_study(fmr=1e-3, frr=0.01, prices={"a": price}, budgets=[budget], split=split)
    (less,) = plan.less
    calls = less.mated + less.non_mated
    assert calls * price <= budget < (calls + 1) * price
    for pairs, rate in ((less.mated, less.frr), (less.non_mated, less.fmr)):
        trials = pairs // 2 if split else pairs
        if trials:
            assert rate == pytest.approx(exact_upper(0, trials))
        else:
            assert rate is None


@pytest.mark.parametrize(
    ("pairs", "only_first", "only_second", "alpha"),
    [(700, 0.05, 0.025, 0.05), (300, 0.04, 0.04, 0.05), (15, 0.5, 0.02, 0.1)],
)
def test_power_against_simulation(pairs, only_first, only_second, alpha):
    chance = np.random.default_rng(1)
    drawn = chance.multinomial(
        pairs, [only_first, only_second, 1 - only_first - only_second], 4_000
    )
    cells, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
    seen = 0
    for (a, b), count in zip(cells, counts, strict=True):
        first, each = np.arange(pairs) < a, np.arange(pairs)
        second = (each >= a) & (each < a + b)
        seen += count * (Paired(first, second, each).mcnemar() < alpha)
    power = power_of_mcnemar(pairs, only_first, only_second, alpha)
    assert seen / 4_000 == pytest.approx(power, abs=0.03)


def need(fmr=1e-3, confidence=0.95, split=False, **of):
    of = DifferencePlan(**{"first": 0.02, "second": 0.05} | of)
    plan = plan_study(fmr=fmr, frr=0.01, confidence=confidence, difference=of, split=split)
    return plan.difference


@settings(max_examples=settings().max_examples // 2)
@given(
    first=st.floats(0.005, 0.1),
    ratio=st.floats(1.5, 6),
    power=st.sampled_from([0.8, 0.9]),
)
def test_both_kinds_of_pairs_suffice(first, ratio, power):
    plan = need(first=first, second=first * ratio, power=power)
    psi, apart = plan.disagreement, first - first * ratio
    alone = power_of_mcnemar(plan.mated, (psi + apart) / 2, (psi - apart) / 2, plan.alpha)
    assert alone > power - 1e-9
    assert plan.false_matches >= ENOUGH_FALSE_MATCHES
    assert plan.non_mated * 1e-3 >= plan.false_matches - 1e-6
    assert 0 < plan.threshold_share < 1


def test_what_makes_a_difference_dearer():
    plain = need()
    for dearer in (
        need(power=0.9),
        need(systems=5),
        need(second=0.04),
        need(confidence=0.99),
    ):
        assert dearer.mated > plain.mated
    assert need(systems=5).alpha == pytest.approx(0.005)
    halves = need(split=True)
    assert (halves.draw_mated, halves.draw_non_mated) == (2 * plain.mated, 2 * plain.non_mated)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"fmr": 0}, {"frr": 1}, {"confidence": 1.0}, {"budgets": [Decimal(0)]}),
        *({"prices": {"a": Decimal(-1)}}, {"prices": {"a": Decimal("NaN")}}),
        *({"first": 0.0}, {"second": 0.02}, {"power": 0.4}, {"systems": 1}),
    ],
    ids=str,
)
def test_what_cannot_be_planned(wrong):
    is_difference = {*wrong} <= {"first", "second", "power", "systems"}
    with pytest.raises(InvalidRequest):
        need(**wrong) if is_difference else plan_study(**{"fmr": 1e-3, "frr": 0.01} | wrong)

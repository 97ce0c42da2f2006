"""A plan: the floors are those of the statistics, and money is counted exactly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import InvalidRequest
from facematch_core.comparison._plan import ERRORS, lowest_rate, plan_study
from facematch_core.comparison.metrics import exact_upper


def test_the_floors_that_are_known():
    """299 mated for 1 %, 2,995 and 29,956 non-mated for 1e-3 and 1e-4, and what they cost."""
    plan = plan_study(fmr=1e-4, fnmr=0.01, prices={"didit": Decimal("0.05")})
    floor = plan.needs[0]
    assert (floor.errors, floor.mated, floor.non_mated) == (0, 299, 29_956)
    # Half of the people choose the thresholds, and are asked about, too.
    assert (floor.draw_mated, floor.draw_non_mated) == (598, 59_912)
    assert floor.cost == {"didit": Decimal("3025.50")}
    whole = plan_study(fmr=1e-4, fnmr=0.01, prices={"didit": Decimal("0.05")}, split=False)
    assert (whole.needs[0].draw_mated, whole.needs[0].draw_non_mated) == (299, 29_956)
    assert whole.needs[0].cost == {"didit": Decimal("1512.75")}
    assert plan_study(fmr=1e-3, fnmr=0.01).needs[0].non_mated == 2_995
    assert [need.errors for need in plan.needs] == [*ERRORS]


@given(fmr=st.floats(1e-4, 0.5), fnmr=st.floats(1e-3, 0.5), confidence=st.floats(0.5, 0.99))
def test_the_numbers_suffice_and_no_smaller_ones_do(fmr, fnmr, confidence):
    """For each number of errors: with one pair fewer the claim is not shown."""
    for need in plan_study(fmr=fmr, fnmr=fnmr, confidence=confidence).needs:
        for trials, rate in ((need.mated, fnmr), (need.non_mated, fmr)):
            assert exact_upper(need.errors, trials, confidence) <= rate * (1 + 1e-9)
            if trials > need.errors + 1:
                assert exact_upper(need.errors, trials - 1, confidence) > rate * (1 - 1e-9)


@given(
    price=st.decimals("0.0001", 100, places=4),
    budget=st.decimals("0.01", 10_000, places=2),
    split=st.booleans(),
)
def test_less_money(price, budget, split):
    """A budget is never overspent, buys as much as it can, and shows what an exact bound says."""
    plan = plan_study(fmr=1e-3, fnmr=0.01, prices={"a": price}, budgets=[budget], split=split)
    (less,) = plan.less
    calls = less.mated + less.non_mated
    assert calls * price <= budget < (calls + 1) * price
    for asked, rate in ((less.mated, less.fnmr), (less.non_mated, less.fmr)):
        trials = asked // 2 if split else asked
        if trials:
            assert rate == pytest.approx(exact_upper(0, trials))
        else:
            assert rate is None


def test_parts_of_the_whole_unless_budgets_are_named():
    """For each vendor with a price; a free one needs no less."""
    plan = plan_study(
        fmr=1e-3, fnmr=0.01, prices={"a": Decimal("0.05"), "free": Decimal(0), "b": Decimal(1)}
    )
    assert [(one.vendor, one.budget) for one in plan.less] == [
        ("a", Decimal("164.70")),
        ("a", Decimal("65.88")),
        ("a", Decimal("16.47")),
        ("b", Decimal("3294.00")),
        ("b", Decimal("1317.60")),
        ("b", Decimal("329.40")),
    ]
    assert plan.needs[0].cost["free"] == 0
    assert plan_study(fmr=1e-3, fnmr=0.01).less == ()


def test_an_amount_that_nobody_counts_to_the_cent():
    """Is no crash."""
    plan = plan_study(fmr=1e-3, fnmr=0.01, prices={"a": Decimal("1e30")})
    assert plan.less[0].mated == 299


def test_the_lowest_rate():
    """One error in so many trials would be as likely as not to be seen."""
    assert lowest_rate(0) is None
    assert lowest_rate(299) == pytest.approx(0.00997, abs=1e-5)
    assert lowest_rate(1) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"fmr": 0}, "between 0 and 1; 0 was given"),
        ({"fnmr": 1}, "between 0 and 1; 1 was given"),
        ({"confidence": 1.0}, "confidence"),
        ({"prices": {"a": Decimal(-1)}}, "The price of a must be at least 0, not -1"),
        ({"prices": {"a": Decimal("NaN")}}, "The price of a must be at least 0"),
        ({"budgets": [Decimal(0)]}, "A budget must be above 0"),
        ({"budgets": [Decimal("Infinity")]}, "A budget must be above 0"),
    ],
)
def test_what_cannot_be_planned(wrong, told):
    """One sentence says which number is out of range."""
    with pytest.raises(InvalidRequest) as caught:
        plan_study(**{"fmr": 1e-3, "fnmr": 0.01} | wrong)
    assert told in str(caught.value)

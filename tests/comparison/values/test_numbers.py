from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_comparison.values import numbers

RATES = st.floats(0, 1)
WIDTHS = st.floats(1e-6, 1)


def decimal_of(text):
    return Decimal(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def is_rounded(text, number):
    """Whether a text is a number, rounded to the nearest."""
    unit = Decimal(1).scaleb(decimal_of(text).as_tuple().exponent)
    return abs(decimal_of(text) - number) <= unit / 2


@given(RATES, st.none() | WIDTHS)
def test_rates_are_rounded_for_display(rate, width):
    assert is_rounded(numbers.percent(rate, width), Decimal(repr(rate)) * 100)
    assert (numbers.percent(0, width), numbers.percent(1, width)) == ("0", "100")


@given(st.floats(-1, 1), WIDTHS)
def test_differences_use_a_minus_sign_and_no_negative_zero(difference, width):
    text = numbers.points(difference, width)
    assert "-" not in text
    assert text.strip("\N{MINUS SIGN}0.") or not text.startswith("\N{MINUS SIGN}")
    assert is_rounded(text, Decimal(repr(difference)) * 100)


@pytest.mark.parametrize(
    ("amount", "text"), [(0.05, "0.05"), (1650.0, "1,650.00"), (0.00123, "0.0012")]
)
def test_money_has_two_decimals_or_more_if_needed(amount, text):
    assert numbers.money(amount) == text


@given(st.floats(-1e6, 1e6), st.none() | st.floats(1e-4, 1e4))
def test_any_quantity_is_rounded_to_the_nearest(number, width):
    assume(number == 0 or abs(number) > 1e-9)
    assert is_rounded(numbers.quantity(number, width), Decimal(repr(number)))
    assert is_rounded(numbers.money(abs(number)), Decimal(repr(abs(number))))
    assert number == 0 or width or decimal_of(numbers.quantity(number)) != 0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_scores_keep_distinguishing_digits(number):
    assert float(numbers.score(number)) == number


@pytest.mark.parametrize(("score", "text"), [(49.999999, "49.999999"), (50.0, "50")])
def test_a_whole_score_has_no_decimals(score, text):
    assert numbers.score(score) == text


@pytest.mark.parametrize(("rate", "text"), [(1e-3, "0.1"), (1e-6, "0.0001")])
def test_what_somebody_chose_is_not_rounded(rate, text):
    assert numbers.setting(rate) == text


BOUNDS = st.floats(1e-9, 1)


@given(BOUNDS, st.none() | BOUNDS)
def test_bounds_are_rounded_conservatively(value, limit):
    high = Decimal(numbers.upper_percent(value, limit)) / 100
    low = Decimal(numbers.lower_percent(value, limit)) / 100
    assert low <= Decimal(repr(value)) <= high
    if limit is not None:
        assert (high > Decimal(repr(limit))) == (value > limit)
        assert (low < Decimal(repr(limit))) == (value < limit)


@pytest.mark.parametrize(
    ("value", "limit", "high", "low"),
    [
        (0.01425, None, "1.5", "1.4"),
        (0.00105, 0.001, "0.11", "0.105"),
        (0.000999, 0.001, "0.0999", "0.099"),
    ],
)
def test_a_bound_uses_as_many_digits_as_needed(value, limit, high, low):
    assert numbers.upper_percent(value, limit) == high
    assert numbers.lower_percent(value, limit) == low

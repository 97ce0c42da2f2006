"""How numbers read: as their interval supports, and bounds away from what they bound."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_comparison import numbers

rates = st.floats(0, 1)
widths = st.floats(1e-6, 1)


def shown(text):
    return Decimal(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def near(text, number):
    """Whether a text is a number, rounded to the nearest."""
    unit = Decimal(1).scaleb(shown(text).as_tuple().exponent)
    return abs(shown(text) - Decimal(repr(number))) <= unit / 2


@pytest.mark.parametrize(
    ("rate", "width", "text"),
    [
        (0.0493, 0.0244, "4.9"),
        (0.000533, 0.00188, "0.05"),
        (0.0000628, 0.00188, "0.006"),
        (0.0, 0.00188, "0"),
        (1.0, 0.3, "100"),
        (0.99996, 0.001, "99.996"),
        (1e-60, 0.9, "0"),
        (1 - 1e-12, 0.98, "100"),
        (0.00951, None, "0.95"),
        (0.125, 0.9, "12"),
    ],
)
def test_digits_follow_the_interval(rate, width, text):
    """A tenth of the interval is shown, and nothing reads as 0 or 100 that is not near it."""
    assert numbers.percent(rate, width) == text


@given(rates, st.none() | widths)
def test_a_rate_is_rounded_to_what_is_shown(rate, width):
    """As a decimal number, to the nearest."""
    text = numbers.percent(rate, width)
    unit = Decimal(1).scaleb(shown(text).as_tuple().exponent)
    assert abs(shown(text) - Decimal(repr(rate)) * 100) <= unit / 2


@given(rates, widths)
def test_no_rate_is_made_nothing_or_all(rate, width):
    """Unless a thousandth of what is shown could not tell it from that."""
    text = numbers.percent(rate, width)
    if text == "0":
        assert rate < width / 1000
    if text == "100":
        assert 1 - rate < width / 1000


@given(st.floats(-1, 1), widths)
def test_differences(difference, width):
    """With a true minus where there is one, and none before nothing."""
    text = numbers.points(difference, width)
    assert "-" not in text
    assert text.strip("\N{MINUS SIGN}0.") or not text.startswith("\N{MINUS SIGN}")
    unit = Decimal(1).scaleb(shown(text).as_tuple().exponent)
    assert abs(shown(text) - Decimal(repr(difference)) * 100) <= unit / 2


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1e-3, "1,000"), (0.01, "100"), (0.5, "2"), (1e-6, "1,000,000"), (0.3, None), (1.0, None)],
)
def test_one_in(rate, text):
    """Only where it is a whole number."""
    assert numbers.one_in(rate) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(1e-3, "0.1"), (0.95, "95"), (0.999, "99.9"), (1e-6, "0.0001"), (1.0, "100")]
)
def test_settings_have_all_their_digits(rate, text):
    """What somebody chose is not rounded."""
    assert numbers.setting(rate) == text


@pytest.mark.parametrize(
    ("amount", "width", "text"),
    [
        (0.05, None, "0.05"),
        (1650.0, None, "1,650.00"),
        (0.0512, None, "0.051"),
        (0.0, None, "0.00"),
        (0.00123, None, "0.0012"),
        (0.22, 0.088, "0.220"),
        (-0.41, 0.4, "\N{MINUS SIGN}0.41"),
    ],
)
def test_money(amount, width, text):
    """Cents, and more where a price is below one, or where the interval supports it."""
    assert numbers.money(amount, width) == text


@given(st.floats(-1e6, 1e6), st.none() | st.floats(1e-4, 1e4))
def test_any_quantity_is_rounded_to_the_nearest(number, width):
    """Times, ratios and amounts."""
    assume(number == 0 or abs(number) > 1e-9)
    assert near(numbers.quantity(number, width), number)
    assert near(numbers.money(number, width), number)
    assert number == 0 or width or shown(numbers.quantity(number)) != 0


def test_scores_keep_what_separates_them():
    """A threshold just below 50 does not read as 50."""
    assert numbers.score(49.999999) == "49.999999"
    assert numbers.score(50.0) == "50"
    assert numbers.probability(3.21e-13) == "3.2e-13"


bounded = st.floats(1e-9, 1)


@given(bounded, st.none() | bounded)
def test_bounds_say_no_more_than_was_shown(value, limit):
    """An upper one never below, a lower one never above; both on their side of a limit."""
    high, low = Decimal(numbers.upper(value, limit)), Decimal(numbers.lower(value, limit))
    assert low <= Decimal(repr(value)) <= high
    if limit is not None:
        assert (high > Decimal(repr(limit))) == (value > limit)
        assert (low < Decimal(repr(limit))) == (value < limit)


@pytest.mark.parametrize(
    ("value", "limit", "high", "low"),
    [
        (0.01425, None, "0.015", "0.014"),
        (0.00105, 0.001, "0.0011", "0.00105"),
        (0.000999, 0.001, "0.000999", "0.00099"),
        (0.0, 0.01, "0", "0"),
        (1.0, 0.5, "1", "1"),
    ],
)
def test_a_bound_takes_the_digits_it_needs(value, limit, high, low):
    """Two, unless they would put it on the other side of the limit."""
    assert (numbers.upper(value, limit), numbers.lower(value, limit)) == (high, low)

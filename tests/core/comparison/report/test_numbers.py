"""How numbers read."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facematch_core.comparison.report import _numbers

rates = st.floats(0, 1)
widths = st.floats(1e-6, 1)


def shown(text):
    return Decimal(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


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
    """A tenth of the interval is told, and nothing is told as 0 or 100 that is not near it."""
    assert _numbers.percent(rate, width) == text


@given(rates, st.none() | widths)
def test_a_rate_is_rounded_to_what_is_shown(rate, width):
    """As a decimal number, to the nearest."""
    text = _numbers.percent(rate, width)
    unit = Decimal(1).scaleb(shown(text).as_tuple().exponent)
    assert abs(shown(text) - Decimal(repr(rate)) * 100) <= unit / 2


@given(rates, widths)
def test_no_rate_is_made_nothing_or_all(rate, width):
    """Unless a thousandth of what is told could not tell it from that."""
    told = _numbers.percent(rate, width)
    if told == "0":
        assert rate < width / 1000
    if told == "100":
        assert 1 - rate < width / 1000


@given(st.floats(-1, 1), widths)
def test_differences(difference, width):
    """With a true minus where there is one."""
    text = _numbers.points(difference, width)
    assert "-" not in text
    unit = Decimal(1).scaleb(shown(text).as_tuple().exponent)
    assert abs(shown(text) - Decimal(repr(difference)) * 100) <= unit / 2


@given(st.floats(0, 1), st.floats(0, 1))
def test_so_many_of_so_many(low, high):
    """Ends are rounded away from each other, and the base is large enough for the higher one."""
    low, high = sorted((low, high))
    base = _numbers.base_of(high)
    assert base in _numbers.BASES
    assert high * base >= 4.9999 or base == _numbers.BASES[-1]
    few, many = shown(_numbers.fewest(low, base)), shown(_numbers.most(high, base))
    assert few <= Decimal(repr(low)) * base < few + 1
    assert many - 1 < Decimal(repr(high)) * base <= many


def test_no_minus_nothing():
    """The lower end of a difference may be minus 0."""
    assert _numbers.fewest(-0.0, 1000) == _numbers.most(-0.0, 1000) == "0"


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1e-3, "1,000"), (0.01, "100"), (0.5, "2"), (1e-6, "1,000,000"), (0.3, None), (1.0, None)],
)
def test_one_in(rate, text):
    """Only where it is a whole number."""
    assert _numbers.one_in(rate) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(1e-3, "0.1"), (0.95, "95"), (0.999, "99.9"), (1e-6, "0.0001"), (1.0, "100")]
)
def test_settings_have_all_their_digits(rate, text):
    """What somebody chose is not rounded."""
    assert _numbers.setting(rate) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0.05, "0.05"), (1650.0, "1,650.00"), (0.0512, "0.051"), (0.0, "0.00"), (0.00123, "0.0012")],
)
def test_money(amount, text):
    """Cents, and more where a price is below one."""
    assert _numbers.money(amount) == text


@given(st.floats(0, 1e6))
def test_two_digits_or_all_before_the_point(number):
    """Times and ratios."""
    assume(number == 0 or number > 1e-9)
    text = _numbers.two_digits(number)
    unit = Decimal(1).scaleb(shown(text).as_tuple().exponent)
    assert abs(shown(text) - Decimal(repr(number))) <= unit / 2
    assert number == 0 or shown(text) != 0


def test_scores_keep_what_parts_them():
    """A threshold just below 50 does not read as 50."""
    assert _numbers.score(49.999999) == "49.999999"
    assert _numbers.score(50.0) == "50"

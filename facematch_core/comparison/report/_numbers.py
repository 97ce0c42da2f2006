"""How a number reads: as many digits as its interval supports, and never 0 for what is not 0.

Numbers are rounded as the decimal numbers that JSON writes, so that what a page shows equals its
document to the last digit shown.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

#: How many people a sentence speaks of.
BASES: Final = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

#: So many of them at least must be concerned, or a larger base is taken.
ENOUGH: Final = 5


def exact(number: float) -> Decimal:
    """The decimal number that JSON writes for `number`."""
    return Decimal(repr(number))


def percent(rate: float, width: float | None = None) -> str:
    """A rate in percent and without the sign.

    What is neither nothing nor all is not told as such, unless that is so within a thousandth of
    what the interval tells.

    Args:
        rate: The rate, 0-1, or an end of its interval.
        width: Of the interval, 0-1: a tenth of it is told. None for two digits.
    """
    number = exact(rate) * 100
    places = _places(number, None if width is None else exact(width) * 100)
    if width and 50 < number < 100:
        places = max(places, _least(100 - number, places))
    text = _rounded(number, places)
    return f"{Decimal(text):.0f}" if Decimal(text) in (0, 100) else text


def setting(rate: float) -> str:
    """A rate that somebody chose, in percent and without the sign: all its digits."""
    return _all_digits(exact(rate) * 100, 0)


def points(difference: float, width: float | None = None) -> str:
    """A difference of two rates in percentage points, with a true minus."""
    number = exact(difference) * 100
    text = _rounded(number, _places(number, None if width is None else exact(width) * 100))
    return text.replace("-", "\N{MINUS SIGN}")


def base_of(rate: float) -> int:
    """How many people to speak of, so that a rate is some of them."""
    return next((base for base in BASES if exact(abs(rate)) * base >= ENOUGH), BASES[-1])


def fewest(rate: float, base: int) -> str:
    """How many of `base` a rate is, rounded down: the lower end of an interval."""
    return _whole(exact(rate) * base, ROUND_FLOOR)


def most(rate: float, base: int) -> str:
    """How many of `base` a rate is, rounded up: the higher end of an interval."""
    return _whole(exact(rate) * base, ROUND_CEILING)


def one_in(rate: float) -> str | None:
    """N where the rate is 1 in N; None where that is no whole number of at least 2."""
    if not 0 < rate <= 0.5:
        return None
    number = 1 / exact(rate)
    whole = number.to_integral_value()
    return f"{int(whole):,}" if abs(number - whole) < Decimal("1e-9") * number else None


def two_digits(number: float) -> str:
    """A ratio or a time: two digits, or all before the point."""
    value = exact(number)
    return _rounded(value, _places(value, None))


def money(amount: float) -> str:
    """An amount, without its currency: cents, and two digits of what is less than one."""
    value = exact(amount)
    places = max(2, _places(value, None))
    return _all_digits(value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), 2)


def score(number: float) -> str:
    """A score or a threshold. Enough digits that 49.999 never reads as 50."""
    return f"{number:.10g}"


def probability(number: float) -> str:
    """A p-value: two digits, however small."""
    return f"{number:.2g}"


def _places(number: Decimal, width: Decimal | None) -> int:
    """How many decimals."""
    if not width:
        return max(0, 1 - number.adjusted()) if number else 0
    told = max(0, 1 - width.adjusted())
    return max(told, _least(number, told))


def _least(number: Decimal, told: int) -> int:
    """As many decimals as show a digit that is not 0, unless that is far less than is `told`."""
    return min(-number.adjusted(), told + 3) if number else 0


def _whole(number: Decimal, rounding: str) -> str:
    return f"{int(number.to_integral_value(rounding)):,}"


def _all_digits(number: Decimal, places: int) -> str:
    """Without zeros at the end, but with at least so many decimals."""
    needed = -int(number.normalize().as_tuple().exponent)
    return f"{number:,.{max(places, needed)}f}"


def _rounded(number: Decimal, places: int) -> str:
    return f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):,f}"

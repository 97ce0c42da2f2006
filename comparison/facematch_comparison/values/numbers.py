"""Format numbers. All rounding happens here, so that pages, sentences and tables agree.

A number is shown with as many digits as its interval supports. A rate above 0 is never shown as 0,
and a rate below 100 % is never shown as 100 %. Numbers are rounded from their decimal form in the
JSON document, so a page agrees with its document to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .model import Estimate

#: Significant digits of a bound: the usual number, and the maximum if fewer would cross a limit.
BOUND_DIGITS: Final = 2
MOST_BOUND_DIGITS: Final = 8


def percent(rate: float, width: float | None = None) -> str:
    """Format a rate (0-1) in percent, without the % sign, to a tenth of its interval's width."""
    number = _decimal(rate) * 100
    decimals = _places(number, width and _decimal(width) * 100)
    if width and 50 < number < 100:
        decimals = max(decimals, _decimals_shown(100 - number, decimals))
    rounded = round(number, decimals)
    return f"{rounded:.0f}" if rounded in (0, 100) else f"{rounded:f}"


def setting(rate: float) -> str:
    """Format a chosen rate in percent, without the % sign: in full, or to 3 digits if endless."""
    number = _decimal(rate) * 100
    is_endless = len(number.normalize().as_tuple().digits) > 12
    return _all_digits(Context(prec=3).plus(number) if is_endless else number, 0)


def points(difference: float, width: float | None = None) -> str:
    """Format a difference of two rates in percentage points."""
    return quantity(_decimal(difference) * 100, width and _decimal(width) * 100)


def in_words(fmr: float) -> str:
    """Format a required FMR as ``1 false match in 1,000`` or ``an FMR of 0.3 %``."""
    often = 1 / _decimal(fmr)
    whole = often.to_integral_value()
    if whole < 2 or abs(often - whole) > Decimal("1e-9") * often:
        return f"an FMR of {setting(fmr)} %"
    return f"1 false match in {int(whole):,}"


def one_in_at_least(rate: float) -> str:
    """Format an upper bound of a rate as ``1 in 560``; never round to a lower rate."""
    if not 0 < rate <= 0.5:
        return f"{upper_percent(rate)} %"
    number = Context(prec=BOUND_DIGITS, rounding=ROUND_FLOOR).plus(1 / _decimal(rate))
    return f"1 in {int(number):,}"


def quantity(number: float | Decimal, width: float | Decimal | None = None) -> str:
    """Format a number with as many digits as its interval supports, or two without an interval."""
    value = _decimal(number)
    text = f"{round(value, _places(value, width and _decimal(width))):,f}"
    # Use a typographic minus sign, but no sign before zero.
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", "\N{MINUS SIGN}")


def money(amount: float) -> str:
    """Format an amount without its currency: to cents, or to two significant digits below 0.1."""
    value = _decimal(amount)
    return _all_digits(round(value, max(2, _places(value, None))), 2)


def amount(value: float) -> str:
    """Format an amount of money, which may be below 0, without its currency."""
    text = money(abs(value))
    return text if value >= 0 else f"\N{MINUS SIGN}{text}"


def estimate(
    estimated: Estimate, noun: str = "", form: Callable[[float, float], str] = quantity
) -> str:
    """Format an estimate with its interval: ``2.1 (1.0 to 3.2)``, with a noun after the value."""
    interval = estimated.interval
    width = interval.width
    low = form(interval.low, width)
    high = form(interval.high, width)
    return f"{form(estimated.value, width)}{noun} ({low} to {high})"


def counted(number: int, singular: str, plural: str) -> str:
    """Format a count with its noun: ``1 pair is``, ``2,000 pairs are``."""
    return f"{number:,} {singular if number == 1 else plural}"


def join_names(names: Sequence[str]) -> str:
    """Join names for a sentence: ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def score(number: float) -> str:
    """Format a score or a threshold in full: a rounded threshold could pass more pairs."""
    return str(float(number)).removesuffix(".0")


def upper_percent(value: float, limit: float | None = None) -> str:
    """Format an upper bound in percent, without the % sign; never round down or across `limit`."""
    return _bound(value, limit, ROUND_CEILING)


def lower_percent(value: float, limit: float | None = None) -> str:
    """Format a lower bound in percent, without the % sign; never round up or across `limit`."""
    return _bound(value, limit, ROUND_FLOOR)


def _bound(value: float, limit: float | None, rounding: str) -> str:
    number = _decimal(value)
    for digits in range(BOUND_DIGITS, MOST_BOUND_DIGITS + 1):
        rounded = Context(prec=digits, rounding=rounding).plus(number)
        if limit is None or rounded.compare(_decimal(limit)) == number.compare(_decimal(limit)):
            return _all_digits(rounded * 100, 0)
    return _all_digits(number * 100, 0)


def _decimal(number: float | Decimal) -> Decimal:
    """Return a number as the decimal that the JSON document contains."""
    return number if isinstance(number, Decimal) else Decimal(repr(number))


def _places(number: Decimal, width: Decimal | float | None) -> int:
    """Return the number of decimals that shows a tenth of the width, or two significant digits."""
    if not width:
        return max(0, 1 - number.adjusted()) if number else 0
    decimals_shown = max(0, 1 - Decimal(width).adjusted())
    return max(decimals_shown, _decimals_shown(number, decimals_shown))


def _decimals_shown(number: Decimal, decimals_shown: int) -> int:
    """Return the number of decimals that show a nonzero digit, at most `shown` + 3."""
    return min(-number.adjusted(), decimals_shown + 3) if number else 0


def _all_digits(number: Decimal, decimals: int) -> str:
    """Format a number without trailing zeros, but with at least `places` decimals."""
    needed = -int(number.normalize().as_tuple().exponent)
    return f"{number:,.{max(decimals, needed)}f}"

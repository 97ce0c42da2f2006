"""How many comparisons a claim needs, what they cost, and what less money can still show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

import attrs

from facematch_core.errors import InvalidRequest

from .metrics import trials_for

#: Errors that a plan looks at: a vendor that is a little better than asked still makes some.
ERRORS: Final = (0, 1, 3, 10)

#: Parts of the money that are looked at unless budgets are named.
PARTS: Final = (Decimal("0.5"), Decimal("0.2"), Decimal("0.05"))


@attrs.frozen(kw_only=True)
class Need:
    """What it takes to show both claims, if no more errors come than allowed for.

    Attributes:
        errors: That each kind of pair may bring.
        mated, non_mated: Comparisons that are judged, of different people as far as possible.
        draw_mated, draw_non_mated: Comparisons to draw and to ask about, so that so many are
            judged.
        cost: Vendor to the price of all that are asked about; empty without a price.
    """

    errors: int
    mated: int
    non_mated: int
    draw_mated: int
    draw_non_mated: int
    cost: Mapping[str, Decimal] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Less:
    """What a smaller budget can show at best: without one error.

    Attributes:
        vendor: Who is asked.
        budget: The money.
        mated, non_mated: Comparisons that it buys, divided as in the whole plan.
        fnmr, fmr: The lowest rates that those of them can show that are judged; None without such
            a comparison.
    """

    vendor: str
    budget: Decimal
    mated: int
    non_mated: int
    fnmr: float | None
    fmr: float | None


@attrs.frozen(kw_only=True)
class StudyPlan:
    """A plan for two claims: FMR at most so much, and FNMR at most so much.

    Attributes:
        fmr, fnmr: The claims, 0-1.
        confidence: One-sided.
        split: Whether half of the people choose the thresholds, and only the other half is judged.
        needs: By how many errors are allowed for, rising; the first is the floor.
        less: What less money can show.
    """

    fmr: float
    fnmr: float
    confidence: float
    split: bool
    needs: tuple[Need, ...]
    less: tuple[Less, ...]


def plan_study(
    *,
    fmr: float,
    fnmr: float,
    prices: Mapping[str, Decimal] | None = None,
    budgets: Sequence[Decimal] = (),
    confidence: float = 0.95,
    split: bool = True,
) -> StudyPlan:
    """Plan a study of vendors.

    The numbers are for pairs that are independent of each other: floors. Pairs that share people
    are worth less, and the report tells how much less they were.

    Args:
        fmr, fnmr: What is to be shown of each vendor: above 0, below 1.
        prices: Vendor to the price of one comparison, at least 0.
        budgets: Money that is there for each vendor; none for parts of what the floor costs.
        confidence: One-sided, between 0 and 1.
        split: Whether half of the people choose the thresholds, as `evaluate` has it unless told
            otherwise. Of pairs that are drawn within the halves (`draw_pairs` with ``split``) half
            is judged; of others even fewer.

    Raises:
        InvalidRequest: a number is out of range.
    """
    prices = prices or {}
    for vendor, price in prices.items():
        if not price.is_finite() or price < 0:
            raise InvalidRequest(f"The price of {vendor[:60]} must be at least 0, not {price}.")
    if any(not budget.is_finite() or budget <= 0 for budget in budgets):
        raise InvalidRequest("A budget must be above 0.")
    parts = 2 if split else 1
    needs = tuple(
        _need(
            errors,
            trials_for(fnmr, errors, confidence),
            trials_for(fmr, errors, confidence),
            prices,
            parts,
        )
        for errors in ERRORS
    )
    floor = needs[0]
    return StudyPlan(
        fmr=fmr,
        fnmr=fnmr,
        confidence=confidence,
        split=split,
        needs=needs,
        less=tuple(
            _less(vendor, budget, price, floor, confidence, parts=parts)
            for vendor, price in prices.items()
            if price
            for budget in (budgets or [_cents(part * floor.cost[vendor]) for part in PARTS])
        ),
    )


def lowest_rate(trials: int, confidence: float = 0.95) -> float | None:
    """The lowest rate, 0-1, that `trials` without an error can show; None without a trial."""
    return -math.expm1(math.log1p(-confidence) / trials) if trials else None


def _need(
    errors: int, mated: int, non_mated: int, prices: Mapping[str, Decimal], parts: int
) -> Need:
    asked = parts * (mated + non_mated)
    return Need(
        errors=errors,
        mated=mated,
        non_mated=non_mated,
        draw_mated=parts * mated,
        draw_non_mated=parts * non_mated,
        cost={vendor: price * asked for vendor, price in prices.items()},
    )


def _cents(amount: Decimal) -> Decimal:
    # Beyond what a context can hold to the cent, nobody counts cents.
    return amount.quantize(Decimal("0.01"), ROUND_CEILING) if amount < 10**20 else amount


def _less(
    vendor: str, budget: Decimal, price: Decimal, floor: Need, confidence: float, *, parts: int
) -> Less:
    calls = int((budget / price).to_integral_value(ROUND_FLOOR))
    mated = calls * floor.mated // (floor.mated + floor.non_mated)
    return Less(
        vendor=vendor,
        budget=budget,
        mated=mated,
        non_mated=calls - mated,
        fnmr=lowest_rate(mated // parts, confidence),
        fmr=lowest_rate((calls - mated) // parts, confidence),
    )

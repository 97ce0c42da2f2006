"""How many comparisons a claim needs, what they cost, and what less money can still show.

Two kinds of claim. *A rate is at most so much*: without an error 299 pairs show 1 %, 2,995 show
0.1 %, 29,956 show 0.01 %, the floors under every study; and a threshold has to be placed, which
takes the non-mated pairs of `ENOUGH_FALSE_MATCHES`. *Two systems differ*: as many mated pairs as
make it likely that a difference of the size that matters is seen, and as many non-mated pairs as
place both thresholds well enough not to drown it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

import attrs
import numpy as np
from scipy.stats import binom, norm

from facematch_core.errors import InvalidRequest

from .model import as_json
from .stats import ENOUGH_FALSE_MATCHES, trials_for
from .stats.intervals import fewest, trials_allowing

#: Errors that a plan looks at: a vendor that is a little better than asked still makes some.
ERRORS: Final = (0, 1, 3, 10)

#: Parts of the money that are looked at unless budgets are named.
PARTS: Final = (Decimal("0.5"), Decimal("0.2"), Decimal("0.05"))


@attrs.frozen(kw_only=True)
class DifferencePlan:
    """A difference in FRR between two systems that a study should be able to see.

    Attributes:
        first, second: The FRR that is expected of each, 0-1, not the same.
        power: The probability to see the difference, if it is there; above 0.5, below 1.
        systems: How many are compared, each with each other, at least 2; for 5 systems a difference
            has to be as clear as in one of 10 questions (Holm's first step).
    """

    first: float
    second: float
    power: float = 0.8
    systems: int = 2

    def __attrs_post_init__(self) -> None:
        for name, low, high in (("first", 0, 1), ("second", 0, 1), ("power", 0.5, 1)):
            if not low < getattr(self, name) < high:
                raise InvalidRequest(
                    f"{name} must lie between {low} and {high}, and is {getattr(self, name)}."
                )
        if self.first == self.second:
            raise InvalidRequest(f"Two systems of one FRR ({self.first:g}) have no difference.")
        if self.systems < 2:
            raise InvalidRequest("A difference is one of at least two systems.")

    @property
    def disagreement(self) -> float:
        """The share of mated pairs that exactly one of them turns away, 0-1.

        As if errors of the two had nothing to do with each other: what is hard for one is as a rule
        hard for the other, which makes the difference easier to see.
        """
        return self.first + self.second - 2 * self.first * self.second


@attrs.frozen(kw_only=True)
class PairCounts:
    """So many pairs are judged; so many are drawn and asked about for it, at what cost a vendor."""

    mated: int
    non_mated: int
    draw_mated: int
    draw_non_mated: int
    cost: Mapping[str, Decimal] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ClaimNeed(PairCounts):
    """What it takes to show both claims, if each kind of pair brings at most so many errors."""

    errors: int


@attrs.frozen(kw_only=True)
class SmallerBudget:
    """What a smaller budget buys of a vendor, and the lowest rates that it can show: without one
    error; None without a pair that is judged."""

    vendor: str
    budget: Decimal
    mated: int
    non_mated: int
    frr: float | None
    fmr: float | None


@attrs.frozen(kw_only=True)
class DifferenceNeed(PairCounts):
    """What it takes to see a difference between two systems, each mated pair of another person.

    One question has the error probability `alpha`, two-sided; `disagreement` is the share of mated
    pairs that exactly one of the two turns away. The non-mated pairs are expected to bring
    `false_matches` at each threshold, which leaves `threshold_share` of the uncertainty of the
    difference: chosen so that the sum of all pairs is smallest.
    """

    of: DifferencePlan
    alpha: float
    disagreement: float
    false_matches: int
    threshold_share: float


@attrs.frozen(kw_only=True)
class StudyPlan:
    """A plan for two claims, FMR at most so much and FRR at most so much, and for a difference.

    Attributes:
        fmr, frr: The claims.
        confidence: Of the claims, one-sided; a difference is tested two-sided at 1 - `confidence`.
        split: Whether half of the people choose the thresholds, and only the other half is judged.
        needs: By how many errors are allowed for, rising; the first is the floor.
        difference: None unless one was asked for.
    """

    fmr: float
    frr: float
    confidence: float
    split: bool
    needs: tuple[ClaimNeed, ...]
    less: tuple[SmallerBudget, ...]
    difference: DifferenceNeed | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it; amounts of money are text, so that they stay exact."""
        return as_json(self)


def plan_study(
    *,
    fmr: float,
    frr: float,
    prices: Mapping[str, Decimal] | None = None,
    budgets: Sequence[Decimal] = (),
    confidence: float = 0.95,
    split: bool = False,
    difference: DifferencePlan | None = None,
) -> StudyPlan:
    """Plan a study of vendors.

    The numbers are for pairs that are independent of each other: floors. Pairs that share people
    are worth less, and the report says how much less they were.

    Args:
        fmr, frr: What is to be shown of each vendor: above 0, below 1. A difference is looked for
            at this FMR.
        prices: Vendor to the price of one comparison, at least 0.
        budgets: Money that is there for each vendor; none for parts of what the floor costs.
        confidence: One-sided, between 0 and 1.
        split: Whether half of the people choose the thresholds. Of pairs that are drawn within the
            halves (`draw_pairs` with ``split``) half is judged; of others even fewer.

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
    needs = []
    for errors in ERRORS:
        mated, non_mated = (trials_for(rate, errors, confidence) for rate in (frr, fmr))
        non_mated = max(non_mated, trials_allowing(ENOUGH_FALSE_MATCHES, fmr))
        needs.append(ClaimNeed(errors=errors, **_count_pairs(mated, non_mated, prices, parts)))
    floor = needs[0]
    less = [
        _less(vendor, budget, price, floor, confidence=confidence, parts=parts)
        for vendor, price in prices.items()
        if price
        for budget in (budgets or [_round_up(part * floor.cost[vendor]) for part in PARTS])
    ]
    return StudyPlan(
        fmr=fmr,
        frr=frr,
        confidence=confidence,
        split=split,
        needs=tuple(needs),
        less=tuple(less),
        difference=None
        if difference is None
        else _difference(difference, fmr, 1 - confidence, prices, parts),
    )


def power_of_mcnemar(pairs: int, only_first: float, only_second: float, alpha: float) -> float:
    """The probability that McNemar's exact test, two-sided, sees a difference of two systems.

    Of independent mated pairs each is turned away by the one alone with these probabilities. Exact:
    S. W. Duffy, "Asymptotic and exact power for the McNemar test and its analogue with R controls
    per case", Biometrics 40, 1984.
    """
    both = only_first + only_second
    if both <= 0:
        return 0.0
    middle, spread = pairs * both, math.sqrt(pairs * both * (1 - both))
    low, high = max(0, math.floor(middle - 9 * spread)), min(pairs, math.ceil(middle + 9 * spread))
    disagreed = np.arange(low, high + 1)
    # The most that the better one may have, so that the test sees the difference; -1 for none.
    most = binom.ppf(alpha / 2, disagreed, 0.5)
    most = np.where(2 * binom.cdf(most, disagreed, 0.5) < alpha, most, most - 1)
    share = only_first / both
    seen = binom.cdf(most, disagreed, share) + binom.sf(disagreed - most - 1, disagreed, share)
    return float(binom.pmf(disagreed, pairs, both) @ seen)


def _difference(
    of: DifferencePlan, fmr: float, alpha: float, prices: Mapping[str, Decimal], parts: int
) -> DifferenceNeed:
    """How many pairs of each kind see a difference.

    It varies because mated pairs are few (R. J. Connor, "Sample size for testing differences in
    proportions for the paired-sample design", Biometrics 43, 1987), and because each threshold lies
    where so many false matches put it: ln(FMR) varies by one over their number, and so the FRR.
    """
    alpha /= of.systems * (of.systems - 1) // 2
    psi, apart = of.disagreement, of.first - of.second
    variance = (apart / (float(norm.isf(alpha / 2)) + float(norm.ppf(of.power)))) ** 2
    # What one expected false match at each threshold would leave of uncertainty.
    steep = _steepness(of.first, fmr) ** 2 + _steepness(of.second, fmr) ** 2
    # Of the sum of both kinds of pairs this share of thresholds is the cheapest.
    ratio = math.sqrt(steep / (fmr * psi))
    matches = max(ENOUGH_FALSE_MATCHES, math.ceil(steep / (variance * (ratio / (1 + ratio)))))
    share = steep / (variance * matches)
    # Where one errs only if the other does, rounding must not make it less than never.
    only = max(0.0, (psi + apart) / 2), max(0.0, (psi - apart) / 2)
    alone = fewest(lambda pairs: power_of_mcnemar(pairs, *only, alpha) >= of.power)
    mated = math.ceil(alone / (1 - share))
    return DifferenceNeed(
        of=of,
        alpha=alpha,
        disagreement=psi,
        false_matches=matches,
        threshold_share=share,
        **_count_pairs(mated, trials_allowing(matches, fmr), prices, parts),
    )


def _steepness(frr: float, fmr: float) -> float:
    """How much the FRR rises if ln(FMR) falls by 1, as of normal scores of one spread: careful."""
    return float(norm.pdf(norm.ppf(frr)) * fmr / norm.pdf(norm.isf(fmr)))


def _count_pairs(
    mated: int, non_mated: int, prices: Mapping[str, Decimal], parts: int
) -> dict[str, Any]:
    calls = parts * (mated + non_mated)
    return {
        "mated": mated,
        "non_mated": non_mated,
        "draw_mated": parts * mated,
        "draw_non_mated": parts * non_mated,
        "cost": {vendor: price * calls for vendor, price in prices.items()},
    }


def _round_up(amount: Decimal) -> Decimal:
    # Beyond what a context can hold to the cent, nobody counts cents.
    return amount.quantize(Decimal("0.01"), ROUND_CEILING) if amount < 10**20 else amount


def _less(
    vendor: str, budget: Decimal, price: Decimal, floor: ClaimNeed, *, confidence: float, parts: int
) -> SmallerBudget:
    calls = int((budget / price).to_integral_value(ROUND_FLOOR))
    mated = calls * floor.mated // (floor.mated + floor.non_mated)
    frr, fmr = (
        # At a higher rate so many trials without an error are too unlikely.
        -math.expm1(math.log1p(-confidence) / (pairs // parts)) if pairs // parts else None
        for pairs in (mated, calls - mated)
    )
    return SmallerBudget(
        vendor=vendor, budget=budget, mated=mated, non_mated=calls - mated, frr=frr, fmr=fmr
    )

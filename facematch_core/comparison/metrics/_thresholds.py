"""The threshold for a wanted FMR, and how sure one can be of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from scipy.stats import norm

from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from ._clusters import bounds
from ._rates import Rates
from ._values import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._table import ScoreTable


#: Decimal places of scores that a vendor can be expected to be set to.
DECIMALS: Final = 6

#: How many numbers of errors are tried where the bound, too, is to be low enough.
TRIED: Final = 400


@attrs.frozen(kw_only=True)
class ThresholdChoice:
    """A threshold for a wanted FMR, with what it was chosen by.

    Attributes:
        max_fmr: The FMR that was wanted, 0-1.
        threshold: On the scale of the scores; None if no threshold of this data will do.
        rule: How a score is compared with it.
        fmr: At it, on the pairs that it was chosen on; None without a threshold.
        upper: Below this the true FMR lies with `confidence`, if pairs that share a person are
            taken for no more than they are; None without a threshold. At a threshold that was
            chosen by its point estimate it is above `max_fmr`.
        confidence: One-sided, 0-1.
        why_not: Why there is no threshold, in a sentence; None if there is one.
    """

    max_fmr: float
    threshold: float | None
    rule: ThresholdRule
    fmr: Rate | None
    upper: float | None
    confidence: float
    why_not: str | None = None


def threshold_for_fmr(
    table: ScoreTable, max_fmr: float, *, confidence: float = 0.95, bounded: bool = False
) -> ThresholdChoice:
    """The lowest threshold whose FMR is at most `max_fmr` on these pairs.

    The lowest, because it refuses the fewest of those who should pass. With ABOVE it is a score
    that somebody has, with AT_LEAST one step higher: of the last decimal place of the scores, so
    that it can be set at a vendor that rounds.

    Args:
        table: What a contender answered; its mated pairs play no part but to tell decimal places.
        max_fmr: Above 0, at most 1.
        confidence: Of the upper bound, one-sided; above 0.5, below 1.
        bounded: Ask more: that the upper bound, too, is at most `max_fmr`.

    Raises:
        InvalidRequest: a number is out of range, or the contender has no scores or no known rule.
    """
    _check_range("max_fmr", max_fmr, most=1)
    _check_range("confidence", confidence, most=np.nextafter(1, 0))
    if not table.is_scored:
        raise InvalidRequest(f"{table.name} does not tell every score: it has no threshold.")
    acquired = table.take(table.acquired)
    others = np.sort(acquired.scores[~acquired.mated])[::-1]
    none = ThresholdChoice(
        max_fmr=max_fmr,
        threshold=None,
        rule=table.rule,
        fmr=None,
        upper=None,
        confidence=confidence,
    )
    if not len(others):
        return attrs.evolve(none, why_not="No pair of different people was compared.")
    scores = np.unique(acquired.scores)
    rates = Rates(acquired)
    places = _places_of(scores)

    def judged(allowed: int) -> ThresholdChoice | None:
        threshold = _letting_in(others, allowed, scores, places, table.rule)
        if threshold is None:
            return None
        fmr = rates.at("fmr", threshold)
        upper = bounds(fmr, confidence)[1]
        return attrs.evolve(
            none, threshold=threshold, fmr=attrs.evolve(fmr, interval=None), upper=upper
        )

    allowed = int(np.floor(max_fmr * len(others) * (1 + 1e-12)))
    best = judged(allowed)
    if best is None:
        return attrs.evolve(
            none,
            why_not=f"Two different people have the highest score of all pairs ({others[0]:g}): no "
            "threshold keeps them out and lets anybody in.",
        )
    if bounded and _upper(best) > max_fmr:
        return _bounded(judged, allowed, none, len(others))
    return best


def spread_of_frr(chosen_from: ScoreTable, judged: ScoreTable, choice: ThresholdChoice) -> float:
    """How far the FRR at a threshold spreads because the threshold is an estimate.

    The threshold is moved to where the FMR on the pairs that chose it is at either end of its
    95 % interval; what the FRR changes by in between is four standard deviations, nearly.

    Args:
        chosen_from: The pairs that `choice` is of.
        judged: The pairs whose FRR is told.
        choice: With a threshold.

    Returns:
        Standard deviation, 0-1; 0 without a mated pair that was judged.
    """
    found = Rates(chosen_from).at("fmr", choice.threshold).interval
    others = np.sort(chosen_from.scores[chosen_from.acquired & ~chosen_from.mated])
    mated = judged.scores[judged.mated & judged.acquired]
    if found is None or not len(mated):
        return 0.0
    last = len(others) - 1
    ends = [others[min(last, int(len(others) * (1 - rate)))] for rate in (found.low, found.high)]
    apart = float(np.mean(mated < ends[0]) - np.mean(mated < ends[1]))
    answered = int(np.count_nonzero(judged.mated & judged.answered))
    return max(0.0, apart) / (2 * float(norm.ppf(0.975))) * len(mated) / answered


def _bounded(
    judged: Callable[[int], ThresholdChoice | None],
    allowed: int,
    none: ThresholdChoice,
    trials: int,
) -> ThresholdChoice:
    """The choice with the most errors, below `allowed`, whose upper bound is low enough."""
    # As a rule more errors make a higher bound, but how they gather counts, too: from the most that
    # are allowed down, all of a few, else some that are ever closer to none.
    counts = np.arange(allowed + 1)
    if len(counts) > TRIED:
        counts = np.unique(np.geomspace(1, allowed + 1, TRIED).astype(np.int64) - 1)
    for count in counts[::-1]:
        tried = judged(int(count))
        if tried is not None and _upper(tried) <= none.max_fmr:
            return tried
    least = judged(0)
    bound = "" if least is None else f" Without an error, the bound is {_upper(least):.2g}."
    return attrs.evolve(
        none,
        why_not=f"No threshold bounds the FMR by {none.max_fmr:g} on {trials} non-mated pairs: "
        f"more of them are needed.{bound}",
    )


def _check_range(name: str, value: float, *, most: float) -> None:
    if not 0 < value <= most:
        raise InvalidRequest(f"{name} must lie between 0 and 1, and is {value}.")


def _upper(choice: ThresholdChoice) -> float:
    return 1.0 if choice.upper is None else choice.upper


def _places_of(scores: NDArray[np.float64]) -> int | None:
    """How many decimal places scores have; None if they have many."""
    every = range(DECIMALS + 1)
    return next((n for n in every if np.array_equal(scores, scores.round(n))), None)


def _letting_in(
    others: NDArray[np.float64],
    allowed: int,
    scores: NDArray[np.float64],
    places: int | None,
    rule: ThresholdRule,
) -> float | None:
    """The lowest threshold that lets at most `allowed` of `others` (falling) in."""
    if rule is ThresholdRule.VENDOR:
        raise InvalidRequest("A threshold needs a known rule: ABOVE or AT_LEAST.")
    above = rule is ThresholdRule.ABOVE
    if allowed >= len(others):
        # Everybody may pass: the lowest score that there is, or just below it.
        return float(np.nextafter(scores[0], -np.inf)) if above else float(scores[0])
    refused = others[allowed]
    if above:
        return float(refused)
    higher = np.searchsorted(scores, refused, side="right")
    if higher == len(scores):
        return None
    if places is None:
        return float(np.nextafter(refused, np.inf))
    return min(float(scores[higher]), round(float(refused) + 10.0**-places, places))

"""The threshold for a required FMR: an order statistic, with the bound that follows from it.

Of n non-mated scores the threshold lies just above the (k+1)-th highest, where k is the most that
may pass. How often somebody else passes there is bounded exactly although the threshold was chosen
on these very pairs; `at_chosen_threshold` says why. So nothing need be set aside to judge it: who
wants a threshold that was judged on other people divides the test set, and pays with half of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_comparison.model import Rate, ScoreTable
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from .intervals import allowed_errors, at_chosen_threshold
from .rates import Rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Decimal places of scores that a vendor can be expected to be set to.
_DECIMALS: Final = 6


@attrs.frozen(kw_only=True)
class ThresholdChoice:
    """A threshold for a required FMR, with what it was chosen by.

    Attributes:
        max_fmr: The FMR that was required, 0-1.
        threshold: On the scale of the scores; None if no threshold of these data will do.
        rule: How a score is compared with it.
        fmr: At it, on the pairs that it was chosen on; None without a threshold. Its interval is
            that of the order statistic, two-sided, so that its upper end is `upper`.
        upper: The true FMR lies below this with `confidence`; None without a threshold. At a
            threshold that was chosen by its point estimate it is above `max_fmr`.
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

    The lowest, because it turns away the fewest of those who should pass. With ABOVE it is a score
    that somebody has, with AT_LEAST one step higher: of the last decimal place of the scores, so
    that it can be set at a vendor that rounds. Pairs without a score play no part.

    Args:
        table: What a system answered; its mated pairs only show decimal places, and that somebody
            passes.
        max_fmr: Above 0, at most 1.
        confidence: Of the upper bound, one-sided; above 0.5, below 1.
        bounded: Ask more: that the upper bound, too, is at most `max_fmr`.

    Raises:
        InvalidRequest: a number is out of range, or the system has no scores or no known rule.
    """
    if not 0 < max_fmr <= 1:
        raise InvalidRequest(f"max_fmr must lie between 0 and 1, and is {max_fmr}.")
    if not 0.5 < confidence < 1:
        raise InvalidRequest(f"confidence must lie between 0.5 and 1, and is {confidence}.")
    if not table.is_scored:
        raise InvalidRequest(
            f"{table.name} does not give a score for every pair: it has no threshold."
        )
    if table.rule is ThresholdRule.VENDOR:
        raise InvalidRequest("A threshold needs a known rule: ABOVE or AT_LEAST.")
    tried = _Tried(table, max_fmr, confidence)
    if not len(tried.others):
        return attrs.evolve(tried.none, why_not="No pair of different people was compared.")
    allowed = allowed_errors(max_fmr, len(tried.others))
    best = tried.choice(allowed)
    if best.threshold is None:
        return attrs.evolve(
            best,
            why_not=f"Two different people have the highest score of all pairs "
            f"({tried.others[0]:g}): no threshold keeps them out and lets anybody in.",
        )
    if not bounded or tried.is_bounded(best):
        return best
    most = tried.most_bounded(allowed)
    if most is not None:
        return most
    least = tried.choice(0).upper
    bound = "" if least is None else f" Without an error, the bound is {least:.2g}."
    return attrs.evolve(
        tried.none,
        why_not=f"No threshold bounds the FMR by {max_fmr:g} on {len(tried.others)} non-mated "
        f"pairs: more of them are needed.{bound}",
    )


class _Tried:
    """The thresholds that let so many of the non-mated pairs of a table in, one by one."""

    def __init__(self, table: ScoreTable, max_fmr: float, confidence: float) -> None:
        scored = table.take(table.scored)
        self.others = np.sort(scored.scores[~scored.mated])[::-1]
        self.none = ThresholdChoice(
            max_fmr=max_fmr,
            threshold=None,
            rule=table.rule,
            fmr=None,
            upper=None,
            confidence=confidence,
        )
        self._scores = np.unique(scored.scores)
        self._places = _places_of(self._scores)
        self._rates = Rates(scored, 2 * confidence - 1)

    def choice(self, allowed: int) -> ThresholdChoice:
        """The lowest that lets at most `allowed` in; without a threshold if there is none."""
        threshold = _letting_in(self.others, allowed, self._scores, self._places, self.none.rule)
        if threshold is None:
            return self.none
        fmr = at_chosen_threshold(self._rates.at("fmr", threshold), allowed / len(self.others))
        return attrs.evolve(
            self.none,
            threshold=threshold,
            fmr=fmr,
            upper=fmr.interval.high if fmr.interval else None,
        )

    def most_bounded(self, allowed: int) -> ThresholdChoice | None:
        """The one that lets the most in, fewer than `allowed`, whose upper bound is low enough."""
        # The bound rises with their number, apart from how they share people: by halving.
        few, many = -1, allowed
        while many - few > 1:
            middle = (few + many) // 2
            if self.is_bounded(self.choice(middle)):
                few = middle
            else:
                many = middle
        return self.choice(few) if few >= 0 else None

    @staticmethod
    def is_bounded(choice: ThresholdChoice) -> bool:
        """Whether its upper bound is as low as the FMR that is required."""
        return choice.upper is not None and choice.upper <= choice.max_fmr


def _places_of(scores: NDArray[np.float64]) -> int | None:
    """How many decimal places scores have; None if they have many."""
    every = range(_DECIMALS + 1)
    return next((n for n in every if np.array_equal(scores, scores.round(n))), None)


def _letting_in(
    others: NDArray[np.float64],
    allowed: int,
    scores: NDArray[np.float64],
    places: int | None,
    rule: ThresholdRule,
) -> float | None:
    """The lowest threshold that lets at most `allowed` of `others` (falling) in."""
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

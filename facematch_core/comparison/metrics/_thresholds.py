"""The threshold for a wanted FMR, and how sure one can be of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np

from facematch_core._enums import ThresholdRule
from facematch_core.errors import InvalidRequest

from ._rates import Rates
from ._values import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._table import ScoreTable


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

    The lowest, because it refuses the fewest of those who should pass. It is always a score that
    somebody has (with AT_LEAST the next higher one), so it can be set at a vendor that rounds.

    Args:
        table: What a contender answered; its mated pairs play no part but to name scores.
        max_fmr: Above 0, at most 1.
        confidence: Of the upper bound, one-sided; above 0, below 1.
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
    rates = Rates(acquired, 2 * confidence - 1)

    def judged(allowed: int) -> ThresholdChoice | None:
        threshold = _letting_in(others, allowed, scores, table.rule)
        if threshold is None:
            return None
        fmr = rates.at("fmr", threshold)
        upper = None if fmr.interval is None else fmr.interval.high
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


def _bounded(
    judged: Callable[[int], ThresholdChoice | None],
    allowed: int,
    none: ThresholdChoice,
    trials: int,
) -> ThresholdChoice:
    """The choice with the most errors, below `allowed`, whose upper bound is low enough."""
    best = judged(0)
    if best is None or _upper(best) > none.max_fmr:
        bound = "" if best is None else f" Without an error, the bound is {_upper(best):.2g}."
        return attrs.evolve(
            none,
            why_not=f"No threshold bounds the FMR by {none.max_fmr:g} on {trials} non-mated "
            f"pairs: more of them are needed.{bound}",
        )
    # More errors, a higher bound: the last that is low enough is found by halving.
    fine, too_many = 0, allowed
    while too_many - fine > 1:
        middle = (fine + too_many) // 2
        tried = judged(middle)
        if tried is None or _upper(tried) > none.max_fmr:
            too_many = middle
        else:
            fine, best = middle, tried
    return best


def _check_range(name: str, value: float, *, most: float) -> None:
    if not 0 < value <= most:
        raise InvalidRequest(f"{name} must lie between 0 and 1, and is {value}.")


def _upper(choice: ThresholdChoice) -> float:
    return 1.0 if choice.upper is None else choice.upper


def _letting_in(
    others: NDArray[np.float64],
    allowed: int,
    scores: NDArray[np.float64],
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
    return None if higher == len(scores) else float(scores[higher])

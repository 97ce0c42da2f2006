"""How many more comparisons would show what a study does not show yet."""

from __future__ import annotations

import math
from typing import Final

from facematch_core.comparison.metrics import Rate
from facematch_core.comparison.metrics import worth_of as worth
from facematch_core.comparison.metrics._binomial import beta_ends, jeffreys_ends

#: Nobody asks more often than that.
MOST: Final = 10**9


def trials_needed(rate: float, limit: float, confidence: float, care: float = 1) -> int | None:
    """How many independent trials at an observed `rate` bound the true one by `limit`.

    Without an error that is the floor (`trials_for`); it grows without end as the rate comes near
    the limit.

    Args:
        rate: 0-1.
        limit: Above 0, below 1.
        confidence: One-sided, above 0.5, below 1.
        care: As that of `Interval`.

    Returns:
        None if no number up to a thousand million will do.
    """
    if rate >= limit:
        return None

    def shows(trials: int) -> bool:
        ends = rate * trials, trials, 2 * confidence - 1
        return care * beta_ends(*ends)[1] + (1 - care) * jeffreys_ends(*ends)[1] <= limit

    few, enough = 0, 16
    while not shows(enough):
        few, enough = enough, 2 * enough
        if enough > MOST:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        if shows(middle):
            enough = middle
        else:
            few = middle
    return enough


def more_needed(rate: Rate, limit: float, confidence: float, asked: int) -> int | None:
    """How many more comparisons of a kind a study would need.

    Pairs that share people are worth less, and pairs that are not judged (because thresholds were
    chosen on them, or nobody answered) are worth nothing: both are taken to go on as they were.

    Args:
        rate: As it was judged; it may have no trial.
        limit: What is to be shown.
        confidence: One-sided.
        asked: How many pairs of this kind the whole study has.

    Returns:
        At least 1; None if no number will do.
    """
    care = 1.0 if rate.interval is None else rate.interval.care
    independent = trials_needed(rate.value or 0.0, limit, confidence, care)
    if independent is None:
        return None
    if not rate.trials:
        return independent
    each = worth(rate, confidence) / max(asked, rate.trials)
    return max(1, math.ceil(independent / each) - asked)

"""Two contenders on the same pairs: whether one errs less, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np
from scipy.stats import binom, chi2, norm, t

from facematch_core.errors import InvalidRequest

from ._values import Interval, Method

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True)
class McNemar:
    """The pairs that two contenders disagree about.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947); the p-value is the exact one of the binomial. Where
    people are told it is at least that of V. L. Durkalski et al. ("Analysis of clustered
    matched-pair data", Statistics in Medicine 22, 2003), who count one person with many pairs as
    one.

    Attributes:
        only_first, only_second: Errors that only this one made.
        p_value: How often two contenders that err equally often disagree at least so much one way,
            two-sided, 0-1; 1 if they never disagree.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    subjects: NDArray[np.int64] | None = None,
) -> McNemar:
    """McNemar's exact test; the careful one of two where pairs share people.

    Args:
        first, second: bool, (T,): the errors of each on the same pairs.
        subjects: int64, (T,): the person of each pair; None for pairs of as many people.

    Raises:
        InvalidRequest: they are not of one length.
    """
    _check(first, second)
    only_first = int(np.count_nonzero(first & ~second))
    only_second = int(np.count_nonzero(second & ~first))
    fewer, both = min(only_first, only_second), only_first + only_second
    p_value = min(1.0, 2 * float(binom.cdf(fewer, both, 0.5))) if both else 1.0
    if subjects is not None and both:
        _, places = np.unique(subjects, return_inverse=True)
        at_each = np.bincount(places, first.astype(np.float64) - second)
        among = float((at_each**2).sum())
        statistic = (only_first - only_second) ** 2 / among if among else 0.0
        p_value = max(p_value, float(chi2.sf(statistic, 1)))
    return McNemar(only_first=only_first, only_second=only_second, p_value=p_value)


def paired_difference(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    subjects: NDArray[np.int64],
    confidence: float = 0.95,
) -> Interval:
    """The interval for the rate of `first` less that of `second`, -1 to 1.

    Differences are added up for each person, so that one person with many pairs is one; a pair in
    each direction is added to what was seen, which keeps the interval from vanishing where the two
    hardly disagree (A. Agresti and Y. Min, "Simple improved confidence intervals for comparing
    matched proportions", Statistics in Medicine 24, 2005).

    Args:
        first, second: bool, (T,): the errors of each on the same mated pairs, at least one.
        subjects: int64, (T,): the person of each pair.
        confidence: Two-sided, between 0 and 1.

    Raises:
        InvalidRequest: they are not of one length, or empty.
    """
    _check(first, second)
    if not len(first) or len(subjects) != len(first):
        raise InvalidRequest("A difference needs at least one pair, and a person for each.")
    apart = first.astype(np.float64) - second
    _, places = np.unique(subjects, return_inverse=True)
    people = int(places.max()) + 1
    count = len(apart) + 2
    middle = float(apart.sum()) / count
    at_each = np.bincount(places, apart - middle)
    # The two pairs that are added: a person each, one with +1 and one with -1.
    together = float((at_each**2).sum()) + (1 - middle) ** 2 + (1 + middle) ** 2
    spread = float(np.sqrt(together * (people + 2) / (people + 1))) / count
    wide = spread * float(t.ppf((1 + confidence) / 2, people + 1))
    return Interval(
        low=max(-1.0, middle - wide),
        high=min(1.0, middle + wide),
        confidence=confidence,
        method=Method.CLUSTERED,
    )


def with_spread(
    interval: Interval, difference: float, p_value: float, spread: float
) -> tuple[Interval, float]:
    """An interval and a p-value that take into account that thresholds, too, are estimates.

    Args:
        interval: Of `paired_difference`, at fixed thresholds.
        difference: What was seen, -1 to 1.
        p_value: At fixed thresholds, 0-1.
        spread: Standard deviation of the difference that comes of the thresholds, 0-1.

    Returns:
        Both, no narrower and no smaller than before.
    """
    if not spread:
        return interval, p_value
    sigma = float(norm.ppf((1 + interval.confidence) / 2))
    middle, half = (interval.high + interval.low) / 2, (interval.high - interval.low) / 2
    wide = math.hypot(half, sigma * spread)
    error = math.hypot(half / sigma, spread)
    return (
        attrs.evolve(interval, low=max(-1.0, middle - wide), high=min(1.0, middle + wide)),
        max(p_value, 2 * float(norm.sf(abs(difference) / error))),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values after Holm's correction for having asked more than one question.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).

    Args:
        p_values: Each 0-1.

    Returns:
        In the same order; each 0-1, and no smaller than before.
    """
    count = len(p_values)
    adjusted = [0.0] * count
    highest = 0.0
    for rank, place in enumerate(sorted(range(count), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (count - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def _check(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> None:
    if first.shape != second.shape:
        raise InvalidRequest(
            f"Errors of {len(first)} and of {len(second)} pairs cannot be compared: give both for "
            "the same pairs."
        )

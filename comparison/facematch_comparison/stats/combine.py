"""Sums, differences and ratios of rates, each with its interval.

A cost is a weighted sum of rates, the FMR of one group over that of another a ratio. Their interval
is put together from the intervals of the rates (MOVER, the method of variance estimates recovery:
G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a general
approach", Statistics in Medicine 27, 2008; with correlation: G. Y. Zou, "On the estimation of
additive interaction by use of the four-by-two table and beyond", American Journal of Epidemiology
168, 2008; for ratios: A. Donner and G. Y. Zou, "Closed-form confidence intervals for functions of
the normal mean and standard deviation", Statistical Methods in Medical Research 21, 2012). So what
the interval of a rate knows, the sum knows too: that pairs share people, and that no error in 300
pairs is not a rate of 0, which no drawing of people again would show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from facematch_comparison.model import Estimate, Interval, Method, Rate

from .intervals import Clusters, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_comparison.model import ScoreTable


class Sample:
    """Pairs of one kind that several rates are taken of, and the people behind them.

    Args:
        table: Of one system.
        rows: int64, (T,): the pairs, all mated or all non-mated.

    Attributes:
        rows: As given.
        people: int64: the number of everybody in them, rising.
        clusters: Who shares people.
    """

    def __init__(self, table: ScoreTable, rows: NDArray[np.int64]) -> None:
        self.rows = rows
        first, second = table.probe_subjects[rows], table.reference_subjects[rows]
        self.people = np.unique(np.concatenate([first, second]))
        self.clusters = Clusters(first, None if table.mated[rows].all() else second)

    def __len__(self) -> int:
        return len(self.rows)

    def at_people(
        self, residuals: NDArray[np.float64], people: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """float64, (P,): what is left of the rate at each of P people: numbers, rising."""
        found = np.zeros(len(people))
        at = np.searchsorted(people, self.people)
        for end in self.clusters.ends:
            found[at] += np.bincount(end, residuals, len(self.people)) / max(1, len(self))
        return found

    def rate(self, errors: NDArray[np.bool_], confidence: float) -> Rate:
        """The share of the pairs that are errors; without an interval if there is no pair.

        Args:
            errors: bool, (T,).
            confidence: Two-sided, between 0 and 1.
        """
        if not len(self):
            return Rate(errors=0, trials=0, subjects=0)
        return Rate(
            errors=int(np.count_nonzero(errors)),
            trials=len(self),
            subjects=len(self.people),
            interval=interval(errors, self.clusters, confidence),
        )


class Joint:
    """Several rates of one test set, of which any weighted sum has an interval.

    Args:
        parts: Pairs, and which of them count (bool, (T,)), for each of R rates.
        confidence: Two-sided, between 0 and 1.

    Attributes:
        values, low, high: float64, (R,): the rates and the ends of their intervals; all of pairs
            that are missing are 0, 0 and 1.
        confidence: As given.
    """

    def __init__(
        self, parts: Sequence[tuple[Sample, NDArray[np.bool_]]], confidence: float
    ) -> None:
        self.confidence = confidence
        self.values = np.array([_mean(errors) for _, errors in parts])
        ends = [
            interval(errors, sample.clusters, confidence) if len(sample) else None
            for sample, errors in parts
        ]
        self.low = np.array([0.0 if found is None else found.low for found in ends])
        self.high = np.array([1.0 if found is None else found.high for found in ends])
        self._correlation = _correlation(parts)

    def sum(self, weights: Sequence[float], constant: float = 0.0) -> Estimate:
        """`constant` plus each rate times its weight.

        Args:
            weights: R of them, of any sign.
            constant: Known without an error.
        """
        times = np.asarray(weights, np.float64)
        middle = float(times @ self.values) + constant
        ends = np.stack([times * self.low, times * self.high])
        below = times * self.values - ends.min(axis=0)
        above = ends.max(axis=0) - times * self.values
        # Two rates that rise together widen a sum of them and narrow a difference.
        together = self._correlation * np.outer(np.sign(times), np.sign(times))
        return Estimate(
            value=middle,
            interval=Interval(
                low=middle - math.sqrt(max(0.0, float(below @ together @ below))),
                high=middle + math.sqrt(max(0.0, float(above @ together @ above))),
                confidence=self.confidence,
                method=Method.CLUSTERED,
            ),
        )


def ratio(over: Interval, top: float, under: Interval, bottom: float) -> tuple[float, float]:
    """Ends of the interval for the ratio of two rates that share no people.

    Args:
        over, top: Of the first rate: its interval, and itself.
        under, bottom: Of the second.

    Returns:
        Each 0 to infinity, with the confidence of the two intervals.
    """
    low = _lower_ratio(top, over.low, bottom, under.high)
    other = _lower_ratio(bottom, under.low, top, over.high)
    return low, math.inf if other == 0 else 1 / other


def _lower_ratio(top: float, low: float, bottom: float, high: float) -> float:
    """Donner and Zou's lower end, written so that nothing is divided by 0."""
    first, second = low * (2 * top - low), high * (2 * bottom - high)
    if first <= 0:
        return 0.0
    product = top * bottom
    return first / (product + math.sqrt(max(0.0, product**2 - first * second)))


def _mean(errors: NDArray[np.bool_]) -> float:
    return float(np.mean(errors)) if len(errors) else 0.0


def _correlation(parts: Sequence[tuple[Sample, NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """How the rates vary together between people, R x R; 1 on the diagonal.

    From what each person brings to each rate, as the variance of a rate is (`intervals`): a pair of
    two people counts at both, and is taken off once.
    """
    people = np.unique(np.concatenate([sample.people for sample, _ in parts]))
    left = [errors.astype(np.float64) - _mean(errors) for _, errors in parts]
    brought = np.array(
        [sample.at_people(rest, people) for (sample, _), rest in zip(parts, left, strict=True)]
    )
    found = brought @ brought.T
    for i, (sample, _) in enumerate(parts):
        for j, (other, _) in enumerate(parts):
            if sample is other and not sample.clusters.is_mated:
                found[i, j] -= float(left[i] @ left[j]) / len(sample) ** 2
    spread = np.sqrt(np.maximum(np.diag(found), 0))
    scale = np.outer(spread, spread)
    shared: NDArray[np.float64] = np.zeros_like(found)
    np.divide(found, scale, out=shared, where=scale > 0)
    np.clip(shared, -1, 1, out=shared)
    np.fill_diagonal(shared, 1.0)
    return shared

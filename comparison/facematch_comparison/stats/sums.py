"""Sums of estimates at weights, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from facematch_comparison.values.model import Estimate, Interval, Method


class Term(NamedTuple):
    """An estimate in a sum, and the factor by which it counts, at least 0."""

    factor: float
    estimate: Estimate


def weighted_sum(terms: Sequence[Term], confidence: float) -> Estimate:
    """Return the sum of estimates times their factors, with an interval from their intervals.

    The interval is recovered from those of the terms (G. Y. Zou and A. Donner, "Construction of
    confidence limits about effect measures: a general approach", Statistics in Medicine 27, 2008).
    An interval made of the errors that were seen would have no width where none was seen.
    """
    value = 0.0
    # Squared distances from the value to the ends of the interval.
    below = 0.0
    above = 0.0
    for term in terms:
        estimate = term.estimate
        value += term.factor * estimate.value
        below += (term.factor * (estimate.value - estimate.interval.low)) ** 2
        above += (term.factor * (estimate.interval.high - estimate.value)) ** 2
    interval = Interval(
        low=value - math.sqrt(below),
        high=value + math.sqrt(above),
        confidence=confidence,
        method=Method.CLUSTERED,
    )
    return Estimate(value=value, interval=interval)

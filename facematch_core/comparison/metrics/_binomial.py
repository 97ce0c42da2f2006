"""Intervals for independent trials, without an approximation.

C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case
of the binomial", Biometrika 26 (1934).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import betaincinv

from facematch_core.errors import InvalidRequest

from ._values import Interval, Method


def exact_interval(errors: int, trials: int, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson's interval: it holds the true rate at least as often as it says.

    Args:
        errors: 0 to `trials`.
        trials: Independent of each other; at least 1.
        confidence: Two-sided, between 0 and 1.

    Raises:
        InvalidRequest: a number is out of range.
    """
    _check(errors, trials, confidence)
    low, high = beta_ends(errors, trials, confidence)
    return Interval(
        low=low,
        high=high,
        confidence=confidence,
        method=Method.EXACT,
        effective=float(trials),
    )


def exact_upper(errors: int, trials: int, confidence: float = 0.95) -> float:
    """The rate, 0-1, that the true one stays below with `confidence`, one-sided.

    Arguments and errors are those of `exact_interval`.
    """
    _check(errors, trials, confidence)
    good = trials - errors
    return float(betaincinv(errors + 1, good, confidence)) if good else 1.0


def trials_for(rate: float, errors: int = 0, confidence: float = 0.95) -> int:
    """How many trials with at most `errors` errors show that the true rate is below `rate`.

    299 for 1 % without an error at 95 %, 2,995 for 0.1 %, 29,956 for 0.01 %: the floors under every
    claim. Pairs that share people are worth less, so more of them are needed.

    Args:
        rate: Above 0, below 1.
        errors: That may happen; at least 0.
        confidence: One-sided, between 0 and 1.

    Raises:
        InvalidRequest: a number is out of range.
    """
    if not 0 < rate < 1:
        raise InvalidRequest(f"A rate to be shown lies between 0 and 1; {rate} was given.")
    _check(errors, errors + 1, confidence)
    if errors == 0:
        return math.ceil(math.log1p(-confidence) / math.log1p(-rate))
    # The bound falls with every further trial: the first that is low enough, by halving.
    few, enough = errors, max(errors + 1, 16)
    while exact_upper(errors, enough, confidence) > rate:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        if exact_upper(errors, middle, confidence) > rate:
            few = middle
        else:
            enough = middle
    return enough


def beta_ends(errors: float, trials: float, confidence: float) -> tuple[float, float]:
    """Both ends, also where neither number is whole: of pairs that count for less than one."""
    tail = (1 - confidence) / 2
    good = max(trials - errors, 0.0)
    low = float(betaincinv(errors, good + 1, tail)) if errors > 0 else 0.0
    high = float(betaincinv(errors + 1, good, 1 - tail)) if good > 0 else 1.0
    return low, high


def jeffreys_ends(errors: float, trials: float, confidence: float) -> tuple[float, float]:
    """Both ends of the interval that follows from Jeffreys' prior: right on the average."""
    tail = (1 - confidence) / 2
    wrong, right = errors + 0.5, max(trials - errors, 0.0) + 0.5
    low = float(betaincinv(wrong, right, tail)) if errors > 0 else 0.0
    high = float(betaincinv(wrong, right, 1 - tail)) if trials > errors else 1.0
    return low, high


def _check(errors: int, trials: int, confidence: float) -> None:
    if not 0 <= errors <= trials or trials < 1:
        raise InvalidRequest(
            f"There cannot be {errors} errors in {trials} trials: give 0 to all, and at least one "
            "trial."
        )
    if not 0 < confidence < 1 or np.isnan(confidence):
        raise InvalidRequest(f"A confidence lies between 0 and 1; {confidence} was given.")

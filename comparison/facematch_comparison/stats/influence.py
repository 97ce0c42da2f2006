"""Intervals of an FRR at an FMR by the influence of each pair, without resampling.

The FRR at an FMR has two sources of chance: the mated pairs, and the non-mated pairs that choose
the threshold. To first order, each pair adds its *influence* to the estimate: a mated pair its
error, relative to the FRR; a non-mated pair its false match, relative to the FMR, times the slope
of the DET curve (F. R. Hampel, "The influence curve and its role in robust estimation", Journal of
the American Statistical Association 69, 1974). Pairs that share a person are not independent, so
influences are summed by person, and the squares are added up; a non-mated pair is in the sums of
two people, and is subtracted once (P. M. Aronow, C. Samii and V. A. Assenova, "Cluster-robust
variance estimation for dyadic data", Political Analysis 23, 2015).

With `ENOUGH_PASSED` false matches or more, the slope is known well enough. With fewer, or if equal
scores let the threshold jump, a bootstrap over people is used (`bootstrap`). See
`docs/reference/comparison.md` for the coverage of both.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Final

import attrs
import numpy as np
from scipy.special import stdtr, stdtrit

from facematch_comparison.scores.answers import Answers
from facematch_comparison.values.model import Interval, Method

from .rates import Bools, Floats, Side, allowed_errors

#: The fewest false matches at a threshold for which a slope of the DET curve is estimated.
ENOUGH_PASSED: Final = 500

#: The fewest different scores in the window around the threshold that gives the slope.
_FEWEST_SCORES: Final = 20


@attrs.frozen(eq=False)
class Influence:
    """An estimate, and what each pair adds to its deviation from the truth.

    Attributes:
        of_pairs: float64, (N,): 0 for a pair that does not count.
    """

    table: Answers
    value: float
    of_pairs: Floats

    def minus(self, subtracted: Influence) -> Influence:
        """Return the difference of two estimates on the same pairs."""
        return Influence(
            self.table, self.value - subtracted.value, self.of_pairs - subtracted.of_pairs
        )

    def interval(self, confidence: float, *, lowest: float, highest: float) -> Interval:
        """Return the interval by Student's t, within `lowest` and `highest`."""
        error = self._standard_error
        half = error.value * float(stdtrit(error.freedom, (1 + confidence) / 2))
        return Interval(
            low=max(lowest, self.value - half),
            high=min(highest, self.value + half),
            confidence=confidence,
            method=Method.INFLUENCE,
        )

    @property
    def p_value(self) -> float:
        """The two-sided p-value of the hypothesis that the true value is 0."""
        error = self._standard_error
        if not error.value:
            return 1.0
        return 2 * float(stdtr(error.freedom, -abs(self.value) / error.value))

    @cached_property
    def _standard_error(self) -> _StandardError:
        """The standard error of `value`; 0 if no pair adds anything.

        Influences are summed by person, and the squares of these sums are added. A non-mated pair
        is in the sums of two people, so its square is subtracted once: together with the other
        pairs of its couple, or alone if it is the only one, which has the couple number 0.
        """
        table = self.table
        people = table.people
        count = len(people.numbers)
        non_mated = ~table.mated
        of_others = self.of_pairs[non_mated]
        at_people = np.bincount(people.probe, self.of_pairs, count)
        at_people += np.bincount(people.reference[non_mated], of_others, count)
        squares = at_people**2
        # Pairs of the same two people were counted twice, once at each person. A couple is two
        # people with several pairs; the number 0 is that of all pairs that are alone.
        of_couples = table.couple_of_pair[non_mated]
        at_couples = np.bincount(of_couples, of_others)
        singles = of_others[of_couples == 0]
        variance = float(squares.sum() - (singles**2).sum() - (at_couples[1:] ** 2).sum())
        return _StandardError(
            value=math.sqrt(max(0.0, variance) * count / max(count - 1, 1)),
            # If a few people cause most of the variance, its estimate is less certain.
            freedom=min(
                max(count - 1.0, 1.0),
                max(2.0, float(squares.sum() ** 2 / max((squares**2).sum(), 1e-300))),
            ),
        )


@attrs.frozen
class _StandardError:
    """A standard error, and the degrees of freedom of its estimate (F. E. Satterthwaite, 1946)."""

    value: float
    freedom: float


def influence_on_frr(system: Side, fmr: float, rows: Bools) -> Influence | None:
    """Return the influence of each pair on the FRR of the mated pairs in `rows`.

    Args:
        fmr: The FMR at which the threshold is chosen, unless it is fixed.

    Returns:
        None if the slope of the DET curve at the threshold is not known well enough.
    """
    table = system.table
    of_pairs = np.zeros(len(table))
    if system.is_fixed:
        is_error = ~table.passed(system.threshold)[rows]
    else:
        window = _Window.around(table, fmr)
        if window is None:
            return None
        scores = np.where(table.scored[rows], table.scores[rows], -np.inf)
        is_error = scores <= window.refused
        # The FRR that is gained for each non-mated pair that passes more.
        slope = float((scores <= window.upper).mean() - (scores <= window.lower).mean())
        slope /= window.passed_between
        non_mated = table.scored & ~table.mated
        passes = table.scores[non_mated] > window.refused
        of_pairs[non_mated] = slope * (passes - fmr)
    frr = float(is_error.mean())
    of_pairs[rows] = (is_error - frr) / np.count_nonzero(rows)
    return Influence(table, frr, of_pairs)


@attrs.frozen
class _Window:
    """Scores of non-mated pairs around the threshold for an FMR.

    Attributes:
        refused: The highest score that may not pass.
        upper, lower: Scores above and below it; `passed_between` non-mated pairs pass the lower
            one and not the upper one.
    """

    refused: float
    upper: float
    lower: float
    passed_between: int

    @classmethod
    def around(cls, table: Answers, fmr: float) -> _Window | None:
        """Return the window; None if too few may pass, or too many have equal scores."""
        scores = table.sorted_scores.non_mated
        allowed = allowed_errors(fmr, len(scores))
        # Wide enough for a steady slope, and small beside the number that may pass.
        half = min(math.ceil(2 * allowed**0.75), allowed - 1)
        if allowed < ENOUGH_PASSED or allowed + half >= len(scores):
            return None
        threshold = len(scores) - 1 - allowed
        window = scores[threshold - half : threshold + half + 1]
        if len(np.unique(window)) < _FEWEST_SCORES:
            return None
        return cls(
            refused=float(window[half]),
            upper=float(window[-1]),
            lower=float(window[0]),
            passed_between=2 * half,
        )

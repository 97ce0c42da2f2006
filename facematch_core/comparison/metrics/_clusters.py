"""Intervals for pairs that share people, which are not independent of each other.

One hundred pairs of ten people are not one hundred people. The variance of a rate is taken from
how errors gather at people (P. M. Aronow, C. Samii and V. A. Assenova, "Cluster-robust variance
estimation for dyadic data", Political Analysis 23, 2015), and tells how many independent pairs
they are worth; a beta interval for that many follows (E. L. Korn and B. I. Graubard, "Confidence
intervals for proportions with small expected number of positive counts", Survey Methodology 24,
1998). Where enough errors are there, its ends lie between Clopper and Pearson's, which are too wide
on the average, and Jeffreys', which are too narrow here; how far between was found by simulation.
`docs/explanation/comparison.md` tells how often the interval holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from scipy.stats import norm, t

from facematch_core.errors import InvalidRequest

from ._binomial import beta_ends, jeffreys_ends
from ._sharing import Sharing
from ._values import Interval, Method, Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Below these, how errors gather at people cannot be seen in the errors themselves. From the first
#: number of errors to the second, what is assumed of it counts less and less.
ENOUGH_ERRORS, MANY_ERRORS = 5, 10
ENOUGH_PEOPLE: Final = 50

#: How far the ends lie from Jeffreys' towards Clopper and Pearson's; all the way if too little is
#: known.
CARE_MATED: Final = 0.5
CARE_NON_MATED: Final = 0.25

#: Then they are taken to gather so much: the correlation of two pairs that share a person.
ASSUMED_MATED: Final = 0.05
ASSUMED_NON_MATED: Final = 0.005

#: Of sums of errors, which are far larger unless they are 0.
ROUNDING: Final = 1e-9


@attrs.frozen(kw_only=True)
class Design:
    """What pairs that share people are worth.

    Attributes:
        effective: How many independent pairs would tell as much; at most all, at least 1.
        people: How many people stand behind the pairs.
        freedom, sure_freedom: Degrees of freedom of the estimated variance, at least 1, for an
            interval and for a bound; None if nothing was estimated.
        care: How far the ends lie from Jeffreys' towards Clopper and Pearson's, 0-1.
        method: `EXACT` if nobody is in two pairs, else whether the errors tell (`CLUSTERED`) or an
            assumption stands in for them (`CONSERVATIVE`).
    """

    effective: float
    people: int
    freedom: float | None
    sure_freedom: float | None
    care: float
    method: Method


def interval(errors: NDArray[np.bool_], sharing: Sharing, confidence: float = 0.95) -> Interval:
    """The interval for a rate of errors among pairs that share people.

    Args:
        errors: bool, (T,), at least one.
        sharing: Who stands behind each of the T pairs.
        confidence: Two-sided, between 0 and 1.

    Raises:
        InvalidRequest: there is no pair, or a number is out of range.
    """
    if not 0 < confidence < 1:
        raise InvalidRequest(f"A confidence lies between 0 and 1; {confidence} was given.")
    design = design_of(errors, sharing)
    low, high = _ends(float(np.mean(errors)), design, confidence)
    return Interval(
        low=low,
        high=high,
        confidence=confidence,
        method=design.method,
        effective=design.effective,
        freedom=design.freedom,
        sure_freedom=design.sure_freedom,
        care=design.care,
    )


def upper_bound(errors: NDArray[np.bool_], sharing: Sharing, confidence: float = 0.95) -> float:
    """The rate, 0-1, that the true one stays below with `confidence`, one-sided; above 0.5.

    The careful one, as of `bounds`; otherwise as `interval`.
    """
    design = design_of(errors, sharing)
    design = attrs.evolve(design, freedom=design.sure_freedom, care=1)
    return _ends(float(np.mean(errors)), design, _two_sided(confidence))[1]


def bounds(rate: Rate, confidence: float = 0.95) -> tuple[float, float]:
    """The rates, 0-1, that the true one lies above and below, each with `confidence`, one-sided.

    Both are the careful ones, as of Clopper and Pearson: an interval that is right on the average
    misses more often on one side than on the other.

    Args:
        rate: With its interval.
        confidence: Above 0.5, below 1.

    Raises:
        InvalidRequest: the rate has no trial, or the confidence is out of range.
    """
    value, design = _told(rate)
    return _ends(value, design, _two_sided(confidence))


def worth_of(rate: Rate, confidence: float = 0.95) -> float:
    """How many independent trials `bounds` counts a rate as; arguments and errors are its own."""
    _, design = _told(rate)
    return _worth(design, _two_sided(confidence))


def _told(rate: Rate) -> tuple[float, Design]:
    """A rate, and what its pairs are worth."""
    value, found = rate.value, rate.interval
    if value is None or found is None or found.effective is None:
        raise InvalidRequest("A rate without a trial and an interval has no bounds.")
    people = rate.subjects or rate.trials
    return value, Design(
        effective=found.effective,
        people=people,
        freedom=found.sure_freedom,
        sure_freedom=found.sure_freedom,
        care=1,
        method=found.method,
    )


def _two_sided(confidence: float) -> float:
    if not 0.5 < confidence < 1:
        raise InvalidRequest(
            f"A one-sided confidence lies between 0.5 and 1; {confidence} was given."
        )
    return 2 * confidence - 1


def design_of(errors: NDArray[np.bool_], sharing: Sharing) -> Design:
    """How much pairs that share people tell; arguments and errors as of `interval`."""
    count, people = sharing.trials, sharing.people
    if not count:
        raise InvalidRequest("There is no pair: a rate needs one at least.")
    if sharing.share <= 1:
        return Design(
            effective=float(count),
            people=people,
            freedom=None,
            sure_freedom=None,
            care=1,
            method=Method.EXACT,
        )
    wrong = int(np.count_nonzero(errors))
    has_errors = min(wrong, count - wrong) >= ENOUGH_ERRORS
    told = has_errors and people >= ENOUGH_PEOPLE
    every = float(max(people - 1, 1))
    effect, sure_freedom = _effect(errors, sharing)
    if not has_errors:
        # What is assumed has no spread of its own; else one error would be worse than two.
        sure_freedom = every
    assumed = ASSUMED_MATED if sharing.is_mated else ASSUMED_NON_MATED
    if told:
        assumed *= max(0.0, (MANY_ERRORS - wrong) / (MANY_ERRORS - ENOUGH_ERRORS))
    effect = max(effect, 1 + (sharing.share - 1) * assumed)
    return Design(
        effective=max(1.0, count / max(1.0, effect)),
        people=people,
        freedom=every if sharing.is_mated else sure_freedom,
        sure_freedom=sure_freedom,
        care=1 if not told else CARE_MATED if sharing.is_mated else CARE_NON_MATED,
        method=Method.CLUSTERED if told else Method.CONSERVATIVE,
    )


def _ends(rate: float, design: Design, confidence: float) -> tuple[float, float]:
    worth = _worth(design, confidence)
    wide = beta_ends(rate * worth, worth, confidence)
    narrow = jeffreys_ends(rate * worth, worth, confidence)
    low, high = (design.care * w + (1 - design.care) * n for w, n in zip(wide, narrow, strict=True))
    return low, high


def _worth(design: Design, confidence: float) -> float:
    """How many independent pairs count; fewer where the variance itself is only estimated."""
    if design.freedom is None:
        return design.effective
    tail = (1 - confidence) / 2
    return design.effective * float((norm.ppf(tail) / t.ppf(tail, design.freedom)) ** 2)


def _effect(errors: NDArray[np.bool_], sharing: Sharing) -> tuple[float, float]:
    """The variance of the rate over that of independent pairs, and its degrees of freedom."""
    people = sharing.people
    freedom = float(max(people - 1, 1))
    rate = float(np.mean(errors))
    if rate in (0.0, 1.0):
        return 1.0, freedom
    squares = sharing.at_people(errors) ** 2
    together = float(squares.sum())
    # A few people may bring most of it: then it is known less well (F. E. Satterthwaite, 1946).
    # Where errors are spread evenly over all of them, nobody brings any, and no ratio is left.
    if together > ROUNDING:
        freedom = min(freedom, max(together**2 / float((squares**2).sum()), 2.0))
    if not sharing.is_mated:
        # Pairs of the same two people were counted once at each of them.
        together -= float((sharing.at_twos(errors) ** 2).sum())
    correction = people / max(people - 1, 1)
    return together * correction / (sharing.trials * rate * (1 - rate)), freedom

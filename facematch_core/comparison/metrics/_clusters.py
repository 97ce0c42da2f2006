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
from ._values import Interval, Method, Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Below these, how errors gather at people cannot be seen in the errors themselves.
ENOUGH_ERRORS: Final = 5
ENOUGH_PEOPLE: Final = 50

#: How far the ends lie from Jeffreys' towards Clopper and Pearson's; all the way if too little is
#: known.
CARE_MATED: Final = 0.5
CARE_NON_MATED: Final = 0.25

#: Then they are taken to gather so much: the correlation of two pairs that share a person.
ASSUMED_MATED: Final = 0.05
ASSUMED_NON_MATED: Final = 0.005


@attrs.frozen(kw_only=True)
class Design:
    """What pairs that share people are worth.

    Attributes:
        effective: How many independent pairs would tell as much; at most all, at least 1.
        people: How many people stand behind the pairs.
        freedom: Degrees of freedom of the estimated variance, at least 1; None if nothing was
            estimated.
        care: How far the ends lie from Jeffreys' towards Clopper and Pearson's, 0-1.
        method: `EXACT` if nobody is in two pairs, else whether the errors tell (`CLUSTERED`) or an
            assumption stands in for them (`CONSERVATIVE`).
    """

    effective: float
    people: int
    freedom: float | None
    care: float
    method: Method


def interval(
    errors: NDArray[np.bool_],
    first: NDArray[np.int64],
    second: NDArray[np.int64] | None,
    confidence: float = 0.95,
) -> Interval:
    """The interval for a rate of errors among pairs that share people.

    Args:
        errors: bool, (T,), at least one.
        first: int64, (T,): the person of a mated pair, or one person of a non-mated one.
        second: int64, (T,): the other person; None for mated pairs.
        confidence: Two-sided, between 0 and 1.

    Raises:
        InvalidRequest: there is no pair, or a number is out of range.
    """
    if not 0 < confidence < 1:
        raise InvalidRequest(f"A confidence lies between 0 and 1; {confidence} was given.")
    design = design_of(errors, first, second)
    low, high = _ends(float(np.mean(errors)), design, confidence)
    return Interval(
        low=low,
        high=high,
        confidence=confidence,
        method=design.method,
        effective=design.effective,
        freedom=design.freedom,
        care=design.care,
    )


def upper_bound(
    errors: NDArray[np.bool_],
    first: NDArray[np.int64],
    second: NDArray[np.int64] | None,
    confidence: float = 0.95,
) -> float:
    """The rate, 0-1, that the true one stays below with `confidence`, one-sided; above 0.5.

    Otherwise as `interval`.
    """
    return interval(errors, first, second, 2 * confidence - 1).high


def bounds(rate: Rate, confidence: float = 0.95) -> tuple[float, float]:
    """The rates, 0-1, that the true one lies above and below, each with `confidence`, one-sided.

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
        freedom=found.freedom,
        care=found.care,
        method=found.method,
    )


def _two_sided(confidence: float) -> float:
    if not 0.5 < confidence < 1:
        raise InvalidRequest(
            f"A one-sided confidence lies between 0.5 and 1; {confidence} was given."
        )
    return 2 * confidence - 1


def design_of(
    errors: NDArray[np.bool_], first: NDArray[np.int64], second: NDArray[np.int64] | None
) -> Design:
    """How much pairs that share people tell; arguments and errors as of `interval`."""
    if not len(errors):
        raise InvalidRequest("There is no pair: a rate needs one at least.")
    people, places = np.unique(
        first if second is None else np.concatenate([first, second]), return_inverse=True
    )
    ends = places.reshape(1 if second is None else 2, len(errors))
    count = len(people)
    share = _sharing(ends, count)
    if share <= 1:
        return Design(
            effective=float(len(errors)), people=count, freedom=None, care=1, method=Method.EXACT
        )
    wrong = int(np.count_nonzero(errors))
    told = min(wrong, len(errors) - wrong) >= ENOUGH_ERRORS and count >= ENOUGH_PEOPLE
    effect, freedom = _effect(errors, ends, count)
    if not told:
        assumed = ASSUMED_MATED if second is None else ASSUMED_NON_MATED
        effect = max(effect, 1 + (share - 1) * assumed)
    return Design(
        effective=max(1.0, len(errors) / max(1.0, effect)),
        people=count,
        freedom=freedom,
        care=1 if not told else CARE_MATED if second is None else CARE_NON_MATED,
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


def _sharing(ends: NDArray[np.int64], people: int) -> float:
    """With how many pairs, itself included, the average pair shares a person."""
    each = np.bincount(ends.ravel(), minlength=people).astype(np.float64)
    return float((each**2).sum() / ends.shape[1]) - (len(ends) - 1)


def _effect(errors: NDArray[np.bool_], ends: NDArray[np.int64], people: int) -> tuple[float, float]:
    """The variance of the rate over that of independent pairs, and its degrees of freedom."""
    count, freedom = len(errors), float(max(people - 1, 1))
    rate = float(np.mean(errors))
    if rate in (0.0, 1.0):
        return 1.0, freedom
    off = errors - rate
    at_each = np.zeros(people)
    for end in ends:
        at_each += np.bincount(end, off, people)
    squares = at_each**2
    together = float(squares.sum())
    if len(ends) == 2:
        # A few people may bring most of it: then it is known less well (F. E. Satterthwaite, 1946).
        freedom = min(freedom, max(together**2 / float((squares**2).sum()), 2.0))
        # Pairs of the same two people were counted once at each of them.
        both = ends.min(axis=0) * people + ends.max(axis=0)
        _, places = np.unique(both, return_inverse=True)
        together -= float((np.bincount(places, off) ** 2).sum())
    correction = people / max(people - 1, 1)
    return together * correction / (count * rate * (1 - rate)), freedom

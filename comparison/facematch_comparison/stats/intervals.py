"""Intervals for rates: exact where pairs are independent, by the people behind them where not.

*Independent pairs*: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits
illustrated in the case of the binomial", Biometrika 26 (1934).

*Pairs that share people*: one hundred pairs of ten people are not one hundred people. The variance
of the rate is taken from the sums of errors at each person (P. M. Aronow, C. Samii and V. A.
Assenova, "Cluster-robust variance estimation for dyadic data", Political Analysis 23, 2015). What
it is over that of as many independent pairs gives the effective sample size, and Clopper and
Pearson's interval for so many follows, with Student's t in place of the normal distribution because
the variance is only estimated (E. L. Korn and B. I. Graubard, "Confidence intervals for proportions
with small expected number of positive counts estimated from survey data", Survey Methodology 24,
1998). `docs/evidence/comparison-coverage.md` says how often these intervals hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

from facematch_comparison.model import Interval, Method, Rate
from facematch_core.errors import InvalidRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: With fewer errors (or fewer pairs without one), or fewer people, the correlation of pairs that
#: share a person cannot be seen: without an error its estimate is 0 whatever it is. Up to
#: `MANY_ERRORS` the assumption stays in part, so that one error more never narrows an interval.
ENOUGH_ERRORS: Final = 5
MANY_ERRORS: Final = 10
ENOUGH_PEOPLE: Final = 50

#: The correlation that is assumed then, of two pairs that share a person. Ours, not measured.
ASSUMED_MATED: Final = 0.05
ASSUMED_NON_MATED: Final = 0.005

#: Of sums of errors, which are far larger unless they are 0.
_ROUNDING: Final = 1e-9


# --- Independent pairs --------------------------------------------------------------------------


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
    low, high = _ends(errors, trials, confidence)
    return Interval(
        low=low,
        high=high,
        confidence=confidence,
        method=Method.EXACT,
        effective=float(trials),
    )


def fewest(suffices: Callable[[int], bool], *, most: int | None = None) -> int | None:
    """The fewest that suffice, at least 1, found by doubling and halving.

    Args:
        suffices: Whether so many do; then more do, too.
        most: None is answered where more than about this many are needed; by default there is no
            end.
    """
    few, enough = 0, 16
    while not suffices(enough):
        few, enough = enough, 2 * enough
        if most is not None and enough > most:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        if suffices(middle):
            enough = middle
        else:
            few = middle
    return enough


def exact_upper(errors: float, trials: float, confidence: float = 0.95) -> float:
    """The rate, 0-1, that the true one stays below with `confidence`, one-sided.

    Arguments and errors are those of `exact_interval`.
    """
    _check(errors, trials, confidence)
    good = trials - errors
    return float(betaincinv(errors + 1, good, confidence)) if good else 1.0


def trials_for(rate: float, errors: int = 0, confidence: float = 0.95) -> int:
    """How many trials with at most `errors` errors show that the true rate is below `rate`.

    299 for 1 % without an error at 95 %, 2,995 for 0.1 %, 29,956 for 0.01 %: the floors under every
    claim. Pairs that share people count for less, so more of them are needed.

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


# --- Pairs that share people --------------------------------------------------------------------


class Clusters:
    """Who is behind pairs: the same at every threshold, so that it is found once.

    Args:
        first: int64, (T,): the person of a mated pair, or one person of a non-mated one.
        second: int64, (T,): the other person; None for mated pairs.

    Attributes:
        trials: How many pairs there are.
        people: How many people are behind them.
        is_mated: Whether one person is behind each pair, not two.
        ends: int64, (1 or 2, T): the people of each pair, numbered from 0 to `people` - 1.
    """

    def __init__(self, first: NDArray[np.int64], second: NDArray[np.int64] | None) -> None:
        self.trials = len(first)
        self.is_mated = second is None
        people, places = np.unique(
            first if second is None else np.concatenate([first, second]), return_inverse=True
        )
        self.people = len(people)
        self.ends = places.reshape(1 if second is None else 2, self.trials)

    @cached_property
    def share(self) -> float:
        """With how many pairs, itself included, the average pair shares a person; 1 with none."""
        squares = float((self.pairs_of_person**2).sum())
        return squares / self.trials - (len(self.ends) - 1)

    @cached_property
    def pairs_of_person(self) -> NDArray[np.float64]:
        """float64, (people,): in how many pairs each person is."""
        return np.bincount(self.ends.ravel(), minlength=self.people).astype(np.float64)

    def at_people(self, errors: NDArray[np.bool_]) -> NDArray[np.float64]:
        """float64, (people,): errors at each, less what the rate of all lets expect."""
        rate, rows, sign = _rarer(errors)
        counts = np.bincount(self.ends[:, rows].ravel(), minlength=self.people)
        found: NDArray[np.float64] = sign * (counts - rate * self.pairs_of_person)
        return found

    def square_at_twos(self, errors: NDArray[np.bool_]) -> float:
        """The same at every two people of a non-mated pair, in any order: squared, and added up."""
        rate, rows, _ = _rarer(errors)
        places, pairs = self._twos
        wrong = places[rows]
        squares = float((pairs**2).sum()) * rate**2 - 2 * rate * float(pairs[wrong].sum())
        _, counts = np.unique(wrong, return_counts=True)
        return squares + float((counts.astype(np.float64) ** 2).sum())

    @cached_property
    def _twos(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        both = self.ends.min(axis=0) * self.people + self.ends.max(axis=0)
        _, places, pairs = np.unique(both, return_inverse=True, return_counts=True)
        return places, pairs.astype(np.float64)


def interval(errors: NDArray[np.bool_], clusters: Clusters, confidence: float = 0.95) -> Interval:
    """The interval for a rate of errors among pairs that may share people.

    Args:
        errors: bool, (T,), at least one pair.
        clusters: Who is behind each of the T pairs.
        confidence: Two-sided, between 0 and 1.

    Returns:
        `EXACT` if nobody is in two pairs; `CLUSTERED` if the correlation of pairs that share a
        person was estimated; `CONSERVATIVE` if there are too few errors or people to see one, and
        one is assumed: 0.05 for mated pairs, 0.005 for non-mated ones.

    Raises:
        InvalidRequest: there is no pair, or a number is out of range.
    """
    if not 0 < confidence < 1:
        raise InvalidRequest(f"A confidence lies between 0 and 1; {confidence} was given.")
    if not clusters.trials:
        raise InvalidRequest("There is no pair: a rate needs one at least.")
    effective, freedom, method = _design(errors, clusters)
    wrong = int(np.count_nonzero(errors))
    counted = _adjusted(effective, freedom, confidence)
    low, high = _ends(wrong / clusters.trials * counted, counted, confidence)
    return Interval(
        low=low,
        high=high,
        confidence=confidence,
        method=method,
        effective=effective,
        freedom=freedom,
    )


def bounds(
    rate: Rate, confidence: float = 0.95, *, chosen_for: float | None = None
) -> tuple[float, float]:
    """The rates, 0-1, that the true one lies above and below, each with `confidence`, one-sided.

    Args:
        rate: With its interval; one that was read from JSON will do.
        confidence: Above 0.5, below 1.
        chosen_for: If `rate` is the FMR at the lowest threshold that keeps it at most so much on
            these very pairs (`threshold_for_fmr`): the upper bound is then that of the order
            statistic, which holds in spite of the choice.

    Raises:
        InvalidRequest: the rate has no trial, or a number is out of range.
    """
    counted = effective_size(rate, confidence)
    low, high = _ends(rate.errors / rate.trials * counted, counted, 2 * confidence - 1)
    if chosen_for is not None:
        allowed = max(rate.errors, allowed_errors(chosen_for, rate.trials))
        high = _ends(allowed / rate.trials * counted, counted, 2 * confidence - 1)[1]
    return low, high


def effective_size(rate: Rate, confidence: float = 0.95) -> float:
    """How many independent trials `bounds` counts a rate as; arguments and errors are its own."""
    found = rate.interval
    if not rate.trials or found is None or found.effective is None:
        raise InvalidRequest("A rate without a trial and an interval has no bounds.")
    if not 0.5 < confidence < 1:
        raise InvalidRequest(
            f"A one-sided confidence lies between 0.5 and 1; {confidence} was given."
        )
    return _adjusted(found.effective, found.freedom, 2 * confidence - 1)


def allowed_errors(rate: float, trials: int) -> int:
    """The most errors of `trials` that are no more than `rate` of them: 2 for 0.001 of 2,995."""
    # 0.29 * 100 is 28.999999999999996.
    return min(trials, math.floor(rate * trials * (1 + 1e-12)))


def at_chosen_threshold(rate: Rate, chosen_for: float) -> Rate:
    """The FMR at a threshold that was chosen on these very pairs, with an interval that holds.

    The threshold lies just above the (k+1)-th highest of n non-mated scores, where k is the number
    of errors that `chosen_for` allows: k is known before any score is seen. If pairs are
    independent and no two scores are equal, the true FMR there follows a beta distribution with
    parameters k + 1 and n - k, whatever the scores are: it is that of the (k+1)-th smallest of n
    uniform numbers. Its upper quantile *is* Clopper and Pearson's upper end for k errors in n, and
    their lower end lies below its lower quantile. With ties the true FMR can only be lower, and
    fewer than k may pass: so the upper end is that of k, the lower end that of the errors. For
    pairs that share people the effective sample size stands for n, as in every other interval.

    Args:
        rate: At the threshold, on the pairs that it was chosen on, with its interval.
        chosen_for: The FMR that was required, above 0, at most 1.
    """
    found = rate.interval
    if found is None or found.effective is None:
        return rate
    counted = _adjusted(found.effective, found.freedom, found.confidence)
    allowed = max(rate.errors, allowed_errors(chosen_for, rate.trials))
    high = _ends(allowed / rate.trials * counted, counted, found.confidence)[1]
    return attrs.evolve(rate, interval=attrs.evolve(found, high=high))


def _design(errors: NDArray[np.bool_], clusters: Clusters) -> tuple[float, float | None, Method]:
    """The effective sample size, degrees of freedom of the variance behind it, and the method."""
    count, people = clusters.trials, clusters.people
    if clusters.share <= 1:
        return float(count), None, Method.EXACT
    wrong = int(np.count_nonzero(errors))
    rarer = min(wrong, count - wrong)
    is_seen = rarer >= ENOUGH_ERRORS and people >= ENOUGH_PEOPLE
    effect, freedom = _effect(errors, clusters)
    if rarer < ENOUGH_ERRORS:
        # What is assumed has no spread of its own; else one error would be worse than two.
        freedom = float(max(people - 1, 1))
    assumed = ASSUMED_MATED if clusters.is_mated else ASSUMED_NON_MATED
    if is_seen:
        assumed *= max(0.0, (MANY_ERRORS - rarer) / (MANY_ERRORS - ENOUGH_ERRORS))
    effect = max(1.0, effect, 1 + (clusters.share - 1) * assumed)
    method = Method.CLUSTERED if is_seen else Method.CONSERVATIVE
    return max(1.0, count / effect), freedom, method


def _effect(errors: NDArray[np.bool_], clusters: Clusters) -> tuple[float, float]:
    """The variance of the rate over that of independent pairs, and its degrees of freedom."""
    people = clusters.people
    freedom = float(max(people - 1, 1))
    rate = float(np.mean(errors))
    if rate in (0.0, 1.0):
        return 1.0, freedom
    squares = clusters.at_people(errors) ** 2
    together = float(squares.sum())
    # A few people may bring most of it: then it is known less well (F. E. Satterthwaite, 1946).
    # Where errors are spread evenly over all of them, nobody brings any, and no ratio is left.
    if together > _ROUNDING:
        freedom = min(freedom, max(together**2 / float((squares**2).sum()), 2.0))
    if not clusters.is_mated:
        # Pairs of the same two people were counted once at each of them.
        together -= clusters.square_at_twos(errors)
    correction = people / max(people - 1, 1)
    return together * correction / (clusters.trials * rate * (1 - rate)), freedom


def _rarer(errors: NDArray[np.bool_]) -> tuple[float, NDArray[np.int64], int]:
    """The rate and the places of errors; or those of their absence, where that is rarer, and -1."""
    wrong = int(np.count_nonzero(errors))
    if 2 * wrong <= len(errors):
        return wrong / len(errors), np.flatnonzero(errors), 1
    return (len(errors) - wrong) / len(errors), np.flatnonzero(~errors), -1


def _adjusted(effective: float, freedom: float | None, confidence: float) -> float:
    """How many independent pairs count: fewer where the variance itself is only estimated."""
    if freedom is None:
        return effective
    tail = (1 - confidence) / 2
    return effective * float((ndtri(tail) / stdtrit(freedom, tail)) ** 2)


def _ends(errors: float, trials: float, confidence: float) -> tuple[float, float]:
    """Clopper and Pearson's ends, also where neither number is whole."""
    tail = (1 - confidence) / 2
    good = max(trials - errors, 0.0)
    low = float(betaincinv(errors, good + 1, tail)) if errors > 0 else 0.0
    high = float(betaincinv(errors + 1, good, 1 - tail)) if good > 0 else 1.0
    return low, high


def _check(errors: float, trials: float, confidence: float) -> None:
    if not 0 <= errors <= trials or trials < 1:
        raise InvalidRequest(
            f"There cannot be {errors} errors in {trials} trials: give 0 to all, and at least one "
            "trial."
        )
    if not 0 < confidence < 1:
        raise InvalidRequest(f"A confidence lies between 0 and 1; {confidence} was given.")

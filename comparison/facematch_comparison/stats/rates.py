"""Error rates of one system at any threshold, and their intervals.

Rates are defined as in ISO/IEC 19795-1:2021. FMR and FNMR count acquired pairs. FAR and FRR count
all answered pairs, and treat a failure to acquire as a rejection. Intervals are exact for
independent pairs, and clustered by person for others.

*Independent pairs*: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits
illustrated in the case of the binomial", Biometrika 26 (1934).

*Pairs that share people*: the variance of the rate is estimated from the sums of errors at each
person (P. M. Aronow, C. Samii and V. A. Assenova, "Cluster-robust variance estimation for dyadic
data", Political Analysis 23, 2015). The ratio to the variance of independent pairs gives the
effective sample size for a Clopper-Pearson interval, with Student's t in place of the normal
distribution because the variance is only estimated (E. L. Korn and B. I. Graubard, "Confidence
intervals for proportions with small expected number of positive counts estimated from survey data",
Survey Methodology 24, 1998). See `docs/reference/comparison.md` for the coverage of the intervals.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, Literal, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from facematch_comparison.scores.answers import Answers, couples_of
from facematch_comparison.values.model import Interval, Method, Rate
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

#: With fewer errors, fewer pairs without an error or fewer people, the correlation of pairs that
#: share a person cannot be estimated, and is assumed. The assumed correlation decreases to 0 at
#: `MANY_ERRORS`, so that one more error never narrows an interval.
ENOUGH_ERRORS: Final = 5
MANY_ERRORS: Final = 10
ENOUGH_PEOPLE: Final = 50

#: The assumed correlation of two pairs that share a person: chosen, not measured.
ASSUMED_MATED: Final = 0.05
ASSUMED_NON_MATED: Final = 0.005

#: Tolerance for rounding in sums of errors; a nonzero sum is far larger.
_ROUNDING: Final = 1e-9

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

#: Selected pairs: indexes or a mask.
Rows: TypeAlias = Ints | slice


def fewest(suffices: Callable[[int], bool]) -> int:
    """Return the lowest number for which `suffices` is true; it must be so for all higher ones."""
    enough = 16
    while not suffices(enough):
        enough *= 2
    return 1 + bisect_left(range(1, enough), True, key=suffices)


def exact_upper(errors: float, trials: float, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper bound, 0-1, of the true rate."""
    return _clopper_pearson(errors, trials, 2 * confidence - 1)[1]


def trials_for(rate: float, errors: int = 0, confidence: float = 0.95) -> int:
    """Return how many independent trials show a rate below `rate` if `errors` of them are errors.

    Without errors, at 95 %, one-sided: 299 for 1 %, 2,995 for 0.1 %, 29,956 for 0.01 %.
    """
    if not 0 < rate < 1:
        raise InvalidRequest(f"The rate to show must be between 0 and 1 (got {rate}).")
    if not 0 < confidence < 1:
        raise InvalidRequest(f"A confidence must be between 0 and 1 (got {confidence}).")
    if errors == 0:
        return math.ceil(math.log1p(-confidence) / math.log1p(-rate))
    # The bound decreases with every further trial.
    extra = fewest(lambda extra: exact_upper(errors, errors + extra, confidence) <= rate)
    return errors + extra


class Clusters:
    """The people in a set of pairs, counted once for all thresholds.

    Args:
        probes: int64, (T,), from 0: the person of a mated pair, or one person of a non-mated one.
        references: int64, (T,): the other person; None for mated pairs.
        numbered_people: How many numbers the people have, of whom some may be in no pair; None for
            the largest number in a pair, plus one.
        couple_of_pair: The result of `couples_of`; None to compute it.
    """

    def __init__(
        self,
        probes: Ints,
        references: Ints | None,
        numbered_people: int | None = None,
        couple_of_pair: Ints | None = None,
    ) -> None:
        """Count the pairs of each person.

        Mated pairs have no `references`: both pictures are one person's. `numbered_people` is the
        number of people in the whole table; None for the highest number here.
        """
        self.trials = len(probes)
        self.is_mated = references is None
        self.ends = [probes] if references is None else [probes, references]
        if numbered_people is None:
            numbered_people = 1 + max(int(end.max(initial=-1)) for end in self.ends)
        self.numbered_people = numbered_people
        self._given_couple_of_pair = couple_of_pair
        self.pairs_of_person = self.at_people(slice(None)).astype(np.float64)
        self.people = int(np.count_nonzero(self.pairs_of_person))

    def take(self, rows: Ints) -> Clusters:
        """Return the pairs at `rows`, in that order."""
        couple_of_pair = None if self.is_mated else self._couple_of_pair[rows]
        probes = self.ends[0][rows]
        references = None if self.is_mated else self.ends[1][rows]
        return Clusters(probes, references, self.numbered_people, couple_of_pair)

    def at_people(self, rows: Rows) -> Ints:
        """Return the number of pairs at `rows` with each person: int64, (numbered_people,)."""
        pairs = np.bincount(self.ends[0][rows], minlength=self.numbered_people)
        for end in self.ends[1:]:
            pairs += np.bincount(end[rows], minlength=self.numbered_people)
        return pairs

    @cached_property
    def squared_pairs(self) -> float:
        """The sum of the squared numbers of pairs of all people."""
        return float((self.pairs_of_person**2).sum())

    @property
    def share(self) -> float:
        """Mean number of pairs that share a person with a pair, including the pair itself."""
        return self.squared_pairs / self.trials - (len(self.ends) - 1)

    def squares_at_people(self, rarer: Rows, count: int) -> Floats:
        """Return the squared deviation of each person's outcomes from their expected number.

        `rarer` are the rows of the rarer outcome, errors or the others, and `count` their number.
        """
        squares: Floats = count / self.trials * self.pairs_of_person
        # In place: each array of all people takes longer to allocate than to compute.
        np.subtract(self.at_people(rarer), squares, out=squares)
        return np.square(squares, out=squares)

    def sum_of_squares_at_couples(self, rarer: Rows, count: int) -> float:
        """Return the sum of squared deviations over all couples (two people, in any order).

        The arguments are those of `squares_at_people`.
        """
        rate = count / self.trials
        pairs = self._pairs_of_couple
        counts = np.bincount(self._couple_of_pair[rarer], minlength=len(pairs)).astype(np.float64)
        # Couples with only one pair have number 0.
        single_rarer = counts[0]
        single_others = pairs[0] - single_rarer
        single_squares = single_rarer * (1 - rate) ** 2 + single_others * rate**2
        return float(single_squares + ((counts[1:] - rate * pairs[1:]) ** 2).sum())

    @cached_property
    def _couple_of_pair(self) -> Ints:
        if self._given_couple_of_pair is not None:
            return self._given_couple_of_pair
        return couples_of(self.ends[0], self.ends[1], self.numbered_people)

    @cached_property
    def _pairs_of_couple(self) -> Floats:
        return np.bincount(self._couple_of_pair, minlength=1).astype(np.float64)


def interval(errors: Bools, clusters: Clusters, confidence: float = 0.95) -> Interval:
    """Return the interval for a rate of errors (bool, (T,)) among pairs that may share people.

    The method is `EXACT` if no person is in two pairs; `CLUSTERED` if the correlation of pairs that
    share a person was estimated; `CONSERVATIVE` if it was assumed because of too few errors or
    people: 0.05 for mated pairs, 0.005 for non-mated pairs.
    """
    count = int(np.count_nonzero(errors))
    are_errors_rarer = 2 * count <= len(errors)
    rarer = np.flatnonzero(errors if are_errors_rarer else ~errors)
    return interval_of(count, rarer, clusters, confidence)


def interval_of(errors: int, rarer: Rows, clusters: Clusters, confidence: float) -> Interval:
    """Return the interval for `errors` errors; `rarer`: their rows, or the other rows if fewer."""
    rarer_count = min(errors, clusters.trials - errors)
    squares = squared_squares = couples = 0.0
    if rarer_count and clusters.share > 1:
        squares_of_people = clusters.squares_at_people(rarer, rarer_count)
        squares = float(squares_of_people.sum())
        # In place: each array of all people takes longer to allocate than to compute.
        squared_squares = float(np.square(squares_of_people, out=squares_of_people).sum())
        if not clusters.is_mated:
            couples = clusters.sum_of_squares_at_couples(rarer, rarer_count)
    return interval_from_sums(
        errors,
        clusters.trials,
        people=clusters.people,
        squared_pairs=clusters.squared_pairs,
        squares=squares,
        squared_squares=squared_squares,
        couples=None if clusters.is_mated else couples,
        confidence=confidence,
    )


def interval_from_sums(
    errors: int,
    trials: int,
    *,
    people: int,
    squared_pairs: float,
    squares: float,
    squared_squares: float,
    couples: float | None,
    confidence: float = 0.95,
) -> Interval:
    """Return the interval of a rate, as in a report, from sums that a database can compute.

    A person has `n` pairs with `e` errors. The deviation is `e` minus `n` times the rate.

    Args:
        errors, trials: The errors and the pairs, at least one.
        people: Number of people in the pairs.
        squared_pairs: The sum of `n**2` over all people.
        squares: The sum of the squared deviations of all people.
        squared_squares: The sum of their squares.
        couples: For non-mated pairs, the sum of the squared deviations of all couples, the two
            people of a pair in any order; None for mated pairs.

    See `at_chosen_threshold` if these pairs have chosen the threshold.
    """
    share = squared_pairs / trials - (couples is not None)
    effective = float(trials)
    freedom = None
    method = Method.EXACT
    if share > 1:
        rarer_count = min(errors, trials - errors)
        method = Method.CONSERVATIVE
        if rarer_count >= ENOUGH_ERRORS and people >= ENOUGH_PEOPLE:
            method = Method.CLUSTERED
        freedom = float(max(people - 1, 1))
        # With fewer errors, keep all degrees of freedom: otherwise the interval for 1 error would
        # be wider than for 2. If a few people cause most of the variance, its estimate is less
        # certain (F. E. Satterthwaite, 1946). If errors are spread evenly over all people, the sum
        # is 0, and there is no ratio.
        if rarer_count >= ENOUGH_ERRORS and squares > _ROUNDING:
            freedom = min(freedom, max(squares**2 / squared_squares, 2.0))
        effect = 1.0
        if rarer_count:
            # Pairs of the same two people were counted twice, once at each person.
            correction = people / max(people - 1, 1)
            independent = rarer_count * (1 - rarer_count / trials)
            effect = (squares - (couples or 0.0)) * correction / independent
        assumed = ASSUMED_MATED if couples is None else ASSUMED_NON_MATED
        if method is Method.CLUSTERED:
            assumed *= max(0.0, (MANY_ERRORS - rarer_count) / (MANY_ERRORS - ENOUGH_ERRORS))
        effect = max(effect, 1 + (share - 1) * assumed)
        effective = max(1.0, trials / effect)
    size = adjusted(effective, freedom, confidence)
    low, high = _clopper_pearson(errors / trials * size, size, confidence)
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
    """Return one-sided lower and upper bounds, 0-1, of the true rate.

    The rate needs an interval and may come from JSON. `chosen_for` is the required FMR if `rate` is
    the FMR at a threshold that `threshold_for_fmr` chose on these pairs. The upper bound is then
    the bound of the order statistic, which remains valid despite the choice.
    """
    interval = rate.interval
    if not rate.trials or interval is None or interval.effective is None:
        raise InvalidRequest("A rate without trials or an interval has no bounds.")
    if not 0.5 < confidence < 1:
        raise InvalidRequest(f"A one-sided confidence is between 0.5 and 1 (got {confidence}).")
    two_sided = 2 * confidence - 1
    trials = adjusted(interval.effective, interval.freedom, two_sided)
    low, high = _clopper_pearson(rate.errors / rate.trials * trials, trials, two_sided)
    if chosen_for is not None:
        errors = max(rate.errors, allowed_errors(chosen_for, rate.trials))
        _, high = _clopper_pearson(errors / rate.trials * trials, trials, two_sided)
    return low, high


def allowed_errors(rate: float, trials: int) -> int:
    """Return the maximum number of errors in `trials` at `rate`: 2 for 0.001 of 2,995."""
    # 0.29 * 100 is 28.999999999999996.
    return min(trials, math.floor(rate * trials * (1 + 1e-12)))


def trials_allowing(errors: int, rate: float) -> int:
    """Return the minimum number of trials that allow `errors` at `rate`: 3,000 for 3 at 0.001."""
    return math.ceil(errors / rate * (1 - 1e-12))


def at_chosen_threshold(rate: Rate, chosen_for: float) -> Rate:
    """Return the FMR at a threshold chosen on these pairs, with a valid interval.

    The threshold lies just above the (k+1)-th highest of n non-mated scores, where k is the number
    of errors that `chosen_for` allows: k is known before any score is seen. If pairs are
    independent and no two scores are equal, the true FMR there follows a beta distribution with
    parameters k + 1 and n - k. Its upper quantile *is* Clopper and Pearson's upper bound for k
    errors in n, and their lower bound lies below its lower quantile. With ties the true FMR can
    only be lower, and fewer than k pairs may pass. So the upper bound is computed from k, and the
    lower bound from the errors. For pairs that share people, n is the effective sample size.
    """
    interval = rate.interval
    if interval is None or interval.effective is None:
        return rate
    _, high = bounds(rate, (1 + interval.confidence) / 2, chosen_for=chosen_for)
    return attrs.evolve(rate, interval=attrs.evolve(interval, high=high))


def adjusted(effective: float, freedom: float | None, confidence: float) -> float:
    """Return the effective sample size, reduced if the variance is only estimated."""
    if freedom is None:
        return effective
    tail = (1 - confidence) / 2
    return effective * float((ndtri(tail) / stdtrit(freedom, tail)) ** 2)


def _clopper_pearson(errors: float, trials: float, confidence: float) -> tuple[float, float]:
    """Return the Clopper-Pearson bounds; numbers may be fractional."""
    tail = (1 - confidence) / 2
    good = max(trials - errors, 0.0)
    low = float(betaincinv(errors, good + 1, tail)) if errors > 0 else 0.0
    high = float(betaincinv(errors + 1, good, 1 - tail)) if good > 0 else 1.0
    return low, high


class Sample(Clusters):
    """The pairs that count in a rate, all mated or all non-mated, and the people in them.

    Attributes:
        rows: Indexes of the pairs in the table: int64, (T,).
    """

    def __init__(self, table: Answers, rows: Ints) -> None:
        people = table.people
        is_mated = bool(table.mated[rows].all())
        reference = None if is_mated else people.reference[rows]
        couple_of_pair = None if is_mated else table.couple_of_pair[rows]
        super().__init__(people.probe[rows], reference, len(people.numbers), couple_of_pair)
        self.rows = rows

    def rate(self, errors: Bools, confidence: float) -> Rate:
        """Return the rate of errors (bool, (T,)); without pairs it has no interval."""
        rate_interval = interval(errors, self, confidence) if self.trials else None
        return self.rate_of(int(np.count_nonzero(errors)), rate_interval)

    def rate_of(self, errors: int, interval: Interval | None) -> Rate:
        """Return the rate of a number of errors."""
        return Rate(errors=errors, trials=self.trials, subjects=self.people, interval=interval)


#: Rates of mated pairs; the others are of non-mated pairs.
_OF_MATED: Final = ("fnmr", "frr", "fta")
#: Rates of acquired pairs; the others count all answered pairs.
_OF_ACQUIRED: Final = ("fmr", "fnmr")


class Rates:
    """The rates of one system at any threshold, each with an interval at `confidence`.

    At a threshold, a pair that was acquired but has no score is excluded from FMR and FNMR, and is
    treated as rejected in FRR and FAR.
    """

    def __init__(self, table: Answers, confidence: float = 0.95) -> None:
        self.table = table
        self.confidence = confidence
        # By whether they are mated, and by their number: samples of equal size have the same pairs.
        self._samples: dict[tuple[bool, int], Sample] = {}

    def at(self, name: str, threshold: float | None) -> Rate:
        """Return a rate by its name (``fmr``); without a threshold, by the system's decisions."""
        sample = self.sample(name, at_threshold=threshold is not None)
        return sample.rate(self.errors(name, threshold)[sample.rows], self.confidence)

    def errors(self, name: str, threshold: float | None) -> Bools:
        """Return which pairs are errors, whether or not they count in the rate: bool, (N,)."""
        if name == "fta":
            return ~self.table.acquired
        passed = self.table.passed(threshold)
        return ~passed if name in _OF_MATED else passed

    def along(self, name: str, thresholds: Sequence[float]) -> list[Rate]:
        """Return a rate (except FTA) at each threshold, the lowest first.

        The system needs scores and a rule.
        """
        table = self.table
        sample = self.sample(name, at_threshold=True)
        scores = np.where(table.scored[sample.rows], table.scores[sample.rows], -np.inf)
        # The rule decides whether a score equal to the threshold passes.
        equal: Literal["left", "right"] = "left" if table.rule is ThresholdRule.ABOVE else "right"
        passed_thresholds = np.searchsorted(thresholds, scores, equal).astype(np.uint16)
        clusters = sample.take(np.argsort(passed_thresholds, kind="stable"))
        counts = np.bincount(passed_thresholds, minlength=len(thresholds) + 1)
        rates = []
        for refused in np.cumsum(counts[:-1]).tolist():
            passed = sample.trials - refused
            errors = refused if clusters.is_mated else passed
            rarer = slice(refused) if refused <= passed else slice(refused, None)
            at_threshold = interval_of(errors, rarer, clusters, self.confidence)
            rates.append(sample.rate_of(errors, at_threshold))
        return rates

    def sample(self, name: str, *, at_threshold: bool) -> Sample:
        """Return the pairs that count in a rate."""
        table = self.table
        counted = table.answered
        if name in _OF_ACQUIRED:
            counted = table.scored if at_threshold else table.acquired
        is_mated = name in _OF_MATED
        key = (is_mated, int(np.count_nonzero(counted)))
        if key not in self._samples:
            self._samples[key] = Sample(table, np.flatnonzero(counted & (table.mated == is_mated)))
        return self._samples[key]


@attrs.frozen(kw_only=True, eq=False)
class Side:
    """A system in a comparison.

    Attributes:
        table: The system's answers to the judged pairs.
        threshold: The threshold for the required FMR (`threshold_for_fmr`) or a fixed one, or None.
        is_fixed: Whether the threshold is fixed, and so the same in every resample.
        rates: The rates of the table.
    """

    table: Answers
    threshold: float | None
    is_fixed: bool = False
    rates: Rates = attrs.field(default=attrs.Factory(lambda own: Rates(own.table), takes_self=True))

    def exceeds(self, fmr: float, confidence: float) -> bool:
        """Return whether the FMR at the system's threshold is significantly above `fmr`."""
        sample = self.rates.sample("fmr", at_threshold=self.threshold is not None)
        errors = self.rates.errors("fmr", self.threshold)
        rate = sample.rate(errors[sample.rows], confidence)
        return rate.interval is not None and rate.interval.low > fmr

"""Two systems on the same pairs: whether one turns away fewer genuine people, and by how much.

Both are compared at the required FMR, each at its own threshold. Each threshold is an estimate from
a few false matches, and of two equal systems one gets the lower threshold by luck; so people are
drawn again, thresholds are chosen anew on whoever was drawn, and what the difference of the FRR
does then is its interval and its p-value. The exact test and interval at fixed thresholds are
beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from scipy.special import bdtr, chdtrc, stdtrit

from facematch_comparison.model import Difference, Estimate, Interval, Method, ScoreTable
from facematch_comparison.numbers import in_words
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from .bootstrap import (
    Draws,
    RedrawnErrors,
    RedrawnThreshold,
    bootstrap_p_value,
    percentile_interval,
)
from .intervals import at_chosen_threshold
from .rates import Rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: With fewer resamples there is no end of an interval to be seen.
_FEWEST: Final = 20


@attrs.frozen(kw_only=True, eq=False)
class Side:
    """One of two systems that are compared.

    Attributes:
        table: What it answered to the pairs that it is judged on.
        threshold: That of `threshold_for_fmr` for the required FMR; None if it has none.
        calibration: What the threshold was chosen on; None if on `table` itself.
    """

    table: ScoreTable
    threshold: float | None
    calibration: ScoreTable | None = None

    @property
    def name(self) -> str:
        """The system's."""
        return self.table.name

    @property
    def chosen_on(self) -> ScoreTable:
        """The pairs that the threshold was chosen on."""
        return self.table if self.calibration is None else self.calibration

    def refused(self, rows: NDArray[np.bool_], threshold: float) -> NDArray[np.bool_]:
        """bool: whom of `rows` it turns away."""
        scores = self.table.scores[rows]
        if self.table.rule is ThresholdRule.ABOVE:
            return ~(scores > threshold)
        if self.table.rule is ThresholdRule.AT_LEAST:
            return ~(scores >= threshold)
        raise InvalidRequest(f"How {self.name} compares a score with a threshold is not known.")

    def lets_in_more_than(self, fmr: float, confidence: float) -> bool:
        """Whether more than `fmr` is shown to pass at its threshold."""
        found = Rates(self.table, confidence).at("fmr", self.threshold)
        if self.calibration is None:
            found = at_chosen_threshold(found, fmr)
        return found.interval is not None and found.interval.low > fmr


def difference(
    first: Side,
    second: Side,
    *,
    required_fmr: float,
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Difference:
    """The FRR of one system less that of another, each at its threshold for the required FMR.

    Args:
        first, second: Their answers to the same pairs.
        required_fmr: That the thresholds were chosen for.
        confidence: Of the intervals, two-sided, between 0 and 1.
        resamples: How often people are drawn again, at least 20; see `resamples_for`.
        seed: Of the draws; the same gives the same numbers.

    Returns:
        What was found, without a verdict: `finish_differences` gives it, over all pairs of systems.

    Raises:
        InvalidRequest: they did not answer the same pairs, or a number is out of range.
    """
    if resamples < _FEWEST:
        raise InvalidRequest(
            f"{resamples} resamples show nothing: give at least {_FEWEST}, better 2,000."
        )
    one, other = first.table, second.table
    if not one.has_pairs_of(other):
        raise InvalidRequest(
            f"{first.name} and {second.name} did not answer the same pairs: give both for one "
            "test set."
        )
    rows = one.mated & one.answered & other.answered
    people = one.probe_subjects[rows]
    found = Difference(
        first=first.name,
        second=second.name,
        pairs=len(people),
        subjects=len(np.unique(people)),
        errors_first=0,
        errors_second=0,
        only_first=0,
        only_second=0,
        frr=None,
        exact=None,
        p_value=None,
        p_exact=None,
        p_adjusted=None,
        is_real=False,
        better=None,
        sentence="",
    )
    if first.threshold is None or second.threshold is None:
        return attrs.evolve(found, sentence=_missing(first, second))
    if not len(people):
        return attrs.evolve(
            found, sentence=f"No mated pair was answered by both {first.name} and {second.name}."
        )
    of_first = first.refused(rows, first.threshold)
    of_second = second.refused(rows, second.threshold)
    test = mcnemar(of_first, of_second, people)
    values = np.concatenate(
        list(_resampled((first, second), rows, required_fmr, resamples=resamples, seed=seed))
    )
    exact = paired_difference(of_first, of_second, people, confidence)
    drawn = percentile_interval(values, confidence)
    # Drawing again shows nothing beyond the few errors that there are: 0 against 4 never turns
    # round. There the exact ones see further, so each is the more careful of the two.
    ends = attrs.evolve(drawn, low=min(drawn.low, exact.low), high=max(drawn.high, exact.high))
    return attrs.evolve(
        found,
        errors_first=int(np.count_nonzero(of_first)),
        errors_second=int(np.count_nonzero(of_second)),
        only_first=test.only_first,
        only_second=test.only_second,
        frr=Estimate(
            value=(test.only_first - test.only_second) / len(people),
            interval=ends,
        ),
        exact=exact,
        p_value=max(bootstrap_p_value(values), test.p_value),
        p_exact=test.p_value,
        beyond=tuple(
            side.name
            for side in (first, second)
            if side.lets_in_more_than(required_fmr, confidence)
        ),
    )


def finish_differences(
    found: Sequence[Difference], *, confidence: float, required_fmr: float
) -> tuple[Difference, ...]:
    """The verdict over all pairs of systems: the one rule for "chance or not".

    A difference is real if its p-value, after Holm's correction for having asked so many questions,
    is below 1 - `confidence`. Sentence, table and gate say what this says.

    Args:
        found: Every two systems, of `difference`.
        confidence: Of all verdicts together.
        required_fmr: That the thresholds were chosen for.
    """
    adjusted = iter(holm([one.p_value for one in found if one.p_value is not None]))
    return tuple(
        one if one.p_value is None else _judged(one, next(adjusted), 1 - confidence, required_fmr)
        for one in found
    )


def resamples_for(differences: int, confidence: float = 0.95) -> int:
    """How many resamples so many differences need, so that Holm's correction can find them real."""
    # The lowest p-value is 2 / (resamples + 1); four times below what the correction asks for.
    return max(2_000, int(np.ceil(8 * differences / (1 - confidence))))


@attrs.frozen(kw_only=True)
class McNemar:
    """The pairs that two systems disagree about.

    Attributes:
        only_first, only_second: Errors that only this one made.
        p_value: How often two systems that err equally often disagree at least so much one way,
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
    """McNemar's exact test at fixed thresholds; the careful one of two where pairs share people.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947); the p-value is the exact one of the binomial. Where
    people are known it is at least that of V. L. Durkalski et al. ("Analysis of clustered
    matched-pair data", Statistics in Medicine 22, 2003), who count one person with many pairs as
    one.

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
    p_value = min(1.0, 2 * float(bdtr(fewer, both, 0.5))) if both else 1.0
    if subjects is not None and both:
        _, places = np.unique(subjects, return_inverse=True)
        at_each = np.bincount(places, first.astype(np.float64) - second)
        among = float((at_each**2).sum())
        statistic = (only_first - only_second) ** 2 / among if among else 0.0
        p_value = max(p_value, float(chdtrc(1, statistic)))
    return McNemar(only_first=only_first, only_second=only_second, p_value=p_value)


def paired_difference(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    subjects: NDArray[np.int64],
    confidence: float = 0.95,
) -> Interval:
    """The interval for the rate of `first` less that of `second`, -1 to 1, at fixed thresholds.

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
    wide = spread * float(stdtrit(people + 1, (1 + confidence) / 2))
    return Interval(
        low=max(-1.0, middle - wide),
        high=min(1.0, middle + wide),
        confidence=confidence,
        method=Method.CLUSTERED,
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


# --- Below ----------------------------------------------------------------------------------------


def _missing(first: Side, second: Side) -> str:
    missing = [side.name for side in (first, second) if side.threshold is None]
    have = "has" if len(missing) == 1 else "have"
    return (
        f"{' and '.join(missing)} {have} no threshold for the required FMR, so that {first.name} "
        f"and {second.name} are not compared."
    )


def _resampled(
    sides: tuple[Side, Side],
    rows: NDArray[np.bool_],
    required_fmr: float,
    *,
    resamples: int,
    seed: int,
) -> Iterator[NDArray[np.float64]]:
    """The difference of the FRR in each resample that has a pair, block by block."""
    draws = _draws(sides)
    thresholds = [RedrawnThreshold(side.chosen_on, required_fmr, draws.numbers) for side in sides]
    errors = [RedrawnErrors(side.table, rows, draws.numbers) for side in sides]
    whose = np.searchsorted(draws.numbers, sides[0].table.probe_subjects[rows])
    pairs = np.bincount(whose, minlength=len(draws.numbers)).astype(np.float64)
    longest = max(one.length for one in thresholds)
    for drawn in draws.blocks(resamples, seed, rows=longest):
        of_first, of_second = (
            one.count(drawn, threshold.refused(drawn))
            for one, threshold in zip(errors, thresholds, strict=True)
        )
        count = pairs @ drawn
        some = count > 0
        yield (of_first - of_second)[some] / count[some]


def _draws(sides: Sequence[Side]) -> Draws:
    """Those who are judged, and apart from them those whom only thresholds were chosen on."""
    judged = _people([side.table for side in sides])
    numbers = _people([*(side.table for side in sides), *(side.chosen_on for side in sides)])
    is_judged = np.isin(numbers, judged)
    strata = (np.flatnonzero(is_judged), np.flatnonzero(~is_judged))
    return Draws(numbers, tuple(one for one in strata if len(one)))


def _people(tables: Sequence[ScoreTable]) -> NDArray[np.int64]:
    columns = [whose for one in tables for whose in (one.probe_subjects, one.reference_subjects)]
    return np.unique(np.concatenate(columns))


def _judged(one: Difference, adjusted: float, alpha: float, required_fmr: float) -> Difference:
    """With the verdict, and the sentence that says it."""
    is_real = adjusted < alpha
    better = one.first if one.errors_first < one.errors_second else one.second
    if is_real:
        verdict = f"{better} is better, and that is not chance"
    elif one.errors_first == one.errors_second:
        verdict = "there is no difference"
    else:
        verdict = "that may be chance"
    if one.beyond:
        exceeds, it = ("exceeds", "it") if len(one.beyond) == 1 else ("exceed", "them")
        verdict += f"; but {' and '.join(one.beyond)} {exceeds} that FMR, which flatters {it}"
    return attrs.evolve(
        one,
        p_adjusted=adjusted,
        is_real=is_real,
        better=better if is_real else None,
        sentence=f"At {in_words(required_fmr)}, {one.first} turns away {one.errors_first:,} of "
        f"{_genuine(one)} and {one.second} {one.errors_second:,}: {verdict}.",
    )


def _genuine(one: Difference) -> str:
    if one.pairs == one.subjects:
        return f"{one.pairs:,} genuine people"
    return f"{one.pairs:,} attempts by {one.subjects:,} genuine people"


def _check(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> None:
    if first.shape != second.shape:
        raise InvalidRequest(
            f"Errors of {len(first)} and of {len(second)} pairs cannot be compared: give both for "
            "the same pairs."
        )

"""Two systems on the same pairs: whether one turns away fewer genuine people, and by how much.

Both are compared at the required FMR, each at its own threshold. Each threshold is an estimate from
a few false matches, and of two equal systems one gets the lower threshold by luck; so people are
drawn again, thresholds are chosen anew on whoever was drawn, and what the difference of the FRR
does then is its interval and its p-value. The exact test and interval at fixed thresholds are
beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs
import numpy as np
from scipy.special import bdtr, chdtrc, stdtrit

from facematch_comparison.answers import ScoreTable
from facematch_comparison.model import Difference, Estimate, Interval, Method
from facematch_comparison.numbers import where_judged
from facematch_core.errors import InvalidRequest

from .bootstrap import (
    FixedThreshold,
    RedrawnErrors,
    RedrawnThreshold,
    bootstrap_p_value,
    draws,
    percentile_interval,
)
from .rates import Rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: With fewer resamples there is no end of an interval to be seen.
_FEWEST: Final = 20

_NOT_COMPARED: Final[dict[str, Any]] = {
    **dict.fromkeys(("errors_first", "errors_second", "only_first", "only_second"), 0),
    **dict.fromkeys(("frr", "exact", "p_value", "p_exact", "p_adjusted", "better")),
}


@attrs.frozen(kw_only=True, eq=False)
class Side:
    """One of two systems that are compared.

    Attributes:
        table: What it answered to the pairs that it is judged on.
        threshold: That of `threshold_for_fmr` for the required FMR; None if it has none.
        calibration: What the threshold was chosen on; None if on `table` itself.
        is_fixed: Whether the threshold was chosen elsewhere, and is the same whoever is drawn.
    """

    table: ScoreTable
    threshold: float | None
    calibration: ScoreTable | None = None
    is_fixed: bool = False

    @property
    def name(self) -> str:
        """The system's."""
        return self.table.name

    @property
    def chosen_on(self) -> ScoreTable:
        """The pairs that the threshold was chosen on."""
        return self.table if self.calibration is None else self.calibration

    def exceeds(self, fmr: float, confidence: float) -> bool:
        """Whether the FMR at its threshold is shown to be above `fmr`."""
        rate = Rates(self.table, confidence).at("fmr", self.threshold)
        return rate.interval is not None and rate.interval.low > fmr


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

    Their answers are to the same pairs; the intervals have this confidence, two-sided; the same
    seed gives the same numbers. There is no verdict yet: `finish_differences` gives it.

    Raises:
        InvalidRequest: they did not answer the same pairs, or a number is out of range.
    """
    if resamples < _FEWEST:
        raise InvalidRequest(
            f"{resamples} resamples show nothing: give at least {_FEWEST}, better 2,000."
        )
    table = first.table
    if not table.has_pairs_of(second.table):
        raise InvalidRequest(
            f"{first.name} and {second.name} did not answer the same pairs: give both for one "
            "test set."
        )
    rows = table.mated & table.answered & second.table.answered
    people = table.probe_subjects[rows]
    unknown = Difference(
        first=first.name,
        second=second.name,
        pairs=len(people),
        subjects=int(np.count_nonzero(np.bincount(table.people.probe[rows]))),
        **_NOT_COMPARED,
        is_real=False,
        sentence="",
    )
    missing = [side.name for side in (first, second) if side.threshold is None]
    if missing:
        have = "has" if len(missing) == 1 else "have"
        why_not = (
            f"{' and '.join(missing)} {have} no threshold for the required FMR, so that "
            f"{first.name} and {second.name} are not compared."
        )
        return attrs.evolve(unknown, sentence=why_not)
    if not len(people):
        why_not = f"No mated pair was answered by both {first.name} and {second.name}."
        return attrs.evolve(unknown, sentence=why_not)
    of_first, of_second = (~side.table.passed(side.threshold)[rows] for side in (first, second))
    test = mcnemar(of_first, of_second, people)
    exact = paired_difference(of_first, of_second, people, confidence)
    resampled = _resampled((first, second), rows, required_fmr, resamples=resamples, seed=seed)
    values = np.concatenate(list(resampled))
    drawn = percentile_interval(values, confidence)
    # Drawing again shows nothing beyond the few errors that there are: 0 against 4 never turns
    # round. There the exact ones see further, so each is the more careful of the two.
    ends = attrs.evolve(drawn, low=min(drawn.low, exact.low), high=max(drawn.high, exact.high))
    return attrs.evolve(
        unknown,
        errors_first=int(np.count_nonzero(of_first)),
        errors_second=int(np.count_nonzero(of_second)),
        only_first=test.only_first,
        only_second=test.only_second,
        frr=Estimate(value=(test.only_first - test.only_second) / len(people), interval=ends),
        exact=exact,
        p_value=max(bootstrap_p_value(values), test.p_value),
        p_exact=test.p_value,
        beyond=tuple(
            side.name for side in (first, second) if side.exceeds(required_fmr, confidence)
        ),
    )


def finish_differences(
    differences: Sequence[Difference],
    *,
    confidence: float,
    required_fmr: float,
    at_thresholds: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Difference, ...]:
    """The verdict over all pairs of systems.

    This is the one rule that decides what is chance: a difference is real if its p-value, after
    Holm's correction for having asked so many questions, is below 1 - `confidence`. Headline,
    sentences and tables say what this says, and nothing else decides it a second time.
    """
    adjusted = iter(holm([each.p_value for each in differences if each.p_value is not None]))
    return tuple(
        each
        if each.p_value is None
        else _judged(
            each,
            next(adjusted),
            1 - confidence,
            where_judged(
                required_fmr, {name: at_thresholds.get(name) for name in (each.first, each.second)}
            ),
        )
        for each in differences
    )


def resamples_for(differences: int, confidence: float = 0.95) -> int:
    """How many resamples so many differences need, so that Holm's correction can find them real."""
    # The lowest p-value is 2 / (resamples + 1); four times below what the correction asks for.
    return max(2_000, int(np.ceil(8 * differences / (1 - confidence))))


class McNemar(NamedTuple):
    """The pairs that only one of two systems errs at, and how often equal ones differ so, 0-1."""

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
    """
    count = len(p_values)
    adjusted = [0.0] * count
    highest = 0.0
    for rank, place in enumerate(sorted(range(count), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (count - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


# --- Below ----------------------------------------------------------------------------------------


def _resampled(
    sides: tuple[Side, Side],
    rows: NDArray[np.bool_],
    required_fmr: float,
    *,
    resamples: int,
    seed: int,
) -> Iterator[NDArray[np.float64]]:
    """The difference of the FRR in each resample that has a pair, block by block."""
    judged = _people(side.table for side in sides)
    numbers = np.union1d(judged, _people(side.chosen_on for side in sides))
    # Those who are judged, and apart from them those whom only thresholds were chosen on.
    is_judged = np.isin(numbers, judged)
    strata = [places for places in map(np.flatnonzero, (is_judged, ~is_judged)) if len(places)]
    thresholds = [
        FixedThreshold(side.table.rule, side.threshold or 0.0)
        if side.is_fixed
        else RedrawnThreshold(side.chosen_on, required_fmr, numbers)
        for side in sides
    ]
    errors = [RedrawnErrors(side.table, rows, numbers) for side in sides]
    whose = np.searchsorted(numbers, sides[0].table.probe_subjects[rows])
    pairs = np.bincount(whose, minlength=len(numbers)).astype(np.float64)
    longest = max(threshold.length for threshold in thresholds)
    for drawn in draws(strata, resamples, seed, rows=longest):
        of_first, of_second = (
            own.count(drawn, threshold.refused(drawn))
            for own, threshold in zip(errors, thresholds, strict=True)
        )
        count = pairs @ drawn
        some = count > 0
        yield (of_first - of_second)[some] / count[some]


def _people(tables: Iterable[ScoreTable]) -> NDArray[np.int64]:
    return np.unique(np.concatenate([table.people.numbers for table in tables]))


def _judged(difference: Difference, adjusted: float, alpha: float, where: str) -> Difference:
    """With the verdict, and the sentence that says it."""
    first, second, beyond = difference.first, difference.second, difference.beyond
    errors_first, errors_second = difference.errors_first, difference.errors_second
    is_real = adjusted < alpha
    better = first if errors_first < errors_second else second
    if is_real:
        verdict = f"{better} is better, and that is not chance"
    elif errors_first == errors_second:
        verdict = "there is no difference"
    else:
        verdict = "that may be chance"
    if beyond:
        exceeds, it = ("exceeds", "it") if len(beyond) == 1 else ("exceed", "them")
        verdict += f"; but {' and '.join(beyond)} {exceeds} that FMR, which flatters {it}"
    whom = f"{difference.pairs:,} genuine people"
    if difference.pairs != difference.subjects:
        whom = f"{difference.pairs:,} attempts by {difference.subjects:,} genuine people"
    return attrs.evolve(
        difference,
        p_adjusted=adjusted,
        is_real=is_real,
        better=better if is_real else None,
        sentence=f"At {where}, {first} turns away {errors_first:,} of {whom} and "
        f"{second} {errors_second:,}: {verdict}.",
    )


def _check(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> None:
    if first.shape != second.shape:
        raise InvalidRequest(
            f"Errors of {len(first)} and of {len(second)} pairs cannot be compared: give both for "
            "the same pairs."
        )

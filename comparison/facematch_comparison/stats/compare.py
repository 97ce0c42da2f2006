"""Two systems on the same pairs: whether one turns away fewer genuine people, and by how much.

All are compared at the required FMR, each at its own threshold. Each threshold is an estimate from
a few false matches, and of two equal systems one gets the lower threshold by luck; so people are
drawn again, thresholds are chosen anew on whoever was drawn, and what the difference of the FRR
does then is its interval and its p-value. The exact test and interval at fixed thresholds are
beside them. Where fewer than `ENOUGH_FALSE_MATCHES` are expected at the required FMR nothing is
compared: drawing again shows only the few scores that there are, and calls luck a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs
import numpy as np
from scipy.special import bdtr, chdtrc, stdtr, stdtrit

from facematch_comparison.answers import ScoreTable
from facematch_comparison.model import Costs, Difference, Estimate, Interval, Method
from facematch_core.errors import InvalidRequest

from .bootstrap import Resampling, bootstrap_p_value, percentile_interval, redraw
from .cost import false_match_costs
from .rates import Side
from .threshold import ENOUGH_FALSE_MATCHES, why_not_comparable

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: With fewer resamples there is no end of an interval to be seen; so many show one well.
_FEWEST: Final = 20
_USUAL: Final = 2_000

_NOT_COMPARED: Final[dict[str, Any]] = {
    **dict.fromkeys(("errors_first", "errors_second", "only_first", "only_second"), 0),
    **dict.fromkeys(("frr", "exact", "p_value", "p_exact", "p_adjusted", "better")),
    "is_real": False,
}


def compare_systems(
    sides: Sequence[Side],
    *,
    required_fmr: float,
    at_fmrs: Collection[tuple[int, float]] = (),
    confidence: float = 0.95,
    costs: Costs | None = None,
    resamples: int | None = None,
    seed: int = 0,
) -> tuple[tuple[Difference, ...], dict[tuple[int, float, str], Interval]]:
    """Every two systems: the FRR of one less that of the other, and the verdict over all of them.

    This is the one rule that decides what is chance: a difference is real if its p-value, after
    Holm's correction for having asked so many questions, is below 1 - `confidence`. Headline,
    sentences, tables and costs say what this says, and nothing else decides it a second time.

    Args:
        sides: The systems, all asked about the same pairs.
        required_fmr: The FMR that their thresholds were chosen for.
        at_fmrs: Places of systems, each with an FMR at which it is judged alone.
        confidence: Of each interval, two-sided.
        costs: What errors cost; None to leave costs out.
        resamples: How often people are drawn, at least 20; None for 2,000, or as many as Holm's
            correction needs to find a difference real.
        seed: The same seed gives the same numbers.

    Returns:
        The differences; and of each of `at_fmrs` at which systems can be compared, with ``frr`` or
        ``fnmr``: where resamples have that rate at that FMR, whatever threshold it takes.

    Raises:
        InvalidRequest: they did not answer the same pairs, a number is out of range, or prices and
            costs are in two currencies.
    """
    matchups = [*combinations(range(len(sides)), 2)]
    if resamples is None:
        # The lowest p-value is 2 / (resamples + 1); four times below what the correction asks for.
        resamples = max(_USUAL, int(np.ceil(8 * len(matchups) / (1 - confidence))))
    if resamples < _FEWEST:
        raise InvalidRequest(
            f"{resamples} resamples show nothing: give at least {_FEWEST}, better 2,000."
        )
    for side in sides[1:]:
        if not side.table.has_pairs_of(sides[0].table):
            raise InvalidRequest(
                f"{sides[0].name} and {side.name} did not answer the same pairs: give both for one "
                "test set."
            )
    in_common = {
        matchup: sides[0].table.mated
        & sides[matchup[0]].table.answered
        & sides[matchup[1]].table.answered
        for matchup in matchups
    }
    reasons = {
        matchup: _why_not(sides, matchup, rows, required_fmr) for matchup, rows in in_common.items()
    }
    series = [
        Resampling(place, None if sides[place].is_fixed else required_fmr, rows, resamples)
        for matchup, rows in in_common.items()
        if reasons[matchup] is None
        for place in matchup
    ]
    of_system = {
        (place, fmr, name): Resampling(place, fmr, rows, min(resamples, _USUAL))
        for place, fmr in at_fmrs
        if not why_not_comparable(fmr, _scored_others(sides[place].chosen_on))
        for name in ("frr", "fnmr")
        if (rows := _mated_rows(sides[place].table, name)).any()
    }
    drawn = iter(redraw(sides, [*series, *of_system.values()], seed=seed))
    differences, cost_p_values = [], []
    for matchup, rows in in_common.items():
        first, second = (sides[index] for index in matchup)
        blank = Difference(
            first=first.name,
            second=second.name,
            pairs=int(np.count_nonzero(rows)),
            subjects=int(np.count_nonzero(np.bincount(first.table.people.probe[rows]))),
            **_NOT_COMPARED,
            sentence=reasons[matchup] or "",
        )
        difference, cost_p_value = blank, None
        if reasons[matchup] is None:
            values = next(drawn) - next(drawn)
            difference, cost_p_value = _judge(
                blank,
                (first, second),
                rows,
                values[~np.isnan(values)],
                required_fmr,
                confidence,
                costs,
            )
        differences.append(difference)
        cost_p_values.append(cost_p_value)
    rates = {
        at: percentile_interval(values[~np.isnan(values)], confidence)
        for at, values in zip(of_system, drawn, strict=True)
    }
    return _correct(differences, cost_p_values, 1 - confidence), rates


def _mated_rows(table: ScoreTable, rate: str) -> NDArray[np.bool_]:
    """The mated pairs that FRR or FNMR is of."""
    return table.mated & (table.answered if rate == "frr" else table.scored)


def _scored_others(table: ScoreTable) -> int:
    return int(np.count_nonzero(table.scored & ~table.mated))


class McNemar(NamedTuple):
    """The pairs that only one of two systems errs at, and how often equal ones differ so, 0-1."""

    only_first: int
    only_second: int
    p_value: float


def mcnemar(
    first: NDArray[np.bool_], second: NDArray[np.bool_], subjects: NDArray[np.int64] | None = None
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
    fewer, discordant = min(only_first, only_second), only_first + only_second
    p_value = min(1.0, 2 * float(bdtr(fewer, discordant, 0.5))) if discordant else 1.0
    if subjects is not None and discordant:
        _, persons = np.unique(subjects, return_inverse=True)
        person_sums = np.bincount(persons, first.astype(np.float64) - second)
        sum_of_squares = float((person_sums**2).sum())
        statistic = (only_first - only_second) ** 2 / sum_of_squares if sum_of_squares else 0.0
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
    return _Paired.from_errors(first, second, subjects).interval(confidence)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values after Holm's correction for having asked more than one question.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).
    """
    count = len(p_values)
    adjusted = [0.0] * count
    highest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _why_not(
    sides: Sequence[Side], matchup: tuple[int, int], rows: NDArray[np.bool_], required_fmr: float
) -> str | None:
    both_sides = [sides[index] for index in matchup]
    names = f"{both_sides[0].name} and {both_sides[1].name}"
    missing = [side.name for side in both_sides if side.threshold is None]
    chosen = [side.chosen_on for side in both_sides if not side.is_fixed]
    trials = min(map(_scored_others, chosen), default=None)
    if trials is not None and (reason := why_not_comparable(required_fmr, trials)):
        return f"{names} are not compared: {reason}"
    if missing:
        have = "has" if len(missing) == 1 else "have"
        return (
            f"{' and '.join(missing)} {have} no threshold for the required FMR, so that {names} "
            "are not compared."
        )
    return None if rows.any() else f"No mated pair was answered by both {names}."


def _judge(  # noqa: PLR0917 - what `compare_systems` knows of the two
    blank: Difference,
    sides: tuple[Side, Side],
    rows: NDArray[np.bool_],
    values: NDArray[np.float64],
    required_fmr: float,
    confidence: float,
    costs: Costs | None,
) -> tuple[Difference, float | None]:
    """What two systems differ by, before any correction; and the p-value of that in cost."""
    subjects = sides[0].table.probe_subjects[rows]
    first_errors, second_errors = (~side.table.passed(side.threshold)[rows] for side in sides)
    test = mcnemar(first_errors, second_errors, subjects)
    paired = _Paired.from_errors(first_errors, second_errors, subjects)
    exact = paired.interval(confidence)
    resampled = percentile_interval(values, confidence)
    # Drawing again shows nothing beyond the few errors that there are: 0 against 4 never turns
    # round. There the exact ones see further, so each is the more careful of the two.
    ends = attrs.evolve(
        resampled, low=min(resampled.low, exact.low), high=max(resampled.high, exact.high)
    )
    value = (test.only_first - test.only_second) / len(subjects)
    errors = int(np.count_nonzero(first_errors)), int(np.count_nonzero(second_errors))
    difference = attrs.evolve(
        blank,
        errors_first=errors[0],
        errors_second=errors[1],
        only_first=test.only_first,
        only_second=test.only_second,
        frr=Estimate(value=value, interval=ends),
        exact=exact,
        p_value=max(bootstrap_p_value(values), test.p_value),
        p_exact=test.p_value,
        beyond=tuple(side.name for side in sides if side.exceeds(required_fmr, confidence)),
    )
    extra = None if costs is None else false_match_costs(sides, costs, confidence)
    if costs is None or extra is None:
        return difference, None
    # Beside false matches and calls, what varies is who is turned away.
    weight = (1 - costs.impostors) * costs.false_reject
    low, high = (weight * end for end in (ends.low, ends.high))
    difference = attrs.evolve(
        difference,
        cost=Estimate(
            value=weight * value + extra.value,
            interval=attrs.evolve(ends, low=low + extra.low, high=high + extra.high),
        ),
    )
    if not weight:
        # What is charged is known; of false matches at two FMRs nothing is.
        is_known = extra.low * extra.high > 0 and not any(
            s.is_fixed or s.calibration for s in sides
        )
        return difference, 0.0 if is_known else 1.0
    if min(errors) < ENOUGH_FALSE_MATCHES or extra.errors < ENOUGH_FALSE_MATCHES:
        return difference, None
    # They cost the same where the difference of the FRR makes up for all the rest.
    break_even = [-extra.low / weight, -extra.high / weight]
    if min(break_even) <= value <= max(break_even):
        return difference, 1.0
    p_values = [
        max(
            bootstrap_p_value(values - equal_cost),
            paired.p_value(equal_cost) if equal_cost else test.p_value,
        )
        for equal_cost in break_even
    ]
    return difference, max(p_values)


def _correct(
    differences: Sequence[Difference], cost_p_values: Sequence[float | None], alpha: float
) -> tuple[Difference, ...]:
    """With the verdicts, of errors and of costs, each after Holm's correction."""
    adjusted = holm_of_known([difference.p_value for difference in differences])
    cost_adjusted = holm_of_known(cost_p_values)
    corrected = []
    for difference, p_value, cost_p_value in zip(differences, adjusted, cost_adjusted, strict=True):
        names = difference.first, difference.second
        is_real = p_value is not None and p_value < alpha
        is_dearer = cost_p_value is not None and cost_p_value < alpha
        cost = 0.0 if difference.cost is None else difference.cost.value
        corrected.append(
            attrs.evolve(
                difference,
                p_adjusted=p_value,
                is_real=is_real,
                better=names[difference.errors_first > difference.errors_second]
                if is_real
                else None,
                cost_p_adjusted=cost_p_value,
                dearer=names[cost < 0] if is_dearer else None,
            )
        )
    return tuple(corrected)


def holm_of_known(p_values: Sequence[float | None]) -> list[float | None]:
    """`holm` of the p-values that there are."""
    adjusted = iter(holm([p_value for p_value in p_values if p_value is not None]))
    return [None if p_value is None else next(adjusted) for p_value in p_values]


class _Paired(NamedTuple):
    middle: float
    standard_error: float
    freedom: int

    @classmethod
    def from_errors(
        cls, first: NDArray[np.bool_], second: NDArray[np.bool_], subjects: NDArray[np.int64]
    ) -> _Paired:
        _check(first, second)
        if not len(first) or len(subjects) != len(first):
            raise InvalidRequest("A difference needs at least one pair, and a person for each.")
        differences = first.astype(np.float64) - second
        _, persons = np.unique(subjects, return_inverse=True)
        person_count = int(persons.max()) + 1
        count = len(differences) + 2
        middle = float(differences.sum()) / count
        person_sums = np.bincount(persons, differences - middle)
        # The two pairs that are added: a person each, one with +1 and one with -1.
        sum_of_squares = float((person_sums**2).sum()) + (1 - middle) ** 2 + (1 + middle) ** 2
        standard_error = (
            float(np.sqrt(sum_of_squares * (person_count + 2) / (person_count + 1))) / count
        )
        return cls(middle, standard_error, person_count + 1)

    def interval(self, confidence: float) -> Interval:
        half = self.standard_error * float(stdtrit(self.freedom, (1 + confidence) / 2))
        low, high = max(-1.0, self.middle - half), min(1.0, self.middle + half)
        return Interval(low=low, high=high, confidence=confidence, method=Method.CLUSTERED)

    def p_value(self, difference: float) -> float:
        """Two-sided, of a true difference of so much."""
        return 2 * float(stdtr(self.freedom, -abs(self.middle - difference) / self.standard_error))


def _check(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> None:
    if first.shape != second.shape:
        raise InvalidRequest(
            f"Errors of {len(first)} and of {len(second)} pairs cannot be compared: give both for "
            "the same pairs."
        )

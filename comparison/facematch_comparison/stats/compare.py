"""Compare systems on the same pairs: the difference between their FRRs, its interval and p-value.

Systems are compared at the required FMR, each at its own threshold. A threshold is an estimate
from a few false matches, so one of two equal systems gets the lower threshold by chance. Therefore
the interval and the p-value of the difference account for the choice: by the influence of each pair
if at least 500 false matches are expected, else by a bootstrap over people that chooses new
thresholds. The exact test and interval at fixed thresholds are reported, too. Systems are not
compared below `ENOUGH_FALSE_MATCHES` expected false matches: a bootstrap repeats only the few
observed scores, and would report chance as a difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, overload

import attrs
import numpy as np
from scipy.special import bdtr, chdtrc, stdtrit

from facematch_comparison.scores.answers import check_alike
from facematch_comparison.values.model import Difference, Estimate, Interval, Method

from .bootstrap import Resampling, bootstrap_p_value, percentile_interval, redraw
from .influence import Influence, influence_on_frr
from .rates import Bools, Floats, Ints, Side
from .threshold import why_not_comparable

#: Number of resamples for a verdict, and for an interval at an FMR.
_FOR_VERDICT: Final = 2_000
_FOR_INTERVAL: Final = 500


def compare_systems(
    systems: Sequence[Side],
    *,
    required_fmr: float,
    confidence: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> tuple[tuple[Difference, ...], list[dict[str, Interval]]]:
    """Compare the FRRs of every two systems.

    A difference is real (significant) if its p-value, after Holm's correction for all comparisons,
    is below 1 - `confidence`, and its interval does not contain 0. Headline, sentences and tables
    repeat this verdict; no other rule decides significance.

    Also return, for each system, the intervals of ``frr`` and ``fnmr`` at the required FMR, which
    account for the choice of the threshold; none for a fixed threshold, or if systems cannot be
    compared at that FMR. `resamples` defaults to 2,000, or more if Holm's correction requires it.
    """
    check_alike([system.table for system in systems])
    matchups = list(combinations(range(len(systems)), 2))
    if resamples is None:
        # The lowest possible p-value, 2 / (resamples + 1), is a quarter of the corrected level.
        resamples = max(_FOR_VERDICT, math.ceil(8 * len(matchups) / (1 - confidence)))
    comparisons = [
        _Comparison(systems, numbers, required_fmr, resamples=resamples) for numbers in matchups
    ]
    rates_at_fmr = _rates_at_fmr(systems, required_fmr, min(resamples, _FOR_INTERVAL))
    series: list[Resampling] = []
    for comparison in comparisons:
        series += comparison.series
    for rate in rates_at_fmr:
        series += rate.series
    drawn = iter(redraw(systems, series, required_fmr, seed=seed))
    differences = [comparison.difference(drawn, confidence) for comparison in comparisons]
    intervals: list[dict[str, Interval]] = [{} for _ in systems]
    for rate in rates_at_fmr:
        interval = rate.interval(drawn, confidence)
        for name in rate.names:
            intervals[rate.number][name] = interval
    return tuple(_corrected(differences, confidence)), intervals


def _corrected(differences: Sequence[Difference], confidence: float) -> list[Difference]:
    """Return differences with p-values corrected for all of them, and what is significant."""
    corrected = []
    p_values = holm([difference.p_value for difference in differences])
    for difference, p_value in zip(differences, p_values, strict=True):
        if difference.frr is None or p_value is None:
            corrected.append(difference)
            continue
        ends = difference.frr.interval
        is_real = p_value < 1 - confidence and not ends.low <= 0 <= ends.high
        better = difference.second if difference.frr.value > 0 else difference.first
        corrected.append(
            attrs.evolve(
                difference,
                p_adjusted=p_value,
                is_real=is_real,
                better=better if is_real else None,
            )
        )
    return corrected


@overload
def holm(p_values: Sequence[float]) -> list[float]: ...


@overload
def holm(p_values: Sequence[float | None]) -> list[float | None]: ...


def holm(p_values: Sequence[float | None]) -> Sequence[float | None]:
    """Return p-values after Holm's correction for multiple comparisons; None stays None.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).
    """
    known_p_values = [
        (p_value, number) for number, p_value in enumerate(p_values) if p_value is not None
    ]
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p_value, number) in enumerate(sorted(known_p_values)):
        corrected = min(1.0, (len(known_p_values) - rank) * p_value)
        highest = max(highest, corrected)
        adjusted[number] = highest
    return adjusted


class _Comparison:
    """The comparison of two systems.

    Attributes:
        series: The resampled FRRs that it needs: of both systems, or none if the systems are not
            compared, or if the influence of each pair is known.
    """

    def __init__(
        self,
        systems: Sequence[Side],
        numbers: tuple[int, int],
        required_fmr: float,
        *,
        resamples: int,
    ) -> None:
        """Compare the mated pairs that both systems answered.

        `numbers` has the two places in `systems`. Without a common FMR there is only a reason; the
        influence of each person serves where it can be computed, else resamples do.
        """
        self._systems = [systems[number] for number in numbers]
        self._required_fmr = required_fmr
        first, second = (system.table for system in self._systems)
        self._rows = first.mated & first.answered & second.answered
        self._why_not = _why_not_compared(self._systems, self._rows, required_fmr)
        self._influence = None if self._why_not else self._influence_on_difference()
        self.series: list[Resampling] = []
        if not self._why_not and self._influence is None:
            self.series = [Resampling(number, self._rows, resamples) for number in numbers]

    def _influence_on_difference(self) -> Influence | None:
        """Return the influence of each pair on the difference; None if it is not known."""
        first, second = self._systems
        if first.is_fixed and second.is_fixed:
            return None
        on_first = influence_on_frr(first, self._required_fmr, self._rows)
        on_second = influence_on_frr(second, self._required_fmr, self._rows)
        if on_first is None or on_second is None:
            return None
        return on_first.minus(on_second)

    def difference(self, drawn: Iterator[Floats], confidence: float) -> Difference:
        """Return the difference, uncorrected; `drawn` yields the FRRs of `series`."""
        first, second = self._systems
        both_scored = first.table.scored & second.table.scored
        is_same = both_scored & (first.table.scores == second.table.scores)
        difference = Difference(
            first=first.table.name,
            second=second.table.name,
            pairs=int(np.count_nonzero(self._rows)),
            subjects=int(np.count_nonzero(np.bincount(first.table.people.probe[self._rows]))),
            both_scored=int(np.count_nonzero(both_scored)),
            same_scores=int(np.count_nonzero(is_same)),
            sentence=self._why_not,
        )
        if self._why_not:
            return difference
        wrong_first, wrong_second = (
            ~system.table.passed(system.threshold)[self._rows] for system in self._systems
        )
        paired = Paired(wrong_first, wrong_second, first.table.probe_subjects[self._rows])
        exact = paired.interval(confidence)
        p_exact = paired.mcnemar()
        if self._influence is not None:
            interval = self._influence.interval(confidence, lowest=-1.0, highest=1.0)
            p_value = self._influence.p_value
        else:
            resampled = next(drawn) - next(drawn)
            resampled = resampled[~np.isnan(resampled)]
            interval = percentile_interval(resampled, confidence)
            p_value = bootstrap_p_value(resampled)
        beyond = [
            system.table.name
            for system in self._systems
            if system.exceeds(self._required_fmr, confidence)
        ]
        return attrs.evolve(
            difference,
            errors_first=int(np.count_nonzero(wrong_first)),
            errors_second=int(np.count_nonzero(wrong_second)),
            only_first=paired.only_first,
            only_second=paired.only_second,
            # Resamples repeat only the few observed errors: with 0 errors against 4, the difference
            # never changes sign. The exact interval and test allow for that, so use the more
            # conservative result.
            frr=Estimate(value=paired.value, interval=interval.widened(exact)),
            exact=exact,
            p_value=max(p_value, p_exact),
            p_exact=p_exact,
            beyond=tuple(beyond),
        )


class _RateAtFmr:
    """The FRR or FNMR of a system at the required FMR, whose interval is sought.

    Attributes:
        number: Index of the system.
        names: ``frr``, ``fnmr``, or both if they count the same pairs.
        series: The resampled rates that it needs; none if the influence of each pair is known.
    """

    def __init__(
        self,
        system: Side,
        number: int,
        names: Sequence[str],
        fmr: float,
        rows: Bools,
        *,
        resamples: int,
    ) -> None:
        self.number = number
        self.names = names
        self._influence = influence_on_frr(system, fmr, rows)
        self.series: list[Resampling] = []
        if self._influence is None:
            self.series = [Resampling(number, rows, resamples)]

    def interval(self, drawn: Iterator[Floats], confidence: float) -> Interval:
        """Return the interval; `drawn` yields the rates of `series`."""
        if self._influence is not None:
            return self._influence.interval(confidence, lowest=0.0, highest=1.0)
        rates = next(drawn)
        return percentile_interval(rates[~np.isnan(rates)], confidence)


def _rates_at_fmr(systems: Sequence[Side], fmr: float, resamples: int) -> list[_RateAtFmr]:
    """Return the rates whose intervals are sought: of systems that can be compared at this FMR."""
    rates = []
    for number, system in enumerate(systems):
        table = system.table
        if system.is_fixed or system.threshold is None:
            continue
        if why_not_comparable(fmr, table.scored_others):
            continue
        of_frr = table.mated & table.answered
        of_fnmr = table.mated & table.scored
        rows_of: dict[tuple[str, ...], Bools] = {("frr",): of_frr, ("fnmr",): of_fnmr}
        if np.array_equal(of_frr, of_fnmr):
            rows_of = {("frr", "fnmr"): of_frr}
        for names, rows in rows_of.items():
            if rows.any():
                rates.append(
                    _RateAtFmr(
                        system,
                        number,
                        names,
                        fmr,
                        rows,
                        resamples=resamples,
                    )
                )
    return rates


def _why_not_compared(systems: Sequence[Side], rows: Bools, required_fmr: float) -> str:
    """Return why two systems cannot be compared on these mated pairs, or ""."""
    names = " and ".join(system.table.name for system in systems)
    without_threshold = [system.table.name for system in systems if system.threshold is None]
    counts = []
    for system in systems:
        # A system that returns only decisions has no scores to count.
        if not system.is_fixed and system.table.scored_others:
            counts.append(system.table.scored_others)
    reason = why_not_comparable(required_fmr, min(counts)) if counts else None
    if reason:
        return f"{names} are not compared: {reason}"
    if without_threshold:
        have = "has" if len(without_threshold) == 1 else "have"
        return (
            f"{' and '.join(without_threshold)} {have} no threshold for the required FMR, so "
            f"{names} are not compared."
        )
    if not rows.any():
        return f"{names} answered no mated pair in common."
    return ""


class Paired:
    """Errors of two systems on the same pairs at fixed thresholds: boolean arrays, (T,)."""

    def __init__(self, errors_first: Bools, errors_second: Bools, subjects: Ints) -> None:
        self.only_first = int(np.count_nonzero(errors_first & ~errors_second))
        self.only_second = int(np.count_nonzero(errors_second & ~errors_first))
        self.value = (self.only_first - self.only_second) / len(subjects)
        self._differences = errors_first.astype(np.float64) - errors_second
        _, self._persons = np.unique(subjects, return_inverse=True)

    def mcnemar(self) -> float:
        """Return the p-value of McNemar's test: the exact one, or the clustered one if higher.

        Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12 (1947); V. L. Durkalski et al., "Analysis of clustered
        matched-pair data", Statistics in Medicine 22 (2003).
        """
        discordant = self.only_first + self.only_second
        if not discordant:
            return 1.0
        rarer = min(self.only_first, self.only_second)
        exact = min(1.0, 2 * float(bdtr(rarer, discordant, 0.5)))
        at_persons = np.bincount(self._persons, self._differences)
        sum_of_squares = float((at_persons**2).sum())
        statistic = float(at_persons.sum()) ** 2 / sum_of_squares if sum_of_squares else 0.0
        return max(exact, float(chdtrc(1, statistic)))

    def interval(self, confidence: float) -> Interval:
        """Return the interval for the first system's rate minus the second's, -1 to 1."""
        return interval_of_differences(self._differences, self._persons, confidence)


def interval_of_differences(
    differences: Floats, persons: Ints, confidence: float, *, largest: float = 1.0
) -> Interval:
    """Return the interval for the mean of paired differences, each at most `largest` either way.

    Differences are summed by person; persons are numbered from 0. One difference is added in each
    direction, of two new persons, so that the interval does not vanish if the systems hardly
    disagree (A. Agresti and Y. Min, "Simple improved confidence intervals for comparing matched
    proportions", Statistics in Medicine 24, 2005).
    """
    sum_of_person = np.bincount(persons, differences)
    people = len(sum_of_person)
    count = len(differences) + 2
    middle = float(differences.sum()) / count
    deviations = sum_of_person - middle * np.bincount(persons)
    added = (largest - middle) ** 2 + (largest + middle) ** 2
    variance = (float((deviations**2).sum()) + added) * (people + 2) / (people + 1)
    half = math.sqrt(variance) / count * float(stdtrit(people + 1, (1 + confidence) / 2))
    return Interval(
        low=max(-largest, middle - half),
        high=min(largest, middle + half),
        confidence=confidence,
        method=Method.CLUSTERED,
    )

"""Compare systems on the same pairs: the difference between their FRRs, its interval and p-value.

Systems are compared at the required FMR, each at its own threshold. A threshold is an estimate
from a few false matches, so one of two equal systems gets the lower threshold by chance. Therefore
a bootstrap resamples people and chooses new thresholds for the interval and the p-value of the
difference. The exact test and interval at fixed thresholds are reported, too. Systems are not
compared below `ENOUGH_FALSE_MATCHES` expected false matches: a bootstrap repeats only the few
observed scores, and would report chance as a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import attrs
import numpy as np
from scipy.special import bdtr, chdtrc, stdtrit

from facematch_comparison.scores.answers import check_alike
from facematch_comparison.values.model import Difference, Estimate, Interval, Method

from .bootstrap import Resampling, bootstrap_p_value, percentile_interval, redraw
from .rates import Bools, Floats, Ints, Side
from .threshold import why_not_comparable

#: Number of resamples for a verdict, and for an interval at an FMR.
_USUAL, _AT_FMR = 2_000, 500


def compare_systems(
    sides: Sequence[Side],
    *,
    required_fmr: float,
    confidence: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> tuple[tuple[Difference, ...], list[dict[tuple[str, float], Interval]]]:
    """Compare the FRRs of every two systems.

    A difference is real (significant) if its p-value, after Holm's correction for all comparisons,
    is below 1 - `confidence`. Headline, sentences and tables repeat this verdict; no other rule
    decides significance.

    Also return, for each side and each of its `fmrs` at which systems can be compared, the
    intervals of ``frr`` and ``fnmr`` at that FMR, with a new threshold in each resample.
    `resamples` defaults to 2,000, or to more if Holm's correction requires it.
    """
    check_alike([side.table for side in sides])
    matchups = [*combinations(range(len(sides)), 2)]
    if resamples is None:
        # The lowest possible p-value, 2 / (resamples + 1), is a quarter of the corrected level.
        resamples = max(_USUAL, int(np.ceil(8 * len(matchups) / (1 - confidence))))
    mated = sides[0].table.mated
    differences, compared, series = [], {}, []
    for at, matchup in enumerate(matchups):
        first, second = (sides[place] for place in matchup)
        rows = mated & first.table.answered & second.table.answered
        difference = Difference(
            first=first.table.name,
            second=second.table.name,
            pairs=int(np.count_nonzero(rows)),
            subjects=int(np.count_nonzero(np.bincount(first.table.people.probe[rows]))),
            sentence=_why_not_compared((first, second), rows, required_fmr),
        )
        differences.append(difference)
        if not difference.sentence:
            compared[at] = (first, second), rows
            for place in matchup:
                fmr = None if sides[place].is_fixed else required_fmr
                series.append(Resampling(place, fmr, rows, resamples))
    of_side = {
        (place, name, fmr): Resampling(place, fmr, rows, min(resamples, _AT_FMR))
        for place, side in enumerate(sides)
        for fmr in side.fmrs
        if not why_not_comparable(fmr, side.chosen_on.scored_others)
        for name, counted in (("frr", side.table.answered), ("fnmr", side.table.scored))
        if (rows := mated & counted).any()
    }
    drawn = iter(redraw(sides, [*series, *of_side.values()], seed=seed))
    for at, (two, rows) in compared.items():
        found = _compare(two, rows, next(drawn) - next(drawn), confidence)
        beyond = [each.table.name for each in two if each.exceeds(required_fmr, confidence)]
        differences[at] = attrs.evolve(differences[at], **found, beyond=tuple(beyond))
    for at, p_value in enumerate(holm([each.p_value for each in differences])):
        each = differences[at]
        if each.frr and p_value is not None:
            is_real = p_value < 1 - confidence
            better = (each.second if each.frr.value > 0 else each.first) if is_real else None
            differences[at] = attrs.evolve(each, p_adjusted=p_value, is_real=is_real, better=better)
    intervals: list[dict[tuple[str, float], Interval]] = [{} for _ in sides]
    for (place, name, fmr), values in zip(of_side, drawn, strict=True):
        seen = values[~np.isnan(values)]
        intervals[place][name, fmr] = percentile_interval(seen, confidence)
    return tuple(differences), intervals


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values after Holm's correction for multiple comparisons; None stays None.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).
    """
    questions = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p_value, place) in enumerate(questions):
        adjusted[place] = highest = max(highest, min(1.0, (len(questions) - rank) * p_value))
    return adjusted


def _why_not_compared(two: Sequence[Side], rows: Bools, required_fmr: float) -> str:
    """Return why two systems cannot be compared on these mated pairs, or ""."""
    names = " and ".join(side.table.name for side in two)
    missing = [side.table.name for side in two if side.threshold is None]
    # A system that returns only decisions has no scores to count.
    counts = [n for side in two if not side.is_fixed and (n := side.chosen_on.scored_others)]
    if counts and (reason := why_not_comparable(required_fmr, min(counts))):
        return f"{names} are not compared: {reason}"
    if missing:
        lack = f"{' and '.join(missing)} {'has' if len(missing) == 1 else 'have'} no threshold"
        return f"{lack} for the required FMR, so {names} are not compared."
    return "" if rows.any() else f"{names} answered no mated pair in common."


def _compare(
    two: Sequence[Side], rows: Bools, resampled: Floats, confidence: float
) -> dict[str, Any]:
    """Return the difference between two systems on `rows`, uncorrected, as fields of `Difference`.

    `resampled` is the difference of the two FRRs in each resample.
    """
    resampled = resampled[~np.isnan(resampled)]
    wrong_first, wrong_second = (~side.table.passed(side.threshold)[rows] for side in two)
    paired = Paired(wrong_first, wrong_second, two[0].table.probe_subjects[rows])
    exact, p_exact = paired.interval(confidence), paired.mcnemar()
    # Resamples repeat only the few observed errors: with 0 errors against 4, the difference never
    # changes sign. The exact interval and test allow for that, so use the more conservative result.
    ends = percentile_interval(resampled, confidence).widened(exact)
    return {
        "errors_first": int(np.count_nonzero(wrong_first)),
        "errors_second": int(np.count_nonzero(wrong_second)),
        "only_first": paired.only_first,
        "only_second": paired.only_second,
        "frr": Estimate(value=paired.value, interval=ends),
        "exact": exact,
        "p_value": max(bootstrap_p_value(resampled), p_exact),
        "p_exact": p_exact,
    }


class Paired:
    """Errors of two systems on the same pairs at fixed thresholds: boolean arrays, (T,).

    Differences are summed by person in `subjects`. One pair is added in each direction, so that
    the interval does not vanish if the systems hardly disagree (A. Agresti and Y. Min, "Simple
    improved confidence intervals for comparing matched proportions", Statistics in Medicine 24,
    2005).
    """

    def __init__(self, first: Bools, second: Bools, subjects: Ints) -> None:
        self.only_first = int(np.count_nonzero(first & ~second))
        self.only_second = int(np.count_nonzero(second & ~first))
        self.value = (self.only_first - self.only_second) / len(subjects)
        _, persons = np.unique(subjects, return_inverse=True)
        self._at_persons = np.bincount(persons, first.astype(np.float64) - second)
        people, count = len(self._at_persons), len(subjects) + 2
        self._middle = middle = (self.only_first - self.only_second) / count
        rest = self._at_persons - middle * np.bincount(persons)
        # Each of the two added pairs shows a new person; their differences are +1 and -1.
        sum_of_squares = float((rest**2).sum()) + (1 - middle) ** 2 + (1 + middle) ** 2
        self._standard_error = float(np.sqrt(sum_of_squares * (people + 2) / (people + 1))) / count
        self._freedom = people + 1

    def mcnemar(self) -> float:
        """Return the p-value of McNemar's test: the exact one, or the clustered one if higher.

        Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12 (1947); V. L. Durkalski et al., "Analysis of clustered
        matched-pair data", Statistics in Medicine 22 (2003).
        """
        discordant = self.only_first + self.only_second
        if not discordant:
            return 1.0
        exact = min(1.0, 2 * float(bdtr(min(self.only_first, self.only_second), discordant, 0.5)))
        sum_of_squares = float((self._at_persons**2).sum())
        statistic = float(self._at_persons.sum()) ** 2 / sum_of_squares if sum_of_squares else 0.0
        return max(exact, float(chdtrc(1, statistic)))

    def interval(self, confidence: float) -> Interval:
        """Return the interval for the first system's rate minus the second's, -1 to 1."""
        half = self._standard_error * float(stdtrit(self._freedom, (1 + confidence) / 2))
        low, high = max(-1.0, self._middle - half), min(1.0, self._middle + half)
        return Interval(low=low, high=high, confidence=confidence, method=Method.CLUSTERED)

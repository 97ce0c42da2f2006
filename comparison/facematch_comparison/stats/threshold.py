"""Choose the threshold for a required FMR; compute the DET curve of all thresholds.

The threshold lies just above the (k+1)-th highest of the non-mated scores, where k is the maximum
number that may pass. The FMR at this threshold has an exact bound, although it was chosen on the
same pairs (see `at_chosen_threshold`), so no pairs need to be reserved for the choice.

DET curve (detection error trade-off): A. Martin et al., "The DET curve in assessment of detection
task performance", Eurospeech 1997; ISO/IEC 19795-1:2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.special import ndtri

from facematch_comparison.scores.answers import Answers, ScoresByKind
from facematch_comparison.values.model import Concentration, Curve, Estimate, Interval, Method
from facematch_comparison.values.numbers import counted, in_words, setting
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from .rates import Floats, Ints, Rates, allowed_errors, trials_allowing

#: The FMRs at which systems are compared by default: the strictest that the data support.
COMMON_FMRS: Final = (1e-2, 1e-3, 1e-4)

#: The FMRs that all reports show; the last ones are those of large evaluations, such as FRTE.
SHOWN_FMRS: Final = (*COMMON_FMRS, 1e-5, 1e-6)

#: Minimum number of expected false matches at a threshold at which systems are compared.
ENOUGH_FALSE_MATCHES: Final = 5

#: Maximum decimal places of a threshold that a vendor can be expected to accept.
_DECIMALS: Final = 6


class ThresholdChoice(NamedTuple):
    """A threshold for a required FMR, on the scale of the scores, or why there is none.

    `pairs_needed` is the number of non-mated pairs needed if there are too few, else None.
    """

    threshold: float | None
    why_not: str | None = None
    pairs_needed: int | None = None


def threshold_for_fmr(table: Answers, max_fmr: float, *, least: int = 1) -> ThresholdChoice:
    """Return the lowest threshold with an FMR of at most `max_fmr`; requires scores and a rule.

    There is none if fewer than `least` (1 or `ENOUGH_FALSE_MATCHES`) false matches are expected.
    """
    trials = len(table.sorted_scores.non_mated)
    allowed = allowed_errors(max_fmr, trials)
    return _choose(table.sorted_scores, table.rule, allowed, max_fmr, trials, least=least)


def threshold_from_counts(
    scores: Floats,
    mated: Ints,
    non_mated: Ints,
    max_fmr: float,
    rule: ThresholdRule = ThresholdRule.AT_LEAST,
) -> ThresholdChoice:
    """Return the threshold that a report chooses, from counts that a database can compute.

    Args:
        scores: The distinct scores, the lowest first: float64, (N,).
        mated, non_mated: How many pairs of each kind have each score: int64, (N,).
        max_fmr: The required FMR.
        rule: How scores are compared with the threshold.

    Raises:
        InvalidRequest: the scores are unsorted, or one is repeated or NaN.
    """
    if np.isnan(scores).any() or (np.diff(scores) <= 0).any():
        raise InvalidRequest("The scores must be distinct numbers, the lowest first.")
    trials = int(non_mated.sum())
    is_non_mated = non_mated > 0
    passed = np.cumsum(non_mated[is_non_mated][::-1])
    allowed = np.searchsorted(passed, allowed_errors(max_fmr, trials), side="right")
    distinct = ScoresByKind(scores[mated > 0], scores[is_non_mated])
    return _choose(distinct, rule, int(allowed), max_fmr, trials)


def _choose(
    scores: ScoresByKind,
    rule: ThresholdRule,
    allowed: int,
    max_fmr: float,
    trials: int,
    *,
    least: int = 1,
) -> ThresholdChoice:
    """Return the lowest threshold that `allowed` of the non-mated scores pass, or why none is."""
    why_not = why_unseen if least == 1 else why_not_comparable
    reason = why_not(max_fmr, trials)
    if reason:
        return ThresholdChoice(None, reason, trials_allowing(least, max_fmr))
    threshold = _lowest(scores, rule, allowed)
    if threshold is None:
        reason = (
            f"Two different people have the highest score of all pairs ({scores.non_mated[-1]:g}), "
            "so a threshold that rejects them rejects everybody."
        )
    return ThresholdChoice(threshold, reason)


def why_unseen(fmr: float, trials: int) -> str | None:
    """Return why `trials` non-mated pairs are too few for an FMR; None if at least one may pass.

    If no pair may pass, the threshold depends only on the highest score, not on the FMR.
    """
    if allowed_errors(fmr, trials):
        return None
    if not trials:
        return "No non-mated pair has a score."
    few = counted(trials, "non-mated pair is", "non-mated pairs are")
    return f"{few} too few for an FMR of {setting(fmr)} %; {trials_allowing(1, fmr):,} are needed."


def why_not_comparable(fmr: float, trials: int) -> str | None:
    """Return why `trials` non-mated pairs are too few to compare systems at an FMR, or None."""
    if allowed_errors(fmr, trials) >= ENOUGH_FALSE_MATCHES:
        return None
    strictest = strictest_fmr(trials)
    instead = f" They are enough for {in_words(strictest)}." if strictest else ""
    few = counted(trials, "non-mated pair is", "non-mated pairs are")
    needed = trials_allowing(ENOUGH_FALSE_MATCHES, fmr)
    return f"{few} too few to compare systems at {in_words(fmr)}; {needed:,} are needed.{instead}"


def comparable_fmr(trials: int) -> float | None:
    """Return the strictest of `COMMON_FMRS` that this number of non-mated pairs supports.

    If there are too few pairs for any of these, return `strictest_fmr`.
    """
    for fmr in reversed(COMMON_FMRS):
        if why_not_comparable(fmr, trials) is None:
            return fmr
    return strictest_fmr(trials)


def strictest_fmr(trials: int) -> float | None:
    """Return the strictest FMR 1/N that this number of pairs supports; None below 10 pairs."""
    trials_per_match = trials // ENOUGH_FALSE_MATCHES
    return 1 / trials_per_match if trials_per_match > 1 else None


def concentration(
    table: Answers, threshold: float | None, *, max_fmr: float | None = None
) -> Concentration | None:
    """Return how much a threshold, or its FMR, depends on a few people, or None without pairs.

    A few people who look like many others ("wolves" and "lambs") can raise a threshold, or cause
    most false matches. Intervals are then less reliable: people outside the test set may be worse.

    If the threshold was chosen for a `max_fmr` on this table, the counted pairs determine it: the
    highest non-mated pair that may not pass, and all non-mated pairs with an equal or higher score.
    Otherwise, they are the false matches.
    """
    if max_fmr is None:
        counted = table.passed(threshold) & ~table.mated
    else:
        non_mated = table.sorted_scores.non_mated
        allowed = allowed_errors(max_fmr, len(non_mated))
        lowest_counted = non_mated[-1 - allowed] if allowed < len(non_mated) else -np.inf
        counted = table.scored & ~table.mated & (table.scores >= lowest_counted)
    rows = np.flatnonzero(counted)
    if not len(rows):
        return None
    people = table.people
    ends = np.stack([people.probe[rows], people.reference[rows]])
    counts = np.bincount(ends.ravel())
    worst = int(counts.argmax())
    return Concentration(
        pairs=len(rows),
        worst_person=int(counts[worst]) / len(rows),
        person=table.person(int(people.numbers[worst])),
    )


def _lowest(sorted_scores: ScoresByKind, rule: ThresholdRule, allowed: int) -> float | None:
    """Return the lowest threshold that at most `allowed` non-mated pairs pass.

    The lowest threshold rejects the fewest mated pairs. With ABOVE it is an observed score; with
    AT_LEAST it is one step higher in the last decimal place of the scores, in case the vendor
    rounds thresholds. If scores have more than six places, it is a number just above the score with
    as few places as possible, at least six. Mated pairs only affect this number of places.
    """
    mated, non_mated = sorted_scores
    is_above = rule is ThresholdRule.ABOVE
    if allowed >= len(non_mated):
        # All may pass: use the lowest score, or just below it.
        lowest = float(min([*mated[:1], non_mated[0]]))
        return float(np.nextafter(lowest, -np.inf)) if is_above else lowest
    refused_score = float(non_mated[-1 - allowed])
    higher_scores = []
    for scores in (mated, non_mated):
        lower_count = np.searchsorted(scores, refused_score, side="right")
        if lower_count < len(scores):
            higher_scores.append(float(scores[lower_count]))
    if not higher_scores or (is_above and round(refused_score, _DECIMALS) == refused_score):
        return refused_score if is_above else None
    highest = min(higher_scores)
    if is_above:
        highest = float(np.nextafter(highest, -np.inf))
    decimals = _decimals(sorted_scores)
    for decimals_shown in range(_DECIMALS if decimals is None else decimals, 17):
        threshold = round(refused_score + 10.0**-decimals_shown, decimals_shown)
        if refused_score < threshold <= highest:
            return threshold
    return refused_score if is_above else highest


def _decimals(sorted_scores: ScoresByKind) -> int | None:
    """Return the number of decimal places of the scores; None if there are too many."""
    for decimals_shown in range(_DECIMALS + 1):
        if all(np.array_equal(scores, scores.round(decimals_shown)) for scores in sorted_scores):
            return decimals_shown
    return None


#: Maximum number of points on a curve: more than a screen can resolve, few enough for a page.
POINTS: Final = 120


class DetCurve(NamedTuple):
    """The vertices of a DET curve, in ascending order of thresholds, and the equal error rate.

    A vertex has the lowest FMR for its FNMR. At the first vertex, every scored mated pair passes.
    At the last vertex, none does; with AT_LEAST its threshold is infinite. `eer` is interpolated
    linearly where FMR equals FNMR.
    """

    thresholds: Floats
    fmr: Floats
    fnmr: Floats
    eer: float


def det_curve(mated: Floats, non_mated: Floats, rule: ThresholdRule) -> DetCurve:
    """Return the DET curve of sorted scores, at least one of each kind, for a threshold rule.

    Equal mated scores become one vertex.
    """
    # The first index of each distinct mated score is the number of mated scores below it.
    refused_counts = np.flatnonzero(np.concatenate([[True], mated[1:] != mated[:-1]]))
    scores = mated[refused_counts]
    below = np.searchsorted(non_mated, scores, side="left")
    refused_counts = np.append(refused_counts, len(mated))
    passed_counts = np.append(len(non_mated) - below, 0)
    thresholds = _thresholds(scores, non_mated, below, rule)
    eer = _equal_error_rate(scores, refused_counts, passed_counts, non_mated)
    return DetCurve(
        thresholds,
        fmr=passed_counts / len(non_mated),
        fnmr=refused_counts / len(mated),
        eer=eer,
    )


def curve_of(rates: Rates, *, include: Sequence[float] = ()) -> Curve | None:
    """Return the DET curve of a system, thinned for a page; None without scores of both kinds.

    The curve has a point at each threshold in `include`, such as operating points.
    """
    mated, non_mated = rates.table.sorted_scores
    if not len(mated) or not len(non_mated):
        return None
    curve = det_curve(mated, non_mated, rates.table.rule)
    # Leave out the last vertex, whose threshold may be infinite.
    rows = _pick_vertices(curve.fmr[:-1], curve.fnmr[:-1])
    thresholds = sorted({*map(float, curve.thresholds[rows]), *map(float, include)})
    columns = {}
    for name in ("fmr", "fnmr", "frr"):
        curve_rates = rates.along(name, thresholds)
        intervals = [rate.interval for rate in curve_rates if rate.interval is not None]
        columns[name] = tuple(rate.errors / rate.trials for rate in curve_rates)
        columns[f"{name}_low"] = tuple(interval.low for interval in intervals)
        columns[f"{name}_high"] = tuple(interval.high for interval in intervals)
    # A bound of one rate moves the crossing; as in `weighted_sum`, distances are added as squares.
    # They begin at `curve.eer`: if few errors decide, the crossing of these points lies below it.
    ends = []
    for bound, sign in (("low", -1), ("high", 1)):
        crossings = (
            _crossing(columns[f"fnmr_{bound}"], columns["fmr"]),
            _crossing(columns["fnmr"], columns[f"fmr_{bound}"]),
        )
        distances = sign * np.subtract(crossings, curve.eer)
        ends.append(curve.eer + sign * math.hypot(*distances.clip(0)))
    interval = Interval(
        low=max(0.0, ends[0]),
        high=min(1.0, ends[1]),
        confidence=rates.confidence,
        method=Method.CLUSTERED,
    )
    return Curve(
        thresholds=tuple(thresholds),
        **columns,
        confidence=rates.confidence,
        eer=Estimate(value=curve.eer, interval=interval),
    )


def _crossing(fnmr: Sequence[float], fmr: Sequence[float]) -> float:
    """Return the rate at which two curves over the same rising thresholds cross.

    Beyond the last threshold, every pair is rejected: an FNMR of 1, and an FMR of 0.
    """
    rejected = np.append(fnmr, 1.0)
    gaps = np.maximum.accumulate(rejected - np.append(fmr, 0.0))
    return float(np.interp(0.0, gaps, rejected))


def _equal_error_rate(
    scores: Floats, refused_counts: Ints, passed_counts: Ints, non_mated_scores: Floats
) -> float:
    """Return the rate at which FMR = FNMR on straight lines between the points of the DET curve."""
    mated = int(refused_counts[-1])
    non_mated = len(non_mated_scores)
    # Find the last vertex with FMR >= FNMR; compare integers, so that equality is exact.
    vertex = np.flatnonzero(passed_counts[:-1] * mated >= refused_counts[:-1] * non_mated)[-1]
    fnmr = refused_counts[vertex] / mated
    fmr = passed_counts[vertex] / non_mated
    # At the next vertex, the threshold has passed this mated score, equal non-mated scores, and
    # non-mated scores below the next mated one.
    next_fnmr = refused_counts[vertex + 1] / mated
    below = int(np.searchsorted(non_mated_scores, scores[vertex], side="right"))
    next_fmr = (non_mated - below) / non_mated
    if next_fmr > next_fnmr:
        return float(next_fnmr)
    share = (fmr - fnmr) / ((fmr - next_fmr) + (next_fnmr - fnmr))
    return float(fnmr + share * (next_fnmr - fnmr))


def _thresholds(
    scores: Floats, non_mated_scores: Floats, below: Ints, rule: ThresholdRule
) -> Floats:
    """Return the highest threshold that each score passes, and one that no score passes."""
    if rule is ThresholdRule.AT_LEAST:
        return np.append(scores, np.inf)
    # Use the highest observed score below each score; any threshold in between is equivalent.
    thresholds_below = np.concatenate([[-np.inf], non_mated_scores])
    others_below = thresholds_below[np.append(below, len(non_mated_scores))]
    highest: Floats = np.maximum(np.concatenate([[-np.inf], scores]), others_below)
    if np.isneginf(highest[0]):
        highest[0] = np.nextafter(scores[0], -np.inf)
    return highest


def _pick_vertices(fmr: Floats, fnmr: Floats) -> Ints:
    """Return indexes of at most `POINTS` vertices, evenly spaced on the axes of a DET plot."""
    if len(fmr) <= POINTS:
        return np.arange(len(fmr))
    # Rates of 0 and 1 are infinitely far away on these axes: clip them.
    x = ndtri(np.clip(fmr, 1e-6, 1 - 1e-6))
    y = ndtri(np.clip(fnmr, 1e-6, 1 - 1e-6))
    distances = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    steps = np.linspace(0, distances[-1], POINTS)
    return np.unique(np.minimum(np.searchsorted(distances, steps), len(fmr) - 1))

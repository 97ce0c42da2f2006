"""The detection error trade-off: FMR and FNMR at every threshold, and what of it a page shows.

A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997;
ISO/IEC 19795-1:2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from scipy.special import ndtri

from facematch_comparison.model import Curve, Histogram, ScoreTable
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from .rates import Rates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Points of a curve: more than a screen can show apart, few enough for a page.
POINTS: Final = 120

#: Bins of a histogram.
BINS: Final = 50


@attrs.frozen(kw_only=True, eq=False)
class DetCurve:
    """A DET curve by its vertices, thresholds rising.

    Between two vertices FNMR does not change and FMR is no better: for each FNMR that can be had,
    a vertex has the lowest FMR. The first lets every acquired mated pair in, the last nobody.

    Attributes:
        thresholds: float64, (K,). The last is infinite where `rule` is AT_LEAST.
        fmr: float64, (K,), 0-1, falling: non-mated pairs that pass.
        fnmr: float64, (K,), 0-1, rising: mated pairs that do not.
        rule: How a score is compared with a threshold.
        equal: FMR where it equals FNMR, 0-1, of pairs with a score alone.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    rule: ThresholdRule
    equal: float


def det_curve(
    mated: ArrayLike,
    non_mated: ArrayLike,
    *,
    mated_failures: int = 0,
    non_mated_failures: int = 0,
    rule: ThresholdRule = ThresholdRule.AT_LEAST,
) -> DetCurve:
    """The DET curve of two sets of scores. Ties stay ties: no order is invented within one score.

    Args:
        mated, non_mated: Scores, higher is more alike; at least one of each.
        mated_failures: Mated pairs without a score: refused at every threshold, so that the curve
            shows FRR for FNMR.
        non_mated_failures: Non-mated pairs without a score: never accepted (FAR for FMR).
        rule: ABOVE or AT_LEAST.

    Raises:
        InvalidRequest: a set is empty or holds NaN, a count is negative, or the rule is VENDOR.
    """
    same, others = _sorted("mated", mated), _sorted("non_mated", non_mated)
    for name, count in (("mated", mated_failures), ("non_mated", non_mated_failures)):
        if count < 0:
            raise InvalidRequest(f"{name}_failures must be at least 0, not {count}.")
    # The first place of each distinct score: as many mated scores lie below it.
    first = np.flatnonzero(np.concatenate([[True], same[1:] != same[:-1]]))
    scores = same[first]
    below = np.searchsorted(others, scores, side="left")
    refused = np.concatenate([first, [len(same)]]) + float(mated_failures)
    let_in = np.concatenate([len(others) - below, [0]]).astype(np.float64)
    return DetCurve(
        thresholds=_thresholds(scores, others, below, rule),
        fmr=let_in / (len(others) + non_mated_failures),
        fnmr=refused / (len(same) + mated_failures),
        rule=rule,
        equal=_equal_error_rate(scores, first, below, others, len(same)),
    )


def eer(curve: DetCurve) -> float:
    """The equal error rate, 0-1: where FMR equals FNMR, between two steps by a straight line.

    Failures to acquire play no part, whether the curve holds them or not. It is at a threshold
    that nobody uses, so it is no headline.
    """
    return curve.equal


def curve_of(rates: Rates, *, include: Sequence[float] = ()) -> Curve | None:
    """The DET curve of a system that gives scores, thinned for a page.

    Args:
        rates: Of what it answered; the interval at each point is for that point alone.
        include: Thresholds that must be points of the curve, such as its operating points.

    Returns:
        None without a mated or without a non-mated score.
    """
    table = rates.table
    scored = table.scored
    mated, others = table.scores[scored & table.mated], table.scores[scored & ~table.mated]
    if not len(mated) or not len(others):
        return None
    whole = det_curve(mated, others, rule=table.rule)
    # The last lets nobody in, at a threshold that cannot be set.
    rows = _thinned(whole.fmr[:-1], whole.fnmr[:-1])
    thresholds = sorted({*map(float, whole.thresholds[rows]), *map(float, include)})
    at = {name: _along(rates, name, thresholds) for name in ("fmr", "fnmr", "frr")}
    return Curve(
        thresholds=tuple(thresholds),
        fmr=at["fmr"][0],
        fnmr=at["fnmr"][0],
        frr=at["frr"][0],
        fmr_low=at["fmr"][1],
        fmr_high=at["fmr"][2],
        fnmr_low=at["fnmr"][1],
        fnmr_high=at["fnmr"][2],
        frr_low=at["frr"][1],
        frr_high=at["frr"][2],
        confidence=rates.confidence,
        eer=eer(whole),
    )


def histogram_of(table: ScoreTable) -> Histogram | None:
    """How the scores of mated and non-mated pairs are spread; None without a score."""
    scores = table.scores[table.scored]
    if not len(scores):
        return None
    low, high = float(scores.min()), float(scores.max())
    # The scale, where it is one of the two usual ones; else as far as the scores go.
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 100:
        low, high = 0.0, 100.0
    elif low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)

    def counted(rows: NDArray[np.bool_]) -> tuple[int, ...]:
        counts, _ = np.histogram(table.scores[table.scored & rows], edges)
        return tuple(map(int, counts))

    return Histogram(
        edges=tuple(map(float, edges)),
        mated=counted(table.mated),
        non_mated=counted(~table.mated),
    )


def _along(
    rates: Rates, name: str, thresholds: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """One rate at each threshold, and the lower and upper ends of its interval."""
    found = [rates.at(name, threshold) for threshold in thresholds]
    ends = [one.interval for one in found if one.interval is not None]
    return (
        tuple(one.errors / one.trials for one in found),
        tuple(one.low for one in ends),
        tuple(one.high for one in ends),
    )


def _equal_error_rate(
    scores: NDArray[np.float64],
    first: NDArray[np.int64],
    below: NDArray[np.int64],
    others: NDArray[np.float64],
    mated: int,
) -> float:
    """Where the line through all points of the DET curve, not only its vertices, has FMR = FNMR."""
    # The last vertex at which as many of the others pass as mated ones are refused, or more.
    # In whole numbers, so that equal is equal; Python's own cannot overflow.
    low, high = 0, len(scores)
    while high - low > 1:
        middle = (low + high) // 2
        if (len(others) - int(below[middle])) * mated >= int(first[middle]) * len(others):
            low = middle
        else:
            high = middle
    at = (first[low] / mated, (len(others) - below[low]) / len(others))
    # From there the threshold rises over this mated score and those of others that are equal to it,
    # then over the others up to the next mated score.
    refused = (first[low + 1] if low + 1 < len(scores) else mated) / mated
    passed = (len(others) - int(np.searchsorted(others, scores[low], side="right"))) / len(others)
    if passed > refused:
        return float(refused)
    share = (at[1] - at[0]) / ((at[1] - passed) + (refused - at[0]))
    return float(at[0] + share * (refused - at[0]))


def _sorted(name: str, scores: ArrayLike) -> NDArray[np.float64]:
    found = np.sort(np.asarray(scores, dtype=np.float64), axis=None)
    if not len(found):
        raise InvalidRequest(f"There are no {name} scores: a curve needs one at least.")
    # NaN is sorted to the end.
    if np.isnan(found[-1]):
        raise InvalidRequest(f"Some {name} scores are NaN: give their number as {name}_failures.")
    return found


def _thresholds(
    scores: NDArray[np.float64],
    others: NDArray[np.float64],
    below: NDArray[np.int64],
    rule: ThresholdRule,
) -> NDArray[np.float64]:
    """The highest threshold that still lets each of `scores` in, and one that lets nobody in."""
    if rule is ThresholdRule.AT_LEAST:
        return np.concatenate([scores, [np.inf]])
    if rule is not ThresholdRule.ABOVE:
        raise InvalidRequest("A curve needs a known rule: ABOVE or AT_LEAST.")
    # The highest score that anybody has below it; a threshold that nobody scores would do as well.
    highest = np.concatenate([[-np.inf], scores])
    highest[:-1] = np.maximum(
        highest[:-1], np.where(below > 0, others[np.maximum(below, 1) - 1], -np.inf)
    )
    highest[-1] = max(highest[-1], others[-1])
    if np.isneginf(highest[0]):
        highest[0] = np.nextafter(scores[0], -np.inf)
    return highest


def _thinned(fmr: NDArray[np.float64], fnmr: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of at most `POINTS` vertices, evenly spread as a DET plot shows them."""
    if len(fmr) <= POINTS:
        return np.arange(len(fmr))
    # Of 0 and 1, which lie nowhere on these axes, whatever is beyond the smallest rate.
    x, y = (ndtri(np.clip(rate, 1e-6, 1 - 1e-6)) for rate in (fmr, fnmr))
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    wanted = np.linspace(0, along[-1], POINTS)
    return np.unique(np.minimum(np.searchsorted(along, wanted), len(fmr) - 1))

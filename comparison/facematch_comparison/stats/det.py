"""Detection error trade-off: FMR and FNMR at every threshold, and the points for a page.

A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997;
ISO/IEC 19795-1:2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from facematch_comparison.values.model import Curve
from facematch_core.models import ThresholdRule

from .rates import Rates
from .threshold import scores_by_kind

#: Number of points of a curve: more than a screen can resolve, few enough for a page.
POINTS: Final = 120


class DetCurve(NamedTuple):
    """A DET curve by its vertices, thresholds rising.

    A vertex has the lowest FMR for its FNMR. At the first vertex every scored mated pair passes, at
    the last none: with AT_LEAST its threshold is infinite. The equal error rate is interpolated
    linearly where FMR equals FNMR.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    eer: float


def det_curve(
    mated: NDArray[np.float64], non_mated: NDArray[np.float64], rule: ThresholdRule
) -> DetCurve:
    """Return the DET curve of sorted scores, at least one of each kind, for a threshold rule.

    Ties stay ties: no order is invented within one score.
    """
    # The first place of each distinct mated score is how many of them lie below it.
    refused_counts = np.flatnonzero(np.concatenate([[True], mated[1:] != mated[:-1]]))
    scores = mated[refused_counts]
    below = np.searchsorted(non_mated, scores, side="left")
    refused_counts = np.append(refused_counts, len(mated))
    passed_counts = np.append(len(non_mated) - below, 0)
    return DetCurve(
        _thresholds(scores, non_mated, below, rule),
        passed_counts / len(non_mated),
        refused_counts / len(mated),
        _equal_error_rate(scores, refused_counts, passed_counts, non_mated),
    )


def curve_of(rates: Rates, *, include: Sequence[float] = ()) -> Curve | None:
    """Return the DET curve of a system, thinned for a page; None without scores of both kinds.

    The curve has a point at each threshold in `include`, such as operating points.
    """
    mated, non_mated = scores_by_kind(rates.table)
    if not len(mated) or not len(non_mated):
        return None
    curve = det_curve(mated, non_mated, rates.table.rule)
    # The last vertex is at a threshold that cannot be set.
    rows = _pick_vertices(curve.fmr[:-1], curve.fnmr[:-1])
    thresholds = sorted({*map(float, curve.thresholds[rows]), *map(float, include)})
    columns = {}
    for name in ("fmr", "fnmr", "frr"):
        curve_rates = rates.along(name, thresholds)
        intervals = [rate.interval for rate in curve_rates if rate.interval is not None]
        columns[name] = tuple(rate.errors / rate.trials for rate in curve_rates)
        columns[f"{name}_low"] = tuple(interval.low for interval in intervals)
        columns[f"{name}_high"] = tuple(interval.high for interval in intervals)
    return Curve(
        thresholds=tuple(thresholds), **columns, confidence=rates.confidence, eer=curve.eer
    )


def _equal_error_rate(
    scores: NDArray[np.float64],
    refused_counts: NDArray[np.int64],
    passed_counts: NDArray[np.int64],
    non_mated_scores: NDArray[np.float64],
) -> float:
    """Return where the line through all points of the DET curve has FMR = FNMR."""
    mated, non_mated = int(refused_counts[-1]), len(non_mated_scores)
    # The last vertex with an FMR no lower than its FNMR. In whole numbers, so that equal is equal.
    vertex = np.flatnonzero(passed_counts[:-1] * mated >= refused_counts[:-1] * non_mated)[-1]
    fnmr, fmr = refused_counts[vertex] / mated, passed_counts[vertex] / non_mated
    # The threshold then rises over this mated score and the non-mated ones equal to it, then over
    # the non-mated ones up to the next mated score.
    next_fnmr = refused_counts[vertex + 1] / mated
    below = int(np.searchsorted(non_mated_scores, scores[vertex], side="right"))
    next_fmr = (non_mated - below) / non_mated
    if next_fmr > next_fnmr:
        return float(next_fnmr)
    share = (fmr - fnmr) / ((fmr - next_fmr) + (next_fnmr - fnmr))
    return float(fnmr + share * (next_fnmr - fnmr))


def _thresholds(
    scores: NDArray[np.float64],
    non_mated_scores: NDArray[np.float64],
    below: NDArray[np.int64],
    rule: ThresholdRule,
) -> NDArray[np.float64]:
    """Return the highest threshold that each of `scores` passes, and one that none passes."""
    if rule is ThresholdRule.AT_LEAST:
        return np.append(scores, np.inf)
    # The highest score that anybody has below it; a threshold that nobody scores would do as well.
    others = np.concatenate([[-np.inf], non_mated_scores])
    others_below = others[np.append(below, len(non_mated_scores))]
    highest: NDArray[np.float64] = np.maximum(np.concatenate([[-np.inf], scores]), others_below)
    if np.isneginf(highest[0]):
        highest[0] = np.nextafter(scores[0], -np.inf)
    return highest


def _pick_vertices(fmr: NDArray[np.float64], fnmr: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return indexes of at most `POINTS` vertices, evenly spaced on the axes of a DET plot."""
    if len(fmr) <= POINTS:
        return np.arange(len(fmr))
    # Rates of 0 and 1 have no place on these axes: clip them.
    x, y = (ndtri(np.clip(rate, 1e-6, 1 - 1e-6)) for rate in (fmr, fnmr))
    distances = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    steps = np.linspace(0, distances[-1], POINTS)
    return np.unique(np.minimum(np.searchsorted(distances, steps), len(fmr) - 1))

"""The curve and the histogram of one contender, thinned for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

from ._document import Curve, Histogram
from .metrics import Rates, ScoreTable, det_curve, eer

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Points of a curve: more than a screen can show apart, few enough for a page.
POINTS: Final = 120

#: Bins of a histogram.
BINS: Final = 50


def curve_of(rates: Rates) -> Curve | None:
    """The DET curve of a contender that tells scores, failures to acquire among the refusals.

    Args:
        rates: Of what it answered; the interval at each point is for that point alone.

    Returns:
        None without a mated or without a non-mated score.
    """
    table = rates.table
    acquired, answered = table.acquired, table.answered
    mated, others = table.scores[acquired & table.mated], table.scores[acquired & ~table.mated]
    if not len(mated) or not len(others):
        return None
    whole = det_curve(
        mated,
        others,
        mated_failures=int(np.count_nonzero(answered & ~acquired & table.mated)),
        rule=table.rule,
    )
    # The last lets nobody in, at a threshold that cannot be set.
    rows = _thinned(whole.fmr[:-1], whole.fnmr[:-1])
    thresholds = whole.thresholds[rows]
    ends = np.array([_ends(rates, float(threshold)) for threshold in thresholds])
    return Curve(
        thresholds=_floats(thresholds),
        fmr=_floats(whole.fmr[rows]),
        frr=_floats(whole.fnmr[rows]),
        fmr_low=_floats(ends[:, 0]),
        fmr_high=_floats(ends[:, 1]),
        frr_low=_floats(ends[:, 2]),
        frr_high=_floats(ends[:, 3]),
        confidence=rates.confidence,
        eer=eer(whole),
    )


def histogram_of(table: ScoreTable) -> Histogram | None:
    """How the scores of mated and non-mated pairs are spread; None without a score."""
    told = table.scores[table.acquired]
    if not len(told):
        return None
    low, high = float(told.min()), float(told.max())
    if low >= 0 and high <= 100:
        low, high = 0.0, 100.0
    elif low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)

    def counted(rows: NDArray[np.bool_]) -> tuple[int, ...]:
        counts, _ = np.histogram(table.scores[table.acquired & rows], edges)
        return tuple(map(int, counts))

    return Histogram(
        edges=_floats(edges), mated=counted(table.mated), non_mated=counted(~table.mated)
    )


def _thinned(fmr: NDArray[np.float64], fnmr: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of at most `POINTS` vertices, evenly spread as a DET plot shows them."""
    if len(fmr) <= POINTS:
        return np.arange(len(fmr))
    # Of 0 and 1, which lie nowhere on these axes, whatever is beyond the smallest rate.
    x, y = (ndtri(np.clip(rate, 1e-6, 1 - 1e-6)) for rate in (fmr, fnmr))
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    wanted = np.linspace(0, along[-1], POINTS)
    return np.unique(np.minimum(np.searchsorted(along, wanted), len(fmr) - 1))


def _ends(rates: Rates, threshold: float) -> tuple[float, ...]:
    found = [rates.at(name, threshold).interval for name in ("fmr", "frr")]
    return tuple(end for one in found if one for end in (one.low, one.high))


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(map(float, values))

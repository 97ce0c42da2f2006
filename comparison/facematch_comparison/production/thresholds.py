"""The candidate's threshold: the errors that it would save at each one that the labels show.

The log has the candidate's scores, so its decisions at another threshold are known. At each
threshold other calls are disagreements. The difference is known where all of them are in a review
file: the *labelled region*. Further away, calls on which both agreed become disagreements of which
nobody said who is right.

A call whose decision is not that of its score (refused, no face, a warning) keeps its decision at
every threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import attrs
import numpy as np
from pandas import DataFrame

from facematch_comparison.stats.rates import Bools, Floats
from facematch_comparison.values.model import Estimate

from .judged import Judged, Money, NetErrors

#: A curve has at most so many points.
_MOST_POINTS: Final = 25
#: How many unlabelled calls are proposed at least.
_FEWEST_PROPOSED: Final = 20


@attrs.frozen(kw_only=True)
class CurvePoint:
    """What the candidate saves at one threshold.

    Attributes:
        threshold: The threshold, on the scale of the candidate's scores; at least this passes.
        disagreements, labelled: The disagreements there, and those with a label.
        saved: Net errors per 1,000 calls, by kind, as in `NetErrors`.
        money: Money saved per 1,000 calls; None without costs.
    """

    threshold: float
    disagreements: int
    labelled: int
    saved: Mapping[str, Estimate]
    money: Estimate | None

    @property
    def shown(self) -> Estimate:
        """What counts: the money saved if costs are known, else the errors of both kinds."""
        return self.saved["error"] if self.money is None else self.money

    @property
    def worth(self) -> float:
        """The value of `shown`."""
        return self.shown.value


@attrs.frozen(kw_only=True)
class NextCalls:
    """The calls to label next, because they decide about further thresholds.

    Attributes:
        low, high: The thresholds that would be shown, with those of today.
        calls: Number of calls without a label that decide about them.
    """

    low: float
    high: float
    calls: int


@attrs.frozen(kw_only=True)
class ThresholdCurve:
    """The candidate at each threshold of the labelled region.

    Attributes:
        now: The threshold of most compared calls.
        points: From the lowest threshold to the highest; empty if the labels show none as a whole.
        best: The threshold with the highest `worth`, the nearest to `now` of several; None
            without points. It was chosen by the labels that its interval comes from, so expect a
            little less than it shows.
        next_calls: What to label next; None if every call with a score is in a review.
    """

    now: float
    points: tuple[CurvePoint, ...]
    best: float | None
    next_calls: NextCalls | None

    @property
    def differs(self) -> bool:
        """Whether two points differ by more than their intervals, which then do not overlap."""
        highest_low = -math.inf
        lowest_high = math.inf
        for point in self.points:
            interval = point.shown.interval
            highest_low = max(highest_low, interval.low)
            lowest_high = min(lowest_high, interval.high)
        return highest_low > lowest_high

    def at(self, threshold: float) -> CurvePoint | None:
        """Return the point of a threshold, or None."""
        return next((point for point in self.points if point.threshold == threshold), None)


@attrs.frozen(kw_only=True)
class Passing:
    """The candidate's decisions at any threshold. All arrays are (N,), of the compared calls.

    Attributes:
        answered_accepts, candidate_accepts: Whether each call was accepted: bool.
        scores: The scores that decided; NaN where something else did.
        thresholds: The thresholds of the log, of calls with such a score; may be empty.
    """

    answered_accepts: Bools
    candidate_accepts: Bools
    scores: Floats
    thresholds: Floats

    @classmethod
    def of(cls, compared: DataFrame, answered_accepts: Bools, candidate_accepts: Bools) -> Passing:
        """Return the decisions of compared calls (`Sides.compared`).

        No score decides if the candidate's scores are on several scales.
        """
        scores = compared["score_candidate"].to_numpy(np.float64)
        thresholds = compared["threshold_candidate"].to_numpy(np.float64)
        decides = ~np.isnan(scores) & ((scores >= thresholds) == candidate_accepts)
        decides &= ~np.isnan(thresholds)
        if len(compared["scale_candidate"].dropna().unique()) > 1:
            decides[:] = False
        return cls(
            answered_accepts=answered_accepts,
            candidate_accepts=candidate_accepts,
            scores=np.where(decides, scores, np.nan),
            thresholds=thresholds[decides],
        )

    def take(self, rows: Bools) -> Passing:
        """Return the calls at `rows`, with the thresholds of all."""
        return attrs.evolve(
            self,
            answered_accepts=self.answered_accepts[rows],
            candidate_accepts=self.candidate_accepts[rows],
            scores=self.scores[rows],
        )

    def accepts_at(self, threshold: float) -> Bools:
        """Return which calls the candidate accepts at a threshold."""
        accepted: Bools = np.where(
            np.isnan(self.scores), self.candidate_accepts, self.scores >= threshold
        )
        return accepted

    def disagrees_between(self, low: float, high: float) -> Bools:
        """Return which calls are disagreements at any threshold from `low` to `high`."""
        # A comparison with NaN is False: such a call is the same at each threshold.
        varies: Bools = np.where(self.answered_accepts, self.scores < high, self.scores >= low)
        fixed = np.isnan(self.scores) & (self.answered_accepts ^ self.candidate_accepts)
        return varies | fixed


def measure_curve(
    judged: Judged,
    passing: Passing,
    net_of: Callable[[Judged], tuple[tuple[NetErrors, ...], Money | None]],
) -> ThresholdCurve | None:
    """Return what the candidate saves at each threshold of the labelled region.

    Args:
        judged: The calls of the review's question, with the labels.
        passing: The same calls.
        net_of: Returns the net errors, and the money if there are costs.

    Returns None if no score decides.
    """
    if not len(passing.thresholds):
        return None
    values, counts = np.unique(passing.thresholds, return_counts=True)
    now = float(values[np.argmax(counts)])
    is_listed = judged.file_set >= 0
    region = _Region.of(passing, is_listed)
    points = []
    for threshold in _thresholds_in(region, passing.scores[is_listed], values):
        at_threshold = attrs.evolve(judged, candidate_accepts=passing.accepts_at(threshold))
        if not at_threshold.is_judged.any():
            continue
        net, money = net_of(at_threshold)
        points.append(
            CurvePoint(
                threshold=threshold,
                disagreements=int(np.count_nonzero(at_threshold.disagrees)),
                labelled=int(np.count_nonzero(at_threshold.is_judged)),
                saved={of_kind.kind: of_kind.saved for of_kind in net},
                money=None if money is None else money.saved,
            )
        )
    best = max(points, key=lambda point: (point.worth, -abs(point.threshold - now)), default=None)
    return ThresholdCurve(
        now=now,
        points=tuple(points),
        best=None if best is None else best.threshold,
        next_calls=_propose(region, passing, is_listed, values),
    )


@attrs.frozen(kw_only=True)
class _Region:
    """The thresholds above `low` and up to `high`, at which every disagreement is in a review."""

    low: float
    high: float

    @classmethod
    def of(cls, passing: Passing, is_listed: Bools) -> _Region:
        unlisted = ~is_listed & ~np.isnan(passing.scores)
        # Above its score the candidate would reject what the other accepts, and the reverse.
        accepted = passing.scores[unlisted & passing.answered_accepts]
        rejected = passing.scores[unlisted & ~passing.answered_accepts]
        return cls(low=rejected.max(initial=-math.inf), high=accepted.min(initial=math.inf))


def _thresholds_in(region: _Region, scores: Floats, logged: Floats) -> list[float]:
    """Return thresholds of the region that lead to different decisions, and those of the log.

    All thresholds above one score and up to the next lead to the same decisions, so of these the
    one with the fewest decimals is returned.
    """
    is_inside = (logged > region.low) & (logged <= region.high)
    thresholds = {float(threshold) for threshold in logged[is_inside]}
    scores = np.unique(scores[(scores > region.low) & (scores <= region.high)])
    if len(scores) > _MOST_POINTS:
        # Evenly along the scale; any threshold of the region may be a point.
        targets = np.linspace(scores[0], scores[-1], _MOST_POINTS)
        indices = np.searchsorted(scores, targets).clip(max=len(scores) - 1)
        scores = np.unique(scores[indices])
    below = region.low
    for score in scores.tolist():
        if not any(below < threshold <= score for threshold in thresholds):
            thresholds.add(simplest_between(below, score))
        below = score
    return sorted(thresholds)


def simplest_between(low: float, high: float) -> float:
    """Return the number above `low` and up to `high` with the fewest decimals."""
    for decimals in range(12):
        factor = 10.0**decimals
        shortened = math.floor(high * factor) / factor
        if low < shortened <= high:
            return shortened
    return high


def _propose(
    region: _Region, passing: Passing, is_listed: Bools, logged: Floats
) -> NextCalls | None:
    """Return the calls nearest to the labelled region, or to the thresholds of the log."""
    unlisted = ~is_listed & ~np.isnan(passing.scores)
    if not unlisted.any():
        return None
    low = float(logged.min())
    high = float(logged.max())
    if region.low < region.high:
        low = min(low, max(region.low, float(passing.scores[unlisted].min())))
        high = max(high, min(region.high, float(passing.scores[unlisted].max())))
    # How far the range must grow for each call to be in it.
    distances = np.where(passing.answered_accepts, passing.scores - high, low - passing.scores)
    nearest = np.sort(distances[unlisted])
    proposed = max(_FEWEST_PROPOSED, int(np.count_nonzero(is_listed)) // 2)
    growth = max(0.0, float(nearest[: proposed + 1][-1]))
    low = math.floor(10 * (low - growth)) / 10
    high = math.ceil(10 * (high + growth)) / 10
    calls = int(np.count_nonzero(unlisted & passing.disagrees_between(low, high)))
    return NextCalls(low=low, high=high, calls=calls) if calls else None

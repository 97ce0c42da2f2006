"""The detection error trade-off: FMR and FNMR at every threshold that is worth having.

A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997;
ISO/IEC 19795-1:2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


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
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    rule: ThresholdRule


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
            tells FRR for FNMR.
        non_mated_failures: Non-mated pairs without a score: never let in (FAR for FMR).
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
    )


def eer(curve: DetCurve) -> float:
    """The equal error rate, 0-1: the lowest rate that FMR and FNMR both stay at or below.

    That is where their steps cross, without a line drawn between two of them. It stands at a
    threshold that nobody uses, so it is no headline. With failures in the curve it is that of FAR
    and FRR.
    """
    return float(np.maximum(curve.fmr, curve.fnmr).min())


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

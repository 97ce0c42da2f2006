"""The threshold of a new model of a vendor, from that of the old one.

Scores of two models do not compare: a threshold that was right for the old one says nothing for the
new one. What can be kept is the rate of false matches. On the same pairs, the new threshold is the
lowest that lets no more of others in than the old one did (equipercentile linking: W. H. Angoff,
"Scales, norms, and equivalent scores", 1971); its interval holds every threshold at which the FMRs
of the two, compared pair by pair, may be one (inversion, after R. S. Woodruff, "Confidence
intervals for medians and other position measures", Journal of the American Statistical Association
47, 1952).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np

from facematch_core.comparison.model import Answers, Estimate, Rate, ScoreTable, Transfer
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from .combine import Joint, Sample
from .cost import check_same_pairs, ends, percent
from .threshold import threshold_for_fmr

if TYPE_CHECKING:
    from numpy.typing import NDArray


def transfer_threshold(
    old: Answers, new: Answers, threshold: float, *, confidence: float = 0.95
) -> Transfer:
    """Find the threshold of a new model with the false matches of the old one.

    Args:
        old, new: Answers of the two models of one vendor to the same pairs.
        threshold: Of the old one, on its scale.
        confidence: Of the intervals, two-sided.

    Raises:
        InvalidRequest: the pairs are not the same, scores or rules are missing, no two different
            people were compared, or no threshold of the new one will do.
    """
    check_same_pairs(old.table, new.table)
    for answers in (old, new):
        if not answers.table.is_scored or answers.table.rule is ThresholdRule.VENDOR:
            raise InvalidRequest(
                f"{answers.name} does not give a score for every pair, or not how it compares "
                "scores: its threshold cannot be moved."
            )
    if not np.isfinite(threshold):
        raise InvalidRequest(f"A threshold is a number, not {threshold}.")
    scored = old.table.scored & new.table.scored
    others = np.flatnonzero(scored & ~old.table.mated)
    if not len(others):
        raise InvalidRequest(
            f"{old.name} and {new.name} both compared no two different people: false matches "
            "cannot be counted."
        )
    before, after = old.table.take(scored), new.table.take(scored)
    matches = old.table.passed(threshold)[others]
    # At most as many; half a pair more keeps rounding out, and asks for none where there was none.
    choice = threshold_for_fmr(after, (np.count_nonzero(matches) + 0.5) / (len(others) + 0.5))
    if choice.threshold is None:
        raise InvalidRequest(f"{new.name} has no such threshold. {choice.why_not}")
    low, high = _range(before, after, threshold, confidence)
    mated = np.flatnonzero(old.table.answered & new.table.answered & old.table.mated)
    refused = (~old.table.passed(threshold)[mated], ~new.table.passed(choice.threshold)[mated])
    frr, new_frr, change = _frr(Sample(old.table, mated), refused, confidence)
    unchanged = Sample(new.table, others).rate(new.table.passed(threshold)[others], confidence)
    found = Transfer(
        old=old.name,
        new=new.name,
        threshold=threshold,
        new_threshold=choice.threshold,
        low=low,
        high=high,
        confidence=confidence,
        non_mated=len(others),
        mated=len(mated),
        false_matches=int(np.count_nonzero(matches)),
        new_false_matches=int(np.count_nonzero(new.table.passed(choice.threshold)[others])),
        frr=frr,
        new_frr=new_frr,
        change=change,
        unchanged_fmr=unchanged,
        sentence="",
    )
    return attrs.evolve(found, sentence=_sentence(found))


def _frr(
    mated: Sample, refused: tuple[NDArray[np.bool_], NDArray[np.bool_]], confidence: float
) -> tuple[Rate, Rate, Estimate]:
    """Before, after, and the change."""
    before, after = (mated.rate(errors, confidence) for errors in refused)
    if not len(mated):
        return before, after, Estimate(value=0.0)
    joint = Joint([(mated, errors) for errors in refused], confidence)
    return before, after, joint.sum([-1, 1])


def _range(
    old: ScoreTable, new: ScoreTable, threshold: float, confidence: float
) -> tuple[float | None, float | None]:
    """The lowest and the highest threshold at which the new FMR may be the old one."""
    sample = Sample(old, np.flatnonzero(~old.mated))
    matches = old.passed(threshold)[sample.rows]
    scores = new.scores[sample.rows]
    steps = np.unique(scores)

    def apart(place: int) -> tuple[float, float]:
        """FMR of the new one less that of the old one, just above a score."""
        joint = Joint([(sample, scores > steps[place]), (sample, matches)], confidence)
        return ends(joint.sum([1, -1]))

    # The new FMR falls with the threshold: both ends by halving.
    low = _first(len(steps), lambda place: apart(place)[0] <= 0)
    high = _first(len(steps), lambda place: apart(place)[1] < 0)
    # Above every score the new FMR is 0, below every score 1: nothing bounds it there.
    return (
        None if low == 0 else float(steps[low]),
        None if high == len(steps) else float(steps[high]),
    )


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The first place where something begins to hold; `count` if nowhere."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _sentence(found: Transfer) -> str:
    bounds = [
        "no lower end" if found.low is None else f"{found.low:g}",
        "no upper end" if found.high is None else f"{found.high:g}",
    ]
    words = (
        f"{found.new} at {found.new_threshold:g} ({bounds[0]} to {bounds[1]}) accepts as many "
        f"others as {found.old} at {found.threshold:g}: {found.new_false_matches:,} and "
        f"{found.false_matches:,} of {found.non_mated:,} non-mated pairs."
    )
    change = found.change.interval
    if change is not None:
        words += (
            f" FRR goes from {percent(found.frr)} to {percent(found.new_frr)}, a change of "
            f"{100 * found.change.value:+.3g} percentage points ({100 * change.low:+.3g} to "
            f"{100 * change.high:+.3g})."
        )
    unchanged = percent(found.unchanged_fmr)
    return f"{words} At the old threshold, {found.new} would have an FMR of {unchanged}."

"""What wrong labels would make of a difference.

A label is one of two words, so each call has a value as it was labelled and one if its label is
wrong. Let `written` be the sum of the first, `other` of the second, and `share` the share of wrong
labels, the same among genuine people and among impostors. Two questions differ:

- *Flipped*: that share of the labels in the file is wrong, whichever way they read. What is
  expected of the right ones is ``(1 - share) * written + share * other``.
- *Corrected*: the people who label err in that share of all calls. Then the labels in the file are
  already moved by it, and the truth is ``(written - share * (written + other)) / (1 - 2 * share)``
  (W. J. Rogan and B. Gladen, "Estimating prevalence from the results of a screening test", American
  Journal of Epidemiology 107, 1978). With few impostors, most labels that read "impostor" may be
  wrong: this is how good customers become false matches of whoever lets more of them in.

Below a share of a half at most one of the two turns the sign, so the share at which it turns is one
number.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np

from facematch_comparison.stats import interval_of_differences
from facematch_comparison.stats.rates import Floats, Ints
from facematch_comparison.values.model import Estimate

#: The share of wrong labels of which sentences speak: 1 label in 20.
SHOWN_SHARE: Final = 0.05
#: A difference is called significant only if it still is with this share of wrong labels. People
#: who compare faces err about as often.
ALLOWED_SHARE: Final = 0.1


@attrs.frozen(kw_only=True)
class WrongLabels:
    """What a difference becomes if some labels are wrong.

    Attributes:
        share: The share of wrong labels, 0-1, the same among genuine people and impostors.
        saved: The difference then: of the two in `sensitivity`, the one nearer to the other sign.
        turns_at: The lowest share at which the sign turns, 0-0.5; None if none below 0.5 does.
    """

    share: float = SHOWN_SHARE
    saved: float
    turns_at: float | None

    @property
    def is_turned(self) -> bool:
        """Whether so few wrong labels turn the sign."""
        return self.turns_at is not None and self.turns_at <= self.share


@attrs.frozen(kw_only=True)
class LabelledDifferences:
    """The difference that each compared call makes, as labelled and if its label is wrong.

    Attributes:
        written, other: The value of each call, 0 where both agree or without a label: (N,).
        persons: The number of each call's person: (N,).
        scale: How many disagreements a labelled one stands for.
    """

    written: Floats
    other: Floats
    persons: Ints
    scale: float

    def saved(self, per: int, confidence: float, *, wrong_share: float = 0.0) -> Estimate:
        """Return the mean per so many calls, corrected for a share of wrong labels."""
        both = self.written + self.other
        corrected = (self.written - wrong_share * both) / (1 - 2 * wrong_share)
        _, persons = np.unique(self.persons, return_inverse=True)
        ends = interval_of_differences(corrected, persons, confidence, largest=self.scale)
        return Estimate(value=per * float(corrected.mean()), interval=ends.times(per))

    def both_labels(self, per: int) -> float:
        """Return the mean per so many calls of what both labels of each call would say."""
        return per * float((self.written + self.other).sum()) / len(self.written)


def find_turn(saved: float, both_labels: float, shift: float = 0.0) -> WrongLabels:
    """Return what wrong labels make of a difference.

    Args:
        saved: The difference by the labels, without `shift`.
        both_labels: `LabelledDifferences.both_labels` of the same calls.
        shift: What is saved whatever the labels are, such as a lower price.
    """

    def flipped(share: float) -> float:
        return (1 - 2 * share) * saved + share * both_labels + shift

    def corrected(share: float) -> float:
        return (saved - share * both_labels) / (1 - 2 * share) + shift

    is_saving = saved + shift >= 0
    nearest = min if is_saving else max
    return WrongLabels(
        saved=nearest(flipped(SHOWN_SHARE), corrected(SHOWN_SHARE)),
        turns_at=_lowest_turn(saved, both_labels, shift),
    )


def _lowest_turn(saved: float, both_labels: float, shift: float) -> float | None:
    """Return the lowest share below 0.5 at which either of the two sums is 0."""
    total = saved + shift
    if not total:
        return None
    turns = []
    # Both sums are linear in the share, up to a positive factor.
    for slope in (2 * saved - both_labels, both_labels + 2 * shift):
        if slope and 0 < total / slope < 0.5:
            turns.append(total / slope)
    return min(turns, default=None)


def is_beyond_zero(saved: Estimate, with_wrong_labels: Estimate) -> bool:
    """Return whether neither interval contains 0, and both lie on the same side of it."""
    first = saved.interval
    second = with_wrong_labels.interval
    return min(first.low, second.low) > 0 or max(first.high, second.high) < 0

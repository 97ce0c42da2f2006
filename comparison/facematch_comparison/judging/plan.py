"""How many pairs a claim needs.

A claim is that a rate is at most so much. Without an error, 299 pairs show 1 %, 2,995 show 0.1 %
and 29,956 show 0.01 %: floors under every study. The non-mated pairs must also place a threshold,
which takes `ENOUGH_FALSE_MATCHES` expected false matches.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from facematch_comparison.stats import ENOUGH_FALSE_MATCHES, trials_for
from facematch_comparison.stats.intervals import trials_allowing
from facematch_comparison.values.model import as_json

#: Numbers of errors that a plan allows for. A vendor a little better than asked still makes some.
ERRORS: Final = (0, 1, 3, 10)


@attrs.frozen(kw_only=True)
class ClaimNeed:
    """Pairs that show both claims if each kind of pair brings at most `errors` errors.

    Attributes:
        mated, non_mated: Pairs that are judged.
        draw_mated, draw_non_mated: Pairs that are drawn and asked about for it.
    """

    errors: int
    mated: int
    non_mated: int
    draw_mated: int
    draw_non_mated: int


@attrs.frozen(kw_only=True)
class StudyPlan:
    """A plan for two claims: an FMR and an FRR of at most so much.

    Attributes:
        fmr, frr: The claims, 0-1.
        confidence: Of each claim, one-sided, 0-1.
        split: Whether half of the people choose the thresholds, and only the other half is judged.
        needs: By the number of errors, rising; the first is the floor.
    """

    fmr: float
    frr: float
    confidence: float
    split: bool
    needs: tuple[ClaimNeed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return as_json(self)


def plan_study(
    *, fmr: float, frr: float, confidence: float = 0.95, split: bool = False
) -> StudyPlan:
    """Plan a study of vendors.

    The numbers hold for pairs that are independent of each other. Pairs that share people are worth
    less; the report says how much less.

    Args:
        fmr, frr: The rates to show of each vendor, above 0, below 1.
        confidence: One-sided, between 0 and 1.
        split: Whether half of the people choose the thresholds. Of pairs that are drawn within the
            halves (`draw_pairs` with ``split``) half is judged; of others even fewer.

    Raises:
        InvalidRequest: a number is out of range.
    """
    parts = 2 if split else 1
    needs = []
    for errors in ERRORS:
        mated, non_mated = (trials_for(rate, errors, confidence) for rate in (frr, fmr))
        non_mated = max(non_mated, trials_allowing(ENOUGH_FALSE_MATCHES, fmr))
        needs.append(
            ClaimNeed(
                errors=errors,
                mated=mated,
                non_mated=non_mated,
                draw_mated=parts * mated,
                draw_non_mated=parts * non_mated,
            )
        )
    return StudyPlan(fmr=fmr, frr=frr, confidence=confidence, split=split, needs=tuple(needs))

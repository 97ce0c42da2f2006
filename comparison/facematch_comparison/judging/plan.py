"""Compute how many pairs a claim needs.

A claim is an upper limit of a rate. If no errors occur, 299 pairs show 1 %, 2,995 show 0.1 % and
29,956 show 0.01 %: the minimum of every study. A threshold is also chosen on the non-mated pairs,
which takes `ENOUGH_FALSE_MATCHES` expected false matches.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from facematch_comparison.stats import ENOUGH_FALSE_MATCHES, trials_allowing, trials_for
from facematch_comparison.values.model import as_json

#: Numbers of errors in a plan. A vendor slightly better than required still makes some errors.
ERRORS: Final = (0, 1, 3, 10)


@attrs.frozen(kw_only=True)
class ClaimNeed:
    """Numbers of pairs, to judge and to draw, that show both claims with up to `errors` errors."""

    errors: int
    mated: int
    non_mated: int
    draw_mated: int
    draw_non_mated: int


@attrs.frozen(kw_only=True)
class StudyPlan:
    """A plan to show two claims: upper limits of the FMR and of the FRR.

    Attributes:
        needs: Sorted by number of errors; the first is the minimum.
    """

    fmr: float
    frr: float
    confidence: float
    split: bool
    needs: tuple[ClaimNeed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a dict that `json` can encode."""
        return as_json(self)


def plan_study(
    *, fmr: float, frr: float, confidence: float = 0.95, split: bool = False
) -> StudyPlan:
    """Plan a study of vendors.

    The numbers assume independent pairs. Pairs that share people carry less information; the report
    says how much less.

    Args:
        fmr, frr: The rates to show for each vendor, above 0 and below 1.
        confidence: One-sided confidence of each claim, between 0 and 1.
        split: Whether thresholds are chosen on one half of the people and judged on the other. Half
            of the pairs drawn by `draw_pairs` with ``split`` are then judged. Of pairs drawn in
            another way fewer are judged, because pairs across the two halves are dropped.

    Raises:
        InvalidRequest: a number is out of range.
    """
    needs = []
    for errors in ERRORS:
        mated, non_mated = (trials_for(rate, errors, confidence) for rate in (frr, fmr))
        non_mated = max(non_mated, trials_allowing(ENOUGH_FALSE_MATCHES, fmr))
        judged = {"mated": mated, "non_mated": non_mated}
        drawn = {f"draw_{kind}": (2 if split else 1) * count for kind, count in judged.items()}
        needs.append(ClaimNeed(errors=errors, **judged, **drawn))
    return StudyPlan(fmr=fmr, frr=frr, confidence=confidence, split=split, needs=tuple(needs))

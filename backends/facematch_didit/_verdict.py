"""From Didit's status, score and warnings to a decision.

Didit decides: its status counts, and the score is never compared here (whether Didit compares it
before or after rounding is not documented). What is added is doubt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

import attrs

from facematch_core import (
    AgeDecision,
    Decision,
    LivenessDecision,
    ResultWarning,
    WarningCode,
)

from ._words import APPROVED, DECLINED, GRAVE

D = TypeVar("D", Decision, LivenessDecision, AgeDecision)


@attrs.frozen(kw_only=True)
class Verdicts(Generic[D]):
    """The decisions of one operation.

    Attributes:
        passed, failed, review, inconclusive: Its words.
        reasons: What it declines for; any other reason is no claim about the face.
        certain: Those of `reasons` that hold without a score.
    """

    passed: D
    failed: D
    review: D
    inconclusive: D
    reasons: frozenset[WarningCode]
    certain: frozenset[WarningCode] = frozenset()


MATCH: Verdicts[Decision] = Verdicts(
    passed=Decision.MATCH,
    failed=Decision.NO_MATCH,
    review=Decision.REVIEW,
    inconclusive=Decision.INCONCLUSIVE,
    reasons=frozenset({WarningCode.LOW_SIMILARITY}),
)

LIVENESS: Verdicts[LivenessDecision] = Verdicts(
    passed=LivenessDecision.LIVE,
    failed=LivenessDecision.NOT_LIVE,
    review=LivenessDecision.REVIEW,
    inconclusive=LivenessDecision.INCONCLUSIVE,
    reasons=frozenset({WarningCode.LOW_LIVENESS, WarningCode.PRESENTATION_ATTACK}),
    certain=frozenset({WarningCode.PRESENTATION_ATTACK}),
)


def decide(
    verdicts: Verdicts[D], *, status: str, scored: bool, warnings: Iterable[ResultWarning]
) -> D:
    """The decision that an answer amounts to.

    Args:
        verdicts: The words of the operation.
        status: Didit's word.
        scored: Whether there is a score.
        warnings: All of them.
    """
    told = tuple(warnings)
    codes = {warning.code for warning in told}
    grave = {warning.code for warning in told if warning.severity in GRAVE}
    if WarningCode.NO_FACE in codes:
        return verdicts.inconclusive
    if status == APPROVED:
        # Documented: a grave warning declines, and an approval has a score. So this is neither.
        return verdicts.passed if scored and not grave else verdicts.review
    if status == DECLINED:
        if grave and not codes & verdicts.reasons:
            return verdicts.review
        # Without a number nothing was measured, and "low" would be said of nothing.
        return verdicts.failed if scored or codes & verdicts.certain else verdicts.inconclusive
    return verdicts.review

"""The rules that hold for every backend, as pure functions on results."""

from __future__ import annotations

from typing import Any

import attrs

from ._enums import (
    Decision,
    LiveMatchDecision,
    LivenessDecision,
    Severity,
    WarningCode,
)
from ._results import (
    Face,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    ResultWarning,
)
from ._scores import Threshold
from .errors import InvalidRequest

#: What one call answers.
Answer = MatchResult | LivenessResult

#: The decision that lets somebody in, per kind of result.
PASS: dict[type, Any] = {MatchResult: Decision.MATCH, LivenessResult: LivenessDecision.LIVE}
REVIEW: dict[type, Any] = {MatchResult: Decision.REVIEW, LivenessResult: LivenessDecision.REVIEW}

_GRAVE = (Severity.ERROR, Severity.UNKNOWN)

#: The worse of two decisions is the one that stands later.
_WORSE = (
    LiveMatchDecision.VERIFIED,
    LiveMatchDecision.REVIEW,
    LiveMatchDecision.INCONCLUSIVE,
    LiveMatchDecision.NO_MATCH,
    LiveMatchDecision.NOT_LIVE,
)

_OF_LIVENESS = {
    LivenessDecision.LIVE: LiveMatchDecision.VERIFIED,
    LivenessDecision.REVIEW: LiveMatchDecision.REVIEW,
    LivenessDecision.INCONCLUSIVE: LiveMatchDecision.INCONCLUSIVE,
    LivenessDecision.NOT_LIVE: LiveMatchDecision.NOT_LIVE,
}

_OF_MATCH = {
    Decision.MATCH: LiveMatchDecision.VERIFIED,
    Decision.REVIEW: LiveMatchDecision.REVIEW,
    Decision.INCONCLUSIVE: LiveMatchDecision.INCONCLUSIVE,
    Decision.NO_MATCH: LiveMatchDecision.NO_MATCH,
}


def _kind(result: Answer) -> type:
    return MatchResult if isinstance(result, MatchResult) else LivenessResult


def passes(result: Answer) -> bool:
    """Whether the decision lets somebody in."""
    return result.decision is PASS[_kind(result)]


def for_review(result: Answer, *warnings: ResultWarning) -> Answer:
    """`result` as REVIEW, with those warnings that it does not carry yet."""
    known = {warning.code for warning in result.warnings}
    new = tuple(warning for warning in warnings if warning.code not in known)
    return attrs.evolve(result, decision=REVIEW[_kind(result)], warnings=(*result.warnings, *new))


def reviewed(result: Answer, review_threshold: Threshold | None) -> Answer:
    """Turn a pass into REVIEW where a person should look.

    That is so if its score is not above `review_threshold` (a score that is None is not), or if it
    carries a warning of weight ERROR or of a weight that nobody knows: its vendor declines because
    of such a warning, so the answer contradicts itself. Other decisions stay.
    """
    result = attrs.evolve(result, review_threshold=review_threshold)
    if not passes(result):
        return result
    low = review_threshold is not None and not review_threshold.passes(
        None if result.score is None else result.score.value
    )
    grave = any(warning.severity in _GRAVE for warning in result.warnings)
    return for_review(result) if low or grave else result


def borne_out(result: Answer, *asked: Threshold | None) -> Answer:
    """Turn a pass into REVIEW if its own score does not bear it out.

    A verdict of "approved" with a score below a threshold, or with none to hold against it, is not
    believed: a person should look. Equality is left to the backend, whose vendor may have changed
    its rule.

    Args:
        asked: The threshold that was asked for, beside the one that the result names: a vendor may
            have passed over the field.
    """
    values = [t.value for t in (result.threshold, *asked) if t is not None and t.value is not None]
    if not values or not passes(result):
        return result
    threshold, score = max(values), result.score
    if score is not None and score.value >= threshold:
        return result
    if score is None:
        code = WarningCode.SCORE_UNAVAILABLE
        text = f"The answer is a pass without a score to hold against {threshold:g}."
    else:
        code = WarningCode.THRESHOLD_CONFLICT
        text = (
            f"The answer is a pass, but its score {score.value:g} is below the threshold "
            f"{threshold:g}."
        )
    return for_review(result, ResultWarning(code=code, severity=Severity.ERROR, text=text))


def _nameless(faces: tuple[Face, ...] | None) -> tuple[Face, ...] | None:
    if faces is None:
        return None
    return tuple(attrs.evolve(face, demographics=None) for face in faces)


def without_demographics(result: Answer) -> Answer:
    """`result` without guesses about age, gender and race in its faces."""
    result = attrs.evolve(result, probe_faces=_nameless(result.probe_faces))
    if isinstance(result, MatchResult):
        return attrs.evolve(result, reference_faces=_nameless(result.reference_faces))
    return result


def ends_early(liveness: LivenessResult) -> bool:
    """Whether no comparison could still verify this person, so that none is paid for."""
    return liveness.decision in (LivenessDecision.NOT_LIVE, LivenessDecision.INCONCLUSIVE)


def worse(liveness: LivenessResult, match: MatchResult | None) -> LiveMatchDecision:
    """The decision of both together: VERIFIED only if live and a match, else the worse of the two.

    Raises:
        InvalidRequest: there is no comparison although the liveness check did not end it.
    """
    decisions = [_OF_LIVENESS[liveness.decision]]
    if match is not None:
        decisions.append(_OF_MATCH[match.decision])
    elif not ends_early(liveness):
        raise InvalidRequest("Without a comparison only NOT_LIVE and INCONCLUSIVE can be told.")
    return max(decisions, key=_WORSE.index)


def together(liveness: LivenessResult, match: MatchResult | None) -> LiveMatchResult:
    """Both answers as one."""
    return LiveMatchResult(decision=worse(liveness, match), liveness=liveness, match=match)

"""The rules that hold for every backend, as pure functions on results."""

from __future__ import annotations

from typing import Any

import attrs

from ._enums import (
    Decision,
    LiveMatchDecision,
    LivenessDecision,
    Severity,
    ThresholdRule,
    WarningCode,
)
from ._private import without_private
from ._results import (
    Face,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    ResultWarning,
)
from ._scores import Threshold

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


def reviewed(result: Answer, review_threshold: Threshold | None) -> Answer:
    """Turn a pass into REVIEW where a person should look.

    That is so if its score is not above `review_threshold` (a score that is None is not), or if a
    warning of a kind that nobody knows is grave or of unknown weight. Other decisions stay.
    """
    result = attrs.evolve(result, review_threshold=review_threshold)
    if result.decision is not PASS[type(result)]:
        return result
    low = review_threshold is not None and not review_threshold.passes(
        None if result.score is None else result.score.value
    )
    unknown = any(w.code is WarningCode.OTHER and w.severity in _GRAVE for w in result.warnings)
    return attrs.evolve(result, decision=REVIEW[type(result)]) if low or unknown else result


def consistent(result: Answer) -> Answer:
    """Turn a pass into REVIEW if its own score does not bear it out.

    A verdict of "approved" with a score below the threshold, or with none to hold against it, is
    not believed: a person should look. Equality is left to the backend, whose vendor may have
    changed its rule.
    """
    threshold, score = result.threshold, result.score
    if (
        result.decision is not PASS[type(result)]
        or threshold is None
        or threshold.value is None
        or threshold.rule is ThresholdRule.VENDOR
        or (score is not None and score.value >= threshold.value)
    ):
        return result
    if score is None:
        code = WarningCode.SCORE_UNAVAILABLE
        text = f"The answer is a pass without a score to hold against {threshold.value:g}."
    else:
        code = WarningCode.THRESHOLD_CONFLICT
        text = (
            f"The answer is a pass, but its score {score.value:g} is below the threshold "
            f"{threshold.value:g}."
        )
    warning = ResultWarning(code=code, severity=Severity.ERROR, text=text)
    if any(known.code is code for known in result.warnings):
        return attrs.evolve(result, decision=REVIEW[type(result)])
    return attrs.evolve(result, decision=REVIEW[type(result)], warnings=(*result.warnings, warning))


def _nameless(faces: tuple[Face, ...] | None) -> tuple[Face, ...] | None:
    if faces is None:
        return None
    return tuple(attrs.evolve(face, demographics=None) for face in faces)


def without_demographics(result: Answer, keys: frozenset[str]) -> Answer:
    """`result` without guesses about age, gender and race, in its faces and its raw body."""
    result = attrs.evolve(
        result,
        probe_faces=_nameless(result.probe_faces),
        raw=without_private(result.raw, demographic_keys=keys),
    )
    if isinstance(result, MatchResult):
        return attrs.evolve(result, reference_faces=_nameless(result.reference_faces))
    return result


def ends_early(liveness: LivenessResult) -> bool:
    """Whether no comparison could still verify this person, so that none is paid for."""
    return liveness.decision in (LivenessDecision.NOT_LIVE, LivenessDecision.INCONCLUSIVE)


def together(liveness: LivenessResult, match: MatchResult | None) -> LiveMatchResult:
    """Both answers as one: VERIFIED only if live and a match, else the worse of the two."""
    decisions = [_OF_LIVENESS[liveness.decision]]
    if match is not None:
        decisions.append(_OF_MATCH[match.decision])
    elif not ends_early(liveness):
        raise ValueError("Without a comparison only NOT_LIVE and INCONCLUSIVE can be told.")
    return LiveMatchResult(
        decision=max(decisions, key=_WORSE.index), liveness=liveness, match=match
    )

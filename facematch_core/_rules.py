"""The rules that hold for every backend, as pure functions on results."""

from __future__ import annotations

from typing import Any

import attrs

from ._age import AgeResult
from ._enums import (
    AgeDecision,
    Decision,
    LiveMatchDecision,
    LivenessDecision,
    SearchDecision,
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
from ._search import SearchResult
from .errors import InvalidRequest

#: What one call answers.
Answer = MatchResult | LivenessResult | SearchResult | AgeResult

#: The decisions that let somebody in, or that a program may act upon alone, per kind of result.
PASS: dict[type, frozenset[Any]] = {
    MatchResult: frozenset({Decision.MATCH}),
    LivenessResult: frozenset({LivenessDecision.LIVE}),
    SearchResult: frozenset({SearchDecision.CLEAR, SearchDecision.FOUND}),
    AgeResult: frozenset({AgeDecision.OLD_ENOUGH, AgeDecision.ESTIMATED}),
}
REVIEW: dict[type, Any] = {
    MatchResult: Decision.REVIEW,
    LivenessResult: LivenessDecision.REVIEW,
    SearchResult: SearchDecision.REVIEW,
    AgeResult: AgeDecision.REVIEW,
}

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
    if type(result) in PASS:
        return type(result)
    return next(kind for kind in PASS if isinstance(result, kind))


def passes(result: Answer) -> bool:
    """Whether the decision lets somebody in, or may be acted upon without a person."""
    return any(result.decision is word for word in PASS[_kind(result)])


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
    if result.review_threshold is not review_threshold:
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


def doubted(result: Answer, doubt: str | None) -> Answer:
    """Turn a pass into REVIEW if its threshold was not made for such an answer.

    Args:
        doubt: Why not, in a sentence; None for no doubt.
    """
    if doubt is None or not passes(result):
        return result
    code = WarningCode.THRESHOLD_CONFLICT
    return for_review(result, ResultWarning(code=code, severity=Severity.ERROR, text=doubt))


def consistent(result: Answer, minimum_age: Threshold | None = None) -> Answer:
    """Turn a search that found nobody, or an age that is enough, into REVIEW if it denies itself.

    Args:
        minimum_age: The one that was asked for, beside the one that the result names.
    """
    if not passes(result):
        return result
    if isinstance(result, SearchResult):
        doubt = _doubt_of_search(result)
    elif isinstance(result, AgeResult):
        doubt = _doubt_of_age(result, minimum_age)
    else:
        return result
    if doubt is None:
        return result
    code, text = doubt
    return for_review(result, ResultWarning(code=code, severity=Severity.ERROR, text=text))


def _doubt_of_search(result: SearchResult) -> tuple[WarningCode, str] | None:
    lists = {face.is_blocklisted for face in result.matches}
    if True in lists:
        return WarningCode.BLOCKLISTED, "A face that was found is on a blocklist."
    if None in lists:
        return WarningCode.OTHER, "It is not told whether a face that was found is on a blocklist."
    if (result.decision is SearchDecision.CLEAR) is bool(result.matches):
        return WarningCode.OTHER, f"It is {result.decision}, with {len(result.matches)} faces."
    return None


def _doubt_of_age(
    result: AgeResult, minimum_age: Threshold | None
) -> tuple[WarningCode, str] | None:
    if result.age is None:
        return WarningCode.AGE_UNKNOWN, "The answer is a pass without an age."
    asked = [t.value for t in (result.minimum_age, minimum_age) if t is not None and t.value]
    if any(result.age < years for years in asked):
        text = f"The answer is a pass, but the age {result.age:g} is below {max(asked):g}."
        return WarningCode.THRESHOLD_CONFLICT, text
    if (result.decision is AgeDecision.ESTIMATED) is bool(asked):
        text = "Whether a minimum age was asked for is not what the answer says."
        return WarningCode.THRESHOLD_CONFLICT, text
    return None


def _nameless(faces: tuple[Face, ...] | None) -> tuple[Face, ...] | None:
    if faces is None:
        return None
    return tuple(attrs.evolve(face, demographics=None) for face in faces)


def nameless_faces(result: Answer) -> dict[str, Any]:
    """The fields of `result` that hold faces, without guesses about age, gender and race."""
    faces = {"probe_faces": _nameless(result.probe_faces)}
    if isinstance(result, MatchResult):
        faces["reference_faces"] = _nameless(result.reference_faces)
    return faces


def ends_early(liveness: LivenessResult) -> bool:
    """Whether no comparison could still verify this person, so that none is paid for."""
    return liveness.decision in (LivenessDecision.NOT_LIVE, LivenessDecision.INCONCLUSIVE)


def worse(liveness: LivenessResult, match: MatchResult | None) -> LiveMatchDecision:
    """The decision of both together: VERIFIED only if live and a match, else the worse of the two.

    Raises:
        InvalidRequest: there is no comparison although the liveness check did not end it.
    """
    # Words of several kinds are equal as text, so the kinds are looked at: an estimation of age is
    # no liveness check, and never becomes part of whether two pictures show one person.
    if type(liveness) is not LivenessResult or type(match) not in (MatchResult, type(None)):
        raise InvalidRequest("Only a LivenessResult and a MatchResult make one LiveMatchResult.")
    decisions = [_OF_LIVENESS[liveness.decision]]
    if match is not None:
        decisions.append(_OF_MATCH[match.decision])
    elif not ends_early(liveness):
        raise InvalidRequest("Without a comparison only NOT_LIVE and INCONCLUSIVE can be told.")
    return max(decisions, key=_WORSE.index)


def together(liveness: LivenessResult, match: MatchResult | None) -> LiveMatchResult:
    """Both answers as one."""
    return LiveMatchResult(decision=worse(liveness, match), liveness=liveness, match=match)

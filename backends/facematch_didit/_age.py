"""Didit's estimation of age, read: pure functions from an answer to an `AgeResult`.

Two rules with opposite edges stand in one answer: a liveness score *at* its threshold declines, an
age *at* the minimum age does not.

Source: Didit OpenAPI, 2026-07-18; early editions: Didit's skills, early 2026. Both were read on
2026-11-20.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from facematch_core import (
    AgeDecision,
    AgeResult,
    Billed,
    Environment,
    ResultWarning,
    ScaleSource,
    WarningCode,
)
from facematch_core.backend import AgeCall

from ._faces import read_faces
from ._reading import a_text, an_object, number_or_none, text_or_none
from ._verdict import Verdicts
from ._wire import Faces, common, score_of, warnings_of, with_missing_score
from ._words import APPROVED, CHARGED_LOOKUP, DECLINED, GRAVE, LIVENESS_SCALE, NAME

#: The words of a record, which does not tell the minimum age: so nobody is old enough by it.
ESTIMATE: Verdicts[AgeDecision] = Verdicts(
    passed=AgeDecision.ESTIMATED,
    failed=AgeDecision.NOT_LIVE,
    review=AgeDecision.REVIEW,
    inconclusive=AgeDecision.INCONCLUSIVE,
    reasons=frozenset({WarningCode.LOW_LIVENESS, WarningCode.PRESENTATION_ATTACK}),
)


def age_result(call: AgeCall, body: object, environment: Environment) -> AgeResult:
    """The result in the body of an estimation of age.

    Raises:
        ValueError, LookupError: it is not an estimation of age as documented.
    """
    answer = an_object(body, "the body")
    block = _block(answer)
    probe = read_faces(block, "user_image")
    facts = common(call, answer, environment)
    if facts["billed"] is Billed.YES:
        facts["billed_ground"] = CHARGED_LOOKUP
    return AgeResult(
        **facts,
        **judged(block, {"probe": probe}, asked=call.minimum_age is not None),
        minimum_age=call.minimum_age,
        probe_faces=probe,
    )


def judged(block: dict[str, Any], faces: Mapping[str, Faces], *, asked: bool) -> dict[str, Any]:
    """Decision, age, score and warnings of a block, as calls and the decisions of sessions have it.

    Args:
        block: With ``status``, ``score`` and ``warnings``.
        faces: Those that the answer tells, by picture.
        asked: Whether a minimum age is known to have been asked for.

    Raises:
        ValueError, LookupError: it is not such a block.
    """
    status = a_text(block["status"], "status")
    warnings = warnings_of(block, faces)
    score, age = score_of(block, warnings, LIVENESS_SCALE), _age(block)
    return {
        "decision": decide(
            status, warnings, scored=score is not None, aged=age is not None, asked=asked
        ),
        "age": age,
        "method": text_or_none(block.get("method"), "method"),
        "score": score,
        "raw_score": number_or_none(block["score"], "score"),
        "raw_score_name": "score",
        "scale_source": None if score is None else ScaleSource.DOCUMENTED,
        "warnings": with_missing_score(block, warnings),
        "backend": NAME,
        "vendor_status": status,
    }


def decide(
    status: str, warnings: Iterable[ResultWarning], *, scored: bool, aged: bool, asked: bool
) -> AgeDecision:
    """The decision that an answer amounts to.

    Args:
        status: Didit's word.
        warnings: All of them.
        scored: Whether there is a liveness score.
        aged: Whether there is an age.
        asked: Whether a minimum age was asked for.
    """
    told = tuple(warnings)
    codes = {warning.code for warning in told}
    grave = any(warning.severity in GRAVE for warning in told)
    if WarningCode.NO_FACE in codes:
        return AgeDecision.INCONCLUSIVE
    if status == APPROVED:
        # Documented: any warning declines, and an approval has a score and an age.
        passed = AgeDecision.OLD_ENOUGH if asked else AgeDecision.ESTIMATED
        return passed if scored and aged and not grave else AgeDecision.REVIEW
    if status != DECLINED:
        return AgeDecision.REVIEW
    return _declined(codes, scored=scored, aged=aged, asked=asked)


def _declined(codes: set[WarningCode], *, scored: bool, aged: bool, asked: bool) -> AgeDecision:
    if WarningCode.PRESENTATION_ATTACK in codes:
        return AgeDecision.NOT_LIVE
    if WarningCode.LOW_LIVENESS in codes:
        # A null score counts as 0 for Didit: then nothing was measured.
        return AgeDecision.NOT_LIVE if scored else AgeDecision.INCONCLUSIVE
    if WarningCode.AGE_UNKNOWN in codes:
        return AgeDecision.INCONCLUSIVE
    if WarningCode.UNDERAGE in codes and asked:
        return AgeDecision.TOO_YOUNG if aged else AgeDecision.INCONCLUSIVE
    return AgeDecision.REVIEW


def _block(answer: dict[str, Any]) -> dict[str, Any]:
    """The part that tells the age, which early in 2026 was called as that of a liveness check."""
    name = "age_estimation" if "age_estimation" in answer else "liveness"
    return an_object(answer[name], name)


def _age(block: dict[str, Any]) -> float | None:
    # A script of Didit's skills reads the second name.
    name = "age_estimation" if "age_estimation" in block else "estimated_age"
    age = number_or_none(block.get(name), name)
    if age is not None and age < 0:
        raise ValueError(f"{name} is below 0")
    return age

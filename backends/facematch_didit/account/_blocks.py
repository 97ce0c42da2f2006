"""The blocks of a decision as results: what status, score and warnings say, as far as it counts.

Sources: Didit OpenAPI, 2026-07-18, read 2026-11-20: which feature has its block where. Documents
show no decision of a call that was kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from facematch_core import (
    AgeResult,
    Billed,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Severity,
    WarningCode,
)
from facematch_didit import _age, _verdict, _wire
from facematch_didit._reading import a_list, a_text, an_object
from facematch_didit._verdict import D, Verdicts
from facematch_didit._words import CHARGED_LOOKUP, LIVENESS_SCALE, MATCH_SCALE

from . import _reading, _words
from ._private import shown
from ._words import Feature, SessionStatus, Standing

MATCHES, CHECKS = "face_matches", "liveness_checks"

Told = MatchResult | LivenessResult | AgeResult


def blocks(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The blocks of a feature, with what may be missing from one that was not finished."""
    told = a_list(answer.get(name) or [], name)
    found = [{"score": None, **an_object(block, f"one of {name}")} for block in told]
    return [{**block, "warnings": block.get("warnings") or []} for block in found]


def results(
    answer: dict[str, Any], session: SessionStatus, common: dict[str, Any]
) -> Iterator[Told]:
    """Each comparison, then each check, in the order of the decision.

    Args:
        answer: The decision.
        session: Where the session stands.
        common: What all of its results say in the same way.

    Raises:
        ValueError, LookupError: a block is not as documented.
    """
    named = frozenset(name for name, _ in _reading.features(answer.get("features")))
    for block in blocks(answer, MATCHES):
        said = _wire.judged(_verdict.MATCH, _checked(block), MATCH_SCALE, {})
        foreign = _of_another(named, Feature.FACE_MATCH)
        yield MatchResult(**_counted(_verdict.MATCH, block, said, session, foreign), **common)
    for block in blocks(answer, CHECKS):
        # The block of a check is also that of an estimation of age, and only the features tell.
        if Feature.AGE_ESTIMATION in named and Feature.LIVENESS not in named:
            said = _age.judged(_checked(block), {}, asked=False)
            told = _counted(_age.ESTIMATE, block, said, session, foreign=False)
            yield AgeResult(**told, **_as_lookup(common))
            continue
        said = _wire.judged(_verdict.LIVENESS, _checked(block), LIVENESS_SCALE, {})
        foreign = _of_another(named, Feature.LIVENESS)
        told = _counted(_verdict.LIVENESS, block, said, session, foreign)
        yield LivenessResult(**_wire.seen(block), **told, **common)


def _of_another(named: frozenset[str], own: Feature) -> bool:
    """Whether a block is that of a call which says nothing about the person before the camera."""
    return own not in named and bool(named & _words.LOOKUPS)


def _as_lookup(common: dict[str, Any]) -> dict[str, Any]:
    charged = common["billed"] is Billed.YES
    return common | ({"billed_ground": CHARGED_LOOKUP} if charged else {})


def _checked(block: dict[str, Any]) -> dict[str, Any]:
    """`block`; `ValueError` if a word that is needed is missing."""
    a_text(_reading.needed(block, "status"), "status")
    for warning in a_list(block["warnings"], "warnings"):
        _reading.text_in(an_object(warning, "a warning"), "risk")
    return block


def _counted(
    verdicts: Verdicts[D],
    block: dict[str, Any],
    said: dict[str, Any],
    session: SessionStatus,
    foreign: bool,
) -> dict[str, Any]:
    """What was said of a block, as far as the session and its features let it stand."""
    decision = standing(verdicts, said["decision"], feature=block["status"], session=session)
    warnings: tuple[ResultWarning, ...] = said["warnings"]
    if decision is verdicts.passed and foreign:
        decision, warnings = verdicts.review, (*warnings, _ANOTHER_CALL)
    elif decision is verdicts.review and said["decision"] is verdicts.passed:
        warnings = (*warnings, _HELD_BACK)
    return {**said, "decision": decision, "warnings": warnings, "raw": shown(block)}


_HELD_BACK = ResultWarning(
    code=WarningCode.OTHER,
    severity=Severity.WARNING,
    text="It passed, but the session that it belongs to is not approved, so the pass does not "
    "count.",
)
_ANOTHER_CALL = ResultWarning(
    code=WarningCode.OTHER,
    severity=Severity.WARNING,
    text="It passed, but the session is that of a search or of an estimation of age, so the pass "
    "does not count.",
)


def standing(verdicts: Verdicts[D], decision: D, *, feature: str, session: SessionStatus) -> D:
    """What becomes of `decision`, by the tables of `_words`.

    Args:
        verdicts: The words of the operation.
        decision: What status, score and warnings of the feature say by themselves.
        feature: Didit's word for the feature's status.
        session: Where the session stands.
    """
    own = _words.FEATURE_STANDINGS.get(feature, Standing.REVIEW)
    if own is Standing.INCONCLUSIVE:
        return verdicts.inconclusive
    counts = own is _words.SESSION_STANDINGS[session] is Standing.COUNTS
    return decision if counts or decision is not verdicts.passed else verdicts.review

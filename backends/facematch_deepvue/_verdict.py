"""What Deepvue's yes or no, its score and the caller's threshold amount to: one table.

Deepvue takes no threshold. The caller's is held against its score here, and may only tighten its
verdict: "no" stays no whatever the score, and "yes" stays yes only if the score supports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, Literal, TypeVar

import attrs

from facematch_core import (
    Decision,
    LivenessDecision,
    ResultWarning,
    Severity,
    Threshold,
    WarningCode,
)

D = TypeVar("D", Decision, LivenessDecision)


#: How a score stands to the threshold of a call. Without a threshold: a score, or none. With one:
#: at least at it, below it, or no score to hold against it.
Held = Literal["freely", "freely_unscored", "reached", "below", "unscored"]


#: What is decided.
Says = Literal["passed", "failed", "review"]


#: What is said beside it.
Note = Literal["denied", "below", "conflict", "no_threshold", "no_score"]


#: Deepvue's yes or no, and how its score stands, to the decision and what is reported beside it.
TABLE: Mapping[tuple[bool, Held], tuple[Says, tuple[Note, ...]]] = MappingProxyType(
    {
        (False, "freely"): ("failed", ("denied",)),
        (False, "freely_unscored"): ("failed", ("denied",)),
        (False, "below"): ("failed", ("denied",)),
        (False, "unscored"): ("failed", ("denied",)),
        (False, "reached"): ("failed", ("denied", "conflict")),
        (True, "reached"): ("passed", ()),
        (True, "below"): ("failed", ("below",)),
        (True, "unscored"): ("review", ("no_score",)),
        (True, "freely"): ("passed", ("no_threshold",)),
        (True, "freely_unscored"): ("passed", ("no_threshold", "no_score")),
    }
)


@attrs.frozen(kw_only=True)
class Verdicts(Generic[D]):
    """The words of one operation.

    Attributes:
        decisions: One for everything that can be decided.
        low: The code of a warning that says no.
        denied: Deepvue's no, in a sentence.
    """

    decisions: Mapping[Says, D]
    low: WarningCode
    denied: str


MATCH = Verdicts(
    decisions={"passed": Decision.MATCH, "failed": Decision.NO_MATCH, "review": Decision.REVIEW},
    low=WarningCode.LOW_SIMILARITY,
    denied="Deepvue says that the faces do not match.",
)
LIVENESS = Verdicts(
    decisions={
        "passed": LivenessDecision.LIVE,
        "failed": LivenessDecision.NOT_LIVE,
        "review": LivenessDecision.REVIEW,
    },
    low=WarningCode.LOW_LIVENESS,
    denied="Deepvue says that the face is not live.",
)


def held(score: float | None, threshold: Threshold | None) -> Held:
    """How `score` (0-100, or None) stands to `threshold`."""
    if threshold is None or threshold.value is None:
        return "freely_unscored" if score is None else "freely"
    if score is None:
        return "unscored"
    return "reached" if score >= threshold.value else "below"


def decide(
    verdicts: Verdicts[D], *, says_yes: bool, score: float | None, threshold: Threshold | None
) -> tuple[D, tuple[ResultWarning, ...]]:
    """The decision, and the warnings that belong to it."""
    says, notes = TABLE[says_yes, held(score, threshold)]
    limit = None if threshold is None else threshold.value
    return verdicts.decisions[says], tuple(
        _warning(note, verdicts, _number(score), _number(limit)) for note in notes
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _warning(note: Note, verdicts: Verdicts[D], score: str, limit: str) -> ResultWarning:
    code, severity, text = {
        "denied": (verdicts.low, Severity.WARNING, verdicts.denied),
        "below": (
            verdicts.low,
            Severity.WARNING,
            f"Deepvue says yes, but the score {score} is below the threshold {limit}.",
        ),
        "conflict": (
            WarningCode.THRESHOLD_CONFLICT,
            Severity.WARNING,
            f"Deepvue says no, although the score {score} reaches the threshold {limit}.",
        ),
        "no_threshold": (
            WarningCode.THRESHOLD_UNKNOWN,
            Severity.INFORMATION,
            "No threshold was set, and Deepvue does not give its own: only its verdict counts.",
        ),
        "no_score": (
            WarningCode.SCORE_UNAVAILABLE,
            Severity.WARNING,
            "Deepvue says yes without a score that could be held against a threshold.",
        ),
    }[note]
    return ResultWarning(code=code, severity=severity, text=text)

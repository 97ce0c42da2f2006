"""What Deepvue's yes or no, its score and the caller's threshold amount to: one table.

Deepvue takes no threshold. The caller's is held against its score here, and may only tighten its
verdict: "no" stays no whatever the score, and "yes" stays yes only if the score bears it out.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

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


class Held(enum.Enum):
    """How a score stands to the threshold of a call."""

    #: There is no threshold: a score, or none.
    FREELY = enum.auto()
    FREELY_UNSCORED = enum.auto()
    #: There is a threshold: at least at it, below it, or no score to hold against it.
    REACHED = enum.auto()
    BELOW = enum.auto()
    UNSCORED = enum.auto()


class Says(enum.Enum):
    """What is decided."""

    PASSED = enum.auto()
    FAILED = enum.auto()
    REVIEW = enum.auto()


class Note(enum.Enum):
    """What is told beside it."""

    DENIED = enum.auto()
    BELOW = enum.auto()
    CONFLICT = enum.auto()
    NO_THRESHOLD = enum.auto()
    NO_SCORE = enum.auto()


#: Deepvue's yes or no, and how its score stands, to the decision and what is told beside it.
TABLE: Mapping[tuple[bool, Held], tuple[Says, tuple[Note, ...]]] = MappingProxyType(
    {
        (False, Held.FREELY): (Says.FAILED, (Note.DENIED,)),
        (False, Held.FREELY_UNSCORED): (Says.FAILED, (Note.DENIED,)),
        (False, Held.BELOW): (Says.FAILED, (Note.DENIED,)),
        (False, Held.UNSCORED): (Says.FAILED, (Note.DENIED,)),
        (False, Held.REACHED): (Says.FAILED, (Note.DENIED, Note.CONFLICT)),
        (True, Held.REACHED): (Says.PASSED, ()),
        (True, Held.BELOW): (Says.FAILED, (Note.BELOW,)),
        (True, Held.UNSCORED): (Says.REVIEW, (Note.NO_SCORE,)),
        (True, Held.FREELY): (Says.PASSED, (Note.NO_THRESHOLD,)),
        (True, Held.FREELY_UNSCORED): (Says.PASSED, (Note.NO_THRESHOLD, Note.NO_SCORE)),
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
    decisions=MappingProxyType(
        {
            Says.PASSED: Decision.MATCH,
            Says.FAILED: Decision.NO_MATCH,
            Says.REVIEW: Decision.REVIEW,
        }
    ),
    low=WarningCode.LOW_SIMILARITY,
    denied="Deepvue says that the faces do not match.",
)
LIVENESS = Verdicts(
    decisions=MappingProxyType(
        {
            Says.PASSED: LivenessDecision.LIVE,
            Says.FAILED: LivenessDecision.NOT_LIVE,
            Says.REVIEW: LivenessDecision.REVIEW,
        }
    ),
    low=WarningCode.LOW_LIVENESS,
    denied="Deepvue says that the face is not live.",
)


def held(score: float | None, threshold: Threshold | None) -> Held:
    """How `score` (0-100, or None) stands to `threshold`."""
    if threshold is None or threshold.value is None:
        return Held.FREELY_UNSCORED if score is None else Held.FREELY
    if score is None:
        return Held.UNSCORED
    return Held.REACHED if score >= threshold.value else Held.BELOW


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
        Note.DENIED: (verdicts.low, Severity.WARNING, verdicts.denied),
        Note.BELOW: (
            verdicts.low,
            Severity.WARNING,
            f"Deepvue says yes, but the score {score} is below the threshold {limit}.",
        ),
        Note.CONFLICT: (
            WarningCode.THRESHOLD_CONFLICT,
            Severity.WARNING,
            f"Deepvue says no, although the score {score} reaches the threshold {limit}.",
        ),
        Note.NO_THRESHOLD: (
            WarningCode.THRESHOLD_UNKNOWN,
            Severity.INFORMATION,
            "No threshold was set, and Deepvue does not tell its own: its verdict stands alone.",
        ),
        Note.NO_SCORE: (
            WarningCode.SCORE_UNAVAILABLE,
            Severity.WARNING,
            "Deepvue says yes without a score that could be held against a threshold.",
        ),
    }[note]
    return ResultWarning(code=code, severity=severity, text=text)

"""What the words of Acme mean here: tables and pure functions.

**Acme is invented**, and so are these facts. Yours name their source and day:
"Acme API reference, Compare, read 2026-11-20".
"""

from typing import Any

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Ids,
    MatchResult,
    ResultWarning,
    ScaleSource,
    Score,
    Severity,
    VendorUnavailable,
    WarningCode,
)
from facematch_core.http import BodyShape, ErrorRow, ErrorTable, rows

SCALE = "acme/compare"
CHARGED = "Acme charges every answer 200"

#: "same: at least the threshold; different: below; unsure: a person should look."
DECISIONS = {"same": Decision.MATCH, "different": Decision.NO_MATCH, "unsure": Decision.REVIEW}

#: "Answers other than 200 are not charged." A page of markup is some gateway's, which may not know.
ERRORS: ErrorTable = rows(
    [500, 503],
    ErrorRow(
        VendorUnavailable,
        Charged.NO,
        "answers other than 200 are not charged",
        "the vendor reports a fault of its own",
    ),
    [BodyShape.JSON_OBJECT],
)

NO_FACE = ResultWarning(
    code=WarningCode.NO_FACE,
    severity=Severity.ERROR,
    text="similarity is null: one of the pictures shows no face",
)


def match_result(body: Any) -> MatchResult:
    """The result in the body of an answer 200.

    Raises:
        Exception: of any kind, if the body is not as documented. The caller learns that the call
            was charged and that its answer cannot be read, and not what stood in it.
    """
    verdict = text(body["verdict"])
    similarity = number_or_none(body["similarity"])
    score = None
    if similarity is not None:
        score = Score(
            similarity,
            SCALE,
            raw=similarity,
            raw_name="similarity",
            source=ScaleSource.DOCUMENTED,
        )
    return MatchResult(
        decision=decide(verdict, score),
        score=score,
        warnings=(NO_FACE,) if score is None else (),
        backend="acme",
        vendor_status=verdict,
        ids=Ids(vendor=text(body["id"])),
        billing=Billing(Charged.YES, CHARGED),
        raw=body,
    )


def decide(verdict: str, score: Score | None) -> Decision:
    """What the verdict means. Without a score it says nothing about the people."""
    if score is None:
        return Decision.INCONCLUSIVE
    # A word that no document names means that a person should look.
    return DECISIONS.get(verdict, Decision.REVIEW)


def text(value: object) -> str:
    """A text, and nothing that could be made one."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__}, not a text")
    return value


def number_or_none(value: object) -> float | None:
    """A number, or None for null; true and "93" are none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__}, not a number")
    return float(value)

"""Read a run, and the reports in its output: Facial Similarity and Document.

Source: Onfido's OpenAPI specification v3.6, schemas ``facial_similarity_*_breakdown`` and
``document_properties``, read on 2026-11-28. "Ours" marks a choice of this project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_core import (
    ComparedWith,
    Decision,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Score,
    Secret,
    SessionState,
    WarningCode,
)
from facematch_core.backend import (
    DocumentHolder,
    SessionAccess,
    SessionCheck,
    aware_time,
    json_object,
    read_or_none,
)
from facematch_core.backend.session_types import read_birth_date, read_name, record_id_or_none
from facematch_core.http import HttpReply, IssuedToken
from facematch_core.models import LIVENESS_DECISIONS, Severity

STATES = {
    "awaiting_input": SessionState.PENDING,
    "processing": SessionState.PROCESSING,
    # The caller's own server must complete a task of the workflow.
    "awaiting_client_input": SessionState.PROCESSING,
    "approved": SessionState.DECIDED,
    "declined": SessionState.DECIDED,
    # The workflow has ended, and a person decides in the dashboard. That the run is still open
    # until then is our choice, as in the review of other vendors.
    "review": SessionState.PROCESSING,
    "abandoned": SessionState.ABANDONED,
    "error": SessionState.FAILED,
}
#: Statuses of a run whose workflow has ended with a report: in others, one may lack results.
REPORTED = ("approved", "declined", "review")
#: Fields of a run to copy into `raw`: no link, no token, and no output, which has personal data.
RAW_FIELDS = (
    "id",
    "status",
    "workflow_id",
    "workflow_version_id",
    "reasons",
    "created_at",
    "updated_at",
)


@attrs.frozen(kw_only=True)
class _Tags:
    """The copies of a record's fields in a run's tags; None if the run has none."""

    record_id: str | None = None
    terms: str | None = None


def read_tags(run: Any) -> _Tags:
    """Read the tags that `start_steps` sent: an id of 32 and a digest of 64 hexadecimal digits.

    Ignores any other tag, whatever its form: the customer's own programs may add tags.
    """
    tags = _Tags()
    for tag in run.get("tags") or []:
        if record_id_or_none(tag) is not None:
            tags = attrs.evolve(tags, record_id=tag)
        elif isinstance(tag, str) and re.fullmatch("[0-9a-f]{64}", tag):
            tags = attrs.evolve(tags, terms=tag)
    return tags


def read_access(run: Any, state: SessionState) -> SessionAccess:
    """Return the link and the SDK's token while it is the person's turn."""
    link = read_or_none(json_object, run.get("link"), "link") or {}
    expires_at = read_or_none(aware_time, link.get("expires_at"), "link", "expires_at")
    if state is not SessionState.PENDING:
        return SessionAccess(expires_at=expires_at)
    return SessionAccess(
        link=read_or_none(Secret, link.get("url"), "link", "url"),
        token=read_or_none(Secret, run.get("sdk_token"), "sdk_token"),
        expires_at=expires_at,
    )


def read_field_errors(reply: HttpReply) -> dict[str, list[str]]:
    """Return the texts in `error.fields`, whose form Onfido does not document."""
    fields = reply.at("error", "fields")
    texts: dict[str, list[str]] = {}
    if isinstance(fields, dict):
        for name, problem in fields.items():
            problems = problem if isinstance(problem, list) else [problem]
            texts[name] = [str(each) for each in problems]
    return texts


def read_login(reply: HttpReply) -> IssuedToken:
    body = reply.json()
    return IssuedToken(body["access_token"], body["expires_in"])


#: Names of the scales: both from 0 to 1 at Onfido, where 1 is a perfect match and no spoof.
MATCH_SCALE = "onfido/facial-similarity"
LIVENESS_SCALE = "onfido/spoofing-detection"

CLEAR = "clear"
CONSIDER = "consider"
UNIDENTIFIED = "unidentified"

_NOT_CLEAR = ResultWarning(
    code=WarningCode.OTHER,
    severity=Severity.ERROR,
    tag="face_report_not_clear",
    text="The result of the Facial Similarity report is not clear.",
)
_NO_SINGLE_FACE = ResultWarning(
    code=WarningCode.NO_FACE,
    severity=Severity.ERROR,
    tag="face_detected",
    text="No single good face was found in the document and in the person's picture.",
)


@attrs.frozen(kw_only=True)
class RunOutput:
    """The checks and the holder of the document in a run's output.

    Attributes:
        checks: The face comparison and the check for spoofs; empty without the report.
        compared_with: DOCUMENT if there is the report: Onfido compares the face with the newest
            document of the run's own applicant.
        holders: The holder of the document; empty without its report.
        review_reasons: Warnings that turn a pass into REVIEW.
        warnings: Other warnings about the run.
    """

    checks: tuple[SessionCheck, ...] = ()
    compared_with: ComparedWith = ComparedWith.UNKNOWN
    holders: tuple[DocumentHolder, ...] = ()
    review_reasons: tuple[ResultWarning, ...] = ()
    warnings: tuple[ResultWarning, ...] = ()


def read_output(
    output: Mapping[str, Any], *, status: str, face_output: str, document_output: str | None
) -> RunOutput:
    """Return what the output of a run with this status says.

    Args:
        output: The output, by the names that the customer chose.
        status: The status of the run.
        face_output: The name of the Facial Similarity report.
        document_output: The name of the Document report; None not to read it.
    """
    holders: tuple[DocumentHolder, ...] = ()
    if document_output is not None and output.get(document_output) is not None:
        holders = (_read_holder(output[document_output]),)
    if output.get(face_output) is None:
        return RunOutput(holders=holders, warnings=(_no_face_report(face_output),))
    return attrs.evolve(_read_face(output[face_output], status=status), holders=holders)


def _no_face_report(face_output: str) -> ResultWarning:
    return ResultWarning(
        code=WarningCode.OTHER,
        tag="no_face_report",
        text=f"The run's output has no report named {face_output}: let the workflow export its "
        "Facial Similarity report under this name, or correct face_output.",
    )


def _read_face(report: Any, *, status: str) -> RunOutput:
    """Return the checks in a Facial Similarity report of a run with this status.

    "Consider" is a no in a declined run. In another run, whose workflow went on although the report
    has doubts, it is REVIEW: our choice.
    """
    result = report["result"]
    breakdown = report["breakdown"]
    comparison = breakdown["face_comparison"]
    authenticity = breakdown["visual_authenticity"]
    face_detected = _at(breakdown, "image_integrity", "breakdown", "face_detected", "result")
    warnings: tuple[ResultWarning, ...] = ()
    if face_detected == CONSIDER:
        warnings = (_NO_SINGLE_FACE,)
    is_inconclusive = result in (UNIDENTIFIED, None) or face_detected in (CONSIDER, None)
    match_decision = Decision.INCONCLUSIVE
    live_decision = LivenessDecision.INCONCLUSIVE
    if not is_inconclusive:
        match_decision = _decide(comparison["result"], status)
        live_decision = LIVENESS_DECISIONS[_decide(authenticity["result"], status)]
    match_score = _at(comparison, "breakdown", "face_match", "properties", "score")
    live_score = _at(authenticity, "breakdown", "spoofing_detection", "properties", "score")
    match = MatchResult(
        decision=match_decision,
        score=_score(match_score, MATCH_SCALE),
        warnings=warnings,
        vendor_status=comparison["result"],
        backend="onfido",
    )
    liveness = LivenessResult(
        decision=live_decision,
        score=_score(live_score, LIVENESS_SCALE),
        warnings=warnings,
        vendor_status=authenticity["result"],
        backend="onfido",
    )
    is_clear = result == CLEAR and face_detected == CLEAR
    return RunOutput(
        checks=(SessionCheck(result=match), SessionCheck(result=liveness)),
        compared_with=ComparedWith.DOCUMENT,
        review_reasons=() if is_clear else (_NOT_CLEAR,),
    )


def _decide(result: Any, status: str) -> Decision:
    """Return the decision of one part of the report; INCONCLUSIVE if it has no result."""
    if result is None:
        return Decision.INCONCLUSIVE
    if result == CLEAR:
        return Decision.MATCH
    if result == CONSIDER and status == "declined":
        return Decision.NO_MATCH
    return Decision.REVIEW


def _score(value: Any, scale: str) -> Score | None:
    return None if value is None else Score.from_fraction(value, scale, raw_name="score")


def _read_holder(report: Any) -> DocumentHolder:
    """Return the holder in a Document report; each property may be missing."""
    properties = report.get("properties") or {}
    return DocumentHolder(
        name=read_name(properties, "first_name", "middle_name", "last_name"),
        date_of_birth=read_birth_date(properties, "date_of_birth"),
    )


def _at(value: Any, *path: str) -> Any:
    """Return the value at a path of keys; None if a key is missing or null."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value

"""Read an applicant and a webhook of Sumsub. All functions are pure.

Sources: docs.sumsub.com, the pages named below; read 2026-11-28.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from facematch_core import (
    ComparedWith,
    Decision,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    SessionRecord,
    SessionState,
    WarningCode,
)
from facematch_core.backend import (
    DocumentHolder,
    SessionCheck,
    SessionReading,
    pick,
    read_or_none,
    read_strict,
)
from facematch_core.backend.session_types import (
    SessionHint,
    read_birth_date,
    read_name,
    record_id_or_none,
)

#: An object in a body.
JsonObject: TypeAlias = Mapping[str, Any]

#: "A random combination of 24 digits and lowercase Latin characters" (Get applicant data).
APPLICANT_ID = re.compile("[0-9a-z]{24}")

#: States by ``reviewStatus`` (Applicant statuses); ``completed`` also depends on the answer.
_STATES: Mapping[str, SessionState] = {
    "init": SessionState.PENDING,
    "awaitingUser": SessionState.PENDING,
    "pending": SessionState.PROCESSING,
    "prechecked": SessionState.PROCESSING,
    "queued": SessionState.PROCESSING,
    "onHold": SessionState.PROCESSING,
    "awaitingService": SessionState.PROCESSING,
}

#: Methods of a selfie step, ``videoRequired`` (agent-skills, level-schema.md). For any other, such
#: as ``enabled`` (a video in which the person reads digits), no source says that it is liveness.
_LIVENESS_METHODS = frozenset({"passiveLiveness", "staticLiveness", "liveness"})
_METHODS_WITHOUT_LIVENESS = frozenset({"photoRequired", "disabled"})

#: Labels of a rejected selfie step (Rejection labels). Sumsub compares the face only after the
#: liveness check, so a label about one of them leaves the other one open.
_NO_MATCH_LABELS = frozenset({"BAD_FACE_MATCHING", "SELFIE_MISMATCH"})
_SPOOF_LABELS = frozenset({"FRAUDULENT_LIVENESS"})
_RETAKE_LABELS = frozenset({"BAD_SELFIE", "BAD_VIDEO_SELFIE"})
_WARNING_CODES = {
    **dict.fromkeys(_NO_MATCH_LABELS, WarningCode.LOW_SIMILARITY),
    **dict.fromkeys(_SPOOF_LABELS, WarningCode.PRESENTATION_ATTACK),
    **dict.fromkeys(_RETAKE_LABELS, WarningCode.LOW_QUALITY),
}


def read_applicant(
    reading: SessionReading,
    record: SessionRecord,
    applicant: JsonObject,
    steps: JsonObject,
) -> SessionReading:
    """Return the reading with what the applicant and its steps show."""
    review = applicant["review"]
    result = review.get("reviewResult") or {}
    status = read_text(review["reviewStatus"])
    state = _state_of(status, result)
    # A step is null until the person has sent something for it (Get verification steps).
    sent_steps = {name: step for name, step in steps.items() if step is not None}
    identity_steps = [step for name, step in sent_steps.items() if name.startswith("IDENTITY")]
    methods = _read_liveness_methods(applicant)
    checks = list[SessionCheck]()
    for name, step in sent_steps.items():
        if name.startswith("SELFIE"):
            checks += _read_checks(step, methods.get(name))
    labels = read_or_none(_read_labels, result, "review", "reviewResult", "rejectLabels")
    # Documents are read only where they are compared, because they contain personal data.
    is_document = record.compared_with is ComparedWith.DOCUMENT
    return attrs.evolve(
        reading,
        state=state,
        vendor_status=status,
        approved=result.get("reviewAnswer") == "GREEN",
        checks=tuple(checks),
        compared_with=ComparedWith.DOCUMENT if identity_steps else ComparedWith.UNKNOWN,
        document_holders=tuple(_read_holders(applicant, identity_steps)) if is_document else (),
        created_at=read_or_none(_read_time, applicant.get("createdAt"), "createdAt"),
        facts={"level_name": read_text(review["levelName"])},
        has_begun=bool(sent_steps),
        # Counts only while PENDING. A rejection with RETRY is PENDING, and "completed".
        is_asked_back=status in ("awaitingUser", "completed"),
        warnings=tuple(map(_label_warning, labels or ())),
        raw=_pick_raw(applicant, sent_steps),
    )


def _state_of(status: str, result: JsonObject) -> SessionState:
    """Return the state of a session; ``result`` is the applicant's ``reviewResult``."""
    if status != "completed":
        # An answer before that may be GREEN, too, and does not count.
        return _STATES.get(status, SessionState.UNKNOWN)
    answer = result.get("reviewAnswer")
    if answer == "GREEN":
        return SessionState.DECIDED
    if answer != "RED":
        return SessionState.UNKNOWN
    reject_type = result.get("reviewRejectType")
    if reject_type in ("FINAL", None):
        return SessionState.DECIDED
    # The person is asked to send something again, by the same link or another one.
    return SessionState.PENDING if reject_type == "RETRY" else SessionState.UNKNOWN


def _read_liveness_methods(applicant: JsonObject) -> dict[str, str]:
    """Return the method by which each step of the applicant's level checks liveness."""
    methods = {}
    # An app token without the permission may not see the level's steps.
    level = applicant.get("requiredIdDocs") or {}
    for step in level.get("docSets") or ():
        name = read_text(step["idDocSetType"])
        if step.get("videoRequired") is not None:
            methods[name] = read_text(step["videoRequired"])
    return methods


def _read_checks(step: JsonObject, method: str | None) -> Iterator[SessionCheck]:
    """Yield the match and, if its method has one, the liveness check of a selfie step.

    The step has one verdict on both.
    """
    result = step.get("reviewResult") or {}
    answer: str | None = None
    if result:
        answer = read_strict(read_text, result.get("reviewAnswer"), "reviewResult", "reviewAnswer")
    labels: dict[str, None] = {}
    if answer == "RED":
        for part in (result, *(step.get("imageReviewResults") or {}).values()):
            labels |= _read_labels(part)
    warnings = tuple(map(_label_warning, labels))
    match = MatchResult(
        decision=_decide_match(answer, labels),
        warnings=warnings,
        backend="sumsub",
        vendor_status=answer,
    )
    yield SessionCheck(result=match)
    if method in _METHODS_WITHOUT_LIVENESS:
        return
    decision = _decide_liveness(answer, labels)
    if decision is LivenessDecision.LIVE and method not in _LIVENESS_METHODS:
        decision = LivenessDecision.REVIEW
    liveness = LivenessResult(
        decision=decision,
        warnings=warnings,
        backend="sumsub",
        vendor_status=answer,
        method=method,
    )
    yield SessionCheck(result=liveness)


def _decide_match(answer: str | None, labels: Mapping[str, None]) -> Decision:
    """Return the decision by a selfie step's answer and, if it is RED, by its labels."""
    if answer is None:
        return Decision.INCONCLUSIVE  # not checked yet
    if answer == "GREEN":
        return Decision.MATCH
    if answer != "RED":
        return Decision.REVIEW
    if labels.keys() & _NO_MATCH_LABELS:
        return Decision.NO_MATCH
    if labels.keys() & (_SPOOF_LABELS | _RETAKE_LABELS):
        return Decision.INCONCLUSIVE
    # Rejected for a reason that says nothing about the face.
    return Decision.REVIEW


def _decide_liveness(answer: str | None, labels: Mapping[str, None]) -> LivenessDecision:
    """Return the decision by a selfie step's answer and, if it is RED, by its labels."""
    if answer is None:
        return LivenessDecision.INCONCLUSIVE  # not checked yet
    if answer == "GREEN":
        return LivenessDecision.LIVE
    if answer != "RED":
        return LivenessDecision.REVIEW
    if labels.keys() & _SPOOF_LABELS:
        return LivenessDecision.NOT_LIVE
    if labels.keys() & (_NO_MATCH_LABELS | _RETAKE_LABELS):
        return LivenessDecision.INCONCLUSIVE
    return LivenessDecision.REVIEW


def _read_labels(result: JsonObject) -> dict[str, None]:
    """Return the labels of a result, as the keys of a dict, which keeps their order."""
    return dict.fromkeys(map(read_text, result.get("rejectLabels") or ()))


def _label_warning(label: str) -> ResultWarning:
    return ResultWarning(code=_WARNING_CODES.get(label, WarningCode.OTHER), tag=label)


def _read_holders(
    applicant: JsonObject, identity_steps: list[JsonObject]
) -> Iterator[DocumentHolder]:
    """Yield the holder of each document of the type and country that an identity step shows.

    ``info`` has what Sumsub recognized on documents, and ``idDocs`` in it each document, with
    utility bills among them (Get applicant data).
    """
    shown = {(step.get("idDocType"), step.get("country")) for step in identity_steps}
    documents = (applicant.get("info") or {}).get("idDocs") or ()
    for document in documents:
        if (document.get("idDocType"), document.get("country")) in shown:
            yield _read_holder(document)


def _read_holder(document: JsonObject) -> DocumentHolder:
    """Return the holder on a document; a value that was not recognized is missing."""
    return DocumentHolder(
        name=read_name(document, "firstName", "lastName"),
        date_of_birth=read_birth_date(document, "dob"),
    )


# --- webhooks ---


def read_hint(document: JsonObject) -> SessionHint:
    """Return the session that a delivery names (User verification webhooks)."""
    return SessionHint(
        # Another program may have created the applicant, with an id of its own.
        record_id=record_id_or_none(document.get("externalUserId")),
        session_id=read_id({"id": document["applicantId"]}),
        # Sent by hand from the dashboard.
        is_test=document.get("testMode") is True,
    )


# --- values of a body; any exception means that the body is invalid ---

#: Fields that are copied to `raw`: no names, documents, comments or pictures.
_RAW_APPLICANT = ("id", "inspectionId", "externalUserId", "createdAt", "type")
_RAW_REVIEW = (
    "reviewId",
    "attemptId",
    "attemptCnt",
    "levelName",
    "createDate",
    "reviewDate",
    "reviewStatus",
)
_RAW_RESULT = ("reviewAnswer", "rejectLabels", "reviewRejectType", "buttonIds")


def _pick_raw(applicant: JsonObject, steps: Mapping[str, Any]) -> JsonObject:
    """Return the allowed fields of an applicant and of its steps."""
    review = applicant["review"]
    answers = {}
    for name, step in steps.items():
        result = step.get("reviewResult") if isinstance(step, Mapping) else None
        answers[name] = pick(result, _RAW_RESULT)
    return {
        **pick(applicant, _RAW_APPLICANT, times=("createdAt",)),
        "review": {
            **pick(review, _RAW_REVIEW, times=("createDate", "reviewDate")),
            "reviewResult": pick(review.get("reviewResult"), _RAW_RESULT),
        },
        "steps": answers,
    }


def read_id(applicant: JsonObject) -> str:
    applicant_id = read_text(applicant["id"])
    if not APPLICANT_ID.fullmatch(applicant_id):
        raise ValueError("id is not an applicant's")
    return applicant_id


def _read_time(text: object) -> dt.datetime:
    """Return a time such as ``2020-06-24 05:05:14``, which is in UTC."""
    return dt.datetime.strptime(read_text(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC)


def read_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value

"""What Veriff's responses and webhooks show about a session.

- An *attempt* is one try of the person in a session; each has an id of its own.
- A *decision* is the status of a session that the person has submitted or left.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from facematch_mock_server.vendors.kit import CitedClaims, Session
from facematch_mock_server.world.hosted import document_values, gender_letter, hosted_of

CREATED = "created"
STARTED = "started"
SUBMITTED = "submitted"
APPROVED = "approved"
DECLINED = "declined"
RESUBMIT = "resubmission_requested"
REVIEW = "review"
EXPIRED = "expired"
ABANDONED = "abandoned"

#: The codes of decisions (devdocs.veriff.com, verification session status codes).
DECISION_CODES: Mapping[str, int] = {
    APPROVED: 9001,
    DECLINED: 9102,
    RESUBMIT: 9103,
    EXPIRED: 9104,
    ABANDONED: 9104,
    REVIEW: 9121,
}
#: The codes of the statuses that an event webhook tells.
EVENT_CODES: Mapping[str, int] = {STARTED: 7001, SUBMITTED: 7002}
#: Reason codes (devdocs.veriff.com, decision codes and granular reason codes).
FACE_IS_NOT_OF_DOCUMENT = 103
FACE_IS_NOT_OF_REFERENCE = 120
NO_FACE_IN_REFERENCE = 122
NO_FACE = 202
POOR_QUALITY = 204
NO_FACE_IN_DOCUMENT = 209
ATTACK = 503
TOO_MANY_ATTEMPTS = 539
#: Veriff's descriptions of these codes.
REASONS: Mapping[int, str] = {
    FACE_IS_NOT_OF_DOCUMENT: "Person showing the document does not appear to match document photo",
    FACE_IS_NOT_OF_REFERENCE: "Person on the portrait does not appear to match reference photo",
    NO_FACE_IN_REFERENCE: "No reference found",
    NO_FACE: "Face not clearly visible",
    POOR_QUALITY: "Poor image quality",
    NO_FACE_IN_DOCUMENT: "Document photo missing",
    ATTACK: "Attempted deceit",
    TOO_MANY_ATTEMPTS: "Resubmission limit exceeded",
}
#: Keys of `Session.result`.
#: The reason code, and the status that it explains.
REASON_CODE = "reason_code"
REASON_STATUS = "reason_status"
#: The times of the requests to resubmit, as responses show them: each begins an attempt.
RESUBMITTED_AT = "resubmitted_at"
#: The namespace of attempt ids, which depend only on the session and the attempt's number.
_ATTEMPTS = uuid.UUID("7f0c5d0e-0000-4b6b-9d55-3b1f6c2a9e00")


def stamp(time: dt.datetime) -> str:
    # Six decimals. (two decisions in public programs, read 2026-11-30)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def list_attempts(session: Session) -> list[dict[str, str]]:
    """Return the attempts in a session, oldest first."""
    # Each submitted attempt but the last has ended with a request to resubmit.
    submitted_attempts = hosted_of(session).attempts
    statuses = [RESUBMIT] * submitted_attempts
    is_last_submitted = session.status in (SUBMITTED, APPROVED, DECLINED, RESUBMIT, REVIEW)
    if is_last_submitted and statuses:
        statuses[-1] = session.status
    else:
        statuses.append(session.status)
    begun_at = [stamp(session.created_at), *session.result.get(RESUBMITTED_AT, ())]
    attempts = []
    # A time more than there are attempts is of a request to resubmit that the person has not yet
    # followed: the attempt begins only with it.
    for number, (status, created_time) in enumerate(zip(statuses, begun_at, strict=False), start=1):
        attempt_id = str(uuid.uuid5(_ATTEMPTS, f"{session.id} {number}"))
        attempts.append({"id": attempt_id, "status": status, "createdTime": created_time})
    return attempts


def attempt_id_of(session: Session) -> str:
    """Return the id of the latest attempt."""
    return list_attempts(session)[-1]["id"]


def _decided_at(session: Session) -> str:
    """Return the time of a decision; a session that was decided has one."""
    return stamp(session.status_at or session.created_at)


def decision_body(claims: CitedClaims, session: Session) -> dict[str, Any]:
    """Return the body of a decision, which is also that of its webhook."""
    # approved is 9001, declined 9102, resubmission_requested 9103, expired and abandoned 9104,
    # review 9121. (devdocs.veriff.com, verification session status codes (table))
    # Another person is 103, or 120 with a reference; an attack 503; no face 202; no face in the
    # document 209, in the reference 122; a failed attempt 204; too many 539. Descriptions are
    # Veriff's. (devdocs.veriff.com, decision codes and granular reason codes (tables))
    claims.cite("session.match_from", "session.live_from")
    # OURS: technicalData.ip is 127.0.0.1. A document is a PASSPORT with the values that a test
    # sets, else with the made-up ones of the card's person; of another picture they are null. A
    # full name that a test sets is split at its last space.
    claims.cite("match.review", "session.attempts")
    # A decision, or the first request to resubmit, is charged once; a session that was not
    # submitted is not. (help.veriff.com, articles 5116778, 3250231 and 3250261)
    claims.cite("credit.price", "credit.start")
    # pepSanctionMatch is null, and there are no riskLabels. (two decisions in public programs, read
    # 2026-11-30)
    hosted = hosted_of(session)
    reason_code = None
    if session.result.get(REASON_STATUS) == session.status:
        reason_code = session.result.get(REASON_CODE)
    return {
        "status": "success",
        "verification": {
            "id": session.id,
            "attemptId": attempt_id_of(session),
            "status": session.status,
            "code": DECISION_CODES[session.status],
            "reason": None if reason_code is None else REASONS[reason_code],
            "reasonCode": reason_code,
            "vendorData": session.vendor_data,
            "endUserId": session.metadata_or_empty.get("endUserId"),
            "acceptanceTime": stamp(session.created_at),
            "decisionTime": _decided_at(session),
            "person": {**_person(document_values(session)), "pepSanctionMatch": None},
            "document": _document(document_values(session), has_type=hosted.kind == "kyc"),
            "comments": [],
            "additionalVerifiedData": {},
        },
        "technicalData": {"ip": "127.0.0.1"},
    }


def _person(fields: Mapping[str, str]) -> dict[str, str | None]:
    """Return the person of a decision; a field that the document lacks is None."""
    date_of_birth = fields.get("date_of_birth")
    return {
        "firstName": fields.get("first_name") or None,
        "lastName": fields.get("last_name") or None,
        "dateOfBirth": date_of_birth,
        "yearOfBirth": None if date_of_birth is None else date_of_birth.partition("-")[0],
        "gender": gender_letter(fields),
        "nationality": fields.get("nationality"),
        **dict.fromkeys(("idNumber", "citizenship", "placeOfBirth")),
    }


def _document(fields: Mapping[str, str], *, has_type: bool) -> dict[str, str | None]:
    return {
        "type": "PASSPORT" if has_type else None,
        "number": fields.get("document_number"),
        "country": fields.get("issuing_country"),
        "validFrom": fields.get("date_of_issue"),
        "validUntil": fields.get("expiration_date"),
    }


def event_body(session: Session) -> dict[str, Any]:
    """Return the body of an event webhook about a session that is started or submitted."""
    # A drill may tell of a session in any status: one in another status is told as started.
    action = session.status if session.status in EVENT_CODES else STARTED
    return {
        "id": session.id,
        "attemptId": attempt_id_of(session),
        "feature": "selfid",
        "code": EVENT_CODES[action],
        "action": action,
        "vendorData": session.vendor_data,
    }

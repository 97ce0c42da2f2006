"""Read Veriff's attempts and decisions. Sources: see `backend`."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_core import (
    ComparedWith,
    Decision,
    MatchResult,
    ResultWarning,
    SessionRecord,
    SessionState,
    WarningCode,
    errors,
)
from facematch_core.backend import (
    DocumentHolder,
    SessionCheck,
    SessionReading,
    UnreadableField,
    aware_time,
    nonempty_text,
    pick,
    read_at,
    read_or_none,
)
from facematch_core.backend.session_types import read_birth_date, read_name
from facematch_core.models import Severity

NAME = "veriff"

#: States by Veriff's status, which also has a numeric code. The code is ignored, because Veriff's
#: pages give 9121 two meanings.
_STATES: Mapping[str, SessionState] = {
    "created": SessionState.PENDING,
    "started": SessionState.PENDING,
    "submitted": SessionState.PROCESSING,
    "resubmission_requested": SessionState.PENDING,
    # No conclusive decision: a person at Veriff or at the customer looks at the session.
    "review": SessionState.PROCESSING,
    "approved": SessionState.DECIDED,
    "declined": SessionState.DECIDED,
    "expired": SessionState.EXPIRED,
    "abandoned": SessionState.ABANDONED,
}
#: Statuses of attempts that the person makes or has made, the most advanced first.
_UNDER_WAY = ("submitted", "started")
#: Statuses of attempts that wait for the person. Earlier attempts of a session that was asked back
#: stay in the list, in an order that is not documented.
_WAITING = ("resubmission_requested", "created")

#: Reason codes of a decline because the document or the reference shows another person.
_OTHER_PERSON = frozenset({"103", "120", "509"})
#: Reason codes of an attempted deceit: a screen, a printout, a stream.
_DECEIT = frozenset({"503", "504", "505", "515", "526"})
#: Reason codes of several people.
_SEVERAL_PEOPLE = frozenset({"502", "641"})
#: Reason codes of a decline that is a verdict on the face. Any other decline says nothing of it.
_OF_THE_FACE = _OTHER_PERSON | _DECEIT | _SEVERAL_PEOPLE
#: Reason codes for a face that is not visible in the person's picture.
_NO_FACE = frozenset({"202", "208", "605", "606"})
#: Reason codes without a comparison: no face, no reference, no portrait cut from the document, and
#: the last of ten attempts that Veriff did not decide.
_NOT_COMPARED = _NO_FACE | {"122", "537", "539"}
#: The picture that the face is compared with, by the integration's solution.
COMPARED_PICTURES: Mapping[str, ComparedWith] = {
    "document_selfie": ComparedWith.DOCUMENT,
    "selfie2selfie": ComparedWith.GIVEN,
}
#: Warning codes by reason code. All others are OTHER.
_WARNING_CODES: Mapping[str, WarningCode] = {
    **dict.fromkeys(_OTHER_PERSON, WarningCode.LOW_SIMILARITY),
    **dict.fromkeys(_DECEIT, WarningCode.PRESENTATION_ATTACK),
    **dict.fromkeys(_SEVERAL_PEOPLE, WarningCode.MULTIPLE_FACES),
    **dict.fromkeys(_NO_FACE, WarningCode.NO_FACE),
    "124": WarningCode.DUPLICATE,
    "127": WarningCode.BLOCKLISTED,
}
#: Fields of a decision that are copied to `raw`: nothing about the person, the document or others.
_RAW_FIELDS = (
    "id",
    "attemptId",
    "status",
    "code",
    "reason",
    "reasonCode",
    "acceptanceTime",
    "decisionTime",
)


@attrs.frozen(kw_only=True)
class _Copies:
    """The record's id and terms in ``vendorData``; None if another program wrote it."""

    record_id: str | None
    terms: str | None


def read_copies(verification: Mapping[str, Any]) -> _Copies:
    ours = re.fullmatch(r"([0-9a-f]{32})\.([0-9a-f]{64})", str(verification.get("vendorData")))
    if ours is None:
        return _Copies(record_id=None, terms=None)
    return _Copies(record_id=ours[1], terms=ours[2])


def is_of_record(verification: Mapping[str, Any], record: SessionRecord) -> bool:
    """Return whether a decision has the session's id and the id of the record."""
    has_session_id = str(verification.get("id")).lower() == id_of(record)
    return has_session_id and read_copies(verification).record_id == record.id


def read_id(session_id: object) -> str:
    """Return Veriff's id of a session in lower case. Raises `ValueError` if it is not a UUID."""
    return str(uuid.UUID(nonempty_text(session_id)))


def id_of(record: SessionRecord) -> str:
    """Return the session's id in a record. Raises `InvalidRequest` if it is not a UUID."""
    try:
        return read_id(record.session_id)
    except (TypeError, ValueError):
        raise errors.InvalidRequest("Invalid Veriff session id: it must be a UUID.") from None


def read_attempts(record: SessionRecord, attempts: Any) -> SessionReading:
    """Return the reading of a session without a decision, from the statuses of its attempts.

    No field of this answer shows whose session it is.
    """
    status = _find_current_status([nonempty_text(attempt["status"]) for attempt in attempts])
    state = SessionState.PENDING
    if status is not None:
        state = _STATES.get(status, SessionState.UNKNOWN)
    if state is SessionState.DECIDED:
        # The decision itself is not shown yet.
        state = SessionState.PROCESSING
    return SessionReading(
        session_id=id_of(record),
        state=state,
        vendor_status=status,
        has_begun=status == "started",
        is_asked_back=status == "resubmission_requested",
    )


def _find_current_status(statuses: list[str]) -> str | None:
    """Return the status of the attempt that is under way; None if there is no attempt."""
    for status in _UNDER_WAY:
        if status in statuses:
            return status
    # A decision that is not shown yet, or a status that Veriff does not document here.
    others = [status for status in statuses if status not in _WAITING]
    if others:
        return others[-1]
    return next((status for status in _WAITING if status in statuses), None)


def read_decision(record: SessionRecord, verification: Any) -> SessionReading:
    """Return a decision as a reading; an unknown status is UNKNOWN, never a yes.

    The document is read only where it is compared. A reason is a warning of the session unless it
    is that of a decided check.
    """
    status = nonempty_text(verification["status"])
    state = _STATES.get(status, SessionState.UNKNOWN)
    reasons = _read_reason(verification, is_declined=status == "declined")
    copies = read_copies(verification)
    shown = pick(verification, _RAW_FIELDS, times=("acceptanceTime", "decisionTime"))
    holders: tuple[DocumentHolder, ...] = ()
    # Documents are read only where they are compared, because they contain personal data.
    if record.compared_with is ComparedWith.DOCUMENT:
        holders = (_read_holder(verification),)
    return SessionReading(
        session_id=read_id(verification["id"]),
        state=state,
        vendor_status=status,
        approved=status == "approved",
        checks=_read_checks(status, reasons),
        compared_with=_find_compared_picture(record, verification),
        document_holders=holders,
        record_id=copies.record_id,
        terms=copies.terms,
        created_at=read_or_none(aware_time, verification.get("acceptanceTime"), "acceptanceTime"),
        is_asked_back=status == "resubmission_requested",
        # The reason of a decline is a warning of its check.
        warnings=() if state is SessionState.DECIDED else reasons,
        raw={"verification": shown},
    )


def _read_reason(
    verification: Mapping[str, Any], *, is_declined: bool
) -> tuple[ResultWarning, ...]:
    """Return the reason of a decline or of a request to resubmit; () if there is none.

    The reason code is a number in Veriff's examples, and a string in its text.
    """
    reason_code = verification.get("reasonCode")
    reason = verification.get("reason")
    if reason_code is None and reason is None:
        return ()
    if isinstance(reason_code, (dict, list)):
        raise UnreadableField("is neither a number nor a text", "reasonCode")
    tag = None if reason_code is None else str(reason_code)
    warning = ResultWarning(
        code=_WARNING_CODES.get(tag or "", WarningCode.OTHER),
        severity=Severity.ERROR if is_declined else Severity.WARNING,
        tag=tag,
        text=read_or_none(nonempty_text, reason, "reason"),
    )
    return (warning,)


def _read_checks(status: str, warnings: tuple[ResultWarning, ...]) -> tuple[SessionCheck, ...]:
    """Return Veriff's joint verdict on match and liveness; () before a decision."""
    reason_codes = {warning.tag for warning in warnings}
    if status == "approved":
        decision = Decision.MATCH
    elif status == "declined":
        decision = _decide_declined(reason_codes)
    else:
        return ()
    result = MatchResult(decision=decision, warnings=warnings, backend=NAME, vendor_status=status)
    # Another person may well be live.
    is_other_person = not reason_codes.isdisjoint(_OTHER_PERSON)
    return (SessionCheck(result=result, covers_liveness=not is_other_person),)


def _decide_declined(reason_codes: set[str | None]) -> Decision:
    """Return what a decline says of the face: nothing, unless its reason is one of the face."""
    if reason_codes & _OF_THE_FACE:
        return Decision.NO_MATCH
    if reason_codes & _NOT_COMPARED:
        return Decision.INCONCLUSIVE
    return Decision.REVIEW


def _find_compared_picture(record: SessionRecord, verification: Mapping[str, Any]) -> ComparedWith:
    """Return the picture that the face was compared with, as far as the decision shows it.

    A document counts if Veriff read its type or number. Without a document, a stored face and a
    reference, the integration may check a selfie alone.
    """
    document = verification.get("document") or {}
    for name in ("type", "number"):
        if document.get(name) is not None:
            read_at(nonempty_text, document, name)
            return ComparedWith.DOCUMENT
    if verification.get("biometricAuthentication") is not None:
        return ComparedWith.STORED
    # The start has sent the reference of this record; no field of a decision shows it.
    is_given = record.compared_with is ComparedWith.GIVEN
    return ComparedWith.GIVEN if is_given else ComparedWith.UNKNOWN


def _read_holder(verification: Mapping[str, Any]) -> DocumentHolder:
    """Return the person on the document; each field is null if Veriff did not read it."""
    person = verification.get("person") or {}
    return DocumentHolder(
        name=read_name(person, "firstName", "lastName"),
        date_of_birth=read_birth_date(person, "dateOfBirth"),
    )

"""Read Stripe's VerificationSessions. Sources: see `backend`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeAlias

from facematch_core import (
    ComparedWith,
    Decision,
    Environment,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Secret,
    SessionState,
    WarningCode,
)
from facematch_core.backend import (
    DocumentHolder,
    SessionAccess,
    SessionCheck,
    SessionReading,
    nonempty_text,
    number,
    pick,
    read_at,
    read_or_none,
)
from facematch_core.backend.session_types import read_name, record_id_or_none
from facematch_core.http import MOCK_HEADER, HttpReply

NAME = "stripe"

#: A session as Stripe's JSON object.
Session: TypeAlias = dict[str, Any]

_STATES: Mapping[str, SessionState] = {
    # Not begun, or failed: `last_error` tells which. The person may try again in both cases.
    "requires_input": SessionState.PENDING,
    "processing": SessionState.PROCESSING,
    "verified": SessionState.DECIDED,
    "canceled": SessionState.CANCELED,
}
#: Decisions about the match, by the error code of a selfie that failed.
_DECISIONS: Mapping[str, Decision] = {
    "selfie_face_mismatch": Decision.NO_MATCH,
    "selfie_document_missing_photo": Decision.INCONCLUSIVE,
    "selfie_unverified_other": Decision.INCONCLUSIVE,
}
#: The error code of a selfie that is no live face's. It says nothing about the match.
_MANIPULATED = "selfie_manipulated"
#: Warning codes by Stripe's error code. All others are OTHER.
_WARNING_CODES: Mapping[str, WarningCode] = {
    "selfie_face_mismatch": WarningCode.LOW_SIMILARITY,
    _MANIPULATED: WarningCode.PRESENTATION_ATTACK,
}
#: Fields of a session that are copied to `raw`: nothing about the person or the document.
_RAW_FIELDS = ("id", "type", "status", "created", "livemode")


def choose_session(sessions: list[Session]) -> Session:
    """Return the newest session that is decided or processing, or else the oldest.

    So the person does not have to repeat a session.
    """
    for session in sessions:
        if session["status"] in ("verified", "processing"):
            return session
    return sessions[-1]


def read_session(reply: HttpReply) -> SessionReading:
    """Parse a session. Any exception means that it cannot be read."""
    session: Session = reply.json()
    # A session of another type need not ask for a selfie.
    read_at(nonempty_text, session, "type")
    status = read_at(nonempty_text, session, "status")
    state = _STATES.get(status, SessionState.UNKNOWN)
    if session["redaction"] is not None:
        # A session whose redaction has begun keeps its status, but loses its data.
        state = SessionState.GONE
    report = session["last_verification_report"]
    selfie = report.get("selfie") if isinstance(report, dict) else None
    checks: tuple[SessionCheck, ...] = ()
    # While a try is processed, the report is that of an earlier one.
    if selfie is not None and state is not SessionState.PROCESSING:
        checks = _read_checks(selfie, status)
    error_code = read_or_none(_code_of, session.get("last_error"), "last_error")
    # Also one that cannot be read.
    has_error = session.get("last_error") is not None
    document_options = (session["options"] or {}).get("document") or {}
    is_selfie_required = document_options.get("require_matching_selfie") is True
    return SessionReading(
        session_id=read_at(nonempty_text, session, "id"),
        state=state,
        vendor_status=status,
        access=_read_access(session, state),
        approved=status == "verified",
        checks=checks,
        compared_with=ComparedWith.DOCUMENT if checks else ComparedWith.UNKNOWN,
        document_holders=_read_holders(session) if state is SessionState.DECIDED else (),
        record_id=record_id_or_none(session.get("client_reference_id")),
        terms=session["metadata"].get("facematch_terms"),
        created_at=read_or_none(_read_time, session.get("created"), "created"),
        facts={"selfie": "required" if is_selfie_required else "not required"},
        has_begun=has_error,
        # The person may try again at any time.
        is_asked_back=state is SessionState.PENDING and has_error,
        warnings=_warnings(error_code),
        environment=_read_environment(reply, session["livemode"]),
        raw=_show(session, selfie, error_code),
    )


def _read_checks(selfie: Session, status: str) -> tuple[SessionCheck, ...]:
    """Return what a report says about the face, in a session with this status."""
    if selfie["status"] == "verified":
        if status != "verified":
            # The session failed for another reason, such as the document: no verdict on the face.
            return ()
        return (_match(Decision.MATCH, selfie),)
    if selfie["status"] != "unverified":
        return (_match(Decision.REVIEW, selfie),)
    code = _code_of(selfie.get("error"))
    if code == _MANIPULATED:
        result = LivenessResult(
            decision=LivenessDecision.NOT_LIVE,
            warnings=_warnings(code),
            backend=NAME,
            vendor_status=selfie["status"],
        )
        return (SessionCheck(result=result),)
    return (_match(_DECISIONS.get(str(code), Decision.REVIEW), selfie),)


def _match(decision: Decision, selfie: Session) -> SessionCheck:
    result = MatchResult(
        decision=decision,
        warnings=_warnings(_code_of(selfie.get("error"))),
        backend=NAME,
        vendor_status=nonempty_text(selfie["status"]),
    )
    return SessionCheck(result=result)


def _code_of(error: Session | None) -> str | None:
    """Return the code of an error; None if there is none. The text is for the person."""
    code = (error or {}).get("code")
    return None if code is None else nonempty_text(code)


def _warnings(code: str | None) -> tuple[ResultWarning, ...]:
    """Return the warning of an error code; () for None."""
    if code is None:
        return ()
    warning_code = _WARNING_CODES.get(code, WarningCode.OTHER)
    return (ResultWarning(code=warning_code, tag=code),)


def _read_access(session: Session, state: SessionState) -> SessionAccess | None:
    """Return the link and the client secret of an open session; None without a link."""
    link = read_or_none(Secret, session.get("url"), "url")
    if state is not SessionState.PENDING or link is None:
        return None
    return SessionAccess(
        link=link,
        token=read_or_none(Secret, session.get("client_secret"), "client_secret"),
        # Stripe's link ends after 48 hours, but the session does not: a read has a new one.
        expires_at=None,
    )


def _read_time(seconds: object) -> dt.datetime:
    return dt.datetime.fromtimestamp(number(seconds), dt.UTC)


def _read_holders(session: Session) -> tuple[DocumentHolder, ...]:
    """Return the holder of the document, as far as the key may read it; () if nothing was read."""
    outputs = session.get("verified_outputs")
    if outputs is None:
        return ()
    date_of_birth = None
    if outputs.get("dob") is not None:  # else it is hidden from the key
        date_of_birth = read_at(_read_date, outputs, "dob")
    name = read_name(outputs, "first_name", "last_name")
    return (DocumentHolder(name=name, date_of_birth=date_of_birth),)


def _read_date(dob: dict[str, object]) -> dt.date | None:
    """Return a date of birth; None if it is incomplete on the document."""
    parts = [dob[key] for key in ("year", "month", "day")]
    return None if None in parts else dt.date(*[int(number(part)) for part in parts])


def _read_environment(reply: HttpReply, livemode: object) -> Environment | str | None:
    """Return the environment that a session states; None for a mock's."""
    if MOCK_HEADER in reply.headers:
        return None
    if not isinstance(livemode, bool):
        return f"livemode {livemode}"
    return Environment.PRODUCTION if livemode else Environment.SANDBOX


def _show(session: Session, selfie: Session | None, error_code: str | None) -> dict[str, Any]:
    """Return the fields that `raw` shows: words and codes."""
    shown = pick(session, _RAW_FIELDS, times=("created",))
    shown["last_error"] = error_code
    if selfie is not None:
        shown["selfie"] = {"status": selfie["status"], "error": _code_of(selfie.get("error"))}
    return shown

"""Hosted sessions at Didit: start, read, delete, and parse webhooks.

The steps are generators that yield requests. Sources: Didit OpenAPI, 2026-07-18; docs.didit.me,
/integration/webhooks and /sessions-api/delete-session, November 2026. All read on 2026-11-23.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from facematch_core import (
    Charged,
    ComparedWith,
    Environment,
    ResultWarning,
    Secret,
    SessionRecord,
    SessionState,
    WarningCode,
    errors,
    http,
)
from facematch_core.backend import (
    DeleteRequest,
    DocumentHolder,
    Request,
    SessionAccess,
    SessionCheck,
    SessionReading,
    StartRequest,
    read_or_none,
)
from facematch_core.backend.session_types import (
    Deletion,
    DeletionState,
    SessionHint,
    read_birth_date,
    read_name,
    record_id_or_none,
)
from facematch_core.models import Severity

from . import records, wire, words
from .webhooks import verify_webhook

#: A `DiditBackend`. Importing its module here would be circular.
DiditBackend: TypeAlias = Any


def _request(backend: DiditBackend, path: str, method: str, **more: Any) -> http.HttpRequest:
    return http.HttpRequest(
        method=method,
        url=f"{backend.service_url}{path}",
        headers={"x-api-key": backend.api_key},
        **more,
    )


def _session_request(
    backend: DiditBackend, session_id: str, what: str, method: str = "GET", **more: Any
) -> http.HttpRequest:
    """Return a free request about one session; raise `InvalidRequest` if its id is not a UUID."""
    path = f"/v3/session/{records.check_id(session_id)}/{what}/"
    return _request(backend, path, method, charges=0, on_refusal="raise", **more)


# --- start ---


def start_steps(backend: DiditBackend, request: StartRequest) -> http.SessionSteps:
    """Start a session of the workflow. Raises before anything is sent if a setting is wrong."""
    _check_settings(backend, request)
    reply = yield _request(
        backend, "/v3/session/", "POST", json=_start_body(backend, request), expects={200, 201}
    )
    answer = words.read_object(reply.json(), "the body")
    if _OurMetadata.read(answer.get("metadata")).record_id != request.record.id:
        raise ValueError("metadata lacks the id that was sent")
    facts = {}
    if answer.get("workflow_id") is not None:
        facts["workflow_id"] = str(answer["workflow_id"]).lower()
    vendor = {}
    if answer.get("workflow_version") is not None:
        vendor["workflow_version"] = str(answer["workflow_version"])
    return SessionReading(
        session_id=records.check_id(words.read_full_text(answer["session_id"], "session_id")),
        state=SessionState.PENDING,
        access=SessionAccess(
            link=Secret(words.read_full_text(answer["url"], "url")),
            token=Secret(words.read_full_text(answer["session_token"], "session_token")),
        ),
        record_id=words.text_or_none(answer.get("vendor_data"), "vendor_data"),
        facts=facts,
        vendor=vendor,
    )


def _check_settings(backend: DiditBackend, request: StartRequest) -> None:
    """Raise if a session cannot be started with the backend's settings."""
    if not re.fullmatch(r"[0-9a-fA-F-]{36}", backend.workflow_id or ""):
        raise errors.ConfigurationError(
            "Sessions at Didit need workflow_id: the UUID of a published workflow, from Didit's "
            "console. Set workflow_id, or the environment variable DIDIT_WORKFLOW_ID."
        )
    if request.reference is not None and not backend.workflow_takes_reference:
        raise errors.Unsupported(
            "Most Didit workflows ignore a reference and compare with the person's document: if "
            "your workflow uses the reference, set workflow_takes_reference to true.",
            backend=words.NAME,
            what="reference",
        )
    if request.options is None or not request.options.sandbox_scenario:
        return
    environments = backend.environments
    if not environments or not environments <= {Environment.SANDBOX, Environment.MOCK}:
        raise errors.Unsupported(
            "sandbox_scenario simulates the outcome of a session: it requires the setting "
            "environment to be sandbox or mock.",
            backend=words.NAME,
            what="sandbox_scenario",
        )


def _start_body(backend: DiditBackend, request: StartRequest) -> dict[str, http.Json]:
    """Return the fields of a start; what was not set is left out."""
    record = request.record
    fields: dict[str, http.Json] = {
        "workflow_id": backend.workflow_id,
        # For the same vendor_data Didit returns the open session again. If vendor_data were the
        # subject, a start for a payout would return the link of an open login.
        "vendor_data": record.id,
        "metadata": {"id": record.id, "terms": record.terms},
        "callback": request.return_url,
        "language": request.language,
    }
    if request.options is not None:
        fields["callback_method"] = request.options.callback_method
        fields["sandbox_scenario"] = request.options.sandbox_scenario
    if request.reference is not None:
        fields["portrait_image"] = http.in_base64(request.reference)
    return {name: value for name, value in fields.items() if value is not None}


@attrs.frozen(kw_only=True)
class _OurMetadata:
    """The record's id and terms in a session's metadata; None if they are missing."""

    record_id: str | None = None
    terms: str | None = None

    @classmethod
    def read(cls, metadata: object) -> _OurMetadata:
        if not isinstance(metadata, dict):
            return cls()
        record_id = record_id_or_none(metadata.get("id"))
        terms = metadata.get("terms")
        if not isinstance(terms, str) or record_id is None:
            return cls()
        return cls(record_id=record_id, terms=terms)


# --- read ---

_Listing: TypeAlias = Generator[http.HttpRequest, http.HttpReply, list[str]]

#: Maximum number of sessions to read after a start whose response was lost (our choice).
MOST_ROWS = 20


def read_steps(backend: DiditBackend, record: SessionRecord) -> http.SessionSteps:
    """Read a record's session. Without a `session_id`, find it by the record's id in the metadata.

    If several sessions have the id, prefer the newest that is decided or in review, or else the
    oldest, so that the person does not have to repeat the session.
    """
    if record.session_id is not None:
        reply = yield _session_request(backend, record.session_id, "decision")
        return read_reply(backend, record, reply)
    oldest_other: SessionReading | None = None
    for session_id in (yield from _list_newest_first(backend, record)):
        try:
            reply = yield _session_request(backend, session_id, "decision")
        except errors.SessionNotFound:
            continue  # deleted since the list was read
        reading = read_reply(backend, record, reply)
        if reading.record_id != record.id:
            continue
        if reading.state in (SessionState.DECIDED, SessionState.PROCESSING):
            return reading
        oldest_other = reading
    if oldest_other is None:
        raise http.not_listed(words.NAME)
    return oldest_other


def _list_newest_first(backend: DiditBackend, record: SessionRecord) -> _Listing:
    """Return the ids of the sessions started with a record, newest first."""
    filters = {"vendor_data": record.id, "limit": str(MOST_ROWS), "offset": "0"}
    reply = yield _request(backend, "/v3/sessions/", "GET", params=filters, charges=0)
    rows, _ = records.read_page(reply.json())
    # Check the reference again, because the server may ignore the filter.
    return [row.session_id for row in rows[:MOST_ROWS] if row.caller_ref == record.id]


#: States by Didit's session status (docs.didit.me, /integration/verification-statuses).
_STATES: Mapping[str, SessionState] = {
    "Not Started": SessionState.PENDING,
    "In Progress": SessionState.PENDING,
    "Awaiting User": SessionState.PENDING,
    "Resubmitted": SessionState.PENDING,
    "In Review": SessionState.PROCESSING,
    words.APPROVED: SessionState.DECIDED,
    words.DECLINED: SessionState.DECIDED,
    "Expired": SessionState.EXPIRED,
    "Kyc Expired": SessionState.EXPIRED,
    "Abandoned": SessionState.ABANDONED,
}


def read_reply(
    backend: DiditBackend, record: SessionRecord, reply: http.HttpReply
) -> SessionReading:
    """Parse a decision about the session of `record`; for errors see `read_decision`."""
    answer = words.read_object(reply.json(), "the body")
    origin = Environment.MOCK if http.MOCK_HEADER in reply.headers else None
    decision = records.read_decision({**answer, "metadata": None}, origin=origin)
    status = decision.status
    session_id = record.session_id or decision.session_id
    if session_id.lower() != decision.session_id.lower():
        raise ValueError("session_id belongs to another session")
    state = _STATES.get(status, SessionState.UNKNOWN)
    access = SessionAccess(
        expires_at=read_or_none(words.read_time, answer.get("expires_at"), "expires_at"),
    )
    if state is SessionState.PENDING:
        link = read_or_none(Secret, answer.get("session_url") or None, "session_url")
        access = attrs.evolve(access, link=link)
    workflow_id = words.text_or_none(answer.get("workflow_id"), "workflow_id")
    facts = {}
    # A decided session always has a workflow id.
    if workflow_id or state is SessionState.DECIDED:
        facts["workflow_id"] = (workflow_id or "").lower()
    document_holders: list[DocumentHolder] = []
    # Documents are read only where they are compared, because they contain personal data.
    if record.compared_with is ComparedWith.DOCUMENT:
        document_holders.extend(_read_holders(answer))
    metadata = _OurMetadata.read(answer.get("metadata"))
    return SessionReading(
        session_id=session_id,
        state=state,
        vendor_status=status,
        approved=status == words.APPROVED,
        checks=tuple(_read_checks(decision, answer)),
        compared_with=_compared_with(record, answer),
        document_holders=tuple(document_holders),
        record_id=metadata.record_id,
        terms=metadata.terms,
        created_at=decision.created_at,
        facts=facts,
        has_begun=status == "In Progress",
        is_asked_back=status in ("Awaiting User", "Resubmitted"),
        review_reasons=tuple(_read_review_reasons(backend, decision)),
        access=access,
        environment=decision.environment,
        raw=records.allow(answer),
    )


def _read_checks(
    decision: records.SessionDecision, answer: dict[str, http.Json]
) -> Iterator[SessionCheck]:
    """Yield all checks; a liveness check has the URL of the person's face as `portrait`."""
    for result in decision.matches:
        yield SessionCheck(result=result)
    blocks = answer.get("liveness_checks") or ()
    for check, block in zip(decision.liveness_checks, blocks, strict=False):
        portrait = None
        path = ("liveness_checks", "reference_image")
        url = read_or_none(words.read_text, block.get("reference_image"), *path)
        if url:
            portrait = Secret(url)
        yield SessionCheck(result=check, portrait=portrait)


def _compared_with(record: SessionRecord, answer: dict[str, http.Json]) -> ComparedWith:
    """Return the kind of picture that the face was compared with.

    ``source_image_session_id`` is the session's own id for a submitted portrait, another session's
    id for a stored face, and null for a document of this session (or if the workflow hides it). A
    portrait beside a document is UNKNOWN: it does not say which of them was compared. A portrait
    is STORED, too, if our record names none: it is not one that the caller gave.
    """
    matches = answer.get("face_matches") or []
    if len(matches) != 1:
        return ComparedWith.UNKNOWN
    (match,) = matches
    source_session_id = match.get("source_image_session_id")
    if source_session_id not in (None, answer["session_id"]):
        return ComparedWith.STORED
    documents = ("id_verifications", "nfc_verifications")
    has_document = any(words.read_list(answer.get(name) or [], name) for name in documents)
    if source_session_id is None:
        return ComparedWith.DOCUMENT if has_document else ComparedWith.UNKNOWN
    if has_document:
        return ComparedWith.UNKNOWN
    is_given = record.compared_with is ComparedWith.GIVEN
    return ComparedWith.GIVEN if is_given else ComparedWith.STORED


def _read_holders(answer: dict[str, http.Json]) -> Iterator[DocumentHolder]:
    """Yield the holder on each document and in each chip that was read."""
    for item in words.read_list(answer.get("id_verifications") or [], "id_verifications"):
        document = words.read_object(item, "an item of id_verifications")
        yield _read_holder(document, birth_date_field="date_of_birth")
    for item in words.read_list(answer.get("nfc_verifications") or [], "nfc_verifications"):
        chip = words.read_object(item, "an item of nfc_verifications").get("chip_data")
        # Null if the document has no chip, or the chip could not be read.
        if chip:
            fields = words.read_object(chip, "chip_data")
            yield _read_holder(fields, birth_date_field="birth_date")


def _read_holder(fields: dict[str, http.Json], *, birth_date_field: str) -> DocumentHolder:
    """Read the fields of a document or a chip; each is null if the workflow hides it."""
    name = read_name(fields, "full_name") or read_name(fields, "first_name", "last_name")
    return DocumentHolder(name=name, date_of_birth=read_birth_date(fields, birth_date_field))


def _read_review_reasons(
    backend: DiditBackend, decision: records.SessionDecision
) -> Iterator[ResultWarning]:
    method = backend.liveness_method
    # Didit's pages show the method in upper and in lower case.
    methods = {(check.method or "").upper() for check in decision.liveness_checks}
    if method and methods - {method}:
        text = f"Liveness was not checked by {method}: has the workflow been changed?"
        yield ResultWarning(code=WarningCode.OTHER, severity=Severity.WARNING, text=text)


# --- delete ---


#: Whether Didit keeps the face, by `face_retention_outcome`; unknown for other values.
_FACE_KEPT = {"retained_with_user": True, "deleted": False, "none": False}


def delete_steps(backend: DiditBackend, request: DeleteRequest) -> http.DeleteSteps:
    """Delete a session; without `session_id`, delete every session started with the record.

    Raises `SessionMismatch` if the session does not have the record's id. Ignores the rest of the
    decision, so that an unreadable verdict cannot prevent the deletion of a video.
    """
    record = request.record
    if record.session_id is None:
        session_ids = yield from _list_newest_first(backend, record)
        if not session_ids:
            raise http.not_listed(words.NAME)
        for session_id in session_ids:
            deletion = yield from delete_by_id(backend, session_id)
        return deletion
    try:
        reply = yield _session_request(backend, record.session_id, "decision")
    except errors.SessionNotFound:
        return Deletion(state=DeletionState.NOT_THERE)
    session_id = reply.at("session_id")
    is_ours = (
        str(session_id).lower() == record.session_id.lower()
        and _OurMetadata.read(reply.at("metadata")).record_id == record.id
    )
    # An answer that names no session cannot be checked: the record's own id was asked for.
    if session_id is not None and not is_ours:
        raise errors.SessionMismatch(
            "The session does not have the id of this record: nothing was deleted. "
            "DiditAccount.delete deletes a session by its id alone.",
            backend=words.NAME,
            field="record_id",
        )
    return (yield from delete_by_id(backend, record.session_id))


def delete_by_id(backend: DiditBackend, session_id: str) -> http.DeleteSteps:
    """Delete a session by its id, even another program's."""
    try:
        # Supported since August 2026. Without it, an account policy may keep a face template.
        options = {"retain_face_embeddings": False}
        reply = yield _session_request(
            backend, session_id, "delete", "DELETE", json=options, expects=range(200, 300)
        )
    except errors.SessionNotFound:
        return Deletion(state=DeletionState.NOT_THERE)
    if reply.shape not in (http.BodyShape.EMPTY, http.BodyShape.JSON_OBJECT):
        raise ValueError("the body is neither empty nor a JSON object")
    outcome = words.text_or_none(reply.at("face_retention_outcome"), "face_retention_outcome")
    return Deletion(
        state=DeletionState.DONE, face_kept=_FACE_KEPT.get(outcome or ""), vendor_word=outcome
    )


# --- webhooks ---


def read_delivery(
    backend: DiditBackend, body: bytes, headers: Mapping[str, str], now: dt.datetime
) -> tuple[SessionHint, ...]:
    """Return the session that a delivery names, or () if it is about a user or a transaction."""
    if not backend.webhook_secrets:
        raise errors.ConfigurationError(
            "Didit's webhooks need webhook_secrets: the destination's secret_shared_key, or "
            "several. Set webhook_secrets, or the environment variable DIDIT_WEBHOOK_SECRET."
        )
    event = verify_webhook(body, headers, backend.webhook_secrets, now)
    if event.session_id is None:
        return ()
    hint = SessionHint(
        record_id=_OurMetadata.read(event.raw.get("metadata")).record_id,
        session_id=event.session_id,
        event_id=event.event_id,
        is_test=event.is_test,
    )
    return (hint,)


# --- errors ---

_REFUSED = "the request was rejected, so no session was created"
_NO_CREDIT = http.ErrorRow(
    errors.InsufficientCredit, Charged.NO, _REFUSED, "the account has no credit; top it up"
)
_NO_SESSION = http.ErrorRow(
    errors.SessionNotFound,
    Charged.NO,
    "a 404 response",
    "session not found: the id is unknown, the session was deleted, or the key has no access",
)


def error_row(
    request: Request, status: int, form: wire.Form, shape: http.BodyShape
) -> http.ErrorRow:
    """Return the error row of a failed request about sessions or records."""
    is_start = isinstance(request, StartRequest)
    if form == "detail" and status == 404 and not is_start:
        return _NO_SESSION
    if form == "detail" and status == 400 and is_start:
        # For an invalid field, the response has the field's name instead of "detail".
        return _NO_CREDIT
    if status >= 500:
        # Didit does not document whether a 5xx may leave a session behind.
        return http.default_row(status, shape)
    row = wire.error_row(status, form, shape)
    # Didit states this of face matches and liveness checks, not of sessions.
    if row.ground != wire.ONLY_200_IS_CHARGED:
        return row
    return attrs.evolve(row, ground=_REFUSED if is_start else records.READING_IS_FREE)

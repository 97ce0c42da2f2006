"""Hosted sessions at Didit: what is asked, and what an answer says of a session.

Pure: each step yields a request and gets the answer; nothing is sent or repeated here. Sources:
Didit OpenAPI, 2026-07-18 (start, decision, list, delete); docs.didit.me, /integration/sandbox-testing
(scenarios) and the digest of its API of September 2026 (what becomes of a face). All were read on
2026-11-23.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from facematch_core import (
    Billing,
    Charged,
    ConfigurationError,
    Environment,
    ResultWarning,
    Severity,
    Unsupported,
    WarningCode,
)
from facematch_core.backend import DeleteRequest, ReadRequest, Request, StartRequest
from facematch_core.errors import InsufficientCredit, SessionNotFound
from facematch_core.http import (
    MOCK_HEADER,
    BodyShape,
    ErrorRow,
    HttpReply,
    HttpRequest,
    default_row,
)
from facematch_core.models import Ids
from facematch_core.session_types import (
    ComparedWith,
    Deletion,
    DeletionState,
    SessionCheck,
    SessionHint,
    SessionReading,
    SessionRecord,
    SessionState,
    StartedSession,
)

from . import arguments, wire
from .client import NO_SESSION, read_page
from .records import SessionDecision, SessionStatus, session_decision
from .webhooks import verify_webhook
from .words import NAME, read_list, read_object, read_secret, read_text, text_or_none

if TYPE_CHECKING:
    from .backend import DiditBackend, DiditSessionOptions

T = TypeVar("T")
Steps = Generator[HttpRequest, HttpReply, T]

_STATES: Mapping[SessionStatus, SessionState] = MappingProxyType(
    {
        SessionStatus.NOT_STARTED: SessionState.PENDING,
        SessionStatus.IN_PROGRESS: SessionState.PENDING,
        SessionStatus.AWAITING_USER: SessionState.PENDING,
        SessionStatus.RESUBMITTED: SessionState.PENDING,
        SessionStatus.IN_REVIEW: SessionState.PROCESSING,
        SessionStatus.APPROVED: SessionState.DECIDED,
        SessionStatus.DECLINED: SessionState.DECIDED,
        SessionStatus.EXPIRED: SessionState.EXPIRED,
        SessionStatus.KYC_EXPIRED: SessionState.EXPIRED,
        SessionStatus.ABANDONED: SessionState.ABANDONED,
        SessionStatus.OTHER: SessionState.UNKNOWN,
    }
)


# --- start ---


def start_steps(backend: DiditBackend, request: StartRequest) -> Steps[StartedSession]:
    reply = yield start_request(backend, request)
    return read_start(reply.json(), request.record)


def start_request(backend: DiditBackend, request: StartRequest) -> HttpRequest:
    """The body of a start.

    Raises:
        ConfigurationError: no `workflow_id` is set.
        Unsupported: the workflow takes no reference; a scenario outside of a sandbox; a subject
            that cannot be sent.
    """
    options: DiditSessionOptions | None = request.options
    if backend.workflow_id is None:
        raise ConfigurationError(
            "Sessions at Didit need workflow_id: the id of a published workflow, as Didit's "
            "console shows it. Set it, or the environment variable DIDIT_WORKFLOW_ID."
        )
    if request.reference is not None and not backend.workflow_takes_reference:
        raise Unsupported(
            "Most workflows of Didit ignore a reference, and compare with the document that the "
            "person shows: set workflow_takes_reference=True if this one takes it, or leave the "
            "reference out.",
            backend=NAME,
            what="reference",
        )
    scenario = options.sandbox_scenario if options else None
    unreal = {Environment.SANDBOX, Environment.MOCK}
    if scenario and not (backend.environments and backend.environments <= unreal):
        raise Unsupported(
            "sandbox_scenario decides how a session ends, so it is sent only where the setting "
            "environment is SANDBOX or MOCK.",
            backend=NAME,
            what="sandbox_scenario",
        )
    body = {
        "workflow_id": backend.workflow_id,
        "vendor_data": _vendor_data(backend, request.record),
        "metadata": {"id": request.record.id, "terms": request.record.terms},
        "callback": request.return_url,
        "callback_method": options.callback_method if options else None,
        "language": request.language,
        "portrait_image": request.reference
        and base64.b64encode(request.reference.data).decode("ascii"),
        "sandbox_scenario": scenario,
    }
    return HttpRequest(
        url=f"{backend.address}/v3/session/",
        headers={"x-api-key": backend.api_key},
        json={name: value for name, value in body.items() if value is not None},
        expects={200, 201},
    )


def _vendor_data(backend: DiditBackend, record: SessionRecord) -> str:
    """By what Didit groups sessions, and gives an open one out again for the same."""
    # With the subject two purposes would share one open session: see `group_by_subject`.
    if not backend.group_by_subject:
        return record.id
    return wire.check_vendor_data("subject_ref", record.subject_ref)


def read_start(body: object, record: SessionRecord) -> StartedSession:
    """What the answer to a start of `record` gives; `ValueError` if it is about another."""
    answer = read_object(body, "the body")
    if _read_terms(answer)[0] != record.id:
        raise ValueError("metadata does not have the id that was sent")
    facts = {name: answer.get(name) for name in ("workflow_id", "workflow_version")}
    return StartedSession(
        session_id=arguments.check_id("session_id", read_text(answer["session_id"], "session_id")),
        link=read_secret(answer.get("url"), "url"),
        token=read_secret(answer.get("session_token"), "session_token"),
        vendor={name: str(fact) for name, fact in facts.items() if fact is not None},
    )


def _read_terms(answer: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Our id and the terms in a session's metadata; None for what is not ours."""
    metadata = answer.get("metadata")
    if not isinstance(metadata, dict):
        return None, None
    record_id, terms = metadata.get("id"), metadata.get("terms")
    # Other programs write an id of theirs under this name.
    is_ours = isinstance(record_id, str) and re.fullmatch(r"[0-9a-f]{32}", record_id)
    return (
        record_id if is_ours and isinstance(terms, str) else None,
        terms if isinstance(terms, str) else None,
    )


# --- read ---


def read_steps(backend: DiditBackend, request: ReadRequest) -> Steps[SessionReading]:
    record = request.record
    if record.session_id is None:
        return (yield from _find_steps(backend, record))
    reply = yield _get_request(backend, _path(record.session_id, "decision"))
    return read_reply(backend, record, reply)


#: How many sessions of one `vendor_data` are looked at for a start that lost its answer. Ours.
MOST_ROWS = 20

#: By how much Didit's clock may be behind this machine's. Ours, as the core's.
SKEW = dt.timedelta(seconds=60)


def _find_steps(backend: DiditBackend, record: SessionRecord) -> Steps[SessionReading]:
    """The session of a record whose start lost its answer: the newest that carries its id."""
    vendor_data = _vendor_data(backend, record)
    filters = {"vendor_data": vendor_data, "limit": str(MOST_ROWS), "offset": "0"}
    rows, _ = read_page((yield _get_request(backend, "/v3/sessions/", filters)).json())
    for row in rows[:MOST_ROWS]:
        is_older = row.created_at is not None and row.created_at < record.planned_at - SKEW
        # A filter that nobody heeded would list the sessions of others.
        if row.caller_ref != vendor_data or is_older:
            continue
        try:
            reply = yield _get_request(backend, _path(row.session_id, "decision"))
        except SessionNotFound:
            continue  # deleted since it was listed
        reading = read_reply(backend, record, reply)
        if reading.record_id == record.id:
            return reading
    raise SessionNotFound(
        "Didit lists no session with the id of this record: its start never arrived, or the "
        "session was deleted. Start it again.",
        backend=NAME,
        billing=_FREE,
    )


def _get_request(
    backend: DiditBackend, path: str, params: Mapping[str, str] = MappingProxyType({})
) -> HttpRequest:
    return HttpRequest(
        method="GET",
        url=backend.address + path,
        headers={"x-api-key": backend.api_key},
        params=params,
        charges=0,
        on_refusal="raise",
    )


def _path(session_id: str, what: str) -> str:
    return f"/v3/session/{arguments.check_id('session_id', session_id)}/{what}/"


def read_reply(backend: DiditBackend, record: SessionRecord, reply: HttpReply) -> SessionReading:
    """What a decision says of the session of `record`, or of one that may be it.

    Raises:
        ValueError: it is no decision as documented, or another session's.
        EnvironmentMismatch: the session names an environment that is not known.
    """
    answer = read_object(reply.json(), "the body")
    record_id, terms = _read_terms(answer)
    is_mock = MOCK_HEADER in reply.headers
    decision = session_decision(
        {**answer, "metadata": None}, said=Environment.MOCK if is_mock else None
    )
    session_id = decision.session_id.lower()
    if record.session_id is not None and session_id != record.session_id.lower():
        raise ValueError("it is another session")
    is_open = _STATES[decision.status] is SessionState.PENDING
    vendor_data = decision.caller_ref
    return SessionReading(
        session_id=session_id,
        state=_STATES[decision.status],
        vendor_status=decision.vendor_status,
        approved=decision.status is SessionStatus.APPROVED,
        checks=_read_checks(decision, answer),
        compared_with=_compared_with(record, answer),
        record_id=record_id,
        terms=terms,
        # Whoever started it may have sent the id instead.
        subject_ref=None
        if not backend.group_by_subject or vendor_data == record_id
        else vendor_data,
        created_at=decision.created_at,
        vendor={"workflow_id": decision.workflow_id} if decision.workflow_id else {},
        doubts=tuple(_read_doubts(decision, {backend.liveness_method})),
        link=read_secret(answer["session_url"], "session_url")
        if is_open and answer.get("session_url")
        else None,
        expires_at=decision.expires_at,
        reviewed=_read_reviewed(answer),
        environment=decision.environment,
        raw=_allow(answer, _RAW),
    )


def _read_checks(decision: SessionDecision, answer: Mapping[str, Any]) -> tuple[SessionCheck, ...]:
    """Every item, by Didit's verdict, with the address of the face that was found live."""
    ids = Ids(session=decision.session_id)
    # In the order of the body, as `session_decision` says, which reads all of a list or nothing.
    return tuple(
        SessionCheck(
            result=attrs.evolve(result, ids=ids, metadata=None, raw=_allow(block, _RAW_BLOCK)),
            portrait=read_secret(block["reference_image"], "reference_image")
            if name == "liveness_checks" and block.get("reference_image")
            else None,
        )
        for name, results in (
            ("face_matches", decision.matches),
            ("liveness_checks", decision.liveness_checks),
        )
        for result, block in zip(results, answer.get(name) or [], strict=False)
    )


def _compared_with(record: SessionRecord, answer: Mapping[str, Any]) -> ComparedWith:
    """With which picture, as far as the decision shows it: it has no word of its own for that."""
    blocks = answer.get("face_matches") or []
    if len(blocks) != 1:
        return ComparedWith.UNKNOWN
    documents = ("id_verifications", "nfc_verifications")
    has_document = any(answer.get(name) not in (None, []) for name in documents)
    if blocks[0].get("source_image_session_id") is not None:
        return ComparedWith.STORED
    if record.with_reference:
        # Beside a document it may have been ignored.
        return ComparedWith.UNKNOWN if has_document else ComparedWith.GIVEN
    return ComparedWith.DOCUMENT if has_document else ComparedWith.UNKNOWN


def _read_doubts(decision: SessionDecision, methods: set[str | None]) -> Generator[ResultWarning]:
    for check in decision.liveness_checks:
        for method in methods - {None, check.method}:
            yield ResultWarning(
                code=WarningCode.OTHER,
                severity=Severity.WARNING,
                text=f"The face was to be checked by {method}, and the session shows another "
                "method, or none: has the workflow been changed?",
            )


def _read_reviewed(answer: Mapping[str, Any]) -> bool | None:
    """Whether a person, or a program in its place, has given the session another status."""
    if answer.get("reviews") is None:
        return None
    reviews = [read_object(item, "a review") for item in read_list(answer["reviews"], "reviews")]
    return any(text_or_none(review.get("new_status"), "new_status") for review in reviews)


# What `raw` has: a word, a number or a flag under each of these names, and lists of such objects.
# Not here: media, links, guesses about the person, what reviewers write, and other people's faces.

_Allowed = Mapping[str, "_Allowed | None"]

_RAW_BLOCK: _Allowed = {
    **dict.fromkeys(("node_id", "status", "method", "score", "face_quality", "face_luminance")),
    "source_image_session_id": None,
    "warnings": dict.fromkeys(("risk", "feature", "log_type", "short_description", "node_id")),
}
_RAW: _Allowed = {
    **dict.fromkeys(("session_id", "session_kind", "session_number", "status", "environment")),
    **dict.fromkeys(("workflow_id", "created_at", "expires_at")),
    "face_matches": _RAW_BLOCK,
    "liveness_checks": _RAW_BLOCK,
    "reviews": dict.fromkeys(("new_status", "created_at")),
}


def _allow(body: Mapping[str, Any], names: _Allowed) -> dict[str, Any]:
    allowed: dict[str, Any] = {}
    for name, inner in names.items():
        value = body.get(name)
        if inner is not None and isinstance(value, list):
            allowed[name] = [_allow(item, inner) for item in value if isinstance(item, dict)]
        elif name in body and not isinstance(value, (dict, list)):
            allowed[name] = "(address removed)" if "://" in str(value) else value
    return allowed


# --- delete ---

#: Didit's words for what became of the face; another one says nothing that we know.
_FACE_KEPT = {"retained_with_user": True, "deleted": False, "none": False}


def delete_steps(backend: DiditBackend, request: DeleteRequest) -> Steps[Deletion]:
    session_id = request.record.session_id
    if session_id is None:
        session_id = (yield from _find_steps(backend, request.record)).session_id
    try:
        reply = yield HttpRequest(
            method="DELETE",
            url=backend.address + _path(session_id, "delete"),
            headers={"x-api-key": backend.api_key},
            # Since August 2026, and not heeded before: a policy of the account may keep the face.
            json={"retain_face_embeddings": False},
            expects=range(200, 300),
            charges=0,
            on_refusal="raise",
        )
    except SessionNotFound:
        return Deletion(state=DeletionState.NOT_THERE)
    if reply.shape not in (BodyShape.EMPTY, BodyShape.JSON_OBJECT):
        raise ValueError("it is not Didit's own form")
    word = reply.at("face_retention_outcome")
    word = word if isinstance(word, str) else None
    return Deletion(
        state=DeletionState.DONE, face_kept=_FACE_KEPT.get(word or ""), vendor_word=word
    )


# --- webhooks ---


def read_delivery(
    backend: DiditBackend, body: bytes, headers: Mapping[str, str]
) -> tuple[SessionHint, ...]:
    """The session that a delivery is about; nothing for one about a user or a transaction."""
    if not backend.webhook_secrets:
        raise ConfigurationError(
            "Webhooks of Didit need webhook_secrets: the destination's secret_shared_key, or "
            "several. Set it, or the environment variable DIDIT_WEBHOOK_SECRET."
        )
    event = verify_webhook(body, headers, backend.webhook_secrets, backend.client.clock.now())
    if event.session_id is None:
        return ()
    return (
        SessionHint(
            record_id=_read_terms({"metadata": event.metadata})[0],
            session_id=event.session_id,
            event_id=event.event_id,
            # As it was signed. The header that says so as well is not.
            is_test=(event.metadata or {}).get("test_webhook") is True,
        ),
    )


# --- refusals ---

_FREE = Billing(Charged.NO, "nothing is charged for asking")
_REFUSED = "a refusal, so no session was made"
_NO_CREDIT = ErrorRow(
    InsufficientCredit, Charged.NO, _REFUSED, "the account has no credit; a person must top it up"
)


def error_row(request: Request, status: int, form: wire.Form, shape: BodyShape) -> ErrorRow:
    """What an answer means that gives no session, by its status and its form of words."""
    is_start = isinstance(request, StartRequest)
    if form == "detail" and status == 404 and not is_start:
        return NO_SESSION
    if form == "detail" and status == 400 and is_start:
        # Only here, and without a code: what is wrong with a field stands under its name.
        return _NO_CREDIT
    # Whether a fault of Didit's own left a session behind is documented nowhere.
    row = default_row(status, shape) if status >= 500 else wire.error_row(status, form, shape)
    ground = _REFUSED if is_start else _FREE.ground
    return attrs.evolve(row, ground=ground) if row.ground == wire.STATED else row

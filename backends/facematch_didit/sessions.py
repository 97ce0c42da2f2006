"""Hosted sessions at Didit: what is asked, and what an answer says of a session.

Pure: steps yield a request and get its answer; nothing is sent or repeated here. Sources: Didit
OpenAPI, 2026-07-18; docs.didit.me, /integration/webhooks and /sessions-api/delete-session (what
becomes of a face), November 2026. All were read on 2026-11-23.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from facematch_core import (
    Billing,
    Charged,
    ComparedWith,
    Deletion,
    DeletionState,
    Environment,
    Ids,
    ResultWarning,
    SessionHint,
    SessionRecord,
    SessionState,
    Severity,
    WarningCode,
    errors,
    http,
)
from facematch_core.backend import (
    Request,
    SessionCheck,
    SessionReading,
    StartRequest,
    WayIn,
)

from . import arguments, wire
from .client import NO_SESSION, read_page
from .records import FaceResult, SessionDecision, SessionStatus, session_decision
from .webhooks import verify_webhook
from .words import NAME, read_list, read_object, read_secret, read_text, text_or_none

#: A `DiditBackend`, whose module imports this one.
DiditBackend: TypeAlias = Any


def _request(backend: DiditBackend, path: str, method: str, **more: Any) -> http.HttpRequest:
    url, headers = backend.address + path, {"x-api-key": backend.api_key}
    return http.HttpRequest(method=method, url=url, headers=headers, **more)


def _session_request(
    backend: DiditBackend, session_id: str, what: str, method: str = "GET", **more: Any
) -> http.HttpRequest:
    """A free request about one session; `InvalidRequest` if its id is none of Didit's."""
    path = f"/v3/session/{arguments.check_id('session_id', session_id)}/{what}/"
    return _request(backend, path, method, charges=0, on_refusal="raise", **more)


# --- start ---


def start_steps(backend: DiditBackend, request: StartRequest) -> http.SessionSteps:
    """Make a session of the workflow; what cannot go is refused before anything is sent."""
    record, options, reference = request.record, request.options, request.reference
    if not re.fullmatch(r"[0-9a-fA-F-]{36}", backend.workflow_id or ""):
        raise errors.ConfigurationError(
            "Sessions at Didit need workflow_id: the UUID of a published workflow, as Didit's "
            "console shows it. Set it, or the environment variable DIDIT_WORKFLOW_ID."
        )
    if reference is not None and not backend.workflow_takes_reference:
        raise errors.Unsupported(
            "Most workflows of Didit ignore a reference, and compare with the document that the "
            "person shows: set workflow_takes_reference to true if this one takes it.",
            backend=NAME,
            what="reference",
        )
    scenario, unreal = options and options.sandbox_scenario, {Environment.SANDBOX, Environment.MOCK}
    if scenario and not (backend.environments and backend.environments <= unreal):
        raise errors.Unsupported(
            "sandbox_scenario decides how a session ends: it is sent only where the setting "
            "environment is sandbox or mock.",
            backend=NAME,
            what="sandbox_scenario",
        )
    body = {
        "workflow_id": backend.workflow_id,
        # By the subject, whoever starts a payout would get the link of an open login.
        "vendor_data": record.id,
        "metadata": {"id": record.id, "terms": record.terms},
        "callback": request.return_url,
        "callback_method": options and options.callback_method,
        "language": request.language,
        "portrait_image": reference and base64.b64encode(reference.data).decode("ascii"),
        "sandbox_scenario": scenario,
    }
    fields = {name: value for name, value in body.items() if value is not None}
    reply = yield _request(backend, "/v3/session/", "POST", json=fields, expects={200, 201})
    answer = read_object(reply.json(), "the body")
    if _read_terms(answer.get("metadata"))[0] != record.id:
        raise ValueError("metadata does not have the id that was sent")
    version, workflow = answer.get("workflow_version"), answer.get("workflow_id")
    return SessionReading(
        session_id=arguments.check_id("session_id", read_text(answer["session_id"], "session_id")),
        state=_STATES[SessionStatus.NOT_STARTED],
        way_in=WayIn(
            link=read_secret(answer["url"], "url"),
            token=read_secret(answer["session_token"], "session_token"),
        ),
        record_id=text_or_none(answer.get("vendor_data"), "vendor_data"),
        facts={} if workflow is None else {"workflow_id": str(workflow).lower()},
        vendor={} if version is None else {"workflow_version": str(version)},
    )


def _read_terms(metadata: object) -> tuple[str | None, str | None]:
    """Id of the record and terms in a session's metadata; None if it was not started with one."""
    ours = metadata if isinstance(metadata, dict) else {}
    record_id, terms = ours.get("id"), ours.get("terms")
    # Other programs write an id of theirs under the same name.
    is_ours = isinstance(terms, str) and re.fullmatch(r"[0-9a-f]{32}", str(record_id))
    return (str(record_id), terms) if is_ours else (None, None)


# --- read ---

_Listing: TypeAlias = Generator[http.HttpRequest | http.Wait, http.HttpReply, list[str]]

#: How many sessions of one `vendor_data` are looked at for a start that lost its answer. Ours.
MOST_ROWS = 20

_FREE = Billing(Charged.NO, "nothing is charged for asking")


def read_steps(backend: DiditBackend, record: SessionRecord) -> http.SessionSteps:
    """The decision; without a `session_id` of the session that carries our id.

    Of several that of one that was judged, else of the oldest: nobody goes through a second one.
    """
    if record.session_id is not None:
        reply = yield _session_request(backend, record.session_id, "decision")
        return read_reply(backend, record, reply)
    oldest: SessionReading | None = None
    for session_id in (yield from _list_sessions(backend, record)):
        try:
            reply = yield _session_request(backend, session_id, "decision")
        except errors.SessionNotFound:
            continue  # deleted since it was listed
        reading = read_reply(backend, record, reply)
        if reading.record_id != record.id:
            continue
        if reading.state in (SessionState.DECIDED, SessionState.PROCESSING):
            return reading
        oldest = reading
    if oldest is None:
        raise _not_listed()
    return oldest


def _list_sessions(backend: DiditBackend, record: SessionRecord) -> _Listing:
    """Ids of the sessions that were started with this record, the newest first."""
    filters = {"vendor_data": record.id, "limit": str(MOST_ROWS), "offset": "0"}
    reply = yield _request(backend, "/v3/sessions/", "GET", params=filters, charges=0)
    rows, _ = read_page(reply.json())
    # A filter may be one that nobody heeded.
    return [row.session_id for row in rows[:MOST_ROWS] if row.caller_ref == record.id]


def _not_listed() -> errors.SessionNotFound:
    return errors.SessionNotFound(
        "Didit lists no session that carries the id of this record: none was made, or it was "
        "deleted.",
        backend=NAME,
        billing=_FREE,
    )


_STATES: Mapping[SessionStatus, SessionState] = {
    SessionStatus.IN_REVIEW: SessionState.PROCESSING,
    SessionStatus.APPROVED: SessionState.DECIDED,
    SessionStatus.DECLINED: SessionState.DECIDED,
    SessionStatus.EXPIRED: SessionState.EXPIRED,
    SessionStatus.KYC_EXPIRED: SessionState.EXPIRED,
    SessionStatus.ABANDONED: SessionState.ABANDONED,
    SessionStatus.NOT_STARTED: SessionState.PENDING,
    SessionStatus.IN_PROGRESS: SessionState.PENDING,
    SessionStatus.AWAITING_USER: SessionState.PENDING,
    SessionStatus.RESUBMITTED: SessionState.PENDING,
}


def read_reply(
    backend: DiditBackend, record: SessionRecord, reply: http.HttpReply
) -> SessionReading:
    """What a decision says of the session of `record`, or of one that may be it.

    Raises:
        ValueError: it is no decision as documented, or another session's.
        EnvironmentMismatch: the session names an environment that is not known.
    """
    answer = read_object(reply.json(), "the body")
    record_id, terms = _read_terms(answer.get("metadata"))
    is_mock = http.MOCK_HEADER in reply.headers
    # Any JSON may be the metadata of a session that another program started.
    decision = session_decision(
        {**answer, "metadata": None}, said=Environment.MOCK if is_mock else None
    )
    session_id = record.session_id or decision.session_id
    if session_id.lower() != decision.session_id.lower():
        raise ValueError("it is another session")
    state = _STATES.get(decision.status, SessionState.UNKNOWN)
    address = answer.get("session_url") if state is SessionState.PENDING else None
    # What is decided says by which workflow.
    is_due = decision.workflow_id or state is SessionState.DECIDED
    facts = {"workflow_id": (decision.workflow_id or "").lower()} if is_due else {}
    reviews = read_list(answer.get("reviews") or [], "reviews")
    # Of a person, or of a program with a key; without a status it is a note.
    statuses = [read_object(review, "a review").get("new_status") for review in reviews]
    return SessionReading(
        session_id=session_id,
        state=state,
        vendor_status=decision.vendor_status,
        approved=decision.status is SessionStatus.APPROVED,
        checks=tuple(_read_checks(decision, answer)),
        compared_with=_compared_with(record, answer),
        record_id=record_id,
        terms=terms,
        created_at=decision.created_at,
        facts=facts,
        has_begun=decision.status is SessionStatus.IN_PROGRESS,
        is_asked_back=decision.status in (SessionStatus.AWAITING_USER, SessionStatus.RESUBMITTED),
        doubts=tuple(_read_doubts(backend, decision)),
        way_in=WayIn(
            link=read_secret(address, "session_url") if address else None,
            expires_at=decision.expires_at,
        ),
        reviewed=None if answer.get("reviews") is None else any(statuses),
        environment=decision.environment,
        raw=_allow(answer),
    )


def _read_checks(decision: SessionDecision, answer: dict[str, Any]) -> Iterator[SessionCheck]:
    """Every item, by Didit's verdict, with the address of the face that was found live."""
    ids = Ids(session=decision.session_id)
    items: dict[str, tuple[FaceResult, ...]] = {
        "face_matches": decision.matches,
        "liveness_checks": decision.liveness_checks,
    }
    for name, results in items.items():
        # In the order of the body; none of a call that checks nobody.
        for result, block in zip(results, answer.get(name) or [], strict=False):
            address = block.get("reference_image") if name == "liveness_checks" else None
            yield SessionCheck(
                result=attrs.evolve(result, ids=ids, raw=_allow(block)),
                portrait=read_secret(address, "reference_image") if address else None,
            )


def _compared_with(record: SessionRecord, answer: dict[str, Any]) -> ComparedWith:
    """With which picture, by the session under which Didit keeps it, and by what else was shown.

    Its own session is that of a portrait that was submitted, null that of a document in this one
    (or hidden by the workflow).
    """
    matches = answer.get("face_matches") or []
    source = matches[0].get("source_image_session_id") if len(matches) == 1 else None
    documents = (answer.get("id_verifications"), answer.get("nfc_verifications"))
    has_document = any(block not in (None, []) for block in documents)
    if source not in (None, answer["session_id"]):
        return ComparedWith.STORED
    if source is None:
        is_document = has_document and len(matches) == 1
        return ComparedWith.DOCUMENT if is_document else ComparedWith.UNKNOWN
    if has_document:
        return ComparedWith.UNKNOWN
    is_given = record.compared_with is ComparedWith.GIVEN
    return ComparedWith.GIVEN if is_given else ComparedWith.STORED


def _read_doubts(backend: DiditBackend, decision: SessionDecision) -> Iterator[ResultWarning]:
    method = backend.liveness_method
    # Didit's own pages write it in capitals and in small letters.
    methods = {(check.method or "").upper() for check in decision.liveness_checks}
    if method and methods - {method}:
        text = f"The live face was to be checked by {method}: has the workflow been changed?"
        yield ResultWarning(code=WarningCode.OTHER, severity=Severity.WARNING, text=text)


# What `raw` has: a word, a number or a flag under one of these names, and lists of such objects. So
# no media, links, guesses about the person, words of reviewers, and faces of others.

_LISTS = ("face_matches", "liveness_checks", "warnings", "reviews")
_WORDS = frozenset(
    {
        *("session_id", "session_kind", "session_number", "status", "environment", "workflow_id"),
        *("created_at", "expires_at", "node_id", "method", "score", "source_image_session_id"),
        *("face_quality", "face_luminance", "risk", "feature", "log_type", "short_description"),
        "new_status",
    }
)


def _allow(body: dict[str, Any]) -> dict[str, Any]:
    allowed: dict[str, Any] = {}
    for name, value in body.items():
        if name in _LISTS and isinstance(value, list):
            allowed[name] = [_allow(item) for item in value if isinstance(item, dict)]
        elif name in _WORDS and not isinstance(value, (dict, list)):
            allowed[name] = "(address removed)" if "://" in str(value) else value
    return allowed


# --- delete, webhooks, refusals ---

#: Didit's words for what became of the face; another one says nothing that we know.
_FACE_KEPT = {"retained_with_user": True, "deleted": False, "none": False}


def delete_steps(backend: DiditBackend, record: SessionRecord) -> http.DeleteSteps:
    """Delete a session; without a `session_id` each that was started with the record.

    None is read before: a film must not stay because its verdict cannot be understood.
    """
    if record.session_id is not None:
        return (yield from _delete(backend, record.session_id))
    session_ids = yield from _list_sessions(backend, record)
    if not session_ids:
        raise _not_listed()
    for session_id in session_ids:
        deletion = yield from _delete(backend, session_id)
    return deletion


def _delete(backend: DiditBackend, session_id: str) -> http.DeleteSteps:
    try:
        # Since August 2026; else a policy of the account may keep a template of the face.
        wish = {"retain_face_embeddings": False}
        reply = yield _session_request(
            backend, session_id, "delete", "DELETE", json=wish, expects=range(200, 300)
        )
    except errors.SessionNotFound:
        return Deletion(state=DeletionState.NOT_THERE)
    if reply.shape not in (http.BodyShape.EMPTY, http.BodyShape.JSON_OBJECT):
        raise ValueError("it is not Didit's own form")
    word = text_or_none(reply.at("face_retention_outcome"), "face_retention_outcome")
    kept = _FACE_KEPT.get(word or "")
    return Deletion(state=DeletionState.DONE, face_kept=kept, vendor_word=word)


def read_delivery(
    backend: DiditBackend, body: bytes, headers: Mapping[str, str], now: dt.datetime
) -> tuple[SessionHint, ...]:
    """The session that a delivery is about; nothing for one about a user or a transaction."""
    if not backend.webhook_secrets:
        raise errors.ConfigurationError(
            "Webhooks of Didit need webhook_secrets: the destination's secret_shared_key, or "
            "several. Set it, or the environment variable DIDIT_WEBHOOK_SECRET."
        )
    event = verify_webhook(body, headers, backend.webhook_secrets, now)
    if event.session_id is None:
        return ()
    metadata = event.metadata or {}
    hint = SessionHint(
        record_id=_read_terms(metadata)[0],
        session_id=event.session_id,
        event_id=event.event_id,
        # A header says so, too, but it is not signed.
        is_test=metadata.get("test_webhook") is True,
    )
    return (hint,)


_REFUSED = "a refusal, so no session was made"
_NO_CREDIT = http.ErrorRow(
    errors.InsufficientCredit, Charged.NO, _REFUSED, "the account has no credit; top it up"
)


def error_row(
    request: Request, status: int, form: wire.Form, shape: http.BodyShape
) -> http.ErrorRow:
    """What an answer means that gives no session, by its status and its form of words."""
    is_start = isinstance(request, StartRequest)
    if form == "detail" and status == 404 and not is_start:
        return NO_SESSION
    if form == "detail" and status == 400 and is_start:
        # Without a code; what is wrong with a field comes under its name.
        return _NO_CREDIT
    if status >= 500:
        # No document says whether a fault of Didit's own leaves a session behind.
        return http.default_row(status, shape)
    row = wire.error_row(status, form, shape)
    ground = _REFUSED if is_start else "nothing is charged for asking"
    return attrs.evolve(row, ground=ground) if row.ground == wire.STATED else row

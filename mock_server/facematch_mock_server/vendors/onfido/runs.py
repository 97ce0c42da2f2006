"""Workflow runs: start, read, list, and the person's check."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.vendors.base import Call, is_uuid
from facematch_mock_server.world import hosted, webhooks
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, hosted_of
from facematch_mock_server.world.sessions import Session

from .applicants import (
    ABANDONED,
    FieldProblems,
    check_tags,
    check_text,
    find_active_applicant,
    page_of,
    read_applicant,
    receivers_of,
    show_time,
)
from .reports import CLEAR, document_report, face_report

PATH = "/v3.6/workflow_runs"
COMPLETED = "workflow_run.completed"
AWAITING_INPUT = "awaiting_input"
APPROVED = "approved"
DECLINED = "declined"
REVIEW = "review"
ERROR = "error"
#: The names of the reports in the output.
FACE_OUTPUT = "selfie"
DOCUMENT_OUTPUT = "doc"

#: The error of a run whose workflow has failed.
_FAILURE = {"type": "mock_error", "message": "A test has made this run fail."}
_LANGUAGES = ("en_US", "de_DE", "es_ES", "fr_FR", "it_IT", "pt_PT", "nl_NL")
#: Seconds until the link of a run without `expires_at` expires: never, in practice.
_NO_EXPIRY_S = 100 * 365 * 86400


# Start and read


def _check_uuid(problems: FieldProblems, name: str, value: object) -> None:
    if not is_uuid(value):
        problems.add(name, "must be a UUID")


def _read_expiry(problems: FieldProblems, value: Any) -> dt.datetime | None:
    """Return the time at which the link expires; None if it does not."""
    if value is None:
        return None
    try:
        expires_at = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        expires_at = None
    if expires_at is None or expires_at.tzinfo is None:
        problems.add("link", "expires_at must be a date-time")
        return None
    return expires_at


def start(call: Call) -> Response:
    """Create a run, whose person is the applicant."""
    body = call.read_object("body.wrong")
    problems = FieldProblems()
    for name in ("applicant_id", "workflow_id"):
        _check_uuid(problems, name, body.get(name))
    check_tags(problems, body.get("tags"))
    user_id = body.get("customer_user_id")
    if user_id is not None and not (isinstance(user_id, str) and len(user_id) <= 256):
        problems.add("customer_user_id", "must be a text of at most 256 characters")
    link = body.get("link")
    if link is None:
        link = {}
    if not isinstance(link, dict):
        problems.add("link", "must be an object")
        link = {}
    if link.get("language") not in (None, *_LANGUAGES):
        problems.add("link", "language is not supported")
    for name in ("completed_redirect_url", "expired_redirect_url"):
        check_text(problems, f"link.{name}", link.get(name))
    expires_at = _read_expiry(problems, link.get("expires_at"))
    problems.refuse_if_any(call)
    applicant = read_applicant(call, problems, body["applicant_id"])
    lasts_s: float = _NO_EXPIRY_S
    if expires_at is not None:
        lasts_s = (expires_at - call.now).total_seconds()
    session = hosted.start(
        call.world,
        call.now,
        lasts_s,
        {"status": AWAITING_INPUT, "internal_id": applicant.id, "metadata": body},
        kind="kyc",
        workflow=body["workflow_id"].lower(),
        version=1,
        callback=link.get("completed_redirect_url"),
        is_live=call.is_live,
    )
    call.claims.cite("run.waits", "run.workflow", "run.sdk_token")
    return call.answer("run.created", show_run(call.claims, call.world, session, call.origin))


def _is_visible(call: Call, session: Session) -> bool:
    """Return whether a run is one of the token's environment, whose applicant was not deleted."""
    applicant = find_active_applicant(call, session.internal_id)
    return session.hosted is not None and applicant is not None


def read(call: Call) -> Response:
    """Show a run."""
    session = call.world.sessions.find(call.path_value.lower())
    if session is None or not _is_visible(call, session):
        call.refuse("path", "key.environments")
    session = hosted.expire_if_due(call.world, session)
    return call.answer("run.shown", show_run(call.claims, call.world, session, call.origin))


def list_runs(call: Call) -> Response:
    """List the runs that the query selects."""
    query = call.query
    wanted_tags = set(filter(None, query.get("tags", "").split(",")))
    wanted_statuses = set(filter(None, query.get("status", "").split(",")))
    runs = []
    for each in call.world.sessions.all():
        session = hosted.expire_if_due(call.world, each)
        metadata = session.metadata_or_empty
        is_selected = _is_visible(call, session) and wanted_tags <= set(metadata.get("tags") or ())
        if wanted_statuses and session.status not in wanted_statuses:
            is_selected = False
        if query.get("applicant_id") not in (None, session.internal_id):
            is_selected = False
        created_on = session.created_at.date().isoformat()
        if not query.get("created_at_gt", "") <= created_on < query.get("created_at_lt", "9999"):
            is_selected = False
        if is_selected:
            runs.append(session)
    if query.get("sort") != "asc":
        runs.reverse()
    call.claims.cite("run.filter")
    bodies = []
    for session in page_of(call, runs):
        bodies.append(show_run(call.claims, call.world, session, call.origin))
    return call.answer("run.listed", bodies)


def show_run(claims: CitedClaims, world: World, session: Session, origin: str) -> dict[str, Any]:
    """Return a run as Onfido shows it; `origin` is the scheme and host of its link."""
    attributes = hosted_of(session)
    metadata = session.metadata_or_empty
    sent_link = metadata.get("link") or {}
    is_open = session.status == AWAITING_INPUT
    claims.cite("run.link")
    output = None
    if session.result:
        claims.cite("run.output", "run.reports", "run.made_up", "run.judged")
        claims.cite("session.match_from", "session.live_from", "session.attempts")
        claims.cite("session.charged", "credit.price")
        document = session.result[DOCUMENT_OUTPUT]
        properties = _document_properties(hosted.document_values(session))
        output = {**session.result, DOCUMENT_OUTPUT: {**document, "properties": properties}}
    if session.status == ABANDONED:
        claims.cite("run.expired")
    error = None
    if session.status == ERROR:
        claims.cite("run.error")
        error = _FAILURE
    return {
        "id": session.id,
        "applicant_id": session.internal_id,
        "workflow_id": attributes.workflow,
        "workflow_version_id": attributes.version,
        "status": session.status,
        "tags": metadata.get("tags") or [],
        "customer_user_id": metadata.get("customer_user_id"),
        "link": {
            "url": hosted.page_url(world, session, origin),
            "completed_redirect_url": sent_link.get("completed_redirect_url"),
            "expired_redirect_url": sent_link.get("expired_redirect_url"),
            "expires_at": sent_link.get("expires_at"),
            "language": sent_link.get("language"),
        },
        "output": output,
        "reasons": [],
        "error": error,
        "sdk_token": f"mock-sdk-{attributes.token}" if is_open else None,
        "dashboard_url": f"https://dashboard.onfido.com/results/{session.id}",
        "created_at": show_time(session.created_at),
        "updated_at": show_time(session.status_at or session.created_at),
    }


# The check of the person


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the reports of the face and the document."""
    match = check.match
    if match is None:
        raise LookupError("a run compares the face with a document, which is missing")
    ids = world.ids
    face = face_report(world.claims, match, check.liveness, ids.uuid())
    document = document_report(has_face=bool(match.reference.faces))
    is_clear = face["result"] == document["result"] == CLEAR
    status = APPROVED if is_clear else DECLINED
    if match.review:
        status = REVIEW
    output = {
        FACE_OUTPUT: {"uuid": ids.uuid(), "status": "complete", **face},
        DOCUMENT_OUTPUT: {
            "uuid": ids.uuid(),
            "status": "complete",
            **document,
            "repeat_attempts": {},
        },
    }
    return attrs.evolve(
        session,
        status=status,
        result=output,
        pictures={"face": check.face, "document": check.reference},
    )


#: Onfido's names of the values on a document, by the mock's.
_PROPERTIES = {
    "first_name": "first_name",
    "last_name": "last_name",
    "date_of_birth": "date_of_birth",
    "date_of_issue": "issuing_date",
    "expiration_date": "date_of_expiry",
}


def _document_properties(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the properties of a Document report: the values that a test has set."""
    properties: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _PROPERTIES:
            properties[_PROPERTIES[name]] = value
    if "document_number" in fields:
        number = fields["document_number"]
        properties["document_numbers"] = [{"type": "document_number", "value": number}]
    return properties


def _announce(world: World, session: Session) -> None:
    """Queue the webhooks about a run that has ended."""
    if session.status == AWAITING_INPUT:
        return
    only = receivers_of(world, is_live=hosted_of(session).is_live)
    webhooks.announce(world, session, event=COMPLETED, only=only)


SESSION_RULES = SessionRules(
    open_statuses=frozenset({AWAITING_INPUT}),
    status_after={
        "begin": AWAITING_INPUT,
        "abandon": ABANDONED,
        "expire": ABANDONED,
        "last": DECLINED,
    },
    judge=_judge,
    service="WORKFLOW_RUN",
    finished_statuses=frozenset({APPROVED, DECLINED, REVIEW, ERROR}),
    on_status_change=_announce,
)

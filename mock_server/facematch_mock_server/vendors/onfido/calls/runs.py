"""Workflow runs: start, read and list."""

from __future__ import annotations

import datetime as dt
from typing import Any

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.base import Call, is_uuid
from facematch_mock_server.vendors.onfido.access import (
    FieldProblems,
    check_tags,
    check_text,
    page_of,
)
from facematch_mock_server.vendors.onfido.wire import AWAITING_INPUT, ORIGIN, show_run
from facematch_mock_server.world import hosted
from facematch_mock_server.world.sessions import Session

from .applicants import find_active_applicant, name_of, read_applicant

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
        {
            "status": AWAITING_INPUT,
            "internal_id": applicant.id,
            "metadata": {**body, ORIGIN: call.origin},
        },
        kind="kyc",
        requested_name=name_of(applicant),
        workflow=body["workflow_id"].lower(),
        version=1,
        callback=link.get("completed_redirect_url"),
        is_live=call.is_live,
    )
    # OURS: Every UUID is a published workflow of version 1, which compares a selfie with a
    # document.
    # OURS: sdk_token is null once the run has ended.
    # A new run of a workflow with an interaction is awaiting_input. (Onfido, tests of
    # onfido-python, commit 04baf27)
    return call.answer("run.created", show_run(call.claims, call.world, session, call.origin))


def _is_visible(call: Call, session: Session) -> bool:
    """Return whether a run is one of the token's environment, whose applicant was not deleted."""
    applicant = find_active_applicant(call, session.internal_id)
    is_run = session.hosted is not None and session.hosted.workflow is not None
    return is_run and applicant is not None


def read(call: Call) -> Response:
    """Show a run."""
    session = call.world.sessions.find(call.path_value.lower())
    if session is None or not _is_visible(call, session):
        call.refuse("path")
    session = hosted.expire_if_due(call.world, session)
    facts = hosted.hosted_of(session)
    call.hint_at_name(facts.card_fields, facts.requested_name)
    return call.answer("run.shown", show_run(call.claims, call.world, session, call.origin))


#: What Onfido has besides, and no known program sends.
_IGNORED = frozenset({"applicant_id", "created_at_gt", "created_at_lt", "sort", "status"})


def list_runs(call: Call) -> Response:
    """List the runs that have the tags of the query, newest first."""
    ignored = sorted(_IGNORED.intersection(call.query))
    if ignored:
        call.hint = f"this mock does not filter or sort by {', '.join(ignored)}"
    wanted_tags = set(filter(None, call.query.get("tags", "").split(",")))
    runs = []
    for each in reversed(call.world.sessions.all()):
        session = hosted.expire_if_due(call.world, each)
        tags = session.metadata_or_empty.get("tags") or ()
        if _is_visible(call, session) and wanted_tags <= set(tags):
            runs.append(session)
    # OURS: tags, with commas between them, selects the runs that have all of them; runs are sorted
    # by their start; a page has 20 runs.
    bodies = []
    for session in page_of(call, runs):
        bodies.append(show_run(call.claims, call.world, session, call.origin))
    return call.answer("run.listed", bodies)

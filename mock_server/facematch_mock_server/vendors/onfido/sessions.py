"""What the person's check makes of a workflow run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.world import webhooks
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, hosted_of
from facematch_mock_server.world.sessions import Session

from .records import receivers_of
from .web_sdk import capture, is_capture
from .wire import (
    ABANDONED,
    APPROVED,
    AWAITING_INPUT,
    CLEAR,
    COMPLETED,
    DECLINED,
    DOCUMENT_OUTPUT,
    ERROR,
    FACE_OUTPUT,
    REVIEW,
    document_report,
    face_report,
)

# The check of the person


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the reports of the face and the document."""
    if is_capture(session):
        return capture(world, session, check)
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


def _announce(world: World, session: Session) -> None:
    """Queue the webhooks about a run that has ended."""
    if session.status == AWAITING_INPUT or is_capture(session):
        return
    only = receivers_of(world, is_live=hosted_of(session).is_live)
    webhooks.announce(world, session, event=COMPLETED, only=only)


def _facts_for_web_sdk(session: Session) -> Mapping[str, Any]:
    """Return what `onComplete` gets: the uploads of a page with steps; nothing of a run."""
    if not is_capture(session):
        return {}
    return session.result or {"is_failed": True}


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
    facts_for_web_sdk=_facts_for_web_sdk,
)

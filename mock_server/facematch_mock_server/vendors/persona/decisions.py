"""The status of an inquiry: how staff or time change it, what it sends, and its redaction.

Source of the names: Persona's OpenAPI, version 2025-12-08.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import with_hosted
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import announce

from . import resources, webhooks
from .calls import PersonaCall
from .resources import (
    APPROVED,
    DECLINED,
    EXPIRED,
    NEEDS_REVIEW,
    OPEN,
    PENDING,
    TIMES,
    inquiry_of,
    with_inquiry,
)

_DECIDED = frozenset({APPROVED, DECLINED})
#: The status that each action sets.
_ACTIONS = {
    "approve": APPROVED,
    "decline": DECLINED,
    "mark-for-review": NEEDS_REVIEW,
    "expire": EXPIRED,
}


def decide(call: PersonaCall) -> Response:
    """Decide an inquiry as staff do, or let it expire."""
    session = call.find_session_and_expire_if_due()
    _, action = call.path_values
    if action not in _ACTIONS:
        call.refuse("path.unknown")
    status = _ACTIONS[action]
    if status == EXPIRED and session.status not in OPEN:
        call.refuse("inquiry.not_open", status=session.status)
    if status == NEEDS_REVIEW and session.status in _DECIDED:
        call.refuse("inquiry.not_for_review", status=session.status)
    call.claims.cite("inquiry.decided")
    session = store_and_announce_status(
        call.world, session, status, reviewer={"type": "user", "id": "user_mock"}
    )
    body = resources.show_inquiry_document(session, with_verifications=False)
    return call.answer("inquiry.shown", body)


def store_and_announce_status(
    world: World, session: Session, status: str, *, reviewer: Mapping[str, str] | None = None
) -> Session:
    """Set an inquiry's status, stamp its time and send the webhooks; return the inquiry."""

    def change(session: Session) -> Session:
        session = attrs.evolve(session, status=status)
        return session if reviewer is None else with_inquiry(session, reviewer=reviewer)

    return note_status(world, world.sessions.change(session.id, change) or session)


def note_status(world: World, session: Session) -> Session:
    """Stamp the time of an inquiry's new status and send the webhooks; return the inquiry."""
    now = world.clock.now()

    def stamp(session: Session) -> Session:
        inquiry = inquiry_of(session)
        if session.status == PENDING:
            expires_at = now + dt.timedelta(seconds=inquiry.after_start_s)
            session = with_hosted(session, expires_at=expires_at)
        times = {**inquiry.times, TIMES[session.status]: now}
        if inquiry.untold_end is not None:
            times[TIMES[inquiry.untold_end]] = now
        return with_inquiry(session, times=times)

    def forget_news(session: Session) -> Session:
        return with_inquiry(session, untold_end=None, has_untold_selfie=False)

    session = world.sessions.change(session.id, stamp) or session
    webhooks.announce_status(world, session)
    return world.sessions.change(session.id, forget_news) or session


def redact(call: PersonaCall) -> Response:
    """Redact an inquiry: remove note, reference id, tags, pictures, document and callback.

    Its verifications stay, and are shown without data.
    """
    session = call.find_session_and_expire_if_due()
    if inquiry_of(session).is_redacted:
        call.refuse("inquiry.redacted")
    call.claims.cite("redact.inquiry", "redact.children")
    if session.status in OPEN:
        call.claims.cite("redact.open")
        session = store_and_announce_status(call.world, session, EXPIRED)

    def remove_data(session: Session) -> Session:
        times = {**inquiry_of(session).times, "redacted-at": call.now}
        session = with_hosted(session, document_fields={}, callback=None)
        session = attrs.evolve(session, pictures={})
        return with_inquiry(session, note=None, reference_id=None, tags=(), fields={}, times=times)

    session = call.world.sessions.change(session.id, remove_data) or session
    announce(call.world, session, event=webhooks.REDACTION)
    body = resources.show_inquiry_document(session, with_verifications=False)
    return call.answer("inquiry.shown", body)

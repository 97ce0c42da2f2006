"""The person's check in an inquiry, the status that follows, and what a new status sends.

Source of the names: Persona's OpenAPI, version 2025-12-08.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import fill
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, hosted_of, with_hosted
from facematch_mock_server.world.sessions import Session

from . import webhooks, wire
from .access import new_id
from .wire import (
    APPROVED,
    COMPLETED,
    DECLINED,
    EXPIRED,
    FAILED,
    GOVERNMENT_ID,
    NEEDS_REVIEW,
    OPEN,
    PENDING,
    SELFIE,
    TIMES,
    Verification,
    inquiry_of,
    with_inquiry,
)


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


def new_verification(
    world: World, kind: str, *, passed: bool, checks: tuple[Mapping[str, Any], ...] = ()
) -> Verification:
    """Return a verification that is made now; a government id has Persona's list of checks."""
    status = "passed" if passed else "failed"
    if kind == GOVERNMENT_ID:
        checks = fill(wire.DATA["id_checks"], {"portrait": status})
    return Verification(
        id=new_id("ver", world.ids.uuid()),
        kind=kind,
        status=status,
        created_at=world.clock.now(),
        checks=checks,
    )


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the verifications of a check of the person, and what follows."""
    if not check.liveness.probe.faces:
        return hosted.fail(world, session)
    claims = world.claims
    checks = wire.selfie_checks(
        matches=check.matches(claims["session.match_from"]),
        is_live=check.liveness.is_live(claims["session.live_from"]),
        is_liveness_required=claims["verification.liveness"] == "required",
    )
    is_selfie_passed = wire.has_passed(checks)
    document = new_verification(world, GOVERNMENT_ID, passed=check.has_reference_face)
    selfie = new_verification(world, SELFIE, passed=is_selfie_passed, checks=checks)
    judged = with_inquiry(
        attrs.evolve(session, pictures={"center": check.face, "front": check.reference}),
        verifications=(*inquiry_of(session).verifications, document, selfie),
        has_untold_selfie=True,
    )
    is_passed = check.has_reference_face and is_selfie_passed
    last_screen = COMPLETED if is_passed else FAILED
    if world.claims["inquiry.workflow"] == "none":
        return attrs.evolve(judged, status=last_screen)
    decided = attrs.evolve(judged, status=APPROVED if is_passed else DECLINED)
    reviewer = {"type": "workflow-run", "id": "wfr_mock"}
    return with_inquiry(decided, untold_end=last_screen, reviewer=reviewer)


def _fail(world: World, session: Session, _: bool) -> Session:
    """Return the session with a selfie whose picture is not good enough."""
    checks = wire.selfie_checks(
        matches=False, is_live=False, is_liveness_required=True, is_good_picture=False
    )
    selfie = new_verification(world, SELFIE, passed=False, checks=checks)
    verifications = (*inquiry_of(session).verifications, selfie)
    return with_inquiry(session, verifications=verifications, has_untold_selfie=True)


def _return_url(session: Session) -> str | None:
    """Return the URL to which the person is redirected.

    Persona adds the inquiry's `fields`, which are personal data; the mock does not.
    """
    redirect_uri = hosted_of(session).callback
    if redirect_uri is None:
        return None
    values = {"inquiry-id": session.id, "status": session.status}
    reference_id = inquiry_of(session).reference_id
    if reference_id is not None:
        values["reference-id"] = reference_id
    return hosted.add_to_query(redirect_uri, values)


SESSION_RULES = SessionRules(
    open_statuses=OPEN,
    status_after={"begin": PENDING, "abandon": PENDING, "expire": EXPIRED, "last": FAILED},
    judge=_judge,
    fail=_fail,
    service="INQUIRY",
    finished_statuses=frozenset({COMPLETED, FAILED, NEEDS_REVIEW, APPROVED, DECLINED}),
    on_status_change=note_status,
    return_url=_return_url,
    facts_for_web_sdk=wire.facts_for_web_sdk,
)

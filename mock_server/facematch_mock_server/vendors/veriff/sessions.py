"""What a check of the person makes of a session: the mock's verdict, charge and webhooks."""

from __future__ import annotations

import attrs

from facematch_mock_server.vendors.kit import PersonCheck, Session, SessionRules, World, hosted
from facematch_mock_server.world.hosted import hosted_of

from . import webhooks
from .wire import (
    ABANDONED,
    APPROVED,
    ATTACK,
    CREATED,
    DECLINED,
    EXPIRED,
    FACE_IS_NOT_OF_DOCUMENT,
    FACE_IS_NOT_OF_REFERENCE,
    NO_FACE,
    NO_FACE_IN_DOCUMENT,
    NO_FACE_IN_REFERENCE,
    POOR_QUALITY,
    REASON_CODE,
    REASON_STATUS,
    RESUBMIT,
    RESUBMITTED_AT,
    REVIEW,
    STARTED,
    SUBMITTED,
    TOO_MANY_ATTEMPTS,
    stamp,
)

#: The statuses in which a person can act.
OPEN = frozenset({CREATED, STARTED, RESUBMIT})


# The verdict


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the pictures and the verdict on the person."""
    pictures = {**session.pictures, "face": check.face}
    if check.reference is not None and hosted_of(session).kind == "kyc":
        pictures["document-front"] = check.reference
    session = attrs.evolve(session, pictures=pictures)
    if not check.liveness.probe.faces:
        return _ask_back(world, session, NO_FACE)
    if not hosted_of(session).is_live:
        # A test integration decides nothing by itself.
        return attrs.evolve(session, status=SUBMITTED)
    if not check.liveness.is_live(world.claims["session.live_from"]):
        return _with_reason(session, DECLINED, ATTACK)
    has_reference = hosted_of(session).kind == "biometric"
    if not check.has_reference_face:
        if has_reference:
            return _with_reason(session, DECLINED, NO_FACE_IN_REFERENCE)
        return _ask_back(world, session, NO_FACE_IN_DOCUMENT)
    if check.needs_review:
        return attrs.evolve(session, status=REVIEW)
    if check.matches(world.claims["session.match_from"]):
        return attrs.evolve(session, status=APPROVED)
    if has_reference:
        return _with_reason(session, DECLINED, FACE_IS_NOT_OF_REFERENCE)
    return _with_reason(session, DECLINED, FACE_IS_NOT_OF_DOCUMENT)


def _ask_back(world: World, session: Session, reason_code: int) -> Session:
    """Return the session after a failed attempt, which is declined if it was the last."""
    failed = hosted.fail(world, session)
    if failed.status == DECLINED:
        return failed
    return _with_reason(failed, RESUBMIT, reason_code)


def _fail(_: World, session: Session, is_last: bool) -> Session:
    if is_last:
        return _with_reason(session, DECLINED, TOO_MANY_ATTEMPTS)
    return _with_reason(session, RESUBMIT, POOR_QUALITY)


def _with_reason(session: Session, status: str, reason_code: int) -> Session:
    reason = {REASON_CODE: reason_code, REASON_STATUS: status}
    return attrs.evolve(session, status=status, result={**session.result, **reason})


def _note_status(world: World, session: Session) -> None:
    """Store the beginning of an attempt, charge a live session once, and send webhooks."""
    if session.status == RESUBMIT:
        asked_back_at = stamp(world.clock.now())

        def note(stored: Session) -> Session:
            times = (*stored.result.get(RESUBMITTED_AT, ()), asked_back_at)
            return attrs.evolve(stored, result={**stored.result, RESUBMITTED_AT: times})

        # A session that a concurrent request has deleted is still charged and announced.
        session = world.sessions.change(session.id, note) or note(session)
    # Veriff charges a verdict or a request to resubmit.
    if session.status in (APPROVED, DECLINED, RESUBMIT) and hosted_of(session).is_live:
        price = world.claims["credit.price"]
        world.ledger.charge_once(price, at=world.clock.now(), what="SESSION", session_id=session.id)
    webhooks.announce(world, session)


SESSION_RULES = SessionRules(
    open_statuses=OPEN,
    status_after={
        "begin": STARTED,
        "abandon": ABANDONED,
        "expire": EXPIRED,
        "expire_begun": ABANDONED,
        "last": DECLINED,
    },
    judge=_judge,
    fail=_fail,
    finished_statuses=frozenset({APPROVED, DECLINED, RESUBMIT, REVIEW, EXPIRED, ABANDONED}),
    on_submission=webhooks.announce_submission,
    on_status_change=_note_status,
)

"""What a try of the person comes to: its report, the session's status, and the charge."""

from __future__ import annotations

from decimal import Decimal

import attrs

from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, hosted_of
from facematch_mock_server.world.sessions import Session

from . import webhooks
from .access import new_id
from .wire import (
    ABANDONED,
    CANCELED,
    CHECK_CODES,
    OTHER_CODES,
    PROCESSING,
    REQUIRES_INPUT,
    VERIFIED,
    Report,
    identity_of,
    with_identity,
)

#: The outcomes in which a try fails.
_FAILURES = tuple(f"{REQUIRES_INPUT} {code}" for code in (*CHECK_CODES, *OTHER_CODES))


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session that processes a check of the person."""
    pictures = {"document": check.reference, "selfie": check.face}
    submitted = attrs.evolve(session, status=PROCESSING, pictures=pictures)
    if check.needs_review:
        return submitted  # it waits for a test's decision
    error_code = _find_error(world, session, check)
    outcome = f"{REQUIRES_INPUT} {error_code}" if error_code else VERIFIED
    return with_identity(submitted, outcome=outcome)


def _fail(_: World, session: Session, __: bool) -> Session:
    """Return the session that processes a selfie which is not good enough."""
    submitted = attrs.evolve(session, status=PROCESSING)
    return with_identity(submitted, outcome=f"{REQUIRES_INPUT} selfie_unverified_other")


def _find_error(world: World, session: Session, check: PersonCheck) -> str:
    """Return the code of what a check of the person finds; "" if all is right."""
    identity = identity_of(session)
    if identity.type == "id_number":
        return ""
    if not identity.requires_selfie:
        return "" if check.has_reference_face else "document_unverified_other"
    if not check.liveness.probe.faces:
        return "selfie_unverified_other"
    if not check.liveness.is_live(world.claims["session.live_from"]):
        return "selfie_manipulated"
    if not check.has_reference_face:
        return "selfie_document_missing_photo"
    if not check.matches(world.claims["session.match_from"]):
        return "selfie_face_mismatch"
    return ""


def _note_status(world: World, session: Session) -> None:
    """Announce a new status; end the processing of a try, or note a test's decision."""
    if session.status in (PROCESSING, CANCELED):
        webhooks.announce_status(world, session)
        outcome = identity_of(session).outcome
    else:
        outcome = session.status
    if outcome:
        _conclude(world, session, outcome)


def _conclude(world: World, session: Session, outcome: str) -> None:
    """Store the result of a try, charge it if it has a report, and announce it."""
    status, _, error_code = outcome.partition(" ")
    report = Report(
        id=new_id("vr", world.ids.uuid()),
        created_at=world.clock.now(),
        error_code=error_code,
        # A session that nobody has gone through is decided without a selfie.
        has_selfie=bool(session.pictures) or error_code.startswith("selfie"),
    )
    new_reports = () if error_code in OTHER_CODES else (report,)

    def conclude(stored: Session) -> Session:
        reports = (*identity_of(stored).reports, *new_reports)
        stored = attrs.evolve(stored, status=status)
        return with_identity(stored, outcome="", reports=reports, last_error=error_code)

    concluded = world.sessions.change(session.id, conclude) or conclude(session)
    if new_reports and hosted_of(session).is_live:
        price = Decimal(world.claims["credit.price"])
        world.ledger.charge(price, at=report.created_at, what="IDENTITY", request_id=session.id)
    # OURS: No webhook tells that the person left, because the status stays as it was.
    if error_code != ABANDONED:
        webhooks.announce_status(world, concluded)


SESSION_RULES = SessionRules(
    open_statuses=frozenset({REQUIRES_INPUT}),
    # Who begins changes nothing, and no failed try is the last. Who leaves has begun the
    # verification but did not submit it, and may go on. (Stripe, the object's last_error)
    status_after={"begin": REQUIRES_INPUT, "abandon": f"{REQUIRES_INPUT} {ABANDONED}"},
    judge=_judge,
    fail=_fail,
    finished_statuses=frozenset({VERIFIED, CANCELED, *_FAILURES}),
    only_link_expires=True,
    on_status_change=_note_status,
)

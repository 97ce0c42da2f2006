"""What a try of the person comes to: its report, the session's status, and the charge."""

from __future__ import annotations

from decimal import Decimal

import attrs

from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, hosted_of
from facematch_mock_server.world.sessions import Session

from . import webhooks
from .calls import new_id
from .objects import (
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

#: The failures to which a test can decide a session: its status and the error's code.
_FAILURES = tuple(f"{REQUIRES_INPUT} {code}" for code in (*CHECK_CODES, *OTHER_CODES))


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session that processes a check of the person."""
    pictures = {"document": check.reference, "selfie": check.face}
    submitted = attrs.evolve(session, status=PROCESSING, pictures=pictures)
    if check.match is not None and check.match.review:
        return submitted  # without a report, it waits for a test's decision
    report = _new_report(world, _find_error(world, session, check))
    return with_identity(submitted, pending=report)


def _fail(world: World, session: Session, _: bool) -> Session:
    """Return the session that processes a selfie which is not good enough."""
    submitted = attrs.evolve(session, status=PROCESSING)
    return with_identity(submitted, pending=_new_report(world, "selfie_unverified_other"))


def _new_report(world: World, error_code: str | None, *, has_selfie: bool = True) -> Report:
    return Report(
        id=new_id("vr", world.account.ids.uuid()),
        created_at=world.clock.now(),
        error_code=error_code,
        has_selfie=has_selfie,
    )


def _find_error(world: World, session: Session, check: PersonCheck) -> str | None:
    """Return the code of what a check of the person finds; None if all is right."""
    identity = identity_of(session)
    if identity.type == "id_number":
        return None
    match = check.match
    has_portrait = match is not None and bool(match.reference.faces)
    if not identity.document_options.get("require_matching_selfie"):
        return None if has_portrait else "document_unverified_other"
    if not check.liveness.probe.faces:
        return "selfie_unverified_other"
    live_score = check.liveness.score or 0.0
    if check.liveness.attack or live_score < world.claims["check.live_from"]:
        return "selfie_manipulated"
    if match is None or not has_portrait:
        return "selfie_document_missing_photo"
    if (match.score or 0.0) < world.claims["check.match_from"]:
        return "selfie_face_mismatch"
    return None


def _note_status(world: World, session: Session) -> None:
    """Announce a new status; end the processing of a try, or note a test's decision."""
    if session.status == PROCESSING:
        webhooks.announce_status(world, session)
        report = identity_of(session).pending
        if report is not None:
            _conclude(world, session, report)
    elif session.status == CANCELED:
        webhooks.announce_status(world, session)
    else:
        _, _, error_code = session.status.partition(" ")
        # A session that nobody has gone through is decided without a selfie.
        has_selfie = bool(session.pictures) or error_code.startswith("selfie")
        report = _new_report(world, error_code or None, has_selfie=has_selfie)
        _conclude(world, session, report)


def _conclude(world: World, session: Session, report: Report) -> None:
    """Store the result of a try, charge it if it has a report, and announce it."""
    code = report.error_code
    has_report = code not in OTHER_CODES

    def conclude(stored: Session) -> Session:
        stored = attrs.evolve(stored, status=VERIFIED if code is None else REQUIRES_INPUT)
        reports = identity_of(stored).reports
        if has_report:
            reports = (*reports, report)
        return with_identity(stored, pending=None, reports=reports, last_error=code)

    concluded = world.sessions.change(session.id, conclude) or conclude(session)
    if has_report and hosted_of(session).is_live:
        price = Decimal(world.claims["credit.price"])
        world.ledger.charge(price, at=report.created_at, what="IDENTITY", request_id=session.id)
    webhooks.announce_status(world, concluded)


SESSION_RULES = SessionRules(
    open_statuses=frozenset({REQUIRES_INPUT}),
    # Who begins or leaves changes nothing, and no failed try is the last.
    status_after={"begin": REQUIRES_INPUT, "abandon": REQUIRES_INPUT},
    judge=_judge,
    fail=_fail,
    finished_statuses=frozenset({VERIFIED, CANCELED, *_FAILURES}),
    only_link_expires=True,
    on_status_change=_note_status,
    return_url=lambda session: hosted_of(session).callback,
)

"""Checks: what an applicant's pictures say, and what follows.

Sources: docs.sumsub.com (the claims say which pages), read 2026-11-28.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, hosted_of
from facematch_mock_server.world.identities import alpha_3
from facematch_mock_server.world.sessions import Session

from . import webhooks
from .claims import COMMENTS, LIVENESS_METHODS
from .records import level_of
from .wire import FINAL, GREEN, INIT, RETRY, REVIEWS

#: The name of a check in the ledger.
SERVICE = "CHECK"
#: The document that a person shows on the page, and the person's selfie.
_DOCUMENT = {"idDocType": "PASSPORT", "country": "DEU"}
_SELFIE = {"idDocType": "SELFIE", "country": "DEU"}


def make_step(
    document: Mapping[str, str], result: Mapping[str, Any] | None, image_ids: Sequence[int]
) -> dict[str, Any]:
    """Return a step for which the person has sent pictures; `result` is None if unchecked."""
    step: dict[str, Any] = {
        **document,
        "imageIds": list(image_ids),
        "imageReviewResults": {} if result is None else {str(image_ids[-1]): result},
    }
    if result is not None:
        step["reviewResult"] = result
    return step


def _with_steps(
    session: Session,
    *,
    identity: Mapping[str, Any] | None,
    selfie: Mapping[str, Any] | None,
) -> Session:
    """Return an applicant with two steps of these results; a step without one is unchecked."""
    document = dict(_DOCUMENT)
    if "issuing_country" in hosted.document_fields(session):
        document["country"] = alpha_3(hosted.document_fields(session)["issuing_country"])
    result = {
        "IDENTITY": make_step(document, identity, [1000]),
        "SELFIE": make_step(_SELFIE, selfie, [1001]),
    }
    return attrs.evolve(session, result=result)


def judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the applicant with the results of checking the person."""
    pictures = {"selfie": check.face, "document": check.reference}
    session = attrs.evolve(session, pictures=pictures)
    if not hosted_of(session).is_live:
        unchecked = _with_steps(session, identity=None, selfie=None)
        return attrs.evolve(unchecked, status="pending")
    liveness = check.liveness
    match = check.match
    if not liveness.probe.faces:
        return hosted.fail(world, session)
    passed = {"reviewAnswer": "GREEN"}
    if match is None or not match.reference.faces:
        no_photo = _reject("UNSATISFACTORY_PHOTOS", "RETRY")
        return attrs.evolve(_with_steps(session, identity=no_photo, selfie=None), status=RETRY)
    checks_liveness = level_of(world, session).video_required in LIVENESS_METHODS
    is_live = not liveness.attack and (liveness.score or 0.0) >= world.claims["session.live_from"]
    if checks_liveness and not is_live:
        attack = _reject("FRAUDULENT_LIVENESS", "FINAL")
        return attrs.evolve(_with_steps(session, identity=passed, selfie=attack), status=FINAL)
    if (match.score or 0.0) < world.claims["session.match_from"]:
        face_mismatch = _reject("BAD_FACE_MATCHING", "FINAL")
        return attrs.evolve(
            _with_steps(session, identity=passed, selfie=face_mismatch), status=FINAL
        )
    return attrs.evolve(_with_steps(session, identity=passed, selfie=passed), status=GREEN)


def judge_document(session: Session, *, has_face: bool) -> Session:
    """Return the applicant with the result of a document alone; the step SELFIE has none."""
    if not hosted_of(session).is_live:
        identity, status = None, "pending"
    elif has_face:
        identity, status = {"reviewAnswer": "GREEN"}, GREEN
    else:
        identity, status = _reject("UNSATISFACTORY_PHOTOS", "RETRY"), RETRY
    result = {"IDENTITY": make_step(_DOCUMENT, identity, [1000])}
    return attrs.evolve(session, status=status, result=result)


def with_attempt(session: Session) -> Session:
    """Return the applicant with one more attempt."""
    hosted_part = hosted_of(session)
    more = attrs.evolve(hosted_part, attempts=hosted_part.attempts + 1)
    return attrs.evolve(session, hosted=more)


def _reject(label: str, reject_type: str) -> dict[str, Any]:
    rejected = {"reviewAnswer": "RED", "rejectLabels": [label], "reviewRejectType": reject_type}
    # The comments of a final rejection are those of the review alone.
    return {**COMMENTS, **rejected} if reject_type == "RETRY" else rejected


def _fail(_: World, session: Session, is_last: bool) -> Session:
    """Return the applicant after a selfie that could not be checked."""
    selfie = _reject("BAD_SELFIE", "FINAL" if is_last else "RETRY")
    failed = _with_steps(session, identity={"reviewAnswer": "GREEN"}, selfie=selfie)
    return attrs.evolve(failed, status=RETRY)


def charge_and_announce_status(world: World, session: Session) -> None:
    """Charge an applicant's first check (never in the sandbox), and send the status's webhook."""
    facts = hosted_of(session)
    if facts.is_live and facts.attempts > 0:
        price = world.claims["credit.price"]
        world.ledger.charge_once(price, at=world.clock.now(), what=SERVICE, session_id=session.id)
    event = webhooks.EVENT_OF_STATUS.get(REVIEWS[session.status].status)
    if event is not None:
        webhooks.announce(world, session, event)
    if session.status in webhooks.EVENT_OF_WORKFLOW:
        webhooks.announce(world, session, webhooks.EVENT_OF_WORKFLOW[session.status])


def _announce_submission(world: World, session: Session) -> None:
    """Send the webhook of the check that a person's attempt has started and ended at once."""
    # In the sandbox the applicant stays pending, so that the new status is announced.
    if session.status != "pending":
        checking = attrs.evolve(session, status="pending")
        webhooks.announce(world, checking, webhooks.EVENT_OF_STATUS["pending"])


def _return_url(session: Session) -> str | None:
    if REVIEWS[session.status].answer == "RED":
        reject_url: str | None = session.metadata_or_empty.get("reject_url")
        return reject_url
    return hosted_of(session).callback


SESSION_RULES = SessionRules(
    open_statuses=frozenset({INIT, "awaitingUser", RETRY}),
    status_after={"begin": INIT, "abandon": INIT, "last": FINAL},
    judge=judge,
    fail=_fail,
    # The statuses that a reviewer can set.
    finished_statuses=frozenset(REVIEWS) - {INIT},
    only_link_expires=True,
    on_submission=_announce_submission,
    on_status_change=charge_and_announce_status,
    return_url=_return_url,
)

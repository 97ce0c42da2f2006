"""Applicants: create, show, check, decide and deactivate them.

Sources of names and bodies: docs.sumsub.com, and answers of Sumsub in public repositories (the
claims say which), read 2026-11-28.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors.base import Route
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, hosted_of
from facematch_mock_server.world.sessions import Session

from . import webhooks
from .access import CHECKS, TOKEN, SumsubCall, check_sandbox_quota
from .claims import LIVENESS_METHODS, OTHER_METHODS
from .reviews import (
    FINAL,
    GREEN,
    INIT,
    IS_CHARGED,
    RETRY,
    REVIEWED_AT,
    REVIEWS,
    show_review,
    show_time,
)

#: The name of a check in the ledger.
SERVICE = "CHECK"
_APPLICANT_ID = re.compile(r"[0-9a-z]{24}", re.ASCII)
_BY_EXTERNAL_ID = "-;externalUserId="
#: The document that a person shows, unless a test sets its values, and the person's selfie.
_DOCUMENT = {"idDocType": "PASSPORT", "country": "DEU"}
_SELFIE = {"idDocType": "SELFIE", "country": "DEU"}


@attrs.frozen(kw_only=True)
class Level:
    """A level: the steps IDENTITY and SELFIE.

    Attributes:
        name: The name, whose case matters.
        video_required: The method of the selfie: ``passiveLiveness``, ``staticLiveness``,
            ``liveness``, ``enabled``, ``photoRequired`` or ``disabled``.
    """

    name: str
    video_required: str = attrs.field(
        default=LIVENESS_METHODS[0],
        validator=attrs.validators.in_((*LIVENESS_METHODS, *OTHER_METHODS)),
    )


class SumsubRecords:
    """The levels of one world. Thread-safe."""

    def __init__(self) -> None:
        self.levels: Collection[Level] = Collection(limit=10_000)


def level_of(world: World, session: Session) -> Level:
    """Return the level of an applicant, which may be one that was never published."""
    name = hosted_of(session).workflow or ""
    level: Level | None = world.records.levels.find(name)
    return level or Level(name=name)


# Create


def _create(call: SumsubCall) -> Response:
    """Create an applicant, with a webhook before the answer."""
    check_sandbox_quota(call)
    call.body = call.read_object("body.no_object")
    external_id = _read_external_id(call, "externalUserId")
    level_name = call.query.get("levelName")
    if not level_name:
        call.refuse("body.invalid", problem="levelName is missing")
    check_level(call, level_name)
    # Two creations of one applicant may arrive at once.
    with call.world.behaviour.creating:
        existing = find_by_external_id(call, external_id)
        if existing is not None:
            call.refuse("applicant.exists", external_id=external_id, applicant_id=existing.id)
        session = create(call, external_id, level_name)
    return call.answer("applicant.created", show(call, session))


def _read_external_id(call: SumsubCall, name: str) -> str:
    external_id = call.body.get(name)
    if not isinstance(external_id, str) or not 0 < len(external_id) <= 512:
        call.refuse("body.invalid", problem=f"{name} must have 1-512 characters")
    return external_id


def check_level(call: SumsubCall, name: str) -> None:
    """Refuse an unknown level, once a level is published."""
    levels = call.world.records.levels
    if not len(levels):
        call.claims.cite("level.any")
    elif levels.find(name) is None:
        call.refuse("level.unknown", level=name)


def create(call: SumsubCall, external_id: str, level_name: str) -> Session:
    """Store an applicant, whose page nobody can open yet, and send its webhook."""
    ids = call.world.account.ids
    session = hosted.start(
        call.world,
        call.now,
        # There is no link yet.
        lasts_s=0,
        fields={
            "status": INIT,
            "vendor_data": external_id,
            "internal_id": _new_id(ids.uuid()),
        },
        session_id=_new_id(ids.uuid()),
        kind="kyc",
        workflow=level_name,
        is_live=call.is_live,
    )
    webhooks.announce(call.world, session, "applicantCreated")
    return session


def _new_id(uuid: str) -> str:
    return uuid.replace("-", "")[:24]


# Find


def find_by_external_id(call: SumsubCall, external_id: str) -> Session | None:
    """Return the applicant of the app token's environment with this id, or None."""
    for session in reversed(call.world.sessions.all()):
        if session.vendor_data == external_id and call.sees(session):
            return session
    return None


def find(call: SumsubCall) -> Session:
    """Return the applicant that the path names; refuse the call if there is none."""
    sent_id, *_ = call.path_values
    if sent_id.startswith(_BY_EXTERNAL_ID):
        session = find_by_external_id(call, sent_id.removeprefix(_BY_EXTERNAL_ID))
    else:
        if not _APPLICANT_ID.fullmatch(sent_id):
            call.refuse("applicant.id", applicant_id=sent_id)
        session = call.world.sessions.find(sent_id)
    if session is None or not call.sees(session):
        call.refuse("applicant.unknown", "applicant.environments")
    return session


def _find_active(call: SumsubCall) -> Session:
    """Return the applicant that the path names; refuse the call if it is deactivated, too."""
    session = find(call)
    if is_deactivated(session):
        call.refuse("presence.deleted")
    return session


def is_deactivated(session: Session) -> bool:
    return bool(session.metadata_or_empty.get("is_deactivated"))


# Show


def show(call: SumsubCall, session: Session) -> dict[str, Any]:
    """Return the body with an applicant's data."""
    call.claims.cite("applicant.documents", "session.methods")
    level = level_of(call.world, session)
    body: dict[str, Any] = {
        "id": session.id,
        "createdAt": f"{session.created_at:%Y-%m-%d %H:%M:%S}",
        "clientId": call.world.account.name,
        "inspectionId": session.internal_id,
        "externalUserId": session.vendor_data,
        "info": _show_info(session),
        "requiredIdDocs": {
            "docSets": [
                {"idDocSetType": "IDENTITY", "types": ["PASSPORT", "ID_CARD"]},
                {
                    "idDocSetType": "SELFIE",
                    "types": ["SELFIE"],
                    "videoRequired": level.video_required,
                },
            ]
        },
        "review": show_review(session),
        "type": "individual",
    }
    if is_deactivated(session):
        body["deleted"] = True
    return body


def _show_info(session: Session) -> dict[str, Any]:
    """Return what was recognized on the document; empty before the person shows one."""
    if "IDENTITY" not in session.result:
        return {}
    fields = hosted_of(session).document_fields
    values = {
        "firstName": fields.get("first_name"),
        "lastName": fields.get("last_name") or fields.get("full_name"),
        "dob": fields.get("date_of_birth"),
        "number": fields.get("document_number"),
    }
    recognized = {name: value for name, value in values.items() if value is not None}
    return {**recognized, "idDocs": [{**_DOCUMENT, **recognized}]}


def _read(call: SumsubCall) -> Response:
    return call.answer("applicant.read", show(call, find(call)))


def _search(call: SumsubCall) -> Response:
    external_id, *_ = call.path_values
    session = find_by_external_id(call, external_id)
    if session is None:
        return call.answer("applicant.found", {"exists": False})
    body = {"exists": True, "applicant": show(call, session)}
    return call.answer("applicant.found", body)


def _read_status(call: SumsubCall) -> Response:
    return call.answer("applicant.status", show_review(find(call)))


def _read_steps(call: SumsubCall) -> Response:
    session = find(call)
    cite_check(call, session)
    body = {name: session.result.get(name) for name in ("IDENTITY", "SELFIE")}
    return call.answer("applicant.steps", body)


def cite_check(call: SumsubCall, session: Session) -> None:
    """Cite the claims behind the results of an applicant's steps."""
    if not session.result:
        return
    call.claims.cite("session.order", "session.labels", "session.steps", "credit.price")
    call.claims.cite("session.attempts", "session.live_from", "session.match_from")
    call.claims.cite("session.at_once", "session.document", "session.retry", "credit.start")
    if not hosted_of(session).is_live:
        call.claims.cite("sandbox.unchecked", "sandbox.selfie")


# Change


def _complete_test(call: SumsubCall) -> Response:
    """Set the answer of an applicant in the sandbox."""
    if call.is_live:
        call.refuse("sandbox.live")
    session = _find_active(call)
    call.body = call.read_object("body.no_object")
    answer = call.body.get("reviewAnswer")
    reject_type = call.body.get("reviewRejectType")
    labels = call.body.get("rejectLabels", [])
    if answer not in ("GREEN", "RED"):
        call.refuse("body.invalid", problem="reviewAnswer must be GREEN or RED")
    if reject_type not in (None, "FINAL", "RETRY"):
        call.refuse("body.invalid", problem="reviewRejectType must be FINAL or RETRY")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        call.refuse("body.invalid", problem="rejectLabels must be a list of strings")
    status_words = ["completed", answer]
    if answer == "RED" and reject_type is not None:
        status_words.append(reject_type)
    review = {"rejectLabels": labels}
    for name in ("moderationComment", "clientComment"):
        if isinstance(call.body.get(name), str):
            review[name] = call.body[name]
    result: dict[str, Any] = {**session.result, "review": review}
    if call.claims["sandbox.selfie"] == "same":
        shown = {"reviewAnswer": answer, "rejectLabels": labels}
        result |= {"IDENTITY": make_step(_DOCUMENT, {"reviewAnswer": "GREEN"})}
        result |= {"SELFIE": make_step(_SELFIE, shown)}
    status = " ".join(status_words)
    session = _store_change(
        call, session, lambda each: attrs.evolve(each, status=status, result=result)
    )
    _charge_and_announce_status(call.world, session)
    return call.answer("sandbox.completed")


def _store_change(
    call: SumsubCall, session: Session, change: Callable[[Session], Session]
) -> Session:
    """Store an applicant as changed from its newest state; refuse the call if it was removed."""
    changed = call.world.sessions.change(session.id, change)
    if changed is None:
        call.refuse("applicant.unknown")
    return changed


def _reset(call: SumsubCall) -> Response:
    """Set an applicant's status to init, and remove what the person sent."""
    session = _store_change(
        call,
        _find_active(call),
        lambda each: attrs.evolve(each, status=INIT, result={}, pictures={}),
    )
    webhooks.announce(call.world, session, "applicantReset")
    return call.answer("reset.done")


def _deactivate_or_activate(call: SumsubCall) -> Response:
    """Deactivate or activate an applicant, as the path says."""
    session = find(call)
    deactivates = call.request.path.endswith("/deactivated")
    if deactivates == is_deactivated(session):
        call.refuse("presence.already")
    if deactivates and session.status in ("pending", "queued", "prechecked"):
        call.refuse("presence.checking")
    session = _store_change(
        call, session, lambda each: _with_metadata(each, is_deactivated=deactivates)
    )
    if deactivates:
        webhooks.announce(call.world, session, "applicantDeactivated")
    body = {**show(call, session), "deleted": deactivates}
    return call.answer("presence.changed", body)


def _with_metadata(session: Session, **values: Any) -> Session:
    """Return an applicant with further values that no answer shows as they are."""
    return attrs.evolve(session, metadata={**session.metadata_or_empty, **values})


# Links


def _create_link(call: SumsubCall) -> Response:
    """Create a link to the page of an applicant, which may be a new one."""
    call.body = call.read_object("body.no_object")
    external_id = _read_external_id(call, "userId")
    level_name = call.body.get("levelName")
    if not isinstance(level_name, str) or not level_name:
        call.refuse("body.invalid", problem="levelName is missing")
    check_level(call, level_name)
    lasts_s = call.body.get("ttlInSecs", call.claims["link.default_s"])
    longest_s = call.claims["link.longest_s"]
    if type(lasts_s) is not int or not 0 < lasts_s <= longest_s:
        call.refuse("body.invalid", problem=f"ttlInSecs must be from 1 to {longest_s}")
    redirect = call.body.get("redirect") or {}
    if not isinstance(redirect, dict):
        call.refuse("body.invalid", problem="redirect must be an object")
    success_url = redirect.get("successUrl")
    reject_url = redirect.get("rejectUrl")
    if not isinstance(success_url, str | None) or not isinstance(reject_url, str | None):
        call.refuse("body.invalid", problem="successUrl and rejectUrl must be strings")
    with call.world.behaviour.creating:
        session = find_by_external_id(call, external_id)
        if session is None:
            call.claims.cite("link.applicant")
            session = create(call, external_id, level_name)
    if is_deactivated(session):
        call.refuse("presence.deleted")
    link = {
        "token": hosted.new_token(call.world),
        "expires_at": call.now + dt.timedelta(seconds=lasts_s),
        "callback": success_url,
        "language": call.query.get("lang"),
    }

    def open_page(each: Session) -> Session:
        opened = attrs.evolve(each, hosted=attrs.evolve(hosted_of(each), **link))
        return _with_metadata(opened, reject_url=reject_url)

    session = _store_change(call, session, open_page)
    call.claims.cite("link.again", "link.redirect")
    url = f"{call.origin}{hosted.page_path(call.world, session)}"
    return call.answer("link.created", {"url": url})


def _return_url(session: Session) -> str | None:
    if REVIEWS[session.status].answer == "RED":
        reject_url: str | None = session.metadata_or_empty.get("reject_url")
        return reject_url
    return hosted_of(session).callback


# Results of a check


def make_step(document: Mapping[str, str], result: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a step for which the person has sent a picture; `result` is None if unchecked."""
    picture = "1001" if document["idDocType"] == "SELFIE" else "1000"
    step: dict[str, Any] = {
        **document,
        "imageIds": [int(picture)],
        "imageReviewResults": {} if result is None else {picture: result},
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
    result = {
        "IDENTITY": make_step(_DOCUMENT, identity),
        "SELFIE": make_step(_SELFIE, selfie),
    }
    return attrs.evolve(session, result=result)


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
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


def _reject(label: str, reject_type: str) -> dict[str, Any]:
    return {"reviewAnswer": "RED", "rejectLabels": [label], "reviewRejectType": reject_type}


def _fail(_: World, session: Session, is_last: bool) -> Session:
    """Return the applicant after a selfie that could not be checked."""
    selfie = _reject("BAD_SELFIE", "FINAL" if is_last else "RETRY")
    failed = _with_steps(session, identity={"reviewAnswer": "GREEN"}, selfie=selfie)
    return attrs.evolve(failed, status=RETRY)


def _charge_and_announce_status(world: World, session: Session) -> None:
    """Charge an applicant's first check (never in the sandbox), and send the status's webhook.

    The time of a review is stored.
    """
    facts = hosted_of(session)
    status = REVIEWS[session.status].status
    is_charged_now = False

    def note(stored: Session) -> Session:
        nonlocal is_charged_now
        values = dict[str, Any]()
        # Noted in the same atomic change: else two threads would both find it uncharged.
        is_checked = facts.is_live and facts.attempts > 0
        is_charged_now = is_checked and IS_CHARGED not in stored.metadata_or_empty
        if is_charged_now:
            values[IS_CHARGED] = True
        if status == "completed":
            values[REVIEWED_AT] = show_time(world.clock.now())
        return _with_metadata(stored, **values)

    world.sessions.change(session.id, note)
    if is_charged_now:
        world.ledger.charge(
            world.claims["credit.price"],
            at=world.clock.now(),
            what=SERVICE,
            request_id=session.id,
        )
    event = webhooks.EVENT_OF_STATUS.get(status)
    if event is not None:
        webhooks.announce(world, session, event)


SESSION_RULES = SessionRules(
    open_statuses=frozenset({INIT, "awaitingUser", RETRY}),
    status_after={"begin": INIT, "abandon": INIT, "last": FINAL},
    judge=_judge,
    fail=_fail,
    # The statuses that a reviewer can set.
    finished_statuses=frozenset(REVIEWS) - {INIT},
    only_link_expires=True,
    on_status_change=_charge_and_announce_status,
    return_url=_return_url,
)


def _route(
    pattern: str, method: str, handler: Callable[[Any], Response], operation: str | None = None
) -> Route:
    return Route(
        pattern=pattern,
        handlers={method: handler},
        checks=CHECKS,
        operation=operation,
        credentials=(TOKEN,),
        shown_fields=("levelName", "ttlInSecs", "reviewAnswer", "rejectLabels"),
    )


_APPLICANT = "/resources/applicants/{word}"
LINK_PATH = "/resources/sdkIntegrations/levels/-/websdkLink"
ROUTES = (
    _route("/resources/applicants", "POST", _create, "session_start"),
    _route(LINK_PATH, "POST", _create_link, "session_start"),
    _route(f"{_APPLICANT}/one", "GET", _read, "session_read"),
    _route(f"{_APPLICANT}/status", "GET", _read_status, "session_read"),
    _route(f"{_APPLICANT}/requiredIdDocsStatus", "GET", _read_steps, "session_read"),
    _route("/resources/applicants/-/byExternalUserId/{word}", "GET", _search, "session_read"),
    _route(f"{_APPLICANT}/status/testCompleted", "POST", _complete_test),
    _route(f"{_APPLICANT}/reset", "POST", _reset),
    _route(f"{_APPLICANT}/presence/deactivated", "PATCH", _deactivate_or_activate),
    _route(f"{_APPLICANT}/presence/activated", "PATCH", _deactivate_or_activate),
)

"""Applicants: create, find, show, test and deactivate them.

Sources of names and bodies: docs.sumsub.com, and answers of Sumsub in public repositories (the
claims say which), read 2026-11-28.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.sumsub import webhooks
from facematch_mock_server.vendors.sumsub.access import SumsubCall, check_sandbox_quota
from facematch_mock_server.vendors.sumsub.records import level_of
from facematch_mock_server.vendors.sumsub.sessions import charge_and_announce_status
from facematch_mock_server.vendors.sumsub.wire import (
    CHECKING,
    INIT,
    show_review,
    type_of,
)
from facematch_mock_server.world import hosted
from facematch_mock_server.world.hosted import document_values, gender_letter, hosted_of
from facematch_mock_server.world.identities import alpha_3
from facematch_mock_server.world.sessions import Session

_APPLICANT_ID = re.compile(r"[0-9a-z]{24}", re.ASCII)
_BY_EXTERNAL_ID = "-;externalUserId="
#: The fields of a new applicant that answers show as they were sent.
_SHOWN = ("email", "phone", "lang", "sourceKey", "metadata", "fixedInfo")
_TYPES = ("individual", "company")
#: The values that are shown in Latin letters, too.
_NAMES = ("firstName", "lastName")


# Create


def create(call: SumsubCall) -> Response:
    """Create an applicant, with a webhook before the answer."""
    check_sandbox_quota(call)
    call.body = call.read_object("body.no_object")
    external_id = read_external_id(call, "externalUserId")
    level_name = level_or_default(call, call.query.get("levelName"))
    if not level_name:
        call.refuse("body.invalid", problem="levelName is missing")
    check_level(call, level_name)
    if call.body.get("type", "individual") not in _TYPES:
        call.refuse("body.invalid", problem="type must be individual or company")
    # Two creations of one applicant may arrive at once.
    with call.world.behaviour.creating:
        existing = find_by_external_id(call, external_id)
        if existing is not None:
            call.refuse("applicant.exists", external_id=external_id, applicant_id=existing.id)
        sent = {name: call.body[name] for name in ("type", *_SHOWN) if name in call.body}
        session = add_applicant(call, external_id, level_name, sent)
    return call.answer("applicant.created", show(call, session))


def read_external_id(call: SumsubCall, name: str) -> str:
    external_id = call.body.get(name)
    if not isinstance(external_id, str) or not 0 < len(external_id) <= 512:
        call.refuse("body.invalid", problem=f"{name} must have 1-512 characters")
    return external_id


def level_or_default(call: SumsubCall, level_name: str | None) -> str | None:
    """Return the level that was sent; without one the default, until a level is published."""
    if level_name is None and not len(call.world.records.levels):
        call.hint = "Sumsub's reference says that levelName is required"
        level_name = call.claims["level.default"]
    return level_name


def check_level(call: SumsubCall, name: str) -> None:
    """Refuse an unknown level, once a level is published."""
    levels = call.world.records.levels
    # OURS: Any level name is accepted until control.sessions.level publishes a level.
    if len(levels) and levels.find(name) is None:
        call.refuse("level.unknown", level=name)


def add_applicant(
    call: SumsubCall, external_id: str, level_name: str, sent: Mapping[str, Any]
) -> Session:
    """Store an applicant, whose page nobody can open yet, and send its webhook.

    `sent` has its type and the fields that answers show as they were sent.
    """
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
        details=sent,
        session_id=_new_id(ids.uuid()),
        kind="kyc",
        requested_name=hosted.read_name(sent.get("fixedInfo"), *_NAMES),
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
        # An applicant is seen only with app tokens of its environment. (SUMSUB/agent-skills
        # 070922a, of 2026-08-14)
        call.refuse("applicant.unknown")
    return session


def find_active(call: SumsubCall) -> Session:
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
    # info has what was recognized on the documents, and idDocs in it the name, date of birth and
    # number on each. What control.sessions.document sets is on a German passport (ours), a
    # full_name as lastName. (docs.sumsub.com, /reference/get-applicant-data)
    # email, phone, lang, sourceKey, metadata and fixedInfo are shown as they were sent; type is
    # individual unless company was sent, and another word is refused (ours). The documents of a
    # company are not imitated. (answers of Sumsub in public repositories)
    # photoRequired and disabled are selfies without a liveness check. (SUMSUB/agent-skills 070922a,
    # of 2026-08-14)
    sent = hosted_of(session).details
    level = level_of(call.world, session)
    body: dict[str, Any] = {
        "id": session.id,
        "createdAt": f"{session.created_at:%Y-%m-%d %H:%M:%S}",
        # OURS: The key is the same for each applicant, and the language English unless it was sent.
        "key": "MOCKKEYOFSUMSUB",
        "clientId": call.world.account.name,
        "inspectionId": session.internal_id,
        "externalUserId": session.vendor_data,
        "lang": "en",
        **{name: sent[name] for name in _SHOWN if name in sent},
        "applicantPlatform": "Web" if hosted_of(session).attempts else "API",
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
        "review": show_review(call.claims, session),
        "type": type_of(session),
    }
    if is_deactivated(session):
        body["deleted"] = True
    return body


def _show_info(session: Session) -> dict[str, Any]:
    """Return what was recognized on the document; empty before the person shows one."""
    step = session.result.get("IDENTITY")
    if step is None:
        return {}
    document = {name: step[name] for name in ("idDocType", "country")}
    fields = document_values(session)
    values = {
        "firstName": fields.get("first_name"),
        "lastName": fields.get("last_name"),
        "dob": fields.get("date_of_birth"),
        "number": fields.get("document_number"),
    }
    recognized = _without_none(values)
    recognized |= {f"{name}En": recognized[name] for name in _NAMES if name in recognized}
    of_person = {
        "gender": gender_letter(fields),
        "nationality": alpha_3(fields.get("nationality", "")) or None,
    }
    of_document = {
        "issuedDate": fields.get("date_of_issue"),
        "validUntil": fields.get("expiration_date"),
    }
    return {
        "country": document["country"],
        **recognized,
        **_without_none(of_person),
        "idDocs": [{**document, **recognized, **_without_none(of_document)}],
    }


def _without_none(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def read(call: SumsubCall) -> Response:
    session = find(call)
    call.hint_at_name(hosted_of(session).card_fields, hosted_of(session).requested_name)
    return call.answer("applicant.read", show(call, session))


def read_without_one(call: SumsubCall) -> Response:
    """Show an applicant by a path without /one."""
    # OURS: The path without /one has the same answer: what Sumsub answers was not found, and public
    # programs read the id from it.
    return read(call)


def read_status(call: SumsubCall) -> Response:
    session = find(call)
    return call.answer("applicant.status", show_review(call.claims, session))


def read_steps(call: SumsubCall) -> Response:
    session = find(call)
    cite_check(call, session)
    body = {name: session.result.get(name) for name in ("IDENTITY", "SELFIE")}
    return call.answer("applicant.steps", body)


def cite_check(call: SumsubCall, session: Session) -> None:
    """Cite the claims behind the results of an applicant's steps."""
    if not session.result:
        return
    # A face is compared only if it is live. (docs.sumsub.com,
    # /reference/get-applicant-verification-steps-status)
    # BAD_FACE_MATCHING: another face than on the document. FRAUDULENT_LIVENESS: an attack.
    # BAD_SELFIE: try again. That the first two are FINAL is our choice. (docs.sumsub.com, /docs,
    # rejection labels)
    # A reviewer's decision leaves the steps as they are. (docs.sumsub.com,
    # /docs/applicant-statuses)
    call.claims.cite("credit.price")
    call.claims.cite("session.attempts", "session.live_from", "session.match_from")
    # OURS: A check ends at once; control.sessions.decide sets any other status, as a reviewer does.
    # OURS: A document without a face is rejected as UNSATISFACTORY_PHOTOS and RETRY; its selfie has
    # no answer. info has the values that a test sets, else the made-up ones of the card's person;
    # of another picture it has a country alone, DEU.
    # RED and RETRY asks the person again, by a link to the same applicant. (docs.sumsub.com,
    # /docs/applicant-statuses)
    call.claims.cite("credit.start")
    # OURS: What the step SELFIE says after testCompleted is not known; here it has no answer. In
    # the sandbox nothing is checked, and nothing is charged. That the applicant is pending until
    # testCompleted is our choice. (docs.sumsub.com, /docs/test-in-sandbox.md, of 2026-09-08)


# Change


def store_change(
    call: SumsubCall, session: Session, change: Callable[[Session], Session]
) -> Session:
    """Store an applicant as changed from its newest state; refuse the call if it was removed."""
    changed = call.world.sessions.change(session.id, change)
    if changed is None:
        call.refuse("applicant.unknown")
    return changed


def deactivate_or_activate(call: SumsubCall) -> Response:
    """Deactivate or activate an applicant, as the path says."""
    session = find(call)
    deactivates = call.request.path.endswith("/deactivated")
    if deactivates == is_deactivated(session):
        call.refuse("presence.already")
    if deactivates and session.status in CHECKING:
        call.refuse("presence.checking")
    session = store_change(
        call, session, lambda each: with_metadata(each, is_deactivated=deactivates)
    )
    event = "applicantDeactivated" if deactivates else "applicantActivated"
    webhooks.announce(call.world, session, event)
    body = {**show(call, session), "deleted": deactivates}
    return call.answer("presence.changed", body)


def with_metadata(session: Session, **values: Any) -> Session:
    """Return an applicant with further values that no answer shows as they are."""
    return attrs.evolve(session, metadata={**session.metadata_or_empty, **values})


def complete_test(call: SumsubCall) -> Response:
    """Set the answer of an applicant in the sandbox."""
    if call.is_live:
        call.refuse("sandbox.live")
    session = find_active(call)
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
    status = " ".join(status_words)
    session = store_change(
        call,
        session,
        lambda each: hosted.with_status(call.world, attrs.evolve(each, result=result), status),
    )
    charge_and_announce_status(call.world, session)
    return call.answer("sandbox.completed")

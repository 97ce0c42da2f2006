"""Sessions: start, decision, attempts, deletion, and the mock's verdict."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from urllib.parse import urlsplit

import attrs

from facematch_core.base.addresses import is_loopback
from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors import base
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, expire_if_due, hosted_of
from facematch_mock_server.world.sessions import Session

from . import webhooks
from .decisions import (
    ABANDONED,
    APPROVED,
    ATTACK,
    ATTEMPTS_TOLD,
    CREATED,
    DECISION_CODES,
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
    decision_body,
    list_attempts,
    person_of,
    stamp,
)

#: The statuses in which a person can act.
OPEN = frozenset({CREATED, STARTED, RESUBMIT})
_UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
#: The windows of the limits on deletions, in seconds by scope.
_DELETION_WINDOWS_S = {"delete_per_hour": 3600.0, "delete_per_day": 86_400.0}


@attrs.define(kw_only=True, eq=False)
class VeriffCall(base.Call):
    """A call to Veriff; `session` is that of the path, once it was found."""

    _session: Session | None = attrs.field(default=None, init=False)

    @property
    def client(self) -> str:
        """The API key that was accepted."""
        return self.request.header("x-auth-client", "")

    def read_part(self, name: str, refusal: str) -> dict[str, Any]:
        """Return the object in the body with this name; refuse a body without it."""
        part = self.read_object(refusal).get(name)
        return part if isinstance(part, dict) else self.refuse(refusal)

    @property
    def session(self) -> Session:
        """The session in the path; refuses the call if the integration has none with that id."""
        if self._session is None:
            session = self.world.sessions.find(self.path_value.lower())
            if session is None and not 20 <= len(self.path_value) <= 40:
                self.refuse("session.id_length")
            if session is None and not _UUID_4.fullmatch(self.path_value.lower()):
                self.refuse("session.id")
            if session is None or session.metadata_or_empty.get("client") != self.client:
                self.refuse("session.unknown")
            self._session = expire_if_due(self.world, session)
        return self._session


# Start


def start(call: VeriffCall) -> Response:
    """Start a session. The order of the checks is our choice."""
    sent = call.read_part("verification", "body.missing")
    _check_fields(call, sent)
    metadata = {"client": call.client, "endUserId": sent.get("endUserId")}
    fields = {"status": CREATED, "vendor_data": sent.get("vendorData"), "metadata": metadata}
    session = hosted.start(
        call.world,
        call.now,
        call.claims["session.lifetime_s"],
        fields,
        kind="kyc",
        callback=sent.get("callback"),
        language=sent.get("lang"),
        is_live=call.is_live,
    )
    if sent.get("features"):
        call.claims.cite("start.features")
        call.hint = "Veriff refuses features that are not supported by 1301; this mock takes any"
    call.claims.cite("start.token", "page.messages", "page.order")
    return call.answer("start.answer", describe_session(call, session, session.status))


def describe_session(call: VeriffCall, session: Session, status: str) -> dict[str, Any]:
    """Return the body that shows a session with this status, and how the person gets into it."""
    verification = {
        "id": session.id,
        "url": hosted.page_url(call.world, session, call.origin),
        "vendorData": session.vendor_data,
        "host": call.origin,
        "status": status,
        "sessionToken": hosted_of(session).token,
    }
    return {"status": "success", "verification": verification}


def _check_fields(call: VeriffCall, session_fields: dict[str, Any]) -> None:
    """Refuse a field that Veriff does not accept."""
    _check_vendor_data(call, session_fields.get("vendorData"))
    for name, kind in (("callback", str), ("lang", str), ("person", dict), ("document", dict)):
        if session_fields.get(name) is not None and not isinstance(session_fields[name], kind):
            call.refuse("body.invalid")
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", session_fields.get("lang") or "en"):
        call.refuse("body.invalid")
    date_of_birth = (session_fields.get("person") or {}).get("dateOfBirth")
    if date_of_birth is not None and not base.is_date(date_of_birth):
        call.refuse("start.date")
    end_user_id = session_fields.get("endUserId")
    if end_user_id is not None and not base.is_uuid(end_user_id):
        call.refuse("body.invalid")
    callback = urlsplit(session_fields.get("callback") or "https:")
    if callback.scheme == "http" and is_loopback(callback.hostname or ""):
        call.claims.cite("start.loopback")
    elif callback.scheme != "https":
        call.refuse("start.callback")
    if session_fields.get("timestamp") is not None:
        _check_timestamp(call, session_fields["timestamp"])


def _check_vendor_data(call: VeriffCall, vendor_data: object) -> None:
    if vendor_data is None:
        return
    if not isinstance(vendor_data, str):
        call.refuse("start.vendor_data_type")
    if len(vendor_data) > 1000:
        call.refuse("start.vendor_data_long")


def _check_timestamp(call: VeriffCall, value: object) -> None:
    try:
        sent_at = dt.datetime.fromisoformat(str(value))
        age_s = (call.now - sent_at).total_seconds()
    except (TypeError, ValueError):
        call.refuse("start.timestamp")
    if age_s > 3600:
        call.refuse("start.old")


# Decision and attempts


def read_decision(call: VeriffCall) -> Response:
    """Respond with the decision, or with null."""
    session = call.session
    if session.status in DECISION_CODES:
        return call.answer("decision.answer", decision_body(call.claims, session))
    if hosted_of(session).attempts:
        call.claims.cite("decision.open")
    if session.status == SUBMITTED:
        call.claims.cite("judge.test")
    return call.answer("decision.answer", {"status": "success", "verification": None})


def read_full_auto(call: VeriffCall) -> Response:
    """Respond with the decision by the path of the Essential plan."""
    call.claims.cite("decision.full_auto")
    return read_decision(call)


def read_person(call: VeriffCall) -> Response:
    """Respond with what was read from the person's document."""
    body = {"status": "success", "person": person_of(call.session)}
    return call.answer("person.answer", body)


def read_attempts(call: VeriffCall) -> Response:
    """Respond with the attempts and their statuses."""
    call.claims.cite("attempts.order")
    body = {"status": "success", "verifications": list_attempts(call.session)}
    return call.answer("attempts.answer", body)


# Deletion


def delete(call: VeriffCall) -> Response:
    """Delete a session. If the person had not submitted it, send a last decision."""
    session = call.session
    call.claims.cite("delete.enabled")
    exceeded = call.count_request(_DELETION_WINDOWS_S, call.client)
    if exceeded is not None:
        call.refuse("rate.exceeded", exceeded.scope.replace("delete_", "delete."))
    if session.status in (SUBMITTED, REVIEW):
        call.refuse("delete.undecided")
    if call.world.sessions.remove(session.id) is None:
        call.refuse("session.unknown")  # a concurrent request deleted it
    if session.status in OPEN:
        call.claims.cite("delete.webhook")
        status = EXPIRED if session.status == CREATED else ABANDONED
        last_attempt = hosted.with_status(call.world, session, status)
        webhooks.announce(call.world, last_attempt, is_submitted_now=False)
    body = {"status": "success", "verification": {"id": session.id}}
    return call.answer("delete.answer", body)


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
    is_submitted_now = False

    def note(stored: Session) -> Session:
        nonlocal is_submitted_now
        facts = dict[str, Any]()
        attempts = hosted_of(session).attempts
        # Noted in the same atomic change: else two threads would both find it untold.
        is_submitted_now = attempts > stored.result.get(ATTEMPTS_TOLD, 0)
        if is_submitted_now:
            facts[ATTEMPTS_TOLD] = attempts
        if session.status == RESUBMIT:
            asked_back_at = stamp(world.clock.now())
            facts[RESUBMITTED_AT] = (*stored.result.get(RESUBMITTED_AT, ()), asked_back_at)
        return attrs.evolve(stored, result={**stored.result, **facts})

    noted = world.sessions.change(session.id, note)
    if noted is None:
        # A concurrent request has deleted the session, which is still charged and announced.
        noted = note(session)
    # Veriff charges a verdict or a request to resubmit.
    if session.status in (APPROVED, DECLINED, RESUBMIT) and hosted_of(session).is_live:
        price = world.claims["credit.price"]
        world.ledger.charge_once(price, at=world.clock.now(), what="SESSION", session_id=session.id)
    webhooks.announce(world, noted, is_submitted_now=is_submitted_now)


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
    on_status_change=_note_status,
)

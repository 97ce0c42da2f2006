"""Sessions: start, decision, attempts and deletion."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from facematch_core.base.addresses import is_loopback
from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.veriff import webhooks
from facematch_mock_server.vendors.veriff.access import VeriffCall
from facematch_mock_server.vendors.veriff.sessions import OPEN
from facematch_mock_server.vendors.veriff.signature import OLDER_SIGNATURE
from facematch_mock_server.vendors.veriff.wire import (
    ABANDONED,
    CREATED,
    DECISION_CODES,
    EXPIRED,
    REVIEW,
    SUBMITTED,
    decision_body,
    list_attempts,
)
from facematch_mock_server.world import hosted
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.outgoing import split_url
from facematch_mock_server.world.sessions import Session

#: The windows of the limits on deletions, in seconds by scope.
_DELETION_WINDOWS_S = {"delete_per_hour": 3600.0, "delete_per_day": 86_400.0}


# Start


def start(call: VeriffCall) -> Response:
    """Start a session. The order of the checks is our choice."""
    sent = call.read_part("verification", "body.missing")
    _check_fields(call, sent)
    metadata = {
        "client": call.client,
        "shown_client": call.shown_client,
        "endUserId": sent.get("endUserId"),
        webhooks.SIGNS_IN_OLDER_WAY: call.request.header(OLDER_SIGNATURE) is not None,
    }
    fields = {"status": CREATED, "vendor_data": sent.get("vendorData"), "metadata": metadata}
    session = hosted.start(
        call.world,
        call.now,
        call.claims["session.lifetime_s"],
        fields,
        kind="kyc",
        requested_name=hosted.read_name(sent.get("person"), "firstName", "lastName"),
        callback=sent.get("callback"),
        language=sent.get("lang"),
        is_live=call.is_live,
    )
    if sent.get("features"):
        # Features that are not supported are 1301 at Veriff. As no page lists those that are, the
        # mock takes any, with a hint (ours). (devdocs.veriff.com, some troubleshooting codes
        # (table))
        call.hint = "Veriff refuses features that are not supported by 1301; this mock takes any"
    # OURS: sessionToken is the token in the url; Veriff's is a JSON Web Token. `lang` is the
    # language of the page (Veriff's demo); of `person` only the name is read, and `document` is
    # accepted and ignored.
    # OURS: In a frame, a person whom Veriff asks to resubmit tries again at once; an expired
    # session sends nothing, and the page does not go to the callback.
    # In a frame, the page sends VERIFF_HANDSHAKE and VERIFF_STARTED when it is opened,
    # VERIFF_SUBMITTED after an attempt, VERIFF_FINISHED at the end, with any verdict,
    # VERIFF_CANCELED when the person leaves, and VERIFF_RELOAD_REQUEST when the person denies the
    # camera. (@veriff/incontext-sdk 2.5.0, dist/index.esm.js and README)
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
    callback = split_url(session_fields.get("callback") or "https:")
    # OURS: A callback to this machine may be http, because a test has no certificate.
    is_of_test = callback.scheme == "http" and is_loopback(callback.hostname or "")
    if callback.scheme != "https" and not is_of_test:
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
        call.hint_at_name(hosted_of(session).card_fields, hosted_of(session).requested_name)
        return call.answer("decision.answer", decision_body(call.claims, session))
    # OURS: While the person tries again after a request to resubmit, verification is null.
    # A session of a test integration stays submitted until a decision is forced (here: by
    # `decide`), and is never charged. (help.veriff.com, articles 5116778, 3250231 and 3250261)
    return call.answer("decision.answer", {"status": "success", "verification": None})


def read_full_auto(call: VeriffCall) -> Response:
    """Respond with the decision by the path of the Essential plan."""
    # OURS: GET /v1/sessions/{id}/decision/fullauto, which public programs call with version=1.0.0,
    # has the body of the decision, because no source shows its body.
    return read_decision(call)


def read_attempts(call: VeriffCall) -> Response:
    """Respond with the attempts and their statuses."""
    # OURS: The attempts are in the order in which they were made.
    body = {"status": "success", "verifications": list_attempts(call.session)}
    return call.answer("attempts.answer", body)


# Deletion


def delete(call: VeriffCall) -> Response:
    """Delete a session. If the person had not submitted it, send a last decision."""
    session = call.session
    # OURS: Deletion is enabled. Veriff enables it on request; what it returns before is not
    # documented.
    exceeded = call.count_request(_DELETION_WINDOWS_S, call.client)
    if exceeded is not None:
        call.refuse("rate.exceeded", exceeded.scope.replace("delete_", "delete."))
    if session.status in (SUBMITTED, REVIEW):
        call.refuse("delete.undecided")
    if call.world.sessions.remove(session.id) is None:
        call.refuse("session.unknown")  # a concurrent request deleted it
    if session.status in OPEN:
        # Deleting a session that is created, started or resubmission_requested sends a decision:
        # here expired if it was created, else abandoned. (devdocs.veriff.com, API reference: delete
        # session, 2026-04-24)
        status = EXPIRED if session.status == CREATED else ABANDONED
        last_attempt = hosted.with_status(call.world, session, status)
        webhooks.announce(call.world, last_attempt)
    body = {"status": "success", "verification": {"id": session.id}}
    return call.answer("delete.answer", body)

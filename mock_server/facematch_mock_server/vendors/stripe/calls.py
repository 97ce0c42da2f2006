"""The calls about sessions and reports.

Source of the paths and parameters: Stripe's client stripe 16.1.0 for Python, `stripe/identity`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.world import hosted
from facematch_mock_server.world.outgoing import split_url
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import announce

from . import webhooks
from .access import (
    EMPTIED,
    EXPAND,
    FLAG,
    METADATA,
    TEXT,
    ParameterKind,
    Parameters,
    StripeCall,
    fields_of,
    new_id,
)
from .wire import (
    CANCELED,
    PROCESSING,
    REQUIRES_INPUT,
    Identity,
    identity_of,
    show_report,
    show_session,
    with_identity,
)

_TYPE = ParameterKind(("document", "id_number"))
#: Parameters of a start that answers show as they were sent.
_SHOWN = (
    "client_reference_id",
    "related_customer",
    "related_customer_account",
    "verification_flow",
)
_START: Mapping[str, ParameterKind] = {
    **EXPAND,
    **dict.fromkeys(_SHOWN, TEXT),
    "metadata": METADATA,
    "options": EMPTIED,
    "options[document]": EMPTIED,
    "options[document][allowed_types]": ParameterKind(
        ("driving_license", "id_card", "passport"), is_list=True
    ),
    "options[document][require_id_number]": FLAG,
    "options[document][require_live_capture]": FLAG,
    "options[document][require_matching_selfie]": FLAG,
    "provided_details": EMPTIED,
    "provided_details[email]": TEXT,
    "provided_details[phone]": TEXT,
    "type": _TYPE,
    "related_person[account]": TEXT,
    "related_person[person]": TEXT,
    "return_url": TEXT,
}
#: Filters of Stripe's that no known program sends.
_IGNORED = (
    *("created", "created[gt]", "created[gte]", "created[lt]", "created[lte]"),
    *("related_customer", "related_customer_account", "status"),
)
_PAGE = ("client_reference_id", "ending_before", "limit", "starting_after")
_LIST: Mapping[str, ParameterKind] = {**EXPAND, **dict.fromkeys((*_PAGE, *_IGNORED), TEXT)}


def start(call: StripeCall) -> Response:
    """Start a session."""
    if call.claims["access"] == "unapproved":
        call.refuse("access.refused")
    sent = call.read_parameters(_START)
    if "type" not in sent and "verification_flow" not in sent:
        call.refuse("parameter.missing", name="type")
    related_person = fields_of(sent, "related_person")
    for name in ("account", "person"):
        if related_person and name not in related_person:
            call.refuse("parameter.missing", name=f"related_person[{name}]")
    return_url = sent.get("return_url")
    if return_url is not None and not split_url(return_url).netloc:
        call.refuse("start.return_url")
    kind = sent.get("type", "verification_flow")
    fields = {name: sent.get(name) for name in _SHOWN}
    fields["provided_details"] = fields_of(sent, "provided_details") or None
    fields["related_person"] = related_person or None
    options = _read_options(sent, kind)
    identity = Identity(type=kind, options=options, fields=fields, version=call.version)
    # A start is free, and so are a read, a change, a cancellation and a redaction.
    # (support.stripe.com: billing for Identity)
    # Every read of a session that requires input has a new url and client_secret. Here the former
    # ones still work, more than once; they lead to the mock's own
    # page. (docs.stripe.com/identity/verification-sessions)
    call.claims.cite("credit.start")
    session = hosted.start(
        call.world,
        call.now,
        call.claims["session.link_s"],
        {
            "status": REQUIRES_INPUT,
            "metadata": call.kept_metadata(sent.get("metadata", {})),
            "result": {"identity": identity},
        },
        session_id=new_id("vs", call.world.ids.uuid()),
        kind="kyc",
        callback=return_url,
        is_live=call.is_live,
    )
    announce(call.world, session, event=webhooks.CREATED)
    return call.answer("session.answer", _show(call, session))


def _read_options(sent: Parameters, kind: str) -> dict[str, Any]:
    """Return the options of a session of a type; those of a flow are its own."""
    if kind == "verification_flow":
        # OURS: The options of a verification_flow are made in the dashboard; here every flow
        # requires a selfie.
        return {"document": {"require_matching_selfie": True}}
    if kind == "id_number":
        return {"id_number": {}}
    return {"document": fields_of(sent, "options[document]")}


def _show(call: StripeCall, session: Session) -> dict[str, Any]:
    """Return a session as an answer shows it; an open one with a new link."""
    identity = identity_of(session)
    if identity.reports:
        # OURS: The document is a passport with the values that a test sets, else with the made-up
        # ones of the card's person; of another picture they are null. Only a report has the issuing
        # country, as in the client. A full name is split at its last space. Files lead nowhere.
        # OURS: Another face is selfie_face_mismatch, an attack selfie_manipulated, a document
        # without a face selfie_document_missing_photo, no face and a failed attempt
        # selfie_unverified_other. Without a selfie, only the document is checked: one without a
        # face is document_unverified_other. An ID number is verified.
        # The error of a check and last_error have the same code; the reason's text is ours. If the
        # document failed, the selfie is verified, which is ours. (Stripe's client stripe 16.1.0 for
        # Python: stripe/identity, stripe/params)
        call.claims.cite(
            "session.live_from", "session.match_from", "session.attempts", "match.review"
        )
        # OURS: A try that a test decides as abandoned, consent_declined, country_not_supported,
        # device_not_supported, under_supported_age, or with a code of an email or a phone, has no
        # report, and is not charged. By itself the mock sends none of these codes.
        # Each report of the live mode is charged, verified or not: so is every failed try.
        # (support.stripe.com: billing for Identity)
        # A try that fails ends in requires_input with last_error, and the person may try again in
        # the same session. (docs.stripe.com/identity/how-sessions-work)
        call.claims.cite("credit.price")
    if call.expands:
        # verified_outputs is there only if it is expanded, and null unless the session is verified;
        # last_verification_report is an id unless expanded. Dates of birth and of expiry, and
        # numbers, are there only if each is expanded, in a session or in a report, and only for a
        # restricted key, rk_.... That another key gets the rest of the expanded part, and no error,
        # is ours. (docs.stripe.com/identity/access-verification-results)
        call.claims.cite("answer.unfilled")
    has_link = session.status == REQUIRES_INPUT and identity.redacted_at is None
    # After a failed try, a read has a new url, too. In Stripe's samples, a session with a
    # last_error has none. (docs.stripe.com/identity/verification-sessions)
    return show_session(
        session,
        call.now,
        link=_renew_link(call, session) if has_link else None,
        expands=call.expands_for(identity.checked_at),
    )


def _renew_link(call: StripeCall, session: Session) -> dict[str, str]:
    """Return a new `url` and `client_secret`; the former ones still work."""
    expires_at = call.now + dt.timedelta(seconds=call.claims["session.link_s"])

    call.world.sessions.change(
        session.id, lambda stored: hosted.with_hosted(stored, expires_at=expires_at)
    )
    token = hosted.new_token(call.world)
    return {
        "url": f"{hosted.page_url(call.world, session, call.origin)}?{token}",
        # It opens the page, whose token it begins with.
        "client_secret": f"{session.id}_secret_{hosted.hosted_of(session).token}{token}",
    }


def read(call: StripeCall) -> Response:
    """Return a session."""
    call.read_parameters(EXPAND)
    return call.answer("session.answer", _show(call, call.find_session()))


def cancel(call: StripeCall) -> Response:
    """Cancel an open session."""
    call.read_parameters(EXPAND)
    session = call.find_session()
    if identity_of(session).redacted_at is not None:
        call.refuse_state("redacted")
    session = _cancel(call, session)
    # A session can be canceled only while it requires input, and not again. (Stripe's client stripe
    # 16.1.0 for Python: stripe/identity, stripe/params)
    return call.answer("session.answer", _show(call, session))


def _cancel(call: StripeCall, session: Session) -> Session:
    """Cancel a session; refuse the call if it does not require input, or no longer."""
    is_canceled_now = False

    def apply(stored: Session) -> Session:
        nonlocal is_canceled_now
        is_canceled_now = stored.status == REQUIRES_INPUT
        return hosted.with_status(call.world, stored, CANCELED) if is_canceled_now else stored

    session = call.world.sessions.change(session.id, apply) or session
    if not is_canceled_now:
        call.refuse_state(session.status)
    webhooks.announce_status(call.world, session)
    return session


def redact(call: StripeCall) -> Response:
    """Redact a session that is not processed: remove its data and its pictures."""
    call.read_parameters(EXPAND)
    session = call.find_session()
    if session.status == PROCESSING:
        call.refuse_state(session.status)
    # OURS: A second redaction shows the first one.
    # A redacted session stays, with its status; its metadata are empty, url and client_secret null,
    # texts [redacted], dates of birth 1/1/1. That the client_reference_id stays is
    # ours. (docs.stripe.com/identity/how-sessions-work)
    if identity_of(session).redacted_at is None:
        # A redaction cancels a session that requires input; one that is processed cannot be
        # redacted. (docs.stripe.com/identity/how-sessions-work)
        if session.status == REQUIRES_INPUT:
            session = _cancel(call, session)
        takes_s = call.claims["redact.takes_s"]

        def remove_data(stored: Session) -> Session:
            stored = attrs.evolve(stored, metadata={}, pictures={})
            fields = {**identity_of(stored).fields, "provided_details": None}
            redacted_at = call.now + dt.timedelta(seconds=takes_s)
            return with_identity(stored, fields=fields, redacted_at=redacted_at)

        session = call.world.sessions.change(session.id, remove_data) or session
        announce(call.world, session, event=webhooks.REDACTED, delay_s=takes_s)
    return call.answer("session.answer", _show(call, session))


# Lists and reports


def list_sessions(call: StripeCall) -> Response:
    """List the sessions of the key's mode, newest first."""
    sent = call.read_parameters(_LIST)
    ignored = [name for name in _IGNORED if name in sent]
    if ignored:
        call.hint = f"this mock does not filter by {', '.join(ignored)}"
    sessions = hosted.sessions_of_mode(call.world, is_live=call.is_live)[::-1]
    shown = [show_session(session, call.now) for session in sessions]
    found = _select(call, shown, sent)
    page = _cut_page(call, found, sent)
    ids = [each["id"] for each in page]
    # Only the sessions of the page get new links.
    data = [_show(call, session) for session in sessions if session.id in ids]
    has_more = len(found) > len(page)
    body = {"object": "list", "data": data, "has_more": has_more, "url": call.request.path}
    return call.answer("list.answer", body)


def read_report(call: StripeCall) -> Response:
    """Return a report of the key's mode."""
    call.read_parameters(EXPAND)
    for session in hosted.sessions_of_mode(call.world, is_live=call.is_live):
        for report in identity_of(session).reports:
            if report.id == call.path_value:
                # A report has a selfie only if require_matching_selfie asked for it: verified
                # without one compared no face. There is no
                # score. (docs.stripe.com/identity/selfie)
                expands = call.expands_for(report.created_at)
                return call.answer("report.answer", show_report(session, report, expands))
    return call.refuse("session.unknown", name=call.path_value)


def _select(
    call: StripeCall, objects: Sequence[dict[str, Any]], sent: Parameters
) -> Sequence[dict[str, Any]]:
    """Return the objects on the side of the cursor that have the reference of the call."""
    ids = [shown["id"] for shown in objects]
    cursors = [name for name in ("starting_after", "ending_before") if name in sent]
    for cursor in cursors:
        if sent[cursor] not in ids:
            call.refuse("list.cursor", name=cursor, cursor=sent[cursor])
    if len(cursors) > 1:
        call.refuse("list.cursors")
    # The cursor is a place among all objects, so that it need not have the reference.
    if "starting_after" in sent:
        objects = objects[ids.index(sent["starting_after"]) + 1 :]
    if "ending_before" in sent:
        objects = objects[: ids.index(sent["ending_before"])]
    reference = sent.get("client_reference_id")
    return [each for each in objects if reference in (None, each["client_reference_id"])]


def _cut_page(
    call: StripeCall, found: Sequence[dict[str, Any]], sent: Parameters
) -> Sequence[dict[str, Any]]:
    """Return the objects of a page: those next to the cursor."""
    limit = call.claims["list.limit"]
    if "limit" in sent:
        limit = call.read_number("limit", sent["limit"])
    if not 1 <= limit <= 100:
        call.refuse("parameter.invalid", name="limit")
    return found[-limit:] if "ending_before" in sent else found[:limit]

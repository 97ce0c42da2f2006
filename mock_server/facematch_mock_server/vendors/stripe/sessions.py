"""The calls about sessions and reports.

Source of the paths and parameters: Stripe's client stripe 16.1.0 for Python, `stripe/identity`.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.world import hosted
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

from . import webhooks
from .calls import ParameterKind, Parameters, StripeCall, Words, new_id
from .objects import (
    CANCELED,
    PROCESSING,
    REQUIRES_INPUT,
    VERIFIED,
    Identity,
    identity_of,
    show_report,
    show_session,
    with_identity,
)

_TYPE = Words(("document", "id_number"))
_DOCUMENT_OPTIONS: Mapping[str, ParameterKind] = {
    "allowed_types": Words(("driving_license", "id_card", "passport"), is_list=True),
    "require_id_number": bool,
    "require_live_capture": bool,
    "require_matching_selfie": bool,
}
_CHANGE: Mapping[str, ParameterKind] = {
    "expand": list,
    "metadata": dict,
    "options": {"document": _DOCUMENT_OPTIONS},
    "provided_details": {"email": str, "phone": str},
    "type": _TYPE,
}
#: Parameters of a start that answers show as they were sent.
_SHOWN: Mapping[str, ParameterKind] = {
    "client_reference_id": str,
    "provided_details": _CHANGE["provided_details"],
    "related_customer": str,
    "related_customer_account": str,
    "related_person": {"account": str, "person": str},
    "verification_flow": str,
}
_START: Mapping[str, ParameterKind] = {**_CHANGE, **_SHOWN, "return_url": str}
#: What ``created[gte]=`` compares; "is" stands for ``created=``.
_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "is": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_PAGE: Mapping[str, ParameterKind] = {
    "created": object,
    "ending_before": str,
    "expand": list,
    "limit": str,
    "starting_after": str,
}
#: What each filter compares, and its kind.
_SESSION_FILTERS: Mapping[str, ParameterKind] = {
    "client_reference_id": str,
    "related_customer": str,
    "related_customer_account": str,
    "status": Words((CANCELED, PROCESSING, REQUIRES_INPUT, VERIFIED)),
}
_REPORT_FILTERS: Mapping[str, ParameterKind] = {
    "client_reference_id": str,
    "type": _TYPE,
    "verification_session": str,
}


def start(call: StripeCall) -> Response:
    """Start a session."""
    sent = call.read_parameters(_START)
    if "type" not in sent and "verification_flow" not in sent:
        call.refuse("parameter.missing", name="type")
    return_url = sent.get("return_url")
    if return_url is not None and not urlsplit(return_url).netloc:
        call.refuse("start.return_url")
    identity = Identity(
        type=sent.get("type", "verification_flow"),
        options=_read_options(call, sent),
        fields={name: sent.get(name) for name in _SHOWN},
    )
    call.claims.cite("session.free", "session.url", "credit.start")
    session = hosted.start(
        call.world,
        call.now,
        call.claims["session.link_s"],
        {
            "status": REQUIRES_INPUT,
            "metadata": call.merge_metadata({}, sent.get("metadata", {})),
            "result": {"identity": identity},
        },
        session_id=new_id("vs", call.world.account.ids.uuid()),
        kind="kyc",
        callback=return_url,
        is_live=call.is_live,
    )
    webhooks.announce(call.world, session, webhooks.CREATED)
    return call.answer("session.answer", _show(call, session))


def _read_options(call: StripeCall, sent: Parameters) -> dict[str, Any]:
    """Return the options of a session; those of a flow are its own."""
    if "verification_flow" in sent and "type" not in sent:
        call.claims.cite("start.flow")
        return {"document": {"require_matching_selfie": True}}
    options: dict[str, Any] = sent.get("options") or {}
    if sent["type"] == "id_number":
        return {"id_number": {}}
    return {"document": options.get("document") or {}}


def _show(call: StripeCall, session: Session) -> dict[str, Any]:
    """Return a session as an answer shows it; an open one with a new link."""
    identity = identity_of(session)
    if identity.reports:
        call.claims.cite("report.selfie", "report.error", "report.document", "check.errors")
        call.claims.cite("check.live_from", "check.match_from", "session.attempts", "match.review")
        call.claims.cite("charge.when", "credit.price", "session.failed", "report.none")
    if call.expands:
        call.claims.cite("expand.outputs", "expand.sensitive")
    expands = call.expands
    if not call.is_restricted:
        expands = frozenset(field for field in expands if not _is_sensitive(field))
    link = None
    has_link = session.status == REQUIRES_INPUT and identity.redacted_at is None
    if identity.last_error is not None and call.claims["session.url_after_failure"] == "none":
        has_link = False
    if has_link:
        link = _renew_link(call, session)
    return show_session(session, call.now, link=link, expands=expands)


def _is_sensitive(field: str) -> bool:
    """Return whether only a restricted key may read a field."""
    _, _, last = field.rpartition(".")
    return last in ("dob", "id_number", "number", "issued_date", "expiration_date")


def _renew_link(call: StripeCall, session: Session) -> dict[str, str]:
    """Return a new `url` and `client_secret`; the former ones still work."""
    expires_at = call.now + dt.timedelta(seconds=call.claims["session.link_s"])

    def renew(stored: Session) -> Session:
        return attrs.evolve(stored, hosted=attrs.evolve(hosted_of(stored), expires_at=expires_at))

    call.world.sessions.change(session.id, renew)
    token = hosted.new_token(call.world)
    return {
        "url": f"{hosted.page_url(call.world, session, call.origin)}?{token}",
        "client_secret": f"{session.id}_secret_{token}",
    }


def read(call: StripeCall) -> Response:
    """Return a session."""
    call.read_parameters({"expand": list})
    (session_id,) = call.path_values
    return call.answer("session.answer", _show(call, call.find_session(session_id)))


def change(call: StripeCall) -> Response:
    """Change the metadata, the options, the details or the type of an open session."""
    sent = call.read_parameters(_CHANGE)
    session = _find_open(call)

    def apply(stored: Session) -> Session:
        identity = identity_of(stored)
        if "metadata" in sent:
            metadata = {}
            # Empty metadata remove all.
            if sent["metadata"]:
                metadata = call.merge_metadata(stored.metadata_or_empty, sent["metadata"])
            stored = attrs.evolve(stored, metadata=metadata)
        fields = dict(identity.fields)
        if "provided_details" in sent:
            fields["provided_details"] = sent["provided_details"] or None
        kind = sent.get("type", identity.type)
        options = identity.options
        if "options" in sent or kind != identity.type:
            options = _read_options(call, {**sent, "type": kind})
        return with_identity(stored, type=kind, options=options, fields=fields)

    changed = call.world.sessions.change(session.id, apply) or session
    call.claims.cite("session.changed")
    return call.answer("session.answer", _show(call, changed))


def _find_open(call: StripeCall) -> Session:
    """Return the session in the path; refuse the call if it does not require input."""
    session_id, *_ = call.path_values
    session = call.find_session(session_id)
    if identity_of(session).redacted_at is not None:
        call.refuse_state("redacted")
    if session.status != REQUIRES_INPUT:
        call.refuse_state(session.status)
    return session


def cancel(call: StripeCall) -> Response:
    """Cancel an open session."""
    call.read_parameters({"expand": list})
    session = _cancel(call, _find_open(call))
    call.claims.cite("session.canceled")
    return call.answer("session.answer", _show(call, session))


def _cancel(call: StripeCall, session: Session) -> Session:
    """Cancel a session; refuse the call if the person has submitted it in the meantime."""
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
    call.read_parameters({"expand": list})
    session_id, *_ = call.path_values
    session = call.find_session(session_id)
    if session.status == PROCESSING:
        call.refuse_state(session.status)
    call.claims.cite("redact.data", "redact.again")
    if identity_of(session).redacted_at is None:
        call.claims.cite("redact.open")
        if session.status == REQUIRES_INPUT:
            session = _cancel(call, session)
        done_at = call.now + dt.timedelta(seconds=call.claims["redact.takes_s"])

        def remove_data(stored: Session) -> Session:
            stored = attrs.evolve(stored, metadata={}, pictures={})
            fields = {**identity_of(stored).fields, "provided_details": None}
            return with_identity(stored, fields=fields, redacted_at=done_at)

        session = call.world.sessions.change(session.id, remove_data) or session
        webhooks.announce(call.world, session, webhooks.REDACTED, due_at=done_at)
    return call.answer("session.answer", _show(call, session))


# Lists and reports


def list_sessions(call: StripeCall) -> Response:
    """List the sessions of the key's mode, newest first."""
    sessions = []
    for session in reversed(call.world.sessions.all()):
        if hosted_of(session).is_live is call.is_live:
            sessions.append(show_session(session, call.now))
    return _list(
        call,
        sessions,
        _SESSION_FILTERS,
        show=lambda shown: _show(call, call.find_session(shown["id"])),
    )


def _all_reports(call: StripeCall) -> list[dict[str, Any]]:
    """Return the reports of the key's mode, newest first."""
    reports = []
    for session in call.world.sessions.all():
        if hosted_of(session).is_live is call.is_live:
            for report in identity_of(session).reports:
                expands = call.expands if call.is_restricted else frozenset()
                reports.append(show_report(session, report, expands))
    reports.sort(key=lambda shown: int(shown["created"]))
    return reports[::-1]


def list_reports(call: StripeCall) -> Response:
    """List the reports of the key's mode, newest first."""
    return _list(call, _all_reports(call), _REPORT_FILTERS)


def read_report(call: StripeCall) -> Response:
    """Return a report."""
    call.read_parameters({"expand": list})
    (report_id,) = call.path_values
    for report in _all_reports(call):
        if report["id"] == report_id:
            call.claims.cite("report.selfie")
            return call.answer("report.answer", report)
    return call.refuse("session.unknown", "key.mode", name=report_id)


def _list(
    call: StripeCall,
    objects: Sequence[dict[str, Any]],
    filters: Mapping[str, ParameterKind],
    *,
    show: Callable[[dict[str, Any]], dict[str, Any]] = lambda shown: shown,
) -> Response:
    """Return a page of the objects that the query selects, each as `show` returns it."""
    sent = call.read_parameters({**_PAGE, **filters})
    limit = call.claims["list.limit"]
    if "limit" in sent:
        limit = _read_number(call, "limit", sent["limit"])
    if not 1 <= limit <= 100:
        call.refuse("parameter.invalid", name="limit")
    ids = [shown["id"] for shown in objects]
    for name in ("starting_after", "ending_before"):
        if name in sent and sent[name] not in ids:
            call.refuse("list.cursor", name=name, cursor=sent[name])
    if "starting_after" in sent and "ending_before" in sent:
        call.refuse("list.cursors")
    # The cursor is a place among all objects, so that it need not fit the filters.
    if "starting_after" in sent:
        objects = objects[ids.index(sent["starting_after"]) + 1 :]
    if "ending_before" in sent:
        objects = objects[: ids.index(sent["ending_before"])]
    found = _select(call, objects, sent, filters)
    page = found[-limit:] if "ending_before" in sent else found[:limit]
    body = {
        "object": "list",
        "data": [show(shown) for shown in page],
        "has_more": len(found) > len(page),
        "url": call.request.path,
    }
    return call.answer("list.answer", body)


def _select(
    call: StripeCall,
    objects: Sequence[dict[str, Any]],
    sent: Parameters,
    filters: Mapping[str, ParameterKind],
) -> list[dict[str, Any]]:
    """Return the objects that fit the filters, and the times of ``created``."""
    found = list(objects)
    for name in filters:
        if name in sent:
            found = [shown for shown in found if shown[name] == sent[name]]
    created = sent.get("created", {})
    for name, text in (created if isinstance(created, dict) else {"is": created}).items():
        seconds = _read_number(call, "created", text)
        if name not in _COMPARISONS:
            call.refuse("parameter.unknown", name=f"created[{name}]")
        fits = _COMPARISONS[name]
        found = [shown for shown in found if fits(shown["created"], seconds)]
    return found


def _read_number(call: StripeCall, name: str, text: object) -> int:
    """Return a parameter as a whole number; refuse anything else."""
    if not isinstance(text, str) or not re.fullmatch("[0-9]{1,15}", text):
        call.refuse("parameter.invalid", name=name)
    return int(text)

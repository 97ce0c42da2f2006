"""Saved calls and hosted sessions: read, list, update, delete.

Source of the keys and texts: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world.hosted import is_open, open_sessions, page_path
from facematch_mock_server.world.sessions import Review, Session

from . import decisions, framework, webhooks
from .decisions import environment_of, features_of, results_of
from .framework import NULL_CHARACTERS, DiditCall, Field, Invalid, make_route, stamp
from .records import APPROVED, DECLINED, IN_REVIEW, KEPT_REVIEWS, STATUSES, read_uuid

_RESUBMITTED = "Resubmitted"


def _list(call: DiditCall) -> Response:
    """List the sessions, newest first, one page at a time."""
    claims, query = call.claims, call.query
    filters, errors = _read_filters(query)
    if errors:
        call.refuse("list.refused", body=errors)
    if not call.is_live:
        claims.cite("list.sandbox")
    claims.cite("list.saved")
    open_sessions(call.world)
    environment = "live" if call.is_live else "sandbox"
    filters.append(lambda session: environment_of(session) == environment)
    sessions = [x for x in call.world.sessions.all() if all(passes(x) for passes in filters)][::-1]
    claims.cite("page.size")
    size = _read_number(query.get("limit"), 50)
    start = _read_number(query.get("offset"), 0)
    following: dict[str, int | None] = {"limit": size, "offset": start + size}
    # The first page's address has no offset.
    preceding = {"limit": size, "offset": start - size if start > size else None}
    page_body = {
        "count": len(sessions),
        "next": _address(call, following) if start + size < len(sessions) else None,
        "previous": _address(call, preceding) if start > 0 else None,
        "results": [_row(call, session) for session in sessions[start : start + size]],
    }
    return call.answer("list.answer", page_body)


def _read_number(text: str | None, default: int) -> int:
    """Parse a number of 1 or more from the query; return the default for any other text."""
    try:
        number = int(text or "")
    except ValueError:
        return default
    return number if number > 0 else default


def _address(call: DiditCall, changes: Mapping[str, int | None]) -> str:
    path, _, query = call.request.target.partition("?")
    values = parse_qs(query, keep_blank_values=True)
    values |= {name: [] if value is None else [str(value)] for name, value in changes.items()}
    encoded = urlencode(sorted(values.items()), doseq=True)
    return f"{call.origin}{path}{'?' if encoded else ''}{encoded}"


def _row(call: DiditCall, session: Session) -> dict[str, Any]:
    results, is_waiting = results_of(session), is_open(call.world, session)
    features = [(x.name, results.get(x, _NOT_RUN)["status"]) for x in features_of(session)]
    scores = {x.name.lower(): result.get("score") for x, result in results.items()}
    return {
        "session_id": session.id,
        "session_kind": "user",
        "session_number": session.number,
        "session_url": f"{call.origin}{page_path(call.world, session)}" if is_waiting else None,
        # Personal details, which this mock does not have.
        **dict.fromkeys(("portrait_image", "document_type", "full_name", "country")),
        "status": session.status,
        "vendor_data": session.vendor_data,
        "didit_internal_id": session.internal_id,
        "created_at": stamp(session.created_at),
        "features": [{"feature": name, "status": status} for name, status in features],
        "phone_number": None,
        "email_address": None,
        # The scale, 0-100 as in all responses, is our choice: an example has 0-1.
        "additional_details": {
            name: {} if score is None else {"score": score} for name, score in scores.items()
        },
    }


_NOT_RUN = {"status": "Not Finished"}

Filter = Callable[[Session], bool]

#: Whether each session kind includes the mock's sessions; and what each session type includes:
#: saved calls (False), hosted sessions (True), or both.
_INCLUDED_BY_KIND = {"user": True, "business": False, "all": True}
_TYPES = {"API": [False], "HOSTED": [True], "MIGRATED": [], "ALL": [False, True]}
_SERVICES = """
    ID_VERIFICATION FACE_MATCH AGE_ESTIMATION FACE_SEARCH POA AML KYB_REGISTRY PASSIVE_LIVENESS
    DATABASE_VALIDATION PHONE_VERIFICATION EMAIL_VERIFICATION
"""
_NO_CHOICE = "Select a valid choice. {} is not one of the available choices."


def _read_filters(query: Mapping[str, str]) -> tuple[list[Filter], dict[str, Any]]:
    """Return the filters of the list, and the errors of invalid filters by name."""
    kind = query.get("session_kind") or "user"
    if kind not in _INCLUDED_BY_KIND:
        # A string, not an array. Checking this filter before the others is our choice.
        return [], {"session_kind": 'Must be "user", "business", or "all".'}
    filters: list[Filter] = [] if _INCLUDED_BY_KIND[kind] else [lambda _: False]
    errors: dict[str, Any] = {}
    for name, (read, words, fits) in _FILTERS.items():
        value = query.get(name, "")
        # Texts are stripped; for choices and days, white space alone is invalid.
        value = value.strip() if name in ("vendor_data", "search", "didit_internal_id") else value
        try:
            if value:
                filters.append(partial(fits, read(value)))
        except (ValueError, KeyError):
            errors[name] = [words.format(value)]
    return filters, errors


def _refuse_null(text: str) -> str:
    if "\x00" in text:
        raise ValueError(text)
    return text


def _mentions(text: str, session: Session) -> bool:
    values = (session.id, session.number, session.vendor_data)
    return any(text in str(value or "").casefold() for value in values)


def _has_risk(names: str, session: Session) -> bool:
    warnings = (row for result in results_of(session).values() for row in result["warnings"])
    return any(row["risk"] in names.split(",") for row in warnings)


def _read_day(text: str) -> dt.date:
    return dt.datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone


_pick = {name: name for name in _SERVICES.split()}.__getitem__
#: Filters in the order in which errors are reported: parser, error message, predicate. A list of
#: words (case-sensitive) matches sessions with any of them; days are UTC.
_FILTERS: dict[str, tuple[Callable[[str], Any], str, Callable[[Any, Session], bool]]] = {
    "status": (lambda text: text.split(","), "", lambda words, x: x.status in words),
    "vendor_data": (_refuse_null, NULL_CHARACTERS, lambda text, x: x.vendor_data == text),
    "search": (str.casefold, "", _mentions),
    "date_from": (_read_day, "Enter a valid date.", lambda day, x: day <= x.created_at.date()),
    "date_to": (_read_day, "Enter a valid date.", lambda day, x: x.created_at.date() <= day),
    "session_type": (_TYPES.__getitem__, _NO_CHOICE, lambda kinds, x: bool(x.hosted) in kinds),
    "workflow_id": (str.lower, "", lambda id_, x: id_ == (x.hosted and x.hosted.workflow)),
    "api_service": (_pick, _NO_CHOICE, lambda name, x: x.service == name),
    "warning": (str, "", _has_risk),
    "didit_internal_id": (read_uuid, "Enter a valid UUID.", lambda id_, x: x.internal_id == id_),
}


_CHANGEABLE_STATUSES = (APPROVED, DECLINED, IN_REVIEW, "Kyc Expired", "Abandoned", _RESUBMITTED)


def _read_status(_: CitedClaims, value: Any) -> str:
    word = framework.choice(STATUSES, _, value)
    if word not in (APPROVED, DECLINED, _RESUBMITTED):
        raise Invalid("You can only update the status to 'Approved', 'Declined', or 'Resubmitted'.")
    return word


def _read_email(claims: CitedClaims, value: Any) -> str:
    is_empty = isinstance(value, str) and not value.strip()
    return "" if is_empty else framework.email(claims, value)


_UPDATE = (
    Field("new_status", _read_status, required=True),
    Field("comment", framework.text, nullable=True),
    Field("send_email", framework.boolean),
    Field("email_address", _read_email, nullable=True),
    Field("email_language", framework.text, nullable=True),
)


def _update(call: DiditCall) -> Response:
    session: Session = call.session
    if session.status not in _CHANGEABLE_STATUSES:
        call.refuse("update.closed", status=session.status)
    values = framework.read_json_fields(call, call.body, _UPDATE)
    if values.get("send_email") and not values.get("email_address"):
        words = ["Email address is required when send_email is true."]
        call.refuse("fields.refused", body={"email_address": words})
    status = values["new_status"]
    if status == session.status:
        call.refuse("update.same")
    if status == _RESUBMITTED:
        call.refuse("update.resubmitted")
    review = Review(
        user="API Client", new_status=status, comment=values.get("comment"), created_at=call.now
    )
    reviews = (*session.reviews, review)[-KEPT_REVIEWS:]
    updated = attrs.evolve(session, status=status, reviews=reviews)
    current = call.world.sessions.change(session.id, lambda x: updated if x is session else x)
    if current is None:
        call.refuse("session.unknown")
    if current is not updated:
        # A concurrent request changed the session: retry with the current state.
        call.session = current
        return _update(call)
    webhooks.announce(call.world, updated, call.request)
    return call.answer("update.answer", session_id=session.id)


# DELETE /v3/session/{id}/delete/. The session can no longer be read, and nothing is refunded.

_RETENTION = (
    Field("retain_face_embeddings", framework.boolean),
    # The range is from the page about deletion (`claims.DELETION`).
    Field("face_retention_days", partial(framework.whole_number, lowest=1, highest=3650)),
)


def _delete(call: DiditCall) -> Response:
    claims, session = call.claims, call.session
    values = framework.read_json_fields(call, call.body, _RETENTION)
    # Only one of two simultaneous deletions succeeds.
    if call.world.sessions.remove(session.id) is None:
        call.refuse("session.unknown")
    claims.cite("delete.faces")
    outcome, template, until = "none", None, None
    if "reference_image" in session.pictures:
        outcome = "deleted"
        if values.get("retain_face_embeddings"):
            outcome = "ineligible_no_vendor_user"
            if session.hosted is not None and session.vendor_data is not None:
                outcome, template = "retained_with_user", call.world.account.ids.uuid()
                days = values.get("face_retention_days")
                until = days and stamp(call.now + dt.timedelta(days=days))
    body = {
        "session_id": session.id,
        "session_number": session.number,
        "face_retention_outcome": outcome,
        "biometric_template_uuid": template,
        "biometric_template_expires_at": until,
        "deleted_child_verifications": 0,
    }
    return call.answer("delete.answer", body)


ROUTES = (
    make_route(
        "/v3/session/{uuid}/decision/",
        {"GET": decisions.decision},
        rate_scope="decision",
        operation="session_read",
        fields=("include",),
    ),
    make_route("/v3/sessions/", {"GET": _list}),
    make_route(
        "/v3/session/{uuid}/delete/",
        {"DELETE": _delete},
        shown_fields=("retain_face_embeddings", "face_retention_days", "face_retention_deadline"),
    ),
    make_route(
        "/v3/session/{uuid}/update-status/",
        {"PATCH": _update},
        shown_fields=("new_status", "send_email", "email_language"),
    ),
)

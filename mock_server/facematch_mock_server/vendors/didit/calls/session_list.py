"""The list of sessions: `GET /v3/sessions/`, its filters and its pages.

Source of the keys and texts: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.didit.access import DiditCall
from facematch_mock_server.vendors.didit.fields import Invalid, stamp
from facematch_mock_server.vendors.didit.wire import (
    describe_document,
    environment_of,
    features_of,
    picture_urls,
    results_of,
)
from facematch_mock_server.world.hosted import expire_due_sessions, is_open, page_url
from facematch_mock_server.world.sessions import Session

#: The number of sessions on a page without ``limit``.
_PAGE_SIZE = 50


def list_sessions(call: DiditCall) -> Response:
    """List the sessions, newest first, one page at a time."""
    filters = _read_filters(call)
    # OURS: A list contains the sessions of the key's application; a sandbox key has only hosted
    # sessions, because its calls leave none.
    # OURS: The row of a saved call is not documented. Unknown personal details are null, and
    # additional_details contains the score (0-100), if any, by the name of the service.
    expire_due_sessions(call.world)
    environment = "live" if call.is_live else "sandbox"
    matches = []
    for session in call.world.sessions.all():
        if environment_of(session) == environment and filters.accepts(session):
            matches.append(session)
    matches.reverse()
    # A page has 50 rows; limit and offset select pages. (Didit OpenAPI, 2026-07-18)
    size = _read_number(call.query.get("limit"), default=_PAGE_SIZE)
    start = _read_number(call.query.get("offset"), default=0)
    next_url = previous_url = None
    if start + size < len(matches):
        next_url = _page_url(call, size=size, start=start + size)
    if start > 0:
        previous_url = _page_url(call, size=size, start=start - size)
    page_body = {
        "count": len(matches),
        "next": next_url,
        "previous": previous_url,
        "results": [_make_row(call, each) for each in matches[start : start + size]],
    }
    return call.answer("list.answer", page_body)


def _read_number(text: str | None, *, default: int) -> int:
    """Parse a number of 1 or more from the query; return the default for any other text."""
    try:
        number = int(text or "")
    except ValueError:
        return default
    return number if number > 0 else default


def _page_url(call: DiditCall, *, size: int, start: int) -> str:
    """Return the call's URL with another page."""
    path, _, query = call.request.target.partition("?")
    values = parse_qs(query, keep_blank_values=True)
    values["limit"] = [str(size)]
    values["offset"] = [str(start)]
    # The first page's URL has no offset.
    if start <= 0:
        del values["offset"]
    return f"{call.origin}{path}?{urlencode(sorted(values.items()), doseq=True)}"


def _make_row(call: DiditCall, session: Session) -> dict[str, Any]:
    """Return a session as the list shows it; the link is None once the session is not open."""
    results = results_of(session)
    session_url = None
    if is_open(call.world, session):
        session_url = page_url(call.world, session, call.origin)
    features = []
    for feature in features_of(session):
        status = results[feature]["status"] if feature in results else "Not Finished"
        features.append({"feature": feature.name, "status": status})
    # The scale of scores, 0-100 as in all responses, is our choice: an example has 0-1.
    details: dict[str, dict[str, Any]] = {}
    for feature, result in results.items():
        score = result.get("score")
        details[feature.name.lower()] = {} if score is None else {"score": score}
    contact: Mapping[str, Any] = {}
    if session.hosted is not None:
        contact = session.hosted.details.get("contact_details") or {}
    document = describe_document(session)
    now = call.now.timestamp()
    pictures = picture_urls(call.world, call.claims, session, call.origin, now)
    return {
        "session_id": session.id,
        "session_kind": "user",
        "session_number": session.number,
        "session_url": session_url,
        "portrait_image": pictures.get("portrait_image"),
        "document_type": document.get("document_type"),
        "full_name": document.get("full_name"),
        # OURS: The country is that of the document.
        "country": document.get("issuing_state"),
        "status": session.status,
        "vendor_data": session.vendor_data,
        "didit_internal_id": session.internal_id,
        "created_at": stamp(session.created_at),
        "features": features,
        "phone_number": contact.get("phone"),
        "email_address": contact.get("email"),
        "additional_details": details,
    }


#: Whether a session type includes a session, by whether it is a saved call.
_TYPES = {
    "API": {True: True, False: False},
    "HOSTED": {True: False, False: True},
    "MIGRATED": {True: False, False: False},
    "ALL": {True: True, False: True},
}
_SERVICES = """
    ID_VERIFICATION FACE_MATCH AGE_ESTIMATION FACE_SEARCH POA AML KYB_REGISTRY PASSIVE_LIVENESS
    DATABASE_VALIDATION PHONE_VERIFICATION EMAIL_VERIFICATION
"""
#: Filters of Didit's that no known program sends.
_IGNORED = frozenset({
    "country",
    "date_to",
    "didit_internal_id",
    "document_name",
    "document_type",
    "search",
    "session_kind",
    "status",
    "warning",
    "workflow_id",
})  # fmt: skip


@attrs.frozen(kw_only=True)
class Filters:
    """The filters of a call; the day is UTC."""

    vendor_data: str | None = None
    date_from: dt.date = dt.date.min
    session_type: str = "ALL"
    api_service: str | None = None

    def accepts(self, session: Session) -> bool:
        """Return whether a session passes all filters."""
        if self.vendor_data is not None and session.vendor_data != self.vendor_data:
            return False
        if self.api_service is not None and session.service != self.api_service:
            return False
        is_saved = session.hosted is None
        is_late_enough = self.date_from <= session.created_at.date()
        return is_late_enough and _TYPES[self.session_type][is_saved]


def _read_filters(call: DiditCall) -> Filters:
    """Return the filters in the query; refuse the call if one is invalid."""
    ignored = sorted(_IGNORED.intersection(call.query))
    if ignored:
        call.hint = f"this mock does not filter by {', '.join(ignored)}"
    values: dict[str, Any] = {}
    errors = {}
    for name, read in _READERS.items():
        text = call.query.get(name, "").strip()
        try:
            if text:
                values[name] = read(text)
        except Invalid as invalid:
            errors[name] = [invalid.sentence]
    if errors:
        call.refuse("list.refused", body=errors)
    return Filters(**values)


def _read_day(text: str) -> dt.date:
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Invalid("Enter a valid date.") from None


def _read_choice(choices: Container[str], text: str) -> str:
    if text not in choices:
        raise Invalid(f"Select a valid choice. {text} is not one of the available choices.")
    return text


#: The readers, in the order in which errors are reported.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "vendor_data": str,
    "date_from": _read_day,
    "session_type": partial(_read_choice, _TYPES),
    "api_service": partial(_read_choice, _SERVICES.split()),
}

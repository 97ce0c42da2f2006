"""The list of sessions: `GET /v3/sessions/`, its filters and its pages.

Source of the keys and texts: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.didit.access import DiditCall
from facematch_mock_server.vendors.didit.fields import NULL_CHARACTERS, stamp
from facematch_mock_server.vendors.didit.records import read_uuid
from facematch_mock_server.vendors.didit.wire import environment_of, features_of, results_of
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
        if environment_of(session) == environment and _fulfils(session, filters):
            matches.append(session)
    matches.reverse()
    call.claims.cite("page.size")
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
        "results": [_make_row(call, session) for session in matches[start : start + size]],
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
    return {
        "session_id": session.id,
        "session_kind": "user",
        "session_number": session.number,
        "session_url": session_url,
        # Personal details, which this mock does not have.
        "portrait_image": None,
        "document_type": None,
        "full_name": None,
        "country": None,
        "status": session.status,
        "vendor_data": session.vendor_data,
        "didit_internal_id": session.internal_id,
        "created_at": stamp(session.created_at),
        "features": features,
        "phone_number": None,
        "email_address": None,
        "additional_details": details,
    }


@attrs.frozen(kw_only=True)
class Filter:
    """A filter of the list.

    Attributes:
        read: Parses the value in the query; raises ValueError or KeyError for an invalid one.
        accepts: Returns whether a session passes the filter with a parsed value.
        error: The text for an invalid value, with {} for the value.
        strips: Whether white space around the value is removed first; a value of white space alone
            is then no filter.
    """

    accepts: Callable[[Any, Session], bool]
    read: Callable[[str], Any] = str
    error: str = ""
    strips: bool = False


@attrs.frozen(kw_only=True)
class ParsedFilter:
    """A filter with the parsed value of a call."""

    filter: Filter
    value: Any


def _fulfils(session: Session, filters: list[ParsedFilter]) -> bool:
    return all(each.filter.accepts(each.value, session) for each in filters)


#: Whether each session kind includes the mock's sessions.
_INCLUDED_BY_KIND = {"user": True, "business": False, "all": True}
#: Whether each session type includes saved calls, and hosted sessions.
_INCLUDES_SAVED = {"API": True, "HOSTED": False, "MIGRATED": False, "ALL": True}
_INCLUDES_HOSTED = {"API": False, "HOSTED": True, "MIGRATED": False, "ALL": True}
_SERVICES = """
    ID_VERIFICATION FACE_MATCH AGE_ESTIMATION FACE_SEARCH POA AML KYB_REGISTRY PASSIVE_LIVENESS
    DATABASE_VALIDATION PHONE_VERIFICATION EMAIL_VERIFICATION
"""
_NO_CHOICE = "Select a valid choice. {} is not one of the available choices."


def _read_filters(call: DiditCall) -> list[ParsedFilter]:
    """Return the filters in the query; refuse the call if one is invalid."""
    session_kind = call.query.get("session_kind") or "user"
    if session_kind not in _INCLUDED_BY_KIND:
        # A string, not an array. Checking this filter before the others is our choice.
        text = 'Must be "user", "business", or "all".'
        call.refuse("list.refused", body={"session_kind": text})
    filters = []
    if not _INCLUDED_BY_KIND[session_kind]:
        filters.append(ParsedFilter(filter=_NOTHING, value=None))
    errors = {}
    for name, known_filter in _FILTERS.items():
        text = call.query.get(name, "")
        if known_filter.strips:
            text = text.strip()
        if not text:
            continue
        try:
            value = known_filter.read(text)
        except (ValueError, KeyError):
            errors[name] = [known_filter.error.format(text)]
        else:
            filters.append(ParsedFilter(filter=known_filter, value=value))
    if errors:
        call.refuse("list.refused", body=errors)
    return filters


def _refuse_null(text: str) -> str:
    if "\x00" in text:
        raise ValueError(text)
    return text


def _read_day(text: str) -> dt.date:
    return dt.datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone


def _read_choice(words: Container[str], text: str) -> str:
    if text not in words:
        raise ValueError(text)
    return text


def _has_type(session_type: str, session: Session) -> bool:
    if session.hosted is None:
        return _INCLUDES_SAVED[session_type]
    return _INCLUDES_HOSTED[session_type]


def _has_workflow(workflow_id: str, session: Session) -> bool:
    return session.hosted is not None and session.hosted.workflow == workflow_id


def _mentions(text: str, session: Session) -> bool:
    values = (session.id, session.number, session.vendor_data)
    return any(text in str(value or "").casefold() for value in values)


def _has_risk(names: list[str], session: Session) -> bool:
    for result in results_of(session).values():
        for warning in result["warnings"]:
            if warning["risk"] in names:
                return True
    return False


def _split(text: str) -> list[str]:
    return text.split(",")


#: Of a kind of sessions that this mock does not have.
_NOTHING = Filter(accepts=lambda _, __: False)
#: The filters in the order in which errors are reported. A list of words (case-sensitive) accepts
#: sessions with any of them; days are UTC.
_FILTERS = {
    "status": Filter(read=_split, accepts=lambda words, session: session.status in words),
    "vendor_data": Filter(
        read=_refuse_null,
        error=NULL_CHARACTERS,
        accepts=lambda text, session: session.vendor_data == text,
        strips=True,
    ),
    "search": Filter(read=str.casefold, accepts=_mentions, strips=True),
    "date_from": Filter(
        read=_read_day,
        error="Enter a valid date.",
        accepts=lambda day, session: session.created_at.date() >= day,
    ),
    "date_to": Filter(
        read=_read_day,
        error="Enter a valid date.",
        accepts=lambda day, session: session.created_at.date() <= day,
    ),
    "session_type": Filter(
        read=partial(_read_choice, _INCLUDES_SAVED), error=_NO_CHOICE, accepts=_has_type
    ),
    "workflow_id": Filter(read=str.lower, accepts=_has_workflow),
    "api_service": Filter(
        read=partial(_read_choice, _SERVICES.split()),
        error=_NO_CHOICE,
        accepts=lambda service, session: session.service == service,
    ),
    "warning": Filter(read=_split, accepts=_has_risk),
    "didit_internal_id": Filter(
        read=read_uuid,
        error="Enter a valid UUID.",
        accepts=lambda internal_id, session: session.internal_id == internal_id,
        strips=True,
    ),
}

"""The documented filters of the list of sessions, as a query. Pure.

Didit OpenAPI, 2026-07-18, read 2026-11-20. A value that Didit does not know gives no rows, and no
error: so closed vocabularies are enums here.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Iterable
from typing import TypeVar

from facematch_core import InvalidRequest

from . import _arguments as given
from ._words import STATUS_WORDS, ApiService, SessionKind, SessionStatus, SessionType

W = TypeVar("W", bound=enum.StrEnum)


def filters(
    *,
    kind: SessionKind | None,
    status: SessionStatus | Iterable[SessionStatus] | None,
    caller_ref: str | None,
    search: str | None,
    workflow_id: str | uuid.UUID | None,
    date_from: dt.date | None,
    date_to: dt.date | None,
    country: str | None,
    document_type: str | None,
    session_type: SessionType | None,
    api_service: ApiService | None,
    warning: Iterable[str] | None,
) -> dict[str, str]:
    """The query for what was given.

    Raises:
        InvalidRequest: a value is of another type, empty, or the days are in the wrong order.
    """
    if date_from is not None and date_to is not None:
        first, last = given.a_day("date_from", date_from), given.a_day("date_to", date_to)
        if first > last:
            raise InvalidRequest("date_from is after date_to.")
    found = {
        "session_kind": None if kind is None else _word("kind", kind, SessionKind),
        "status": None if status is None else _statuses(status),
        "vendor_data": None if caller_ref is None else given.a_text("caller_ref", caller_ref),
        "search": None if search is None else given.a_text("search", search),
        "workflow_id": None if workflow_id is None else given.an_id("workflow_id", workflow_id),
        "date_from": None if date_from is None else given.a_day("date_from", date_from),
        "date_to": None if date_to is None else given.a_day("date_to", date_to),
        "country": None if country is None else given.a_text("country", country),
        "document_type": (
            None if document_type is None else given.a_text("document_type", document_type)
        ),
        "session_type": (
            None if session_type is None else _word("session_type", session_type, SessionType)
        ),
        "api_service": (
            None if api_service is None else _word("api_service", api_service, ApiService)
        ),
        "warning": None if warning is None else _listed("warning", given.texts("warning", warning)),
    }
    return {name: text for name, text in found.items() if text is not None}


def _word(name: str, value: W, kind: type[W]) -> str:
    for word in kind:
        if value == word:
            return word.value
    raise InvalidRequest(f"{name} must be a {kind.__name__}: {', '.join(kind)}.")


def _statuses(status: SessionStatus | Iterable[SessionStatus]) -> str:
    several = [status] if isinstance(status, str) else given.several("status", status, "statuses")
    known = tuple(STATUS_WORDS)
    if not several or any(one not in known for one in several):
        raise InvalidRequest(
            "status must be a SessionStatus that Didit has a word for, or several."
        )
    return ",".join(STATUS_WORDS[SessionStatus(one)] for one in several)


def _listed(name: str, values: Iterable[str]) -> str:
    items = list(values)
    if any("," in item for item in items):
        raise InvalidRequest(f"No item of {name} may have a comma: Didit takes it as two.")
    return ",".join(items)

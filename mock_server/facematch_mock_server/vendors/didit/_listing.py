"""GET /v3/sessions/: which sessions there are."""

from __future__ import annotations

from typing import Any

from facematch_mock_server._messages import Response
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told

from . import _access, _shapes
from ._decision import feature_of
from ._filters import tests_of
from ._paging import paged
from ._visit import Door, Route, Visit

_PATH = "/v3/sessions/"
#: What nothing is known of without a document or a form.
_UNKNOWN = (
    "session_url",
    "portrait_image",
    "document_type",
    "full_name",
    "country",
    "phone_number",
    "email_address",
)


def sessions(visit: Visit) -> Response:
    """The answer."""
    told = visit.told
    tests, errors = tests_of(told, visit.query)
    if errors:
        return visit.answer("list.refused", errors)
    rows = [one for one in _seen_by(visit) if all(test(one) for test in tests)]
    if told["list.newest_first"]:
        rows.reverse()
    return paged(visit, "list.answer", rows, lambda session: row_body(told, session))


def row_body(told: Told, session: Session) -> dict[str, Any]:
    """One row."""
    feature = {"feature": feature_of(told, session), "status": session.result["status"]}
    known = {
        **dict.fromkeys(_UNKNOWN, told["list.absent"]),
        "session_id": session.id,
        "session_kind": told["session.kind"],
        "session_number": session.number,
        "status": session.status,
        "vendor_data": session.vendor_data,
        "didit_internal_id": session.internal_id,
        "created_at": _shapes.stamp(told, session.created_at),
        "features": [feature],
        "additional_details": _details(told, session),
    }
    return {key: known[key] for key in told["list.row_keys"]}


def _details(told: Told, session: Session) -> dict[str, Any] | None:
    name, score = told["list.details"].get(session.service), session.result.get("score")
    if name is None:
        return None
    unit = told["list.score_unit"]
    return {name: {"score": score if score is None or unit == 1 else score / unit}}


def _seen_by(visit: Visit) -> list[Session]:
    """The sessions that the key may list."""
    told, every = visit.told, visit.world.sessions.all()
    if not _access.is_live(visit) and not told["list.sandbox"]:
        return []
    if not told["list.own_only"]:
        return list(every)
    return [session for session in every if session.owner == visit.owner]


def _slash(visit: Visit) -> Response:
    query = visit.request.target.partition("?")[2]
    there = f"{_PATH}?{query}" if query else _PATH
    return visit.told.answer("list.slash", headers=(*visit.headers, ("Location", there)))


ROUTES = (
    Route(pattern=_PATH, door=Door.KEY, methods={"GET": sessions}),
    Route(pattern=_PATH.rstrip("/"), door=Door.OPEN, methods={"GET": _slash}),
)

"""GET and POST /v3/sessions/{id}/reviews/: notes on a session."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_mock_server._messages import Response
from facematch_mock_server._sessions import Review, Session
from facematch_mock_server.claims import Told

from . import _access, _given
from ._decision import review_body
from ._paging import paged
from ._visit import Door, Route, Visit


def reviews(visit: Visit) -> Response:
    """The reviews of a session."""
    session = _session(visit)
    if session is None:
        return visit.answer("review.unknown")
    told = visit.told
    rows = session.reviews if told["review.oldest_first"] else session.reviews[::-1]
    return paged(visit, "review.listed", rows, lambda review: review_body(told, review))


def add(visit: Visit) -> Response:
    """A note, and nothing else."""
    session = _session(visit)
    if session is None:
        return visit.answer("review.unknown")
    if not isinstance(visit.body, dict):
        return visit.answer("given.object", kind=type(visit.body).__name__)
    told = visit.told
    values, errors = _given.read(told, visit.body, _FIELDS)
    if errors:
        return visit.answer("fields.refused", errors)
    status = values.get("new_status")
    note = Review(
        user=told["review.user"],
        new_status=status,
        comment=values.get("comment"),
        created_at=visit.now,
    )
    most = told["review.most"]
    changes: dict[str, Any] = (
        {} if told["review.only_a_note"] or status is None else {"status": status}
    )
    kept = visit.world.sessions.change(
        session.id,
        lambda there: attrs.evolve(there, reviews=(*there.reviews, note)[-most:], **changes),
    )
    if kept is None:
        return visit.answer("review.unknown")
    return visit.answer("review.added", review_body(told, note))


def _session(visit: Visit) -> Session | None:
    """The session of the path, if the key may know of it."""
    session = visit.world.sessions.find(visit.words[0].lower())
    if session is None or not visit.told["review.own_only"]:
        return session
    if session.owner != visit.owner or not _access.is_live(visit):
        return None
    return session


def _status(told: Told, value: Any) -> str:
    return _given.choice(told, value, told["session.statuses"])


_FIELDS: dict[str, _given.Reader] = {
    "new_status": _given.or_none(_status),
    "comment": _given.or_none(_given.text),
}

ROUTES = (
    Route(
        pattern="/v3/sessions/{uuid}/reviews/",
        door=Door.KEY,
        methods={"GET": reviews, "POST": add},
        shown=("new_status",),
        own={404: "review.unknown"},
    ),
)

"""Sessions deleted, one or several: they vanish from every read, and nothing is paid back."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_mock_server._messages import Response
from facematch_mock_server._sessions import Session

from . import _access, _given
from ._seams import faces_forgotten
from ._visit import Door, Route, Visit


def delete(visit: Visit) -> Response:
    """One session."""
    session, told = visit.found, visit.told
    with_body = told["delete.answer"].body is None
    errors = _retention_faults(visit) if with_body else {}
    if errors:
        return visit.answer("fields.refused", errors)
    if told["delete.gone"] and not _forget(visit, session):
        return visit.answer("session.unknown")
    if not with_body:
        return _bare(visit, "delete.answer")
    known = {
        "session_id": session.id,
        "session_number": session.number,
        "face_retention_outcome": _outcome(visit, session),
        "biometric_template_uuid": told["delete.template"],
    }
    return visit.answer("delete.answer", {key: known[key] for key in told["delete.body_keys"]})


def delete_many(visit: Visit) -> Response:
    """Those of some numbers, or all."""
    told = visit.told
    if not isinstance(visit.body, dict):
        return visit.answer("given.object", kind=type(visit.body).__name__)
    every, numbers, errors = _asked_for(visit)
    if errors:
        return visit.answer("fields.refused", errors)
    own = _own(visit)
    if not every:
        known = {session.number for session in own}
        if told["batch.unknown"] == "stop" and not numbers <= known:
            numbers = set()
        own = [session for session in own if session.number in numbers]
    elif not told["batch.all"]:
        own = []
    for session in own:
        _forget(visit, session)
    return _bare(visit, "batch.answer")


def _asked_for(visit: Visit) -> tuple[bool, set[int], dict[str, Any]]:
    told, body = visit.told, visit.fields
    errors: dict[str, Any] = {}
    every = False
    try:
        every = "delete_all" in body and _given.boolean(told, body["delete_all"])
    except _given.Refused as refused:
        errors["delete_all"] = [refused.words]
    numbers: set[int] = set()
    if not every and not errors:
        try:
            numbers = _numbers(visit)
        except _given.Refused as refused:
            errors["session_numbers"] = [refused.words]
    return every, numbers, errors


def _numbers(visit: Visit) -> set[int]:
    told, body = visit.told, visit.fields
    if "session_numbers" not in body:
        raise _given.Refused(told["batch.required"])
    sent = _given.items(told, body["session_numbers"])
    if not sent:
        raise _given.Refused(told["batch.empty"])
    texts = [str(one) if type(one) in (int, str) else "" for one in sent]
    # A longer number was never given, and reading it would take long.
    if not all(text.isascii() and text.isdigit() and len(text) < 20 for text in texts):
        raise _given.Refused(told["batch.numeric"])
    return {int(text) for text in texts}


def _own(visit: Visit) -> list[Session]:
    every = visit.world.sessions.all()
    if not visit.told["batch.own_only"]:
        return list(every)
    if not _access.is_live(visit):
        return []
    return [session for session in every if session.owner == visit.owner]


def _forget(visit: Visit, session: Session) -> bool:
    """Whether it was there to be deleted: of two who try at once one does it."""
    if visit.world.sessions.remove(session.id) is None:
        return False
    faces_forgotten(visit.world, session)
    return True


def _retention_faults(visit: Visit) -> dict[str, list[str]]:
    readers: dict[str, _given.Reader] = {
        "retain_face_embeddings": _given.boolean,
        "face_retention_days": lambda told, value: _given.whole(
            told, value, highest=told["delete.longest"]
        ),
    }
    return _given.read(visit.told, visit.fields, readers)[1]


def _outcome(visit: Visit, session: Session) -> str:
    told, body = visit.told, visit.fields
    if session.service not in told["delete.faces"]:
        return "none"
    retain = "retain_face_embeddings" in body and _given.boolean(
        told, body["retain_face_embeddings"]
    )
    outcome: str = told["delete.retain"] if retain else "deleted"
    return outcome


def _bare(visit: Visit, key: str) -> Response:
    return attrs.evolve(visit.answer(key), headers=visit.headers, body=b"")


ROUTES = (
    Route(
        pattern="/v3/session/{uuid}/delete/",
        door=Door.SESSION,
        methods={"DELETE": delete},
        shown=("retain_face_embeddings", "face_retention_days", "face_retention_deadline"),
    ),
    Route(
        pattern="/v3/sessions/delete/",
        door=Door.KEY,
        methods={"POST": delete_many},
        shown=("session_numbers", "delete_all"),
    ),
)

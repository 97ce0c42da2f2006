"""/v3/blocklist/: the faces of sessions that are not allowed, and off that list again."""

from __future__ import annotations

from typing import Any

from facematch_mock_server._messages import Response
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told
from facematch_mock_server.index import IndexedFace, Listing

from . import _access, _given, _shapes
from ._paths import is_uuid
from ._records import records_of
from ._visit import Door, Route, Visit

#: What can be on the list, by the field that puts it there and the one that takes it off.
_ITEMS = ("face", "document", "phone", "email")


def add(visit: Visit) -> Response:
    """Put the face of a session on the list."""
    return _changed(visit, "blocklist", Listing.BLOCK)


def remove(visit: Visit) -> Response:
    """Take it off."""
    return _changed(visit, "unblock", None)


def entries(visit: Visit) -> Response:
    """What is on it."""
    told, wanted = visit.told, visit.query.get("item_type", "face")
    blocked = own_faces(visit) if wanted == "face" or not told["blocklist.filters"] else ()
    rows = [_row(visit, face) for face in blocked if face.listing is Listing.BLOCK]
    return visit.answer("blocklist.answer", rows)


def own_faces(visit: Visit) -> tuple[IndexedFace, ...]:
    """The faces of whose key it is; a sandbox key has none."""
    if not _access.is_live(visit):
        return ()
    return records_of(visit.world).faces.all(visit.owner)


def _changed(visit: Visit, prefix: str, listing: Listing | None) -> Response:
    if not isinstance(visit.body, dict):
        return visit.answer("given.object", kind=type(visit.body).__name__)
    session_id, flags, errors = _asked_for(visit, prefix)
    if errors:
        return visit.answer("fields.refused", errors)
    session = _session(visit, session_id)
    if session is None:
        return visit.answer("blocklist.unknown")
    if not flags["face"]:
        return visit.answer("blocklist.changed")
    index = records_of(visit.world).faces
    faces = index.of_session(session.id)
    if not faces and visit.told["blocklist.needs_face"]:
        return visit.answer("blocklist.no_face")
    for face in faces:
        index.enlist(face.id, listing)
    return visit.answer("blocklist.changed")


def _asked_for(visit: Visit, prefix: str) -> tuple[str, dict[str, bool], dict[str, list[str]]]:
    told, body = visit.told, visit.fields
    errors: dict[str, list[str]] = {}
    flags = dict.fromkeys(_ITEMS, False)
    session_id = ""
    try:
        session_id = _id(told, _given.required(told, body, "session_id"))
    except _given.Refused as refused:
        errors["session_id"] = [refused.words]
    for item in _ITEMS:
        name = f"{prefix}_{item}"
        try:
            if name in body:
                flags[item] = _given.boolean(told, body[name])
        except _given.Refused as refused:
            errors[name] = [refused.words]
    return session_id, flags, errors


def _id(told: Told, value: Any) -> str:
    text = _given.text(told, value)
    if not is_uuid(text):
        raise _given.Refused(told["blocklist.not_a_uuid"])
    return text


def _session(visit: Visit, session_id: str) -> Session | None:
    session = visit.world.sessions.find(session_id.lower())
    reachable = session is not None and _access.is_live(visit) and session.owner == visit.owner
    return session if reachable else None


def _row(visit: Visit, face: IndexedFace) -> dict[str, Any]:
    known = {
        "item_type": "face",
        "session_id": face.session_id,
        "session_number": face.session_number,
        "created_at": _shapes.stamp(visit.told, face.at),
    }
    return {key: known[key] for key in visit.told["blocklist.keys"]}


ROUTES = (
    Route(pattern="/v3/blocklist/", door=Door.KEY, methods={"GET": entries}),
    Route(
        pattern="/v3/blocklist/add/",
        door=Door.KEY,
        methods={"POST": add},
        shown=("session_id", *(f"blocklist_{item}" for item in _ITEMS)),
        own={404: "blocklist.unknown"},
    ),
    Route(
        pattern="/v3/blocklist/remove/",
        door=Door.KEY,
        methods={"POST": remove},
        shown=("session_id", *(f"unblock_{item}" for item in _ITEMS)),
        own={404: "blocklist.unknown"},
    ),
)

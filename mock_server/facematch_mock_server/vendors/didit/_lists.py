"""/v3/lists/{uuid}/entries/, as far as the documents go: the entries, and a face by upload."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from facematch_mock_server._messages import Response
from facematch_mock_server.index import IndexedFace, Listing, identity_of

from . import _access, _given, _shapes
from ._blocklist import own_faces
from ._paging import paged
from ._records import records_of
from ._visit import Door, Route, Visit


def entries(visit: Visit) -> Response:
    """What is on a list."""
    listing = _listing(visit)
    if listing is None:
        return visit.answer("lists.unknown")
    faces = [face for face in own_faces(visit) if face.listing is listing]
    return paged(visit, "lists.entries", faces, lambda face: _entry(visit, face))


def upload(visit: Visit) -> Response:
    """A face by its picture."""
    listing = _listing(visit)
    if listing is None:
        return visit.answer("lists.unknown")
    if not isinstance(visit.body, dict):
        return visit.answer("given.object", kind=type(visit.body).__name__)
    picture, comment, errors = _asked_for(visit)
    if errors:
        return visit.answer("fields.refused", errors)
    decider = visit.world.decider
    outcome = decider.liveness(picture, rotate=False)
    if not outcome.probe.faces:
        return visit.answer("search.no_face")
    identity = identity_of(decider, picture, rotate=False, person=outcome.probe.person)
    face = IndexedFace(
        id=visit.world.ids.uuid(),
        owner=visit.owner,
        name=identity.name,
        score=identity.score,
        source=visit.told["search.listed_source"],
        comment=comment,
        at=visit.now,
        listing=listing,
    )
    records_of(visit.world).faces.add(face, identity.embedding)
    return visit.answer("lists.added", _entry(visit, face))


def _listing(visit: Visit) -> Listing | None:
    if not _access.is_live(visit):
        return None
    wanted = visit.words[0].lower()
    name = records_of(visit.world).list_id
    return next((one for one in Listing if name(visit.owner, one) == wanted), None)


def _asked_for(visit: Visit) -> tuple[bytes, str | None, dict[str, list[str]]]:
    told, body = visit.told, visit.fields
    errors: dict[str, list[str]] = {}
    picture, comment = b"", None
    try:
        picture = _decoded(visit, _given.long_text(told, _given.required(told, body, "image")))
    except _given.Refused as refused:
        errors["image"] = [refused.words]
    try:
        if body.get("comment") is not None:
            comment = _given.text(told, body["comment"])
    except _given.Refused as refused:
        errors["comment"] = [refused.words]
    return picture, comment, errors


def _decoded(visit: Visit, text: str) -> bytes:
    told = visit.told
    try:
        picture = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _given.Refused(told["lists.bad_image"]) from None
    if len(picture) > told["lists.largest"]:
        raise _given.Refused(told["lists.too_large"])
    return picture


def _entry(visit: Visit, face: IndexedFace) -> dict[str, Any]:
    told = visit.told
    known: dict[str, Any] = {
        "uuid": face.id,
        "display_label": told["lists.label"],
        "comment": face.comment,
        "reference_session_id": face.session_id,
        "reference_session_number": face.session_number,
        "created_at": _shapes.stamp(told, face.at),
    }
    return {key: known.get(key) for key in told["lists.keys"]}


ROUTES = (
    Route(
        pattern="/v3/lists/{uuid}/entries/",
        door=Door.KEY,
        methods={"GET": entries},
        served="lists.there",
        own={404: "lists.unknown"},
    ),
    Route(
        pattern="/v3/lists/{uuid}/entries/face-upload/",
        door=Door.KEY,
        methods={"POST": upload},
        served="lists.there",
        own={404: "lists.unknown"},
    ),
)

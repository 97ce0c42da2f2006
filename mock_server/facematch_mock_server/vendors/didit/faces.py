"""Lists of faces: the block list by session, and the lists of the later edition by picture."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from facematch_mock_server.claims import Citations
from facematch_mock_server.messages import Response
from facematch_mock_server.recognition.index import IndexedFace, Listing, identity_of
from facematch_mock_server.vendors.base import Field

from . import framework
from .access import DiditCall, Door, json_route
from .decisions import stamp
from .framework import Given, Invalid, paged

#: What can be on the block list, by the field that puts it there and the one that takes it off.
_ITEMS = ("face", "document", "phone", "email")


def _own_faces(call: DiditCall, listing: Listing) -> list[IndexedFace]:
    """The listed faces of whose key it is; a sandbox key has none."""
    if not call.is_live:
        return []
    return [face for face in call.records.faces.all(call.owner) if face.listing is listing]


# /v3/blocklist/


def _flags(prefix: str) -> tuple[Given, ...]:
    flags = (f"{prefix}_{item}" for item in _ITEMS)
    return (
        Given(name="session_id", required=True, read=framework.uuid),
        *(Given(name=name, kind="boolean", read=framework.boolean) for name in flags),
    )


_BLOCK, _UNBLOCK = _flags("blocklist"), _flags("unblock")


def _block(call: DiditCall) -> Response:
    """Put the face of a saved call on the block list."""
    values = framework.read_json_fields(call, call.body, _BLOCK)
    return _changed(call, values["session_id"], Listing.BLOCK, wanted=values.get("blocklist_face"))


def _unblock(call: DiditCall) -> Response:
    """Take the face of a saved call off the block list."""
    values = framework.read_json_fields(call, call.body, _UNBLOCK)
    return _changed(call, values["session_id"], None, wanted=values.get("unblock_face"))


def _changed(
    call: DiditCall, session_id: str, listing: Listing | None, *, wanted: bool | None
) -> Response:
    session = call.world.sessions.find(session_id)
    if session is None or not call.is_live or session.owner != call.owner:
        call.refuse("blocklist.unknown")
    if wanted:
        faces = call.records.faces.of_session(session.id)
        if not faces:
            call.claims.cite("blocklist.needs_face")
            call.refuse("blocklist.no_face")
        for face in faces:
            call.records.faces.enlist(face.id, listing)
    return call.answer("blocklist.changed")


def _blocked(call: DiditCall) -> Response:
    """List what is on the block list."""
    claims, wanted = call.claims, call.query.get("item_type", "face")
    claims.cite("blocklist.filters")
    rows = []
    for face in _own_faces(call, Listing.BLOCK) if wanted == "face" else ():
        known = {
            "item_type": "face",
            "session_id": face.session_id,
            "session_number": face.session_number,
            "created_at": stamp(claims, face.at),
        }
        rows.append({key: known[key] for key in claims["blocklist.keys"]})
    return call.answer("blocklist.answer", rows)


# /v3/lists/{uuid}/entries/, as far as the documents go: the entries, and a face by upload


def _listing(call: DiditCall) -> Listing:
    wanted, name = call.words[0].lower(), call.records.list_id
    theirs = Listing if call.is_live else ()
    found = next((one for one in theirs if name(call.owner, one) == wanted), None)
    if found is None:
        call.refuse("lists.unknown")
    return found


def _entries(call: DiditCall) -> Response:
    """List what is on a list of faces."""
    faces = _own_faces(call, _listing(call))
    return paged(call, call.origin, "lists.entries", faces, lambda face: _entry(call.claims, face))


def _picture(claims: Citations, value: Any) -> bytes:
    try:
        picture = base64.b64decode(framework.long_text(claims, value), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(claims["lists.bad_image"]) from None
    if len(picture) > claims["lists.largest"]:
        raise Invalid(claims["lists.too_large"])
    return picture


_UPLOAD = (
    Given(name="image", kind="base64", required=True, read=_picture),
    Given(name="comment", read=framework.text, nullable=True),
)


def _upload(call: DiditCall) -> Response:
    """Put a face on a list by its picture."""
    listing, claims, world = _listing(call), call.claims, call.world
    values = framework.read_json_fields(call, call.body, _UPLOAD)
    picture: bytes = values["image"]
    seen = world.recognizer.liveness(picture, rotate=False).probe
    if not seen.faces:
        call.refuse("search.no_face")
    identity = identity_of(world.recognizer, picture, seen.person, rotate=False)
    face = IndexedFace(
        id=world.server.ids.uuid(),
        owner=call.owner,
        name=identity.name,
        score=identity.score,
        source=claims["search.listed_source"],
        comment=values.get("comment"),
        at=call.now,
        listing=listing,
    )
    call.records.faces.add(face, identity.embedding)
    return call.answer("lists.added", _entry(claims, face))


def _entry(claims: Citations, face: IndexedFace) -> dict[str, Any]:
    known: dict[str, Any] = {
        "uuid": face.id,
        "display_label": claims["lists.label"],
        "comment": face.comment,
        "reference_session_id": face.session_id,
        "reference_session_number": face.session_number,
        "created_at": stamp(claims, face.at),
    }
    return {key: known.get(key) for key in claims["lists.keys"]}


def _open(fields: tuple[Field, ...]) -> dict[str, Any]:
    """Fields of a body that the journal may show, all of them."""
    return {"fields": fields, "shown": tuple(field.name for field in fields)}


ROUTES = (
    json_route(
        "/v3/blocklist/",
        {"GET": _blocked},
        query=(Field(name="item_type"),),
        lists=("GET",),
    ),
    json_route(
        "/v3/blocklist/add/",
        {"POST": _block},
        **_open(_BLOCK),
        own={404: "blocklist.unknown"},
    ),
    json_route(
        "/v3/blocklist/remove/",
        {"POST": _unblock},
        **_open(_UNBLOCK),
        own={404: "blocklist.unknown"},
    ),
    json_route(
        "/v3/lists/{uuid}/entries/",
        {"GET": _entries},
        query=framework.PAGE,
        own={404: "lists.unknown"},
        door=Door(served="lists.there"),
    ),
    json_route(
        "/v3/lists/{uuid}/entries/face-upload/",
        {"POST": _upload},
        fields=_UPLOAD,
        gives={"POST": "lists.added"},
        own={404: "lists.unknown"},
        door=Door(served="lists.there"),
    ),
)

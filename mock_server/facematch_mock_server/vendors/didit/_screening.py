"""The index behind the picture endpoints: who is enrolled, and who is known from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from facematch_mock_server._ledger import FIRST_OWNER
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told
from facematch_mock_server.index import Identity, IndexedFace, Listing, Near, identity_of
from facematch_mock_server.outcomes import Likeness
from facematch_mock_server.world import World

from . import _media
from ._call import Call
from ._records import records_of
from ._visit import origin_of

_BLOCKLIST: Mapping[Likeness, str] = {
    "certain": "FACE_IN_BLOCKLIST",
    "possible": "POSSIBLE_FACE_IN_BLOCKLIST",
}
_DUPLICATE: Mapping[Likeness, str] = {
    "certain": "DUPLICATED_FACE",
    "possible": "POSSIBLE_DUPLICATED_FACE",
}
#: The name of the picture of a face, in every session that has one.
_PICTURE = "reference_image"


@attrs.frozen
class Known:
    """What the index says of a face.

    Attributes:
        near: The faces that are like it, the most alike first.
        risks: Those that follow, each with its additional data.
    """

    near: tuple[Near, ...] = ()
    risks: Mapping[str, Any] = attrs.field(factory=dict)


def screened(call: Call, rules: str) -> Known:
    """Whom the face of a call is like; an outcome that a test set goes before the index.

    Args:
        rules: Prefix of the behaviours that say who is left out: ``liveness`` or ``search``.
    """
    near = tuple(_near(call, rules))
    return Known(near, _risks(call, near, rules))


def prepare(call: Call) -> None:
    """Find out who is to be enrolled: it looks at the picture, and so it may fail."""
    if _enrols(call):
        _identity(call)


def enrol(call: Call, session: Session | None) -> None:
    """Put the face of a call into the index, if its endpoint does that and the call is kept."""
    if _enrols(call):
        _enrol(call, session)


def prepare_sandbox(call: Call) -> None:
    """As `prepare`, for a sandbox call."""
    if _enrols_sandbox(call):
        _identity(call)


def enrol_sandbox(call: Call) -> None:
    """What a sandbox call would enrol."""
    if _enrols_sandbox(call):
        _enrol(call, None)


def _enrols_sandbox(call: Call) -> bool:
    enrols = call.told.peek(f"{call.endpoint.name}.enrols")
    return bool(enrols and call.told["index.sandbox"])


def status_of(world: World, face: IndexedFace) -> str | None:
    """The vendor's word for the session of a face as it is now, or for the face itself."""
    session = None if face.session_id is None else world.sessions.find(face.session_id)
    return face.status if session is None else session.status


def match_rows(call: Call, near: tuple[Near, ...]) -> list[dict[str, Any]]:
    """The faces that were found, as a search tells them."""
    keys = call.told["search.match_keys"]
    return [{key: row[key] for key in keys} for row in (_row(call, one) for one in near)]


def kept_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those rows as a session keeps them: an address of a picture is not written down."""
    return [{**row, "match_image_url": None} for row in rows]


def _enrols(call: Call) -> bool:
    told = call.told
    if not told[f"{call.endpoint.name}.enrols"] or not (call.saved or told["index.unsaved"]):
        return False
    return call.outcome is None or bool(call.outcome.probe.faces)


def _enrol(call: Call, session: Session | None) -> None:
    identity = _identity(call)
    face = IndexedFace(
        id=call.world.ids.uuid(),
        owner=_owner(call),
        name=identity.name,
        score=identity.score,
        session_id=None if session is None else session.id,
        session_number=None if session is None else session.number,
        service=None if session is None else session.service,
        vendor_data=call.values.get("vendor_data"),
        at=call.now,
        hidden=call.endpoint.name in call.told["index.hides"],
    )
    records_of(call.world).faces.add(face, identity.embedding)


def _identity(call: Call) -> Identity:
    if call.identity is None:
        upload = call.upload("user_image")
        call.identity = identity_of(
            call.world.decider,
            upload.content,
            rotate=call.values["rotate_image"],
            digest=upload.digest,
            person=None if call.outcome is None else call.outcome.probe.person,
        )
    return call.identity


def _owner(call: Call) -> str:
    return FIRST_OWNER if call.key is None else call.key.owner


def _near(call: Call, rules: str) -> Iterator[Near]:
    told, decider = call.told, call.world.decider
    faces = records_of(call.world).faces
    if not len(faces):
        # Most worlds never enrol anybody: then nobody needs to know who it is.
        return
    found = faces.near(
        _owner(call),
        _identity(call),
        told.peek("index.possible"),
        salt=getattr(decider, "salt", ""),
        scores=getattr(decider, "embedding_scores", None),
    )
    for near in found:
        told.note("index.possible")
        if _is_there(told, near.face) and not _is_same(call, near.face, rules):
            yield near


def _is_there(told: Told, face: IndexedFace) -> bool:
    if face.deleted:
        stays = face.listing is not None and told["index.listed_stay"]
        return bool(stays or not told["index.forgets"])
    return face.listing is not None or not face.hidden


def _is_same(call: Call, face: IndexedFace, rules: str) -> bool:
    """Whether it was enrolled for the same person, in the caller's own words."""
    told, sent = call.told, call.values.get("vendor_data")
    if sent is None or sent != face.vendor_data:
        return False
    return bool(told[f"{rules}.leaves_out"])


def _risks(call: Call, near: tuple[Near, ...], rules: str) -> dict[str, Any]:
    told, outcome = call.told, call.outcome
    found = (
        (
            _BLOCKLIST,
            getattr(outcome, "blocklist", None),
            _blocked(near),
            "liveness.blocklist_data",
        ),
        (
            _DUPLICATE,
            getattr(outcome, "duplicate", None),
            _duplicated(call, near, rules),
            "liveness.duplicate_data",
        ),
    )
    risks: dict[str, Any] = {}
    for names, wanted, best, keys in found:
        if wanted is not None:
            risks[names[wanted]] = dict(zip(told[keys], told["liveness.known_from"], strict=False))
        elif best is not None:
            face = best.face
            told_of = (face.session_id, face.session_number, face.service)
            risks[names[_likeness(told, best)]] = dict(zip(told[keys], told_of, strict=False))
    return risks


def _likeness(told: Told, near: Near) -> Likeness:
    return "certain" if near.score >= told["index.certain"] else "possible"


def _blocked(near: tuple[Near, ...]) -> Near | None:
    return next((one for one in near if one.face.listing is Listing.BLOCK), None)


def _duplicated(call: Call, near: tuple[Near, ...], rules: str) -> Near | None:
    told = call.told
    allowed = any(one.face.listing is Listing.ALLOW for one in near)
    if allowed and told[f"{rules}.allowed_suppress"]:
        return None
    for one in near:
        listed = one.face.listing is Listing.BLOCK
        if listed and told["index.listed_once"]:
            continue
        if status_of(call.world, one.face) in told["index.duplicates"]:
            return one
    return None


def _row(call: Call, near: Near) -> dict[str, Any]:
    told, face = call.told, near.face
    nameless: dict[str, Any] = dict.fromkeys(told["search.user_keys"])
    return {
        "session_id": face.session_id,
        "session_number": face.session_number,
        "similarity_percentage": near.score,
        "source": told["search.listed_source"] if face.deleted else face.source,
        "vendor_data": face.vendor_data,
        "verification_date": face.at.strftime(told["search.date"]),
        "user_details": None
        if face.full_name is None
        else {**nameless, told["search.user_keys"][0]: face.full_name},
        "match_image_url": _image(call, face),
        "status": status_of(call.world, face),
        "is_blocklisted": face.listing is Listing.BLOCK,
        "is_allowlisted": face.listing is Listing.ALLOW,
        "api_service": face.service,
        "vendor_user_id": None,
        "biometric_template_id": None,
    }


def _image(call: Call, face: IndexedFace) -> str | None:
    """Where the picture of a session is; a face without one has none."""
    session = None if face.session_id is None else call.world.sessions.find(face.session_id)
    if session is None or _PICTURE not in session.pictures:
        return None
    if not call.saved and call.told["search.path_unsaved"]:
        template: str = call.told["search.storage_path"]
        return template.format(session=session.id, name=_PICTURE)
    origin = origin_of(call.world, call.request)
    return _media.addresses(call.world, call.told, session, origin)[_PICTURE]

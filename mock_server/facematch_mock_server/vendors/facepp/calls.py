"""Sets of faces that answers have named, and the faces in a set that are like a picture's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from facematch_mock_server.vendors.kit import (
    FaceTokens,
    PairCall,
    PairEndpoint,
    PictureFields,
    Response,
    Upload,
)
from facematch_mock_server.vendors.kit import persons as stored

from .wire import THRESHOLDS, begin_answer, list_faces, new_image_id

#: The name of a set is the caller's `outer_id`; "" if none was sent.
Facesets = stored.Persons[stored.Group, stored.Person]


class Records(FaceTokens):
    """The faces by the tokens that answers named, and the sets of them. Thread-safe.

    A person of the store is one face: its id has the set's token and the face's, its name is the
    latter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.facesets: Facesets = stored.Persons()


def create(call: PairCall) -> Response:
    """Make a set; with force_merge, the faces go to the set that has the outer_id, if any."""
    outer_id = call.texts.get("outer_id", "")
    facesets = _facesets_of(call)
    with facesets.lock:
        if outer_id and _find_named(call, outer_id) is not None:
            if call.texts.get("force_merge") == "1":
                return add(call)
            call.refuse("faceset.exists")
        token = call.world.ids.hex()
        faceset = stored.Group(id=token, name=outer_id, model="")
        facesets.groups.put(token, faceset)
    return _answer(call, "faceset.changed", faceset, **_add(call, faceset))


def add(call: PairCall) -> Response:
    faceset = _find(call)
    return _answer(call, "faceset.changed", faceset, **_add(call, faceset))


def remove(call: PairCall) -> Response:
    faceset = _find(call)
    return _answer(call, "faceset.changed", faceset, **_remove(call, faceset))


def delete(call: PairCall) -> Response:
    faceset = _find(call)
    facesets = _facesets_of(call)
    if call.texts.get("check_empty") != "0" and facesets.persons_of([faceset.id]):
        call.refuse("faceset.not_empty")
    facesets.remove_group(faceset.id)
    return _answer(call, "faceset.changed", faceset)


def search(call: PairCall) -> Response:
    """Return the faces of a set, those most like the largest face of a picture first."""
    faceset = _find(call)
    faces = _facesets_of(call).persons_of([faceset.id])
    if not faces:
        call.refuse("faceset.empty")
    most_results = call.texts.get("return_result_count", "1")
    if most_results not in ("1", "2", "3", "4", "5"):
        call.refuse("search.count")
    ((name, picture),) = call.pictures.items()
    seen = call.detect_faces(picture)
    if not seen.decodes:
        call.refuse("picture.unreadable", name=name)
    body = begin_answer(call, time_used_ms=473)
    if name != "face_token":
        body["image_id"] = new_image_id(call)
        body["faces"] = list_faces(call, picture, seen)
    if seen.faces:
        number = int(call.names_smaller_face)
        ranked_faces = stored.rank_faces(call, picture, number, faces)[: int(most_results)]
        body["results"] = [_describe(ranked) for ranked in ranked_faces]
        body["thresholds"] = THRESHOLDS
        call.pay()
    return call.answer("search.answer", body)


#: Forms are read whose fields may hold a face's token.
_TOKENS: Final = PictureFields(tokens=("face_tokens",))
_PICTURE: Final = PictureFields(
    files=("image_file",), texts=("image_base64",), tokens=("face_token",), links=("image_url",)
)
_ROOT: Final = "/facepp/v3"
#: The handlers by endpoint.
HANDLERS: Final[Mapping[PairEndpoint, Callable[[PairCall], Response]]] = {
    PairEndpoint(path=f"{_ROOT}/search", pictures=_PICTURE): search,
    **{
        PairEndpoint(path=f"{_ROOT}/faceset/{name}", pictures=_TOKENS, operation=None): handle
        for name, handle in (
            ("create", create),
            ("addface", add),
            ("removeface", remove),
            ("delete", delete),
        )
    },
}


def _facesets_of(call: PairCall) -> Facesets:
    records: Records = call.world.records
    return records.facesets


def _find(call: PairCall) -> stored.Group:
    """Return the set that a call names by its token or by the caller's own id."""
    token = call.texts.get("faceset_token")
    outer_id = call.texts.get("outer_id")
    if token:
        faceset = _facesets_of(call).groups.find(token)
    elif outer_id:
        faceset = _find_named(call, outer_id)
    else:
        call.refuse("field.missing", name="faceset_token")
    if faceset is None:
        call.refuse("faceset.unknown", name="FACESET_TOKEN" if token else "OUTER_ID")
    return faceset


def _find_named(call: PairCall, outer_id: str) -> stored.Group | None:
    """Return the set with the caller's own id; None if there is none."""
    for faceset in _facesets_of(call).groups.all():
        if faceset.name == outer_id:
            return faceset
    return None


def _read_tokens(call: PairCall) -> list[str]:
    text = call.texts.get("face_tokens", "")
    return text.split(",") if text else []


def _add(call: PairCall, faceset: stored.Group) -> dict[str, Any]:
    """Add the faces of tokens to a set; return how many, and the tokens that are unknown."""
    tokens = _read_tokens(call)
    if len(tokens) > call.claims["faceset.most_tokens"]:
        call.refuse("analyze.too_many")
    added = 0
    failed = []
    for token in tokens:
        known = call.world.records.faces.find(token)
        content = None if known is None else call.world.pictures.find(known.digest)
        if known is None or content is None:
            failed.append({"face_token": token, "reason": "INVALID_FACE_TOKEN"})
            continue
        picture = Upload("", content, known.digest)
        face = stored.PersonFace(id=token, picture=picture, number=known.number)
        key = f"{faceset.id}/{token}"
        person = stored.Person(id=key, name=token, group_id=faceset.id, faces=(face,))
        _facesets_of(call).persons.put(key, person)
        added += 1
    return {"face_added": added, "failure_detail": failed}


def _remove(call: PairCall, faceset: stored.Group) -> dict[str, Any]:
    """Remove the faces of tokens from a set; return how many."""
    facesets = _facesets_of(call)
    tokens = _read_tokens(call)
    removed = 0
    for face in facesets.persons_of([faceset.id]):
        if face.name in tokens or "RemoveAllFaceTokens" in tokens:
            facesets.persons.remove(face.id)
            removed += 1
    return {"face_removed": removed, "failure_detail": []}


def _answer(call: PairCall, key: str, faceset: stored.Group, **fields: Any) -> Response:
    described = _describe_set(call, faceset)
    return call.answer(key, {**begin_answer(call, time_used_ms=212), **described, **fields})


def _describe_set(call: PairCall, faceset: stored.Group) -> dict[str, Any]:
    return {
        "faceset_token": faceset.id,
        "outer_id": faceset.name,
        "face_count": len(_facesets_of(call).persons_of([faceset.id])),
    }


def _describe(ranked: stored.RankedFace[stored.Person]) -> dict[str, Any]:
    confidence = round(ranked.score, 3)
    return {"confidence": confidence, "user_id": "", "face_token": ranked.face.id}

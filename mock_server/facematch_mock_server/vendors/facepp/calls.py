"""Sets of faces that answers have named, and the faces in a set that are like a picture's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs

from facematch_mock_server.vendors.kit import (
    Collection,
    FaceTokens,
    PairCall,
    PairEndpoint,
    PictureFields,
    Response,
    Upload,
    box_in_pixels,
)
from facematch_mock_server.vendors.kit import persons as stored

from .wire import THRESHOLDS, begin_answer, find_face, list_faces

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Faceset(stored.Group):
    """A set of faces. Its name is the caller's `outer_id`; each text is "" if none was sent."""

    display_name: str
    user_data: str
    tags: str


Facesets = stored.Persons[Faceset, stored.Person]
#: The texts of a set besides its names.
_TEXTS: Final[Sequence[str]] = ("display_name", "user_data", "tags")


class Records(FaceTokens):
    """The faces by the tokens that answers named, and the sets of them. Thread-safe.

    A person of the store is one face: its id has the set's token and the face's, its name is the
    latter. `user_ids` has the user ids of faces by their token; `tasks` has how a change ended,
    whose caller did not wait, by its id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.facesets: Facesets = stored.Persons()
        self.user_ids: Collection[str] = Collection(limit=10_000)
        self.tasks: Collection[Mapping[str, Any]] = Collection(limit=1000)


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
        texts = {each: call.texts.get(each, "") for each in _TEXTS}
        faceset = Faceset(id=token, name=outer_id, model="", **texts)
        facesets.groups.put(token, faceset)
    return _answer(call, "faceset.changed", faceset, **_add(call, faceset))


def add(call: PairCall) -> Response:
    faceset = _find(call)
    return _answer(call, "faceset.changed", faceset, **_add(call, faceset))


def remove(call: PairCall) -> Response:
    faceset = _find(call)
    return _answer(call, "faceset.changed", faceset, **_remove(call, faceset))


def add_later(call: PairCall) -> Response:
    faceset = _find(call)
    return _begin_task(call, faceset, _add(call, faceset))


def remove_later(call: PairCall) -> Response:
    faceset = _find(call)
    return _begin_task(call, faceset, _remove(call, faceset))


def read_task(call: PairCall) -> Response:
    task_id = call.texts.get("task_id") or call.refuse("key.missing", name="task_id")
    found = call.world.records.tasks.find(task_id)
    if found is None:
        call.refuse("task.unknown")
    body = {**begin_answer(call, time_used_ms=18), "task_id": task_id, "status": 1, **found}
    return call.answer("task.done", body)


def read(call: PairCall) -> Response:
    faceset = _find(call)
    tokens = [face.name for face in _facesets_of(call).persons_of([faceset.id])]
    page, more = _cut_page(call, tokens)
    texts = {each: getattr(faceset, each) for each in _TEXTS}
    return _answer(call, "faceset.read", faceset, **texts, face_tokens=page, **more)


def update(call: PairCall) -> Response:
    """Replace the texts of a set that the call has."""
    facesets = _facesets_of(call)
    new_id = call.texts.get("new_outer_id")
    with facesets.lock:
        faceset = _find(call)
        changes = {each: call.texts[each] for each in _TEXTS if each in call.texts}
        if new_id:
            if new_id != faceset.name and _find_named(call, new_id) is not None:
                call.refuse("faceset.exists")
            changes["name"] = new_id
        faceset = attrs.evolve(faceset, **changes)
        facesets.groups.put(faceset.id, faceset)
    return _answer(call, "faceset.changed", faceset)


def list_facesets(call: PairCall) -> Response:
    """Return the sets, or those with any of some tags."""
    tags = call.texts.get("tags")
    described = []
    for faceset in _facesets_of(call).groups.all():
        if tags and not {*tags.split(",")} & {*faceset.tags.split(",")}:
            continue
        described.append({**_name(faceset), "tags": faceset.tags})
    page, more = _cut_page(call, described)
    body = {**begin_answer(call, time_used_ms=18), "facesets": page, **more}
    return call.answer("faceset.list", body)


def delete(call: PairCall) -> Response:
    faceset = _find(call)
    facesets = _facesets_of(call)
    if call.texts.get("check_empty") != "0" and facesets.persons_of([faceset.id]):
        call.refuse("faceset.not_empty")
    facesets.remove_group(faceset.id)
    return _answer(call, "faceset.changed", faceset)


def set_user_id(call: PairCall) -> Response:
    """Give a face a user id, which searches return with it."""
    named = {}
    for name in ("face_token", "user_id"):
        named[name] = call.texts.get(name) or call.refuse("key.missing", name=name)
    token = named["face_token"]
    find_face(call, token)
    call.world.records.user_ids.put(token, named["user_id"])
    return call.answer("face.user_id", {**begin_answer(call, time_used_ms=98), **named})


def read_face(call: PairCall) -> Response:
    """Return a face with the sets in which it is."""
    token = call.texts.get("face_token") or call.refuse("key.missing", name="face_token")
    face = find_face(call, token)
    facesets = _facesets_of(call)
    is_in = {each.group_id for each in facesets.persons.all() if each.name == token}
    body = {
        **begin_answer(call, time_used_ms=98),
        "face_token": token,
        "face_rectangle": box_in_pixels(face),
        "user_id": call.world.records.user_ids.find(token) or "",
        "facesets": [_name(each) for each in facesets.groups.all() if each.id in is_in],
    }
    return call.answer("face.read", body)


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
        body["image_id"] = call.world.ids.uuid()
        body["faces"] = list_faces(call, picture, seen)
    if seen.faces:
        number = int(call.names_smaller_face)
        ranked_faces = stored.rank_faces(call, picture, number, faces)[: int(most_results)]
        body["results"] = [_describe(call, ranked) for ranked in ranked_faces]
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
    PairEndpoint(path=f"{_ROOT}/face/setuserid", pictures=_TOKENS, operation=None): set_user_id,
    PairEndpoint(path=f"{_ROOT}/face/getdetail", pictures=_TOKENS, operation=None): read_face,
    **{
        PairEndpoint(path=f"{_ROOT}/faceset/{name}", pictures=_TOKENS, operation=None): handle
        for name, handle in (
            ("create", create),
            ("addface", add),
            ("removeface", remove),
            ("async/addface", add_later),
            ("async/removeface", remove_later),
            ("async/task_status", read_task),
            ("getdetail", read),
            ("update", update),
            ("getfacesets", list_facesets),
            ("delete", delete),
        )
    },
}


def _facesets_of(call: PairCall) -> Facesets:
    records: Records = call.world.records
    return records.facesets


def _find(call: PairCall) -> Faceset:
    """Return the set that a call names by its token or by the caller's own id."""
    token = call.texts.get("faceset_token")
    outer_id = call.texts.get("outer_id")
    if token:
        faceset = _facesets_of(call).groups.find(token)
    elif outer_id:
        faceset = _find_named(call, outer_id)
    else:
        call.refuse("key.missing", name="faceset_token")
    if faceset is None:
        call.refuse("faceset.unknown", name="FACESET_TOKEN" if token else "OUTER_ID")
    return faceset


def _find_named(call: PairCall, outer_id: str) -> Faceset | None:
    """Return the set with the caller's own id; None if there is none."""
    for faceset in _facesets_of(call).groups.all():
        if faceset.name == outer_id:
            return faceset
    return None


def _name(faceset: Faceset) -> dict[str, str]:
    """Return what a list of sets tells of one."""
    return {
        "faceset_token": faceset.id,
        "outer_id": faceset.name,
        "display_name": faceset.display_name,
    }


def _cut_page(call: PairCall, items: Sequence[T]) -> tuple[Sequence[T], dict[str, str]]:
    """Return the items from the number `start`, and `next` if there are more."""
    text = call.texts.get("start") or "1"
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 10_000:
        call.refuse("faceset.start")
    start = int(text) - 1
    end = start + call.claims["faceset.page"]
    more = {"next": str(end + 1)} if end < len(items) else {}
    return items[start:end], more


def _read_tokens(call: PairCall) -> list[str]:
    text = call.texts.get("face_tokens", "")
    return text.split(",") if text else []


def _add(call: PairCall, faceset: Faceset) -> dict[str, Any]:
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


def _remove(call: PairCall, faceset: Faceset) -> dict[str, Any]:
    """Remove the faces of tokens from a set; return how many."""
    facesets = _facesets_of(call)
    tokens = _read_tokens(call)
    removed = 0
    for face in facesets.persons_of([faceset.id]):
        if face.name in tokens or "RemoveAllFaceTokens" in tokens:
            facesets.persons.remove(face.id)
            removed += 1
    return {"face_removed": removed, "failure_detail": []}


def _begin_task(call: PairCall, faceset: Faceset, fields: Mapping[str, Any]) -> Response:
    """Return the id of a change that is done."""
    task_id = call.world.ids.hex()
    call.world.records.tasks.put(task_id, {**_describe_set(call, faceset), **fields})
    body = {**begin_answer(call, time_used_ms=18), "task_id": task_id}
    return call.answer("task.begun", body)


def _answer(call: PairCall, key: str, faceset: Faceset, **fields: Any) -> Response:
    described = _describe_set(call, faceset)
    return call.answer(key, {**begin_answer(call, time_used_ms=212), **described, **fields})


def _describe_set(call: PairCall, faceset: Faceset) -> dict[str, Any]:
    return {
        "faceset_token": faceset.id,
        "outer_id": faceset.name,
        "face_count": len(_facesets_of(call).persons_of([faceset.id])),
    }


def _describe(call: PairCall, ranked: stored.RankedFace[stored.Person]) -> dict[str, Any]:
    token = ranked.face.id
    user_id = call.world.records.user_ids.find(token) or ""
    return {"confidence": round(ranked.score, 3), "user_id": user_id, "face_token": token}

"""Person groups and face lists, also large ones: they are made, read, listed, trained, deleted.

Sources: Azure/azure-rest-api-specs, Face v1.2; Microsoft Learn, Azure AI Face API error codes; the
paths that programs of v1.0 use are in azure-cognitiveservices-vision-face 0.6.1.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors import persons as stored
from facematch_mock_server.vendors.base import NumberedCall
from facematch_mock_server.vendors.persons import PersonFace

from . import faces, preview

_ID = re.compile(r"[a-z0-9_-]{1,64}")


@attrs.frozen
class Kind:
    """A kind of group, whose ids are a space of their own.

    Attributes:
        path: Its path, which begins the keys of such groups in the records.
        field: The field with an id.
        name: What it is called in messages.
        has_persons: Whether faces are added to the persons in a group, rather than to the group.
    """

    path: str
    field: str
    name: str
    has_persons: bool

    @property
    def words(self) -> dict[str, Any]:
        """What fills a refusal: the kind in a code, and in two sentences."""
        title = self.name.title()
        return {"code": title.replace(" ", ""), "kind": self.name, "title": title}

    def key_of(self, group_id: str) -> str:
        return f"{self.path}/{group_id}"


PERSONS = Kind("persongroups", "personGroupId", "Person group", has_persons=True)
LARGE_PERSONS = Kind(
    "largepersongroups", "largePersonGroupId", "Large person group", has_persons=True
)
FACES = Kind("facelists", "faceListId", "Face list", has_persons=False)
LARGE_FACES = Kind("largefacelists", "largeFaceListId", "Large face list", has_persons=False)
_KINDS = (PERSONS, LARGE_PERSONS, FACES, LARGE_FACES)


@attrs.frozen(kw_only=True)
class Person(stored.Person):
    """A person in a group, or what holds the faces of a face list.

    Attributes:
        user_data: What the caller has added, or None.
    """

    user_data: str | None


@attrs.frozen(kw_only=True)
class Group(stored.Group):
    """A group of persons or of faces.

    Attributes:
        kind: Its kind.
        user_data: What the caller has added, or None.
        created_at: When it was created.
        trained_at: When it was last trained; None if never.
        trained: Its persons with a face at that time, whom `identify` knows.
    """

    kind: Kind
    user_data: str | None
    created_at: dt.datetime
    trained_at: dt.datetime | None = None
    trained: tuple[Person, ...] = ()


Record = TypeVar("Record", Group, Person, PersonFace)


class Records(stored.Persons[Group, Person]):
    """The groups of one world, and the newest 1,000 faces by face id (our choice)."""

    def __init__(self) -> None:
        super().__init__()
        self.faces: Collection[faces.DetectedFace] = Collection(limit=1000)


def create(call: NumberedCall) -> Response:
    """Create a group or a face list; refuse one whose id exists."""
    kind = _kind_in_path(call)
    group_id, *_ = call.path_values
    body = call.read_object("body.json")
    model = faces.read_recognition_model(call, body)
    key = _key_of(call, kind, group_id)
    names = read_names(call, body)
    group = Group(id=key, kind=kind, **names, model=model, created_at=call.now)
    records = records_of(call)
    with records.lock:
        if records.groups.find(key) is not None:
            call.refuse("group.exists", **kind.words)
        records.groups.put(key, group)
        if not kind.has_persons:
            holder = Person(id=key, name="", group_id=key, user_data=None)
            records.persons.put(key, holder)
    return faces.charge(call, "group.created")


def read(call: NumberedCall) -> Response:
    group = find(call)
    shown = _describe(call, group)
    if group.kind is FACES:
        shown["persistedFaces"] = [describe_face(each) for each in holder_of(call).faces]
    return faces.charge(call, "group.read", shown)


def list_all(call: NumberedCall) -> Response:
    kind = _kind_in_path(call)
    start = kind.key_of(call.query.get("start", ""))
    groups = [group for group in records_of(call).groups.all() if group.kind is kind]
    page = select_page(call, groups, start)
    return faces.charge(call, "group.list", [_describe(call, each) for each in page])


def _describe(call: NumberedCall, group: Group) -> dict[str, Any]:
    group_id = group.id.removeprefix(group.kind.key_of(""))
    shown = {group.kind.field: group_id, "name": group.name, "userData": group.user_data}
    if call.query.get("returnRecognitionModel", "").lower() == "true":
        shown["recognitionModel"] = group.model
    return shown


def delete(call: NumberedCall) -> Response:
    records = records_of(call)
    with records.lock:
        records.remove_group(find(call).id)
    return faces.charge(call, "group.deleted")


def train(call: NumberedCall) -> Response:
    records = records_of(call)
    with records.lock:
        group = find(call)
        persons = tuple(each for each in records.persons_of([group.id]) if each.faces)
        records.groups.put(group.id, attrs.evolve(group, trained_at=call.now, trained=persons))
    location = f"{call.origin}{call.request.path}ing"
    return faces.charge(call, "group.trained", headers=(("operation-Location", location),))


def read_training(call: NumberedCall) -> Response:
    """Return that a group was trained, which is done at once; refuse a group that never was."""
    group = find(call)
    if group.trained_at is None:
        call.refuse("group.untrained_status", **group.kind.words)
    trained_at = group.trained_at.isoformat()
    status = {
        "status": "succeeded",
        "createdDateTime": group.created_at.isoformat(),
        "lastActionDateTime": trained_at,
        "lastSuccessfulTrainingDateTime": trained_at,
        "message": None,
    }
    return faces.charge(call, "group.training", status)


def add_face(call: NumberedCall) -> Response:
    """Add a face to a person or to a face list."""
    holder_of(call)
    picture = faces.read_picture(call)
    number = faces.find_target(call, picture)
    user_data = call.query.get("userData", "")
    records = records_of(call)
    with records.lock:
        holder = holder_of(call)
        most_faces = call.claims["person.most_faces"]
        if _kind_in_path(call).has_persons and len(holder.faces) >= most_faces:
            call.refuse("person.full", "person.most_faces")
        face_id = call.world.account.ids.uuid()
        face = PersonFace(id=face_id, picture=picture, number=number, data=user_data)
        records.persons.put(holder.id, attrs.evolve(holder, faces=(*holder.faces, face)))
    return faces.charge(call, "person.face", {"persistedFaceId": face.id})


def list_faces(call: NumberedCall) -> Response:
    page = select_page(call, holder_of(call).faces, call.query.get("start", ""))
    return faces.charge(call, "face.list", [describe_face(face) for face in page])


def read_face(call: NumberedCall) -> Response:
    return faces.charge(call, "face.read", describe_face(_find_face(call, holder_of(call))))


def delete_face(call: NumberedCall) -> Response:
    records = records_of(call)
    with records.lock:
        holder = holder_of(call)
        deleted = _find_face(call, holder)
        kept = tuple(face for face in holder.faces if face.id != deleted.id)
        records.persons.put(holder.id, attrs.evolve(holder, faces=kept))
    return faces.charge(call, "face.deleted")


def _find_face(call: NumberedCall, holder: Person) -> PersonFace:
    """Return the persisted face in the path."""
    *_, sent_id = call.path_values
    face_id = sent_id.lower()
    face = next((face for face in holder.faces if face.id == face_id), None)
    if face is None:
        call.refuse("face.unknown")
    return face


def describe_face(face: PersonFace) -> dict[str, Any]:
    user_data = face.data or None
    return {"persistedFaceId": face.id, "userData": user_data}


def holder_of(call: NumberedCall) -> Person:
    """Return the person in the path, or what holds the faces of the face list in the path."""
    group = find(call)
    holder_id = group.id
    if group.kind.has_persons:
        _, sent_id, *_ = call.path_values
        holder_id = sent_id.lower()
    holder = records_of(call).persons.find(holder_id)
    if holder is None or holder.group_id != group.id:
        call.refuse("person.unknown", person=holder_id)
    return holder


def find(call: NumberedCall) -> Group:
    """Return the group in the path."""
    group_id, *_ = call.path_values
    kind = _kind_in_path(call)
    group = records_of(call).groups.find(kind.key_of(group_id))
    if group is None:
        call.refuse("group.unknown", **kind.words)
    return group


def find_named(
    call: NumberedCall, body: Mapping[str, Any], *kinds: Kind, unknown: str
) -> Group | None:
    """Return the group that a body names, of one of these kinds; None if it names none.

    Refuse an unknown one by `unknown`.
    """
    for kind in kinds:
        group_id = body.get(kind.field)
        if group_id is not None:
            group = records_of(call).groups.find(_key_of(call, kind, group_id))
            if group is None:
                call.refuse(unknown, **kind.words)
            return group
    return None


def select_page(call: NumberedCall, records: Iterable[Record], start: str) -> Sequence[Record]:
    """Return the first ``top`` records whose ids come after `start`, by id."""
    later = [record for record in records if record.id > start]
    later.sort(key=lambda record: record.id)
    return preview.select_page(call, later)


def records_of(call: NumberedCall) -> Records:
    records: Records = call.world.records
    return records


def read_names(call: NumberedCall, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the name and the user data of a group or a person; refuse wrong ones."""
    name = body.get("name")
    user_data = body.get("userData")
    if not isinstance(name, str) or not name:
        call.refuse("person.name_empty")
    if len(name) > 128:
        call.refuse("person.name_long")
    if len(str(user_data)) > 16_384:
        call.refuse("person.data_long")
    return {"name": name, "user_data": None if user_data is None else str(user_data)}


def _kind_in_path(call: NumberedCall) -> Kind:
    _, _, _, path, *_ = call.request.path.split("/")
    return next(kind for kind in _KINDS if kind.path == path)


def _key_of(call: NumberedCall, kind: Kind, group_id: object) -> str:
    """Return the key of a group in the records; refuse an id of a wrong form."""
    if not isinstance(group_id, str) or not _ID.fullmatch(group_id):
        call.refuse("group.id", **kind.words)
    return kind.key_of(group_id)

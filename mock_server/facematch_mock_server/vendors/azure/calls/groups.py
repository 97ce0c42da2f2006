"""Person groups, also large ones: they are made, trained and deleted.

Sources: Azure/azure-rest-api-specs, Face v1.2; Microsoft Learn, Azure AI Face API error codes; the
paths that programs of v1.0 use are in azure-cognitiveservices-vision-face 0.6.1.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors import persons as stored
from facematch_mock_server.vendors.base import NumberedCall
from facematch_mock_server.vendors.persons import Person, PersonFace

from . import faces

_ID = re.compile(r"[a-z0-9_-]{1,64}")


@attrs.frozen
class Kind:
    """A kind of group, whose ids are a space of their own.

    Attributes:
        path: Its path, which begins the keys of such groups in the records.
        field: The field with an id.
        name: What it is called in messages.
    """

    path: str
    field: str
    name: str

    @property
    def words(self) -> dict[str, Any]:
        """What fills a refusal: the kind in a code, and in two sentences."""
        title = self.name.title()
        return {"code": title.replace(" ", ""), "kind": self.name, "title": title}

    def key_of(self, group_id: str) -> str:
        return f"{self.path}/{group_id}"


PERSONS = Kind("persongroups", "personGroupId", "Person group")
LARGE_PERSONS = Kind("largepersongroups", "largePersonGroupId", "Large person group")
KINDS = (PERSONS, LARGE_PERSONS)


@attrs.frozen(kw_only=True)
class Group(stored.Group):
    """A group of persons.

    Attributes:
        kind: Its kind.
        created_at: When it was created.
        trained_at: When it was last trained; None if never.
        trained: Its persons with a face at that time, whom `identify` knows.
    """

    kind: Kind
    created_at: dt.datetime
    trained_at: dt.datetime | None = None
    trained: tuple[Person, ...] = ()


class Records(stored.Persons[Group, Person]):
    """The groups of one world, and the newest 1,000 faces by face id (our choice)."""

    def __init__(self) -> None:
        super().__init__()
        self.faces: Collection[faces.DetectedFace] = Collection(limit=1000)


def create(call: NumberedCall) -> Response:
    """Create a group; refuse one whose id exists."""
    kind = _kind_in_path(call)
    group_id, *_ = call.path_values
    body = call.read_object("body.json")
    model = faces.read_recognition_model(call, body)
    key = _key_of(call, kind, group_id)
    name = read_name(call, body)
    group = Group(id=key, kind=kind, name=name, model=model, created_at=call.now)
    records = records_of(call)
    with records.lock:
        if records.groups.find(key) is not None:
            call.refuse("group.exists", **kind.words)
        records.groups.put(key, group)
    return faces.charge(call, "group.created")


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
    """Add a face to a person."""
    person_of(call)
    picture = faces.read_picture(call)
    number = faces.find_target(call, picture)
    records = records_of(call)
    with records.lock:
        person = person_of(call)
        most_faces = call.claims["person.most_faces"]
        if len(person.faces) >= most_faces:
            call.refuse("person.full", "person.most_faces")
        face_id = call.world.account.ids.uuid()
        face = PersonFace(id=face_id, picture=picture, number=number)
        records.persons.put(person.id, attrs.evolve(person, faces=(*person.faces, face)))
    return faces.charge(call, "person.face", {"persistedFaceId": face.id})


def delete_face(call: NumberedCall) -> Response:
    """Delete the face in the path from the person in it; refuse an unknown one."""
    records = records_of(call)
    with records.lock:
        person = person_of(call)
        *_, sent_id = call.path_values
        kept = tuple(face for face in person.faces if face.id != sent_id.lower())
        if len(kept) == len(person.faces):
            call.refuse("face.unknown")
        records.persons.put(person.id, attrs.evolve(person, faces=kept))
    return faces.charge(call, "face.deleted")


def person_of(call: NumberedCall) -> Person:
    """Return the person in the path."""
    group = find(call)
    _, sent_id, *_ = call.path_values
    person_id = sent_id.lower()
    person = records_of(call).persons.find(person_id)
    if person is None or person.group_id != group.id:
        call.refuse("person.unknown", person=person_id)
    return person


def find(call: NumberedCall) -> Group:
    """Return the group in the path."""
    group_id, *_ = call.path_values
    kind = _kind_in_path(call)
    group = records_of(call).groups.find(kind.key_of(group_id))
    if group is None:
        call.refuse("group.unknown", **kind.words)
    return group


def find_named(call: NumberedCall, body: Mapping[str, Any], *, unknown: str) -> Group | None:
    """Return the group that a body names; None if it names none.

    Refuse an unknown one by `unknown`, and two.
    """
    if all(body.get(kind.field) is not None for kind in KINDS):
        call.refuse("group.both")
    for kind in KINDS:
        group_id = body.get(kind.field)
        if group_id is not None:
            group = records_of(call).groups.find(_key_of(call, kind, group_id))
            if group is None:
                call.refuse(unknown, **kind.words)
            return group
    return None


def records_of(call: NumberedCall) -> Records:
    records: Records = call.world.records
    return records


def read_name(call: NumberedCall, body: Mapping[str, Any]) -> str:
    """Return the name of a group or a person; refuse a wrong one, and long userData."""
    name = body.get("name")
    if not isinstance(name, str) or not name:
        call.refuse("person.name_empty")
    if len(name) > 128:
        call.refuse("person.name_long")
    if len(str(body.get("userData"))) > 16_384:
        call.refuse("person.data_long")
    return name


def _kind_in_path(call: NumberedCall) -> Kind:
    _, _, _, path, *_ = call.request.path.split("/")
    return next(kind for kind in KINDS if kind.path == path)


def _key_of(call: NumberedCall, kind: Kind, group_id: object) -> str:
    """Return the key of a group in the records; refuse an id of a wrong form."""
    if not isinstance(group_id, str) or not _ID.fullmatch(group_id):
        call.refuse("group.id", **kind.words)
    return kind.key_of(group_id)

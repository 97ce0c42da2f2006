"""Person groups: they are made, trained and deleted.

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


@attrs.frozen(kw_only=True)
class Group(stored.Group):
    """A group of persons.

    Attributes:
        created_at: When it was created.
        trained_at: When it was last trained; None if never.
        trained: Its persons with a face at that time, whom `identify` knows.
    """

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
    body = call.read_object("body.json")
    model = faces.read_recognition_model(call, body)
    group_id = _check_id(call, call.path_value)
    name = read_name(call, body)
    group = Group(id=group_id, name=name, model=model, created_at=call.now)
    records = records_of(call)
    with records.lock:
        if records.groups.find(group_id) is not None:
            call.refuse("group.exists")
        records.groups.put(group_id, group)
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
        call.refuse("group.untrained_status")
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
    group = records_of(call).groups.find(group_id)
    if group is None:
        call.refuse("group.unknown")
    return group


def find_named(call: NumberedCall, body: Mapping[str, Any], *, unknown: str) -> Group | None:
    """Return the group that a body names, or None; refuse an unknown one by `unknown`."""
    group_id = body.get("personGroupId")
    if group_id is None:
        return None
    group = records_of(call).groups.find(_check_id(call, group_id))
    if group is None:
        call.refuse(unknown)
    return group


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


def _check_id(call: NumberedCall, group_id: object) -> str:
    """Return the id of a group; refuse one of a wrong form."""
    if not isinstance(group_id, str) or not _ID.fullmatch(group_id):
        call.refuse("group.id")
    return group_id

"""Person groups, also large ones, the persons in them, and who a face is.

The last are `identify`, and `verify` of a person.

Sources: Azure/azure-rest-api-specs, Face v1.2; Microsoft Learn, Azure AI Face API error codes; the
paths that programs of v1.0 use are in azure-cognitiveservices-vision-face 0.6.1.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors import persons as stored
from facematch_mock_server.vendors.base import NumberedCall, as_fraction
from facematch_mock_server.vendors.persons import PersonFace, score_person

from . import faces, preview

_GROUP_ID = re.compile(r"[a-z0-9_-]{1,64}")
#: The beginning of a large person group's id in the records: those ids are a space of their own.
_LARGE = "large/"


@attrs.frozen(kw_only=True)
class Person(stored.Person):
    """A person in a group; `user_data` is what the caller has added, or None."""

    user_data: str | None


@attrs.frozen(kw_only=True)
class Group(stored.Group):
    """A person group, whose id begins with `_LARGE` if it is a large one.

    Attributes:
        user_data: What the caller has added, or None.
        created_at: When it was created.
        trained_at: When it was last trained; None if never.
        trained: Its persons with a face at that time, whom `identify` knows.
    """

    user_data: str | None
    created_at: dt.datetime
    trained_at: dt.datetime | None = None
    trained: tuple[Person, ...] = ()


class Records(stored.Persons[Group, Person]):
    """The person groups of one world, and the newest 1,000 faces by face id (our choice)."""

    def __init__(self) -> None:
        super().__init__()
        self.faces: Collection[faces.DetectedFace] = Collection(limit=1000)


def create_group(call: NumberedCall) -> Response:
    group_id, *_ = call.path_values
    if not _GROUP_ID.fullmatch(group_id):
        call.refuse("group.id")
    body = call.read_object("body.json")
    model = faces.read_recognition_model(call, body)
    key = _key_in_path(call, group_id)
    group = Group(id=key, **_read_names(call, body), model=model, created_at=call.now)
    records = _records_of(call)
    with records.lock:
        if records.groups.find(key) is not None:
            call.refuse("group.exists", **_words_of(key))
        records.groups.put(key, group)
    return faces.charge(call, "group.created")


def read_group(call: NumberedCall) -> Response:
    group = _find_group(call)
    return faces.charge(call, "group.read", _describe_group(call, group))


def list_groups(call: NumberedCall) -> Response:
    start = _key_in_path(call, call.query.get("start", ""))
    groups = []
    for group in _records_of(call).groups.all():
        if _is_large(group.id) == _is_large(start) and group.id > start:
            groups.append(group)
    groups.sort(key=lambda group: group.id)
    page = preview.select_page(call, groups)
    return faces.charge(call, "group.list", [_describe_group(call, each) for each in page])


def _describe_group(call: NumberedCall, group: Group) -> dict[str, Any]:
    _cite_nulls(call, group.user_data)
    field = "largePersonGroupId" if _is_large(group.id) else "personGroupId"
    group_id = group.id.removeprefix(_LARGE)
    shown = {field: group_id, "name": group.name, "userData": group.user_data}
    if call.query.get("returnRecognitionModel", "").lower() == "true":
        shown["recognitionModel"] = group.model
    return shown


def delete_group(call: NumberedCall) -> Response:
    records = _records_of(call)
    with records.lock:
        group = _find_group(call)
        records.remove_group(group.id)
    return faces.charge(call, "group.deleted")


def train_group(call: NumberedCall) -> Response:
    records = _records_of(call)
    with records.lock:
        group = _find_group(call)
        persons = tuple(each for each in records.persons_of([group.id]) if each.faces)
        records.groups.put(group.id, attrs.evolve(group, trained_at=call.now, trained=persons))
    location = f"{call.origin}{call.request.path}ing"
    return faces.charge(call, "group.trained", headers=(("operation-Location", location),))


def read_training(call: NumberedCall) -> Response:
    group = _find_group(call)
    if group.trained_at is None:
        call.refuse("group.untrained_status", **_words_of(group.id))
    _cite_nulls(call, None)
    trained_at = group.trained_at.isoformat()
    status = {
        "status": "succeeded",
        "createdDateTime": group.created_at.isoformat(),
        "lastActionDateTime": trained_at,
        "lastSuccessfulTrainingDateTime": trained_at,
        "message": None,
    }
    return faces.charge(call, "group.training", status)


def create_person(call: NumberedCall) -> Response:
    names = _read_names(call, call.read_object("body.json"))
    records = _records_of(call)
    with records.lock:
        group = _find_group(call)
        person = Person(id=call.world.account.ids.uuid(), **names, group_id=group.id)
        records.persons.put(person.id, person)
    return faces.charge(call, "person.created", {"personId": person.id})


def list_persons(call: NumberedCall) -> Response:
    group = _find_group(call)
    start = call.query.get("start", "")
    persons = [each for each in _records_of(call).persons_of([group.id]) if each.id > start]
    persons.sort(key=lambda person: person.id)
    page = preview.select_page(call, persons)
    _cite_nulls(call, *[person.user_data for person in page])
    return faces.charge(call, "person.list", [_describe(person) for person in page])


def read_person(call: NumberedCall) -> Response:
    person = _find_person(call)
    _cite_nulls(call, person.user_data)
    return faces.charge(call, "person.read", _describe(person))


def delete_person(call: NumberedCall) -> Response:
    _records_of(call).persons.remove(_find_person(call).id)
    return faces.charge(call, "person.deleted")


def add_face(call: NumberedCall) -> Response:
    _find_person(call)
    picture = faces.read_picture(call)
    seen = call.detect_faces(picture)
    if not seen.decodes:
        call.refuse("image.unreadable")
    if not seen.faces:
        call.refuse("person.no_face")
    if len(seen.faces) > 1:
        call.refuse("person.many_faces")
    records = _records_of(call)
    with records.lock:
        person = _find_person(call)
        if len(person.faces) >= call.claims["person.most_faces"]:
            call.refuse("person.full", "person.most_faces")
        face = PersonFace(id=call.world.account.ids.uuid(), picture=picture)
        records.persons.put(person.id, attrs.evolve(person, faces=(*person.faces, face)))
    return faces.charge(call, "person.face", {"persistedFaceId": face.id})


def identify(call: NumberedCall) -> Response:
    """Return for each face the persons of a trained group who are like it, the most like first."""
    body = call.read_object("body.json")
    _refuse_others(call, body)
    group = _find_scope(call, body, unknown="identify.group")
    if group is None:
        call.refuse("identify.scope")
    if group.trained_at is None:
        call.refuse("identify.untrained", **_words_of(group.id))
    most = faces.read_count(call, body, default=10, most=100)
    threshold = body.get("confidenceThreshold", call.claims["identify.threshold"])
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not is_number or not 0 <= threshold <= 1:
        call.refuse("identify.threshold_wrong")
    results = []
    for face_id, face in faces.find_all(call, body, most=10).items():
        _check_model(call, face, group)
        candidates: list[dict[str, Any]] = []
        for person in group.trained:
            confidence = _score(call, face, person)
            if confidence >= threshold:
                candidates.append({"personId": person.id, "confidence": confidence})
        candidates.sort(key=lambda each: each["confidence"], reverse=True)
        results.append({"faceId": face_id, "candidates": candidates[:most]})
    return faces.charge(call, "identify.answer", results)


def verify(call: NumberedCall) -> Response:
    """Tell whether two faces are one person's, or a face is that of a person in a group."""
    body = call.read_object("body.json")
    if body.get("personId") is None:
        return faces.verify(call, body)
    _refuse_others(call, body)
    face = faces.find_face(call, body.get("faceId"))
    group = _find_scope(call, body, unknown="verify.group")
    if group is None:
        call.refuse("person.others", name="personId without a group")
    person = _records_of(call).persons.find(str(body["personId"]).lower())
    if person is None or person.group_id != group.id:
        call.refuse("verify.person_unknown")
    if not person.faces:
        call.refuse("verify.person_no_face")
    _check_model(call, face, group)
    return faces.answer_verify(call, _score(call, face, person))


def _records_of(call: NumberedCall) -> Records:
    records: Records = call.world.records
    return records


def _read_names(call: NumberedCall, body: Mapping[str, Any]) -> dict[str, Any]:
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


def _find_group(call: NumberedCall) -> Group:
    """Return the group in the path."""
    group_id, *_ = call.path_values
    key = _key_in_path(call, group_id)
    group = _records_of(call).groups.find(key)
    if group is None:
        call.refuse("group.unknown", **_words_of(key))
    return group


def _key_in_path(call: NumberedCall, group_id: str) -> str:
    """Return the key in the records of a group of the kind that the path names."""
    return f"{_LARGE}{group_id}" if "/largepersongroups" in call.request.path else group_id


def _is_large(key: str) -> bool:
    return key.startswith(_LARGE)


def _words_of(key: str) -> dict[str, Any]:
    """Return what fills a refusal about a group: its kind in a code, and in two sentences."""
    kind = "Large person group" if _is_large(key) else "Person group"
    return {"code": kind.title().replace(" ", ""), "kind": kind, "title": kind.title()}


def _find_scope(call: NumberedCall, body: Mapping[str, Any], *, unknown: str) -> Group | None:
    """Return the group in a body, None without one; refuse an unknown one with `unknown`."""
    group_id, large_id = body.get("personGroupId"), body.get("largePersonGroupId")
    if group_id is not None and large_id is not None:
        call.refuse("group.both")
    if group_id is None and large_id is None:
        return None
    sent_id = group_id if large_id is None else large_id
    if not isinstance(sent_id, str) or not _GROUP_ID.fullmatch(sent_id):
        call.refuse("group.id")
    key = sent_id if large_id is None else f"{_LARGE}{sent_id}"
    group = _records_of(call).groups.find(key)
    if group is None:
        call.refuse(unknown, **_words_of(key))
    return group


def _find_person(call: NumberedCall) -> Person:
    """Return the person in the path."""
    _, person_id = call.path_values
    group = _find_group(call)
    person = _records_of(call).persons.find(person_id.lower())
    if person is None or person.group_id != group.id:
        call.refuse("person.unknown", person=person_id)
    return person


def _refuse_others(call: NumberedCall, body: Mapping[str, Any]) -> None:
    """Refuse persons who are not in a person group."""
    for name in ("dynamicPersonGroupId", "personIds"):
        if body.get(name) is not None:
            call.refuse("person.others", name=name)


def _check_model(call: NumberedCall, face: faces.DetectedFace, group: Group) -> None:
    if face.model != group.model:
        call.refuse("verify.models")


def _score(call: NumberedCall, face: faces.DetectedFace, person: Person) -> float:
    """Return the confidence that a face is a person's, 0-1."""
    # OURS: The confidence of a person is that of the face that is most alike; 0 without a face.
    return as_fraction(score_person(call, faces.picture_of(call, face), face.index, person))


def _cite_nulls(call: NumberedCall, *values: str | None) -> None:
    if None in values:
        call.claims.cite("nulls")


def _describe(person: Person) -> dict[str, Any]:
    return {
        "personId": person.id,
        "name": person.name,
        "userData": person.user_data,
        "persistedFaceIds": [face.id for face in person.faces],
    }


#: The handlers by method, by path below the version, with the operation in fault rules.
Routes = Mapping[str, tuple[Mapping[str, Callable[[Any], Response]], str | None]]


def _routes_of_groups(groups: str) -> Routes:
    """Return the routes of the person groups at a path."""
    group = f"{groups}/{{word}}"
    person = f"{group}/persons/{{word}}"
    return {
        groups: ({"GET": list_groups}, None),
        group: ({"PUT": create_group, "GET": read_group, "DELETE": delete_group}, None),
        f"{group}/train": ({"POST": train_group}, None),
        f"{group}/training": ({"GET": read_training}, None),
        f"{group}/persons": ({"POST": create_person, "GET": list_persons}, None),
        person: ({"GET": read_person, "DELETE": delete_person}, None),
        # The specification writes it in lower case, Microsoft's older pages did not.
        f"{person}/persistedfaces": ({"POST": add_face}, "detect"),
        f"{person}/persistedFaces": ({"POST": add_face}, "detect"),
    }


ROUTES: Final[Routes] = {
    "detect": ({"POST": faces.detect}, "detect"),
    "verify": ({"POST": verify}, "match"),
    "identify": ({"POST": identify}, "match"),
    "findsimilars": ({"POST": faces.find_similar}, "match"),
    **_routes_of_groups("persongroups"),
    **_routes_of_groups("largepersongroups"),
}

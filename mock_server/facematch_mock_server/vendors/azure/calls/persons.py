"""The persons of groups, who a face is, and which of several faces are like it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.base import NumberedCall, as_fraction
from facematch_mock_server.vendors.persons import Person, score_person

from . import faces, groups
from .groups import Group, records_of


def create_person(call: NumberedCall) -> Response:
    name = groups.read_name(call, call.read_object("body.json"))
    records = records_of(call)
    with records.lock:
        group = groups.find(call)
        person = Person(id=call.world.account.ids.uuid(), name=name, group_id=group.id)
        records.persons.put(person.id, person)
    return faces.charge(call, "person.created", {"personId": person.id})


def delete_person(call: NumberedCall) -> Response:
    records_of(call).persons.remove(groups.person_of(call).id)
    return faces.charge(call, "person.deleted")


def identify(call: NumberedCall) -> Response:
    """Return for each face the persons of a trained group who are like it, the most like first."""
    body = call.read_object("body.json")
    _refuse_others(call, body)
    group = groups.find_named(call, body, unknown="identify.group")
    if group is None:
        call.refuse("identify.scope")
    if group.trained_at is None:
        call.refuse("identify.untrained")
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
    group = groups.find_named(call, body, unknown="verify.group")
    if group is None:
        call.refuse("person.others", name="personId without a group")
    person = records_of(call).persons.find(str(body["personId"]).lower())
    if person is None or person.group_id != group.id:
        call.refuse("verify.person_unknown")
    if not person.faces:
        call.refuse("verify.person_no_face")
    _check_model(call, face, group)
    return faces.answer_verify(call, _score(call, face, person))


def find_similar(call: NumberedCall) -> Response:
    """Return which of several faces are like a face, best first."""
    body = call.read_object("body.json")
    _refuse_others(call, body)
    if body.get("faceIds") is None:
        call.refuse("similar.none")
    mode = body.get("mode", "matchPerson")
    if mode not in ("matchPerson", "matchFace"):
        call.refuse("similar.mode")
    most = faces.read_count(call, body, default=20, most=1000)
    face = faces.find_face(call, body.get("faceId"), unknown="faces.unknown")
    similar = faces.score_all(call, body, face)
    if mode == "matchPerson":
        similar = [each for each in similar if each["confidence"] >= faces.IDENTICAL_FROM]
    similar.sort(key=lambda each: each["confidence"], reverse=True)
    return faces.charge(call, "similar.answer", similar[:most])


def _refuse_others(call: NumberedCall, body: Mapping[str, Any]) -> None:
    """Refuse persons who are not in a person group, and faces that are in a list."""
    for name in (
        "largePersonGroupId",
        "dynamicPersonGroupId",
        "personIds",
        "faceListId",
        "largeFaceListId",
    ):
        if body.get(name) is not None:
            call.refuse("person.others", name=name)


def _check_model(call: NumberedCall, face: faces.DetectedFace, group: Group) -> None:
    if face.model != group.model:
        call.refuse("verify.models")


def _score(call: NumberedCall, face: faces.DetectedFace, person: Person) -> float:
    """Return the confidence that a face is a person's, 0-1."""
    # OURS: The confidence of a person is that of the face that is most alike; 0 without a face.
    return as_fraction(score_person(call, faces.picture_of(call, face), face.index, person))


#: The handlers by method, by path below the version, with the operation in fault rules.
Routes = Mapping[str, tuple[Mapping[str, Callable[[Any], Response]], str | None]]


_GROUP = "persongroups/{word}"
_PERSON = f"{_GROUP}/persons/{{word}}"
ROUTES: Final[Routes] = {
    "detect": ({"POST": faces.detect}, "detect"),
    "verify": ({"POST": verify}, "match"),
    "identify": ({"POST": identify}, "match"),
    "findsimilars": ({"POST": find_similar}, "match"),
    _GROUP: ({"PUT": groups.create, "DELETE": groups.delete}, None),
    f"{_GROUP}/train": ({"POST": groups.train}, None),
    f"{_GROUP}/training": ({"GET": groups.read_training}, None),
    f"{_GROUP}/persons": ({"POST": create_person}, None),
    _PERSON: ({"DELETE": delete_person}, None),
    # The specification writes it in lower case, Microsoft's older pages with a capital letter.
    f"{_PERSON}/persistedfaces": ({"POST": groups.add_face}, "detect"),
    f"{_PERSON}/persistedFaces": ({"POST": groups.add_face}, "detect"),
    f"{_PERSON}/persistedfaces/{{word}}": ({"DELETE": groups.delete_face}, None),
    f"{_PERSON}/persistedFaces/{{word}}": ({"DELETE": groups.delete_face}, None),
}

"""The persons of groups, who a face is, and which faces of a list are like it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors import persons as stored
from facematch_mock_server.vendors.base import NumberedCall, as_fraction
from facematch_mock_server.vendors.persons import score_person

from . import faces, groups
from .groups import Group, Person, holder_of, records_of


def create_person(call: NumberedCall) -> Response:
    names = groups.read_names(call, call.read_object("body.json"))
    records = records_of(call)
    with records.lock:
        group = groups.find(call)
        person = Person(id=call.world.account.ids.uuid(), **names, group_id=group.id)
        records.persons.put(person.id, person)
    return faces.charge(call, "person.created", {"personId": person.id})


def list_persons(call: NumberedCall) -> Response:
    group = groups.find(call)
    persons = records_of(call).persons_of([group.id])
    page = groups.select_page(call, persons, call.query.get("start", ""))
    return faces.charge(call, "person.list", [_describe(person) for person in page])


def read_person(call: NumberedCall) -> Response:
    person = holder_of(call)
    return faces.charge(call, "person.read", _describe(person))


def delete_person(call: NumberedCall) -> Response:
    records_of(call).persons.remove(holder_of(call).id)
    return faces.charge(call, "person.deleted")


def identify(call: NumberedCall) -> Response:
    """Return for each face the persons of a trained group who are like it, the most like first."""
    body = call.read_object("body.json")
    _refuse_others(call, body)
    group = _find_scope(call, body, unknown="identify.group")
    if group is None:
        call.refuse("identify.scope")
    if group.trained_at is None:
        call.refuse("identify.untrained", **group.kind.words)
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
    person = records_of(call).persons.find(str(body["personId"]).lower())
    if person is None or person.group_id != group.id:
        call.refuse("verify.person_unknown")
    if not person.faces:
        call.refuse("verify.person_no_face")
    _check_model(call, face, group)
    return faces.answer_verify(call, _score(call, face, person))


def find_similar(call: NumberedCall) -> Response:
    """Return which of several faces, or of those of a list, are like a face, best first."""
    body = call.read_object("body.json")
    sent = [body.get(name) for name in ("faceListId", "largeFaceListId", "faceIds")]
    if sent.count(None) == 3:
        call.refuse("similar.none")
    if sent.count(None) < 2:
        call.refuse("similar.several")
    mode = body.get("mode", "matchPerson")
    if mode not in ("matchPerson", "matchFace"):
        call.refuse("similar.mode")
    most = faces.read_count(call, body, default=20, most=1000)
    face = faces.find_face(call, body.get("faceId"), unknown="faces.unknown")
    kinds = (groups.FACES, groups.LARGE_FACES)
    group = groups.find_named(call, body, *kinds, unknown="similar.list")
    if group is None:
        similar = faces.score_all(call, body, face)
    else:
        similar = _score_list(call, face, group)
    if mode == "matchPerson":
        similar = [each for each in similar if each["confidence"] >= faces.IDENTICAL_FROM]
    similar.sort(key=lambda each: each["confidence"], reverse=True)
    return faces.charge(call, "similar.answer", similar[:most])


def _score_list(call: NumberedCall, face: faces.DetectedFace, group: Group) -> list[dict[str, Any]]:
    """Return the faces of a face list with their confidence to a face."""
    _check_model(call, face, group)
    holders = records_of(call).persons_of([group.id])
    if group.kind is groups.LARGE_FACES:
        if group.trained_at is None:
            call.refuse("similar.untrained")
        holders = list(group.trained)
    picture = faces.picture_of(call, face)
    ranked_faces = stored.rank_faces(call, picture, face.index, holders)
    if group.kind is groups.FACES and not ranked_faces:
        call.refuse("similar.empty")
    return [
        {"persistedFaceId": ranked.face.id, "confidence": as_fraction(ranked.score)}
        for ranked in ranked_faces
    ]


def _find_scope(call: NumberedCall, body: Mapping[str, Any], *, unknown: str) -> Group | None:
    """Return the person group in a body, None without one; refuse an unknown one by `unknown`."""
    kinds = (groups.PERSONS, groups.LARGE_PERSONS)
    if all(body.get(kind.field) is not None for kind in kinds):
        call.refuse("group.both")
    return groups.find_named(call, body, *kinds, unknown=unknown)


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


def _describe(person: Person) -> dict[str, Any]:
    return {
        "personId": person.id,
        "name": person.name,
        "userData": person.user_data,
        "persistedFaceIds": [face.id for face in person.faces],
    }


#: The handlers by method, by path below the version, with the operation in fault rules.
Routes = Mapping[str, tuple[Mapping[str, Callable[[Any], Response]], str | None]]


def _routes_of_faces(path: str) -> Routes:
    """Return the routes of the persisted faces at a path, in both cases."""
    routes: dict[str, Any] = {}
    # The specification writes it in lower case, Microsoft's older pages did not.
    for name in ("persistedfaces", "persistedFaces"):
        one = {"GET": groups.read_face, "DELETE": groups.delete_face}
        routes[f"{path}/{name}"] = ({"POST": groups.add_face, "GET": groups.list_faces}, "detect")
        routes[f"{path}/{name}/{{word}}"] = (one, None)
    return routes


def _routes_of(kind: groups.Kind) -> Routes:
    """Return the routes of the groups of a kind."""
    group = f"{kind.path}/{{word}}"
    routes: dict[str, Any] = {
        kind.path: ({"GET": groups.list_all}, None),
        group: ({"PUT": groups.create, "GET": groups.read, "DELETE": groups.delete}, None),
    }
    if kind is not groups.FACES:
        routes[f"{group}/train"] = ({"POST": groups.train}, None)
        routes[f"{group}/training"] = ({"GET": groups.read_training}, None)
    if not kind.has_persons:
        return {**routes, **_routes_of_faces(group)}
    person = f"{group}/persons/{{word}}"
    routes[f"{group}/persons"] = ({"POST": create_person, "GET": list_persons}, None)
    routes[person] = ({"GET": read_person, "DELETE": delete_person}, None)
    return {**routes, **_routes_of_faces(person)}


ROUTES: Final[Routes] = {
    "detect": ({"POST": faces.detect}, "detect"),
    "verify": ({"POST": verify}, "match"),
    "identify": ({"POST": identify}, "match"),
    "findsimilars": ({"POST": find_similar}, "match"),
    **_routes_of(groups.PERSONS),
    **_routes_of(groups.LARGE_PERSONS),
    **_routes_of(groups.FACES),
    **_routes_of(groups.LARGE_FACES),
}

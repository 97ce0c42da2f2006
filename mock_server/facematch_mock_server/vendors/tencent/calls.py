"""Groups of persons with their faces, who is in a picture, and whether a picture shows a person.

Source: tencentcloud-sdk-python-iai 3.1.191, models.py and errorcodes.py (2020-03-03).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from facematch_mock_server.vendors.kit import (
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    Response,
    SeenFace,
    SeenPicture,
    Upload,
)
from facematch_mock_server.vendors.kit import persons as stored
from facematch_mock_server.vendors.persons import PersonFace, score_person

from .wire import find_wrong_side, is_qualified, rectangle_of, select_faces, whole_number

_ONE_PICTURE = PictureFields(json=(("Image",),))
CREATE_GROUP = PairEndpoint(
    path="/", pictures=PictureFields(), operation=None, action="CreateGroup"
)
CREATE_PERSON = PairEndpoint(
    path="/", pictures=_ONE_PICTURE, operation="detect", action="CreatePerson"
)
CREATE_FACE = PairEndpoint(
    path="/", pictures=PictureFields(), operation="detect", action="CreateFace"
)
SEARCH_FACES = PairEndpoint(path="/", pictures=_ONE_PICTURE, action="SearchFaces")
SEARCH_PERSONS = PairEndpoint(path="/", pictures=_ONE_PICTURE, action="SearchPersons")
VERIFY_FACE = PairEndpoint(path="/", pictures=_ONE_PICTURE, action="VerifyFace")
VERIFY_PERSON = PairEndpoint(path="/", pictures=_ONE_PICTURE, action="VerifyPerson")

_ID = re.compile(r"[A-Za-z0-9\-%@#&_]+", re.ASCII)
#: Chinese and other letters, digits, - and _.
_NAME = re.compile(r"[\w-]+")
#: The greatest length of a text, and what it consists of, by field.
_TEXTS: Final = {
    "GroupId": (64, _ID),
    "PersonId": (64, _ID),
    "GroupName": (60, _NAME),
    "PersonName": (60, _NAME),
}


@attrs.frozen(kw_only=True)
class Group(stored.Group):
    """A group of persons, whose name is unique, too.

    Attributes:
        descriptions: The names of the descriptions that each of its persons may have.
    """

    descriptions: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Person(stored.Person):
    """A person in a group.

    Attributes:
        gender: 0 if unknown, 1 for male, 2 for female.
        descriptions: The texts of the group's descriptions.
    """

    gender: int
    descriptions: tuple[str, ...]


Persons = stored.Persons[Group, Person]


def create_group(call: PairCall) -> Response:
    """Create a group; refuse an id or a name that another group has."""
    group = Group(
        id=_read_text(call, "GroupId"),
        name=_read_text(call, "GroupName"),
        model=call.json_body.get("FaceModelVersion", "3.0"),
        descriptions=tuple(map(str, _list_of(call, "GroupExDescriptions"))),
    )
    records = _records_of(call)
    with records.lock:
        if records.groups.find(group.id) is not None:
            call.refuse("person.exists", name="GroupId")
        if any(each.name == group.name for each in records.groups.all()):
            call.refuse("person.exists", name="GroupName")
        records.groups.put(group.id, group)
    return _answer(call, "group.created", group.model)


def create_person(call: PairCall) -> Response:
    """Create a person with a face in a group, unless the group has a person who is like it.

    The similar person is named instead, and the call is charged all the same.
    """
    group = _find_group_sent(call)
    person_id = _read_text(call, "PersonId")
    name = _read_text(call, "PersonName")
    gender = call.json_body.get("Gender", 0)
    if gender not in (0, 1, 2):
        call.refuse("person.gender")
    (picture,) = call.pictures.values()
    largest, *_ = _find_faces(call, picture).faces
    records = _records_of(call)
    with records.lock:
        if records.persons.find(person_id) is not None:
            call.refuse("person.exists", name="PersonId")
        similar = _find_similar_person(call, picture, records.persons_of([group.id]))
        call.pay()
        created = PersonFace(id=_new_face_id(call), picture=picture)
        if similar is None:
            person = Person(
                id=person_id,
                name=name,
                gender=gender,
                group_id=group.id,
                descriptions=_read_descriptions(call, group),
                faces=(created,),
            )
            records.persons.put(person.id, person)
    fields = {
        "FaceId": created.id if similar is None else "",
        "FaceRect": rectangle_of(largest),
        "SimilarPersonId": "" if similar is None else similar.id,
    }
    return _answer(call, "person.created", group.model, **fields)


def create_face(call: PairCall) -> Response:
    """Add the faces of several pictures to a person, each with a code of its own."""
    person = _find_person(call)
    group = _find_group(call, person.group_id)
    pictures = _read_pictures(call)
    if len(pictures) > call.claims["face.most_sent"]:
        call.refuse("face.many_sent", "face.most_sent")
    threshold = _read_threshold(call, default=60)
    codes = []
    added = []
    indexes = []
    rectangles = []
    for index, picture in enumerate(pictures):
        judged = _judge_new_face(call, person, picture, threshold)
        codes.append(judged.code)
        if picture is not None and judged.face is not None:
            added.append(PersonFace(id=_new_face_id(call), picture=picture))
            indexes.append(index)
            rectangles.append(rectangle_of(judged.face))
    records = _records_of(call)
    with records.lock:
        person = _find_person(call)
        if len(person.faces) + len(added) > call.claims["person.most_faces"]:
            call.refuse("person.many_faces", "person.most_faces")
        call.pay()
        records.persons.put(person.id, attrs.evolve(person, faces=(*person.faces, *added)))
    fields = {
        "SucFaceNum": len(added),
        "SucFaceIds": [face.id for face in added],
        "RetCode": codes,
        "SucIndexes": indexes,
        "SucFaceRects": rectangles,
    }
    return _answer(call, "face.created", group.model, **fields)


def delete_person(call: PairCall) -> Response:
    """Remove a person, who is in one group."""
    records = _records_of(call)
    with records.lock:
        person = _find_person(call)
        records.persons.remove(person.id)
    return _answer_plainly(call, "person.deleted")


def delete_face(call: PairCall) -> Response:
    """Delete faces of a person by their ids; refuse to delete the last one."""
    face_ids = _list_of(call, "FaceIds")
    records = _records_of(call)
    with records.lock:
        person = _find_person(call)
        deleted = [face.id for face in person.faces if face.id in face_ids]
        kept = tuple(face for face in person.faces if face.id not in face_ids)
        if not kept:
            call.refuse("face.last")
        records.persons.put(person.id, attrs.evolve(person, faces=kept))
    fields = {"SucDeletedNum": len(deleted), "SucFaceIds": deleted}
    return _answer_plainly(call, "face.deleted", **fields)


def delete_group(call: PairCall) -> Response:
    _records_of(call).remove_group(_find_group_sent(call).id)
    return _answer_plainly(call, "group.deleted")


def search_faces(call: PairCall) -> Response:
    """Return for each face of a picture the stored faces that are like it, the most like first."""
    groups = _read_groups(call)
    persons = _persons_in(call, groups)
    threshold = _read_threshold(call, default=0)
    (picture,) = call.pictures.values()

    def rank(number: int) -> list[dict[str, Any]]:
        candidates = []
        for person in persons:
            for face in person.faces:
                score = call.score_stored(picture, number, face.picture)
                if score > threshold:
                    candidates.append(_describe_candidate(call, person, face.id, score))
        return candidates

    results = _search(call, picture, rank)
    face_count = sum(len(person.faces) for person in persons)
    first, *_ = groups
    return _answer(call, "search.faces", first.model, Results=results, FaceNum=face_count)


def search_persons(call: PairCall) -> Response:
    """Return for each face of a picture the persons who are like it, the most like first."""
    groups = _read_groups(call)
    persons = _persons_in(call, groups)
    for group in groups:
        _check_newest_model(call, group)
    threshold = _read_threshold(call, default=0)
    (picture,) = call.pictures.values()

    def rank(number: int) -> list[dict[str, Any]]:
        candidates = []
        for person in persons:
            score = score_person(call, picture, number, person)
            if score >= threshold:
                candidates.append(_describe_candidate(call, person, "", score))
        return candidates

    results = _search(call, picture, rank)
    return _answer(call, "search.persons", "3.0", Results=results, PersonNum=len(persons))


def verify(call: PairCall) -> Response:
    """Tell whether the largest face of a picture is a person's."""
    person = _find_person(call)
    group = _find_group(call, person.group_id)
    if call.endpoint is VERIFY_PERSON:
        _check_newest_model(call, group)
    (picture,) = call.pictures.values()
    _find_faces(call, picture)
    score = 0.0
    for face in person.faces:
        outcome = call.compare(picture, face.picture)
        score = max(score, outcome.score or 0.0)
    call.pay()
    is_match = score >= call.claims["verify.match_from"]
    fields = {"Score": score, "IsMatch": is_match}
    return _answer(call, "verify.answer", group.model, **fields)


#: The handlers of calls without a picture, by action.
_WITHOUT_PICTURE: Final[Mapping[str, Callable[[PairCall], Response]]] = {
    "DeleteFace": delete_face,
    "DeleteGroup": delete_group,
    "DeletePerson": delete_person,
}
#: The handlers by endpoint.
HANDLERS: Final[Mapping[PairEndpoint, Callable[[PairCall], Response]]] = {
    **{
        PairEndpoint(path="/", pictures=PictureFields(), operation=None, action=action): handler
        for action, handler in _WITHOUT_PICTURE.items()
    },
    CREATE_GROUP: create_group,
    CREATE_PERSON: create_person,
    CREATE_FACE: create_face,
    SEARCH_FACES: search_faces,
    SEARCH_PERSONS: search_persons,
    VERIFY_FACE: verify,
    VERIFY_PERSON: verify,
}


def _records_of(call: PairCall) -> Persons:
    records: Persons = call.world.records
    return records


def _answer(call: PairCall, key: str, model: str, **fields: Any) -> Response:
    return _answer_plainly(call, key, **fields, FaceModelVersion=model)


def _answer_plainly(call: PairCall, key: str, **fields: Any) -> Response:
    """Return an answer without a model."""
    return call.answer(key, {"Response": {**fields, "RequestId": call.request_id}})


def _describe_groups(person: Person) -> list[dict[str, Any]]:
    return [{"GroupId": person.group_id, "PersonExDescriptions": list(person.descriptions)}]


def _find_group_sent(call: PairCall) -> Group:
    return _find_group(call, _read_text(call, "GroupId"))


def _read_text(call: PairCall, name: str) -> str:
    """Return an id or a name; refuse one that is missing, too long, or has other signs."""
    text = call.json_body.get(name)
    if not isinstance(text, str) or not text:
        call.refuse("person.field_missing", name=name)
    longest, signs = _TEXTS[name]
    if len(text) > longest:
        call.refuse("person.field_long", name=name)
    if not signs.fullmatch(text):
        call.refuse("person.field_signs", name=name)
    return text


def _list_of(call: PairCall, name: str) -> list[Any]:
    value = call.json_body.get(name)
    return value if isinstance(value, list) else []


def _read_threshold(call: PairCall, *, default: float) -> float:
    threshold = call.json_body.get("FaceMatchThreshold", default)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        call.refuse("search.threshold")
    if not 0 <= threshold <= 100:
        call.refuse("search.threshold")
    return threshold


def _read_descriptions(call: PairCall, group: Group) -> tuple[str, ...]:
    """Return the texts of a person's descriptions, "" for those that were not sent."""
    texts = [""] * len(group.descriptions)
    for sent in _list_of(call, "PersonExDescriptionInfos"):
        index = sent.get("PersonExDescriptionIndex") if isinstance(sent, dict) else None
        if isinstance(index, int) and 0 <= index < len(texts):
            texts[index] = str(sent.get("PersonExDescription", ""))
    return tuple(texts)


def _find_group(call: PairCall, group_id: object) -> Group:
    group = _records_of(call).groups.find(str(group_id))
    if group is None:
        call.hint = "no CreateGroup has made this group; Tencent's console is not imitated"
        call.refuse("person.unknown", name="GroupId")
    return group


def _find_person(call: PairCall) -> Person:
    person = _records_of(call).persons.find(_read_text(call, "PersonId"))
    if person is None:
        call.refuse("person.unknown", name="PersonId")
    return person


def _check_newest_model(call: PairCall, group: Group) -> None:
    if group.model != "3.0":
        call.refuse("group.old_model")


def _new_face_id(call: PairCall) -> str:
    return str(int(call.world.ids.hex(), 16))[:19]


def _find_faces(call: PairCall, picture: Upload) -> SeenPicture:
    """Return the faces of a picture; refuse one without a face, or that cannot be decoded."""
    seen = _look_at(call, picture)
    if not seen.decodes:
        call.refuse("picture.unreadable", name="Image")
    if not seen.faces:
        call.refuse("face.none")
    return seen


def _look_at(call: PairCall, picture: Upload) -> SeenPicture:
    vendor: PairVendor = call.world.behaviour
    return call.detect_faces(picture, rotate=vendor.looks_at_turned_faces(call))


def _find_similar_person(
    call: PairCall, picture: Upload, persons: Sequence[Person]
) -> Person | None:
    """Return the person whom `UniquePersonControl` finds in a picture; None if there is none."""
    control = call.json_body.get("UniquePersonControl", 0)
    if control == 0:
        return None
    thresholds: Mapping[int, float] = call.claims["person.similar"]
    if not isinstance(control, int) or control not in thresholds:
        call.refuse("person.control")
    for person in persons:
        for face in person.faces:
            if call.score_stored(picture, 0, face.picture) > thresholds[control]:
                return person
    return None


@attrs.frozen(kw_only=True)
class _JudgedPicture:
    """A picture that is to be added to a person.

    Attributes:
        code: Its number in `RetCode`; 0 if it is added.
        face: The face that is added; None if none is.
    """

    code: int
    face: SeenFace | None = None


def _read_pictures(call: PairCall) -> list[Upload | None]:
    """Return the pictures of several links or texts in base64; None for a text that is neither."""
    links = _list_of(call, "Urls")
    if links:
        return [call.picture_of_link("Urls", str(link)) for link in links]
    texts = _list_of(call, "Images")
    if not texts:
        call.refuse("picture.missing", name="Images")
    return list(_decode(call, texts))


def _decode(call: PairCall, texts: Sequence[object]) -> Iterator[Upload | None]:
    for text in texts:
        try:
            content = base64.b64decode("".join(str(text).split()), validate=True)
        except ValueError:
            yield None
        else:
            yield call.upload("Images", "", content)


def _judge_new_face(
    call: PairCall, person: Person, picture: Upload | None, threshold: float
) -> _JudgedPicture:
    """Judge a picture that is added to a person, by the codes that the SDK lists."""
    if picture is None:
        return _JudgedPicture(code=-1102)
    if find_wrong_side(call, picture) is not None:
        return _JudgedPicture(code=-1109)
    seen = _look_at(call, picture)
    if not seen.decodes:
        return _JudgedPicture(code=-1102)
    if not seen.faces:
        return _JudgedPicture(code=-1101)
    if not is_qualified(call, picture):
        return _JudgedPicture(code=-1601)
    largest, *_ = seen.faces
    if score_person(call, picture, 0, person) <= threshold:
        return _JudgedPicture(code=-1604)
    return _JudgedPicture(code=0, face=largest)


def _read_groups(call: PairCall) -> list[Group]:
    """Return the groups that are searched, at least one."""
    group_ids = _list_of(call, "GroupIds")
    if not group_ids:
        call.refuse("person.field_missing", name="GroupIds")
    if len(group_ids) > call.claims["search.most_groups"]:
        call.refuse("search.many_groups", "search.most_groups")
    return [_find_group(call, group_id) for group_id in group_ids]


def _persons_in(call: PairCall, groups: Sequence[Group]) -> list[Person]:
    """Return the persons of groups; refuse groups without any."""
    persons = _records_of(call).persons_of([group.id for group in groups])
    if not persons:
        call.refuse("search.empty")
    return persons


def _search(
    call: PairCall, picture: Upload, rank: Callable[[int], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Return the results of the faces of a picture; `rank` has the candidates of a face."""
    seen = _find_faces(call, picture)
    most_candidates = whole_number(call, "MaxPersonNum", default=5)
    if most_candidates > call.claims["search.most_persons"]:
        call.refuse("search.many_persons", "search.most_persons")
    is_good = is_qualified(call, picture)
    results = []
    for number, face in enumerate(select_faces(call, seen)):
        candidates = rank(number) if is_good else []
        candidates.sort(key=lambda each: each["Score"], reverse=True)
        results.append(
            {
                "Candidates": candidates[:most_candidates],
                "FaceRect": rectangle_of(face),
                "RetCode": 0 if is_good else -1601,
            }
        )
    call.pay()
    return results


def _describe_candidate(
    call: PairCall, person: Person, face_id: str, score: float
) -> dict[str, Any]:
    """Return a person who is like the searched face; name, gender and groups only if asked for."""
    shows_person = call.json_body.get("NeedPersonInfo") == 1
    groups = _describe_groups(person)
    return {
        "PersonId": person.id,
        "FaceId": face_id,
        "Score": score,
        "PersonName": person.name if shows_person else None,
        "Gender": person.gender if shows_person else None,
        "PersonGroupInfos": groups if shows_person else None,
    }

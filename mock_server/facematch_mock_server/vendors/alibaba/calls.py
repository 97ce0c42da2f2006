"""Face databases, and the faces in them to which a picture's faces are alike; DetectFace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from facematch_mock_server.recognition.recognizer import see_liveness
from facematch_mock_server.vendors.base import as_fraction
from facematch_mock_server.vendors.kit import (
    PairCall,
    PairEndpoint,
    PictureFields,
    Response,
    SeenPicture,
    box_in_pixels,
)
from facematch_mock_server.vendors.kit import persons as stored
from facematch_mock_server.vendors.pairs import landmark_points
from facematch_mock_server.vendors.persons import PersonFace

#: How often the 105 landmarks repeat each of `landmark_points`: two eyes (with their brows), the
#: nose (with the outline), and two corners of the mouth.
_LANDMARKS: Final = (28, 28, 15, 17, 17)


class Entities(stored.Persons[stored.Group, stored.Person]):
    """The databases and their entities. Thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self.groups.put("default", stored.Group(id="default", name="default", model=""))


def create_db(call: PairCall) -> Response:
    name = _read_text(call, "Name")
    entities = _entities_of(call)
    with entities.lock:
        if entities.groups.find(name) is not None:
            call.refuse("db.exists")
        entities.groups.put(name, stored.Group(id=name, name=name, model=""))
    return _answer(call, "db.changed")


def delete_db(call: PairCall) -> Response:
    _entities_of(call).remove_group(_read_db(call, "Name"))
    return _answer(call, "db.changed")


def add_entity(call: PairCall) -> Response:
    """Add an entity without a face to a database; refuse one that exists."""
    key = _read_entity_key(call)
    db_name, _, name = key.partition("/")
    entity = stored.Person(id=key, name=name, group_id=db_name)
    entities = _entities_of(call)
    with entities.lock:
        if entities.persons.find(key) is not None:
            call.refuse("db.refused", problem="entity already exist")
        entities.persons.put(key, entity)
    return _answer(call, "db.changed")


def delete_entity(call: PairCall) -> Response:
    _entities_of(call).persons.remove(_read_entity_key(call))
    return _answer(call, "db.changed")


def add_face(call: PairCall) -> Response:
    """Add the largest face of a picture to an entity."""
    seen = call.find_faces()
    face_id = str(int(call.world.ids.hex(), 16))[:9]
    face = PersonFace(id=face_id, picture=call.picture, data=call.texts.get("ExtraData", ""))
    entities = _entities_of(call)
    with entities.lock:
        entity = _find_entity(call)
        if len(entity.faces) >= call.claims["face.most"]:
            call.refuse("db.refused", problem="too many faces")
        entities.persons.put(entity.id, attrs.evolve(entity, faces=(*entity.faces, face)))
    return _answer(call, "face.added", FaceId=face_id, QualitieScore=_quality_of(call, seen))


def delete_face(call: PairCall) -> Response:
    db_name = _read_db(call, "DbName")
    face_id = _read_text(call, "FaceId")
    entities = _entities_of(call)
    with entities.lock:
        for entity in entities.persons_of([db_name]):
            kept = tuple(face for face in entity.faces if face.id != face_id)
            entities.persons.put(entity.id, attrs.evolve(entity, faces=kept))
    return _answer(call, "db.changed")


def search(call: PairCall) -> Response:
    """Return for each face of a picture the stored faces, the most alike first."""
    most_results = _read_number(call, "Limit")
    names = call.texts.get("DbNames") or _read_text(call, "DbName")
    db_names = [_check_db(call, name) for name in names.split(",")]
    if len(db_names) > call.claims["search.most_dbs"]:
        call.refuse("db.refused", problem="too many databases")
    seen = call.find_faces()
    quality = _quality_of(call, seen)
    entities = _entities_of(call).persons_of(db_names)
    matches = []
    for number, face in enumerate(seen.faces[: _read_number(call, "MaxFaceNum", default=10)]):
        items = []
        ranked_faces = stored.rank_faces(call, call.picture, number, entities)
        for ranked in ranked_faces[:most_results]:
            item = {
                "DbName": ranked.person.group_id,
                "EntityId": ranked.person.name,
                "FaceId": ranked.face.id,
                "ExtraData": ranked.face.data,
                "Score": as_fraction(ranked.score),
                "Confidence": ranked.score,
            }
            items.append(item)
        box = box_in_pixels(face).values()
        location = dict(zip(("X", "Y", "Width", "Height"), box, strict=True))
        matches.append({"FaceItems": items, "Location": location, "QualitieScore": quality})
    call.pay()
    return _answer(call, "search.answer", MatchList=matches)


def detect(call: PairCall) -> Response:
    """Describe the faces of a picture, the largest first, as lists of numbers."""
    call.claims.cite("answer.unfilled")
    seen = call.detect_faces(call.picture)
    if not seen.decodes:
        call.refuse("picture.unreadable", name="ImageURL")
    faces = seen.faces[: _read_number(call, "MaxFaceNumber", default=1000)]
    rectangles: list[int] = []
    landmarks: list[float] = []
    for face in faces:
        rectangles.extend(box_in_pixels(face).values())
        for (x, y), count in zip(landmark_points(face), _LANDMARKS, strict=True):
            landmarks += [float(x), float(y)] * count
    qualities = [_quality_of(call, seen)] * len(faces)
    names = ("Score", "Blur", "Fnf", "Glass", "Illu", "Mask", "Noise", "Pose")
    call.pay()
    return _answer(
        call,
        "detect.answer",
        FaceCount=len(faces),
        FaceProbabilityList=[face.probability for face in faces],
        FaceRectangles=rectangles,
        LandmarkCount=sum(_LANDMARKS),
        Landmarks=landmarks,
        PoseList=[0.0, 0.0, 0.0] * len(faces),
        Pupils=[],
        Qualities={f"{name}List": qualities for name in names},
    )


def _endpoint(action: str, field: str = "", **more: Any) -> PairEndpoint:
    """Return the endpoint of a call, with the link of a picture in a field or without."""
    pictures = PictureFields(links=(field,) if field else ())
    return PairEndpoint(path="/", pictures=pictures, action=action, **more)


#: The handlers by endpoint.
HANDLERS: Final[Mapping[PairEndpoint, Callable[[PairCall], Response]]] = {
    _endpoint("CreateFaceDb", operation=None): create_db,
    _endpoint("DeleteFaceDb", operation=None): delete_db,
    _endpoint("AddFaceEntity", operation=None): add_entity,
    _endpoint("DeleteFaceEntity", operation=None): delete_entity,
    _endpoint("AddFace", "ImageUrl", operation="detect", formats="face.formats"): add_face,
    _endpoint("DeleteFace", operation=None): delete_face,
    _endpoint("SearchFace", "ImageUrl", formats="face.formats"): search,
    _endpoint("DetectFace", "ImageURL", operation="detect"): detect,
}


def _entities_of(call: PairCall) -> Entities:
    entities: Entities = call.world.records.entities
    return entities


def _answer(call: PairCall, key: str, **data: Any) -> Response:
    body = {"RequestId": call.request_id}
    return call.answer(key, {**body, "Data": data} if data else body)


def _read_text(call: PairCall, name: str) -> str:
    text = call.texts.get(name)
    if not text:
        call.refuse("picture.missing", name=name)
    return text


def _read_number(call: PairCall, name: str, default: int | None = None) -> int:
    """Return a number up to 1,000; refuse another text, and a missing one without default."""
    if default is not None and name not in call.texts:
        return default
    text = _read_text(call, name)
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 1000:
        call.refuse("search.number", name=name)
    return int(text)


def _read_db(call: PairCall, field: str) -> str:
    return _check_db(call, _read_text(call, field))


def _check_db(call: PairCall, name: str) -> str:
    if _entities_of(call).groups.find(name) is None:
        call.hint = "no CreateFaceDb has made this database; Alibaba's console is not imitated"
        call.refuse("db.refused", problem="db not exist")
    return name


def _read_entity_key(call: PairCall) -> str:
    return f"{_read_db(call, 'DbName')}/{_read_text(call, 'EntityId')}"


def _find_entity(call: PairCall) -> stored.Person:
    entity = _entities_of(call).persons.find(_read_entity_key(call))
    if entity is None:
        call.refuse("db.refused", problem="entity not exist")
    return entity


def _quality_of(call: PairCall, seen: SeenPicture) -> float:
    """Return the quality of the picture's largest face: 0-100."""
    return round(see_liveness(call.facts_of(call.picture), seen).quality or 0.0, 2)

"""Collections: faces are indexed, listed and deleted, and those like a picture's are found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors import persons as stored
from facematch_mock_server.vendors.base import NumberedCall

from . import pictures

_ID: Final = re.compile(r"[a-zA-Z0-9_.-]{1,255}")
_EXTERNAL_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,255}")
T = TypeVar("T")
_MODEL: Final = {"FaceModelVersion": "7.0"}


@attrs.frozen(kw_only=True)
class Face(stored.Person):
    """An indexed face, which has one picture; `described` is what answers tell of it."""

    described: Mapping[str, Any]


Collections: TypeAlias = stored.Persons[stored.Group, Face]


def create(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    collection_id = _read_id(call, parameters)
    collections = _collections_of(call)
    with collections.lock:
        if collections.groups.find(collection_id) is not None:
            call.refuse("collection.exists")
        group = stored.Group(id=collection_id, name=collection_id, model="")
        collections.groups.put(collection_id, group)
    arn = f"aws:rekognition:us-east-1:000000000000:collection/{collection_id}"
    return call.answer("collection.created", {"StatusCode": 200, "CollectionArn": arn, **_MODEL})


def list_collections(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    ids = [group.id for group in _collections_of(call).groups.all()]
    page, more = _cut_page(call, parameters, ids)
    body = {"CollectionIds": page, "FaceModelVersions": ["7.0"] * len(page), **more}
    return call.answer("collection.list", body)


def describe(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    call.claims.cite("answer.unfilled")
    return call.answer("collection.read", {"FaceCount": len(_faces_in(call, parameters)), **_MODEL})


def delete(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    _collections_of(call).remove_group(_find_id(call, parameters))
    return call.answer("collection.deleted", {"StatusCode": 200})


def index_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    collection_id = _find_id(call, parameters)
    external_id = parameters.get("ExternalImageId")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(str(external_id)):
        call.refuse("parameters.wrong", "collection.ranges")
    most_faces = _read_count(call, parameters, "MaxFaces", default=100)
    pictures.check_filter(call, parameters)
    seen = pictures.look_at(call, parameters, attributes="DetectionAttributes")
    pictures.charge(call, "IndexFaces")
    image_id = call.world.ids.uuid()
    records = []
    unindexed = []
    for number, details in enumerate(seen.details):
        if number >= most_faces:
            unindexed.append({"Reasons": ["EXCEEDS_MAX_FACES"], "FaceDetail": details})
            continue
        face_id = call.world.ids.uuid()
        described = {"FaceId": face_id, "ImageId": image_id}
        described |= {name: details[name] for name in ("BoundingBox", "Confidence")}
        if external_id is not None:
            described["ExternalImageId"] = external_id
        picture = stored.PersonFace(id=face_id, picture=seen.upload, number=number)
        face = Face(
            id=face_id, name="", group_id=collection_id, faces=(picture,), described=described
        )
        _collections_of(call).persons.put(face_id, face)
        records.append({"Face": described, "FaceDetail": details})
    body = {"FaceRecords": records, "UnindexedFaces": unindexed, **_MODEL}
    return call.answer("collection.indexed", body)


def list_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    page, more = _cut_page(call, parameters, _faces_in(call, parameters))
    body = {"Faces": [face.described for face in page], **_MODEL, **more}
    return call.answer("collection.faces", body)


def delete_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    known = {face.id for face in _faces_in(call, parameters)}
    deleted = []
    failed = []
    for face_id in parameters.get("FaceIds") or ():
        if face_id in known:
            _collections_of(call).persons.remove(face_id)
            deleted.append(face_id)
        else:
            failed.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
    body = {"DeletedFaces": deleted, "UnsuccessfulFaceDeletions": failed}
    return call.answer("collection.faces_deleted", body)


def search_by_image(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Find the faces that are like the largest face of a picture, the most alike first."""
    faces = _faces_in(call, parameters)
    threshold = pictures.read_threshold(call, parameters, "FaceMatchThreshold")
    most_faces = _read_count(call, parameters, "MaxFaces", default=4096)
    seen = pictures.look_at(call, parameters)
    if not seen.details:
        call.refuse("parameters.wrong", "search.no_face")
    pictures.charge(call, "SearchFacesByImage")
    ranked_faces = stored.rank_faces(call, seen.upload, 0, faces)
    matches = _describe_matches(ranked_faces, threshold)[:most_faces]
    largest, *_ = seen.details
    body = {
        "SearchedFaceBoundingBox": largest["BoundingBox"],
        "SearchedFaceConfidence": largest["Confidence"],
        "FaceMatches": matches,
        **_MODEL,
    }
    return call.answer("search.answer", body)


def search(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Find the other faces of a collection that are like one of its faces."""
    faces = {face.id: face for face in _faces_in(call, parameters)}
    threshold = pictures.read_threshold(call, parameters, "FaceMatchThreshold")
    most_faces = _read_count(call, parameters, "MaxFaces", default=4096)
    face_id = str(parameters.get("FaceId"))
    searched = faces.pop(face_id, None)
    if searched is None:
        call.refuse("parameters.wrong", "search.no_face_id")
    pictures.charge(call, "SearchFaces")
    (face,) = searched.faces
    ranked_faces = stored.rank_faces(call, face.picture, face.number, faces.values())
    matches = _describe_matches(ranked_faces, threshold)[:most_faces]
    body = {"SearchedFaceId": face_id, "FaceMatches": matches, **_MODEL}
    return call.answer("search.faces", body)


def _describe_matches(
    ranked_faces: Iterable[stored.RankedFace[Face]], threshold: float
) -> list[dict[str, Any]]:
    """Return the faces at or above a threshold as answers show them, in the same order."""
    matches = []
    for ranked in ranked_faces:
        if ranked.score >= threshold:
            matches.append({"Similarity": ranked.score, "Face": ranked.person.described})
    return matches


def _cut_page(
    call: NumberedCall, parameters: Mapping[str, Any], items: Sequence[T]
) -> tuple[Sequence[T], dict[str, str]]:
    """Return the items of the page that a call asks for, and the NextToken if there are more."""
    token = str(parameters.get("NextToken") or 0)
    if not re.fullmatch("[0-9]{1,9}", token):
        call.refuse("collection.token")
    start = int(token)
    end = start + _read_count(call, parameters, "MaxResults", default=4096)
    more = {"NextToken": str(end)} if end < len(items) else {}
    return items[start:end], more


def _collections_of(call: NumberedCall) -> Collections:
    collections: Collections = call.world.records
    return collections


def _read_id(call: NumberedCall, parameters: Mapping[str, Any]) -> str:
    collection_id = str(parameters.get("CollectionId"))
    if "CollectionId" not in parameters or not _ID.fullmatch(collection_id):
        call.refuse("parameters.wrong", "collection.ranges")
    return collection_id


def _find_id(call: NumberedCall, parameters: Mapping[str, Any]) -> str:
    collection_id = _read_id(call, parameters)
    if _collections_of(call).groups.find(collection_id) is None:
        call.hint = "no CreateCollection has made this collection"
        call.refuse("collection.unknown")
    return collection_id


def _faces_in(call: NumberedCall, parameters: Mapping[str, Any]) -> list[Face]:
    return _collections_of(call).persons_of([_find_id(call, parameters)])


def _read_count(
    call: NumberedCall, parameters: Mapping[str, Any], name: str, *, default: int
) -> int:
    """Return a number from 1 to 4,096; refuse another value."""
    number = parameters.get(name, default)
    if not isinstance(number, int) or not 1 <= number <= 4096:
        call.refuse("parameters.wrong", "collection.ranges")
    return number

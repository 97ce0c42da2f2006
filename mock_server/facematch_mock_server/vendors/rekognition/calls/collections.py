"""Collections: faces are indexed and deleted, and those like a picture's are found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors import persons as stored
from facematch_mock_server.vendors.base import NumberedCall

from . import pictures

_ID: Final = re.compile(r"[a-zA-Z0-9_.-]{1,255}")
_EXTERNAL_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,255}")
_VERSION: Final = "7.0"
MODEL: Final = {"FaceModelVersion": _VERSION}


@attrs.frozen(kw_only=True)
class Face(stored.Person):
    """An indexed face, which has one picture; `described` is what answers tell of it."""

    described: Mapping[str, Any]


Collections: TypeAlias = stored.Persons[stored.Group, Face]


def create(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Create an empty collection; refuse one that exists."""
    collection_id = _read_id(call, parameters)
    collections = collections_of(call)
    with collections.lock:
        if collections.groups.find(collection_id) is not None:
            call.refuse("collection.exists")
        collection = stored.Group(id=collection_id, name=collection_id, model=_VERSION)
        collections.groups.put(collection_id, collection)
    body = {"StatusCode": 200, "CollectionArn": _make_arn(collection), **MODEL}
    return call.answer("collection.created", body)


def delete(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    collections_of(call).remove_group(find_collection(call, parameters).id)
    return call.answer("collection.deleted", {"StatusCode": 200})


def index_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Add a picture's faces to a collection, the largest first.

    Those beyond MaxFaces are only described. Refuse a wrong ExternalImageId. A picture without a
    face is charged, too.
    """
    collection_id = find_collection(call, parameters).id
    external_id = parameters.get("ExternalImageId")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(str(external_id)):
        call.refuse("parameters.wrong")
    most_faces = read_count(call, parameters, "MaxFaces", default=100)
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
        described = {"FaceId": face_id, "ImageId": image_id, "IndexFacesModelVersion": _VERSION}
        described |= {name: details[name] for name in ("BoundingBox", "Confidence")}
        if external_id is not None:
            described["ExternalImageId"] = external_id
        picture = stored.PersonFace(id=face_id, picture=seen.upload, number=number)
        face = Face(
            id=face_id, name="", group_id=collection_id, faces=(picture,), described=described
        )
        collections_of(call).persons.put(face_id, face)
        records.append({"Face": described, "FaceDetail": details})
    body = {"FaceRecords": records, "UnindexedFaces": unindexed, **MODEL}
    return call.answer("collection.indexed", body)


def delete_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Delete faces of a collection by their ids; ids that it does not have are named as failed."""
    faces = {face.id: face for face in faces_in(call, parameters)}
    deleted = []
    failed = []
    for face_id in parameters.get("FaceIds") or ():
        face = faces.get(face_id)
        if face is None:
            failed.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
        else:
            collections_of(call).persons.remove(face_id)
            deleted.append(face_id)
    body = {"DeletedFaces": deleted, "UnsuccessfulFaceDeletions": failed}
    return call.answer("collection.faces_deleted", body)


def search_by_image(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Find the faces that are like the largest face of a picture, the most alike first."""
    faces = faces_in(call, parameters)
    threshold = pictures.read_threshold(call, parameters, "FaceMatchThreshold")
    most_faces = read_count(call, parameters, "MaxFaces", default=4096)
    seen = pictures.look_at(call, parameters)
    if not seen.details:
        call.refuse("search.no_face")
    pictures.charge(call, "SearchFacesByImage")
    ranked_faces = stored.rank_faces(call, seen.upload, 0, faces)
    matches = _describe_matches(ranked_faces, threshold)[:most_faces]
    largest, *_ = seen.details
    body = {
        "SearchedFaceBoundingBox": largest["BoundingBox"],
        "SearchedFaceConfidence": largest["Confidence"],
        "FaceMatches": matches,
        **MODEL,
    }
    return call.answer("search.answer", body)


def search(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Find the other faces of a collection that are like one of its faces."""
    faces = {face.id: face for face in faces_in(call, parameters)}
    threshold = pictures.read_threshold(call, parameters, "FaceMatchThreshold")
    most_faces = read_count(call, parameters, "MaxFaces", default=4096)
    face_id = str(parameters.get("FaceId"))
    searched = faces.pop(face_id, None)
    if searched is None:
        call.refuse("parameters.wrong")
    pictures.charge(call, "SearchFaces")
    (face,) = searched.faces
    ranked_faces = stored.rank_faces(call, face.picture, face.number, faces.values())
    matches = _describe_matches(ranked_faces, threshold)[:most_faces]
    body = {"SearchedFaceId": face_id, "FaceMatches": matches, **MODEL}
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


def collections_of(call: NumberedCall) -> Collections:
    collections: Collections = call.world.records
    return collections


def _read_id(call: NumberedCall, parameters: Mapping[str, Any]) -> str:
    collection_id = str(parameters.get("CollectionId"))
    if "CollectionId" not in parameters or not _ID.fullmatch(collection_id):
        call.refuse("parameters.wrong")
    return collection_id


def find_collection(call: NumberedCall, parameters: Mapping[str, Any]) -> stored.Group:
    collection = collections_of(call).groups.find(_read_id(call, parameters))
    if collection is None:
        call.hint = "no CreateCollection has made this collection"
        call.refuse("collection.unknown")
    return collection


def faces_in(call: NumberedCall, parameters: Mapping[str, Any]) -> list[Face]:
    return collections_of(call).persons_of([find_collection(call, parameters).id])


def _make_arn(collection: stored.Group) -> str:
    return f"aws:rekognition:us-east-1:000000000000:collection/{collection.id}"


def read_count(
    call: NumberedCall, parameters: Mapping[str, Any], name: str, *, default: int
) -> int:
    """Return a number from 1 to 4,096; refuse another value."""
    number = parameters.get(name, default)
    if not isinstance(number, int) or not 1 <= number <= 4096:
        # A CollectionId has 1 to 255 letters, digits and _.-, an ExternalImageId : too; MaxFaces
        # is at most 4,096. Any other value is an invalid parameter. (AWS, API model rekognition
        # 2016-06-27 in botocore 1.44.5)
        call.refuse("parameters.wrong")
    return number

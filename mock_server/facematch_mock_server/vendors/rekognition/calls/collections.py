"""Collections: faces are indexed, listed and deleted, and those like a picture's are found."""

from __future__ import annotations

import datetime as dt
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
_VERSION: Final = "7.0"
MODEL: Final = {"FaceModelVersion": _VERSION}


@attrs.frozen(kw_only=True)
class FaceCollection(stored.Group):
    """A collection of faces and of users.

    Attributes:
        created_at: The time of its creation.
        user_ids: The ids of its users, oldest first.
    """

    created_at: dt.datetime
    user_ids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Face(stored.Person):
    """An indexed face, which has one picture; `described` is what answers tell of it."""

    described: Mapping[str, Any]

    @property
    def user_id(self) -> str | None:
        """The user to whom the face is associated; None if it is to none."""
        return self.described.get("UserId")


Collections: TypeAlias = stored.Persons[FaceCollection, Face]


def create(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    collection_id = _read_id(call, parameters)
    collections = collections_of(call)
    with collections.lock:
        if collections.groups.find(collection_id) is not None:
            call.refuse("collection.exists")
        collection = FaceCollection(
            id=collection_id, name=collection_id, model=_VERSION, created_at=call.now
        )
        collections.groups.put(collection_id, collection)
    body = {"StatusCode": 200, "CollectionArn": _make_arn(collection), **MODEL}
    return call.answer("collection.created", body)


def list_collections(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    ids = [group.id for group in collections_of(call).groups.all()]
    page, more = cut_page(call, parameters, ids)
    body = {"CollectionIds": page, "FaceModelVersions": [_VERSION] * len(page), **more}
    return call.answer("collection.list", body)


def describe(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    collection = find_collection(call, parameters)
    body = {
        "FaceCount": len(faces_in(call, parameters)),
        "CollectionARN": _make_arn(collection),
        "CreationTimestamp": collection.created_at.timestamp(),
        "UserCount": len(collection.user_ids),
        **MODEL,
    }
    return call.answer("collection.read", body)


def delete(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    collections_of(call).remove_group(find_collection(call, parameters).id)
    return call.answer("collection.deleted", {"StatusCode": 200})


def index_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
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


def list_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    faces = faces_in(call, parameters)
    user_id = parameters.get("UserId")
    if user_id is not None:
        faces = [face for face in faces if face.user_id == user_id]
    face_ids = parameters.get("FaceIds")
    if face_ids is not None:
        faces = [face for face in faces if face.id in face_ids]
    page, more = cut_page(call, parameters, faces)
    body = {"Faces": [face.described for face in page], **MODEL, **more}
    return call.answer("collection.faces", body)


def delete_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    faces = {face.id: face for face in faces_in(call, parameters)}
    deleted = []
    failed = []
    for face_id in parameters.get("FaceIds") or ():
        face = faces.get(face_id)
        if face is None:
            failed.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
        elif face.user_id is not None:
            reasons = ["ASSOCIATED_TO_AN_EXISTING_USER"]
            failed.append({"FaceId": face_id, "UserId": face.user_id, "Reasons": reasons})
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
        # SearchFacesByImage refuses a picture without a face as an invalid parameter. (AWS, API
        # model rekognition 2016-06-27 in botocore 1.44.5)
        call.refuse("parameters.wrong")
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


def cut_page(
    call: NumberedCall, parameters: Mapping[str, Any], items: Sequence[T], *, highest: int = 4096
) -> tuple[Sequence[T], dict[str, str]]:
    """Return the items of the page that a call asks for, and the NextToken if there are more."""
    token = str(parameters.get("NextToken") or 0)
    if not re.fullmatch("[0-9]{1,9}", token):
        call.refuse("collection.token")
    start = int(token)
    end = start + read_count(call, parameters, "MaxResults", default=highest, highest=highest)
    more = {"NextToken": str(end)} if end < len(items) else {}
    return items[start:end], more


def collections_of(call: NumberedCall) -> Collections:
    collections: Collections = call.world.records
    return collections


def _read_id(call: NumberedCall, parameters: Mapping[str, Any]) -> str:
    collection_id = str(parameters.get("CollectionId"))
    if "CollectionId" not in parameters or not _ID.fullmatch(collection_id):
        call.refuse("parameters.wrong")
    return collection_id


def find_collection(call: NumberedCall, parameters: Mapping[str, Any]) -> FaceCollection:
    collection = collections_of(call).groups.find(_read_id(call, parameters))
    if collection is None:
        call.hint = "no CreateCollection has made this collection"
        call.refuse("collection.unknown")
    return collection


def faces_in(call: NumberedCall, parameters: Mapping[str, Any]) -> list[Face]:
    return collections_of(call).persons_of([find_collection(call, parameters).id])


def _make_arn(collection: FaceCollection) -> str:
    return f"aws:rekognition:us-east-1:000000000000:collection/{collection.id}"


def read_count(
    call: NumberedCall,
    parameters: Mapping[str, Any],
    name: str,
    *,
    default: int,
    highest: int = 4096,
) -> int:
    """Return a number from 1; refuse another value."""
    number = parameters.get(name, default)
    if not isinstance(number, int) or not 1 <= number <= highest:
        # A CollectionId has 1 to 255 letters, digits and _.-, an ExternalImageId : too; MaxFaces
        # and MaxResults are at most 4,096. Any other value is an invalid parameter; so is a
        # MaxResults of 0 (ours). (AWS, API model rekognition 2016-06-27 in botocore 1.44.5)
        call.refuse("parameters.wrong")
    return number

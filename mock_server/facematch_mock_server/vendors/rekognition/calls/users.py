"""The users of a collection: faces are associated to them, and those like a face are found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.vendors import persons as stored
from facematch_mock_server.vendors.base import NumberedCall

from . import pictures
from .collections import (
    MODEL,
    Face,
    collections_of,
    cut_page,
    faces_in,
    find_collection,
    read_count,
)

_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,128}")
_MOST_USERS: Final = 500


def create(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    user_id = _read_id(call, parameters)
    collections = collections_of(call)
    with collections.lock:
        collection = find_collection(call, parameters)
        if user_id in collection.user_ids:
            call.refuse("user.exists")
        changed = attrs.evolve(collection, user_ids=(*collection.user_ids, user_id))
        collections.groups.put(collection.id, changed)
    return call.answer("user.changed", {})


def delete(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Delete a user, whose faces stay in the collection."""
    collections = collections_of(call)
    with collections.lock:
        user_id = _find_id(call, parameters)
        for face in faces_in(call, parameters):
            if face.user_id == user_id:
                _put_face(call, face, user_id=None)
        collection = find_collection(call, parameters)
        kept = tuple(each for each in collection.user_ids if each != user_id)
        collections.groups.put(collection.id, attrs.evolve(collection, user_ids=kept))
    return call.answer("user.changed", {})


def list_users(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    user_ids = find_collection(call, parameters).user_ids
    page, more = cut_page(call, parameters, user_ids, highest=_MOST_USERS)
    faces = faces_in(call, parameters)
    return call.answer("user.list", {"Users": [_describe(each, faces) for each in page], **more})


def associate(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Associate faces to a user if they are like those that the user has."""
    with_default = {"UserMatchThreshold": call.claims["user.threshold"], **parameters}
    threshold = pictures.read_threshold(call, with_default, "UserMatchThreshold")
    associated = []
    failed: list[dict[str, Any]] = []
    with collections_of(call).lock:
        user_id = _find_id(call, parameters)
        face_ids = _read_face_ids(call, parameters)
        faces = {face.id: face for face in faces_in(call, parameters)}
        for face_id in face_ids:
            face = _find_free_face(faces, face_id, user_id, failed)
            if face is None or face.user_id == user_id:
                continue
            (stored_face,) = face.faces
            picture, number = stored_face.picture, stored_face.number
            score = _score_users(call, picture, number, faces.values()).get(user_id)
            if score is not None and score < threshold:
                reasons = ["LOW_MATCH_CONFIDENCE"]
                failed.append({"FaceId": face_id, "Confidence": score, "Reasons": reasons})
                continue
            faces[face_id] = _put_face(call, face, user_id=user_id)
            associated.append({"FaceId": face_id})
        status = _describe(user_id, faces.values())["UserStatus"]
    body = {
        "AssociatedFaces": associated,
        "UnsuccessfulFaceAssociations": failed,
        "UserStatus": status,
    }
    return call.answer("user.associated", body)


def disassociate(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    disassociated = []
    failed: list[dict[str, Any]] = []
    with collections_of(call).lock:
        user_id = _find_id(call, parameters)
        face_ids = _read_face_ids(call, parameters)
        faces = {face.id: face for face in faces_in(call, parameters)}
        for face_id in face_ids:
            face = _find_free_face(faces, face_id, user_id, failed)
            if face is not None and face.user_id == user_id:
                faces[face_id] = _put_face(call, face, user_id=None)
                disassociated.append({"FaceId": face_id})
        status = _describe(user_id, faces.values())["UserStatus"]
    body = {
        "DisassociatedFaces": disassociated,
        "UnsuccessfulFaceDisassociations": failed,
        "UserStatus": status,
    }
    return call.answer("user.disassociated", body)


def search_by_image(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Find the users who are like the largest face of a picture, the most alike first."""
    faces = faces_in(call, parameters)
    threshold = pictures.read_threshold(call, parameters, "UserMatchThreshold")
    most_users = read_count(call, parameters, "MaxUsers", default=_MOST_USERS, highest=_MOST_USERS)
    seen = pictures.look_at(call, parameters)
    pictures.charge(call, "SearchUsersByImage")
    if not seen.details:
        return call.answer("user.found", {"UserMatches": [], "UnsearchedFaces": [], **MODEL})
    largest, *others = seen.details
    scores = _score_users(call, seen.upload, 0, faces)
    unsearched = [{"FaceDetails": each, "Reasons": ["FACE_NOT_LARGEST"]} for each in others]
    body = {
        "UserMatches": _describe_matches(scores, threshold)[:most_users],
        "SearchedFace": {"FaceDetail": largest},
        "UnsearchedFaces": unsearched,
        **MODEL,
    }
    return call.answer("user.found", body)


def search(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Find the users who are like a face of the collection, or like another user."""
    faces = faces_in(call, parameters)
    threshold = pictures.read_threshold(call, parameters, "UserMatchThreshold")
    most_users = read_count(call, parameters, "MaxUsers", default=_MOST_USERS, highest=_MOST_USERS)
    face_id = parameters.get("FaceId")
    if face_id is None:
        user_id = _find_id(call, parameters)
        searched = [face for face in faces if face.user_id == user_id]
        compared = [face for face in faces if face.user_id != user_id]
        shown = {"SearchedUser": {"UserId": user_id}}
    else:
        searched = [face for face in faces if face.id == face_id]
        compared = faces
        shown = {"SearchedFace": {"FaceId": str(face_id)}}
        if not searched:
            # SearchFaces refuses a FaceId that the collection lacks as an invalid parameter. (our
            # choice; not documented)
            call.refuse("parameters.wrong")
    pictures.charge(call, "SearchUsers")
    scores: dict[str, float] = {}
    for face in searched:
        (stored_face,) = face.faces
        found = _score_users(call, stored_face.picture, stored_face.number, compared)
        scores = {name: max(score, scores.get(name, 0.0)) for name, score in found.items()}
    matches = _describe_matches(scores, threshold)[:most_users]
    return call.answer("user.found", {"UserMatches": matches, **shown, **MODEL})


def _read_id(call: NumberedCall, parameters: Mapping[str, Any]) -> str:
    user_id = parameters.get("UserId")
    if not isinstance(user_id, str) or not _ID.fullmatch(user_id):
        call.refuse("parameters.wrong")
    return user_id


def _find_id(call: NumberedCall, parameters: Mapping[str, Any]) -> str:
    user_id = _read_id(call, parameters)
    if user_id not in find_collection(call, parameters).user_ids:
        call.hint = "no CreateUser has made this user"
        call.refuse("collection.unknown")
    return user_id


def _read_face_ids(call: NumberedCall, parameters: Mapping[str, Any]) -> list[str]:
    face_ids = parameters.get("FaceIds")
    if not isinstance(face_ids, list) or not 1 <= len(face_ids) <= 100:
        # A UserId has 1 to 128 letters, digits and _.:-; FaceIds are 1 to 100, MaxUsers and the
        # MaxResults of ListUsers at most 500, which are their defaults (ours). Any other value is
        # an invalid parameter. ClientRequestToken is not read (ours). (AWS, API model rekognition
        # 2016-06-27 in botocore 1.44.5)
        call.refuse("parameters.wrong")
    return [str(face_id) for face_id in face_ids]


def _find_free_face(
    faces: Mapping[str, Face], face_id: str, user_id: str, failed: list[dict[str, Any]]
) -> Face | None:
    """Return a face that is no other user's; add to `failed` why there is none."""
    face = faces.get(face_id)
    if face is None:
        failed.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
    elif face.user_id not in (None, user_id):
        reasons = ["ASSOCIATED_TO_A_DIFFERENT_USER"]
        failed.append({"FaceId": face_id, "UserId": face.user_id, "Reasons": reasons})
        return None
    return face


def _put_face(call: NumberedCall, face: Face, *, user_id: str | None) -> Face:
    """Associate a face to a user, None for nobody; return the changed face."""
    described = {name: value for name, value in face.described.items() if name != "UserId"}
    if user_id is not None:
        described["UserId"] = user_id
    changed = attrs.evolve(face, described=described)
    return collections_of(call).persons.put(face.id, changed)


def _describe(user_id: str, faces: Iterable[Face]) -> dict[str, str]:
    has_faces = any(face.user_id == user_id for face in faces)
    return {"UserId": user_id, "UserStatus": "ACTIVE" if has_faces else "CREATED"}


def _score_users(
    call: NumberedCall, picture: Upload, number: int, faces: Iterable[Face]
) -> dict[str, float]:
    """Return how alike a picture's face is to each user's most alike one, by the user's id."""
    scores: dict[str, float] = {}
    for ranked in stored.rank_faces(call, picture, number, faces):
        user_id = ranked.person.user_id
        if user_id is not None:
            scores.setdefault(user_id, ranked.score)
    return scores


def _describe_matches(scores: Mapping[str, float], threshold: float) -> list[dict[str, Any]]:
    """Return the users at or above a threshold, the most alike first."""
    matches = []
    for user_id, score in sorted(scores.items(), key=lambda each: each[1], reverse=True):
        if score >= threshold:
            user = {"UserId": user_id, "UserStatus": "ACTIVE"}
            matches.append({"Similarity": score, "User": user})
    return matches

"""CompareFaces and DetectFaces, with pictures in the request or in S3, as of other calls."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from facematch_core import Image, InvalidImage
from facematch_core.backend import ImageFormat
from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.recognition.outcomes import MatchOutcome, SeenFace
from facematch_mock_server.vendors.base import NumberedCall
from facematch_mock_server.vendors.rekognition import wire

from . import sessions

#: Maximum number of faces in a response (the API model).
_MAX_FACES = 100
#: Landmark positions as fractions of the box, from its left and top; our choice.
_LANDMARKS = {
    "eyeLeft": (0.3, 0.4), "eyeRight": (0.7, 0.4), "nose": (0.5, 0.6),
    "mouthLeft": (0.35, 0.8), "mouthRight": (0.65, 0.8),
}  # fmt: skip
#: Attributes that DetectFaces returns only on request.
_ATTRIBUTES = (
    "AGE_RANGE",
    "BEARD",
    "EMOTIONS",
    "EYE_DIRECTION",
    "EYEGLASSES",
    "EYES_OPEN",
    "FACE_OCCLUDED",
    "GENDER",
    "MOUTH_OPEN",
    "MUSTACHE",
    "SMILE",
    "SUNGLASSES",
)


def compare_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Compare the largest face of the source with each face of the target.

    Faces at or above the threshold match; a picture without a face is refused, and free.
    """
    threshold = read_threshold(call, parameters, "SimilarityThreshold")
    source = _read_picture(call, parameters, "SourceImage")
    target = _read_picture(call, parameters, "TargetImage")
    compared = call.compare(source.upload, target.upload)
    if not compared.probe.decodes or not compared.reference.decodes:
        call.refuse("image.format")
    if not compared.probe.faces or not compared.reference.faces:
        # OURS: Calls that end in an error are free; AWS does not document this.
        call.refuse("parameters.wrong", "face.none")
    # The largest face in the source image is compared. (AWS, API model rekognition 2016-06-27 in
    # botocore 1.44.5)
    target_faces = _score_faces(compared)
    # OURS: An additional face in the target image that no test card describes has a similarity
    # of 5, unless a test sets smaller_face_score.
    charge(call, "CompareFaces")
    matches = []
    unmatched = []
    for scored in target_faces:
        face = _describe_face(target.image, scored.face)
        if scored.score >= threshold:
            matches.append({"Similarity": scored.score, "Face": face})
        else:
            unmatched.append(face)
    # The two orientation corrections are always null, as the API model states, so omit them.
    body = {
        "SourceImageFace": _describe_box(source.image, compared.probe.faces[0]),
        "FaceMatches": matches,
        "UnmatchedFaces": unmatched,
    }
    return call.answer("compare.answer", body)


def read_threshold(call: NumberedCall, parameters: Mapping[str, Any], name: str) -> float:
    """Return the threshold, 0-100; refuse an invalid one, and an unknown quality filter."""
    threshold = parameters.get(name)
    if threshold is None:
        threshold = call.claims["compare.threshold"]
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if not is_number or not 0 <= threshold <= 100:
        call.refuse("parameters.wrong")
    check_filter(call, parameters)
    return float(threshold)


def check_filter(call: NumberedCall, parameters: Mapping[str, Any]) -> None:
    """Refuse an unknown quality filter."""
    quality_filter = parameters.get("QualityFilter")
    if quality_filter not in (None, "NONE", "AUTO", "LOW", "MEDIUM", "HIGH"):
        call.refuse("parameters.wrong")
    # OURS: Which faces a QualityFilter excludes is not documented; the mock excludes none.


@attrs.frozen(kw_only=True)
class ScoredFace:
    """A face of the target with its score, 0-100; -1 for a face that never matches."""

    face: SeenFace
    score: float


def _score_faces(compared: MatchOutcome) -> list[ScoredFace]:
    """Return the target's faces, highest score first."""
    scored = []
    for index, face in enumerate(compared.reference.faces[:_MAX_FACES]):
        # Only the largest face is compared; the score of the others is our choice.
        score = compared.smaller_face_score if index else compared.score
        scored.append(ScoredFace(face=face, score=-1.0 if score is None else score))
    scored.sort(key=lambda each: each.score, reverse=True)
    return scored


@attrs.frozen(kw_only=True)
class SeenFaces:
    """A picture of a call, and the FaceDetail of each of its faces, the largest first."""

    upload: Upload
    details: Sequence[dict[str, Any]]


def detect_faces(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    seen = look_at(call, parameters)
    charge(call, "DetectFaces")
    return call.answer("detect.answer", {"FaceDetails": seen.details})


def look_at(
    call: NumberedCall, parameters: Mapping[str, Any], *, attributes: str = "Attributes"
) -> SeenFaces:
    """Describe the faces of a picture with the attributes that a parameter asks for."""
    requested = parameters.get(attributes) or []
    known_attributes = {"DEFAULT", "ALL", *_ATTRIBUTES}
    if not isinstance(requested, list) or not known_attributes.issuperset(map(str, requested)):
        # SimilarityThreshold is a number from 0 to 100; QualityFilter is NONE, AUTO, LOW, MEDIUM or
        # HIGH; Attributes is a list from the API model's 14 values. (AWS, API model rekognition
        # 2016-06-27 in botocore 1.44.5)
        call.refuse("parameters.wrong")
    picture = _read_picture(call, parameters, "Image")
    checked = call.check_liveness(picture.upload)
    if not checked.probe.decodes:
        call.refuse("image.format")
    names = [name for name in _ATTRIBUTES if "ALL" in requested or name in requested]
    # OURS: Age and gender are the test card's. Other attributes are made up: every face is
    # calm, with open eyes and nothing covering it.
    details = []
    for face in checked.probe.faces[:_MAX_FACES]:
        row = _describe_face(picture.image, face)
        row["Quality"] = {
            "Brightness": checked.luminance or 50.0,
            "Sharpness": checked.quality or 50.0,
        }
        details.append(row | _make_attributes(face, names))
    return SeenFaces(upload=picture.upload, details=details)


def _make_attributes(face: SeenFace, attributes: Sequence[str]) -> dict[str, Any]:
    """Return the requested attributes of a face, by the name of the field.

    Age and gender are the face's, and all else is made up.
    """
    values: dict[str, Any] = {
        "AgeRange": {"Low": int(face.age), "High": int(face.age)},
        "Emotions": [{"Type": "CALM", "Confidence": 99.0}],
        "EyeDirection": {"Yaw": 0.0, "Pitch": 0.0, "Confidence": 99.0},
        "EyesOpen": {"Value": True, "Confidence": 99.0},
        "Gender": {"Value": face.gender.capitalize(), "Confidence": 99.0},
    }
    shown = {}
    for attribute in attributes:
        # The attribute EYES_OPEN is the field EyesOpen.
        field = attribute.title().replace("_", "")
        shown[field] = values.get(field, {"Value": False, "Confidence": 99.0})
    return shown


@attrs.frozen(kw_only=True)
class SentPicture:
    """A picture of a call: its bytes, and its decoded header."""

    upload: Upload
    image: Image


def _read_picture(call: NumberedCall, parameters: Mapping[str, Any], name: str) -> SentPicture:
    """Return the picture of a parameter; refuse one that is missing or beyond AWS's limits."""
    holder = parameters.get(name)
    if not isinstance(holder, dict):
        call.refuse("parameters.wrong")
    if holder.get("S3Object") is not None:
        upload = _read_s3_object(call, name, holder["S3Object"])
    else:
        upload = _read_bytes(call, name, holder.get("Bytes"))
    try:
        image = Image.from_bytes(upload.content)
    except InvalidImage:
        call.refuse("image.format")
    if image.format not in (ImageFormat.JPEG, ImageFormat.PNG):
        call.refuse("image.format")
    # OURS: AWS applies the EXIF orientation of a JPEG; the mock does not rotate pictures.
    # The minimum in AWS, Guidelines and quotas.
    if min(image.width, image.height) < 80:
        # OURS: AWS requires at least 80 pixels in width and height; that a smaller picture is an
        # invalid parameter is our choice.
        call.refuse("parameters.wrong")
    return SentPicture(upload=upload, image=image)


def _read_bytes(call: NumberedCall, name: str, text: Any) -> Upload:
    """Return the picture that is in the request, in base64."""
    try:
        content = base64.b64decode(text or "", validate=True)
    except (TypeError, ValueError):
        call.refuse("body.malformed")
    upload = call.upload(name, name, content)
    if not content:
        call.refuse("parameters.wrong")
    if len(content) > call.claims.get("image.max_bytes"):
        call.refuse("image.size", "image.max_bytes")
    return upload


def _read_s3_object(call: NumberedCall, name: str, s3_object: Any) -> Upload:
    """Return a picture in S3: what a session has stored there, or what a test has named."""
    if not isinstance(s3_object, dict):
        call.refuse("parameters.wrong")
    bucket = s3_object.get("Bucket")
    key = s3_object.get("Name")
    version = s3_object.get("Version")
    is_version = version is None or sessions.is_s3_text(version)
    if not sessions.is_bucket(bucket) or not sessions.is_s3_text(key) or not is_version:
        call.refuse("parameters.wrong")
    # OURS: The mock has no S3: an S3Object is a picture that a session stored, one that a test has
    # named BUCKET/NAME, or BUCKET/NAME?versionId=VERSION for one version, or the test card whose
    # file name the Name ends with. An S3Object takes precedence over Bytes.
    stored = sessions.find_stored_picture(call.world, bucket, key)
    if stored is not None:
        return call.upload(name, "", stored)
    place = f"{bucket}/{key}"
    if version is not None:
        place += f"?versionId={version}"
    max_bytes = call.claims.get("s3.max_bytes")
    picture = call.picture_at(name, place, max_bytes=max_bytes, refusal="s3.object", is_s3_key=True)
    if len(picture.content) > max_bytes:
        call.refuse("image.size", "s3.max_bytes")
    return picture


def _describe_box(image: Image, face: SeenFace) -> dict[str, Any]:
    """Return where a face is in a picture, and how sure Rekognition is that it is one."""
    return {
        "BoundingBox": wire.bounding_box(image, face),
        "Confidence": round(face.probability * 100, 4),
    }


def _describe_face(image: Image, face: SeenFace) -> dict[str, Any]:
    """Return a face's box, with landmarks, pose and quality, which are made up."""
    # OURS: Landmarks and pose are derived from the box; quality is the test card's, or made up.
    details = _describe_box(image, face)
    box = details["BoundingBox"]
    landmarks = []
    for name, (x, y) in _LANDMARKS.items():
        left = box["Left"] + box["Width"] * x
        top = box["Top"] + box["Height"] * y
        landmarks.append({"Type": name, "X": left, "Y": top})
    details["Landmarks"] = landmarks
    details["Pose"] = {"Roll": 0.0, "Yaw": 0.0, "Pitch": 0.0}
    details["Quality"] = {"Brightness": 50.0, "Sharpness": 50.0}
    return details


def charge(call: NumberedCall, service: str) -> None:
    # CompareFaces is charged for one image, the source; DetectFaces for its image. (AWS, Amazon
    # Rekognition FAQs, Billing)
    call.claims.cite("credit.start")
    price = Decimal(call.claims["credit.price"])
    call.charge(price, service=service, request_id=call.request_id)

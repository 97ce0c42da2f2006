"""`detect`, which finds the faces in a picture, and `verify`, which compares two of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Headers, Response, Upload, media_type
from facematch_mock_server.recognition.recognizer import Facts
from facematch_mock_server.vendors.azure import access
from facematch_mock_server.vendors.azure.sessions import rectangle
from facematch_mock_server.vendors.base import NumberedCall, as_fraction

from . import sessions

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Maximum number of faces in a response (the specification).
_MAX_FACES = 100
#: Two faces are identical from this confidence on, 0-1.
IDENTICAL_FROM = 0.5
#: Landmark positions in percent of the face's rectangle, from its left and top edges.
_LANDMARKS = """
    pupilLeft 30 40, pupilRight 70 40, noseTip 50 60, mouthLeft 35 80, mouthRight 65 80,
    eyebrowLeftOuter 18 32, eyebrowLeftInner 42 32, eyeLeftOuter 24 40, eyeLeftTop 30 38,
    eyeLeftBottom 30 42, eyeLeftInner 36 40, eyebrowRightInner 58 32, eyebrowRightOuter 82 32,
    eyeRightInner 64 40, eyeRightTop 70 38, eyeRightBottom 70 42, eyeRightOuter 76 40,
    noseRootLeft 46 42, noseRootRight 54 42, noseLeftAlarTop 44 55, noseRightAlarTop 56 55,
    noseLeftAlarOutTip 42 60, noseRightAlarOutTip 58 60, upperLipTop 50 76, upperLipBottom 50 79,
    underLipTop 50 81, underLipBottom 50 85
"""
#: The supported attributes, with made-up values.
_ATTRIBUTES: Mapping[str, Any] = {
    "headPose": {"pitch": 0.0, "roll": 0.0, "yaw": 0.0},
    "glasses": "noGlasses",
    "occlusion": {"foreheadOccluded": False, "eyeOccluded": False, "mouthOccluded": False},
    "accessories": [],
    "blur": {"blurLevel": "low", "value": 0.0},
    "exposure": {"exposureLevel": "goodExposure", "value": 0.5},
    "noise": {"noiseLevel": "low", "value": 0.0},
    "mask": {"noseAndMouthCovered": False, "type": "noMask"},
    "qualityForRecognition": "high",
}
_RETIRED = frozenset({"emotion", "gender", "age", "smile", "facialHair", "hair", "makeup"})
#: The attributes of each model, from the options of Microsoft's azure-ai-vision-face 1.0.0b2.
_BY_MODEL = {
    "detection_01": _ATTRIBUTES.keys() - {"mask", "qualityForRecognition"},
    "detection_03": {"blur", "headPose", "mask"},
    "recognition_03": {"qualityForRecognition"},
    "recognition_04": {"qualityForRecognition"},
}


@attrs.frozen(eq=False, kw_only=True)
class DetectedFace:
    """The face that a face id refers to.

    Attributes:
        facts: The facts about its picture.
        index: Its index in the picture; 0 for the largest face.
        model: The recognition model.
        expires: When the face id expires, in seconds since 1970.
    """

    facts: Facts
    index: int
    model: str
    expires: float


def detect(call: NumberedCall) -> Response:
    """Return the faces of a picture, the largest first, with what the query asks for.

    A face id needs Microsoft's approval; without one no access is checked.
    """
    query = _read_query(call)
    if query["returnFaceId"]:
        access.check_access(call)
    picture = read_picture(call)
    detected = call.detect_faces(picture)
    if not detected.decodes:
        call.refuse("image.unreadable")
    # OURS: Landmarks are derived from the rectangle, and every face has the same attributes: it
    # looks straight ahead, wears no glasses, mask or accessories, and has high quality.
    facts = call.world.recognizer.facts.of(picture.content, picture.digest)
    rows = []
    for index, face in enumerate(detected.faces[:_MAX_FACES]):
        row: dict[str, Any] = {}
        if query["returnFaceId"]:
            row["faceId"] = _keep_face(call, facts=facts, index=index, query=query)
            # The specification ties this field to a face id.
            if query["returnRecognitionModel"]:
                row["recognitionModel"] = query["recognitionModel"]
        row["faceRectangle"] = rectangle(face.box)
        if query["returnFaceLandmarks"]:
            row["faceLandmarks"] = _make_landmarks(row["faceRectangle"])
        if query["returnFaceAttributes"]:
            row["faceAttributes"] = {
                name: _ATTRIBUTES[name] for name in query["returnFaceAttributes"]
            }
        rows.append(row)
    return charge(call, "detect.faces", rows)


def _keep_face(call: NumberedCall, *, facts: Facts, index: int, query: Mapping[str, Any]) -> str:
    """Store a face of a picture for a later verify, and return its new id."""
    face_id = call.world.account.ids.uuid()
    face = DetectedFace(
        facts=facts,
        index=index,
        model=query["recognitionModel"],
        expires=call.now.timestamp() + query["faceIdTimeToLive"],
    )
    call.world.records.faces.put(face_id, face)
    return face_id


def _make_landmarks(rectangle: Mapping[str, int]) -> dict[str, dict[str, float]]:
    """Return made-up landmarks in a face's rectangle, in pixels."""
    landmarks = {}
    for landmark in _LANDMARKS.split(","):
        name, x_percent, y_percent = landmark.split()
        landmarks[name] = {
            "x": rectangle["left"] + rectangle["width"] * int(x_percent) / 100,
            "y": rectangle["top"] + rectangle["height"] * int(y_percent) / 100,
        }
    return landmarks


def verify(call: NumberedCall, body: Mapping[str, Any]) -> Response:
    """Tell whether two faces are one person's."""
    # Microsoft's client of v1.1-preview.1 sends faceid1 and faceid2, in lower case. That every
    # version takes these, too, is our choice. (Microsoft, PyPI azure-ai-vision-face 1.0.0b1, and
    # Azure/azure-rest-api-specs, Face, examples of v1.1-preview.1)
    ids = {name: body.get(name, body.get(name.lower())) for name in ("faceId1", "faceId2")}
    call.journal_fields = mask_and_shorten((name, str(value)) for name, value in ids.items())
    face1 = find_face(call, ids["faceId1"])
    face2 = find_face(call, ids["faceId2"])
    if face1.model != face2.model:
        call.refuse("verify.models")
    score = _compare_faces(call, face1, face2)
    if score is None:
        # OURS: If a test sets an outcome without a score, the comparison is refused like an unknown
        # face.
        call.refuse("verify.unknown")
    # OURS: A confidence has five decimals.
    return answer_verify(call, as_fraction(score))


def answer_verify(call: NumberedCall, confidence: float) -> Response:
    # isIdentical is true if the confidence is 0.5 or more. (Azure/azure-rest-api-specs, Face v1.2,
    # commit 1b7c640)
    answer = {"isIdentical": confidence >= IDENTICAL_FROM, "confidence": confidence}
    return charge(call, "verify.answer", answer)


def score_all(
    call: NumberedCall, body: Mapping[str, Any], face: DetectedFace
) -> list[dict[str, Any]]:
    """Return the faces of the body's ``faceIds`` with their confidence to a face."""
    similar = []
    for face_id, other in find_all(call, body, most=1000).items():
        if other.model != face.model:
            call.refuse("verify.models")
        confidence = as_fraction(_compare_faces(call, face, other) or 0.0)
        similar.append({"faceId": face_id, "confidence": confidence})
    return similar


def _compare_faces(call: NumberedCall, face1: DetectedFace, face2: DetectedFace) -> float | None:
    """Return the score of two faces, 0-100; None if there is none."""
    if face1 is face2:
        # OURS: A face compared with itself has a confidence of 1; a face that is not the largest in
        # its picture has 0.05 with any other, unless a test sets smaller_face_score.
        return 100.0
    compared = call.compare(picture_of(call, face1), picture_of(call, face2))
    if face1.index or face2.index:
        # The score of a face that is not the largest in its picture is our choice.
        return compared.smaller_face_score
    return compared.score


def picture_of(call: NumberedCall, face: DetectedFace) -> Upload:
    """Return a face's picture; without its bytes if they are not kept (a card needs none)."""
    digest = face.facts.digest
    return Upload("image", call.world.pictures.find(digest) or b"", digest)


def charge(call: NumberedCall, claim: str, body: object = None, headers: Headers = ()) -> Response:
    """Return a response without a refusal, which is one transaction."""
    # OURS: Each response without an error is one transaction, and one ledger entry with the amount
    # 0. Microsoft does not document the price of a transaction, or whether a rejected one is
    # charged.
    operation, _, _ = claim.partition(".")
    call.charge(Decimal(0), service=operation.upper(), request_id=call.request_id)
    return call.answer(claim, body, headers)


def _read_query(call: NumberedCall) -> dict[str, Any]:
    """Return the query's values by field name; refuse the call at the first invalid value."""
    values: dict[str, Any] = {}
    for name, (default, parse) in _QUERY.items():
        values[name] = parse(call.query.get(name, default))
        if values[name] is None:
            # OURS: Any other invalid query value gets the same error as a model's.
            call.refuse("query.wrong", name=name)
    # OURS: All detection models find the same faces, and all recognition models give the same
    # confidence.
    _check_attributes(call, values)
    return values


def _check_attributes(call: NumberedCall, values: Mapping[str, Any]) -> None:
    """Refuse attributes and landmarks that are unknown, or not of the chosen models."""
    names = set(values["returnFaceAttributes"])
    detection = values["detectionModel"]
    recognition = values["recognitionModel"]
    if not names <= _ATTRIBUTES.keys() | _RETIRED:
        call.refuse("attributes.wrong")
    if detection == "detection_02" and names:
        call.refuse("attributes.detection_02")
    if detection == "detection_02" and values["returnFaceLandmarks"]:
        call.refuse("landmarks.detection_02")
    if names & _RETIRED:
        call.refuse("attributes.retired")
    if not names <= _BY_MODEL.get(detection, set()) | _BY_MODEL.get(recognition, set()):
        # OURS: mask requires detection_03, qualityForRecognition recognition_03 or 04, and most
        # others detection_01. Microsoft documents this; the error messages for other combinations
        # are ours.
        call.refuse("attributes.wrong")


def read_picture(call: NumberedCall) -> Upload:
    """Return the picture of the body, or the one at the link that the body has in its place."""
    body = call.request.body
    content_type = media_type(call.request.header("content-type", ""))
    if content_type == "application/json":
        return _read_linked_picture(call)
    if content_type != "application/octet-stream":
        call.refuse("body.wrong")
    sessions.check_picture(call, body)
    return call.upload("image", "image", body)


def find_target(call: NumberedCall, picture: Upload) -> int:
    """Return the number of the face to add, 0 for the largest: the only one, or `targetFace`."""
    seen = call.detect_faces(picture)
    if not seen.decodes:
        call.refuse("image.unreadable")
    numbers = list(range(len(seen.faces)))
    target = call.query.get("targetFace")
    if target:
        if not re.fullmatch(r"\d{1,5}(,\d{1,5}){3}", target):
            call.refuse("face.target")
        left, top, width, height = map(int, target.split(","))
        numbers = []
        for number, face in enumerate(seen.faces):
            face_left, face_top, face_right, face_bottom = face.box
            x, y = (face_left + face_right) / 2, (face_top + face_bottom) / 2
            if left <= x <= left + width and top <= y <= top + height:
                numbers.append(number)
    if not numbers:
        call.refuse("person.no_face")
    if len(numbers) > 1:
        call.refuse("person.many_faces")
    return numbers[0]


def _read_linked_picture(call: NumberedCall) -> Upload:
    # detect takes a picture's bytes, or a JSON object with its url. (Azure/azure-rest-api-specs,
    # Face v1.2, commit 1b7c640)
    link = call.read_object("body.json").get("url")
    if not isinstance(link, str) or not link.startswith(("http://", "https://")):
        call.refuse("image.url")
    max_bytes = call.claims.get("image.max_bytes")
    picture = call.picture_at("url", link, max_bytes=max_bytes, refusal="image.download")
    sessions.check_picture(call, picture.content)
    return picture


def find_face(
    call: NumberedCall, face_id: object, *, unknown: str = "verify.unknown"
) -> DetectedFace:
    """Return the face of an id; refuse by `unknown` if it never was, or is no longer, known."""
    if not isinstance(face_id, str) or not _UUID.fullmatch(face_id.lower()):
        call.refuse("verify.id")
    face: DetectedFace | None = call.world.records.faces.find(face_id.lower())
    if face is None or face.expires <= call.now.timestamp():
        # OURS: The newest 1,000 faces of an account are stored; older ones are unknown. With an
        # engine that compares pictures, the pictures are stored too, up to 64 MiB for all accounts.
        call.refuse(unknown)
    has_bytes = call.world.pictures.find(face.facts.digest) is not None
    if call.world.recognizer.needs_bytes and not has_bytes:
        # An expired face id is deleted, so it is unknown. (Azure/azure-rest-api-specs, Face v1.2,
        # commit 1b7c640)
        call.refuse(unknown)
    return face


def find_all(call: NumberedCall, body: Mapping[str, Any], *, most: int) -> dict[str, DetectedFace]:
    """Return the faces of the body's ``faceIds``, 1 to `most`, by id."""
    ids = body.get("faceIds")
    if not isinstance(ids, list) or not 1 <= len(ids) <= most:
        call.refuse("faces.count")
    return {str(each): find_face(call, each, unknown="faces.unknown") for each in ids}


def read_count(call: NumberedCall, body: Mapping[str, Any], *, default: int, most: int) -> int:
    """Return how many candidates an answer may have: 1 to `most`."""
    count = body.get("maxNumOfCandidatesReturned", default)
    if type(count) is not int or not 1 <= count <= most:
        call.refuse("candidates.count")
    return count


def read_recognition_model(call: NumberedCall, body: Mapping[str, Any]) -> str:
    """Return the recognition model of a group."""
    default, parse = _QUERY["recognitionModel"]
    model: str | None = parse(body.get("recognitionModel", default))
    if model is None:
        call.refuse("query.wrong", name="recognitionModel")
    return model


def _flag(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _lifetime_s(text: str) -> int | None:
    if not re.fullmatch("[0-9]{2,5}", text):
        return None
    seconds = int(text)
    return seconds if 60 <= seconds <= 86_400 else None


def _model(kind: str, count: int) -> Callable[[str], str | None]:
    """Return a parser of the models ``KIND_01`` to ``KIND_0COUNT``."""
    names = [f"{kind}_0{number}" for number in range(1, count + 1)]
    return lambda text: text if text in names else None


#: The fields of the specification's FaceDetectionOptions, each with its default and a parser that
#: returns None for an invalid value.
_QUERY: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "returnFaceId": ("true", _flag),
    "returnFaceLandmarks": ("false", _flag),
    "returnFaceAttributes": ("", lambda text: [name for name in text.split(",") if name]),
    "recognitionModel": ("recognition_01", _model("recognition", 4)),
    "returnRecognitionModel": ("false", _flag),
    "detectionModel": ("detection_01", _model("detection", 3)),
    "faceIdTimeToLive": ("86400", _lifetime_s),
}
_MODELS = frozenset({"recognitionModel", "detectionModel"})

"""Azure AI Face: `detect` and `verify`, access control, and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Request, Response, Upload, media_type
from facematch_mock_server.base.state import Collection
from facematch_mock_server.recognition.recognizer import Facts
from facematch_mock_server.vendors import base
from facematch_mock_server.world.hosted import HostedSessions
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind

from . import preview, sessions
from .claims import CLAIMS

VERSIONS = ("v1.2", preview.VERSION)
DETECT = f"/face/{VERSIONS[0]}/detect"
KEY_HEADER = "Ocp-Apim-Subscription-Key"
#: The hint for other API versions, older clients and unknown paths.
_IMITATED = (
    f"this mock imitates detect and verify of {' and '.join(VERSIONS)}, of {VERSIONS[0]} "
    f"{', '.join(path.rpartition('/')[2] for path in (sessions.LIVENESS, sessions.WITH_VERIFY))}, "
    f"and of {preview.VERSION} detectLiveness/singleModal/sessions and "
    "detectLivenessWithVerify/singleModal/sessions"
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Maximum number of faces in a response (the specification).
_MAX_FACES = 100
#: Two faces are identical from this confidence on, 0-1.
_IDENTICAL_FROM = 0.5
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


@attrs.define(kw_only=True)
class AzureCall(base.NumberedCall):
    """A call whose response has the request id in a header."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        # The specification describes this header as "the unique requestId".
        self.headers = (("apim-request-id", self.request_id),)


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


def detect(call: AzureCall) -> Response:
    query = _read_query(call)
    if query["returnFaceId"]:
        _check_access(call)
    picture = _read_picture(call)
    detected = call.detect_faces(picture)
    if not detected.decodes:
        call.refuse("image.unreadable")
    if detected.faces and (query["returnFaceAttributes"] or query["returnFaceLandmarks"]):
        call.claims.cite("detect.made_up")
    facts = call.world.recognizer.facts.of(picture.content, picture.digest)
    rows = []
    for index, face in enumerate(detected.faces[:_MAX_FACES]):
        row: dict[str, Any] = {}
        if query["returnFaceId"]:
            row["faceId"] = _keep_face(call, facts=facts, index=index, query=query)
            # The specification ties this field to a face id.
            if query["returnRecognitionModel"]:
                row["recognitionModel"] = query["recognitionModel"]
        row["faceRectangle"] = sessions.rectangle(face.box)
        if query["returnFaceLandmarks"]:
            row["faceLandmarks"] = _make_landmarks(row["faceRectangle"])
        if query["returnFaceAttributes"]:
            row["faceAttributes"] = {
                name: _ATTRIBUTES[name] for name in query["returnFaceAttributes"]
            }
        rows.append(row)
    return _charge(call, "detect.faces", rows)


def _keep_face(call: AzureCall, *, facts: Facts, index: int, query: Mapping[str, Any]) -> str:
    """Store a face of a picture for a later verify, and return its new id."""
    face_id = call.world.account.ids.uuid()
    face = DetectedFace(
        facts=facts,
        index=index,
        model=query["recognitionModel"],
        expires=call.now.timestamp() + query["faceIdTimeToLive"],
    )
    call.world.records.put(face_id, face)
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


def verify(call: AzureCall) -> Response:
    _check_access(call)
    body = call.read_object("body.json")
    if "personId" in body:
        call.refuse("verify.person")
    call.journal_fields = mask_and_shorten(
        [(name, str(body.get(name))) for name in ("faceId1", "faceId2")]
    )
    face1 = _find_face(call, body.get("faceId1"))
    face2 = _find_face(call, body.get("faceId2"))
    if face1.model != face2.model:
        call.refuse("verify.models")
    score = _compare_faces(call, face1, face2)
    if score is None:
        call.refuse("verify.unknown", "verify.unscored")
    call.claims.cite("verify.boundary", "verify.digits")
    confidence = base.as_fraction(score)
    answer = {"isIdentical": confidence >= _IDENTICAL_FROM, "confidence": confidence}
    return _charge(call, "verify.answer", answer)


def _compare_faces(call: AzureCall, face1: DetectedFace, face2: DetectedFace) -> float | None:
    """Return the score of two faces, 0-100; None if there is none."""
    if face1 is face2:
        call.claims.cite("verify.others")
        return 100.0
    compared = call.compare(_picture_of(call, face1), _picture_of(call, face2))
    if face1.index or face2.index:
        call.claims.cite("verify.others")
        # The score of a face that is not the largest in its picture is our choice.
        return compared.smaller_face_score
    return compared.score


def _picture_of(call: AzureCall, face: DetectedFace) -> Upload:
    """Return a face's picture; without its bytes if they are not kept (a card needs none)."""
    digest = face.facts.digest
    return Upload("image", call.world.pictures.find(digest) or b"", digest)


def _charge(call: AzureCall, claim: str, body: object) -> Response:
    call.claims.cite("charge")
    operation, _, _ = claim.partition(".")
    call.charge(Decimal(0), service=operation.upper(), request_id=call.request_id)
    return call.answer(claim, body)


def _key_of(head: Request) -> str | None:
    key = head.header(KEY_HEADER.lower())
    return base.bearer_token(head) if key is None else key


def _check_key(call: AzureCall) -> None:
    if not call.request.path.startswith(f"/face/{VERSIONS[0]}/"):
        call.claims.cite("versions")
    has_key = call.authenticate(_key_of(call.request))
    if call.request.header(KEY_HEADER.lower()) is None and call.request.header("authorization"):
        call.claims.cite("token.ours")
        if not has_key:
            call.refuse("token.wrong")
    elif not has_key:
        call.refuse("key.wrong")


def _check_rate(call: AzureCall) -> None:
    windows = {"resource": 1, "month": call.claims.get("quota.month_s")}
    # The limits belong to the resource, whichever key a client sends.
    exceeded = call.count_request(windows)
    if exceeded is None:
        return
    if exceeded.scope == "resource":
        call.refuse("rate.exceeded", "rate.limit", "rate.retry_after")
    wait_s = exceeded.retry_after_s
    headers = (("Retry-After", str(wait_s)),)
    call.refuse(
        "quota.exceeded", "quota.limit", "quota.month_s", headers=headers, wait=_format_wait(wait_s)
    )


def _format_wait(wait_s: int) -> str:
    """Return seconds as Microsoft's gateway writes them: ``22.14:18:12``, or ``00:06:46``."""
    days, rest_s = divmod(wait_s, 86_400)
    hours, rest_s = divmod(rest_s, 3600)
    minutes, seconds = divmod(rest_s, 60)
    clock = f"{hours:02}:{minutes:02}:{seconds:02}"
    return f"{days}.{clock}" if days else clock


def _check_access(call: AzureCall) -> None:
    if call.claims["access"] == "unapproved":
        call.refuse("access.refused")


def _read_query(call: AzureCall) -> dict[str, Any]:
    """Return the query's values by field name; refuse the call at the first invalid value."""
    values: dict[str, Any] = {}
    for name, (default, parse) in _QUERY.items():
        values[name] = parse(call.query.get(name, default))
        if values[name] is None:
            if name not in _MODELS:
                call.claims.cite("query.others")
            call.refuse("query.wrong", name=name)
    if not _MODELS.isdisjoint(call.query):
        call.claims.cite("models")
    _check_attributes(call, values)
    return values


def _check_attributes(call: AzureCall, values: Mapping[str, Any]) -> None:
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
        call.refuse("attributes.wrong", "attributes.models")


def _read_picture(call: AzureCall) -> Upload:
    """Return the picture of the body, or the one at the link that the body has in its place."""
    body = call.request.body
    content_type = media_type(call.request.header("content-type", ""))
    if content_type == "application/json":
        return _read_linked_picture(call)
    if content_type != "application/octet-stream":
        call.refuse("body.wrong")
    sessions.check_picture(call, body)
    return call.upload("image", "image", body)


def _read_linked_picture(call: AzureCall) -> Upload:
    call.claims.cite("image.linked")
    link = call.read_object("body.json").get("url")
    if not isinstance(link, str) or not link.startswith(("http://", "https://")):
        call.refuse("image.url")
    max_bytes = call.claims.get("image.max_bytes")
    picture = call.picture_at("url", link, max_bytes=max_bytes, refusal="image.download")
    sessions.check_picture(call, picture.content)
    return picture


def _find_face(call: AzureCall, face_id: object) -> DetectedFace:
    if not isinstance(face_id, str) or not _UUID.fullmatch(face_id.lower()):
        call.refuse("verify.id")
    face: DetectedFace | None = call.world.records.find(face_id.lower())
    if face is None or face.expires <= call.now.timestamp():
        call.refuse("verify.unknown", "verify.expired", "verify.kept")
    has_bytes = call.world.pictures.find(face.facts.digest) is not None
    if call.world.recognizer.needs_bytes and not has_bytes:
        call.refuse("verify.unknown", "verify.expired", "verify.kept")
    return face


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


_CHECKS = {"key.wrong": _check_key, "rate.exceeded": _check_rate}
_CREDENTIALS = (KEY_HEADER.lower(),)


def _picture_routes() -> Iterator[base.Route]:
    """Yield the routes that take pictures, or the ids of their faces, in each version."""
    for version in VERSIONS:
        for name, handler, operation in (("detect", detect, "detect"), ("verify", verify, "match")):
            yield base.Route(
                pattern=f"/face/{version}/{name}",
                handlers={"POST": handler},
                operation=operation,
                checks=_CHECKS,
                credentials=_CREDENTIALS,
            )


def _session_routes() -> Iterator[base.Route]:
    """Yield the routes of liveness sessions in each version."""
    for module in (sessions, preview):
        for path, handlers, operation in module.ROUTES:
            yield base.Route(
                pattern=path,
                handlers=handlers,
                operation=operation,
                checks={**_CHECKS, "access.refused": _check_access},
                credentials=_CREDENTIALS,
                fields=module.FIELDS,
                error_claims={400: "session.body", 404: "session.unknown"},
            )


class Azure(base.MockVendor):
    """The mock of Azure AI Face in one world. Thread-safe."""

    call = AzureCall
    common_prefix = f"/face/{VERSIONS[0]}/"
    # Microsoft's older clients get the error for an unknown path.
    extra_prefixes = ("/face/v1.",)
    routes = (*_picture_routes(), *_session_routes())
    session_rules = sessions.SESSION_RULES
    takes_links = True
    not_found_claim = "path"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("body.wrong",),
        401: ("key.wrong",),
        403: ("access.refused",),
        404: ("verify.unknown",),
        429: ("rate.exceeded", "rate.retry_after"),
        500: ("service.busy",),
        503: ("service.busy",),
    }

    def not_found(self, call: base.Call) -> Response:
        call.hint = _IMITATED
        return call.answer(self.not_found_claim)


_HEADERS = f"-H '{KEY_HEADER}: {LIVE_KEY}' -H 'Content-Type: application/octet-stream'"


def _ask_samples(mock: Any) -> None:
    """Collect the samples for the OpenAPI document, with a `Sampler`."""
    models = "recognitionModel=recognition_04&detectionModel=detection_03"
    face_fields = "returnFaceLandmarks=true&returnRecognitionModel=true&faceIdTimeToLive=600"
    query = f"{models}&{face_fields}&returnFaceAttributes=mask,headPose,qualityForRecognition"
    for version in VERSIONS:
        first_face, second_face = mock.ask("POST", f"/face/{version}/detect", body="two-faces")
        mock.ask("POST", f"/face/{version}/detect?returnFaceId=false&{query}", body="p1")
        ids = {"faceId1": first_face["faceId"], "faceId2": second_face["faceId"]}
        mock.ask("POST", f"/face/{version}/verify", json=ids)
    fields = {"livenessOperationMode": "Passive", "deviceCorrelationId": "phone-7"}
    liveness_alone = mock.ask(
        "POST", sessions.LIVENESS, json={**fields, "enableSessionImage": True}
    )
    _finish_and_ask_session(mock, sessions.LIVENESS, liveness_alone["sessionId"])
    files = {"verifyImage": "p1"}
    with_verify = mock.ask("POST", sessions.WITH_VERIFY, form=fields, files=files)
    _finish_and_ask_session(mock, sessions.WITH_VERIFY, with_verify["sessionId"])
    _ask_preview_samples(
        mock, {**fields, "enableSessionImage": True, "returnVerifyImageHash": True}
    )


def _finish(mock: Any, session_id: str) -> None:
    """Act as a person who fails once, and then passes."""
    mock.act(session_id, "fail_attempt")
    mock.act(session_id, "card")


def _finish_and_ask_session(mock: Any, path: str, session_id: str) -> None:
    _finish(mock, session_id)
    answer = mock.ask("GET", f"{path}/{session_id}")
    result = answer["results"]["attempts"][0]["result"]
    if "sessionImageId" in result:
        mock.ask("GET", f"{sessions.IMAGES}/{result['sessionImageId']}")
    mock.ask("DELETE", f"{path}/{session_id}")


def _ask_preview_samples(mock: Any, fields: Mapping[str, Any]) -> None:
    # The mock refuses this start: without a picture, the device would send the reference.
    mock.ask("POST", preview.WITH_VERIFY, json=fields)
    liveness_alone = mock.ask("POST", preview.LIVENESS, json=fields)
    _finish_and_ask_preview_session(mock, preview.LIVENESS, liveness_alone["sessionId"])
    form = {"Parameters": json.dumps(fields)}
    files = {"VerifyImage": "p1"}
    with_verify = mock.ask("POST", preview.WITH_VERIFY, form=form, files=files)
    _finish_and_ask_preview_session(mock, preview.WITH_VERIFY, with_verify["sessionId"])


def _finish_and_ask_preview_session(mock: Any, path: str, session_id: str) -> None:
    _finish(mock, session_id)
    answer = mock.ask("GET", f"{path}/{session_id}")
    mock.ask("GET", path)
    mock.ask("GET", f"{path}/{session_id}/audit")
    mock.ask("GET", f"{preview.IMAGES}/{answer['result']['sessionImageId']}")
    mock.ask("DELETE", f"{path}/{session_id}")


VENDOR = base.Vendor(
    name="azure",
    title="Azure AI Face",
    claims=CLAIMS,
    switches={"access": ("approved", "unapproved")},
    rate_limits={"resource": "rate.limit", "month": "quota.limit"},
    operations=("match", "detect", "session_start", "session_read"),
    hosts=frozenset({"*.cognitiveservices.azure.com", "*.api.cognitive.microsoft.com"}),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE)},
    key_of=_key_of,
    # The newest faces by id; the maximum is our choice.
    records=lambda: Collection(limit=1000),
    extensions={"sessions": HostedSessions},
    behaviour=Azure,
    samples=_ask_samples,
    greeting=(f"key: {LIVE_KEY}", f"curl {_HEADERS} --data-binary @cards/p1.png {{url}}{DETECT}"),
)

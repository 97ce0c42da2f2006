"""Azure AI Face: `detect` and `verify`, access control, and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
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


@attrs.frozen(eq=False)
class DetectedFace:
    """The face that a face id refers to: its picture, and its index (0 for the largest face)."""

    facts: Facts
    number: int
    model: str
    expires: float


def detect(call: AzureCall) -> Response:
    query = _read_query(call)
    if query["returnFaceId"]:
        _check_access(call)
    picture = _read_picture(call)
    seen = call.detect_faces(picture)
    if not seen.decodes:
        call.refuse("image.unreadable")
    attributes, model = query["returnFaceAttributes"], query["recognitionModel"]
    if seen.faces and (attributes or query["returnFaceLandmarks"]):
        call.claims.cite("detect.made_up")
    rows, account, kept = [], call.world.account, call.world.records
    facts = call.world.recognizer.facts.of(picture.content, picture.digest)
    now = call.now.timestamp()
    # The maximum in the specification.
    for number, face in enumerate(seen.faces[:100]):
        place = sessions.rectangle(face.box)
        row: dict[str, Any] = {}
        if query["returnFaceId"]:
            row["faceId"] = face_id = account.ids.uuid()
            expires = now + query["faceIdTimeToLive"]
            kept.put(face_id, DetectedFace(facts, number, model, expires))
            # The specification ties this field to a face id.
            if query["returnRecognitionModel"]:
                row["recognitionModel"] = model
        row["faceRectangle"] = place
        if query["returnFaceLandmarks"]:
            row["faceLandmarks"] = {
                name: {
                    "x": place["left"] + place["width"] * int(x) / 100,
                    "y": place["top"] + place["height"] * int(y) / 100,
                }
                for name, x, y in (point.split() for point in _LANDMARKS.split(","))
            }
        if attributes:
            row["faceAttributes"] = {name: _ATTRIBUTES[name] for name in attributes}
        rows.append(row)
    return _charge(call, "detect.faces", rows)


def verify(call: AzureCall) -> Response:
    _check_access(call)
    body = call.read_object("body.json")
    if "personId" in body:
        call.refuse("verify.person")
    ids = {name: body.get(name) for name in _IDS}
    call.journal_fields = mask_and_shorten((name, str(value)) for name, value in ids.items())
    first, second = (_find_face(call, face_id) for face_id in ids.values())
    if first.model != second.model:
        call.refuse("verify.models")
    if first is second:
        call.claims.cite("verify.others")
        score: float | None = 100.0
    else:
        digests, find = (first.facts.digest, second.facts.digest), call.world.pictures.find
        pictures = (Upload("image", find(digest) or b"", digest) for digest in digests)
        seen = call.compare(*pictures)
        score = seen.score
        if first.number or second.number:
            call.claims.cite("verify.others")
            # The score of a face that is not the largest in its picture is our choice.
            score = seen.smaller_face_score
    if score is None:
        call.refuse("verify.unknown", "verify.unscored")
    call.claims.cite("verify.boundary", "verify.digits")
    confidence = base.as_fraction(score)
    answer = {"isIdentical": confidence >= 0.5, "confidence": confidence}
    return _charge(call, "verify.answer", answer)


def _charge(call: AzureCall, claim: str, body: Any) -> Response:
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
    exceeded = call.world.rates.count_request(windows, client="", now=call.now.timestamp())
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
    for name, (default, read) in _QUERY.items():
        values[name] = read(call.query.get(name, default))
        if values[name] is None:
            if name not in _MODELS:
                call.claims.cite("query.others")
            call.refuse("query.wrong", name=name)
    if not _MODELS.isdisjoint(call.query):
        call.claims.cite("models")
    names, detection = set(values["returnFaceAttributes"]), values["detectionModel"]
    if not names <= _ATTRIBUTES.keys() | _RETIRED:
        call.refuse("attributes.wrong")
    if detection == "detection_02" and names:
        call.refuse("attributes.detection_02")
    if detection == "detection_02" and values["returnFaceLandmarks"]:
        call.refuse("landmarks.detection_02")
    if names & _RETIRED:
        call.refuse("attributes.retired")
    if not names <= set().union(*(_BY_MODEL.get(values[name], set()) for name in _MODELS)):
        call.refuse("attributes.wrong", "attributes.models")
    return values


def _read_picture(call: AzureCall) -> Upload:
    body, kind = call.request.body, media_type(call.request.header("content-type") or "")
    if kind != "application/octet-stream":
        call.refuse("image.url" if kind == "application/json" else "body.wrong")
    sessions.check_picture(call, body)
    return call.upload("image", "image", body)


def _find_face(call: AzureCall, face_id: object) -> DetectedFace:
    if not isinstance(face_id, str) or not _UUID.fullmatch(face_id.lower()):
        call.refuse("verify.id")
    face: DetectedFace | None = call.world.records.find(face_id.lower())
    needs_bytes = call.world.recognizer.needs_bytes
    if (
        face is None
        or face.expires <= call.now.timestamp()
        or (needs_bytes and call.world.pictures.find(face.facts.digest) is None)
    ):
        call.refuse("verify.unknown", "verify.expired", "verify.kept")
    return face


def _flag(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _seconds(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{2,5}", text) and 60 <= int(text) <= 86400 else None


def _model(kind: str, count: int) -> Callable[[str], str | None]:
    names = [f"{kind}_0{number}" for number in range(1, count + 1)]
    return dict(zip(names, names, strict=True)).get


_IDS = ("faceId1", "faceId2")
#: The fields of the specification's FaceDetectionOptions, each with its default and a parser that
#: returns None for an invalid value.
_QUERY: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "returnFaceId": ("true", _flag),
    "returnFaceLandmarks": ("false", _flag),
    "returnFaceAttributes": ("", lambda text: [name for name in text.split(",") if name]),
    "recognitionModel": ("recognition_01", _model("recognition", 4)),
    "returnRecognitionModel": ("false", _flag),
    "detectionModel": ("detection_01", _model("detection", 3)),
    "faceIdTimeToLive": ("86400", _seconds),
}
_MODELS = frozenset({"recognitionModel", "detectionModel"})


_CHECKS = {"key.wrong": _check_key, "rate.exceeded": _check_rate}


def _route(
    path: str,
    handlers: Mapping[str, Callable[[Any], Response]],
    operation: str | None,
    **options: Any,
) -> base.Route:
    usual = {"checks": _CHECKS, "credentials": (KEY_HEADER.lower(),)}
    return base.Route(pattern=path, handlers=handlers, operation=operation, **usual | options)


class Azure(base.MockVendor):
    """The mock of Azure AI Face in one world. Thread-safe."""

    call = AzureCall
    common_prefix = f"/face/{VERSIONS[0]}/"
    # Microsoft's older clients get the error for an unknown path.
    extra_prefixes = ("/face/v1.",)
    routes = (
        *(_route(f"/face/{version}/detect", {"POST": detect}, "detect") for version in VERSIONS),
        *(_route(f"/face/{version}/verify", {"POST": verify}, "match") for version in VERSIONS),
        *(
            _route(
                *route,
                checks={**_CHECKS, "access.refused": _check_access},
                fields=fields,
                error_claims={400: "session.body", 404: "session.unknown"},
            )
            for fields, routes in (
                (sessions.FIELDS, sessions.ROUTES),
                (preview.FIELDS, preview.ROUTES),
            )
            for route in routes
        ),
    )
    session_rules = sessions.SESSION_RULES
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
        return call.answer(self.not_found_claim, headers=((base.HINT_HEADER, _IMITATED),))


_HEADERS = f"-H '{KEY_HEADER}: {LIVE_KEY}' -H 'Content-Type: application/octet-stream'"


def _ask_samples(mock: Any) -> None:
    models = "recognitionModel=recognition_04&detectionModel=detection_03"
    more = "returnFaceLandmarks=true&returnRecognitionModel=true&faceIdTimeToLive=600"
    wishes = f"{models}&{more}&returnFaceAttributes=mask,headPose,qualityForRecognition"
    for version in VERSIONS:
        faces = mock.ask("POST", f"/face/{version}/detect", body="two-faces")
        mock.ask("POST", f"/face/{version}/detect?returnFaceId=false&{wishes}", body="p1")
        ids = {name: face["faceId"] for name, face in zip(_IDS, faces, strict=True)}
        mock.ask("POST", f"/face/{version}/verify", json=ids)
    sent = {"livenessOperationMode": "Passive", "deviceCorrelationId": "phone-7"}
    started = (
        mock.ask("POST", sessions.LIVENESS, json={**sent, "enableSessionImage": True}),
        mock.ask("POST", sessions.WITH_VERIFY, form=sent, files={"verifyImage": "p1"}),
    )
    for path, session in zip((sessions.LIVENESS, sessions.WITH_VERIFY), started, strict=True):
        session_id = session["sessionId"]
        for act in ("fail_attempt", "card"):
            mock.act(session_id, act)
        read = mock.ask("GET", f"{path}/{session_id}")["results"]["attempts"][0]["result"]
        if "sessionImageId" in read:
            mock.ask("GET", f"{sessions.IMAGES}/{read['sessionImageId']}")
        mock.ask("DELETE", f"{path}/{session_id}")
    _ask_preview_samples(mock, {**sent, "enableSessionImage": True, "returnVerifyImageHash": True})


def _ask_preview_samples(mock: Any, sent: Mapping[str, Any]) -> None:
    mock.ask("POST", preview.WITH_VERIFY, json=sent)
    form = {"Parameters": json.dumps(sent)}
    started = (
        mock.ask("POST", preview.LIVENESS, json=sent),
        mock.ask("POST", preview.WITH_VERIFY, form=form, files={"VerifyImage": "p1"}),
    )
    for path, session in zip((preview.LIVENESS, preview.WITH_VERIFY), started, strict=True):
        session_id = session["sessionId"]
        for act in ("fail_attempt", "card"):
            mock.act(session_id, act)
        read = mock.ask("GET", f"{path}/{session_id}")
        mock.ask("GET", path)
        mock.ask("GET", f"{path}/{session_id}/audit")
        mock.ask("GET", f"{preview.IMAGES}/{read['result']['sessionImageId']}")
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

"""Rekognition's CompareFaces and DetectFaces, access control, and settings."""

from __future__ import annotations

import base64
import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from facematch_core import Image, InvalidImage
from facematch_core.backend import ImageFormat
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Headers, Request, Response, Upload
from facematch_mock_server.recognition.outcomes import MatchOutcome, SeenFace
from facematch_mock_server.vendors import base
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import HostedSessions
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind

from . import sessions
from .claims import CLAIMS
from .signature import STAMP, Signature, read_access_key, read_signature

#: The id of the first key; its secret is `LIVE_KEY`.
ACCESS_KEY = "mock-access-key"
_TARGET = "RekognitionService."
#: From the AWS General Reference, Amazon Rekognition endpoints and quotas, read 2026-11-23. Each
#: region also has an IPv6 endpoint; regions in North America have FIPS variants of both.
_REGIONS = """
    us-east-1 us-east-2 us-west-1 us-west-2 us-gov-west-1 ca-central-1 sa-east-1 ap-northeast-1
    ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-5 ap-southeast-7
    eu-central-1 eu-south-2 eu-west-1 eu-west-2 il-central-1
"""


def _list_hosts() -> frozenset[str]:
    hosts = set()
    for region in _REGIONS.split():
        services = ["rekognition"]
        if region.startswith(("us-", "ca-")):
            services.append("rekognition-fips")
        for service in services:
            hosts |= {f"{service}.{region}.amazonaws.com", f"{service}.{region}.api.aws"}
    return frozenset(hosts)


#: AWS's maximum clock skew: AWS Developer Tools Blog, Clock-skew correction.
_MAX_SKEW = dt.timedelta(minutes=15)
#: Maximum number of faces in a response (the API model).
_MAX_FACES = 100
#: The error for exceeding a rate limit, by scope.
_LIMITS = {
    "second": "quota.refused",
    "increase": "quota.throttled",
    "capacity": "quota.unavailable",
}
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


@attrs.define(kw_only=True)
class RekognitionCall(base.NumberedCall):
    """A call whose response has a request id in a header; an error has a second id."""

    def answer(
        self, key: str, /, body: object = None, headers: Headers = (), **filled: object
    ) -> Response:
        """Build a response with the headers and Logref of the Developer Guide's example."""
        headers = (*headers, ("x-amzn-RequestId", self.request_id))
        filled = {**filled, "logref": self.world.account.ids.uuid()}
        response = super().answer(key, body, headers, **filled)
        content_type = ("Content-Type", "application/x-amz-json-1.1")
        response.headers = (content_type, *response.headers[1:])
        return response


def check_signature(call: RekognitionCall) -> None:
    """Refuse a call unless it has a current signature made with a known secret."""
    if call.request.header("authorization") is None:
        call.refuse("auth.missing")
    call.key_label = "wrong"
    signature = read_signature(call.request)
    if signature is None:
        call.refuse("auth.incomplete")
    _check_date(call, signature.signed_at)
    if signature.service != "rekognition":
        call.refuse("auth.service")
    if not call.authenticate(_find_used_secret(call, signature)):
        call.key_label = "wrong"
        call.refuse("auth.signature")
    if call.request.header("x-amz-security-token") is not None:
        call.claims.cite("auth.session")
    operation = f"rekognition:{_operation_of(call.request)}"
    call.check_permission("auth.denied", operation=operation)


def _find_used_secret(call: RekognitionCall, signature: Signature) -> str | None:
    """Return the secret with which the call is signed; None if it is none of the key's.

    Refuse an unknown or expired key.
    """
    secrets = []
    for secret, key in call.world.keys.of_client(signature.access_key):
        if not key.expired(call.now):
            secrets.append(secret)
    if not secrets:
        call.refuse("auth.key")
    for secret in secrets:
        if signature.is_made_with(secret, call.request):
            return secret
    return None


def _check_date(call: RekognitionCall, signed_at: dt.datetime) -> None:
    """Refuse a call that was signed too long ago, or in the future."""
    # The client may use the machine's clock, or the mock's clock, which tests advance.
    earlier, later = sorted((call.now, dt.datetime.now(dt.UTC)))
    earliest = earlier - _MAX_SKEW
    latest = later + _MAX_SKEW
    if signed_at < earliest:
        call.refuse(
            "auth.late", signed=_stamp(signed_at), now=_stamp(earlier), limit=_stamp(earliest)
        )
    if signed_at > latest:
        call.refuse("auth.early", signed=_stamp(signed_at), now=_stamp(later), limit=_stamp(latest))
    if abs(signed_at - call.now) > _MAX_SKEW:
        call.claims.cite("auth.clock")


def _stamp(time: dt.datetime) -> str:
    return time.strftime(STAMP)


def perform(call: RekognitionCall) -> Response:
    """Perform the operation that X-Amz-Target names."""
    answer = _OPERATIONS.get(_operation_of(call.request))
    if answer is None:
        call.claims.cite("operation.others")
        hint = f"this mock of Rekognition has only {', '.join(_OPERATIONS)}"
        call.refuse("operation.unknown", headers=((base.HINT_HEADER, hint),))
    for scope, refused in _LIMITS.items():
        if call.count_request({scope: 1.0}) is not None:
            call.refuse(refused, f"quota.{scope}")
    body = call.read_object("body.malformed")
    fields = []
    for name in (*_SHOWN, "Attributes"):
        if name in body:
            fields.append((name, str(body[name])))
    call.journal_fields = mask_and_shorten(fields)
    return answer(call, body)


def _compare_faces(call: RekognitionCall, parameters: Mapping[str, Any]) -> Response:
    threshold = _read_threshold(call, parameters)
    source = _read_picture(call, parameters, "SourceImage")
    target = _read_picture(call, parameters, "TargetImage")
    compared = call.compare(source.upload, target.upload)
    if not compared.probe.decodes or not compared.reference.decodes:
        call.refuse("image.format")
    if not compared.probe.faces or not compared.reference.faces:
        call.refuse("parameters.wrong", "face.none", "credit.errors")
    if len(compared.probe.faces) > 1:
        call.claims.cite("face.largest")
    target_faces = _score_faces(compared)
    if len(target_faces) > 1:
        call.claims.cite("compare.others")
    _charge(call, "CompareFaces")
    matches = []
    unmatched = []
    for scored in target_faces:
        face = _describe_face(call, target.image, scored.face)
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


def _read_threshold(call: RekognitionCall, parameters: Mapping[str, Any]) -> float:
    """Return the threshold, 0-100; refuse an invalid one, and an unknown quality filter."""
    threshold = parameters.get("SimilarityThreshold")
    if threshold is None:
        threshold = call.claims["compare.threshold"]
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if not is_number or not 0 <= threshold <= 100:
        call.refuse("parameters.wrong", "parameters.ranges")
    quality_filter = parameters.get("QualityFilter")
    if quality_filter not in (None, "NONE", "AUTO", "LOW", "MEDIUM", "HIGH"):
        call.refuse("parameters.wrong", "parameters.ranges")
    if quality_filter not in (None, "NONE"):
        call.claims.cite("parameters.quality")
    return float(threshold)


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


def _detect_faces(call: RekognitionCall, parameters: Mapping[str, Any]) -> Response:
    requested = parameters.get("Attributes") or []
    known_attributes = {"DEFAULT", "ALL", *_ATTRIBUTES}
    if not isinstance(requested, list) or not known_attributes.issuperset(map(str, requested)):
        call.refuse("parameters.wrong", "parameters.ranges")
    picture = _read_picture(call, parameters, "Image")
    checked = call.check_liveness(picture.upload)
    if not checked.probe.decodes:
        call.refuse("image.format")
    _charge(call, "DetectFaces")
    attributes = [name for name in _ATTRIBUTES if "ALL" in requested or name in requested]
    if attributes:
        call.claims.cite("detect.made_up")
    rows = []
    for face in checked.probe.faces[:_MAX_FACES]:
        row = _describe_face(call, picture.image, face)
        row["Quality"] = {
            "Brightness": checked.luminance or 50.0,
            "Sharpness": checked.quality or 50.0,
        }
        rows.append(row | _make_attributes(face, attributes))
    return call.answer("detect.answer", {"FaceDetails": rows})


def _make_attributes(face: SeenFace, attributes: Sequence[str]) -> dict[str, Any]:
    """Return the requested attributes of a face, by the name of the field, with made-up values."""
    values: dict[str, Any] = {
        "AgeRange": {"Low": int(face.age), "High": int(face.age)},
        "Emotions": [{"Type": "CALM", "Confidence": 99.0}],
        "EyeDirection": {"Yaw": 0.0, "Pitch": 0.0, "Confidence": 99.0},
        "EyesOpen": {"Value": True, "Confidence": 99.0},
        "Gender": {"Value": face.gender.capitalize(), "Confidence": 99.0},
    }
    landmarks = {}
    for attribute in attributes:
        # The attribute EYES_OPEN is the field EyesOpen.
        field = attribute.title().replace("_", "")
        landmarks[field] = values.get(field, {"Value": False, "Confidence": 99.0})
    return landmarks


_OPERATIONS: Mapping[str, Callable[[RekognitionCall, Mapping[str, Any]], Response]] = {
    "CompareFaces": _compare_faces,
    "DetectFaces": _detect_faces,
    "CreateFaceLivenessSession": sessions.create,
    "GetFaceLivenessSessionResults": sessions.read_results,
}


@attrs.frozen(kw_only=True)
class SentPicture:
    """A picture of a call: its bytes, and its decoded header."""

    upload: Upload
    image: Image


def _read_picture(call: RekognitionCall, parameters: Mapping[str, Any], name: str) -> SentPicture:
    holder = parameters.get(name)
    if not isinstance(holder, dict):
        call.refuse("parameters.wrong")
    if holder.get("S3Object") is not None:
        call.refuse("s3.object")
    try:
        content = base64.b64decode(holder.get("Bytes") or "", validate=True)
    except (TypeError, ValueError):
        call.refuse("body.malformed")
    upload = call.upload(name, name, content)
    if not content:
        call.refuse("parameters.wrong")
    # The maximum in the API model.
    if len(content) > call.claims.get("image.max_bytes"):
        call.refuse("image.size", "image.max_bytes")
    try:
        image = Image.from_bytes(content)
    except InvalidImage:
        call.refuse("image.format")
    if image.format not in (ImageFormat.JPEG, ImageFormat.PNG):
        call.refuse("image.format")
    if image.format is ImageFormat.JPEG:
        call.claims.cite("image.orientation")
    # The minimum in AWS, Guidelines and quotas.
    if min(image.width, image.height) < 80:
        call.refuse("parameters.wrong", "image.min_side")
    return SentPicture(upload=upload, image=image)


def _describe_box(image: Image, face: SeenFace) -> dict[str, Any]:
    """Return where a face is in a picture, and how sure Rekognition is that it is one."""
    return {
        "BoundingBox": sessions.bounding_box(image, face),
        "Confidence": round(face.confidence * 100, 4),
    }


def _describe_face(call: RekognitionCall, image: Image, face: SeenFace) -> dict[str, Any]:
    """Return a face's box, with landmarks, pose and quality, which are made up."""
    call.claims.cite("face.made_up")
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


def _charge(call: RekognitionCall, service: str) -> None:
    call.claims.cite("credit.images", "credit.start")
    price = Decimal(call.claims["credit.price"])
    call.charge(price, service=service, request_id=call.request_id)


def _operation_of(head: Request) -> str:
    return head.header("x-amz-target", "").removeprefix(_TARGET)


#: The fields shown in the journal and to fault rules, by operation; pictures are left out.
_COMPARE_FIELDS = ("SimilarityThreshold", "QualityFilter")
_START_FIELDS = ("ClientRequestToken",)
_READ_FIELDS = ("SessionId",)
_SHOWN = _COMPARE_FIELDS + _START_FIELDS + _READ_FIELDS


def _route(operation: str, name: str | None, fields: tuple[str, ...]) -> base.Route:
    """Return the route of the operation with this name in X-Amz-Target; None for all others."""
    return base.Route(
        pattern="/",
        handlers={"POST": perform},
        checks={"auth.signature": check_signature},
        operation=operation,
        credentials=("x-amz-date",),
        fields=fields,
        extra=name,
    )


class Rekognition(base.MockVendor):
    """The mock of Rekognition in one world; all operations have one path. Thread-safe."""

    call = RekognitionCall
    not_found_claim = "operation.unknown"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("image.format",),
        404: ("operation.unknown",),
        500: ("server.error",),
    }
    session_rules = sessions.SESSION_RULES
    routes = (
        _route("match", None, _COMPARE_FIELDS),
        _route("session_start", "CreateFaceLivenessSession", _START_FIELDS),
        _route("session_read", "GetFaceLivenessSessionResults", _READ_FIELDS),
    )

    def __init__(self, world: World) -> None:
        super().__init__(world)
        #: A lock for creating sessions.
        self.starting = threading.Lock()

    def find(self, head: Request) -> tuple[base.Route | None, tuple[str, ...]]:
        if head.header("x-tc-action") is not None:
            return None, ()  # a call to Tencent Cloud, which has the same path
        target = head.header("x-amz-target")
        is_rekognition = head.method == "POST" and (target is None or target.startswith(_TARGET))
        if not is_rekognition:
            return None, ()
        route, path_values = super().find(head)
        if route is None:
            return None, path_values
        # All operations have the same path; the header names the operation.
        name = _operation_of(head)
        for operation_route in self.routes:
            if operation_route.extra == name:
                return operation_route, path_values
        return route, path_values

    def known_paths(self) -> tuple[str, ...]:
        """Return no paths to suggest, because a header selects the operation."""
        return ()


_BYTES = '{{\\"Bytes\\": \\"$(base64 -w0 cards/%s)\\"}}'
_CURL = (
    f"curl --aws-sigv4 aws:amz:eu-west-1:rekognition --user {ACCESS_KEY}:{LIVE_KEY} "
    f"-H 'X-Amz-Target: {_TARGET}CompareFaces' -H 'Content-Type: application/x-amz-json-1.1' "
    f'-d "{{{{\\"SourceImage\\": {_BYTES % "p1.png"}, '
    f'\\"TargetImage\\": {_BYTES % "p1-again.png"}}}}}" {{url}}/'
)

VENDOR = base.Vendor(
    name="rekognition",
    title="Amazon Rekognition",
    claims=CLAIMS,
    switches={
        "auth_names": ("observed", "documented"),
        "session_over": ("not_found", "expired"),
        "session_charged": ("finished", "created", "never"),
    },
    operations=("match", "session_start", "session_read"),
    hosts=_list_hosts(),
    rate_limits={scope: f"quota.{scope}" for scope in _LIMITS},
    settings={
        "price": ("credit.price", "amount"),
        "session_price": ("credit.price_session", "amount"),
    },
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client=ACCESS_KEY)},
    key_of=read_access_key,
    behaviour=Rekognition,
    extensions={"sessions": HostedSessions},
    greeting=(f"access key: {ACCESS_KEY}, secret: {LIVE_KEY}", _CURL),
    # There are no samples, because the sampler does not sign requests.
)

"""Rekognition's CompareFaces and DetectFaces, access control, and settings.

The signature check follows AWS, IAM User Guide, "Create a signed AWS API request", read
2026-11-21.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote

import attrs

from facematch_core import Image, InvalidImage
from facematch_core.backend import ImageFormat
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Headers, Request, Response, Upload
from facematch_mock_server.recognition.outcomes import SeenFace
from facematch_mock_server.vendors import base
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import HostedSessions
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind

from . import sessions
from .claims import CLAIMS

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/"
    r"(?P<scope>(?P<day>\d{8})/[^/,\s]+/(?P<service>[^/,\s]+)/aws4_request),\s*"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_ACCESS_KEY = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")
#: The format of ``X-Amz-Date``.
STAMP = "%Y%m%dT%H%M%SZ"


def access_key(head: Request) -> str | None:
    """Return a request's access key id, without checking the signature."""
    match = _ACCESS_KEY.match(head.header("authorization") or "")
    return match and match[1]


def read_signature(request: Request) -> tuple[re.Match[str], dt.datetime] | None:
    """Return the parts of the Authorization header and the signed date, or None if malformed."""
    match = _HEADER.fullmatch(request.header("authorization") or "")
    date = request.header("x-amz-date") or ""
    with contextlib.suppress(ValueError):
        if match is not None and date[:8] == match["day"]:
            return match, dt.datetime.strptime(date, STAMP).replace(tzinfo=dt.UTC)
    return None


def is_signed(request: Request, signature: re.Match[str], secret: str) -> bool:
    return hmac.compare_digest(sign(request, signature, secret), signature["signature"])


def sign(request: Request, signature: re.Match[str], secret: str) -> str:
    """Return the signature that `secret` makes of the parts that `signature` covers."""
    query = sorted((quote(name, safe=""), quote(text, safe="")) for name, text in request.query)
    canonical = (
        request.method,
        quote(request.path),
        "&".join(f"{name}={text}" for name, text in query),
        *(f"{name}:{_value(request, name)}" for name in signature["headers"].split(";")),
        "",
        signature["headers"],
        hashlib.sha256(request.body).hexdigest(),
    )
    digest, scope = hashlib.sha256("\n".join(canonical).encode()).hexdigest(), signature["scope"]
    text = f"AWS4-HMAC-SHA256\n{request.header('x-amz-date')}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _value(request: Request, name: str) -> str:
    values = (value for header, value in request.headers if header == name)
    return ",".join(" ".join(value.split()) for value in values)


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
_HOSTS = frozenset(
    f"rekognition{kind}.{region}.{suffix}"
    for region in _REGIONS.split()
    for kind in (("", "-fips") if region[:2] in ("us", "ca") else ("",))
    for suffix in ("amazonaws.com", "api.aws")
)
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
    *("AGE_RANGE", "BEARD", "EMOTIONS", "EYE_DIRECTION", "EYEGLASSES", "EYES_OPEN"),
    *("FACE_OCCLUDED", "GENDER", "MOUTH_OPEN", "MUSTACHE", "SMILE", "SUNGLASSES"),
)


@attrs.define(kw_only=True)
class RekognitionCall(base.NumberedCall):
    """A call whose response has a request id in a header; an error has a second id."""

    def answer(
        self, key: str, /, body: Any = None, headers: Headers = (), **filled: object
    ) -> Response:
        """Build a response with the headers and Logref of the Developer Guide's example."""
        headers = (*headers, ("x-amzn-RequestId", self.request_id))
        filled = {**filled, "logref": self.world.account.ids.uuid()}
        response = super().answer(key, body, headers, **filled)
        kind = ("Content-Type", "application/x-amz-json-1.1")
        response.headers = (kind, *response.headers[1:])
        return response


def check_signature(call: RekognitionCall) -> None:
    """Refuse a call unless it has a current signature made with a known secret."""
    if call.request.header("authorization") is None:
        call.refuse("auth.missing")
    call.key_label = "wrong"
    read = read_signature(call.request)
    if read is None:
        call.refuse("auth.incomplete")
    signature, signed = read
    _check_date(call, signed)
    if signature["service"] != "rekognition":
        call.refuse("auth.service")
    every = call.world.keys.of_client(signature["key"])
    secrets = [secret for secret, key in every if not key.expired(call.now)]
    if not secrets:
        call.refuse("auth.key")
    signers = (secret for secret in secrets if is_signed(call.request, signature, secret))
    if not call.authenticate(next(signers, None)):
        call.key_label = "wrong"
        call.refuse("auth.signature")
    if call.request.header("x-amz-security-token") is not None:
        call.claims.cite("auth.session")
    if call.key is not None and not call.key.allowed:
        call.refuse("auth.denied", operation=f"rekognition:{_operation_of(call.request)}")


def _check_date(call: RekognitionCall, signed: dt.datetime) -> None:
    # The client may use the machine's clock, or the mock's clock, which tests advance.
    first, last = sorted((call.now, dt.datetime.now(dt.UTC)))
    # AWS's maximum clock skew: AWS Developer Tools Blog, Clock-skew correction.
    skew = dt.timedelta(minutes=15)
    for claim, now, limit, is_wrong in (
        ("auth.late", first, first - skew, signed < first - skew),
        ("auth.early", last, last + skew, signed > last + skew),
    ):
        if is_wrong:
            signed_at, now_at, limit_at = (time.strftime(STAMP) for time in (signed, now, limit))
            call.refuse(claim, signed=signed_at, now=now_at, limit=limit_at)
    if abs(signed - call.now) > skew:
        call.claims.cite("auth.clock")


def perform(call: RekognitionCall) -> Response:
    """Perform the operation that X-Amz-Target names."""
    answer = _OPERATIONS.get(_operation_of(call.request))
    if answer is None:
        call.claims.cite("operation.others")
        hint = f"this mock of Rekognition has only {', '.join(_OPERATIONS)}"
        call.refuse("operation.unknown", headers=((base.HINT_HEADER, hint),))
    now = call.now.timestamp()
    for scope, refused in _LIMITS.items():
        if call.world.rates.count_request({scope: 1.0}, client="", now=now) is not None:
            call.refuse(refused, f"quota.{scope}")
    body = call.read_object("body.malformed")
    names = (*_SHOWN, "Attributes")
    call.journal_fields = mask_and_shorten(
        (name, str(body[name])) for name in names if name in body
    )
    return answer(call, body)


def _compare_faces(call: RekognitionCall, sent: Mapping[str, Any]) -> Response:
    threshold = sent.get("SimilarityThreshold")
    threshold = call.claims["compare.threshold"] if threshold is None else threshold
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    quality, filters = sent.get("QualityFilter"), (None, "NONE", "AUTO", "LOW", "MEDIUM", "HIGH")
    if not is_number or not 0 <= threshold <= 100 or quality not in filters:
        call.refuse("parameters.wrong", "parameters.ranges")
    if quality not in (None, "NONE"):
        call.claims.cite("parameters.quality")
    source, source_image = _read_picture(call, sent, "SourceImage")
    target, target_image = _read_picture(call, sent, "TargetImage")
    seen = call.compare(source, target)
    if not seen.probe.decodes or not seen.reference.decodes:
        call.refuse("image.format")
    if not seen.probe.faces or not seen.reference.faces:
        call.refuse("parameters.wrong", "face.none", "credit.errors")
    faces = seen.reference.faces[:100]
    if len(seen.probe.faces) > 1:
        call.claims.cite("face.largest")
    if len(faces) > 1:
        call.claims.cite("compare.others")
    # A face without a score never matches; the score of an additional face is our choice.
    smaller = [seen.smaller_face_score] * (len(faces) - 1)
    scores = [-1.0 if seen.score is None else seen.score, *smaller]
    pairs = sorted(zip(scores, faces, strict=True), key=lambda pair: -pair[0])
    _charge(call, "CompareFaces")
    # The two orientation corrections are always null, as the API model states, so omit them.
    rows = [(score, _describe(call, target_image, face)) for score, face in pairs]
    body = {
        "SourceImageFace": _describe(call, source_image, seen.probe.faces[0], whole=False),
        "FaceMatches": [
            {"Similarity": score, "Face": face} for score, face in rows if score >= threshold
        ],
        "UnmatchedFaces": [face for score, face in rows if score < threshold],
    }
    return call.answer("compare.answer", body)


def _detect_faces(call: RekognitionCall, sent: Mapping[str, Any]) -> Response:
    names = sent.get("Attributes") or []
    if not isinstance(names, list) or not {*map(str, names)} <= {"DEFAULT", "ALL", *_ATTRIBUTES}:
        call.refuse("parameters.wrong", "parameters.ranges")
    picture, image = _read_picture(call, sent, "Image")
    seen = call.check_liveness(picture)
    if not seen.probe.decodes:
        call.refuse("image.format")
    _charge(call, "DetectFaces")
    quality = {"Brightness": seen.luminance or 50.0, "Sharpness": seen.quality or 50.0}
    names = [name for name in _ATTRIBUTES if "ALL" in names or name in names]
    if names:
        call.claims.cite("detect.made_up")
    # The attribute EYES_OPEN is the field EyesOpen.
    fields = [name.title().replace("_", "") for name in names]
    rows = []
    for face in seen.probe.faces[:100]:
        values: dict[str, Any] = {
            "AgeRange": {"Low": int(face.age), "High": int(face.age)},
            "Emotions": [{"Type": "CALM", "Confidence": 99.0}],
            "EyeDirection": {"Yaw": 0.0, "Pitch": 0.0, "Confidence": 99.0},
            "EyesOpen": {"Value": True, "Confidence": 99.0},
            "Gender": {"Value": face.gender.capitalize(), "Confidence": 99.0},
        }
        row = {**_describe(call, image, face), "Quality": quality}
        rows.append(row | {x: values.get(x, {"Value": False, "Confidence": 99.0}) for x in fields})
    return call.answer("detect.answer", {"FaceDetails": rows})


_OPERATIONS: Mapping[str, Callable[[RekognitionCall, Mapping[str, Any]], Response]] = {
    "CompareFaces": _compare_faces,
    "DetectFaces": _detect_faces,
    "CreateFaceLivenessSession": sessions.create,
    "GetFaceLivenessSessionResults": sessions.read_results,
}


def _read_picture(
    call: RekognitionCall, sent: Mapping[str, Any], name: str
) -> tuple[Upload, Image]:
    holder = sent.get(name)
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
    return upload, image


def _describe(
    call: RekognitionCall, image: Image, face: SeenFace, *, whole: bool = True
) -> dict[str, Any]:
    box = sessions.bound(image, face)
    details: dict[str, Any] = {"BoundingBox": box, "Confidence": round(face.confidence * 100, 4)}
    if whole:
        call.claims.cite("face.made_up")
        details["Landmarks"] = [
            {"Type": name, "X": box["Left"] + box["Width"] * x, "Y": box["Top"] + box["Height"] * y}
            for name, (x, y) in _LANDMARKS.items()
        ]
        details["Pose"] = {"Roll": 0.0, "Yaw": 0.0, "Pitch": 0.0}
        details["Quality"] = {"Brightness": 50.0, "Sharpness": 50.0}
    return details


def _charge(call: RekognitionCall, service: str) -> None:
    call.claims.cite("credit.images", "credit.start")
    price = Decimal(call.claims["credit.price"])
    call.charge(price, service=service, request_id=call.request_id)


def _operation_of(head: Request) -> str:
    return (head.header("x-amz-target") or "").removeprefix(_TARGET)


#: The fields shown in the journal and to fault rules; pictures and lists are left out.
_SHOWN = ("SimilarityThreshold", "QualityFilter", "ClientRequestToken", "SessionId")


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
    # `more` is the operation in X-Amz-Target; None for the route of all other operations.
    routes = tuple(
        base.Route(
            pattern="/",
            handlers={"POST": perform},
            checks={"auth.signature": check_signature},
            operation=operation,
            credentials=("x-amz-date",),
            fields=fields,
            extra=called,
        )
        for operation, called, fields in (
            ("match", None, _SHOWN[:2]),
            ("session_start", "CreateFaceLivenessSession", _SHOWN[2:3]),
            ("session_read", "GetFaceLivenessSessionResults", _SHOWN[3:]),
        )
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
        for other in self.routes:
            if other.extra == name:
                return other, path_values
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
    hosts=_HOSTS,
    rate_limits={scope: f"quota.{scope}" for scope in _LIMITS},
    settings={
        "price": ("credit.price", "amount"),
        "session_price": ("credit.price_session", "amount"),
    },
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client=ACCESS_KEY)},
    key_of=access_key,
    behaviour=Rekognition,
    extensions={"sessions": HostedSessions},
    greeting=(f"access key: {ACCESS_KEY}, secret: {LIVE_KEY}", _CURL),
    # There are no samples, because the sampler does not sign requests.
)

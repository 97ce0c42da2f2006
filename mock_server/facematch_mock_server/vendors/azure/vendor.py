"""Azure AI Face's `detect` and `verify`, and what may be set of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from facematch_mock_server.account import Records
from facematch_mock_server.http.forms import Upload
from facematch_mock_server.journal import presentable
from facematch_mock_server.messages import Response
from facematch_mock_server.services import LIVE_KEY, Key, KeyKind
from facematch_mock_server.state import Collection
from facematch_mock_server.vendors.base import Call, Example, Route, Routed, Vendor, as_fraction

from .claims import CLAIMS

VERSIONS = ("v1.2", "v1.2-preview.1")
DETECT, VERIFY = (f"/face/{VERSIONS[0]}/{operation}" for operation in ("detect", "verify"))
KEY_HEADER = "Ocp-Apim-Subscription-Key"

_FORMATS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOST_FACES, _KEPT = 100, 1000
#: Of a face that is not the largest in its picture; ours.
_SOMEBODY_ELSE = 5.0


@attrs.frozen(eq=False)
class DetectedFace:
    """What a face id stands for: face `number` of a picture, 0 for the largest, until `expires`."""

    picture: Upload = attrs.field(repr=False)
    number: int
    model: str
    expires: float


class FaceIds(Records):
    """The face ids of one world."""

    def __init__(self) -> None:
        self.known: Collection[DetectedFace] = Collection(limit=_KEPT)


def detect(call: Call) -> Response:
    """Find the faces of a picture, and give each an id for a while."""
    asked = _asked(call)
    if asked["returnFaceId"]:
        _check_access(call)
    picture = _picture(call)
    seen = call.look(picture)
    if not seen.decodes:
        call.refuse("image.unreadable")
    call.claims.cite("detect.rectangle", "detect.less", "detect.face_id", "detect.model")
    model, expires = asked["recognitionModel"], call.now.timestamp() + asked["faceIdTimeToLive"]
    faces = []
    for number, face in enumerate(seen.faces[:_MOST_FACES]):
        left, top, right, bottom = face.box
        told: dict[str, Any] = {}
        if asked["returnFaceId"]:
            told["faceId"] = call.world.account.ids.uuid()
            found = DetectedFace(picture, number, model, expires)
            call.world.records.known.put(told["faceId"], found)
            if asked["returnRecognitionModel"]:
                told["recognitionModel"] = model
        box = {"top": top, "left": left, "width": right - left, "height": bottom - top}
        faces.append({**told, "faceRectangle": box})
    return _charged(call, "detect.faces", faces)


def verify(call: Call) -> Response:
    """Compare the faces of two ids."""
    _check_access(call)
    try:
        body = json.loads(call.request.body)
    except (ValueError, RecursionError):
        call.refuse("body.json")
    ids = {name: body.get(name) if isinstance(body, dict) else None for name in _IDS}
    call.shown = presentable((name, str(value)) for name, value in ids.items())
    one, two = (_known(call, face_id) for face_id in ids.values())
    if one.model != two.model:
        call.refuse("verify.models")
    if one is two or one.number or two.number:
        call.claims.cite("verify.others")
        score: float | None = 100.0 if one is two else _SOMEBODY_ELSE
    else:
        score = call.compare(one.picture, two.picture).score
    if score is None:
        call.claims.cite("verify.unscored")
        call.refuse("verify.unknown")
    call.claims.cite("verify.digits")
    confidence = as_fraction(score)
    is_identical = confidence >= call.claims["verify.boundary"]
    answer = {"isIdentical": is_identical, "confidence": confidence}
    return _charged(call, "verify.answer", answer)


def _charged(call: Call, claim: str, body: Any) -> Response:
    call.claims.cite("charge")
    call.ledger.charge(Decimal(0), at=call.now, what=claim.partition(".")[0].upper())
    return call.answer(claim, body)


def _check_key(call: Call) -> None:
    call.claims.cite("versions", "error.form")
    if not call.let_in(call.request.header(KEY_HEADER.lower())):
        call.refuse("key.wrong")


def _check_rate(call: Call) -> None:
    call.claims.cite("rate.window", "rate.limit")
    now = call.now.timestamp()
    window = call.world.rates.take("resource", "", now=now, window_s=1)
    if window is not None and window.refused:
        call.claims.cite("rate.retry_after")
        call.refuse("rate.exceeded")


def _check_access(call: Call) -> None:
    if call.claims["access"] == "unapproved":
        call.refuse("access.refused")


def _asked(call: Call) -> dict[str, Any]:
    """The query by name of the field; the first one that is wrong refuses the call."""
    least, most = call.claims["life.range"]
    asked: dict[str, Any] = {}
    for name, (default, kind) in _QUERY.items():
        text = call.query.get(name, str(call.claims[default]))
        if kind == "integer":
            fits = bool(re.fullmatch("[0-9]{1,9}", text)) and least <= int(text) <= most
            asked[name] = int(text) if fits else None
        elif kind == "boolean":
            fits, asked[name] = text.lower() in ("true", "false"), text.lower() == "true"
        else:
            fits, asked[name] = text in call.claims[kind], text
        if not fits:
            call.claims.cite("query.others")
            call.refuse("query.wrong", name=name)
    return asked


def _picture(call: Call) -> Upload:
    body, kind = call.request.body, call.request.header("content-type") or ""
    kind = kind.partition(";")[0].strip().lower()
    if kind != "application/octet-stream":
        call.refuse("image.url" if kind == "application/json" else "body.wrong")
    least, most = call.claims["image.bytes"]
    if not least <= len(body) <= most:
        call.refuse("image.small" if len(body) < least else "image.large")
    if not body.startswith(_FORMATS):
        call.refuse("image.unreadable")
    return call.upload("image", "image", body)


def _known(call: Call, face_id: object) -> DetectedFace:
    if not isinstance(face_id, str) or not _UUID.fullmatch(face_id.lower()):
        call.refuse("verify.id")
    found: DetectedFace | None = call.world.records.known.find(face_id.lower())
    call.claims.cite("verify.expired", "verify.kept")
    if found is None or found.expires <= call.now.timestamp():
        call.refuse("verify.unknown")
    return found


_IDS = ("faceId1", "faceId2")
#: By name: the claim of the default, and what it takes: a kind, or the claim that has the words.
_QUERY = {
    "returnFaceId": ("ids", "boolean"),
    "recognitionModel": ("recognition", "recognitions"),
    "returnRecognitionModel": ("models", "boolean"),
    "detectionModel": ("detection", "detections"),
    "faceIdTimeToLive": ("life", "integer"),
}
_SHARED: Mapping[str, Any] = {
    "checks": {"key.wrong": _check_key, "rate.exceeded": _check_rate},
    "credentials": (KEY_HEADER.lower(),),
}


def _routes(version: str) -> tuple[Route, Route]:
    return (
        Route(
            pattern=f"/face/{version}/detect",
            answers={"POST": detect},
            operation="detect",
            **_SHARED,
        ),
        Route(
            pattern=f"/face/{version}/verify",
            answers={"POST": verify},
            operation="match",
            **_SHARED,
        ),
    )


class Azure(Routed):
    """Azure AI Face's behaviour in one world. Safe across threads.

    Args:
        world: Its state.
    """

    begins = f"/face/{VERSIONS[0]}/"
    routes = tuple(route for version in VERSIONS for route in _routes(version))
    nowhere = "path"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("body.wrong", "error.form"),
        401: ("key.wrong", "error.form"),
        403: ("access.refused", "error.form"),
        404: ("verify.unknown", "error.form"),
        429: ("rate.exceeded", "error.form", "rate.retry_after"),
        500: ("service.busy", "error.form"),
        503: ("service.busy", "error.form", "service.documented"),
    }


_ASK = f"-H '{KEY_HEADER}: {LIVE_KEY}' -H 'Content-Type: application/octet-stream'"
_KEY = {KEY_HEADER: "{key}"}
_EMPTY = dict.fromkeys(_IDS, "")

VENDOR = Vendor(
    name="azure",
    title="Azure AI Face",
    claims=CLAIMS,
    editions={"1.2": {"access": "approved"}},
    default_edition="1.2",
    switches={"access": ("approved", "unapproved")},
    rate_limits={"resource": "rate.limit"},
    operations=("match", "detect"),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE)},
    key_of=lambda head: head.header(KEY_HEADER.lower()),
    records=FaceIds,
    behaviour=Azure,
    greeting=(f"key: {LIVE_KEY}", f"curl {_ASK} --data-binary @cards/p1.png {{url}}{DETECT}"),
    examples=(
        Example(title="Detect", path=DETECT, headers=_KEY, pictures=("image",), as_bytes=True),
        Example(title="Verify", path=VERIFY, headers=_KEY, fields=_EMPTY, as_json=True),
    ),
)

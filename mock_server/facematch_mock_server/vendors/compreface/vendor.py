"""CompreFace's `POST /api/v1/verification/verify`, and what may be set of it."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from facematch_mock_server._keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server._messages import Response
from facematch_mock_server.forms import Upload
from facematch_mock_server.outcomes import SeenFace
from facematch_mock_server.vendors.base import Call, Nothing, Refused, Route, Routed, Vendor

from . import claims

PATH = "/api/v1/verification/verify"

_UUID = re.compile(r"[0-9a-fA-F]{1,8}(-[0-9a-fA-F]{1,4}){3}-[0-9a-fA-F]{1,12}")
_EXTENSIONS = frozenset({"tif", "tiff", "jpg", "jpeg", "png", "bmp", "ico", "gif", "webp"})
_MAX_FILE, _MAX_REQUEST = 5 * 1024 * 1024, 10 * 1024 * 1024
#: Of a further face in the target image; ours.
_SOMEBODY_ELSE = 5.0


def verify(call: Call) -> Response:
    """Compare the face of the source image with every face of the target image."""
    _check_key(call)
    source, target = _pictures(call)
    query = dict(call.request.query)
    limit = _limit(call, query.get("limit", "0"))
    for one in (source, target):
        if one.name.lower().rpartition(".")[2] not in _EXTENSIONS:
            call.refuse(claims.EXTENSION, name=one.name)
    seen = call.compare(source, target)
    call.cite(claims.LIMIT, claims.FREE)
    faces, others = seen.probe.faces[:limit], seen.reference.faces[:limit]
    if not faces:
        call.refuse(claims.NO_FACE)
    if len(faces) > 1:
        call.refuse(claims.MANY_FACES)
    if not others:
        call.refuse(claims.NO_FACE)
    call.cite(claims.SIMILARITY, claims.BOX)
    if len(others) > 1:
        call.cite(claims.OTHERS)
    scores = [seen.score or 0.0, *[_SOMEBODY_ELSE] * (len(others) - 1)]
    result: dict[str, Any] = {
        "source_image_face": _face(faces[0]),
        "face_matches": [
            {**_face(face), "similarity": _five(score / 100)}
            for face, score in zip(others, scores, strict=True)
        ],
    }
    if query.get("status") == "true":
        call.cite(claims.STATUS, claims.PLUGINS, claims.TIMES)
        for face in (result["source_image_face"], *result["face_matches"]):
            face["execution_time"] = {"detector": 67.0, "calculator": 116.0}
        result["plugins_versions"] = {
            "detector": "facenet.FaceDetector",
            "calculator": "facenet.Calculator",
        }
    return call.answer(claims.VERIFIED, {"result": [result]})


def _check_key(call: Call) -> None:
    text = call.request.header("x-api-key")
    if text is None:
        call.refuse(claims.KEY_MISSING)
    if call.let_in(text):
        if not _UUID.fullmatch(text):
            call.cite(claims.KEY_OURS)
        return
    if len(text) < 36 or not _UUID.fullmatch(text):
        call.refuse(claims.KEY_FORM)
    call.refuse(claims.KEY_UNKNOWN, key=text)


def _pictures(call: Call) -> tuple[Upload, Upload]:
    form = call.form()
    every = [one for many in form.files.values() for one in many]
    if len(call.request.body) > _MAX_REQUEST or any(len(f.content) > _MAX_FILE for f in every):
        call.refuse(claims.TOO_LARGE)
    found = []
    for name in ("source_image", "target_image"):
        if name not in form.files:
            call.refuse(claims.PART_MISSING, name=name)
        found.append(form.files[name][0])
    return found[0], found[1]


def _limit(call: Call, text: str) -> int | None:
    """How many faces at most; None for no limit."""
    if not re.fullmatch(r"\d{1,9}", text):
        call.cite(claims.LIMIT_WRONG)
        raise Refused(Response(status=400, headers=(), body=b""))
    return int(text) or None


def _face(face: SeenFace) -> dict[str, Any]:
    left, top, right, bottom = face.box
    return {
        "box": {
            "probability": _five(face.confidence),
            "x_max": right,
            "y_max": bottom,
            "x_min": left,
            "y_min": top,
        }
    }


def _five(value: float) -> float:
    return float(Decimal(str(value)).quantize(Decimal("0.00001"), ROUND_HALF_UP))


def _elsewhere(call: Call) -> Response:
    return call.answer(claims.METHOD, method=call.request.method)


_CURL = (
    f"curl -H 'x-api-key: {LIVE_KEY}' -F source_image=@selfie.jpg -F target_image=@id.jpg "
    f"{{url}}{PATH}"
)

VENDOR = Vendor(
    name="compreface",
    title="CompreFace",
    claims=claims.CLAIMS,
    editions={"1.2.0": {}},
    default_edition="1.2.0",
    switches={},
    settings={},
    rate_limits={},
    hosts=frozenset(),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE)},
    section="compreface/",
    greeting=(f"keys: {LIVE_KEY}", _CURL),
    make=lambda world: Routed(
        world,
        routes=(Route("POST", PATH, verify),),
        elsewhere=_elsewhere,
        words={400: claims.UNDEFINED, 500: claims.CORE_DOWN, 503: claims.CORE_DOWN},
    ),
    records=Nothing,
)

"""CompreFace's `POST /api/v1/verification/verify`, and what may be set of it."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import attrs

from facematch_mock_server.http.forms import Upload
from facematch_mock_server.journal import presentable
from facematch_mock_server.messages import Request, Response
from facematch_mock_server.recognition.outcomes import SeenFace
from facematch_mock_server.services import LIVE_KEY, Key, KeyKind
from facematch_mock_server.vendors.base import (
    Call,
    Example,
    Field,
    Refused,
    Route,
    Routed,
    Vendor,
    read_or_empty,
)

from .claims import CLAIMS

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
            call.refuse("file.extension", name=one.name)
    seen = call.compare(source, target)
    call.claims.cite("face.limit", "free")
    faces, others = seen.probe.faces[:limit], seen.reference.faces[:limit]
    if not faces:
        call.refuse("face.none")
    if len(faces) > 1:
        call.refuse("face.many")
    if not others:
        call.refuse("face.none")
    call.claims.cite("verify.similarity", "verify.box")
    if len(others) > 1:
        call.claims.cite("verify.others")
    scores = [seen.score or 0.0, *[_SOMEBODY_ELSE] * (len(others) - 1)]
    result: dict[str, Any] = {
        "source_image_face": _face(faces[0]),
        "face_matches": [
            {**_face(face), "similarity": _five(score / 100)}
            for face, score in zip(others, scores, strict=True)
        ],
    }
    if query.get("status") == "true":
        call.claims.cite("verify.status", "verify.plugins", "verify.times")
        for face in (result["source_image_face"], *result["face_matches"]):
            face["execution_time"] = {"detector": 67.0, "calculator": 116.0}
        result["plugins_versions"] = {
            "detector": "facenet.FaceDetector",
            "calculator": "facenet.Calculator",
        }
    return call.answer("verify.answer", {"result": [result]})


def _check_key(call: Call) -> None:
    text = call.request.header("x-api-key")
    if text is None:
        call.refuse("key.missing")
    if call.let_in(text):
        if not _UUID.fullmatch(text):
            call.claims.cite("key.ours")
        return
    if len(text) < 36 or not _UUID.fullmatch(text):
        call.refuse("key.form")
    call.refuse("key.unknown", key=text)


def _pictures(call: Call) -> tuple[Upload, Upload]:
    form = read_or_empty(call)
    texts = ((name, text) for name, many in form.fields.items() for text in many)
    call.shown = presentable(texts)
    every = [one for many in form.files.values() for one in many]
    if len(call.request.body) > _MAX_REQUEST or any(len(f.content) > _MAX_FILE for f in every):
        call.refuse("file.too_large")
    found = []
    for name in ("source_image", "target_image"):
        if name not in form.files:
            call.refuse("part.missing", name=name)
        found.append(form.files[name][0])
    return found[0], found[1]


def _limit(call: Call, text: str) -> int | None:
    """How many faces at most; None for no limit."""
    if not re.fullmatch(r"\d{1,9}", text):
        call.claims.cite("limit.wrong")
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


_FILES = (
    Field(name="source_image", kind="file", required=True),
    Field(name="target_image", kind="file", required=True),
)


class Compreface(Routed):
    """CompreFace's behaviour in one world. Safe across threads.

    Args:
        world: Its state.
    """

    begins = PATH
    refused = "part.missing"
    routes = (
        Route(
            pattern=PATH,
            answers={"POST": verify},
            operation="match",
            fields=_FILES,
            is_form=True,
            query=(Field(name="limit", kind="integer"), Field(name="status", kind="boolean")),
        ),
    )

    def elsewhere(self, call: Call) -> Response:
        """The answer to another path or method."""
        return call.answer("path.method", method=call.request.method)

    def other_method(self, call: Call, route: Route) -> Response:
        """The answer to another path or method."""
        return self.elsewhere(call)

    def vendor_error(self, status: int, request: Request) -> Response | None:
        """An answer of that status in CompreFace's words; None where the words are not known."""
        keys = {400: "error.undefined", 404: "key.unknown", 500: "core.down", 503: "core.down"}
        if status not in keys:
            return None
        call = self.new_call(request, None)
        answer = call.answer(keys[status], key=request.header("x-api-key") or "")
        return attrs.evolve(call.claims.sealed(answer), status=status)


_CURL = (
    f"curl -H 'x-api-key: {LIVE_KEY}' "
    f"-F source_image=@cards/p1.png -F target_image=@cards/p1-again.png {{url}}{PATH}"
)

VENDOR = Vendor(
    name="compreface",
    title="CompreFace",
    claims=CLAIMS,
    editions={"1.2.0": {}},
    default_edition="1.2.0",
    operations=("match",),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE)},
    section="compreface/",
    behaviour=Compreface,
    greeting=(f"keys: {LIVE_KEY}", _CURL),
    examples=(Example(title="Verification", path=PATH, pictures=("source_image", "target_image")),),
)

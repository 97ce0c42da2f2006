"""CompreFace's `POST /api/v1/verification/verify`, access control, and settings."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Response, Upload, media_type
from facematch_mock_server.recognition.outcomes import SeenFace, SeenPicture
from facematch_mock_server.vendors import base
from facematch_mock_server.world.keys import Key, KeyKind

from .claims import CLAIMS

#: CompreFace's keys are UUIDs; this one is valid from the start.
KEY = "00000000-0000-4000-8000-000000000000"
PATH = "/api/v1/verification/verify"
PICTURES = ("source_image", "target_image")

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EXTENSIONS = frozenset({"tif", "tiff", "jpg", "jpeg", "png", "bmp", "ico", "gif", "webp"})
_YES, _NO = ("true", "on", "yes", "1"), ("false", "off", "no", "0")
_PROBABILITY = 0.99975
#: Left eye, right eye, nose, left and right corners of the mouth, in percent of the box.
_LANDMARKS = ((30, 40), (70, 40), (50, 60), (35, 80), (65, 80))
#: Each plug-in's reported version (a class name), and its execution time in milliseconds.
_VERSIONS = {
    "detector": ("facenet.FaceDetector", 67.0),
    "calculator": ("facenet.Calculator", 116.0),
    "age": ("agegender.AgeDetector", 85.0),
    "gender": ("agegender.GenderDetector", 51.0),
    "mask": ("facemask.MaskDetector", 36.0),
    "pose": ("facenet.PoseEstimator", 1.0),
}


def verify(call: base.Call) -> Response:
    kind = media_type(call.request.header("content-type") or "")
    if kind not in _READERS:
        _refuse_empty(call, "type.wrong", 415)
    source, target, (limit, least, status) = _READERS[kind](call)
    seen = call.compare(source, target)
    pictures = (seen.probe, seen.reference)
    faces, others = (_choose_faces(call, picture, limit, least) for picture in pictures)
    if len(faces) > 1:
        call.refuse("face.many")
    if not faces or not others:
        call.refuse("face.none")
    call.claims.cite("verify.made_up")
    plugins = re.split(r"[\s,]+", call.query.get("face_plugins", ""))
    if plugins != [""]:
        call.claims.cite("verify.plugins")
    source_face, *matches = (_describe(face, plugins) for face in (faces[0], *others))
    scores = [seen.score or 0.0, *[seen.smaller_face_score] * (len(others) - 1)]
    for match, score in zip(matches, scores, strict=True):
        match["similarity"] = base.as_fraction(score)
    result: dict[str, Any] = {"source_image_face": source_face, "face_matches": matches}
    if status:
        call.claims.cite("verify.status")
        names = [name for name in _VERSIONS if name in ("detector", "calculator", *plugins)]
        for face in (source_face, *matches):
            face["execution_time"] = {name: _VERSIONS[name][1] for name in names}
        result["plugins_versions"] = {name: _VERSIONS[name][0] for name in names}
    return call.answer("verify.answer", {"result": [result]})


def _choose_faces(
    call: base.Call, picture: SeenPicture, limit: int | None, least: float
) -> tuple[SeenFace, ...]:
    """Return the faces above the detector's threshold, at most `limit`."""
    if limit is not None and len(picture.faces) > limit:
        call.claims.cite("face.limit")
    if least:
        call.claims.cite("det.threshold")
    return picture.faces[:limit] if 0 <= least < _PROBABILITY else ()


def _check_size(call: base.Call) -> None:
    # ``max_request_size=10M`` in the project's ``.env``; ``max_file_size=5MB`` is checked below.
    if len(call.request.body) > 10 * 1024 * 1024:
        call.refuse("request.too_large")


def _check_key(call: base.Call) -> None:
    text = call.request.header("x-api-key")
    if text is None:
        call.refuse("key.missing")
    if not _UUID.fullmatch(text):
        call.key_label = "wrong"
        call.refuse("key.form")
    if not call.authenticate(text):
        call.refuse("key.unknown", key=text)


_Query = tuple[int | None, float, bool]


def _read_form(call: base.Call) -> tuple[Upload, Upload, _Query]:
    form = call.read_form("error.undefined")
    call.journal_fields = mask_and_shorten(
        (name, text) for name, texts in form.fields.items() for text in texts
    )
    files = [file for files in form.files.values() for file in files]
    max_bytes = call.claims.get("file.max_bytes")
    if any(len(file.content) > max_bytes for file in files):
        call.refuse("file.too_large", "file.max_bytes")
    for name in PICTURES:
        if name not in form.files:
            call.refuse("part.missing", name=name)
    query = _read_query(call)
    if (query[0] or 0) < 0:
        call.refuse("limit.negative")
    source, target = (form.files[name][0] for name in PICTURES)
    for file in (source, target):
        if file.name.lower().rpartition(".")[2] not in _EXTENSIONS:
            call.refuse("file.extension", name=file.name)
    return source, target, query


def _read_json(call: base.Call) -> tuple[Upload, Upload, _Query]:
    query = _read_query(call)
    try:
        body = load_json(call.request.body)
    except ValueError:
        _refuse_empty(call)
    if not isinstance(body, dict):
        _refuse_empty(call)
    texts = [body.get(name) for name in PICTURES]
    if None in texts:
        call.refuse("base64.missing", name=("sourceImage", "targetImage")[texts.index(None)])
    if (query[0] or 0) < 0:
        call.refuse("limit.negative")
    try:
        source, target = (
            call.upload(name, "", base64.b64decode("".join(str(text).split()), validate=True))
            for name, text in zip(PICTURES, texts, strict=True)
        )
    except ValueError:
        call.refuse("base64.wrong")
    return source, target, query


#: The readers of the body, by content type.
_READERS: Mapping[str, Callable[[base.Call], tuple[Upload, Upload, _Query]]] = {
    "multipart/form-data": _read_form,
    "application/json": _read_json,
}


def _read_query(call: base.Call) -> _Query:
    """Return the face limit, the detector's threshold, and whether to return versions."""
    # Spring treats an empty value like a missing one.
    status = (call.query.get("status") or "false").lower()
    try:
        limit = int(call.query.get("limit") or "0")
        least = float(call.query.get("det_prob_threshold") or "0")
    except ValueError:
        _refuse_empty(call)
    if status not in _YES + _NO:
        _refuse_empty(call)
    return limit or None, least, status in _YES


def _refuse_empty(call: base.Call, claim: str = "query.wrong", status: int = 400) -> NoReturn:
    call.claims.cite(claim)
    raise base.Refused(Response(status=status, headers=(), body=b""))


def _describe(face: SeenFace, plugins: list[str]) -> dict[str, Any]:
    left, top, right, bottom = face.box
    width, height = right - left, bottom - top
    added = {
        "age": {"probability": 0.9308982491493225, "high": int(face.age), "low": int(face.age)},
        "gender": {"probability": 0.9898611307144165, "value": face.gender},
        "mask": {"probability": 0.9999470710754395, "value": "without_mask"},
        "pose": {"pitch": 0.0, "roll": 0.0, "yaw": 0.0},
        "calculator": [0.0] * 512,
        "landmarks": [[left + width * x // 100, top + height * y // 100] for x, y in _LANDMARKS],
    }
    sides = {"x_max": right, "y_max": bottom, "x_min": left, "y_min": top}
    names = {"calculator": "embedding"}
    fields = {names.get(slug, slug): added[slug] for slug in added if slug in plugins}
    return {"box": {"probability": _PROBABILITY, **sides}, **fields}


class Compreface(base.MockVendor):
    """The mock of CompreFace in one world. Thread-safe."""

    common_prefix = PATH
    not_found_claim = "path.method"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("error.undefined",),
        404: ("key.unknown",),
        413: ("request.too_large",),
        500: ("core.down",),
        503: ("core.down",),
    }
    routes = (
        base.Route(
            pattern=PATH,
            handlers={"POST": verify},
            checks={"request.too_large": _check_size, "key.first": _check_key},
            operation="match",
            is_form=True,
            picture_fields=PICTURES,
        ),
    )


def _ask_samples(mock: Any) -> None:
    files = {"source_image": "p1", "target_image": "p1-again"}
    plugins = f"{PATH}?face_plugins=age,gender,landmarks,mask,pose,calculator&status=true&limit=0"
    mock.ask("POST", PATH, files=files)
    mock.ask("POST", f"{plugins}&det_prob_threshold=0.8", files=files)
    mock.ask("POST", PATH, files={**files, "source_image": "no-face"})


VENDOR = base.Vendor(
    name="compreface",
    title="CompreFace",
    claims=CLAIMS,
    operations=("match",),
    first_keys={KEY: Key(kind=KeyKind.LIVE)},
    # CompreFace's keys are UUIDs.
    new_text=lambda text, letters: text[:24] + letters[:12],
    behaviour=Compreface,
    samples=_ask_samples,
    greeting=(
        f"keys: {KEY}",
        (
            f"curl -H 'x-api-key: {KEY}' {{url}}{PATH} "
            "-F source_image=@cards/p1.png -F target_image=@cards/p1-again.png"
        ),
    ),
)

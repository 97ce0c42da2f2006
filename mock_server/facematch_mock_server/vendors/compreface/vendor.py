"""CompreFace's `POST /api/v1/verification/verify`, access control, and settings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, NoReturn

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Response, Upload, media_type
from facematch_mock_server.recognition.outcomes import SeenFace, SeenPicture
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.pairs import landmark_points
from facematch_mock_server.world.keys import Key, KeyKind

from .claims import CLAIMS

#: CompreFace's keys are UUIDs; this one is valid from the start.
KEY = "00000000-0000-4000-8000-000000000000"
PATH = "/api/v1/verification/verify"
PICTURES = ("source_image", "target_image")

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EXTENSIONS = frozenset({"tif", "tiff", "jpg", "jpeg", "png", "bmp", "ico", "gif", "webp"})
#: The texts that Spring reads as true and as false.
_TRUE = ("true", "on", "yes", "1")
_FALSE = ("false", "off", "no", "0")
#: The detector's probability of every face.
_PROBABILITY = 0.99975
#: Each plug-in's reported version, a class name.
_VERSIONS = {
    "detector": "facenet.FaceDetector",
    "calculator": "facenet.Calculator",
    "age": "agegender.AgeDetector",
    "gender": "agegender.GenderDetector",
    "mask": "facemask.MaskDetector",
    "pose": "facenet.PoseEstimator",
}
#: Each plug-in's execution time in milliseconds.
_EXECUTION_TIMES = {
    "detector": 67.0,
    "calculator": 116.0,
    "age": 85.0,
    "gender": 51.0,
    "mask": 36.0,
    "pose": 1.0,
}


@attrs.frozen(kw_only=True)
class Options:
    """The options in the query.

    Attributes:
        max_faces: The number of faces to use of each picture; None for all.
        min_probability: Faces whose probability is not above it are not used, from 0 to 1; any
            other number uses no face.
        returns_versions: Whether the response contains the plug-ins' versions and times.
        plugins: The plug-ins whose results the response contains.
    """

    max_faces: int | None
    min_probability: float
    returns_versions: bool
    plugins: tuple[str, ...]


@attrs.frozen(kw_only=True)
class VerifyRequest:
    """The pictures and options of a call."""

    source: Upload
    target: Upload
    options: Options


def verify(call: base.Call) -> Response:
    pictures_and_options = _read_request(call)
    options = pictures_and_options.options
    compared = call.compare(pictures_and_options.source, pictures_and_options.target)
    source_faces = _choose_faces(call, compared.probe, options)
    target_faces = _choose_faces(call, compared.reference, options)
    if len(source_faces) > 1:
        call.refuse("face.many")
    if not source_faces or not target_faces:
        call.refuse("face.none")
    call.claims.cite("verify.made_up")
    if options.plugins:
        call.claims.cite("verify.plugins")
    source = _describe_face(source_faces[0], options.plugins)
    matches = [_describe_face(face, options.plugins) for face in target_faces]
    for match in matches:
        match["similarity"] = base.as_fraction(compared.smaller_face_score)
    # The first face is the largest: the score is of that face.
    matches[0]["similarity"] = base.as_fraction(compared.score or 0.0)
    result: dict[str, Any] = {"source_image_face": source, "face_matches": matches}
    if options.returns_versions:
        call.claims.cite("verify.status")
        used_plugins = ("detector", "calculator", *options.plugins)
        times = {name: time for name, time in _EXECUTION_TIMES.items() if name in used_plugins}
        for face in (source, *matches):
            face["execution_time"] = times
        result["plugins_versions"] = {name: _VERSIONS[name] for name in times}
    return call.answer("verify.answer", {"result": [result]})


def _choose_faces(call: base.Call, picture: SeenPicture, options: Options) -> tuple[SeenFace, ...]:
    """Return the faces that the options allow, largest first."""
    if options.max_faces is not None and len(picture.faces) > options.max_faces:
        call.claims.cite("face.limit")
    if options.min_probability:
        call.claims.cite("det.threshold")
    if not 0 <= options.min_probability < _PROBABILITY:
        return ()
    return picture.faces[: options.max_faces]


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


def _read_request(call: base.Call) -> VerifyRequest:
    """Read the body by its content type, and the query; refuse an invalid request."""
    content_type = media_type(call.request.header("content-type", ""))
    if content_type == "multipart/form-data":
        return _read_form(call)
    if content_type != "application/json":
        _refuse_empty(call, "type.wrong", status=415)
    return _read_json(call)


def _read_form(call: base.Call) -> VerifyRequest:
    form = call.read_form("error.undefined")
    fields = []
    for name, texts in form.fields.items():
        for text in texts:
            fields.append((name, text))
    call.journal_fields = mask_and_shorten(fields)
    max_bytes = call.claims.get("file.max_bytes")
    for files in form.files.values():
        for file in files:
            if len(file.content) > max_bytes:
                call.refuse("file.too_large", "file.max_bytes")
    for name in PICTURES:
        if name not in form.files:
            call.refuse("part.missing", name=name)
    options = _read_options(call)
    for name in PICTURES:
        file = form.files[name][0]
        if file.name.lower().rpartition(".")[2] not in _EXTENSIONS:
            call.refuse("file.extension", name=file.name)
    return VerifyRequest(
        source=form.files["source_image"][0],
        target=form.files["target_image"][0],
        options=options,
    )


def _read_json(call: base.Call) -> VerifyRequest:
    # Spring reads the query before the body.
    options = _read_query(call)
    try:
        body = load_json(call.request.body)
    except ValueError:
        _refuse_empty(call)
    if not isinstance(body, dict):
        _refuse_empty(call)
    # The refusal names the field as CompreFace's class does.
    for name, property_name in (("source_image", "sourceImage"), ("target_image", "targetImage")):
        if body.get(name) is None:
            call.refuse("base64.missing", name=property_name)
    _check_limit(call, options)
    return VerifyRequest(
        source=_read_base64(call, "source_image", body),
        target=_read_base64(call, "target_image", body),
        options=options,
    )


def _read_base64(call: base.Call, name: str, body: Mapping[str, Any]) -> Upload:
    return call.upload_base64(name, str(body[name]), refusal="base64.wrong")


def _read_options(call: base.Call) -> Options:
    options = _read_query(call)
    _check_limit(call, options)
    return options


def _check_limit(call: base.Call, options: Options) -> None:
    if options.max_faces is not None and options.max_faces < 0:
        call.refuse("limit.negative")


def _read_query(call: base.Call) -> Options:
    """Read the options; refuse a text that Spring cannot convert."""
    # Spring treats an empty value like a missing one.
    status = (call.query.get("status") or "false").lower()
    try:
        limit = int(call.query.get("limit") or "0")
        min_probability = float(call.query.get("det_prob_threshold") or "0")
    except ValueError:
        _refuse_empty(call)
    if status not in _TRUE + _FALSE:
        _refuse_empty(call)
    plugins = re.split(r"[\s,]+", call.query.get("face_plugins", ""))
    return Options(
        max_faces=limit or None,
        min_probability=min_probability,
        returns_versions=status in _TRUE,
        plugins=() if plugins == [""] else tuple(plugins),
    )


def _refuse_empty(call: base.Call, claim: str = "query.wrong", *, status: int = 400) -> NoReturn:
    """Refuse the call with an empty body, as CompreFace's web framework does."""
    call.claims.cite(claim)
    raise base.Refused(Response(status=status, headers=(), body=b""))


def _describe_face(face: SeenFace, plugins: Collection[str]) -> dict[str, Any]:
    """Return a face's box, and the results of these plug-ins."""
    left, top, right, bottom = face.box
    age = int(face.age)
    results = {
        "age": {"probability": 0.9308982491493225, "high": age, "low": age},
        "gender": {"probability": 0.9898611307144165, "value": face.gender},
        "mask": {"probability": 0.9999470710754395, "value": "without_mask"},
        "pose": {"pitch": 0.0, "roll": 0.0, "yaw": 0.0},
        "calculator": [0.0] * 512,
        "landmarks": landmark_points(face),
    }
    described: dict[str, Any] = {
        "box": {
            "probability": _PROBABILITY,
            "x_max": right,
            "y_max": bottom,
            "x_min": left,
            "y_min": top,
        }
    }
    for plugin, result in results.items():
        if plugin in plugins:
            # The field of the plug-in calculator has another name.
            field = "embedding" if plugin == "calculator" else plugin
            described[field] = result
    return described


class Compreface(base.MockVendor):
    """The mock of CompreFace in one world. Thread-safe."""

    common_prefix = PATH
    not_found_claim = "path.method"
    #: Of CompreFace's docs/Rest-API-description.md, commit ddf32da.
    not_imitated = NotImitated(
        "docs/vendors/compreface.md",
        "/api/v1/recognition/faces/*",
        "/api/v1/recognition/recognize",
        "/api/v1/recognition/subjects/*",
        "/api/v1/recognition/embeddings/*",
        "/api/v1/detection/detect",
    )
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
    """Collect the samples for the OpenAPI document, with a `Sampler`."""
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

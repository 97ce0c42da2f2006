"""What CompreFace's services have in common: pictures and options of a request, and faces."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NoReturn

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import Response, SeenFace, SeenPicture, Upload
from facematch_mock_server.vendors.pairs import landmark_points

#: CompreFace's ids and keys.
_EXTENSIONS: Final = frozenset({"tif", "tiff", "jpg", "jpeg", "png", "bmp", "ico", "gif", "webp"})
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
    """The options among the parameters.

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
class FaceRequest:
    """The pictures of a request, in the order of their fields, its parameters and its options."""

    pictures: tuple[Upload, ...]
    parameters: Mapping[str, str]
    options: Options


def read_request(call: base.Call, fields: Mapping[str, str]) -> FaceRequest:
    """Read the body by its content type, and the parameters; refuse an invalid request.

    Args:
        call: The call.
        fields: The names of the fields with pictures; each with the refusal of a missing one in
            JSON, which names the field as CompreFace's class does.
    """
    content_type = call.request.media_type
    if content_type == "multipart/form-data":
        return _read_form(call, tuple(fields))
    if content_type != "application/json":
        refuse_empty(call, "type.wrong", status=415)
    return _read_json(call, fields)


def _read_form(call: base.Call, names: Sequence[str]) -> FaceRequest:
    """Read the named files, and the parameters of form and query, as CompreFace checks them."""
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
    for name in names:
        if name not in form.files:
            call.refuse("part.missing", name=name)
    # Spring takes a parameter from the form, too.
    parameters = {**form.texts, **call.query}
    options = _read_options(call, parameters)
    _check_limit(call, options)
    pictures = []
    for name in names:
        file = form.files[name][0]
        if file.name.lower().rpartition(".")[2] not in _EXTENSIONS:
            call.refuse("file.extension", name=file.name)
        pictures.append(file)
    return FaceRequest(pictures=tuple(pictures), parameters=parameters, options=options)


def _read_json(call: base.Call, fields: Mapping[str, str]) -> FaceRequest:
    """Read pictures in base64 by their fields; `fields` has the name of each in an error."""
    # Spring reads the query before the body.
    options = _read_options(call, call.query)
    body = read_json(call)
    if not isinstance(body, dict):
        refuse_empty(call)
    for name, property_name in fields.items():
        if body.get(name) is None:
            call.refuse("base64.missing", name=property_name)
    _check_limit(call, options)
    pictures = []
    for name in fields:
        pictures.append(call.upload_base64(name, str(body[name]), refusal="base64.wrong"))
    return FaceRequest(pictures=tuple(pictures), parameters=call.query, options=options)


def read_json(call: base.Call) -> Any:
    """Return the body's JSON; refuse another body."""
    try:
        return load_json(call.request.body)
    except ValueError:
        refuse_empty(call)


def _check_limit(call: base.Call, options: Options) -> None:
    if options.max_faces is not None and options.max_faces < 0:
        call.refuse("limit.negative")


def _read_options(call: base.Call, parameters: Mapping[str, str]) -> Options:
    """Read the options; refuse a text that Spring cannot convert."""
    # Spring treats an empty value like a missing one.
    status = (parameters.get("status") or "false").lower()
    try:
        limit = int(parameters.get("limit") or "0")
        min_probability = float(parameters.get("det_prob_threshold") or "0")
    except ValueError:
        refuse_empty(call)
    if status not in _TRUE + _FALSE:
        refuse_empty(call)
    plugins = re.split(r"[\s,]+", parameters.get("face_plugins", ""))
    return Options(
        max_faces=limit or None,
        min_probability=min_probability,
        returns_versions=status in _TRUE,
        plugins=() if plugins == [""] else tuple(plugins),
    )


def refuse_empty(call: base.Call, claim: str = "query.wrong", *, status: int = 400) -> NoReturn:
    """Refuse the call with an empty body, as CompreFace's web framework does."""
    call.claims.cite(claim)
    raise base.Refused(Response(status=status, headers=(), body=b""))


def choose_faces(picture: SeenPicture, options: Options) -> tuple[SeenFace, ...]:
    """Return the faces that the options allow, largest first."""
    # limit is the maximum number of faces per picture, the largest first; 0, the default, means no
    # limit. With limit=1 a second face in the source image goes unnoticed. (CompreFace, java/api
    # and java/common, commit ddf32da)
    # Only faces with a detection probability above det_prob_threshold are found. The core refuses a
    # threshold below 0 or above 1, for which clients get the error for no face. (CompreFace,
    # embedding-calculator, commit ddf32da)
    if not 0 <= options.min_probability < _PROBABILITY:
        return ()
    return picture.faces[: options.max_faces]


def describe_faces(faces: Sequence[SeenFace], options: Options) -> list[dict[str, Any]]:
    """Return the faces' boxes, and the results of the plug-ins that were asked for."""
    # OURS: Age and gender are the test card's. Other values are made up: the similarity of an
    # additional face in the target image (0.05, unless a test sets smaller_face_score), the
    # probabilities, times and landmarks, no mask, a head that looks straight ahead, and an
    # embedding of 512 zeros.
    # face_plugins is a comma-separated list of plug-ins: age, gender, landmarks, mask, pose,
    # calculator. Each adds its result to each face (calculator: the embedding); unknown plug-ins
    # are ignored. (CompreFace, docs/Face-services-and-plugins.md, commit ddf32da)
    return [_describe_face(face, options.plugins) for face in faces]


def add_versions(body: dict[str, Any], faces: Sequence[dict[str, Any]], options: Options) -> None:
    """Add the plug-ins' times to the faces and their versions to the body, if asked for."""
    if not options.returns_versions:
        return
    # With status=true each face also has an execution_time, and plugins_versions lists the detector
    # and each plug-in that ran: always the calculator, never landmarks. (CompreFace, java/api and
    # java/common, commit ddf32da)
    used_plugins = ("detector", "calculator", *options.plugins)
    times = {name: time for name, time in _EXECUTION_TIMES.items() if name in used_plugins}
    for face in faces:
        face["execution_time"] = times
    body["plugins_versions"] = {name: _VERSIONS[name] for name in times}


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

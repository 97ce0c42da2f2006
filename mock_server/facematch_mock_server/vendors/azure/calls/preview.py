"""Liveness sessions as the previews before v1.2 show them, for Microsoft's Python client.

The sessions are those of v1.2. Paths and bodies are from the client, azure-ai-vision-face 1.0.0b2;
those of v1.1-preview.1 from 1.0.0b1, which neither chooses a model nor reads a session's picture.
An *audit entry* is an attempt of the person: the request that the device sent, and its response.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.messages import Response, media_type
from facematch_mock_server.vendors.azure.access import OLDER_PREVIEW, PREVIEW, version_of
from facematch_mock_server.vendors.azure.sessions import FAILED, NOT_STARTED, RECEIVED, SUCCEEDED
from facematch_mock_server.vendors.base import NumberedCall
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

from . import sessions

VERSIONS = (PREVIEW, OLDER_PREVIEW)
IMAGES = f"/face/{PREVIEW}/session/sessionImages"
#: The models of the client's enumeration, oldest first.
_MODELS = ("2022-10-15-preview.04", "2023-12-20-preview.06")
#: The newest model of each version.
_NEWEST_MODEL = {PREVIEW: _MODELS[-1], OLDER_PREVIEW: "2023-03-02-preview.05"}
_MODEL = "livenessSingleModalModel"
_FIELDS: sessions.FieldTable = {
    **sessions.COMMON_FIELDS,
    # By default the latest model (the client's documentation).
    _MODEL: (_MODELS[-1], {name: name for name in _MODELS}.__getitem__, "session.body"),
    "sendResultsToClient": (False, sessions.read_flag, "session.body"),
}
FIELDS = (*_FIELDS, "Parameters")
#: What a start of the older version lacks.
_NEWER_FIELDS = (_MODEL, "enableSessionImage", "returnVerifyImageHash", "verifyConfidenceThreshold")
#: The preview's statuses by those of v1.2; any other session has begun and has no result.
_STATUSES = {
    NOT_STARTED: "NotStarted",
    SUCCEEDED: "ResultAvailable",
    FAILED: "ResultAvailable",
}


def session_paths(version: str) -> tuple[str, str]:
    """Return the paths of sessions without a comparison, and with one."""
    prefix = f"/face/{version}"
    return (
        f"{prefix}/detectLiveness/singleModal/sessions",
        f"{prefix}/detectLivenessWithVerify/singleModal/sessions",
    )


def _read_fields(call: NumberedCall, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a start; fields that its version lacks have their defaults."""
    version = version_of(call)
    if version == OLDER_PREVIEW:
        # v1.1-preview.1 has the paths and bodies of v1.2-preview.1, except for the picture of a
        # session, the hash of a reference and the choice of a model; its newest model is
        # 2023-03-02-preview.05. (Microsoft, PyPI azure-ai-vision-face 1.0.0b1, and
        # Azure/azure-rest-api-specs, Face, examples of v1.1-preview.1)
        sent = {name: value for name, value in sent.items() if name not in _NEWER_FIELDS}
    values = sessions.read_fields(call, _FIELDS, sent)
    if _MODEL not in sent:
        values[_MODEL] = _NEWEST_MODEL[version]
    return values


def _start(call: NumberedCall) -> Response:
    values = _read_fields(call, call.read_object("session.body"))
    session = sessions.start(call, "detectLiveness", values)
    return call.answer("preview.started", sessions.access_of(session))


def _start_with_verify(call: NumberedCall) -> Response:
    """Start a session that compares with a picture; its parameters are JSON in a field of the form.

    JSON alone would let the device send the picture, which is refused.
    """
    content_type = call.request.header("content-type", "")
    if media_type(content_type) == "application/json":
        _read_fields(call, call.read_object("session.body"))
        call.refuse("preview.device_image")
    form = call.read_form("session.body")
    parameters = form.fields.get("Parameters", ["{}"])
    try:
        parameters_sent = load_json(parameters[-1])
    except ValueError:
        parameters_sent = None
    if not isinstance(parameters_sent, dict):
        call.refuse("session.body")
    values = _read_fields(call, parameters_sent)
    session = sessions.start_with_verify(call, values, form.files.get("VerifyImage", ()))
    body = {**sessions.access_of(session), "verifyImage": _reference_of(session)}
    return call.answer("preview.started", body)


def stamp(time: dt.datetime) -> str:
    """Write a time as Microsoft does: with seven decimals, with six if the seventh is 0."""
    # OURS: A microsecond's last digit is the seventh decimal, too.
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}{time.microsecond % 10 or ''}+00:00"


def _reference_of(session: Session) -> dict[str, Any]:
    """Return the face and quality of the reference of a session that compares."""
    (reference,) = session.result["verifyReferences"]
    return {name: reference[name] for name in ("faceRectangle", "qualityForRecognition")}


def _read(call: NumberedCall) -> Response:
    """Show a session; its result is the entry of the newest attempt."""
    session = sessions.find(call)
    sessions.cite_attempts(call, session)
    status = _STATUSES.get(sessions.shown_status(session), "Started")
    values = session.metadata_or_empty
    attempts = session.result["attempts"]
    body: dict[str, Any] = {"id": session.id, "createdDateTime": stamp(session.created_at)}
    if attempts:
        # The newest attempt comes first, so the last one is the first of all.
        body["sessionStartDateTime"] = stamp(attempts[-1][RECEIVED])
    body["sessionExpired"] = call.now >= hosted_of(session).expires_at
    for name in ("deviceCorrelationId", "authTokenTimeToLiveInSeconds"):
        body[name] = values[name]
    body["status"] = status
    if status == "ResultAvailable":
        body["result"] = _make_entry(call, session, attempts[0])
    return call.answer("preview.read", body)


def _make_entry(call: NumberedCall, session: Session, attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the audit entry of an attempt."""
    # OURS: An audit entry has a made-up latency, request and length, and no user agent;
    # its ids are derived from the session's id. A session starts with its first attempt. A failed
    # attempt has the status 400 and the error of v1.2; the digest is empty. The file of the device
    # is video.webp, as in the recordings of Microsoft's tests (Azure/azure-sdk-for-js,
    # ai-vision-face-rest, read 2026-11-28).
    number = attempt["attemptId"]
    result = attempt.get("result", {})
    entry = {
        "id": number,
        "sessionId": session.id,
        # Derived from the session's id, so that each read has the same one.
        "requestId": str(uuid.uuid5(uuid.UUID(session.id), str(number))),
        RECEIVED: stamp(attempt[RECEIVED]),
        "request": {
            "url": f"/face/{version_of(call)}/{hosted_of(session).workflow}/singleModal",
            "method": "POST",
            "contentLength": 360_044,
            "contentType": "multipart/form-data",
        },
        "response": {
            "body": _show_result(session, attempt),
            "statusCode": 200 if result else 400,
            "latencyInMilliseconds": 1200,
        },
        "digest": result.get("digest", ""),
    }
    for name in ("sessionImageId", "verifyImageHash"):
        if name in result:
            entry[name] = result[name]
    return entry


def _show_result(session: Session, attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that the person's device got for an attempt."""
    if "error" in attempt:
        error = attempt["error"]
        return {"error": {"code": error["code"], "message": error["message"]}}
    result = attempt["result"]
    body = {
        "livenessDecision": result["livenessDecision"],
        "target": {
            **result["targets"]["color"],
            "fileName": "video.webp",
            "timeOffsetWithinFile": 0,
            "imageType": "Color",
        },
        # A session that was started in v1.2 names no model of the preview: show the newest.
        "modelVersionUsed": session.metadata_or_empty.get(_MODEL, _MODELS[-1]),
    }
    if "verifyResult" in result:
        body["verifyResult"] = {"verifyImage": _reference_of(session), **result["verifyResult"]}
    return body


def _delete(call: NumberedCall) -> Response:
    sessions.remove(call)
    # A deletion in v1.2-preview.1 returns 200 without a body. (Microsoft, PyPI azure-ai-vision-face
    # 1.0.0b2, and Azure/azure-rest-api-specs, Face, examples of v1.2-preview.1)
    return Response(status=200, headers=call.headers)


def routes_of(version: str) -> Iterator[sessions.SessionRoute]:
    """Yield the routes of a version."""
    liveness, with_verify = session_paths(version)
    yield liveness, {"POST": _start}, "session_start"
    yield with_verify, {"POST": _start_with_verify}, "session_start"
    for path in (liveness, with_verify):
        yield f"{path}/{{word}}", {"GET": _read, "DELETE": _delete}, "session_read"
    if version == PREVIEW:
        yield f"{IMAGES}/{{word}}", {"GET": sessions.read_image}, None

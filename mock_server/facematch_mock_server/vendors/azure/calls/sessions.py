"""Liveness sessions: start, and results, which are readable for 48 hours.

The names are from Microsoft's examples for v1.2, and from its client @azure-rest/ai-vision-face.
The preview before v1.2 shows the same sessions in another form (`preview`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from facematch_mock_server.base.masking import describe_fields
from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.vendors.azure.sessions import (
    EXPIRED,
    NOT_STARTED,
    RECEIVED,
    RUNNING,
    rectangle,
)
from facematch_mock_server.vendors.base import NumberedCall
from facematch_mock_server.world import hosted
from facematch_mock_server.world.hosted import expire_if_due, hosted_of
from facematch_mock_server.world.sessions import Session

LIVENESS = "/face/v1.2/detectLiveness-sessions"
WITH_VERIFY = "/face/v1.2/detectLivenessWithVerify-sessions"
IMAGES = "/face/v1.2/sessionImages"
MODEL = "2024-11-15"


def check_picture(call: NumberedCall, content: bytes | bytearray) -> None:
    """Refuse a file if its size or first bytes rule out a supported picture."""
    # Treating the documented 1 KB as 1,024 bytes is our choice.
    if len(content) < 1024:
        call.refuse("image.small")
    if len(content) > call.claims.get("image.max_bytes"):
        call.refuse("image.large", "image.max_bytes")
    if not content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")):
        call.refuse("image.unreadable")


# The fields of a start request: a JSON object, or the parts of a form, which are all strings


def read_flag(value: object) -> bool:
    """Read a boolean. Raises LookupError or TypeError for any other value."""
    return {True: True, False: False, "true": True, "false": False}[value]


def _read_device(value: object) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError
    return value


def _number(number_type: type[int | float], low: int, high: int) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        number = number_type(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return read


#: Each field's default, parser and error claim, by name.
FieldTable = Mapping[str, tuple[Any, Callable[[Any], Any], str]]
#: The fields that every version has.
COMMON_FIELDS: FieldTable = {
    "livenessOperationMode": (
        None,
        lambda value: ("passive", "passiveactive").index(value.lower()),
        "session.mode",
    ),
    "deviceCorrelationIdSetInClient": (False, read_flag, "session.body"),
    "deviceCorrelationId": (None, _read_device, "session.device"),
    "enableSessionImage": (False, read_flag, "session.body"),
    "authTokenTimeToLiveInSeconds": (600, _number(int, 60, 86400), "session.life"),
    "returnVerifyImageHash": (False, read_flag, "session.body"),
    "verifyConfidenceThreshold": (0.5, _number(float, 0, 1), "session.body"),
}
_FIELDS: FieldTable = {
    **COMMON_FIELDS,
    "livenessModelVersion": (MODEL, {MODEL: MODEL}.__getitem__, "session.body"),
}
FIELDS = tuple(_FIELDS)


def read_fields(call: NumberedCall, known: FieldTable, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the `known` fields; refuse the call at the first invalid value."""
    call.journal_fields = describe_fields(
        ((name, str(text)) for name, text in sent.items()), [*known]
    )
    values: dict[str, Any] = {}
    for name, (default, parse, claim) in known.items():
        value = sent.get(name)
        try:
            values[name] = default if value is None else parse(value)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            call.refuse(claim)
    if values["livenessOperationMode"] is None:
        call.refuse("session.mode")
    device = values["deviceCorrelationId"]
    if not values["deviceCorrelationIdSetInClient"]:
        if not device:
            call.refuse("session.device")
    elif device or (device == "" and call.claims["session.empty_device"] == "refused"):
        # If the client is configured to set the device id, the start must not have one; that such a
        # start is refused with the same error is ours. (Microsoft, npm @azure-rest/ai-vision-face
        # 1.0.0-beta.3)
        call.refuse("session.device")
    return values


def _start(call: NumberedCall) -> Response:
    values = read_fields(call, _FIELDS, call.read_object("session.body"))
    session = start(call, "detectLiveness", values)
    return call.answer("session.started", _show_started(session))


def _start_with_verify(call: NumberedCall) -> Response:
    form = call.read_form("session.body")
    texts = {name: texts[-1] for name, texts in form.fields.items()}
    values = read_fields(call, _FIELDS, texts)
    files = form.files.get("verifyImage", form.files.get("VerifyImage", []))
    session = start_with_verify(call, values, files)
    return call.answer("session.started", _show_started(session))


def start_with_verify(
    call: NumberedCall, values: Mapping[str, Any], files: Sequence[Upload]
) -> Session:
    """Start a session with the first file as its reference; refuse one without exactly one face."""
    picture = next(iter(files), None)
    if picture is None:
        # The part verifyImage must have a file name. The client names it VerifyImage in another
        # place: both are taken. (Microsoft, npm @azure-rest/ai-vision-face 1.0.0-beta.3)
        call.refuse("session.body")
    check_picture(call, picture.content)
    detected = call.detect_faces(picture)
    if not detected.decodes:
        call.refuse("image.unreadable")
    if len(detected.faces) != 1:
        call.refuse("session.no_face" if not detected.faces else "session.many_faces")
    reference = {
        "referenceType": "image",
        "faceRectangle": rectangle(detected.faces[0].box),
        "qualityForRecognition": "high",
    }
    return start(call, "detectLivenessWithVerify", values, picture, verifyReferences=[reference])


def start(
    call: NumberedCall,
    kind: str,
    values: Mapping[str, Any],
    picture: Upload | None = None,
    **results: Any,
) -> Session:
    """Start a session of a kind: ``detectLiveness``, or ``detectLivenessWithVerify``."""
    lasts_s = values["authTokenTimeToLiveInSeconds"]
    result = {"attempts": [], **results}
    fields = {"status": NOT_STARTED, "metadata": values, "result": result}
    return hosted.start(call.world, call.now, lasts_s, fields, reference=picture, workflow=kind)


def shown_status(session: Session) -> str:
    """Return the status that responses show: an expired session keeps the one before."""
    if session.status != EXPIRED:
        return session.status
    return RUNNING if hosted_of(session).attempts else NOT_STARTED


def access_of(session: Session) -> dict[str, str]:
    """Return the id and the token of a session, which only the answer to its start has."""
    return {"sessionId": session.id, "authToken": hosted_of(session).token}


def _show_started(session: Session) -> dict[str, Any]:
    return {
        **access_of(session),
        "status": NOT_STARTED,
        "modelVersion": MODEL,
        "results": session.result,
    }


def _show(session: Session) -> dict[str, Any]:
    """Return a session as a read shows it; the time of an attempt's arrival stays inside."""
    body = {"sessionId": session.id, "authToken": "", "status": shown_status(session)}
    results = {**session.result, "attempts": _without(RECEIVED, session.result["attempts"])}
    if any("result" in attempt for attempt in results["attempts"]):
        body["modelVersion"] = MODEL
    if "verifyReferences" in results:
        results["verifyReferences"] = _without("referenceType", results["verifyReferences"])
    return {**body, "results": results}


def _without(left_out: str, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the items without one of their keys."""
    return [{name: item[name] for name in item if name != left_out} for item in items]


def is_over(call: NumberedCall, session: Session) -> bool:
    """Return whether a session's 48 hours have passed, after which it is unknown."""
    age = call.now - session.created_at
    return bool(age.total_seconds() >= call.claims["session.lasts_s"])


def find(call: NumberedCall) -> Session:
    """Return the path's session; refuse the call if it is unknown, too old or of another kind."""
    session = call.world.sessions.find(call.path_values[0])
    if session is None or is_over(call, session):
        call.refuse("session.unknown")
    workflow = hosted_of(session).workflow
    # The paths of v1.2 and of the preview.
    if not any(part in call.request.path for part in (f"/{workflow}-sessions/", f"/{workflow}/")):
        # OURS: A session is unknown at the paths of the other kind of session.
        call.refuse("session.unknown")
    return expire_if_due(call.world, session)


def _read(call: NumberedCall) -> Response:
    session = find(call)
    # OURS: The token of a start also opens the mock's page. Attempts are numbered from 1, and the
    # newest comes first; each has a result or an error.
    # (Azure/azure-rest-api-specs, Face, examples of v1.2)
    cite_attempts(call, session)
    return call.answer("session.read", _show(session))


def cite_attempts(call: NumberedCall, session: Session) -> None:
    """Cite the claims behind a session's attempts."""
    if session.result["attempts"]:
        # OURS: An attack, or a score below session.live_from, is a spoofface; a missing score is
        # uncertain; either way the session ends as Succeeded. A picture without a face only fails
        # the attempt.
        # OURS: Each completed check is one ledger entry with the amount 0; other calls about a
        # session have none. No price is documented.
        # OURS: digest is the SHA-256 of the picture shown to the camera; a reference has high
        # quality; a failed attempt reports a mask, with the rectangle of Microsoft's example.
        call.claims.cite("session.live_from", "session.attempts")
    # OURS: Once its token has expired, a session cannot be completed and its status no longer
    # changes; a session that the person leaves is Canceled.


def _delete(call: NumberedCall) -> Response:
    remove(call)
    # A deletion returns 204 and invalidates the token. (Microsoft, npm @azure-rest/ai-vision-face
    # 1.0.0-beta.3)
    return Response(status=204, headers=call.headers)


def remove(call: NumberedCall) -> None:
    """Delete the path's session, which invalidates its token."""
    if call.world.sessions.remove(find(call).id) is None:
        call.refuse("session.unknown")  # a concurrent request deleted it


def read_image(call: NumberedCall) -> Response:
    """Return the picture of an attempt; refuse one that is unknown, or whose session is over."""
    image_id = call.path_values[0]
    content = None
    for session in call.world.sessions.all():
        if image_id in session.pictures and not is_over(call, session):
            content = call.world.pictures.find(session.pictures[image_id])
    if content is None:
        call.refuse("session.no_image")
    # sessionImages returns the picture of an attempt, if the start set enableSessionImage.
    # (Microsoft, npm @azure-rest/ai-vision-face 1.0.0-beta.3)
    headers = (("Content-Type", "application/octet-stream"), *call.headers)
    return Response(status=200, headers=headers, body=content)


#: A path, with its handlers by method and the operation's name for latency.
SessionRoute: TypeAlias = tuple[str, Mapping[str, Callable[[Any], Response]], str | None]
ROUTES: tuple[SessionRoute, ...] = (
    (LIVENESS, {"POST": _start}, "session_start"),
    (WITH_VERIFY, {"POST": _start_with_verify}, "session_start"),
    *(
        (f"{path}/{{word}}", {"GET": _read, "DELETE": _delete}, "session_read")
        for path in (LIVENESS, WITH_VERIFY)
    ),
    (f"{IMAGES}/{{word}}", {"GET": read_image}, None),
)

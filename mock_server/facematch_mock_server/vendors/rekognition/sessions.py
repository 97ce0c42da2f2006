"""Face Liveness: start, check of the person, and results, which are readable for 3 minutes.

Names and limits are from AWS's API model, rekognition 2016-06-27, in botocore 1.44.5.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_core import Image
from facematch_core.backend import ImageFormat
from facematch_mock_server.base.messages import Response
from facematch_mock_server.recognition.outcomes import LivenessOutcome, SeenFace
from facematch_mock_server.vendors.base import NumberedCall
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, current, hosted_of
from facematch_mock_server.world.sessions import Session

_CREATED, _IN_PROGRESS, _SUCCEEDED, _FAILED, _EXPIRED = (
    *("CREATED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "EXPIRED"),
)
_CHALLENGES = ("FaceMovementAndLightChallenge", "FaceMovementChallenge")
_TOKEN = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_KMS_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_/+=,@.-]{0,2047}", re.ASCII)
_SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_VERSION = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){2}", re.ASCII)
#: AWS's size limit in bytes for a returned picture, and a side length that stays below it.
_MOST_BYTES, _SIDE = 204_800, 480


def create(call: NumberedCall, sent: Mapping[str, Any]) -> Response:
    """Create a session, or respond with the existing session that has the same token."""
    token, challenge, audit_images = _read_start(call, sent)
    claims, world = call.claims, call.world
    claims.cite("session.charged", "credit.price_session")
    # A start and its retry may arrive concurrently.
    with world.behaviour.starting:
        kept = reversed(world.sessions.all()) if token else ()
        same = (each for each in kept if (each.metadata or {}).get("token") == token)
        session = next((each for each in same if call.now < hosted_of(each).expires_at), None)
        if session is not None:
            claims.cite("session.token")
        else:
            metadata = {"token": token, "audit_images": audit_images}
            fields, lasts_s = (
                {"status": _CREATED, "metadata": metadata},
                claims["session.lifetime_s"],
            )
            session = hosted.start(world, call.now, lasts_s, fields, workflow=challenge)
    return call.answer("session.created", {"SessionId": session.id})


def _read_start(call: NumberedCall, sent: Mapping[str, Any]) -> tuple[str | None, str, int]:
    """Return the token, preferred challenge and number of audit images that a start requests."""
    settings = {} if sent.get("Settings") is None else sent["Settings"]
    token, key = sent.get("ClientRequestToken"), sent.get("KmsKeyId")
    fits = isinstance(settings, dict) and _fits(token, _TOKEN) and _fits(key, _KMS_KEY)
    number = (settings.get("AuditImagesLimit") or 0) if fits else 0
    preferences = (settings.get("ChallengePreferences") or []) if fits else []
    is_limit = type(number) is int and 0 <= number <= 4
    if not fits or not is_limit or not _are_preferences(preferences):
        call.refuse("parameters.wrong", "session.ranges")
    if settings.get("OutputConfig") is not None:
        call.refuse("parameters.wrong", "session.s3")
    challenge = preferences[0]["Type"] if preferences else _CHALLENGES[0]
    return token, challenge, number


def _fits(text: Any, pattern: re.Pattern[str]) -> bool:
    return text is None or (isinstance(text, str) and pattern.fullmatch(text) is not None)


def _are_preferences(rows: Any) -> bool:
    return isinstance(rows, list) and all(
        isinstance(row, dict)
        and row.get("Type") in _CHALLENGES
        and isinstance(row.get("Versions") or {}, dict)
        and all(_fits(version, _VERSION) for version in (row.get("Versions") or {}).values())
        for row in rows
    )


def read_results(call: NumberedCall, sent: Mapping[str, Any]) -> Response:
    """Respond with a session's status and results, until AWS would delete the session."""
    claims, world, session_id = call.claims, call.world, sent.get("SessionId")
    if not session_id or not _fits(session_id, _SESSION_ID):
        call.refuse("parameters.wrong", "session.ranges")
    session = world.sessions.find(session_id)
    if session is None:
        call.refuse("session.unknown")
    session = current(world, session)
    body: dict[str, Any] = {"SessionId": session.id, "Status": session.status}
    if call.now >= hosted_of(session).expires_at:
        claims.cite("session.lifetime_s")
        if claims["session.over"] == "not_found":
            call.refuse("session.unknown")
        body["Status"] = _EXPIRED
    elif session.status == _SUCCEEDED:
        claims.cite("session.reference", "session.attack", "session.feedback")
        body |= {**session.result, **_show_pictures(world, session)}
    if body["Status"] not in (_CREATED, _EXPIRED):
        claims.cite("session.played", "session.made_up")
        body["Challenge"] = {"Type": hosted_of(session).workflow, "Version": "1.0.0"}
        body["Metadata"] = {"SDKType": "facematch-mock"}
    return call.answer("session.results", body)


def _show_pictures(world: World, session: Session) -> dict[str, Any]:
    content = world.pictures.find(session.pictures["reference_image"])
    if content is None:
        return {}
    picture = {**(session.metadata or {})["box"], "Bytes": _encode_picture(content)}
    number = (session.metadata or {})["audit_images"]
    return {"ReferenceImage": picture, "AuditImages": [picture] * number}


def _encode_picture(content: bytes) -> str:
    """Encode a picture in base64, as a smaller JPEG if it is too large or not a JPEG or PNG."""
    is_usual = Image.from_bytes(content).format in (ImageFormat.JPEG, ImageFormat.PNG)
    if len(content) > _MOST_BYTES or not is_usual:
        import PIL.Image  # imported here, because few pictures need it

        with PIL.Image.open(io.BytesIO(content)) as picture:
            small, buffer = picture.convert("RGB"), io.BytesIO()
        small.thumbnail((_SIDE, _SIDE))
        small.save(buffer, "JPEG", quality=70)
        content = buffer.getvalue()
    return base64.b64encode(content).decode()


def bound(image: Image, face: SeenFace) -> dict[str, float]:
    """Return a face's bounding box as fractions of the picture's width and height."""
    left, top, right, bottom = face.box
    width, height = (right - left) / image.width, (bottom - top) / image.height
    corner = {"Left": left / image.width, "Top": top / image.height}
    return {"Width": width, "Height": height, **corner}


# Results of a check


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the result of its only check."""
    seen = check.liveness
    if not seen.probe.faces:
        return hosted.fail(world, session)
    result: dict[str, Any] = {"Feedback": _list_feedback(world, seen)}
    if seen.score is not None:
        # AWS's response has no other field that shows an attack.
        most = world.claims["session.attack"] if seen.attack else 100.0
        result["Confidence"] = min(seen.score, most)
    image = Image.from_bytes(check.contents[check.face])
    box = {"BoundingBox": bound(image, seen.probe.faces[0])}
    return attrs.evolve(
        session,
        status=_SUCCEEDED,
        result=result,
        pictures={"reference_image": check.face},
        metadata={**(session.metadata or {}), "box": box},
    )


def _list_feedback(world: World, seen: LivenessOutcome) -> list[dict[str, str]]:
    low, dark, bright = world.claims["session.feedback"]
    light = 50.0 if seen.luminance is None else seen.luminance
    conditions = {
        "LOW_VIDEO_QUALITY_DETECTED": seen.quality is not None and seen.quality < low,
        "LOW_LIGHTING_DETECTED": light < dark,
        "HIGH_LIGHTING_DETECTED": light > bright,
    }
    codes = [code for code, applies in conditions.items() if applies]
    return [{"Code": code, "Message": code.replace("_", " ").capitalize()} for code in codes]


SESSION_RULES = SessionRules(
    open_statuses=frozenset({_CREATED, _IN_PROGRESS}),
    status_after={"begin": _IN_PROGRESS, "abandon": _FAILED, "expire": _EXPIRED, "last": _FAILED},
    judge=_judge,
    service="FaceLiveness",
    price_claim="credit.price_session",
    finished_statuses=frozenset({_SUCCEEDED}),
)

"""Face Liveness: start, and results, which are readable for 3 minutes.

Names and limits are from AWS's API model, rekognition 2016-06-27, in botocore 1.44.5.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

import attrs

from facematch_core import Image
from facematch_core.backend import ImageFormat
from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.base import NumberedCall
from facematch_mock_server.vendors.rekognition.sessions import CREATED, EXPIRED, SUCCEEDED
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import expire_if_due, hosted_of
from facematch_mock_server.world.sessions import Session

#: The challenges; the first one is the default.
_CHALLENGES = ("FaceMovementAndLightChallenge", "FaceMovementChallenge")
_MAX_AUDIT_IMAGES = 4
_TOKEN = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_KMS_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_/+=,@.-]{0,2047}", re.ASCII)
_SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
#: Names in S3, and the key of a picture that a session has stored there.
_BUCKET = re.compile(r"[0-9A-Za-z._-]{3,255}", re.ASCII)
_KEY_PREFIX = re.compile(r"\S{0,950}")
_STORED_KEY = re.compile(
    r".*?(?P<session_id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})/[a-z0-9-]+\.jpg"
)
_VERSION = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){2}", re.ASCII)
#: AWS's size limit in bytes for a returned picture.
_MAX_BYTES = 204_800
#: The longest side in pixels of a picture that was too large.
_SMALL_SIDE = 480


def create(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Create a session, or respond with the open session that has the same token."""
    settings = _read_settings(call, parameters)
    # OURS: A session is charged when its check succeeds; whether a failed one is charged is not
    # documented.
    call.claims.cite("credit.price_session")
    # A start and its retry may arrive concurrently.
    with call.world.behaviour.starting:
        session = _find_same(call, settings.token)
        if session is None:
            session = _start(call, settings)
        # The same ClientRequestToken returns the same session. That a different body then changes
        # nothing, and that the token starts a new session once the old one has ended, is our
        # choice. (AWS, API model rekognition 2016-06-27 in botocore 1.44.5)
    return call.answer("session.created", {"SessionId": session.id})


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of a session.

    Attributes:
        token: A text that makes the start repeatable; None without one.
        challenge: The challenge that the person is to pass.
        audit_images: The number of audit images that the results contain, 0-4.
        output: The bucket and the prefix of keys under which the pictures are stored; None if the
            results contain them.
    """

    token: str | None
    challenge: str
    audit_images: int
    output: Output | None


@attrs.frozen(kw_only=True)
class Output:
    """Where a session stores its pictures in S3."""

    bucket: str
    prefix: str


def _find_same(call: NumberedCall, token: str | None) -> Session | None:
    """Return the newest session with this token whose results are readable."""
    if token is None:
        return None
    for session in reversed(call.world.sessions.all()):
        is_same = session.metadata is not None and session.metadata["token"] == token
        if is_same and call.now < hosted_of(session).expires_at:
            return session
    return None


def _start(call: NumberedCall, settings: Settings) -> Session:
    """Start a session with the settings that its results depend on."""
    metadata = {
        "token": settings.token,
        "audit_images": settings.audit_images,
        "output": settings.output,
    }
    return hosted.start(
        call.world,
        call.now,
        call.claims["session.lifetime_s"],
        {"status": CREATED, "metadata": metadata},
        workflow=settings.challenge,
    )


def _read_settings(call: NumberedCall, parameters: Mapping[str, Any]) -> Settings:
    """Read the settings of a start; refuse it if one is invalid."""
    token = parameters.get("ClientRequestToken")
    if not _fits(token, _TOKEN) or not _fits(parameters.get("KmsKeyId"), _KMS_KEY):
        call.refuse("parameters.wrong")
    settings = {} if parameters.get("Settings") is None else parameters["Settings"]
    if not isinstance(settings, dict):
        call.refuse("parameters.wrong")
    audit_images = settings.get("AuditImagesLimit")
    if audit_images is None:
        audit_images = 0
    if type(audit_images) is not int or not 0 <= audit_images <= _MAX_AUDIT_IMAGES:
        call.refuse("parameters.wrong")
    preferences = settings.get("ChallengePreferences") or []
    if not isinstance(preferences, list) or not all(map(_is_preference, preferences)):
        call.refuse("parameters.wrong")
    return Settings(
        token=token,
        challenge=preferences[0]["Type"] if preferences else _CHALLENGES[0],
        audit_images=audit_images,
        output=_read_output(call, settings.get("OutputConfig")),
    )


def _read_output(call: NumberedCall, config: Any) -> Output | None:
    """Return where the session is to store its pictures; refuse an invalid place."""
    if config is None:
        return None
    prefix = config.get("S3KeyPrefix") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not is_bucket(config.get("S3Bucket")):
        # A Bucket has 3 to 255 letters, digits, dots, hyphens and underscores; a Name and a Version
        # have 1 to 1,024 characters. Any other value is an invalid parameter. (AWS, API model
        # rekognition 2016-06-27 in botocore 1.44.5)
        call.refuse("parameters.wrong")
    if not _fits(prefix, _KEY_PREFIX):
        call.refuse("parameters.wrong")
    return Output(bucket=config["S3Bucket"], prefix=prefix or "")


def is_bucket(value: object) -> TypeGuard[str]:
    """Return whether a value can be the name of a bucket."""
    return value is not None and _fits(value, _BUCKET)


def is_s3_text(value: object) -> TypeGuard[str]:
    """Return whether a value can be the name or the version of an object in S3."""
    return isinstance(value, str) and 0 < len(value) <= 1024


def _fits(text: object, pattern: re.Pattern[str]) -> bool:
    return text is None or (isinstance(text, str) and pattern.fullmatch(text) is not None)


def _is_preference(preference: object) -> bool:
    """Return whether a value is a challenge, with versions or without."""
    if not isinstance(preference, dict) or preference.get("Type") not in _CHALLENGES:
        return False
    versions = preference.get("Versions") or {}
    if not isinstance(versions, dict):
        return False
    return all(_fits(version, _VERSION) for version in versions.values())


def read_results(call: NumberedCall, parameters: Mapping[str, Any]) -> Response:
    """Respond with a session's status and results, until AWS would delete the session."""
    claims = call.claims
    world = call.world
    session_id = parameters.get("SessionId")
    if not session_id or not _fits(session_id, _SESSION_ID):
        # ClientRequestToken has 1 to 64 letters, digits, hyphens and underscores; a challenge is
        # FaceMovementAndLightChallenge (the default) or FaceMovementChallenge, its versions have
        # three numbers; AuditImagesLimit is 0 to 4; a SessionId is a UUID. Any other value is an
        # invalid parameter. (AWS, API model rekognition 2016-06-27 in botocore 1.44.5)
        call.refuse("parameters.wrong")
    session = world.sessions.find(session_id)
    if session is None:
        call.refuse("session.unknown")
    session = expire_if_due(world, session)
    body: dict[str, Any] = {"SessionId": session.id, "Status": session.status}
    if call.now >= hosted_of(session).expires_at:
        claims.cite("session.lifetime_s")
        body["Status"] = claims["session.over"]
    elif session.status == SUCCEEDED:
        # OURS: The reference image is the picture shown to the camera, shrunk if it has too many
        # bytes; each audit image is the same picture.
        claims.cite("session.attack", "session.feedback")
        # OURS: The keys, which AWS generates, are PREFIX, the session's id, and /reference.jpg or
        # /audit-0.jpg. Calls find such a picture there without being told; nothing is stored in S3.
        # With OutputConfig, the reference image and audit images are stored in its S3Bucket, under
        # keys that begin with its S3KeyPrefix (at most 950 characters without white space), and the
        # results have S3Object in place of Bytes. (AWS, API model rekognition 2016-06-27 in
        # botocore 1.44.5)
        body |= {**session.result, **_show_pictures(world, session)}
    if body["Status"] not in (CREATED, EXPIRED):
        # OURS: A session allows one check, as the API model states. That a session in which the
        # person fails, leaves or shows no face is FAILED, with only Challenge and Metadata, is our
        # choice.
        # OURS: The version of a challenge is 1.0.0, and the SDK is the mock.
        body["Challenge"] = {"Type": hosted_of(session).workflow, "Version": "1.0.0"}
        body["Metadata"] = {"SDKType": "facematch-mock"}
    return call.answer("session.results", body)


def _show_pictures(world: World, session: Session) -> dict[str, Any]:
    """Return the reference and the audit images, as bytes or as places in S3.

    Once they are gone, return nothing.
    """
    content = world.pictures.find(session.pictures["reference_image"])
    if content is None:
        return {}
    metadata = session.metadata_or_empty
    output: Output | None = metadata["output"]
    if output is None:
        sent = {"Bytes": base64.b64encode(_fit_for_results(content)).decode()}
        pictures = [{**metadata["box"], **sent}] * (1 + metadata["audit_images"])
    else:
        pictures = []
        for key in _stored_keys(session, output):
            place = {"Bucket": output.bucket, "Name": key}
            pictures.append({**metadata["box"], "S3Object": place})
    reference, *audit_images = pictures
    return {"ReferenceImage": reference, "AuditImages": audit_images}


def _stored_keys(session: Session, output: Output) -> list[str]:
    """Return the keys of a session's pictures in S3: the reference image, then the audit images."""
    folder = f"{output.prefix}{session.id}"
    keys = [f"{folder}/reference.jpg"]
    for number in range(session.metadata_or_empty["audit_images"]):
        keys.append(f"{folder}/audit-{number}.jpg")
    return keys


def find_stored_picture(world: World, bucket: str, key: str) -> bytes | None:
    """Return the picture that a session has stored in S3; None if there is none."""
    match = _STORED_KEY.fullmatch(key)
    session = None if match is None else world.sessions.find(match["session_id"])
    if session is None or session.status != SUCCEEDED:
        return None
    output: Output | None = session.metadata_or_empty["output"]
    if output is None or output.bucket != bucket or key not in _stored_keys(session, output):
        return None
    content = world.pictures.find(session.pictures["reference_image"])
    return None if content is None else _fit_for_results(content)


def _fit_for_results(content: bytes) -> bytes:
    """Return a picture, as a smaller JPEG if it is too large or not a JPEG or PNG."""
    is_usual = Image.from_bytes(content).format in (ImageFormat.JPEG, ImageFormat.PNG)
    return content if is_usual and len(content) <= _MAX_BYTES else _shrink(content)


def _shrink(content: bytes) -> bytes:
    """Return a picture as a small JPEG."""
    import PIL.Image  # imported here, because few pictures need it

    with PIL.Image.open(io.BytesIO(content)) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_SMALL_SIDE, _SMALL_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=70)
    return buffer.getvalue()

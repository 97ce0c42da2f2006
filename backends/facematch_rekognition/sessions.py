"""Hosted sessions with Face Liveness: build request bodies and parse responses.

Sources: AWS's API model of Rekognition (2016-06-27, in botocore 1.44.5) and the Developer Guide
(Programming the Amazon Rekognition Face Liveness APIs), read 2026-11-23. "Ours" marks a choice of
this project. This code has never been run against AWS.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
from collections.abc import Iterable

import attrs

from facematch_core import (
    Image,
    InvalidImage,
    InvalidRequest,
    LivenessDecision,
    LivenessResult,
    Operation,
    ResultWarning,
    Score,
    SessionRecord,
    SessionState,
    Threshold,
    WarningCode,
)
from facematch_core.backend import (
    ReadRequest,
    SessionAccess,
    SessionCapabilities,
    SessionCheck,
    SessionReading,
    StartRequest,
    nonempty_text,
    number,
    read_or_none,
)
from facematch_core.http import Json
from facematch_core.models import ScaleSource, Severity, ThresholdRule

#: How long after its start AWS stores a session and its results.
_LIFETIME = dt.timedelta(minutes=3)
_STATES = {
    "CREATED": SessionState.PENDING,
    "IN_PROGRESS": SessionState.PENDING,
    # SUCCEEDED means that the check ran; the threshold decides whether the person is live.
    "SUCCEEDED": SessionState.DECIDED,
    "FAILED": SessionState.FAILED,
    "EXPIRED": SessionState.EXPIRED,
}
#: Warning codes by AWS's feedback code about the video. All other codes map to OTHER.
_FEEDBACK = {
    "FACE_NOT_VISIBLE": WarningCode.NO_FACE,
    "FACE_OBSTRUCTION_DETECTED": WarningCode.LOW_QUALITY,
    "LOW_VIDEO_QUALITY_DETECTED": WarningCode.LOW_QUALITY,
    "LOW_LIGHTING_DETECTED": WarningCode.TOO_DARK,
    "HIGH_LIGHTING_DETECTED": WarningCode.TOO_BRIGHT,
}
#: Response fields to copy into `raw`: no pictures, and no S3 locations of pictures.
_RAW_FIELDS = ("SessionId", "Status", "Confidence", "Challenge", "Feedback", "Metadata")
#: Nested fields to copy from the fields above.
_RAW_SUBFIELDS = ("Type", "Version", "Code", "Message", "SDKType")
_NO_PORTRAIT = ResultWarning(
    code=WarningCode.OTHER,
    tag="no_reference_image",
    text="AWS returned no reference image for this check. AWS recommends a new check.",
)
_OTHER_CHALLENGE = ResultWarning(
    code=WarningCode.OTHER,
    severity=Severity.ERROR,
    tag="other_challenge",
    text="The person completed a challenge that was not requested at the start.",
)


class Challenge(enum.StrEnum):
    """A liveness challenge: the person's task in front of the camera."""

    #: The person moves the face while the screen flashes colored light.
    FACE_MOVEMENT_AND_LIGHT = "FaceMovementAndLightChallenge"
    FACE_MOVEMENT = "FaceMovementChallenge"


def _as_challenges(names: Iterable[str]) -> tuple[Challenge, ...]:
    return tuple(map(Challenge, (names,) if isinstance(names, str) else names))


@attrs.frozen(kw_only=True)
class FaceLivenessOptions:
    """Options for starting a session.

    Attributes:
        challenges: The accepted challenges, in order of preference. The default is AWS's:
            `Challenge.FACE_MOVEMENT_AND_LIGHT`. The browser component reports the challenges that
            it supports. If the person completes one outside this list, the result is `REVIEW`.
    """

    challenges: tuple[Challenge, ...] = attrs.field(
        default=(Challenge.FACE_MOVEMENT_AND_LIGHT,),
        converter=_as_challenges,
        validator=attrs.validators.min_len(1),
    )


CAPABILITIES = SessionCapabilities(
    checks=frozenset({Operation.LIVENESS}),
    start_is_repeatable=True,
    gives_portrait=True,
    result_lasts_s=_LIFETIME.total_seconds(),
    longest_valid_s=_LIFETIME.total_seconds(),
    needs_liveness_threshold=True,
    options=FaceLivenessOptions,
)


def build_start(request: StartRequest) -> dict[str, Json]:
    """Return the body of CreateFaceLivenessSession. ``ClientRequestToken`` makes it idempotent."""
    preferences = [{"Type": str(challenge)} for challenge in _list_challenges(request)]
    settings = {"AuditImagesLimit": 0, "ChallengePreferences": preferences}
    return {"ClientRequestToken": request.record.id, "Settings": settings}


def read_start(body: Json, request: StartRequest, region: str) -> SessionReading:
    session_id = _read_text(body, "SessionId")
    page = {"session_id": session_id, "region": region}
    return SessionReading(
        session_id=session_id,
        state=SessionState.PENDING,
        access=SessionAccess(page=page, expires_at=_find_end(request.record)),
        vendor={"challenges": " ".join(_list_challenges(request))},
    )


def build_read(request: ReadRequest, region: str) -> dict[str, Json]:
    """Return the body of GetFaceLivenessSessionResults; `InvalidRequest` for another region."""
    started_in = request.record.facts.get("region", region)
    if started_in != region:
        raise InvalidRequest(
            f"The session was started in region {started_in:.40}, but this backend uses {region}: "
            f"set `region` to {started_in:.40}."
        )
    return {"SessionId": request.record.session_id}


def read_results(body: Json, request: ReadRequest, *, backend: str, region: str) -> SessionReading:
    """Parse a session's results. Any exception means that the response is invalid."""
    record = request.record
    status = _read_text(body, "Status")
    session_id = _read_text(body, "SessionId")
    challenge = body.get("Challenge")
    method = None if challenge is None else _read_text(challenge, "Type")
    state = _STATES.get(status, SessionState.UNKNOWN)
    ends_at = _find_end(record)
    if state is SessionState.EXPIRED and ends_at and request.clock.now() >= ends_at:
        # By now AWS has deleted all results, so EXPIRED does not mean that the person failed.
        state = SessionState.GONE
    checks: tuple[SessionCheck, ...] = ()
    warnings: tuple[ResultWarning, ...] = ()
    if status == "SUCCEEDED":
        portrait = None
        if request.with_portrait:
            portrait = _read_portrait(body)
            warnings = () if portrait else (_NO_PORTRAIT,)
        result = _read_check(body, record, method, backend)
        checks = (SessionCheck(result=result, portrait=portrait),)
    # If another program started the session, it may have requested any challenge.
    requested_challenges = record.vendor.get("challenges", " ".join(Challenge)).split()
    is_other_challenge = method is not None and method not in requested_challenges
    # A session has one check, which can be started only once.
    can_begin = status == "CREATED"
    return SessionReading(
        session_id=session_id,
        state=state,
        vendor_status=status,
        checks=checks,
        has_begun=status == "IN_PROGRESS",
        review_reasons=(_OTHER_CHALLENGE,) if is_other_challenge else (),
        access=SessionAccess(
            page={"session_id": session_id, "region": region} if can_begin else {},
            expires_at=ends_at,
        ),
        warnings=warnings,
        raw={name: _drop_private(body[name]) for name in _RAW_FIELDS if name in body},
    )


def _drop_private(value: Json) -> Json:
    if isinstance(value, list):
        return [_drop_private(item) for item in value]
    if isinstance(value, dict):
        return {name: value[name] for name in _RAW_SUBFIELDS if name in value}
    return value


def _read_check(
    body: Json, record: SessionRecord, method: str | None, backend: str
) -> LivenessResult:
    """Return the liveness result. AWS returns no verdict: the record's threshold decides."""
    threshold = None
    if record.liveness_threshold is not None:
        threshold = Threshold(record.liveness_threshold, ThresholdRule.AT_LEAST)
    decision = LivenessDecision.INCONCLUSIVE
    score = None
    warnings = tuple(map(_read_feedback, body.get("Feedback") or ()))
    confidence = body.get("Confidence")
    if confidence is not None:
        score = Score(
            number(confidence),
            f"{backend}/face-liveness",
            raw_name="Confidence",
            source=ScaleSource.DOCUMENTED,
        )
        decision = LivenessDecision.REVIEW
        if threshold is not None:
            decision = LivenessDecision.NOT_LIVE
            if threshold.passes(score.value):
                decision = LivenessDecision.LIVE
            elif any(warning.code is WarningCode.NO_FACE for warning in warnings):
                # AWS: the feedback "contributed to the returned Confidence score".
                decision = LivenessDecision.INCONCLUSIVE
    return LivenessResult(
        decision=decision,
        score=score,
        threshold=threshold,
        warnings=warnings,
        vendor_status="SUCCEEDED",
        method=method,
        backend=backend,
    )


def _read_feedback(row: Json) -> ResultWarning:
    code = _read_text(row, "Code")
    warning_code = _FEEDBACK.get(code, WarningCode.OTHER)
    text = read_or_none(nonempty_text, row.get("Message"), "Feedback", "Message")
    return ResultWarning(code=warning_code, tag=code, text=text)


def _read_portrait(body: Json) -> Image | None:
    """Return the reference image of the response; None if missing, invalid or in S3."""
    try:
        return Image.from_bytes(base64.b64decode(body["ReferenceImage"]["Bytes"], validate=True))
    except (KeyError, TypeError, ValueError, InvalidImage):
        return None


def _read_text(body: Json, name: str) -> str:
    text = body[name]
    if not isinstance(text, str) or not text:
        raise TypeError(f"{name} is not a non-empty string")
    return text


def _list_challenges(request: StartRequest) -> tuple[Challenge, ...]:
    options: FaceLivenessOptions = request.options or FaceLivenessOptions()
    return options.challenges


def _find_end(record: SessionRecord) -> dt.datetime | None:
    """Return the time at which AWS deletes the session, 3 minutes after its start, if known."""
    return None if record.started_at is None else record.started_at + _LIFETIME

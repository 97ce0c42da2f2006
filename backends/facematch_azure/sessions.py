"""Hosted sessions of Azure AI Face: what a start sends, and what a reading means.

Facts are from Microsoft's examples of v1.2 (Azure/azure-rest-api-specs), from the types of its client
@azure-rest/ai-vision-face 1.0.0-beta.3, and from *Azure AI Face API error codes* (2025-08-21); all
read 2026-11-23. What is ours says so.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal as Exact
from typing import Any

import attrs

from facematch_core import (
    Decision,
    InvalidRequest,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    ResultWarning,
    Score,
    Threshold,
    ThresholdRule,
    WarningCode,
)
from facematch_core.backend import SCORE_UNAVAILABLE, Secret, StartRequest, number
from facematch_core.http import HttpRequest, picture
from facematch_core.session_types import (
    ComparedWith,
    SessionCheck,
    SessionReading,
    SessionRecord,
    SessionState,
    StartedSession,
)

#: The two kinds of session, as `SessionRecord.vendor` has them, with their paths.
LIVENESS, WITH_VERIFY = "liveness", "liveness_with_verify"
_PATHS = {LIVENESS: "detectLiveness-sessions", WITH_VERIFY: "detectLivenessWithVerify-sessions"}
#: Seconds from its start for which a session lives, unless it is deleted.
LASTS_S = 48 * 3600.0
#: The least and the most seconds that a token may live.
_TOKEN_S = (60, 86400)
#: Ours: Microsoft does not name the model that compares in a session.
SCALE = "azure/liveness_with_verify"
#: Where a match begins if a record names no threshold: as for pictures.
DEFAULT_THRESHOLD = 50.0
_MODES = ("Passive", "PassiveActive")


def _check_mode(_: object, __: object, mode: object) -> None:
    if mode not in _MODES:
        raise InvalidRequest(f"operation_mode must be {' or '.join(_MODES)}, not {mode!r:.40}.")


@attrs.frozen(kw_only=True)
class AzureSessionOptions:
    """What a start can ask of Azure besides.

    Attributes:
        operation_mode: ``Passive``, without movements of the person, or ``PassiveActive``, which
            asks for them in bad light, and which Microsoft recommends for browsers.
        model_version: That of the liveness check, ``2024-11-15`` say; None for the latest.
        enable_session_image: Whether Microsoft keeps a picture of the person with the session, for
            ``read(record, with_portrait=True)``. Otherwise there is no portrait.

    Raises:
        InvalidRequest: a mode that there is not.
    """

    operation_mode: str = attrs.field(default="Passive", validator=_check_mode)
    model_version: str | None = None
    enable_session_image: bool = False


def kind_of(record: SessionRecord) -> str:
    """Which of the two kinds a session is: as its start said, else by what it is to report."""
    kind = record.vendor.get("kind")
    if kind is None:
        is_compared = record.with_reference or Operation.MATCH in record.checks
        return WITH_VERIFY if is_compared else LIVENESS
    if kind not in _PATHS:
        raise InvalidRequest(f"Azure has no session of the kind {kind!r:.40}: the record is odd.")
    return kind


def path_of(kind: str, session_id: str | None = None) -> str:
    """The path of a kind of session, or of one of them."""
    return _PATHS[kind] if session_id is None else f"{_PATHS[kind]}/{check_id(session_id)}"


def check_id(vendor_id: object) -> str:
    """An id of Microsoft's that may stand in a path; InvalidRequest for any other text."""
    if not isinstance(vendor_id, str) or not re.fullmatch(r"[\w-]{1,200}", vendor_id, re.ASCII):
        raise InvalidRequest("This is no id of a session at Azure: letters, digits, - and _ alone.")
    return vendor_id


def _token_life_s(record: SessionRecord) -> int:
    least, most = _TOKEN_S
    return min(max(math.ceil(record.valid_for_s), least), most)


def _fraction_of(threshold: float) -> float:
    """0-100 as 0-1, exact in its digits."""
    return float(Exact(str(threshold)).scaleb(-2))


def _threshold_of(record: SessionRecord) -> float:
    return DEFAULT_THRESHOLD if record.threshold is None else record.threshold


def build_start(
    url: str, headers: Mapping[str, str | Secret], request: StartRequest
) -> HttpRequest:
    """The request of a start. Each has a device id of its own: a second one is another session."""
    options, record = request.options or AzureSessionOptions(), request.record
    fields: dict[str, Any] = {
        "livenessOperationMode": options.operation_mode,
        # Microsoft counts tries by it; one that we did not make up would tell whose device it is.
        "deviceCorrelationId": str(uuid.uuid4()),
        "authTokenTimeToLiveInSeconds": _token_life_s(record),
        "enableSessionImage": options.enable_session_image,
    }
    if options.model_version is not None:
        fields["livenessModelVersion"] = options.model_version
    if request.reference is None:
        return HttpRequest(url=f"{url}/{path_of(LIVENESS)}", headers=headers, json=fields)
    fields["verifyConfidenceThreshold"] = _fraction_of(_threshold_of(record))
    texts = {name: x if isinstance(x, str) else json.dumps(x) for name, x in fields.items()}
    files = (picture("verifyImage", request.reference),)
    return HttpRequest(
        url=f"{url}/{path_of(WITH_VERIFY)}", headers=headers, fields=texts, files=files
    )


def read_start(
    body: Any, request: StartRequest, page: Mapping[str, str], sent_at: dt.datetime
) -> StartedSession:
    """The session that an answer has; any exception: it is unreadable."""
    return StartedSession(
        session_id=check_id(body["sessionId"]),
        token=_read_token(body),
        page=page,
        # No answer says when; it lives as long as was asked for.
        expires_at=sent_at + dt.timedelta(seconds=_token_life_s(request.record)),
        vendor={"kind": LIVENESS if request.reference is None else WITH_VERIFY},
    )


def _read_token(body: Any) -> Secret:
    token = body["authToken"]
    if not isinstance(token, str) or not token:
        raise TypeError("a session without its token")
    return Secret(token)


_STATES = {
    "NotStarted": SessionState.PENDING,
    "Running": SessionState.PENDING,
    "Succeeded": SessionState.DECIDED,
    "Failed": SessionState.FAILED,
    "Canceled": SessionState.CANCELED,
}
#: In lower case: Microsoft's own examples write realface and realFace.
_DECISIONS = {
    "realface": LivenessDecision.LIVE,
    "spoofface": LivenessDecision.NOT_LIVE,
    "uncertain": LivenessDecision.INCONCLUSIVE,
}
#: By the code of an attempt's error, as Microsoft's SDKs name reasons; an example has only that of
#: the mask. What is not here is OTHER.
_WARNINGS = {
    "FaceWithMaskDetected": WarningCode.LOW_QUALITY,
    "FaceMouthRegionNotVisible": WarningCode.LOW_QUALITY,
    "FaceEyeRegionNotVisible": WarningCode.LOW_QUALITY,
    "ExcessiveImageBlurDetected": WarningCode.LOW_QUALITY,
    "ExcessiveFaceBrightness": WarningCode.TOO_BRIGHT,
}


def read_session(
    body: Any, record: SessionRecord, page: Mapping[str, str], now: dt.datetime
) -> SessionReading:
    """A session by its attempts: that with the highest id decides all. Any exception: unreadable.

    The session's own word says nothing of a verdict: in Microsoft's example it is NotStarted beside
    an attempt that has a result.
    """
    results, word = body["results"], _text(body["status"])
    attempts: Sequence[Any] = results["attempts"]
    ids = [number(attempt["attemptId"]) for attempt in attempts]
    if len(set(ids)) < len(ids):
        raise ValueError("two attempts of one id")
    latest = max(attempts, key=lambda attempt: attempt["attemptId"], default=None)
    kind = WITH_VERIFY if "verifyReferences" in results else LIVENESS
    ends_at = record.expires_at
    if ends_at is None and record.started_at is not None:
        ends_at = record.started_at + dt.timedelta(seconds=_TOKEN_S[1])
    is_token_alive = ends_at is None or now < ends_at
    state = _STATES.get(word, SessionState.UNKNOWN)
    checks: tuple[SessionCheck, ...] = ()
    if latest is not None:
        # While its token lives, another attempt may follow one that failed.
        may_go_on = is_token_alive and state is SessionState.PENDING
        state = _STATES.get(_text(latest["attemptStatus"]), SessionState.UNKNOWN)
        if may_go_on and state in (SessionState.FAILED, SessionState.CANCELED):
            state = SessionState.PENDING
        verdict = latest.get("result") if state is SessionState.DECIDED else None
        checks = _read_checks(latest, verdict, kind, record, model=body.get("modelVersion"))
    if state is SessionState.DECIDED and (latest is None or latest.get("result") is None):
        state = SessionState.UNKNOWN
    return SessionReading(
        session_id=_text(body["sessionId"]),
        state=state,
        vendor_status=word,
        checks=checks,
        compared_with=ComparedWith.GIVEN if kind == WITH_VERIFY else ComparedWith.UNKNOWN,
        vendor={"kind": kind},
        token=_read_token(body) if is_token_alive else None,
        page=page,
        expires_at=record.expires_at,
        attempts=len(attempts),
        raw=_pick(body, _SHOWN),
    )


def find_image_id(body: Any) -> str | None:
    """The id of the picture of the attempt that decides; None if Microsoft keeps none."""
    latest = max(body["results"]["attempts"], key=lambda attempt: attempt["attemptId"])
    image_id = latest["result"].get("sessionImageId")
    return None if image_id is None else check_id(image_id)


def _read_checks(
    attempt: Any, verdict: Any, kind: str, record: SessionRecord, *, model: Any
) -> tuple[SessionCheck, ...]:
    """The items of one attempt; without a verdict they are INCONCLUSIVE, and its error says why."""
    error, warnings = attempt.get("error"), ()
    if error is not None:
        verdict, code = None, _text(error["code"])
        known = _WARNINGS.get(code, WarningCode.OTHER)
        warnings = (ResultWarning(code=known, tag=code, text=_text(error["message"])),)
    word = None if verdict is None else verdict.get("livenessDecision")
    decision = LivenessDecision.INCONCLUSIVE
    if word is not None:
        decision = _DECISIONS.get(_text(word).lower(), LivenessDecision.REVIEW)
    liveness = LivenessResult(
        decision=decision, warnings=warnings, backend="azure", model=model, vendor_status=word
    )
    if kind == LIVENESS:
        return (SessionCheck(result=liveness),)
    compared = None if verdict is None else verdict.get("verifyResult")
    if verdict is not None and compared is None:
        warnings = (SCORE_UNAVAILABLE,)
    match = _read_match(compared, _threshold_of(record), warnings)
    return SessionCheck(result=liveness), SessionCheck(result=match)


def _read_match(
    compared: Any, threshold: float, warnings: tuple[ResultWarning, ...]
) -> MatchResult:
    decision, score, word = Decision.INCONCLUSIVE, None, None
    if compared is not None:
        identical = compared["isIdentical"]
        if not isinstance(identical, bool):
            raise TypeError("a verdict that is neither true nor false")
        score = Score.from_fraction(compared["matchConfidence"], SCALE, raw_name="matchConfidence")
        decision = Decision.MATCH if identical else Decision.NO_MATCH
        # Which of the two is wrong, nobody knows.
        if identical is not (score.value >= threshold):
            decision = Decision.REVIEW
        word = f"isIdentical: {str(identical).lower()}"
    return MatchResult(
        decision=decision,
        score=score,
        threshold=Threshold(threshold, ThresholdRule.AT_LEAST),
        warnings=warnings,
        backend="azure",
        vendor_status=word,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


#: What of an answer may be shown: not its token, digests, and places of a face.
_SHOWN: Mapping[str, Any] = {
    **dict.fromkeys(("sessionId", "status", "modelVersion")),
    "results": {
        "attempts": {
            **dict.fromkeys(("attemptId", "attemptStatus")),
            "result": {
                "livenessDecision": None,
                "verifyResult": dict.fromkeys(("matchConfidence", "isIdentical")),
            },
            "error": dict.fromkeys(("code", "message")),
        },
        "verifyReferences": dict.fromkeys(("referenceType", "qualityForRecognition")),
    },
}


def _pick(value: Any, shown: Mapping[str, Any] | None) -> Any:
    if shown is None:
        return None if isinstance(value, (dict, list)) else value
    if isinstance(value, list):
        return [_pick(item, shown) for item in value]
    if not isinstance(value, dict):
        return None
    return {name: _pick(value[name], inner) for name, inner in shown.items() if name in value}

"""Hosted sessions of Azure AI Face v1.2: build requests and parse responses.

Sources: Microsoft's examples (Azure/azure-rest-api-specs, Face v1.2), the types of Microsoft's
client @azure-rest/ai-vision-face 1.0.0-beta.3, and *Azure AI Face API error codes* (2025-08-21);
all read 2026-11-23. "Ours" marks a choice of this project.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
import uuid
from decimal import Decimal as Exact

import attrs

import facematch_core as fm
from facematch_core import backend, http, models
from facematch_core.backend.session_types import Deletion, DeletionState

#: How long Azure stores a session, in seconds, unless it is deleted earlier.
LASTS_S = 48 * 3600.0
#: The shortest and the longest token lifetime in seconds.
_SHORTEST_S = 60
LONGEST_S = 86400
#: Path prefixes of the two kinds of session: liveness only, and liveness with a comparison.
_LIVENESS = "detectLiveness"
_WITH_VERIFY = "detectLivenessWithVerify"
#: Ours: Microsoft does not name the model that compares faces in a session.
SCALE = "azure/liveness_with_verify"


class OperationMode(enum.StrEnum):
    """The method of the liveness check."""

    PASSIVE = "Passive"
    #: Passive, with active movements in bad light. Microsoft recommends this mode for browsers.
    PASSIVE_ACTIVE = "PassiveActive"


@attrs.frozen(kw_only=True)
class AzureSessionOptions:
    """Options for starting a session.

    Attributes:
        operation_mode: The method of the liveness check.
        model_version: The version of the liveness model, such as ``2024-11-15``; None for the
            latest.
        enable_session_image: Whether Microsoft stores a picture of the person in the session.
            Required for a portrait from ``read(record, with_portrait=True)``.

    Raises:
        ValueError: `operation_mode` is unknown.
    """

    operation_mode: OperationMode = attrs.field(
        default=OperationMode.PASSIVE, converter=OperationMode
    )
    model_version: str | None = None
    enable_session_image: bool = False


_STATES = {
    "NotStarted": fm.SessionState.PENDING,
    "Running": fm.SessionState.PENDING,
    "Succeeded": fm.SessionState.DECIDED,
    "Failed": fm.SessionState.FAILED,
    "Canceled": fm.SessionState.CANCELED,
}
#: Keys are lower case, because Microsoft's examples contain both realface and realFace.
_DECISIONS = {
    "realface": fm.LivenessDecision.LIVE,
    "spoofface": fm.LivenessDecision.NOT_LIVE,
    "uncertain": fm.LivenessDecision.INCONCLUSIVE,
}


class SessionBackend(http.ApiKeyBackend):
    """The base class of `AzureBackend` with the methods for hosted sessions."""

    @property
    def url(self) -> str:
        """The base URL of every request."""
        return f"{self.service_url}/face/v1.2"

    @property
    def session_page(self) -> dict[str, str]:
        """The endpoint for Microsoft's component."""
        return {"endpoint": self.service_url}

    def key_and_call_id_headers(self, request: backend.Request) -> dict[str, str | backend.Secret]:
        """Return the headers: the API key, and a call id to quote to Microsoft's support."""
        return {"Ocp-Apim-Subscription-Key": self.api_key, "client-request-id": request.call_id}

    def start_steps(self, request: backend.StartRequest) -> http.SessionSteps:
        """Start a session; its token lasts as long as the record asks, within Azure's bounds.

        The expiry is counted from the request, because Azure's response does not contain it.
        """
        life_s = min(max(math.ceil(request.record.valid_for_s), _SHORTEST_S), LONGEST_S)
        sent_at = request.clock.now()
        reply = yield self._start_request(request, life_s)
        answer = reply.json()
        return backend.SessionReading(
            session_id=_check_id(answer["sessionId"]),
            state=fm.SessionState.PENDING,
            access=backend.SessionAccess(
                token=backend.Secret(_text(answer["authToken"])),
                page=self.session_page,
                # Azure's responses do not contain the expiry.
                expires_at=sent_at + dt.timedelta(seconds=life_s),
            ),
        )

    def _start_request(self, request: backend.StartRequest, life_s: int) -> http.HttpRequest:
        """Return the request that starts a session: JSON, or a form with the reference."""
        options = request.options or AzureSessionOptions()
        url = f"{self.url}/{_kind_of(request.record)}-sessions"
        headers = self.key_and_call_id_headers(request)
        fields: dict[str, http.Json] = {
            "livenessOperationMode": options.operation_mode.value,
            # Microsoft counts attempts per id. A random id does not identify the device.
            "deviceCorrelationId": str(uuid.uuid4()),
            "authTokenTimeToLiveInSeconds": life_s,
            "enableSessionImage": options.enable_session_image,
        }
        if options.model_version is not None:
            fields["livenessModelVersion"] = options.model_version
        if request.reference is None:
            return http.HttpRequest(url=url, headers=headers, json=fields)
        threshold = Exact(str(self._threshold_or_default_of(request.record).value))
        fields["verifyConfidenceThreshold"] = float(threshold.scaleb(-2))
        texts = {}
        for name, value in fields.items():
            texts[name] = value if isinstance(value, str) else json.dumps(value)
        picture = http.file_part("verifyImage", request.reference)
        return http.HttpRequest(url=url, headers=headers, fields=texts, files=(picture,))

    def read_steps(self, request: backend.ReadRequest) -> http.SessionSteps:
        """Read a session, and if asked its picture.

        A picture that is missing leaves the verdict valid.
        """
        record = request.record
        headers = self.key_and_call_id_headers(request)
        reply = yield http.HttpRequest(
            method="GET", url=self._url_of(record), headers=headers, charges=0
        )
        reading, image_id = self._read(reply.json(), record, request.clock.now())
        if not request.with_portrait or image_id is None:
            return reading
        try:
            reply = yield http.HttpRequest(
                method="GET",
                url=f"{self.url}/sessionImages/{image_id}",
                headers=headers,
                charges=0,
                on_refusal="raise",
            )
        except fm.RequestRejected:
            return reading  # The picture is missing, but the verdict is valid.
        liveness, *others = reading.checks
        liveness = attrs.evolve(liveness, portrait=backend.Image.from_bytes(reply.body))
        return attrs.evolve(reading, checks=(liveness, *others))

    def delete_steps(self, request: backend.DeleteRequest) -> http.DeleteSteps:
        """Delete a session with all that Azure keeps of it."""
        yield http.HttpRequest(
            method="DELETE",
            url=self._url_of(request.record),
            headers=self.key_and_call_id_headers(request),
            # The reference documents 200; Microsoft's client accepts only 204.
            expects={200, 204},
        )
        # Microsoft's reference: "Successfully deleted session and all correlated data."
        return Deletion(state=DeletionState.DONE, face_kept=False)

    def _url_of(self, record: fm.SessionRecord) -> str:
        return f"{self.url}/{_kind_of(record)}-sessions/{_check_id(record.session_id)}"

    def _threshold_or_default_of(self, record: fm.SessionRecord) -> fm.Threshold:
        value = record.threshold
        if value is None:
            value = self.capabilities.default_threshold
        return fm.Threshold(value, models.ThresholdRule.AT_LEAST)

    def _read(
        self, answer: http.Json, record: fm.SessionRecord, now: dt.datetime
    ) -> tuple[backend.SessionReading, str | None]:
        """Return a parsed session and, if the person is live, the id of the picture.

        The attempt with the highest id determines the result. The session's status is used only
        before the first attempt, because Microsoft's example has NotStarted with a result.
        """
        vendor_status = _text(answer["status"])
        state = _STATES.get(vendor_status, fm.SessionState.UNKNOWN)
        is_token_alive = record.expires_at is None or now < record.expires_at
        latest = _find_latest(answer["results"]["attempts"])
        verdict = None
        checks: tuple[backend.SessionCheck, ...] = ()
        if latest is not None:
            may_go_on = state is fm.SessionState.PENDING
            error = latest.get("error")
            state = _STATES.get(_text(latest["attemptStatus"]), fm.SessionState.UNKNOWN)
            if state is fm.SessionState.DECIDED and error is None:
                verdict = latest.get("result")
            checks = _read_checks(error, verdict, self._threshold_or_default_of(record))
            # Another attempt may follow until the token expires.
            if may_go_on and is_token_alive and state is fm.SessionState.FAILED:
                state = fm.SessionState.PENDING
        if state is fm.SessionState.DECIDED and verdict is None:
            state = fm.SessionState.UNKNOWN
        image_id = None
        is_live = any(check.result.decision == fm.LivenessDecision.LIVE for check in checks)
        if is_live and verdict is not None:
            path = ("results", "attempts", "result", "sessionImageId")
            image_id = backend.read_or_none(_check_id, verdict.get("sessionImageId"), *path)
        compared_with = fm.ComparedWith.GIVEN
        if _kind_of(record) != _WITH_VERIFY:
            checks = checks[:1]
            compared_with = fm.ComparedWith.UNKNOWN
        reading = backend.SessionReading(
            session_id=_text(answer["sessionId"]),
            state=state,
            vendor_status=vendor_status,
            checks=checks,
            compared_with=compared_with,
            # Without a token: it is empty in all six reads that Microsoft's clients have recorded.
            access=backend.SessionAccess(expires_at=record.expires_at),
            has_begun=vendor_status == "Running" or latest is not None,
            raw=_drop_private(answer),
        )
        return reading, image_id


def _find_latest(attempts: http.Json) -> http.Json:
    """Return the attempt with the highest id; None if there are no attempts."""
    by_id = {backend.number(attempt["attemptId"]): attempt for attempt in attempts}
    if len(by_id) < len(attempts):
        raise ValueError("two attempts with the same id")
    return by_id[max(by_id)] if by_id else None


def _kind_of(record: fm.SessionRecord) -> str:
    """Return the path prefix of a session's kind."""
    return _LIVENESS if record.compared_with is None else _WITH_VERIFY


def _check_id(vendor_id: object) -> str:
    if not isinstance(vendor_id, str) or not re.fullmatch(r"[\w-]+", vendor_id, re.ASCII):
        raise fm.InvalidRequest("Invalid Azure id: use letters, digits, - and _ only.")
    return vendor_id


def _text(value: http.Json) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _read_checks(
    error: http.Json, verdict: http.Json, threshold: fm.Threshold
) -> tuple[backend.SessionCheck, backend.SessionCheck]:
    """Return an attempt's liveness check and comparison, INCONCLUSIVE without a verdict."""
    warnings: tuple[fm.ResultWarning, ...] = ()
    if error is not None:
        warning = fm.ResultWarning(
            code=fm.WarningCode.OTHER,
            tag=backend.read_or_none(_text, error.get("code"), "error", "code"),
            text=backend.read_or_none(_text, error.get("message"), "error", "message"),
            advice=models.Advice.RETAKE_PHOTO,
        )
        warnings = (warning,)
    verdict = {} if verdict is None else verdict
    liveness_word = verdict.get("livenessDecision")
    decision = fm.LivenessDecision.INCONCLUSIVE
    if liveness_word is not None:
        decision = _DECISIONS.get(_text(liveness_word).lower(), fm.LivenessDecision.REVIEW)
    liveness = fm.LivenessResult(
        decision=decision, vendor_status=liveness_word, warnings=warnings, backend="azure"
    )
    match = _read_match(verdict.get("verifyResult"), threshold)
    return (
        backend.SessionCheck(result=liveness),
        backend.SessionCheck(result=attrs.evolve(match, warnings=warnings)),
    )


def _read_match(compared: http.Json, threshold: fm.Threshold) -> fm.MatchResult:
    """Return the comparison in a verdict; INCONCLUSIVE if it has none."""
    if compared is None:
        return fm.MatchResult(
            decision=fm.Decision.INCONCLUSIVE, threshold=threshold, backend="azure"
        )
    is_identical = compared["isIdentical"]
    if not isinstance(is_identical, bool):
        raise TypeError("isIdentical is not a boolean")
    score = fm.Score.from_fraction(compared["matchConfidence"], SCALE, raw_name="matchConfidence")
    decision = fm.Decision.MATCH if is_identical else fm.Decision.NO_MATCH
    # If the verdict and the confidence contradict each other, one of them is wrong.
    if is_identical is not threshold.passes(score.value):
        decision = fm.Decision.REVIEW
    return fm.MatchResult(
        decision=decision,
        score=score,
        threshold=threshold,
        vendor_status=f"isIdentical: {str(is_identical).lower()}",
        backend="azure",
    )


#: Response fields that are copied to `raw`. Tokens, digests, hashes and face positions are dropped.
_RAW_FIELDS = frozenset({
    "sessionId", "status", "modelVersion", "results", "attempts", "attemptId", "attemptStatus",
    "result", "livenessDecision", "verifyResult", "matchConfidence", "isIdentical", "error",
    "code", "message", "verifyReferences", "referenceType", "qualityForRecognition",
})  # fmt: skip


def _drop_private(value: http.Json) -> http.Json:
    if isinstance(value, list):
        return [_drop_private(item) for item in value]
    if isinstance(value, dict):
        return {name: _drop_private(item) for name, item in value.items() if name in _RAW_FIELDS}
    return value

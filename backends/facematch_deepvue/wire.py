"""Parse Deepvue's responses: results, errors, tokens and the balance. All functions are pure.

All pages were read on 2026-11-20. Face match: Deepvue docs, Face Match v1,
/reference/forensics/face/face-match (the only complete page), and Face Match v2,
/reference/forensics/face/face-match-v2. Liveness: /reference/forensics/face/face-liveness-check.
All calls: /response-format and /errors. Undocumented facts are settings, or assumptions marked as
"ours".
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import attrs

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Environment,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Score,
    Threshold,
    WarningCode,
    errors,
    http,
)
from facematch_core.backend import (
    SCORE_UNAVAILABLE,
    LivenessRequest,
    MatchRequest,
    PictureRequest,
    RateWindow,
    boolean,
    json_object,
    number,
    read_at,
    read_or_none,
    read_strict,
)
from facematch_core.http import BodyShape, HttpReply, Json
from facematch_core.models import Ids, ScaleSource, Severity, ThresholdRule, ThresholdSource

NAME = "deepvue"


class ApiVersion(enum.StrEnum):
    """A face match version. v1 is documented, v2 only in part. Deepvue describes v2 as better."""

    V1 = "v1"
    V2 = "v2"


class Scale(enum.StrEnum):
    """The undocumented scale of a number: 0-100, 0-1, or unknown (no score)."""

    PERCENT = "percent"
    FRACTION = "fraction"
    UNKNOWN = "unknown"


class Meaning(enum.StrEnum):
    """The meaning of `confidence`. It matters only if Deepvue's verdict is "no match"."""

    #: The similarity of the faces, independent of the verdict.
    SIMILARITY = "similarity"
    #: The confidence in the verdict: 97 with "no match" means that the faces very likely differ.
    DECISION = "decision"
    #: Unknown. Treated as DECISION, which is safe: a "no match" gets no score.
    UNKNOWN = "unknown"


class ImageForm(enum.StrEnum):
    """The encoding of a liveness picture in JSON. Deepvue documents only "string"."""

    BASE64 = "base64"
    DATA_URI = "data_uri"


class Plan(enum.StrEnum):
    """A Deepvue plan (Deepvue docs, /rate-limits)."""

    STARTER = "starter"
    BUSINESS = "business"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"


def _rates(*, per_second: int, per_minute: int, per_day: int) -> tuple[RateWindow, ...]:
    return (
        RateWindow(per_second, 1.0),
        RateWindow(per_minute, 60.0),
        RateWindow(per_day, 86_400.0),
    )


#: Rate limits per key, by plan (Deepvue docs, /rate-limits). All three windows apply.
RATES: Mapping[Plan, tuple[RateWindow, ...]] = MappingProxyType(
    {
        Plan.STARTER: _rates(per_second=1, per_minute=30, per_day=1_000),
        Plan.BUSINESS: _rates(per_second=2, per_minute=100, per_day=10_000),
        Plan.GROWTH: _rates(per_second=5, per_minute=500, per_day=20_000),
        Plan.ENTERPRISE: _rates(per_second=17, per_minute=1_000, per_day=50_000),
    }
)

#: Score scales. Deepvue does not document whether v1 and v2 share a scale, so each has its own.
SCALES: Mapping[ApiVersion, str] = MappingProxyType(
    {version: f"deepvue/{version}" for version in ApiVersion}
)
LIVENESS_SCALE = "deepvue/liveness-check"

# Deepvue documents neither prices nor which responses are charged.
_PAID = Billing(
    Charged.YES, "Deepvue does not document its charges; a 200 response is treated as charged"
)
FREE = Billing(Charged.NO, "a request for a token or the balance; Deepvue documents no price")


class NoVerdict(errors.UnexpectedResponse):
    """A 200 response that does not report success. It is treated as charged.

    Attributes:
        sub_code: Deepvue's `sub_code`; None if missing.
        error_code: The `error_code` in ``data``, as a string; None if missing.
    """

    sub_code: str | None = None
    error_code: str | None = None


# Results


def match_result(
    request: MatchRequest,
    reply: HttpReply,
    *,
    version: ApiVersion,
    scale: Scale | None,
    meaning: Meaning,
) -> MatchResult:
    """Parse a face match. If `scale` is None, percent is assumed.

    A "no match" has a score only if `meaning` is SIMILARITY.

    Raises:
        NoVerdict: the response does not report success. Any other exception means that it cannot be
            read.
    """
    success = _Success.read(reply)
    is_match = read_at(boolean, success.data, "match")
    source = ScaleSource.CONFIGURED
    if scale is None:
        source = ScaleSource.ASSUMED
        scale = Scale.PERCENT
    confidence, warnings = _read_number(success.data, "confidence", scale)
    # Parse the score even if it is not used: a value outside the scale makes the response invalid.
    score = _read_score(confidence, scale, SCALES[version], "confidence", source)
    if not is_match and meaning is not Meaning.SIMILARITY:
        score = None
        if confidence is not None:
            warnings.append(_NO_SIMILARITY)
    if score is not None and source is ScaleSource.ASSUMED:
        warnings.append(_ASSUMED)
    if confidence is not None and scale is Scale.PERCENT and 0 < confidence <= 1:
        text = (
            f"A confidence of {confidence:g} is read as percent, but looks like a fraction: check "
            "confidence_scale."
        )
        warnings.append(ResultWarning(code=WarningCode.SCALE_SUSPICIOUS, text=text))
    decision, reasons = _decide(is_match, score, request.threshold, _MATCH_DECISIONS)
    return MatchResult(
        decision=decision,
        score=score,
        warnings=tuple(reasons + warnings),
        model=version.value,
        **_common_fields(request, reply, success.answer),
    )


def liveness_result(request: LivenessRequest, reply: HttpReply, *, scale: Scale) -> LivenessResult:
    """Parse a liveness check."""
    success = _Success.read(reply)
    is_live = read_at(boolean, success.data, "is_live")
    value, warnings = _read_number(success.data, "score", scale)
    score = _read_score(value, scale, LIVENESS_SCALE, "score", ScaleSource.CONFIGURED)
    decision, reasons = _decide(is_live, score, request.threshold, _LIVENESS_DECISIONS)
    return LivenessResult(
        decision=decision,
        score=score,
        warnings=tuple(reasons + warnings),
        **_common_fields(request, reply, success.answer),
    )


@attrs.frozen
class _Success:
    """A 200 response that reports success: its body, and the body's `data`."""

    answer: dict[str, Json]
    data: dict[str, Json]

    @classmethod
    def read(cls, reply: HttpReply) -> _Success:
        """Return the body of a success; raise `NoVerdict` for another 200 response."""
        answer = read_strict(json_object, reply.json(), "the body")
        data = answer.get("data") or {}
        problem = _find_problem(answer, read_strict(json_object, data, "data"))
        if problem:
            raise _no_verdict(reply, problem)
        return cls(answer, data)


def _find_problem(answer: dict[str, Json], data: dict[str, Json]) -> str:
    """Return why a 200 response is no success, or "" if it is one."""
    # Deepvue documents no failures with status 200, but its other products have returned some.
    # Deepvue's own sample has a null `code`. /response-format has no `sub_code`.
    if answer.get("code") not in (None, 200):
        return "a code other than 200"
    if answer.get("sub_code", "SUCCESS") != "SUCCESS":
        return "a sub_code other than SUCCESS"
    if not data:
        return "no data"
    if data.get("error_code") is not None:
        return "an error_code"
    for success in (answer.get("success"), data.get("success")):
        if success is not None and success is not True:
            return "a success other than true"
    return ""


def _no_verdict(reply: HttpReply, problem: str) -> NoVerdict:
    """Return the error for a 200 response that is no success, with Deepvue's codes and message."""
    sub_code = _quote_code(reply, reply.at("sub_code"))
    error_code = _quote_code(reply, reply.at("data", "error_code"))
    codes = []
    if sub_code:
        codes.append(f"sub_code {sub_code}")
    if error_code:
        codes.append(f"error_code {error_code}")
    message = f"{NAME} answered 200 with {problem}: no verdict. The call is treated as charged."
    if codes:
        message += f" Response: {', '.join(codes)}."
    vendors_message = http.excerpt(_with_detail(reply, read_message(reply).text))
    if vendors_message:
        message += f' Message: "{vendors_message}".'
    ids = Ids(vendor=_read_transaction_id(reply))
    error = NoVerdict(message, backend=NAME, billing=_PAID, ids=ids)
    error.sub_code = sub_code
    error.error_code = error_code
    return error


def _quote_code(reply: HttpReply, code: object) -> str | None:
    """Return a code as masked and shortened text; None if it is neither text nor a number."""
    if not isinstance(code, (str, int)):
        return None
    return http.excerpt(_with_detail(reply, str(code)))


def _read_number(
    data: Mapping[str, Json], name: str, scale: Scale
) -> tuple[float | None, list[ResultWarning]]:
    """Return a number, with a warning if it is sent as text; None if null or missing.

    On an unknown scale it decides nothing.
    """
    value = data.get(name)
    if value is None:
        return None, []
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value):
        text = f"Deepvue sends {name} as text instead of a number."
        return float(value), [ResultWarning(code=WarningCode.OTHER, text=text)]
    if scale is Scale.UNKNOWN:
        return read_or_none(number, value, "data", name), []
    return read_strict(number, value, "data", name), []


def _read_score(
    value: float | None, scale: Scale, name: str, raw_name: str, source: ScaleSource
) -> Score | None:
    """Return the score; None if the scale is unknown. Raises `ValueError` if out of range."""
    if value is None or scale is Scale.UNKNOWN:
        return None
    if scale is Scale.FRACTION:
        return Score.from_fraction(value, name, raw_name=raw_name, source=source)
    return Score(value, name, raw=value, raw_name=raw_name, source=source)


D = TypeVar("D", Decision, LivenessDecision)


@attrs.frozen(kw_only=True)
class _Decisions(Generic[D]):
    """The decisions of one kind of call, and the warning for a negative verdict of Deepvue."""

    passed: D
    review: D
    failed: D
    denied: ResultWarning


_MATCH_DECISIONS = _Decisions(
    passed=Decision.MATCH,
    review=Decision.REVIEW,
    failed=Decision.NO_MATCH,
    denied=ResultWarning(
        code=WarningCode.LOW_SIMILARITY, text="Deepvue's verdict: the faces do not match."
    ),
)
_LIVENESS_DECISIONS = _Decisions(
    passed=LivenessDecision.LIVE,
    review=LivenessDecision.REVIEW,
    failed=LivenessDecision.NOT_LIVE,
    denied=ResultWarning(
        code=WarningCode.LOW_LIVENESS, text="Deepvue's verdict: the face is not live."
    ),
)
_NO_THRESHOLD = ResultWarning(
    code=WarningCode.THRESHOLD_UNKNOWN,
    severity=Severity.INFORMATION,
    text="No threshold is set, and Deepvue does not publish its own: Deepvue's verdict decides.",
)
_NO_SIMILARITY = ResultWarning(
    code=WarningCode.SCORE_NOT_SIMILARITY,
    text="The confidence may be about the mismatch, so it is not used as a score: set "
    "confidence_meaning if you know the meaning.",
)
_ASSUMED = ResultWarning(
    code=WarningCode.SCALE_ASSUMED,
    severity=Severity.INFORMATION,
    text="Deepvue does not document the scale of its confidence; assuming percent. Set "
    "confidence_scale.",
)


def _decide(
    says_yes: bool,
    score: Score | None,
    threshold: Threshold | None,
    words: _Decisions[D],
) -> tuple[D, list[ResultWarning]]:
    """Return the decision and its warnings. A threshold can only tighten Deepvue's verdict."""
    value = None if score is None else score.value
    # None without a threshold, or without a score to be compared with it.
    reaches = None if threshold is None else threshold.passes(value)
    limit = None if threshold is None else threshold.value
    if not says_yes:
        if not reaches:
            return words.failed, [words.denied]
        text = f"Deepvue's verdict is no, but the score {value:g} reaches the threshold {limit:g}."
        conflict = ResultWarning(code=WarningCode.THRESHOLD_CONFLICT, text=text)
        return words.failed, [words.denied, conflict]
    if reaches is False:
        text = f"Deepvue's verdict is yes, but the score {value:g} is below threshold {limit:g}."
        return words.failed, [attrs.evolve(words.denied, text=text)]
    warnings = []
    if threshold is None:
        warnings.append(_NO_THRESHOLD)
    if score is None:
        warnings.append(SCORE_UNAVAILABLE)
    if threshold is None or reaches:
        return words.passed, warnings
    return words.review, warnings


def _common_fields(
    request: PictureRequest, reply: HttpReply, answer: Mapping[str, Json]
) -> dict[str, Any]:
    """Return the fields that both kinds of result share."""
    # Without a threshold from the caller, Deepvue's own unknown threshold decides.
    unknown_threshold = Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR)
    return {
        "backend": NAME,
        "threshold": request.threshold or unknown_threshold,
        "vendor_status": answer.get("sub_code"),
        "ids": Ids(vendor=_read_transaction_id(reply)),
        "created_at": _read_moment(answer.get("timestamp")),
        "billing": _PAID,
        "raw": answer,
    }


def _read_moment(timestamp: object) -> datetime | None:
    """Convert milliseconds since 1970 to a time; None if invalid or missing (v2 sends none)."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        return None
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _read_transaction_id(reply: HttpReply) -> str | None:
    """Return Deepvue's id of the call; None if missing or malformed."""
    # v1's sample has 32 hex digits, v2's sample a dashed UUID. The format is not documented.
    vendor_id = reply.at("transaction_id")
    if not isinstance(vendor_id, str) or not re.fullmatch(r"[A-Za-z0-9-]{1,64}", vendor_id):
        return None
    return vendor_id


# Errors

#: Deepvue's messages about key, token and client, in lower case (Deepvue docs, /errors and the page
#: of each call). Ours: "Not a valid token" belongs to 403, as the order on the page suggests.
_ABOUT_CREDENTIALS = (
    "inactive client_id",
    "not authenticated",
    "could not validate credentials",
    "invalid client_id",
    "invalid client_id or client_secret, access denied",
    "authorization failure",
    "incorrect client_id or client_secret",
    "not a valid token",
)


def is_own_error(reply: HttpReply) -> bool:
    """Return whether a body is Deepvue's: ``detail`` alone, or a form that others have received."""
    body = reply.at()
    if not isinstance(body, dict):
        return False
    if body.keys() == {"detail"} or "details" in body or "transaction_id" in body:
        return True
    return _is_about_credentials(reply)


def _is_about_credentials(reply: HttpReply) -> bool:
    return read_message(reply).text.strip().lower() in _ABOUT_CREDENTIALS


def error_of(reply: HttpReply, *, now: datetime) -> errors.VendorError:
    """Return the error for a response other than 200."""
    # Deepvue recommends a retry after 500 and 503. But it does not document which responses are
    # charged, so a retry might be charged twice: neither status is retryable here.
    message = read_message(reply)
    is_about_credentials = (
        reply.status in (400, 403)
        and reply.shape is BodyShape.JSON_OBJECT
        and _is_about_credentials(reply)
    )
    row = http.default_row(reply.status, reply.shape)
    if reply.status in (404, 405):
        text = "this address has no such endpoint: check base_url and api_version"
        row = attrs.evolve(row, text=text)
    elif is_about_credentials:
        row = http.default_row(401, reply.shape)
    if reply.is_free and 300 <= reply.status < 400:
        # The request was free, so report every redirect as a wrong address.
        row = http.default_row(307, reply.shape)
    error = http.vendor_error(
        _with_detail(reply, message.text),
        {},
        backend=NAME,
        now=now,
        row=row,
        ids=Ids(vendor=_read_transaction_id(reply)),
    )
    if reply.is_free:
        error.billing = FREE
    elif isinstance(error, errors.RequestRejected):
        # The fields of a login, which is free, were not set by the caller.
        error.field_errors = message.by_field
    return error


@attrs.frozen
class VendorMessage:
    """The message of a response, not yet masked.

    Attributes:
        text: The whole message; empty if the body is no text.
        by_field: The messages by field, if the response has them.
    """

    text: str
    by_field: dict[str, tuple[str, ...]] = attrs.field(factory=dict)


def read_message(reply: HttpReply) -> VendorMessage:
    """Return a response's message."""
    # ``{"detail": text}`` is documented (/errors and /response-format). Ours: FastAPI's list of
    # ``{"loc": [...], "msg": text}``.
    for message in (
        reply.at("detail"),
        reply.at("details"),
        reply.at("message"),
        reply.at("data", "message"),
    ):
        if isinstance(message, str) and message.strip():
            return VendorMessage(message)
        by_field = _read_fields(message) if isinstance(message, list) else {}
        if by_field:
            lines: list[str] = []
            for name, texts in by_field.items():
                lines.extend(f"{name}: {text}" for text in texts)
            return VendorMessage("; ".join(lines), by_field)
    try:
        return VendorMessage(reply.body.decode())
    except UnicodeDecodeError:
        return VendorMessage("")


def _read_fields(items: list[Json]) -> dict[str, tuple[str, ...]]:
    """Return the messages by field in FastAPI's list of errors; empty for any other list."""
    fields: dict[str, list[str]] = {}
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("msg"), str):
            continue
        location = item.get("loc")
        steps = location if isinstance(location, list) else [location]
        name = ".".join(str(step) for step in steps if isinstance(step, (str, int)))
        fields.setdefault(name, []).append(item["msg"])
    return {name: tuple(texts) for name, texts in fields.items()}


def _with_detail(reply: HttpReply, text: str) -> HttpReply:
    """Return the reply with a text in the field that the core masks, shortens and quotes."""
    return attrs.evolve(reply, body=json.dumps({"detail": text}).encode())


# Tokens and the balance

#: The longest lifetime of a token in seconds, and the lifetime if the expiry is invalid (ours).
LONGEST_S = 24 * 3600.0
UNKNOWN_S = 23 * 3600.0


def read_access_token(reply: HttpReply) -> Json:
    """Return the token of a login response, unchecked; raise `ValueError` if it is no bearer."""
    if str(reply.at("token_type") or "bearer").lower() != "bearer":
        raise ValueError("token_type is not bearer")
    return reply.at("access_token")


def read_life_s(answer: Mapping[str, Json], now: datetime) -> float:
    """Return the seconds from `now` until a token expires, between 0 and `LONGEST_S`."""
    # Deepvue documents 24 hours from issue and an ISO 8601 time (/reference/auth/authorization and
    # /authentication). Other clients have received other formats. Use the earliest valid expiry.
    expiry = answer.get("expiry")
    lives_s = []
    for life_s in (
        _read_seconds(expiry),
        _read_seconds(answer.get("expires_in")),
        _read_iso_time(expiry, now),
    ):
        if life_s is not None:
            lives_s.append(life_s)
    if not lives_s:
        return UNKNOWN_S
    return min(LONGEST_S, max(0.0, min(lives_s)))


def _read_seconds(value: object) -> float | None:
    """Parse seconds: a number, a string of digits, or ``24hrs``; None if invalid."""
    if isinstance(value, str):
        text = value.strip().lower()
        if text == "24hrs":
            return LONGEST_S
        return float(text) if re.fullmatch(r"[0-9]{1,15}", text) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -1e15 < value < 1e15 else None


def _read_iso_time(value: object, now: datetime) -> float | None:
    """Return the seconds from `now` until an ISO 8601 time (UTC by default); None if invalid."""
    # `fromisoformat` would parse digits alone, such as 20260308, as a date.
    if not isinstance(value, str) or value.strip().isdigit():
        return None
    try:
        expires_at = datetime.fromisoformat(value.strip())
        if expires_at.tzinfo is None:
            expires_at = expires_at.replace(tzinfo=UTC)
        return expires_at.timestamp() - now.timestamp()
    except (ValueError, OverflowError):
        return None


@attrs.frozen(kw_only=True)
class WalletBalance:
    """The balance of the wallet (Deepvue docs, /reference/utilities/wallet-balance).

    Attributes:
        amount: Deepvue's `current_balance`. The unit is not documented.
        environment: The environment that answered; None if unknown.
    """

    amount: Decimal
    environment: Environment | None


def read_balance(reply: HttpReply, declared: Environment | None) -> WalletBalance:
    """Return the balance in a 200 response; raise `ValueError` with the reason if invalid."""
    if reply.at("success") not in (None, True):
        raise ValueError("success is not true")
    try:
        amount = Decimal(str(reply.at("current_balance")))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError("current_balance is not a number")
    environment = Environment.MOCK if http.MOCK_HEADER in reply.headers else declared
    return WalletBalance(amount=amount, environment=environment)

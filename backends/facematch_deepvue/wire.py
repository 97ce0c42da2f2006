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
from typing import Any, TypeVar

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
    number,
)
from facematch_core.http import BodyShape, HttpReply
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


#: Rate limits per key, by plan (Deepvue docs, /rate-limits). All three windows apply.
RATES: Mapping[Plan, tuple[RateWindow, ...]] = MappingProxyType(
    {
        plan: (RateWindow(second, 1.0), RateWindow(minute, 60.0), RateWindow(day, 86_400.0))
        for plan, second, minute, day in (
            (Plan.STARTER, 1, 30, 1_000),
            (Plan.BUSINESS, 2, 100, 10_000),
            (Plan.GROWTH, 5, 500, 20_000),
            (Plan.ENTERPRISE, 17, 1_000, 50_000),
        )
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
    """Parse a face match. If `scale` is None, percent is assumed."""
    answer, data = _read_success(reply)
    is_match = _read_flag(data["match"])
    confidence, warnings = _read_number(data, "confidence")
    source = ScaleSource.ASSUMED if scale is None else ScaleSource.CONFIGURED
    scale = scale or Scale.PERCENT
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
    decision, reasons = _decide(is_match, score, request.threshold, _MATCH)
    return MatchResult(
        decision=decision,
        score=score,
        warnings=(*reasons, *warnings),
        model=version.value,
        **_common_fields(request, reply, answer),
    )


def liveness_result(request: LivenessRequest, reply: HttpReply, *, scale: Scale) -> LivenessResult:
    """Parse a liveness check."""
    answer, data = _read_success(reply)
    is_live = _read_flag(data["is_live"])
    value, warnings = _read_number(data, "score")
    score = _read_score(value, scale, LIVENESS_SCALE, "score", ScaleSource.CONFIGURED)
    decision, reasons = _decide(is_live, score, request.threshold, _LIVE)
    return LivenessResult(
        decision=decision,
        score=score,
        warnings=(*reasons, *warnings),
        **_common_fields(request, reply, answer),
    )


def _read_success(reply: HttpReply) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the body of a success and its `data`; else raise `NoVerdict`."""
    # Deepvue documents no failures with status 200, but its other products have returned some.
    answer = reply.json()
    data = answer.get("data")
    # Deepvue's own sample has a null `code`. /response-format has no `sub_code`.
    if answer.get("code") not in (None, 200):
        problem = "a code other than 200"
    elif answer.get("sub_code", "SUCCESS") != "SUCCESS":
        problem = "a sub_code other than SUCCESS"
    elif not data:
        problem = "no data"
    elif data.get("error_code") is not None:
        problem = "an error_code"
    elif answer.get("success") is False or data.get("success") is False:
        problem = "success false"
    else:
        return answer, data
    codes = {"sub_code": answer.get("sub_code"), "error_code": reply.at("data", "error_code")}
    shown = {
        name: http.excerpt(_with_detail(reply, str(code)))
        for name, code in codes.items()
        if isinstance(code, (str, int))
    }
    message = f"{NAME} answered 200 with {problem}: no verdict. The call is treated as charged."
    if texts := ", ".join(f"{name} {code}" for name, code in shown.items() if code):
        message += f" Response: {texts}."
    if words := http.excerpt(_with_detail(reply, read_words(reply)[0])):
        message += f' Message: "{words}".'
    ids = Ids(vendor=_read_transaction_id(reply))
    error = NoVerdict(message, backend=NAME, billing=_PAID, ids=ids)
    error.sub_code, error.error_code = shown.get("sub_code"), shown.get("error_code")
    raise error


def _read_flag(value: object) -> bool:
    """Return a boolean. Raise `TypeError` for other types: a truthy value may be a false match."""
    if not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__}, not a boolean")
    return value


def _read_number(data: Mapping[str, Any], name: str) -> tuple[float | None, list[ResultWarning]]:
    """Return a number, with a warning if it is sent as text; None if null or missing."""
    value = data.get(name)
    if value is None:
        return None, []
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value):
        text = f"Deepvue sends {name} as text instead of a number."
        return float(value), [ResultWarning(code=WarningCode.OTHER, text=text)]
    return number(value), []


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

# The decisions for passed, review and failed, and the warning for a negative verdict.
_MATCH = (
    Decision.MATCH,
    Decision.REVIEW,
    Decision.NO_MATCH,
    ResultWarning(
        code=WarningCode.LOW_SIMILARITY, text="Deepvue's verdict: the faces do not match."
    ),
)
_LIVE = (
    LivenessDecision.LIVE,
    LivenessDecision.REVIEW,
    LivenessDecision.NOT_LIVE,
    ResultWarning(code=WarningCode.LOW_LIVENESS, text="Deepvue's verdict: the face is not live."),
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
    words: tuple[D, D, D, ResultWarning],
) -> tuple[D, list[ResultWarning]]:
    """Return the decision and its warnings. A threshold can only tighten Deepvue's verdict."""
    passed, review, failed, denied = words
    value = None if score is None else score.value
    reached = None if threshold is None else threshold.passes(value)
    limit = None if threshold is None else threshold.value
    if not says_yes:
        if not reached:
            return failed, [denied]
        text = f"Deepvue's verdict is no, but the score {value:g} reaches the threshold {limit:g}."
        return failed, [denied, ResultWarning(code=WarningCode.THRESHOLD_CONFLICT, text=text)]
    if reached is False:
        text = f"Deepvue's verdict is yes, but the score {value:g} is below threshold {limit:g}."
        return failed, [attrs.evolve(denied, text=text)]
    warnings = [_NO_THRESHOLD] if threshold is None else []
    if score is None:
        warnings.append(SCORE_UNAVAILABLE)
    return passed if reached or threshold is None else review, warnings


def _common_fields(
    request: PictureRequest, reply: HttpReply, answer: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields that both kinds of result share."""
    return {
        "backend": NAME,
        # Without a threshold from the caller, Deepvue's own unknown threshold decides.
        "threshold": request.threshold
        or Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR),
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
    text = reply.at("transaction_id")
    return text if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9-]{1,64}", text) else None


# Errors

#: Deepvue's messages about key, token and client, in lower case (Deepvue docs, /errors and the page
#: of each call). Ours: "Not a valid token" belongs to 403, as the order on the page suggests.
_ABOUT_CREDENTIALS = (
    *("inactive client_id", "not authenticated", "could not validate credentials"),
    *("invalid client_id", "invalid client_id or client_secret, access denied"),
    *("authorization failure", "incorrect client_id or client_secret", "not a valid token"),
)


def error_of(reply: HttpReply, *, now: datetime) -> errors.VendorError:
    """Return the error for a response other than 200."""
    # Deepvue recommends a retry after 500 and 503. But it does not document which responses are
    # charged, so a retry might be charged twice: neither status is retryable here.
    words, fields = read_words(reply)
    row = http.default_row(reply.status, reply.shape)
    if reply.status in (404, 405):
        text = "this address has no such endpoint: check base_url and api_version"
        row = attrs.evolve(row, text=text)
    elif (
        reply.status in (400, 403)
        and reply.shape is BodyShape.JSON_OBJECT
        and words.strip().lower() in _ABOUT_CREDENTIALS
    ):
        row = http.default_row(401, reply.shape)
    if reply.is_free and 300 <= reply.status < 400:
        # The request was free, so report every redirect as a wrong address.
        row = http.default_row(307, reply.shape)
    about: dict[str, Any] = {"ids": Ids(vendor=_read_transaction_id(reply))}
    # The fields of a login were not set by the caller.
    if issubclass(row.error, errors.RequestRejected) and not reply.is_free:
        about["field_errors"] = fields
    error = http.vendor_error(
        _with_detail(reply, words), {}, backend=NAME, now=now, row=row, **about
    )
    error.billing = FREE if reply.is_free else error.billing
    return error


def read_words(reply: HttpReply) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return a response's message, not yet masked, and the messages by field."""
    # ``{"detail": text}`` is documented (/errors and /response-format). Ours: FastAPI's list of
    # ``{"loc": [...], "msg": text}``.
    for place in (("detail",), ("details",), ("message",), ("data", "message")):
        words = reply.at(*place)
        if isinstance(words, str) and words.strip():
            return words, {}
        if isinstance(words, list) and (fields := _read_fields(words)):
            pairs = ((name, text) for name, texts in fields.items() for text in texts)
            return "; ".join(f"{name}: {text}" for name, text in pairs), fields
    try:
        return reply.body.decode(), {}
    except UnicodeDecodeError:
        return "", {}


def _read_fields(items: list[Any]) -> dict[str, tuple[str, ...]]:
    """Return the messages by field in FastAPI's list of errors; empty for any other list."""
    fields: dict[str, tuple[str, ...]] = {}
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("msg"), str):
            loc = item.get("loc")
            steps = loc if isinstance(loc, list) else [loc]
            name = ".".join(str(step) for step in steps if isinstance(step, (str, int)))
            fields[name] = (*fields.get(name, ()), item["msg"])
    return fields


def _with_detail(reply: HttpReply, words: str) -> HttpReply:
    """Return the reply with `words` in the field that the core masks, shortens and quotes."""
    return attrs.evolve(reply, body=json.dumps({"detail": words}).encode())


# Tokens and the balance

#: The longest lifetime of a token in seconds, and the lifetime if the expiry is invalid (ours).
LONGEST_S = 24 * 3600.0
UNKNOWN_S = 23 * 3600.0


def read_access_token(reply: HttpReply) -> Any:
    """Return the token of a login response, unchecked; raise `ValueError` if it is no bearer."""
    if str(reply.at("token_type") or "bearer").lower() != "bearer":
        raise ValueError("token_type is not bearer")
    return reply.at("access_token")


def read_life_s(answer: Mapping[str, Any], now: datetime) -> float:
    """Return the seconds from `now` until a token expires, between 0 and `LONGEST_S`."""
    # Deepvue documents 24 hours from issue and an ISO 8601 time (/reference/auth/authorization and
    # /authentication). Other clients have received other formats. Use the earliest valid expiry.
    expiry = answer.get("expiry")
    lives = [_read_seconds(value) for value in (expiry, answer.get("expires_in"))]
    readable = [life for life in (*lives, _read_iso_time(expiry, now)) if life is not None]
    return min(LONGEST_S, max(0.0, min(readable))) if readable else UNKNOWN_S


def _read_seconds(value: object) -> float | None:
    """Parse seconds: a number, a string of digits, or ``24hrs``; None if invalid."""
    if isinstance(value, str):
        text = value.strip().lower()
        value = LONGEST_S if text == "24hrs" else None
        return float(text) if re.fullmatch(r"[0-9]{1,15}", text) else value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -1e15 < value < 1e15 else None


def _read_iso_time(value: object, now: datetime) -> float | None:
    """Return the seconds from `now` until an ISO 8601 time (UTC by default); None if invalid."""
    # `fromisoformat` would parse digits alone, such as 20260308, as a date.
    if not isinstance(value, str) or value.strip().isdigit():
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
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

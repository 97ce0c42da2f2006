"""Deepvue on the wire: its words, what its answers mean, how long a token lives. All of it is pure.

All pages were read on 2026-11-20. Of a face match: Deepvue docs, Face Match v1,
/reference/forensics/face/face-match (the only one that is complete), and Face Match v2,
/reference/forensics/face/face-match-v2. Of liveness: Liveness, /reference/forensics/face/
face-liveness-check. Of all calls: /response-format and /errors. What no page says is a setting, or
an assumption of ours that is named as one.
"""

from __future__ import annotations

import base64
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
    Ids,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    ScaleSource,
    Score,
    Severity,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    WarningCode,
)
from facematch_core.backend import (
    SCORE_UNAVAILABLE,
    Call,
    LivenessCall,
    MatchCall,
    RateWindow,
    number,
)
from facematch_core.base.nesting import load_json
from facematch_core.errors import (
    DeadlineExceeded,
    RequestRejected,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import (
    MOCK_HEADER,
    BodyShape,
    ErrorRow,
    HttpReply,
    default_row,
    excerpt,
    vendor_error,
)

NAME = "deepvue"


class ApiVersion(enum.StrEnum):
    """Which face match is asked."""

    #: Deepvue docs, Face Match v1: documented completely.
    V1 = "v1"
    #: Deepvue docs, Face Match v2: sold as better, and documented in part.
    V2 = "v2"


class Scale(enum.StrEnum):
    """On which scale a number of Deepvue's is. No page says."""

    #: 0 to 100.
    PERCENT = "percent"
    #: 0 to 1.
    FRACTION = "fraction"
    #: Not known: there is no score then.
    UNKNOWN = "unknown"


class Meaning(enum.StrEnum):
    """What `confidence` is the confidence in. It matters where Deepvue says "no match"."""

    #: That the faces are alike: higher is more alike, whatever the verdict.
    SIMILARITY = "similarity"
    #: That the verdict is right: 97 beside "no match" means that they surely differ.
    DECISION = "decision"
    #: Not known; read as DECISION, which lets nobody in.
    UNKNOWN = "unknown"


class ImageForm(enum.StrEnum):
    """How a liveness check writes a picture into its JSON. The page says only that it is text."""

    BASE64 = "base64"
    DATA_URI = "data_uri"


class Plan(enum.StrEnum):
    """What the account has booked: Deepvue docs, /rate-limits."""

    STARTER = "starter"
    BUSINESS = "business"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"


#: Calls that a plan lets through, of one key. Each window counts for itself, and any of them may
#: refuse. Deepvue docs, /rate-limits.
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

#: What the scores are called here. Whether v1 and v2 mean the same is not documented, so they do
#: not compare.
SCALES: Mapping[ApiVersion, str] = MappingProxyType(
    {version: f"deepvue/{version}" for version in ApiVersion}
)
LIVENESS_SCALE = "deepvue/liveness-check"

# No page gives a price, or says what is charged.
_PAID = Billing(
    Charged.YES, "Deepvue does not say what it charges for; an answer 200 counts as charged"
)
_NOT_A_FACE_CALL = "a call for a token or for the balance; no price is documented for it"
FREE = Billing(Charged.NO, _NOT_A_FACE_CALL)


class NoVerdict(UnexpectedResponse):
    """An answer 200 of Deepvue's that reports no success. Counts as charged.

    Attributes:
        sub_code: Deepvue's word for what became of the call; None if it has none.
        error_code: That in ``data``, as text; None if it has none.
    """

    def __init__(
        self,
        message: str,
        *,
        sub_code: str | None = None,
        error_code: str | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(message, **rest)
        self.sub_code = sub_code
        self.error_code = error_code


def match_result(
    call: MatchCall, reply: HttpReply, *, version: ApiVersion, scale: Scale | None, meaning: Meaning
) -> MatchResult:
    """The result in the answer to a face match; percent is assumed where `scale` is None."""
    answer, data = _read_success(reply)
    is_match = _read_flag(data["match"])
    confidence, warnings = _read_number(data, "confidence")
    source = ScaleSource.ASSUMED if scale is None else ScaleSource.CONFIGURED
    scale = scale or Scale.PERCENT
    # Also where it will not count: off its scale it makes the answer unreadable.
    score = _read_score(confidence, scale, SCALES[version], "confidence", source)
    if not is_match and meaning is not Meaning.SIMILARITY:
        score = None
        if confidence is not None:
            warnings.append(_NO_SIMILARITY)
    if score is not None and source is ScaleSource.ASSUMED:
        warnings.append(_ASSUMED)
    if confidence is not None and scale is Scale.PERCENT and 0 < confidence <= 1:
        text = (
            f"A confidence of {confidence:g} is read as percent, and looks like a fraction: check "
            "confidence_scale."
        )
        warnings.append(ResultWarning(code=WarningCode.SCALE_SUSPICIOUS, text=text))
    decision, reasons = _decide(is_match, score, call.threshold, _MATCH)
    return MatchResult(
        decision=decision,
        score=score,
        warnings=(*reasons, *warnings),
        model=version.value,
        **_common_fields(call, reply, answer),
    )


def liveness_result(call: LivenessCall, reply: HttpReply, *, scale: Scale) -> LivenessResult:
    """The result in the answer to a liveness check; `scale` is that of `score`."""
    answer, data = _read_success(reply)
    is_live = _read_flag(data["is_live"])
    value, warnings = _read_number(data, "score")
    score = _read_score(value, scale, LIVENESS_SCALE, "score", ScaleSource.CONFIGURED)
    decision, reasons = _decide(is_live, score, call.threshold, _LIVE)
    return LivenessResult(
        decision=decision,
        score=score,
        warnings=(*reasons, *warnings),
        **_common_fields(call, reply, answer),
    )


def _read_success(reply: HttpReply) -> tuple[dict[str, Any], dict[str, Any]]:
    """A body that reports a success, and its `data`; without a success it is `NoVerdict`."""
    # Others met answers 200 of Deepvue's other products that hide a failure: no page shows one.
    answer = reply.json()
    data = answer.get("data")
    # In the page's own sample it is null.
    if answer.get("code") not in (None, 200):
        problem = "another code than 200"
    # It may be missing, as on the page of the general format; null is there, and no success.
    elif answer.get("sub_code", "SUCCESS") != "SUCCESS":
        problem = "another sub_code than SUCCESS"
    elif not data:
        problem = "no data"
    elif data.get("error_code") is not None:
        problem = "an error_code"
    # Documented for the balance alone; beside a verdict it contradicts it.
    elif answer.get("success") is False or data.get("success") is False:
        problem = "success false"
    else:
        return answer, data
    codes = {}
    for name, place in {"sub_code": ("sub_code",), "error_code": ("data", "error_code")}.items():
        code = reply.at(*place)
        if code is not None and not isinstance(code, (dict, list)):
            codes[name] = excerpt(_with_words(reply, str(code))) or None
    message = f"{NAME} answered 200 with {problem}, so without a verdict. It counts as charged."
    if texts := ", ".join(f"{name} {code}" for name, code in codes.items() if code):
        message += f" It says {texts}."
    if words := excerpt(_with_words(reply, read_words(reply)[0])):
        message += f' It says: "{words}".'
    raise NoVerdict(
        message, backend=NAME, billing=_PAID, ids=Ids(vendor=_read_transaction_id(reply)), **codes
    )


def _read_flag(value: object) -> bool:
    """True or false: what merely counts as true could be a wrong "match"."""
    if not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__}, not true or false")
    return value


def _read_number(data: Mapping[str, Any], name: str) -> tuple[float | None, list[ResultWarning]]:
    """A number, None for null and for what is missing; with a warning if it is written as text."""
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
    """The score in a number; None without one, and on an unknown scale; off it a `ValueError`."""
    if value is None or scale is Scale.UNKNOWN:
        return None
    if scale is Scale.FRACTION:
        return Score.from_fraction(value, name, raw_name=raw_name, source=source)
    return Score(value, name, raw=value, raw_name=raw_name, source=source)


D = TypeVar("D", Decision, LivenessDecision)

# Passed, for a person to look at, failed, and Deepvue's no.
_MATCH = (
    Decision.MATCH,
    Decision.REVIEW,
    Decision.NO_MATCH,
    ResultWarning(
        code=WarningCode.LOW_SIMILARITY, text="Deepvue says that the faces do not match."
    ),
)
_LIVE = (
    LivenessDecision.LIVE,
    LivenessDecision.REVIEW,
    LivenessDecision.NOT_LIVE,
    ResultWarning(code=WarningCode.LOW_LIVENESS, text="Deepvue says that the face is not live."),
)
_NO_THRESHOLD = ResultWarning(
    code=WarningCode.THRESHOLD_UNKNOWN,
    severity=Severity.INFORMATION,
    text="No threshold was set, and Deepvue does not give its own: only its verdict counts.",
)
_NO_SCORE = attrs.evolve(
    SCORE_UNAVAILABLE,
    text="Deepvue says yes without a score that could be held against a threshold.",
)
_NO_SIMILARITY = ResultWarning(
    code=WarningCode.SCORE_NOT_SIMILARITY,
    text="The confidence may be that in the mismatch, so it is no score: set confidence_meaning if "
    "you know it from Deepvue.",
)
_ASSUMED = ResultWarning(
    code=WarningCode.SCALE_ASSUMED,
    severity=Severity.INFORMATION,
    text="Deepvue does not document the scale of its confidence; percent is assumed: set "
    "confidence_scale.",
)


def _decide(
    says_yes: bool,
    score: Score | None,
    threshold: Threshold | None,
    words: tuple[D, D, D, ResultWarning],
) -> tuple[D, list[ResultWarning]]:
    """The decision and its reasons: a caller's threshold may only tighten Deepvue's verdict."""
    passed, review, failed, denied = words
    value = None if score is None else score.value
    reached = None if threshold is None else threshold.passes(value)
    limit = None if threshold is None else threshold.value
    if not says_yes:
        if not reached:
            return failed, [denied]
        text = f"Deepvue says no, although the score {value:g} reaches the threshold {limit:g}."
        return failed, [denied, ResultWarning(code=WarningCode.THRESHOLD_CONFLICT, text=text)]
    if reached is False:
        text = f"Deepvue says yes, but the score {value:g} is below the threshold {limit:g}."
        return failed, [attrs.evolve(denied, text=text)]
    warnings = [_NO_THRESHOLD] if threshold is None else []
    if score is None:
        warnings.append(_NO_SCORE)
    return passed if reached or threshold is None else review, warnings


def _common_fields(call: Call, reply: HttpReply, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What both kinds of result have in the same way."""
    return {
        "backend": NAME,
        # Deepvue's own threshold and rule are unknown.
        "threshold": call.threshold
        or Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR),
        "vendor_status": answer.get("sub_code"),
        "ids": Ids(vendor=_read_transaction_id(reply)),
        "created_at": _read_moment(answer.get("timestamp")),
        "billing": _PAID,
        "raw": answer,
    }


def _read_moment(timestamp: object) -> datetime | None:
    """Milliseconds since 1970, in UTC; v2 has none. An odd one is not worth a paid answer: None."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        return None
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _read_transaction_id(reply: HttpReply) -> str | None:
    """Deepvue's id of a call; None if it does not look like one, as an echo would not."""
    # In one sample it is 32 hex digits, in another a dashed UUID (Deepvue docs, Face Match v1 and
    # v2); its form is not documented.
    text = reply.at("transaction_id")
    return text if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9-]{1,64}", text) else None


#: Deepvue's texts about key, token and client (Deepvue docs, /errors and the pages of each call).
#: They are compared in small letters, and no other text is searched for its meaning. That "Not a
#: valid token" comes with a 403 is our reading of the order on the page.
_ABOUT_CREDENTIALS = frozenset(
    {
        "inactive client_id",
        "not authenticated",
        "could not validate credentials",
        "invalid client_id",
        "invalid client_id or client_secret, access denied",
        "authorization failure",
        "incorrect client_id or client_secret",
        "not a valid token",
    }
)


def error_of(reply: HttpReply, *, now: datetime, is_free: bool = False) -> VendorError:
    """The error for an answer other than 200; a login and a look at the balance are free."""
    # Deepvue's pages advise to repeat a call after a 500 and a 503: neither is retryable, for it
    # does not say what it charges for, and that might pay twice.
    words, fields = read_words(reply)
    row = default_row(reply.status, reply.shape)
    if reply.status in (404, 405):
        text = "there is nothing of this kind at this address; check base_url and api_version"
        row = attrs.evolve(row, text=text)
    elif (
        reply.status in (400, 403)
        and reply.shape is BodyShape.JSON_OBJECT
        and words.strip().lower() in _ABOUT_CREDENTIALS
    ):
        row = default_row(401, reply.shape)
    if is_free:
        if 300 <= reply.status < 400:
            # Nothing is lost that was paid for, so any redirect is a wrong address, and no outage.
            row = default_row(307, reply.shape)
        if row.charged is Charged.UNKNOWN:
            row = ErrorRow(VendorUnavailable, Charged.NO, "", "no answer that can be used")
        row = attrs.evolve(row, charged=Charged.NO, ground=_NOT_A_FACE_CALL)
    about: dict[str, Any] = {"ids": Ids(vendor=_read_transaction_id(reply))}
    # A caller has set none of the fields of a login.
    if issubclass(row.error, RequestRejected) and not is_free:
        about["field_errors"] = fields
    return vendor_error(_with_words(reply, words), {}, backend=NAME, now=now, row=row, **about)


def read_words(reply: HttpReply) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The words of an answer, not yet masked, and those about a field by its name."""
    # Documented is ``{"detail": text}`` alone (Deepvue docs, /errors and /response-format). A list
    # of ``{"loc": [...], "msg": text}``, as FastAPI makes it, is inferred.
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
    """What is wrong with which field, of a list as FastAPI makes it; empty for any other list."""
    fields: dict[str, tuple[str, ...]] = {}
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("msg"), str):
            loc = item.get("loc")
            steps = loc if isinstance(loc, list) else [loc]
            name = ".".join(str(step) for step in steps if isinstance(step, (str, int)))
            fields[name] = (*fields.get(name, ()), item["msg"])
    return fields


def _with_words(reply: HttpReply, words: str) -> HttpReply:
    """The reply with `words` where the core looks for them, to mask, shorten and repeat them."""
    return attrs.evolve(reply, body=json.dumps({"detail": words}).encode())


def free_error(error: VendorError) -> VendorError:
    """What it means for a login or a look at the balance that no usable answer came."""
    # The caller's impatience says nothing of the vendor: neither repeated nor counted by a breaker.
    is_hasty = isinstance(error, DeadlineExceeded) or (
        isinstance(error, VendorUnavailable) and not error.retryable
    )
    kind = UnexpectedResponse if isinstance(error, UnexpectedResponse) else VendorUnavailable
    return kind(
        error.message,
        backend=NAME,
        billing=FREE,
        retryable=False if is_hasty else None,
        status_code=error.status_code,
    )


#: The longest life of a token in seconds, and, ours, that of one whose answer has nothing readable.
LONGEST_S = 24 * 3600.0
UNKNOWN_S = 23 * 3600.0


def read_access_token(reply: HttpReply) -> str:
    """The token in the answer to a login; `ValueError`, in a sentence of ours, if there is none."""
    token = reply.at("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,8192}", token):
        raise ValueError("it has no access_token that a header could carry")
    if str(reply.at("token_type") or "bearer").lower() != "bearer":
        raise ValueError("its token_type is not bearer")
    return token


def read_life_s(answer: Mapping[str, Any], now: datetime) -> float:
    """Seconds from `now` until the token in the answer to a login ends, 0 to `LONGEST_S`."""
    # Deepvue docs, /reference/auth/authorization and /authentication: 24 hours from issue, and a
    # time in ISO 8601. Others who call it met the other forms; the soonest that can be read counts.
    expiry = answer.get("expiry")
    ends = (_read_iso_time(expiry), _read_jwt_exp(answer.get("access_token")))
    lives = [
        *(_read_seconds(value) for value in (expiry, answer.get("expires_in"))),
        *(None if end is None else end - now.timestamp() for end in ends),
    ]
    readable = [life for life in lives if life is not None]
    return min(LONGEST_S, max(0.0, min(readable))) if readable else UNKNOWN_S


def _read_seconds(value: object) -> float | None:
    """A number of seconds, its digits as text, or ``24hrs``."""
    if not isinstance(value, str):
        return _read_finite(value)
    text = value.strip().lower()
    if text == "24hrs":
        return LONGEST_S
    return float(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def _read_finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -1e15 < value < 1e15 else None


def _read_iso_time(value: object) -> float | None:
    """Seconds since 1970 of a time in ISO 8601; one without a zone is UTC."""
    # Digits alone would be read as a date: 20260308.
    if not isinstance(value, str) or value.strip().isdigit():
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _read_jwt_exp(token: Any) -> float | None:
    """`exp` of a JWT, not verified: the vendor does that, and only the time is wanted."""
    try:
        _, payload, _ = token.split(".")
        padded = payload + "=" * (-len(payload) % 4)
        return _read_finite(load_json(base64.urlsafe_b64decode(padded))["exp"])
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


@attrs.frozen(kw_only=True)
class WalletBalance:
    """What is left in the wallet (Deepvue docs, Wallet Balance, /reference/utilities/
    wallet-balance, read 2026-11-20).

    Attributes:
        amount: Deepvue's `current_balance`. In which unit, no page says.
        environment: Where the answer came from; None if nobody knows.
    """

    amount: Decimal
    environment: Environment | None


def read_balance(reply: HttpReply, declared: Environment | None) -> WalletBalance:
    """The balance in an answer 200; `ValueError`, in a sentence of ours, if there is none."""
    if reply.at("success") not in (None, True):
        raise ValueError("its success is not true")
    try:
        amount = Decimal(str(reply.at("current_balance")))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError("its current_balance is not a number")
    environment = Environment.MOCK if MOCK_HEADER in reply.headers else declared
    return WalletBalance(amount=amount, environment=environment)

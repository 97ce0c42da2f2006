"""Deepvue's answers of status 200, read: pure functions from a decoded body to a result.

Sources: Deepvue docs, Face Match v1, /reference/forensics/face/face-match; Face Match v2,
/reference/forensics/face/face-match-v2; Liveness, /reference/forensics/face/face-liveness-check;
/response-format. All were read on 2026-11-20. On what scale the numbers are, and what they are the
measure of, no page says: `Reading` holds what the settings say of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from facematch_core import (
    Billing,
    Charged,
    Ids,
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
from facematch_core.backend import Call, LivenessCall, MatchCall, without_private

from . import _verdict
from ._errors import NoVerdict
from ._reading import a_flag, an_object, milliseconds_or_none, number_or_none
from ._repeating import transaction_id, without_long_words
from ._words import CHARGED, LIVENESS_SCALE, NAME, SCALES, SUCCESS, ApiVersion, Meaning, Scale


@attrs.frozen(kw_only=True)
class Reading:
    """How the numbers are to be read, as the settings say.

    Attributes:
        version: Which face match answered.
        confidence_scale: That of `confidence`.
        assumed: Whether nobody has set it.
        meaning: What `confidence` is the confidence in.
        liveness_scale: That of `score`.
    """

    version: ApiVersion
    confidence_scale: Scale
    assumed: bool
    meaning: Meaning
    liveness_scale: Scale


def match_result(call: MatchCall, body: object, reading: Reading) -> MatchResult:
    """The result in the body of a face match.

    Raises:
        NoVerdict: it says itself that it is no success.
        ValueError: it is not a face match as documented.
    """
    answer, data = _opened(body)
    match = a_flag(data.get("match"), "match")
    told = data.get("confidence")
    raw = number_or_none(told, "confidence")
    value = percent(raw, reading.confidence_scale, "confidence")
    similar = match or reading.meaning is Meaning.SIMILARITY
    score = None
    if value is not None and similar:
        score = Score(
            value,
            SCALES[reading.version],
            raw=raw,
            raw_name="confidence",
            source=ScaleSource.ASSUMED if reading.assumed else ScaleSource.CONFIGURED,
        )
    decision, warnings = _verdict.decide(
        _verdict.MATCH,
        says_yes=match,
        score=None if score is None else score.value,
        threshold=call.threshold,
    )
    return MatchResult(
        decision=decision,
        score=score,
        warnings=(*warnings, *_doubts(told, raw, score, reading, similar=similar)),
        model=reading.version.value,
        **_common(call, answer),
    )


def liveness_result(call: LivenessCall, body: object, reading: Reading) -> LivenessResult:
    """The result in the body of a liveness check; otherwise as `match_result`."""
    answer, data = _opened(body)
    live = a_flag(data.get("is_live"), "is_live")
    told = data.get("score")
    raw = number_or_none(told, "score")
    value = percent(raw, reading.liveness_scale, "score")
    score = None
    if value is not None:
        score = Score(
            value, LIVENESS_SCALE, raw=raw, raw_name="score", source=ScaleSource.CONFIGURED
        )
    decision, warnings = _verdict.decide(
        _verdict.LIVENESS, says_yes=live, score=value, threshold=call.threshold
    )
    return LivenessResult(
        decision=decision,
        score=score,
        warnings=(*warnings, *_as_text("score", told)),
        **_common(call, answer),
    )


def percent(raw: float | None, scale: Scale, place: str) -> float | None:
    """`raw` from 0 to 100; None if it is None or its scale is not known.

    Raises:
        ValueError: it is not on the scale. It is never clamped, nor read on another one.
    """
    if raw is None or scale is Scale.UNKNOWN:
        return None
    # In decimals, for 0.29 times 100 is less than 29 in floats.
    value = float(Decimal(repr(raw)) * 100) if scale is Scale.FRACTION else raw
    if not 0 <= value <= 100:
        raise ValueError(f"{place} is not on the scale {scale.value}")
    return value


def _opened(body: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """A body that says it is a success, and its `data`."""
    answer = an_object(body, "the body")
    code = answer.get("code")
    if code is not None and code != 200:
        raise _no_verdict(answer, "another code than 200")
    # It may be missing, as on the page of the general format; null is there, and no success.
    if answer.get("sub_code", SUCCESS) != SUCCESS:
        raise _no_verdict(answer, "another sub_code than SUCCESS")
    if not answer.get("data"):
        raise _no_verdict(answer, "no data")
    data = an_object(answer["data"], "data")
    if data.get("error_code") is not None:
        raise _no_verdict(answer, "an error_code")
    # Documented for the balance alone; whatever says it beside a verdict contradicts it.
    if answer.get("success") is False or data.get("success") is False:
        raise _no_verdict(answer, "success false")
    return answer, data


def _no_verdict(answer: Mapping[str, Any], what: str) -> NoVerdict:
    data = answer.get("data")
    return NoVerdict(
        f"{NAME} answered 200 with {what}, so without a verdict. It counts as charged.",
        backend=NAME,
        billing=Billing(Charged.YES, CHARGED),
        ids=Ids(vendor=transaction_id(answer)),
        sub_code=_code(answer.get("sub_code")),
        error_code=_code(data.get("error_code")) if isinstance(data, dict) else None,
    )


def _code(value: object) -> str | None:
    """A code as text; None if there is none."""
    return None if value is None or isinstance(value, (dict, list)) else str(value)


def _doubts(
    told: object, raw: float | None, score: Score | None, reading: Reading, *, similar: bool
) -> tuple[ResultWarning, ...]:
    """Warnings about what the number may mean."""
    doubts = list(_as_text("confidence", told))
    if raw is not None and not similar:
        doubts.append(
            _doubt(
                WarningCode.SCORE_NOT_SIMILARITY,
                "The confidence may be that in the mismatch, so it is no score: set "
                "confidence_meaning if you know it from Deepvue.",
            )
        )
    if score is not None and reading.assumed:
        doubts.append(
            _doubt(
                WarningCode.SCALE_ASSUMED,
                "Deepvue does not document the scale of its confidence; percent is assumed: set "
                "confidence_scale.",
                Severity.INFORMATION,
            )
        )
    if raw is not None and reading.confidence_scale is Scale.PERCENT and 0 < raw <= 1:
        doubts.append(
            _doubt(
                WarningCode.OTHER,
                f"A confidence of {raw:g} is read as percent, and looks like a fraction: check "
                "confidence_scale.",
            )
        )
    return tuple(doubts)


def _as_text(place: str, told: object) -> tuple[ResultWarning, ...]:
    if not isinstance(told, str):
        return ()
    return (_doubt(WarningCode.OTHER, f"Deepvue sends {place} as text instead of a number."),)


def _doubt(code: WarningCode, text: str, severity: Severity = Severity.WARNING) -> ResultWarning:
    return ResultWarning(code=code, severity=severity, text=text)


def _common(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    """What both kinds of result say of the call in the same way."""
    unset = call.threshold is None or call.threshold.value is None
    # Deepvue's own threshold and rule are unknown.
    own = Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR)
    return {
        "backend": NAME,
        "threshold": own if unset else call.threshold,
        "vendor_status": answer.get("sub_code"),
        "ids": Ids(vendor=transaction_id(answer)),
        "created_at": milliseconds_or_none(answer.get("timestamp")),
        "billing": Billing(Charged.YES, CHARGED),
        "raw": without_long_words(without_private(answer)),
    }

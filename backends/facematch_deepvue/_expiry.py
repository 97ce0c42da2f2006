"""How long a token may be used: pure, from the answer to a login.

Deepvue's pages show `expiry` in no single form (Deepvue docs, /reference/auth/authorization and
/authentication, read 2026-11-20: 24 hours from issue, and a time in ISO 8601). Its callers also met
``24hrs``, digits and `expires_in`, and a token that is a JWT with `exp`. What can be read of all
these is believed, the soonest of it.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

#: The longest life of a token in seconds, and that of one whose answer has nothing readable.
LONGEST_S = 24 * 3600.0
UNTOLD_S = 23 * 3600.0

#: So long before its end a token is not used any more, in seconds.
EARLY_S = 300.0


def life_s(answer: Mapping[str, Any], now: datetime) -> float:
    """Seconds from `now` until the token in `answer` ends, 0 to `LONGEST_S`.

    Args:
        answer: The decoded body.
        now: Time of day, with its zone.
    """
    told = list(_told(answer, now.timestamp()))
    return min(LONGEST_S, max(0.0, min(told))) if told else UNTOLD_S


def _told(answer: Mapping[str, Any], now: float) -> Iterator[float]:
    """Every life that can be read."""
    expiry = answer.get("expiry")
    readings = (
        _seconds(expiry),
        _words(expiry),
        _since(_moment(expiry), now),
        _seconds(answer.get("expires_in")),
        _since(_jwt_exp(answer.get("access_token")), now),
    )
    return (reading for reading in readings if reading is not None)


def _since(end: float | None, now: float) -> float | None:
    return None if end is None else end - now


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _seconds(value: object) -> float | None:
    """A number of seconds, or its digits as text."""
    if isinstance(value, str):
        text = value.strip()
        return float(text) if re.fullmatch(r"[0-9]{1,15}", text) else None
    return _number(value)


def _words(value: object) -> float | None:
    return LONGEST_S if isinstance(value, str) and value.strip().lower() == "24hrs" else None


def _moment(value: object) -> float | None:
    """Seconds since 1970 of a time in ISO 8601; one without a zone is taken as UTC."""
    # Digits alone would be read as a date: 20260308.
    if not isinstance(value, str) or _seconds(value) is not None:
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _jwt_exp(token: object) -> float | None:
    """`exp` of a JWT, not verified: the vendor does that, and only the time is wanted."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded.encode()))
    except (ValueError, RecursionError):
        return None
    return _number(claims.get("exp")) if isinstance(claims, dict) else None

"""Didit's constants, their mapping to facematch's types, and readers for JSON values.

Each constant names its source; all pages were read on 2026-11-20. A reader raises `ValueError` for
a value of an undocumented type; the message names the field but omits the value. This module
imports no HTTP client, because a program that only receives webhooks needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar

from facematch_core import Environment, WarningCode
from facematch_core.backend.fields import UnreadableField, json_type
from facematch_core.models import Severity

T = TypeVar("T")

NAME = "didit"

#: The host of all calls.
HOST = "verification.didit.me"

#: The two score scales. Scores on different scales are not comparable.
MATCH_SCALE = "didit/face-match"
LIVENESS_SCALE = "didit/passive-liveness"

#: Default threshold of both calls, 0-100. Didit API reference, Face Match, June 2026; for passive
#: liveness Didit OpenAPI, 2026-07-18.
DEFAULT_THRESHOLD = 30.0

#: The two verdicts documented in July 2026. "In Review" (Didit face-match skill page, early 2026)
#: and unknown verdicts require a review by a person.
APPROVED = "Approved"
DECLINED = "Declined"

#: Environments, keyed by Didit's type of application (Didit OpenAPI, 2026-07-18).
ENVIRONMENTS: Mapping[str, Environment] = MappingProxyType(
    {"sandbox": Environment.SANDBOX, "live": Environment.PRODUCTION}
)

#: Texts for `Billing.ground`.
CHARGED = (
    "one credit per 200 response, whatever the verdict (Didit API reference, Face Match, June 2026)"
)
FREE_IN_SANDBOX = (
    "sandbox keys are not billed (Didit API reference, Face Match, June 2026); the setting "
    "`environment` is SANDBOX"
)

#: Warning codes, keyed by Didit's (Didit API reference, Face Match, June 2026; Didit OpenAPI,
#: 2026-07-18; for the last three, Didit passive-liveness skill page, early 2026).
WARNING_CODES: Mapping[str, WarningCode] = MappingProxyType(
    {
        "LOW_FACE_MATCH_SIMILARITY": WarningCode.LOW_SIMILARITY,
        # One of the pictures has no face. A missing picture is a 400.
        "NO_REFERENCE_IMAGE": WarningCode.NO_FACE,
        "NO_FACE_DETECTED": WarningCode.NO_FACE,
        "MULTIPLE_FACES_DETECTED": WarningCode.MULTIPLE_FACES,
        "LOW_LIVENESS_SCORE": WarningCode.LOW_LIVENESS,
        "LIVENESS_FACE_ATTACK": WarningCode.PRESENTATION_ATTACK,
        "FACE_IN_BLOCKLIST": WarningCode.BLOCKLISTED,
        "POSSIBLE_FACE_IN_BLOCKLIST": WarningCode.POSSIBLY_BLOCKLISTED,
        "DUPLICATED_FACE": WarningCode.DUPLICATE,
        "POSSIBLE_DUPLICATED_FACE": WarningCode.POSSIBLE_DUPLICATE,
        "LOW_FACE_QUALITY": WarningCode.LOW_QUALITY,
        "LOW_FACE_LUMINANCE": WarningCode.TOO_DARK,
        "HIGH_FACE_LUMINANCE": WarningCode.TOO_BRIGHT,
    }
)

#: Severities, keyed by a warning's `log_type`. Only "error" causes a decline (Didit OpenAPI,
#: 2026-07-18).
SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {"error": Severity.ERROR, "warning": Severity.WARNING, "information": Severity.INFORMATION}
)

#: Keys whose values are masked: URLs of pictures and videos, and details about other people whose
#: faces Didit found (Didit OpenAPI, 2026-07-18).
MASKED_KEYS = frozenset(
    {
        "source_image",
        "target_image",
        "reference_image",
        "video_url",
        "match_image_url",
        "user_details",
    }
)


# Readers of decoded JSON; `place` names the field in the error message. For a field that decides
# nothing, they are read through `detail`, which names the field itself.


def _reader(kind: type[T], description: str) -> Callable[..., T]:
    """Return a reader for one JSON type; booleans are not numbers."""

    def read(value: object, *place: str) -> T:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UnreadableField(f"{'.'.join(place)} is {json_type(value)}, not {description}")
        return value

    return read


read_object = _reader(dict, "an object")
read_list = _reader(list, "an array")
read_text = _reader(str, "a string")
read_whole_number = _reader(int, "a whole number")


def read_number(value: object, *place: str) -> float:
    """Return a finite number as a float. Integers are accepted, because Didit documents them."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnreadableField(f"{'.'.join(place)} is {json_type(value)}, not a number")
    if not abs(value) < 1e300:
        raise UnreadableField(f"{'.'.join(place)} is not a finite number")
    return float(value)


def read_time(value: object, *place: str) -> datetime:
    """Parse an ISO 8601 time to UTC. Didit's times are UTC if they have no time zone."""
    text = read_text(value, *place)
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UnreadableField(f"{'.'.join(place)} is not a time") from None


def _optional(read: Callable[..., T]) -> Callable[..., T | None]:
    """Return a reader that returns None for null and for a missing value."""
    return lambda value, *place: None if value is None else read(value, *place)


text_or_none = _optional(read_text)


def read_full_text(value: object, *place: str) -> str:
    """Return a non-empty string."""
    text = read_text(value, *place)
    if not text:
        raise UnreadableField(f"{'.'.join(place)} is empty")
    return text

"""Didit's constants, their mapping to facematch's types, and readers for JSON values.

Each constant names its source; all pages were read on 2026-11-20. A reader raises `ValueError` for
a value of an undocumented type; the message names the field but omits the value. This module
imports no HTTP client, because a program that only receives webhooks needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from facematch_core import Environment, WarningCode
from facematch_core.backend import UnreadableField, fields
from facematch_core.models import Severity

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


# Readers of decoded JSON; `place` is the path of the field. `read_or_none` names the field itself.

read_object = fields.json_object
read_list = fields.json_list
read_text = fields.text
read_whole_number = fields.reader(int, "a whole number")


def read_time(value: object, *place: str) -> datetime:
    """Parse an ISO 8601 time to UTC. Didit's times are UTC if they have no time zone."""
    text = read_text(value, *place)
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UnreadableField("is not a time", *place) from None


def text_or_none(value: object, *place: str) -> str | None:
    """Return a text; None for null and for a missing value."""
    return None if value is None else read_text(value, *place)


def read_full_text(value: object, *place: str) -> str:
    """Return a non-empty string."""
    return fields.nonempty_text(value, *place)

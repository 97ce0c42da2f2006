"""Didit's words and numbers and what they mean here, and how values are read from its JSON.

Each word has the page that says so; all pages were read on 2026-11-20. The readers raise
`ValueError` for a value of another type than documented; the sentence names the place, not the
value. Nothing here loads an HTTP client: whoever only receives webhooks needs none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from facematch_core import ConfigurationError, Environment, Secret, Severity, WarningCode

T = TypeVar("T")

NAME = "didit"

#: Where keys and faces go.
HOST = "verification.didit.me"

#: What the scores of the calls are called here. They do not compare with each other.
MATCH_SCALE = "didit/face-match"
LIVENESS_SCALE = "didit/passive-liveness"

#: Default of both calls, 0-100. Didit API reference, Face Match, June 2026; Didit OpenAPI,
#: 2026-07-18, for passive liveness.
DEFAULT_THRESHOLD = 30.0

#: The two statuses that the documents of July 2026 name. "In Review" (Didit face-match skill page,
#: early 2026) and any other word mean that a person should look.
APPROVED = "Approved"
DECLINED = "Declined"

#: Didit's words for the kind of application that a session belongs to, the least real one first.
ENVIRONMENTS: Mapping[str, Environment] = MappingProxyType(
    {"sandbox": Environment.SANDBOX, "live": Environment.PRODUCTION}
)

#: Didit API reference, Face Match, June 2026: one credit for each answer 200.
CHARGED = (
    "one credit for each answer 200, whatever the verdict (Didit API reference, Face Match, "
    "June 2026)"
)

#: Didit API reference, Face Match, June 2026: no billing with a sandbox key.
FREE_IN_SANDBOX = (
    "sandbox keys are not billed (Didit API reference, Face Match, June 2026); that this is one is "
    "the setting `environment`"
)

#: Didit API reference, Face Match, June 2026; Didit OpenAPI, 2026-07-18; the three about quality
#: and light: Didit passive-liveness skill page, early 2026.
WARNING_CODES: Mapping[str, WarningCode] = MappingProxyType(
    {
        "LOW_FACE_MATCH_SIMILARITY": WarningCode.LOW_SIMILARITY,
        # No face in one of the pictures. A picture that was not sent is a 400.
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

#: `log_type` of a warning: "error" declines, the others never do by themselves (Didit OpenAPI,
#: 2026-07-18).
SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {"error": Severity.ERROR, "warning": Severity.WARNING, "information": Severity.INFORMATION}
)

#: Keys whose text is an address of a picture or film, in Didit's records (Didit OpenAPI,
#: 2026-07-18).
MEDIA_KEYS = frozenset(
    {"source_image", "target_image", "reference_image", "video_url", "match_image_url"}
)

#: Keys of what Didit says of other people whose faces it found: names and documents. It is never
#: kept (Didit OpenAPI, 2026-07-18).
PERSONAL_KEYS = frozenset({"user_details"})


_VISIBLE = re.compile(r"[!-~]+")


def read_webhook_secrets(secrets: Secret | str | Iterable[Secret | str]) -> tuple[Secret, ...]:
    """Each ``secret_shared_key`` as a secret; `ConfigurationError` for what cannot be one."""
    each = (secrets,) if isinstance(secrets, (str, Secret)) else secrets
    try:
        keys = tuple(Secret.of(secret) for secret in each)
    except TypeError:
        raise ConfigurationError("A webhook secret must be a text, or several.") from None
    if not all(_VISIBLE.fullmatch(key.reveal()) for key in keys):
        raise ConfigurationError(
            "A webhook secret is empty, or holds a space, a line break or a letter that no key of "
            "Didit's has: give the destination's secret_shared_key alone."
        )
    return keys


# Values out of a decoded JSON body; `place` is where each of them is.


def _reader(kind: type[T], description: str) -> Callable[[object, str], T]:
    """What reads a value of a type of JSON; true is no number, and 1 is not true."""

    def read(value: object, place: str) -> T:
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise ValueError(f"{place} is {type(value).__name__}, not {description}")
        return value

    return read


read_object = _reader(dict, "an object")
read_list = _reader(list, "an array")
read_text = _reader(str, "a text")
read_whole_number = _reader(int, "a whole number")


def read_number(value: object, place: str) -> float:
    """A finite number; whole numbers may come for floats."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{place} is {type(value).__name__}, not a number")  # noqa: TRY004 - of a stranger, not of a caller
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{place} is not a finite number")
    return number


def read_percentage(value: object, place: str) -> float:
    """A number from 0 to 100."""
    number = read_number(value, place)
    if not 0 <= number <= 100:
        raise ValueError(f"{place} is not from 0 to 100")
    return number


def read_time(value: object, place: str) -> datetime:
    """A moment in UTC from ISO 8601; Didit's times are UTC where they do not say."""
    text = read_text(value, place)
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{place} is not a time") from None


def _optional(read: Callable[[object, str], T]) -> Callable[[object, str], T | None]:
    """A reader that takes null, and what is missing, too: both are None."""
    return lambda value, place: None if value is None else read(value, place)


text_or_none = _optional(read_text)
number_or_none = _optional(read_number)
percentage_or_none = _optional(read_percentage)
flag_or_none = _optional(_reader(bool, "true or false"))
time_or_none = _optional(read_time)


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """A copy of a decoded body in which every text is changed; names of fields stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: map_texts(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [map_texts(item, change) for item in value]
    return value


def read_full_text(value: object, place: str) -> str:
    """A text that is not empty."""
    text = read_text(value, place)
    if not text:
        raise ValueError(f"{place} is empty")
    return text


def read_secret(value: object, place: str) -> Secret:
    """A text that is not empty, as a secret."""
    return Secret(read_full_text(value, place), origin="Didit")


_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


def read_amount(value: object, place: str) -> Decimal:
    """An amount of money; documented as text, and a JSON number by the digits that it shows."""
    text = str(value) if type(value) in (int, float) else value
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError(f"{place} is not an amount")
    return Decimal(text)


amount_or_none = _optional(read_amount)

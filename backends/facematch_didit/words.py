"""Didit's words and numbers and what they mean here, and how values are read from its JSON.

Each word has the page that says so; all pages were read on 2026-11-20. The readers raise
`ValueError` for a value of another type than documented; the sentence names the place, not the
value. Nothing here loads an HTTP client: whoever only receives webhooks needs none.
"""

from __future__ import annotations

import functools
import math
import re
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

import attrs

from facematch_core import Secret, Severity, WarningCode

T = TypeVar("T")
R = TypeVar("R", bound=attrs.AttrsInstance)
Reader: TypeAlias = Callable[[object, str], Any]

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
    {
        "error": Severity.ERROR,
        "warning": Severity.WARNING,
        "information": Severity.INFORMATION,
    }
)

#: Keys whose text is an address of a picture or film, in Didit's records (Didit OpenAPI,
#: 2026-07-18).
MEDIA_KEYS = frozenset(
    {"source_image", "target_image", "reference_image", "video_url", "match_image_url"}
)

#: Keys of what Didit says of other people whose faces it found: names and documents. It is never
#: kept (Didit OpenAPI, 2026-07-18).
PERSONAL_KEYS = frozenset({"user_details"})


# Values out of a decoded JSON body.


def an_object(value: object, place: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise _wrong(value, place, "an object")
    return value


def a_list(value: object, place: str) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise _wrong(value, place, "an array")
    return value


def a_text(value: object, place: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise _wrong(value, place, "a text")
    return value


def a_number(value: object, place: str) -> float:
    """A finite number; whole numbers may come for floats."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(value, place, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{place} is not a finite number")
    return number


def a_percentage(value: object, place: str) -> float:
    """A number from 0 to 100."""
    number = a_number(value, place)
    if not 0 <= number <= 100:
        raise ValueError(f"{place} is not from 0 to 100")
    return number


def a_whole_number(value: object, place: str) -> int:
    """A number that is written without a fraction."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, place, "a whole number")
    return value


def a_flag(value: object, place: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong(value, place, "true or false")
    return value


def a_time(value: object, place: str) -> datetime:
    """A moment in UTC from ISO 8601; Didit's times are UTC where they do not say."""
    text = a_text(value, place)
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{place} is not a time") from None


def _optional(read: Callable[[object, str], T]) -> Callable[[object, str], T | None]:
    """The same reader, with None for null and for what is missing."""
    return lambda value, place: None if value is None else read(value, place)


text_or_none = _optional(a_text)
number_or_none = _optional(a_number)
percentage_or_none = _optional(a_percentage)
whole_or_none = _optional(a_whole_number)
flag_or_none = _optional(a_flag)
time_or_none = _optional(a_time)


def _wrong(value: object, place: str, wanted: str) -> ValueError:
    return ValueError(f"{place} is {type(value).__name__}, not {wanted}")


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A copy of a decoded body in which every text is changed; names of fields stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: each_text(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [each_text(item, change) for item in value]
    return value


# Records out of such values: the class of a record says how it is read.


def under(name: str) -> dict[str, str]:
    """The `metadata` of a field of a record that Didit has under another name."""
    return {"didit": name}


def read_record(kind: type[R], body: object, **own: Any) -> R:
    """A record in a JSON object: each field by its type, under its own name or Didit's.

    Args:
        kind: An attrs class whose fields have the types of `_READERS`.
        body: Decoded JSON.
        **own: Fields that are read in another way.
    """
    answer = an_object(body, "the body")
    for field, name, read in _fields(kind):
        if field not in own:
            own[field] = read(answer.get(name), name)
    return kind(**own)


@functools.cache
def _fields(
    kind: type[attrs.AttrsInstance],
) -> tuple[tuple[str, str, Reader], ...]:
    """Name of each field, Didit's name for it, and what reads it."""
    types = typing.get_type_hints(kind)
    return tuple(
        (field.name, field.metadata.get("didit", field.name), _READERS.get(types[field.name], _own))
        for field in attrs.fields(kind)
    )


def _own(_: object, place: str) -> typing.NoReturn:
    raise TypeError(f"{place} needs a reader of its own")


def _needed_text(value: object, place: str) -> str:
    text = a_text(value, place)
    if not text:
        raise ValueError(f"{place} is empty")
    return text


def a_secret(value: object, place: str) -> Secret:
    """A text that is not empty, as a secret."""
    return Secret(_needed_text(value, place), origin="Didit")


_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


def _amount(value: object, place: str) -> Decimal:
    # Documented as text. A JSON number is taken by the digits that it shows.
    text = str(value) if type(value) in (int, float) else value
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError(f"{place} is not an amount")
    return Decimal(text)


_READERS: Mapping[Any, Reader] = {
    str: _needed_text,
    str | None: text_or_none,
    int | None: whole_or_none,
    float | None: number_or_none,
    bool | None: flag_or_none,
    datetime | None: time_or_none,
    Secret: a_secret,
    Decimal: _amount,
    Decimal | None: _optional(_amount),
}

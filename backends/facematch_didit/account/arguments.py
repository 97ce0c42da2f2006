"""Arguments of the calls of an account, checked before anything is sent, and the filters of a list.

Every fault is `InvalidRequest`, in one sentence. Filters: Didit OpenAPI, 2026-07-18, read
2026-11-20. A value that Didit does not know gives no rows, and no error: so closed vocabularies are
enums here.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from facematch_core import CallRecord, InvalidRequest, ScaleWarning, Secret, Threshold
from facematch_core.backend import CALL_ID_KEY, without_private

from .records import STATUS_WORDS, ApiService, SessionKind, SessionStatus, SessionType

T = TypeVar("T")
W = TypeVar("W", bound=enum.StrEnum)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)

#: Least amount of a top-up in US dollars (Didit OpenAPI, 2026-07-18, read 2026-11-20).
LEAST_TOP_UP = 50


def an_id(name: str, value: str | uuid.UUID) -> str:
    """A UUID as it is written in a path: Didit answers any other text with a page of markup."""
    text = str(value) if isinstance(value, uuid.UUID) else value
    if not isinstance(text, str):
        raise InvalidRequest(f"{name} must be a UUID, not {type(value).__name__}.")
    if not _UUID.fullmatch(text):
        raise InvalidRequest(f"{name} must be a UUID; this text of {len(text)} characters is none.")
    return text.lower()


def a_text(name: str, value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text, not {type(value).__name__}.")
    if not value.strip():
        raise InvalidRequest(f"{name} is empty.")
    return value


def hidden(value: T) -> T | Secret:
    """A text as a `Secret`, and whatever else it is as it is.

    The frame of a function that raises stays alive with the error, and its arguments with it: so
    this comes first of all.
    """
    return Secret.of(value) if isinstance(value, str) else value


def a_secret(name: str, value: object) -> Secret:
    """A secret that is not empty; the value comes as `hidden` gives it."""
    if not isinstance(value, Secret):
        raise InvalidRequest(f"{name} must be a Secret or text, not {type(value).__name__}.")
    if not value.reveal():
        raise InvalidRequest(f"{name} is empty.")
    return value


def a_flag(name: str, value: object) -> bool:
    """True or False, nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be True or False, not {type(value).__name__}.")
    return value


def a_record_or_none(name: str, value: object) -> CallRecord | None:
    """What is remembered of a call, or None."""
    if value is not None and not isinstance(value, CallRecord):
        raise InvalidRequest(f"{name} must be a CallRecord, not {type(value).__name__}.")
    return value


def a_web_address(name: str, value: object) -> Secret:
    """An address of the web, as a secret, for some carry a token."""
    address = a_secret(name, value)
    if not _WEB.fullmatch(address.reveal()):
        raise InvalidRequest(f"{name} must be an address that begins with https:// or http://.")
    return address


def a_day(name: str, value: object) -> str:
    """A day, as Didit's filters take it; they count whole days in UTC."""
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise InvalidRequest(f"{name} must be a datetime.date, not {type(value).__name__}.")
    return value.isoformat()


def a_count(name: str, value: object) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidRequest(f"{name} must be a whole number of at least 1.")
    return value


def several(name: str, values: object, things: str) -> list[Any]:
    """What a list, a tuple or another iterable holds; a single text or mapping is none."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InvalidRequest(
            f"{name} must be several {things}, not {type(values).__name__}: put them into a list."
        )
    return list(values)


def texts(name: str, values: object) -> list[str]:
    """Several texts, at least one; a single text is refused, because it is a series of letters."""
    if isinstance(values, str):
        raise InvalidRequest(f"{name} must be several texts, not one: put it into a list.")
    items = [a_text(f"each of {name}", value) for value in several(name, values, "texts")]
    if not items:
        raise InvalidRequest(f"{name} is empty.")
    return items


def seconds(name: str, value: object, *, least: float) -> float:
    """A finite number of seconds of at least `least`."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not least <= number < math.inf:
        raise InvalidRequest(f"{name} must be a number of seconds of at least {least:g}.")
    return number


def dollars(amount: object) -> int | float:
    """An amount as a JSON number.

    A float is refused, because 50.1 is none; so is what a JSON number would not show digit by
    digit.
    """
    if isinstance(amount, bool) or not isinstance(amount, (Decimal, int)):
        raise InvalidRequest(
            f"amount must be a Decimal or a whole number, not {type(amount).__name__}."
        )
    exact = Decimal(amount)
    if not exact.is_finite() or exact < LEAST_TOP_UP:
        raise InvalidRequest(f"amount must be at least {LEAST_TOP_UP} US dollars.")
    number = float(exact)
    if Decimal(repr(number)) != exact:
        raise InvalidRequest("amount has more digits than a payment can have.")
    return int(exact) if exact == exact.to_integral_value() else number


def a_deadline(name: str, value: object) -> float:
    """A number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise InvalidRequest(f"{name} must be a number of seconds above 0.")
    return float(value)


def an_utf8_text(name: str, value: object) -> str:
    """A text that is not empty and can be sent."""
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{name} must be text that is not empty: leave it out otherwise.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{name} must be text that can be written as UTF-8.") from None
    return value


def numbers(name: str, values: object) -> list[str]:
    """Numbers of sessions, at least one, as Didit takes them."""
    found = []
    for value in several(name, values, "whole numbers"):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidRequest(f"{name} must be whole numbers, none below 0.")
        found.append(str(value))
    if not found:
        raise InvalidRequest(f"{name} is empty: nothing would be deleted.")
    return found


def a_word(name: str, value: object, kind: type[W]) -> W:
    """A member of an enum, or its text."""
    for word in kind:
        if value == word:
            return word
    raise InvalidRequest(f"{name} must be a {kind.__name__}: {', '.join(kind)}.")


def a_threshold(name: str, value: Any) -> float | None:
    """A threshold on a scale from 0 to 100, or None; a fraction is warned of, as everywhere."""
    if value is None:
        return None
    number: Any = value.value if isinstance(value, Threshold) else value
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    if not is_number or not 0 <= number <= 100:
        raise InvalidRequest(f"{name} must be a number from 0 to 100.")
    if 0 < number <= 1 and not isinstance(value, Threshold):
        warnings.warn(
            f"{name}={number:g} lies on a scale from 0 to 100, so nearly everybody passes: did you "
            f"mean {number * 100:g}? Write Threshold({number:g}) if not.",
            ScaleWarning,
            stacklevel=3,
        )
    return float(number)


def years(name: str, value: object) -> int:
    """Whole years from 0 to 100."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise InvalidRequest(f"{name} must be whole years from 0 to 100.")
    return value


def metadata(value: object) -> dict[str, Any] | None:
    """A JSON object of the caller's, as a copy; or None."""
    if value is None:
        return None
    try:
        copy = json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError):
        copy = None
    # Keys that JSON turns into text (1, None, True) would come back as something else.
    if not isinstance(copy, dict) or copy != value:
        raise InvalidRequest(
            "metadata must be a dictionary of JSON values with text keys; no bytes, no NaN, no "
            "objects."
        )
    if without_private(copy, demographic_keys=()) != copy:
        raise InvalidRequest("metadata is nested too deeply: keep it within 64 levels.")
    if CALL_ID_KEY in copy:
        raise InvalidRequest(
            f"metadata has an entry {CALL_ID_KEY}, under which a kept call carries our own id of "
            "it: give yours another name."
        )
    return copy


# The filters of the list of sessions.


def _statuses(name: str, value: Any) -> str:
    chosen = [value] if isinstance(value, str) else several(name, value, "statuses")
    known = tuple(STATUS_WORDS)
    if not chosen or any(one not in known for one in chosen):
        raise InvalidRequest(
            "status must be a SessionStatus that Didit has a word for, or several."
        )
    return ",".join(STATUS_WORDS[SessionStatus(one)] for one in chosen)


def _listed(name: str, value: Any) -> str:
    items = texts(name, value)
    if any("," in item for item in items):
        raise InvalidRequest(f"No item of {name} may have a comma: Didit takes it as two.")
    return ",".join(items)


#: Our names of the filters: Didit's, and what checks and writes the value.
_FILTERS: dict[str, tuple[str, Callable[[str, Any], str]]] = {
    "kind": ("session_kind", lambda name, value: a_word(name, value, SessionKind)),
    "status": ("status", _statuses),
    "caller_ref": ("vendor_data", a_text),
    "search": ("search", a_text),
    "workflow_id": ("workflow_id", an_id),
    "date_from": ("date_from", a_day),
    "date_to": ("date_to", a_day),
    "country": ("country", a_text),
    "document_type": ("document_type", a_text),
    "session_type": ("session_type", lambda name, value: a_word(name, value, SessionType)),
    "api_service": ("api_service", lambda name, value: a_word(name, value, ApiService)),
    "warning": ("warning", _listed),
}


def filters(**chosen: object) -> dict[str, str]:
    """The query for the filters that are not None.

    Raises:
        InvalidRequest: a value is of another type, empty, or the days are in the wrong order.
    """
    query = {}
    for name, value in chosen.items():
        theirs, written = _FILTERS[name]
        if value is not None:
            query[theirs] = str(written(name, value))
    if "date_from" in query and query["date_from"] > query.get("date_to", "9999-12-31"):
        raise InvalidRequest("date_from is after date_to.")
    return query

"""Arguments of the calls of an account, checked before anything is sent, and the filters of a list.

Every fault is `InvalidRequest`, in one sentence. The frame of a function that raises stays alive
with the error, and its arguments with it: so a caller first makes a `Secret` of what nobody may
see (`hide`), and checks it then (`check_secret`).
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

from facematch_core import InvalidRequest, Secret

from .records import STATUS_WORDS, ApiService, SessionStatus

T = TypeVar("T")

Id: TypeAlias = str | uuid.UUID

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)

#: Least amount of a top-up in US dollars (Didit OpenAPI, 2026-07-18, read 2026-11-20).
LEAST_TOP_UP = 50


def _check_type(name: str, value: object, kind: type[T], description: str) -> T:
    if not isinstance(value, kind):
        raise InvalidRequest(f"{name} must be {description}, not {type(value).__name__}.")
    return value


def check_id(name: str, value: Id) -> str:
    """A UUID as it is written in a path: Didit answers any other text with a page of markup."""
    text = str(value) if isinstance(value, uuid.UUID) else value
    text = _check_type(name, text, str, "a UUID")
    if not _UUID.fullmatch(text):
        raise InvalidRequest(f"{name} must be a UUID; this text of {len(text)} characters is none.")
    return text.lower()


def check_text(name: str, value: object) -> str:
    """A text that is not empty."""
    text = _check_type(name, value, str, "text")
    if not text.strip():
        raise InvalidRequest(f"{name} is empty.")
    return text


def hide(value: T) -> T | Secret:
    """A text as a `Secret`, and whatever else it is as it is."""
    return Secret.of(value) if isinstance(value, str) else value


def check_secret(name: str, value: object) -> Secret:
    """A secret that is not empty; the value comes as `hide` gives it."""
    secret = _check_type(name, value, Secret, "a Secret or text")
    if not secret.reveal():
        raise InvalidRequest(f"{name} is empty.")
    return secret


def check_web_address(name: str, value: object) -> Secret:
    """An address of the web, as a secret, for some carry a token."""
    address = check_secret(name, value)
    if not _WEB.fullmatch(address.reveal()):
        raise InvalidRequest(f"{name} must be an address that begins with https:// or http://.")
    return address


def check_flag(name: str, value: object) -> bool:
    """True or False, nothing that merely counts as one."""
    return _check_type(name, value, bool, "True or False")


def check_page_size(page_size: object) -> int:
    """A whole number of at least 1."""
    if isinstance(page_size, bool) or not isinstance(page_size, int) or page_size < 1:
        raise InvalidRequest("page_size must be a whole number of at least 1.")
    return page_size


def check_seconds(value: object) -> float:
    """A finite number of seconds of at least 0; NaN is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e300:
        raise InvalidRequest("seconds must be a number of seconds of at least 0.")
    return float(value)


def check_list(name: str, values: object, things: str) -> list[Any]:
    """What a list, a tuple or another iterable holds; a single text or mapping is none."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InvalidRequest(
            f"{name} must be several {things}, not {type(values).__name__}: put them into a list."
        )
    return list(values)


def check_dollars(amount: object) -> int | float:
    """An amount as a JSON number; no float (50.1 is none), nor what JSON cannot show exactly."""
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


# The filters of the list of sessions (Didit OpenAPI, 2026-07-18, read 2026-11-20). A value that
# Didit does not know gives no rows, and no error: so closed vocabularies are enums here.


def write_filters(**values: Any) -> dict[str, str]:
    """The query for the filters that are not None."""
    query = {
        theirs: str(write(name, values[name]))
        for name, (theirs, write) in _FILTERS.items()
        if values[name] is not None
    }
    if "date_from" in query and query["date_from"] > query.get("date_to", "9999-12-31"):
        raise InvalidRequest("date_from is after date_to.")
    return query


def _write_statuses(_: str, value: Any) -> str:
    chosen = [value] if isinstance(value, str) else check_list("status", value, "statuses")
    if not chosen or any(status not in tuple(STATUS_WORDS) for status in chosen):
        raise InvalidRequest(
            "status must be a SessionStatus that Didit has a word for, or several."
        )
    return ",".join(STATUS_WORDS[SessionStatus(status)] for status in chosen)


def _check_service(name: str, value: Any) -> ApiService:
    if value not in tuple(ApiService):
        raise InvalidRequest(f"{name} must be an ApiService: {', '.join(ApiService)}.")
    return ApiService(value)


def _write_day(name: str, value: Any) -> str:
    # Didit's filters count whole days in UTC.
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise InvalidRequest(f"{name} must be a datetime.date, not {type(value).__name__}.")
    return value.isoformat()


#: Our names of arguments: Didit's, and what checks a value and writes it as Didit wants it.
_FILTERS: Mapping[str, tuple[str, Callable[[str, Any], Any]]] = {
    "status": ("status", _write_statuses),
    "caller_ref": ("vendor_data", check_text),
    "api_service": ("api_service", _check_service),
    "date_from": ("date_from", _write_day),
    "date_to": ("date_to", _write_day),
}

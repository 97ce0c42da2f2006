"""Arguments checked before anything is sent; every fault is `InvalidRequest`, in one sentence."""

from __future__ import annotations

import datetime as dt
import math
import re
import uuid
from collections.abc import Iterable
from decimal import Decimal

from facematch_core import InvalidRequest, Secret

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)

#: Least amount of a top-up in US dollars (Didit OpenAPI, 2026-07-18, read 2026-11-20).
LEAST_TOP_UP = 50


def an_id(name: str, value: str | uuid.UUID) -> str:
    """A UUID as it stands in a path: Didit answers any other text with a page of markup."""
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


def a_secret(name: str, value: object) -> Secret:
    """A secret that is not empty."""
    if not isinstance(value, (Secret, str)):
        raise InvalidRequest(f"{name} must be a Secret or text, not {type(value).__name__}.")
    secret = Secret.of(value)
    if not secret.reveal():
        raise InvalidRequest(f"{name} is empty.")
    return secret


def a_flag(name: str, value: object) -> bool:
    """True or False, nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be True or False, not {type(value).__name__}.")
    return value


def a_web_address(name: str, value: object) -> str:
    """An address of the web; it is not repeated in the sentence, for some carry a token."""
    text = a_text(name, value)
    if not _WEB.fullmatch(text):
        raise InvalidRequest(f"{name} must be an address that begins with https:// or http://.")
    return text


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


def texts(name: str, values: Iterable[str]) -> list[str]:
    """Several texts, at least one; a single text is refused, because it is a series of letters."""
    if isinstance(values, str):
        raise InvalidRequest(f"{name} must be several texts, not one: put it into a list.")
    items = [a_text(f"each of {name}", value) for value in values]
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


def numbers(name: str, values: Iterable[object]) -> list[str]:
    """Numbers of sessions, at least one, as Didit takes them."""
    found = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidRequest(f"{name} must be whole numbers, none below 0.")
        found.append(str(value))
    if not found:
        raise InvalidRequest(f"{name} is empty: nothing would be deleted.")
    return found

"""Arguments checked before anything is sent; every fault is `InvalidRequest`, in one sentence."""

from __future__ import annotations

import datetime as dt
import math
import re
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from facematch_core import Attempt, InvalidRequest, Secret

T = TypeVar("T")

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


def an_attempt_or_none(name: str, value: object) -> Attempt | None:
    """What is remembered of a call, or None."""
    if value is not None and not isinstance(value, Attempt):
        raise InvalidRequest(f"{name} must be an Attempt, not {type(value).__name__}.")
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

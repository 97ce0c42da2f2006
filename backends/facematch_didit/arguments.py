"""Arguments of the calls of an account, checked before anything is sent: `InvalidRequest`.

The frame of a function that raises stays alive with the error, and its arguments with it: so a
caller first makes a `Secret` of what nobody may see (`hide`).
"""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import TypeAlias, TypeVar

from facematch_core import InvalidRequest, Secret

T = TypeVar("T")

Id: TypeAlias = str | uuid.UUID

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

#: Least amount of a top-up in US dollars (Didit OpenAPI, 2026-07-18, read 2026-11-20).
LEAST_TOP_UP = 50


def check_id(name: str, value: Id) -> str:
    """A UUID as it is written in a path: Didit answers any other text with a page of markup."""
    if not isinstance(value, (str, uuid.UUID)):
        raise InvalidRequest(f"{name} must be a UUID, not {type(value).__name__}.")
    if not _UUID.fullmatch(str(value)):
        length = len(str(value))
        raise InvalidRequest(f"{name} must be a UUID; this text of {length} characters is none.")
    return str(value).lower()


def check_text(name: str, value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text, not {type(value).__name__}.")
    if not value.strip():
        raise InvalidRequest(f"{name} is empty.")
    return value


def hide(value: T) -> T | Secret:
    """A text as a `Secret`, and whatever else it is as it is."""
    return Secret.of(value) if isinstance(value, str) else value


def check_secret(name: str, value: object) -> Secret:
    """A secret that is not empty."""
    if not isinstance(value, Secret):
        raise InvalidRequest(f"{name} must be a Secret or text, not {type(value).__name__}.")
    if not value.reveal():
        raise InvalidRequest(f"{name} is empty.")
    return value


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

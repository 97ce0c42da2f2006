"""Checks of the arguments of an account's methods, before anything is sent: `InvalidRequest`."""

from __future__ import annotations

import re
import uuid
from typing import TypeAlias

from facematch_core import InvalidRequest

Id: TypeAlias = str | uuid.UUID

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


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

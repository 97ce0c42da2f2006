"""What of a session may be shown: no picture's address, no guess about a person, no echo."""

from __future__ import annotations

from typing import Any

from facematch_core import Secret
from facematch_core.backend import without_private
from facematch_core.http import without_secrets
from facematch_didit._words import MEDIA_KEYS, PERSONAL_KEYS

#: Keys of a session that lead to pictures or to the session itself (Didit OpenAPI, 2026-07-18,
#: read 2026-11-20). A saved face search tells a storage path, which is no address by its form.
_ADDRESSES = MEDIA_KEYS | {"portrait_image", "session_url", "callback"}

#: Guesses about the person, and what other sessions say of theirs.
_ABOUT_PEOPLE = PERSONAL_KEYS | {"age", "gender", "race", "age_estimation"}

_MASKED = "(address removed)"

#: Deeper than this no answer of Didit's is.
_MAX_DEPTH = 64


def shown(value: Any) -> Any:
    """A copy of a decoded body with every address masked, and without guesses about people."""
    return _without_addresses(
        without_private(value, demographic_keys=_ABOUT_PEOPLE, media_keys=_ADDRESSES)
    )


def _without_addresses(value: Any) -> Any:
    # Addresses stand under more keys than the documents name.
    if isinstance(value, str):
        return _MASKED if "://" in value else value
    if isinstance(value, dict):
        return {key: _without_addresses(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_addresses(item) for item in value]
    return value


def without_echo(value: Any, secrets: tuple[Secret, ...], depth: int = 0) -> Any:
    """A decoded body in whose texts the request's secrets are masked.

    Raises:
        ValueError: it is nested deeper than anything that Didit answers.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("the body is nested too deeply")
    if isinstance(value, str):
        return without_secrets(value, secrets)
    if isinstance(value, dict):
        return {key: without_echo(item, secrets, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [without_echo(item, secrets, depth + 1) for item in value]
    return value

"""Settings that the backend and the account have in common, checked."""

from __future__ import annotations

import math
from typing import Any

import attrs

from facematch_core import ConfigurationError, Environment, Secret

#: Where keys and faces go.
HOST = "verification.didit.me"


def secret(key: Secret | str) -> Secret:
    """The key as a `Secret`."""
    return Secret.of(key)


def not_empty(_: object, __: object, key: Secret) -> None:
    """Refuse a key without a character."""
    if not key.reveal():
        raise ConfigurationError("api_key is empty: set the environment variable DIDIT_API_KEY.")


def flag(_: object, attribute: attrs.Attribute[bool], value: object) -> None:
    """Refuse what merely counts as true or false."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} must be True or False.")


def declared(value: Environment | str) -> Environment:
    """The environment that a key may be declared to be of."""
    # The two kinds of keys that Didit gives out, and no Didit at all.
    for environment in (Environment.PRODUCTION, Environment.SANDBOX, Environment.MOCK):
        if value == environment:
            return environment
    raise ConfigurationError(
        "environment must be Environment.PRODUCTION or Environment.SANDBOX, which says what kind "
        "of key api_key is, or Environment.MOCK, if base_url leads to a mock."
    )


def seconds(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Refuse what is no time."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigurationError(f"{attribute.name} must be a number of seconds above 0.")

"""What the receiver asks of a delivery, checked: faults here are its own, not a stranger's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

import attrs

from facematch_core import ConfigurationError, InvalidRequest, Secret, SystemClock

Secrets = Secret | str | Iterable[Secret | str]


def _between(value: object, name: str, least: float, most: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not least <= float(value) <= most:  # type: ignore[arg-type]  # a number, by `number`
        raise InvalidRequest(f"{name} must be a number from {least:g} to {most:g}.")


def _window(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    _between(value, attribute.name, 0, 86_400)


def _size(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    _between(value, attribute.name, 1, math.inf)


def _now(value: datetime | None) -> datetime:
    now: object = SystemClock().now() if value is None else value
    if not (isinstance(now, datetime) and now.tzinfo):
        raise InvalidRequest("now must be a datetime with its zone: datetime.now(UTC).")
    return now


def keys_of(secrets: Secrets) -> tuple[Secret, ...]:
    """At least one, none empty, each encodable as UTF-8.

    Raises:
        ConfigurationError: they are not.
    """
    each = [secrets] if isinstance(secrets, (str, Secret)) else secrets
    try:
        keys = tuple(Secret.of(secret) for secret in each)
    except TypeError:
        keys = ()
    if not keys or not all(key.reveal() for key in keys):
        raise ConfigurationError(
            "secrets must be the webhook destination's secret_shared_key, or several; without one "
            "no delivery can be told from a stranger's."
        )
    if not all(_encodes(key) for key in keys):
        raise ConfigurationError("A webhook secret must be text that UTF-8 can write.")
    return keys


def _encodes(key: Secret) -> bool:
    try:
        key.reveal().encode()
    except UnicodeEncodeError:
        return False
    return True


@attrs.frozen(kw_only=True)
class Asked:
    """The arguments of `verify_webhook` beside the delivery itself.

    Attributes:
        secrets: As of `keys_of`.
        now: With its zone.
        tolerance_s: 0-86400 seconds.
        accept_prefixed_v2: Whether the other reading of V2 is enough.
        max_bytes: At least 1.
    """

    secrets: tuple[Secret, ...]
    now: datetime = attrs.field(converter=_now)
    tolerance_s: float = attrs.field(validator=_window)
    accept_prefixed_v2: bool
    max_bytes: float = attrs.field(validator=_size)

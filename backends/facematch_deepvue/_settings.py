"""The backend's settings, checked, and what it declares by them."""

from __future__ import annotations

import enum
from typing import Any, TypeVar

import attrs

from facematch_core import ConfigurationError, Environment, Operation, Secret, ThresholdRule
from facematch_core.backend import Capabilities, ImageFormat, ImageLimits

from ._words import (
    LIVENESS_SCALE,
    RATES,
    SCALES,
    ApiVersion,
    ImageForm,
    Meaning,
    Plan,
    Scale,
)

#: Where keys and faces go. Deepvue docs, /authentication.
HOST = "production.deepvue.tech"

#: Deepvue's own as well, by the README of its deepvue-aadhaar-offline-ekyc-react-sdk; whether it
#: answers face calls is not documented.
TEST_HOST = "pre-production.deepvue.tech"

E = TypeVar("E", bound=enum.StrEnum)


def secret(value: Secret | str) -> Secret:
    """The text as a `Secret`."""
    return Secret.of(value)


def file_size(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Refuse what is no number of bytes."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{attribute.name} must be a whole number of bytes, at least 1.")


def declared(value: Environment | str | None) -> Environment | None:
    """The environment that the address may be declared to be of."""
    for environment in (None, Environment.PRODUCTION, Environment.SANDBOX, Environment.MOCK):
        if value == environment:
            return environment
    raise ConfigurationError(
        "environment must be Environment.PRODUCTION, Environment.SANDBOX for a test host of "
        "Deepvue's, or Environment.MOCK, if base_url leads to a mock."
    )


def a_version(value: ApiVersion | str) -> ApiVersion:
    """Which face match is asked."""
    return _word(ApiVersion, "api_version", value)


def a_scale(value: Scale | str) -> Scale:
    """The scale of a liveness check's number."""
    return _word(Scale, "liveness_score_scale", value)


def a_scale_or_none(value: Scale | str | None) -> Scale | None:
    """The scale of `confidence`; None if nobody has set it."""
    return None if value is None else _word(Scale, "confidence_scale", value)


def a_meaning(value: Meaning | str) -> Meaning:
    """What `confidence` is the confidence in."""
    return _word(Meaning, "confidence_meaning", value)


def an_image_form(value: ImageForm | str) -> ImageForm:
    """How a picture is written in JSON."""
    return _word(ImageForm, "liveness_image_form", value)


def a_plan(value: Plan | str) -> Plan:
    """What is booked."""
    return _word(Plan, "plan", value)


def _word(kind: type[E], name: str, value: object) -> E:
    for member in kind:
        if value == member:
            return member
    words = ", ".join(f'"{member.value}"' for member in kind)
    raise ConfigurationError(f"{name} must be one of {words}.")


#: No page gives a largest file. 5 MiB is an assumption of ours.
ASSUMED_MAX_BYTES = 5 * 1024 * 1024

_BOTH = frozenset({Operation.MATCH, Operation.LIVENESS})


def can(
    *, version: ApiVersion, max_file_bytes: int, scaled: bool, live_scaled: bool, plan: Plan
) -> Capabilities:
    """What can be asked with these settings.

    Args:
        version: Which face match.
        max_file_bytes: Largest file.
        scaled, live_scaled: Whether a face match, a liveness check, has scores.
        plan: What is booked.
    """
    return Capabilities(
        operations=_BOTH,
        threshold_rule=ThresholdRule.AT_LEAST,
        score_scale=SCALES[version] if scaled else None,
        liveness_scale=LIVENESS_SCALE if live_scaled else None,
        # Of v1 these two are documented, of v2 "images"; PDF, which v2 takes, is not offered.
        image_limits=ImageLimits(
            formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
            max_bytes=max_file_bytes,
            max_bytes_from="max_file_bytes, an assumption: Deepvue documents no limit",
        ),
        billed_operations=_BOTH,
        rate_windows=RATES[plan],
    )

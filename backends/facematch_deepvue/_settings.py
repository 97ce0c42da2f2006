"""The backend's settings, checked."""

from __future__ import annotations

import enum
from typing import Any, TypeVar

import attrs

from facematch_core import ConfigurationError, Environment, Secret

from ._words import ApiVersion, ImageForm, Meaning, Plan, Scale

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

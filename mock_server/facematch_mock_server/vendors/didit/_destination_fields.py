"""The fields of a webhook destination: each value, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from facematch_mock_server.claims import Told
from facematch_mock_server.webhooks._addresses import is_near, is_public, parsed
from facematch_mock_server.world import World

_TRUE = frozenset({"true", "1", "t", "yes", "y", "on"})
_FALSE = frozenset({"false", "0", "f", "no", "n", "off"})


class BadFieldError(Exception):
    """A value is refused; its text is the vendor's sentence."""


def read(
    told: Told, world: World, body: Mapping[str, Any], *, needed: tuple[str, ...] = ()
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The values by field, and the faults by field.

    Args:
        told: What decides.
        world: Says which hosts are near.
        body: As decoded; fields that are not known are ignored.
        needed: Fields that must be there.
    """
    values: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for name, reader in _READERS.items():
        if name not in body:
            if name in needed:
                faults[name] = [told["destination.required"]]
            continue
        try:
            values[name] = reader(told, world, _given(told, body[name]))
        except BadFieldError as fault:
            faults[name] = [str(fault)]
    return values, faults


def _given(told: Told, value: Any) -> Any:
    if value is None:
        raise BadFieldError(told["destination.null"])
    return value


def _text(told: Told, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise BadFieldError(told["destination.text"])
    text = str(value).strip()
    if not text:
        raise BadFieldError(told["destination.blank"])
    return text


def _label(told: Told, _: World, value: Any) -> str:
    text, most = _text(told, value), told["destination.label_length"]
    if len(text) > most:
        raise BadFieldError(told["destination.label_long"].format(most=most))
    return text


def address(told: Told, world: World, value: Any) -> str:
    """An address that a destination may have.

    Raises:
        BadFieldError: it may not.
    """
    text = _text(told, value)
    parts = parsed(text)
    if parts is None:
        raise BadFieldError(told["destination.url_bad"])
    host = parts.hostname or ""
    if is_near(host, world.deliver_to) and told["destination.url_near"]:
        return text
    if told["destination.url_public"] and (parts.scheme != "https" or not is_public(host)):
        raise BadFieldError(told["destination.url_private"])
    return text


def _flag(told: Told, _: World, value: Any) -> bool:
    word = str(value).lower() if isinstance(value, (bool, int, str)) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise BadFieldError(told["destination.flag"])


def version(told: Told, _: World, value: Any) -> str:
    """A version of the body.

    Raises:
        BadFieldError: there is no such version.
    """
    if not isinstance(value, str) or value not in told["destination.versions"]:
        raise BadFieldError(told["destination.choice"].format(value=value))
    return value


def _events(told: Told, _: World, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        kind = type(value).__name__
        raise BadFieldError(told["destination.events_list"].format(kind=kind))
    if not value:
        raise BadFieldError(told["destination.events_none"])
    if not all(isinstance(name, str) for name in value):
        raise BadFieldError(told["destination.text"])
    known = told["destination.events"]
    unknown = [name for name in value if name not in known]
    if unknown:
        names = ", ".join(unknown)
        raise BadFieldError(told["destination.events_unknown"].format(names=names))
    return tuple(dict.fromkeys(value))


_READERS: dict[str, Callable[[Told, World, Any], Any]] = {
    "label": _label,
    "url": address,
    "enabled": _flag,
    "webhook_version": version,
    "subscribed_events": _events,
}

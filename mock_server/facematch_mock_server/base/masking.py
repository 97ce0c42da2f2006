"""Shorten values and mask secrets for the journal, the console and `repr`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from .messages import hide_token

#: Matches a URL, whose user and query may contain secrets. The search starts only at the beginning
#: of a word, so a long text takes linear time.
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z0-9+.-]+://)(?:[^/?#@\s]*@)?(?P<rest>[^?#\s]*)\S*"
)
#: The text that replaces a hidden value, by the value's type.
_KINDS: Mapping[type, str] = {
    str: "text of {} characters",
    list: "list of {}",
    dict: "object of {}",
    bool: "a flag",
    int: "a number",
    float: "a number",
}
#: Maximum length of a shown value, in characters.
SHORT = 80
#: Matches the names of secrets. Sumsub's web SDK sends its access token as the field `_`.
SECRET = re.compile(r"key|secret|token|passw|authori[sz]ation|signature|^code$|^_$", re.IGNORECASE)

_PICTURE = re.compile(r"image|picture|photo|selfie", re.IGNORECASE)


def shorten(text: str, length: int = SHORT) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def mask_and_shorten(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Shorten the values of fields, mask secrets, and remove the user and query of URLs."""
    return {shorten(name): mask_and_shorten_value(name, value) for name, value in fields}


def mask_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Mask the values of fields that are named like secrets."""
    return {name: "***" if SECRET.search(name) else text for name, text in fields.items()}


def describe_fields(
    fields: Iterable[tuple[str, Any]], shown_names: Collection[str]
) -> dict[str, str]:
    """Describe the fields in `shown` by a shortened value, and others by type and length."""
    described = {}
    for name, value in fields:
        text = _show_plain(value) if name in shown_names else _describe_kind(value)
        described[shorten(name)] = mask_and_shorten_value(name, text)
    return described


def shorten_json(values: Mapping[str, Any]) -> str:
    """Format an object as short JSON. Secrets are masked; nested values become type and length."""
    masked_values: dict[str, Any] = {}
    for name, value in values.items():
        if SECRET.search(name) or _PICTURE.search(name):
            masked_values[name] = "***"
        elif isinstance(value, (list, dict)):
            masked_values[name] = _describe_kind(value)
        elif isinstance(value, str):
            masked_values[name] = hide_secrets(value)
        else:
            masked_values[name] = value
    return shorten(json.dumps(masked_values, ensure_ascii=False))


def show_rule(rule: Any) -> str:
    """Return a rule's `repr`, with only the values that were set, masked and shortened."""
    set_fields = []
    for field in attrs.fields(type(rule)):
        value = getattr(rule, field.name)
        if value == _default_of(rule, field) or value in ({}, frozenset()):
            continue
        if field.name in ("field", "headers"):
            value = mask_and_shorten((name, str(text)) for name, text in value.items())
        elif field.name == "body" and isinstance(value, dict):
            value = shorten_json(value)
        elif field.name == "body" and isinstance(value, list):
            value = f"list of {len(value)}"
        text = repr(str(value) if isinstance(value, str) else value)
        set_fields.append(f"{field.name}={shorten(text, 200)}")
    return f"{type(rule).__name__}({', '.join(set_fields)})"


def _default_of(rule: object, field: attrs.Attribute[Any]) -> Any:
    """Return a field's default, which may depend on the rule's other fields."""
    if getattr(field.default, "takes_self", False):
        return field.default.factory(rule)  # type: ignore[union-attr]  # a factory has it
    return field.default


def mask_and_shorten_value(name: str, value: str) -> str:
    """Do for one field's value what `mask_and_shorten` does."""
    return "***" if SECRET.search(name) else shorten(hide_secrets(value))


def hide_secrets(value: str) -> str:
    """Remove the user and the query of URLs in a text, and mask tokens of persons' pages."""
    if "://" not in value:
        return value
    return hide_token(_ADDRESS.sub(r"\g<scheme>\g<rest>", value))


def _show_plain(value: object) -> str:
    """Return a value as text; an object, or a list with nested values, by type and length."""
    if not isinstance(value, (dict, list)):
        return str(value)
    if isinstance(value, dict) or any(isinstance(item, (dict, list)) for item in value):
        return _describe_kind(value)
    return ", ".join(map(str, value))


def _describe_kind(value: object) -> str:
    """Return a value's type and length; ``null`` for None."""
    length = len(value) if isinstance(value, (str, list, dict)) else 0
    return _KINDS.get(type(value), "null").format(length)

"""The casing of keys in Persona's requests and answers.

Source: docs.withpersona.com/api-key-inflection, read 2026-11-29.
"""

from __future__ import annotations

import re
from typing import Any


def inflect(value: object, casing: str) -> Any:
    """Return JSON with kebab keys changed to `casing`, but those inside `fields`.

    The casing is ``snake``, ``camel``, or ``kebab``, which leaves them.
    """
    if isinstance(value, list):
        return [inflect(item, casing) for item in value]
    if not isinstance(value, dict):
        return value
    inflected = {}
    for name, item in value.items():
        inflected[_inflect_name(name, casing)] = item if name == "fields" else inflect(item, casing)
    return inflected


def as_kebab(value: object) -> Any:
    """Return the JSON of a request with keys in kebab case, but those inside `fields`."""
    if isinstance(value, list):
        return [as_kebab(item) for item in value]
    if not isinstance(value, dict):
        return value
    kebab = {}
    for name, item in value.items():
        kebab[kebab_name(name)] = item if name == "fields" else as_kebab(item)
    return kebab


def kebab_name(name: str) -> str:
    """Return a key that may be in camel or snake case in kebab case."""
    return re.sub("_|(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _inflect_name(name: str, casing: str) -> str:
    if casing == "camel":
        return re.sub("-([a-z0-9])", lambda found: found[1].upper(), name)
    return name.replace("-", "_") if casing == "snake" else name

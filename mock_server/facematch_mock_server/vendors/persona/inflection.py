"""The casing of keys in Persona's requests and answers, and the attributes that are asked for.

Source: docs.withpersona.com/api-key-inflection and /response-body, read 2026-11-29.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import Any


def inflect(value: object, casing: str) -> Any:
    """Return JSON with kebab keys changed to `casing`, but those inside `fields`.

    The casing is ``snake``, ``camel``, or ``kebab``, which leaves them.
    """
    if casing == "camel":
        return _rename_keys(value, _camel_name)
    if casing == "snake":
        return _rename_keys(value, lambda name: name.replace("-", "_"))
    return value


def as_kebab(value: object) -> Any:
    """Return the JSON of a request with keys in kebab case, but those inside `fields`."""
    return _rename_keys(value, kebab_name)


def kebab_name(name: str) -> str:
    """Return a key that may be in camel or snake case in kebab case."""
    return re.sub("_|(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def select_attributes(resources: Any, names: Mapping[str, Container[str]]) -> Any:
    """Return a resource, or a list of them, with only the attributes that are named for its type.

    A resource of a type that `names` lacks keeps all.
    """
    if isinstance(resources, list):
        return [select_attributes(resource, names) for resource in resources]
    wanted = names.get(resources["type"])
    if wanted is None:
        return resources
    attributes = {n: value for n, value in resources["attributes"].items() if n in wanted}
    return {**resources, "attributes": attributes}


def _camel_name(name: str) -> str:
    return re.sub("-([a-z0-9])", lambda found: found[1].upper(), name)


def _rename_keys(value: object, rename: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_rename_keys(item, rename) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {}
    for name, item in value.items():
        renamed[rename(name)] = item if name == "fields" else _rename_keys(item, rename)
    return renamed

"""Make own replies of reduced calls: which request each answers, and in which order."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Self
from urllib.parse import parse_qsl

import attrs

#: Least characters of a stand-in that is part of no other one.
_LONG_STAND_IN = 20


@attrs.frozen
class ReducedCall:
    """A call after its reduction.

    Attributes:
        mapping: Its own reply, whose request has a template of the path.
        path: The path with the stand-ins of this call.
        request: The request of `mapping` as a text, to compare it.
        general_response: A response that repeats the ids of its request, whatever they are when
            it is replayed.
    """

    mapping: dict[str, Any]
    path: str
    request: str
    general_response: dict[str, Any]

    @classmethod
    def of(cls, mapping: dict[str, Any], stand_ins: Collection[str]) -> Self:
        target: str = mapping["metadata"]["sent"]["target"]
        path, _, query = target.partition("?")
        request = json.dumps(mapping["request"])
        return cls(mapping, path, request, _repeat_ids(mapping, path, query, stand_ins))

    @property
    def for_any_path(self) -> dict[str, Any]:
        return {**self.mapping, "response": self.general_response}

    @property
    def for_own_path(self) -> dict[str, Any]:
        request = {**self.mapping["request"], "urlPath": self.path}
        del request["urlPathTemplate"]
        return {**self.mapping, "request": request}


def tell_apart(calls: Sequence[ReducedCall]) -> list[dict[str, Any]]:
    """Return the own replies of all calls, in order.

    If calls differ in a hidden part of the path alone, each reply answers its own path. Replies to
    equal requests follow each other.
    """
    paths: dict[str, set[str]] = {}
    for call in calls:
        paths.setdefault(call.request, set()).add(call.path)
    mappings = []
    turns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for call in calls:
        has_one_path = len(paths[call.request]) == 1
        mapping = call.for_any_path if has_one_path else call.for_own_path
        pictures = mapping["metadata"]["pictures"]
        turns.setdefault((call.request, call.path, *pictures), []).append(mapping)
        mappings.append(mapping)
    for number, group in enumerate(turns.values(), 1):
        if len(group) > 1:
            _make_scenario(f"repeated-{number}", group)
    return mappings


def _make_scenario(name: str, group: Sequence[dict[str, Any]]) -> None:
    """Give the replies to one request in turn; the last one stays."""
    for turn, mapping in enumerate(group):
        mapping["scenarioName"] = name
        mapping["requiredScenarioState"] = f"turn {turn}" if turn else "Started"
        if turn + 1 < len(group):
            mapping["newScenarioState"] = f"turn {turn + 1}"


def _repeat_ids(
    mapping: dict[str, Any], path: str, query: str, stand_ins: Collection[str]
) -> dict[str, Any]:
    """Return the response with templates in place of the ids in its request."""
    template: str = mapping["request"]["urlPathTemplate"]
    templates = {}
    for expression, text in _texts_in("$", mapping["metadata"]["sent"].get("json"), stand_ins):
        templates[text] = f"{{{{jsonPath request.body '{expression}'}}}}"
    for name, text in parse_qsl(query):
        if name not in stand_ins:
            templates[text] = f"{{{{request.query.{name}}}}}"
    for name, text in zip(template.split("/"), path.split("/"), strict=True):
        if name != text:
            templates[text] = f"{{{{request.path.{name[1:-1]}}}}}"
    hidden = {text: template for text, template in templates.items() if text in stand_ins}
    response: dict[str, Any] = _replace_texts(mapping["response"], hidden)
    return response


def _texts_in(expression: str, value: Any, stand_ins: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the texts in a JSON value, each with its JSONPath, but not below a hidden key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if re.fullmatch(r"[A-Za-z_][\w-]*", name) and name not in stand_ins:
                yield from _texts_in(f"{expression}.{name}", inner, stand_ins)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts_in(f"{expression}[{number}]", inner, stand_ins)
    elif isinstance(value, str):
        yield expression, value


def _replace_texts(value: Any, templates: dict[str, str]) -> Any:
    """Replace the texts of a JSON value, and long ones within links."""
    if isinstance(value, dict):
        return {name: _replace_texts(inner, templates) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replace_texts(inner, templates) for inner in value]
    if not isinstance(value, str) or value in templates:
        return templates.get(value, value)
    for text, template in templates.items():
        if len(text) >= _LONG_STAND_IN:
            value = value.replace(text, template)
    return value

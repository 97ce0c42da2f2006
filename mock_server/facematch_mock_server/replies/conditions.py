"""The conditions of own replies: which requests one answers."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Protocol, Self

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.messages import Request, form_of

from .json_path import find_values, parse_json_path, text_of
from .node import Node

_TESTS = ("equalTo", "contains", "matches", "absent")
_PLACES = ("urlPath", "urlPathTemplate", "urlPathPattern", "url", "urlPattern")
_JSON_OPTIONS = ("ignoreArrayOrder", "ignoreExtraElements")
_PARTS = ("method", *_PLACES, "headers", "queryParameters", "formParameters", "bodyPatterns")
_ANYTHING = re.compile("(?s).*")


@attrs.frozen
class Condition:
    """What one of a request's values must be.

    Attributes:
        pattern: What matches the whole value; None if the value must be absent.
    """

    pattern: re.Pattern[str] | None

    @classmethod
    def read(cls, node: Node) -> Self:
        """Read ``{"equalTo": "x"}``, or another of the tests. Raises ValueError."""
        tests = node.object(_TESTS)
        if len(tests) != 1:
            node.refuse(f"it must have one of {', '.join(_TESTS)}")
        if "equalTo" in tests:
            return cls(re.compile(re.escape(tests["equalTo"].text())))
        if "contains" in tests:
            return cls(re.compile(f"(?s).*{re.escape(tests['contains'].text())}.*"))
        if "matches" in tests:
            return cls(tests["matches"].expression())
        if not tests["absent"].flag():
            tests["absent"].refuse('it must be true; for any value write {"matches": ".*"}')
        return cls(None)

    def fits(self, texts: Collection[str]) -> bool:
        """Return whether any of the values that were sent fits; with "absent", whether none was."""
        if self.pattern is None:
            return not texts
        return any(self.pattern.fullmatch(text) for text in texts)


class BodyCondition(Protocol):
    """A condition of a request's body."""

    def fits(self, request: Request) -> bool: ...


def read_body_condition(node: Node) -> BodyCondition:
    """Read one of ``bodyPatterns``. Raises ValueError."""
    tests = node.object((*_TESTS, "matchesJsonPath", "equalToJson", *_JSON_OPTIONS))
    if "matchesJsonPath" in tests and len(tests) == 1:
        return JsonPathCondition.read(tests["matchesJsonPath"])
    if "equalToJson" in tests:
        return EqualJson.read(node)
    return WholeBody(Condition.read(node))


@attrs.frozen
class WholeBody:
    """A condition of the body as text."""

    condition: Condition

    def fits(self, request: Request) -> bool:
        text = bytes(request.body).decode(errors="replace")
        return self.condition.fits([text] if text else [])


@attrs.frozen(kw_only=True)
class EqualJson:
    """The JSON that a body must be equal to.

    Attributes:
        expected: The JSON.
        ignores_order: Whether the items of lists may have any order.
        ignores_more: Whether objects and lists may have more than is expected.
    """

    expected: Any
    ignores_order: bool
    ignores_more: bool

    @classmethod
    def read(cls, node: Node) -> Self:
        """Read ``{"equalToJson": ...}``, JSON or its text. Raises ValueError."""
        parts = node.object(("equalToJson", *_JSON_OPTIONS))
        expected = parts["equalToJson"].value
        if isinstance(expected, str):
            try:
                expected = load_json(expected)
            except ValueError:
                parts["equalToJson"].refuse("it must be JSON, or a text with JSON")
        if "${json-unit" in json.dumps(expected):
            parts["equalToJson"].refuse("this mock has no placeholders such as ${json-unit.ignore}")
        return cls(
            expected=expected,
            ignores_order="ignoreArrayOrder" in parts and parts["ignoreArrayOrder"].flag(),
            ignores_more="ignoreExtraElements" in parts and parts["ignoreExtraElements"].flag(),
        )

    def fits(self, request: Request) -> bool:
        try:
            body = load_json(request.body)
        except (ValueError, RecursionError):
            return False
        return self._is_equal(self.expected, body)

    def _is_equal(self, expected: Any, sent: Any) -> bool:
        if isinstance(expected, dict) and isinstance(sent, dict):
            if expected.keys() - sent.keys() or (sent.keys() - expected and not self.ignores_more):
                return False
            return all(self._is_equal(value, sent[name]) for name, value in expected.items())
        if isinstance(expected, list) and isinstance(sent, list):
            return self._has_items(expected, sent)
        # True is 1 in Python, and 1 is 1.0 in JSON.
        return isinstance(expected, bool) is isinstance(sent, bool) and bool(expected == sent)

    def _has_items(self, expected: list[Any], sent: list[Any]) -> bool:
        """Return whether a list has the expected items, each once.

        They must be in order, and there must be no more, unless that is ignored.
        """
        if len(sent) < len(expected) or (len(sent) > len(expected) and not self.ignores_more):
            return False
        if not self.ignores_order:
            return all(map(self._is_equal, expected, sent))
        left = list(sent)
        for item in expected:
            found = next((each for each in left if self._is_equal(item, each)), left)
            if found is left:
                return False
            left.remove(found)
        return True


@attrs.frozen
class JsonPathCondition:
    """A condition of the values at a JSONPath of the body. Null counts as no value."""

    expression: str
    condition: Condition

    @classmethod
    def read(cls, inner: Node) -> Self:
        """Read the value of ``matchesJsonPath``. Raises ValueError."""
        if not isinstance(inner.value, dict):
            return cls(_read_json_path(inner), Condition(_ANYTHING))
        parts = inner.object(("expression", *_TESTS))
        if "expression" not in parts:
            inner.refuse("it must have an expression")
        wanted = {name: value for name, value in inner.value.items() if name != "expression"}
        condition = Condition.read(attrs.evolve(inner, value=wanted))
        return cls(_read_json_path(parts["expression"]), condition)

    def fits(self, request: Request) -> bool:
        values = find_values(request, self.expression)
        return self.condition.fits([text_of(value) for value in values if value is not None])


def _read_json_path(node: Node) -> str:
    expression = node.text()
    try:
        parse_json_path(expression)
    except ValueError as error:
        node.refuse(str(error))
    return expression


@attrs.frozen(kw_only=True)
class RequestPattern:
    """The requests that an own reply answers.

    Attributes:
        method: The method; None for every one.
        path: What matches the whole path, without the query unless `has_query`.
        has_query: Whether it was written as ``url`` or ``urlPattern``, which have the query.
        shown_path: The path as it was written.
        headers: Conditions by the header's name in lower case.
        query, form: Conditions by the name of a parameter, or of a form's field without a file.
        body: Conditions of the body, all of which must fit.
    """

    method: str | None
    path: re.Pattern[str]
    has_query: bool
    shown_path: str
    headers: Mapping[str, Condition]
    query: Mapping[str, Condition]
    form: Mapping[str, Condition]
    body: tuple[BodyCondition, ...]

    @classmethod
    def read(cls, node: Node) -> Self:
        """Read the ``request`` of a mapping. Raises ValueError."""
        parts = node.object(_PARTS)
        places = [name for name in _PLACES if name in parts]
        if len(places) != 1:
            node.refuse(f"it must have one of {', '.join(_PLACES)}")
        (place,) = places
        method = parts["method"].text() if "method" in parts else "ANY"
        if not re.fullmatch("[A-Z]+", method):
            parts["method"].refuse("it must be in upper case, such as POST, or ANY")
        headers = {}
        for name, condition in _read_conditions(parts.get("headers")).items():
            headers[name.lower()] = condition
        body = parts["bodyPatterns"].items() if "bodyPatterns" in parts else []
        return cls(
            method=None if method == "ANY" else method,
            path=_read_path(place, parts[place]),
            has_query=place in ("url", "urlPattern"),
            shown_path=parts[place].text(),
            headers=headers,
            query=_read_conditions(parts.get("queryParameters")),
            form=_read_conditions(parts.get("formParameters")),
            body=tuple(map(read_body_condition, body)),
        )

    def match_path(self, head: Request) -> re.Match[str] | None:
        """Return the match of the path if the method fits, too; else None."""
        if self.method not in (None, head.method):
            return None
        return self.path.fullmatch(head.target if self.has_query else head.path)

    def fits(self, request: Request) -> bool:
        """Return whether the method, the path and all conditions fit."""
        if self.match_path(request) is None:
            return False
        for name, condition in self.headers.items():
            value = request.header(name)
            if not condition.fits([] if value is None else [value]):
                return False
        for name, condition in self.query.items():
            if not condition.fits([text for sent, text in request.query if sent == name]):
                return False
        if self.form:
            fields = form_of(request).fields
            for name, condition in self.form.items():
                if not condition.fits(fields.get(name, [])):
                    return False
        return all(condition.fits(request) for condition in self.body)


def _read_conditions(node: Node | None) -> dict[str, Condition]:
    if node is None:
        return {}
    return {name: Condition.read(inner) for name, inner in node.object().items()}


def _read_path(place: str, node: Node) -> re.Pattern[str]:
    """Return what matches a path: a text, a template with ``{names}``, or an expression."""
    if place in ("urlPathPattern", "urlPattern"):
        return node.expression()
    path = node.text()
    if place == "url":
        if not path.startswith("/"):
            node.refuse("it must begin with /")
        return re.compile(re.escape(path))
    if not path.startswith("/") or "?" in path:
        node.refuse("it must begin with / and have no query, which is in queryParameters")
    pattern = re.escape(path)
    if place == "urlPathTemplate":
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
    try:
        return re.compile(pattern)
    except re.error:
        node.refuse("its names in braces must be different, and begin with a letter")

"""The conditions of own replies: which requests one answers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Self

import attrs

from facematch_mock_server.base.messages import Request, form_of

from .json_path import find_values, parse_json_path, text_of
from .node import Node

_TESTS = ("equalTo", "matches", "absent")
_PLACES = ("urlPath", "urlPathTemplate", "urlPathPattern")
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
        """Read ``{"equalTo": "x"}``, or another of the three. Raises ValueError."""
        tests = node.object(_TESTS)
        if len(tests) != 1:
            node.refuse(f"it must have one of {', '.join(_TESTS)}")
        if "equalTo" in tests:
            return cls(re.compile(re.escape(tests["equalTo"].text())))
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


@attrs.frozen
class BodyCondition:
    """A condition of the values at a JSONPath of the body. Null counts as no value."""

    expression: str
    condition: Condition

    @classmethod
    def read(cls, node: Node) -> Self:
        """Read ``{"matchesJsonPath": ...}``. Raises ValueError."""
        tests = node.object(("matchesJsonPath",))
        if not tests:
            node.refuse("it must have matchesJsonPath")
        inner = tests["matchesJsonPath"]
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
        path: What matches the whole path, without the query.
        shown_path: The path as it was written.
        headers: Conditions by the header's name in lower case.
        query, form: Conditions by the name of a parameter, or of a form's field without a file.
        body: Conditions of the body, all of which must fit.
    """

    method: str | None
    path: re.Pattern[str]
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
            shown_path=parts[place].text(),
            headers=headers,
            query=_read_conditions(parts.get("queryParameters")),
            form=_read_conditions(parts.get("formParameters")),
            body=tuple(map(BodyCondition.read, body)),
        )

    def match_path(self, head: Request) -> re.Match[str] | None:
        """Return the match of the path if the method fits, too; else None."""
        if self.method not in (None, head.method):
            return None
        return self.path.fullmatch(head.path)

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
    if place == "urlPathPattern":
        return node.expression()
    path = node.text()
    if not path.startswith("/") or "?" in path:
        node.refuse("it must begin with / and have no query, which is in queryParameters")
    pattern = re.escape(path)
    if place == "urlPathTemplate":
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
    try:
        return re.compile(pattern)
    except re.error:
        node.refuse("its names in braces must be different, and begin with a letter")

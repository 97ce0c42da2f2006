"""The response of an own reply, with templates in its texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Self

import attrs

from facematch_mock_server.base.messages import (
    HEADER_NAME,
    HEADER_VALUE,
    RESERVED_HEADERS,
    Response,
)
from facematch_mock_server.claims import JSON, encode, response

from .node import Node
from .templates import Filling, Unfilled, check_templates, fill_templates

_PARTS = ("status", "headers", "jsonBody", "body", "fixedDelayMilliseconds", "transformers")
_LONGEST_DELAY_MS = 3_600_000
_TEXT = "text/plain; charset=utf-8"


@attrs.frozen(kw_only=True)
class ResponseTemplate:
    """The response of an own reply.

    Attributes:
        status: The status, 200-599.
        headers: The headers by name.
        body: The JSON or the text; None for an empty body.
        is_json: Whether the body is JSON.
        delay_s: Seconds by which the response is delayed.
    """

    status: int
    headers: Mapping[str, Node]
    body: Node | None
    is_json: bool
    delay_s: float

    @classmethod
    def read(cls, node: Node, path_names: Collection[str]) -> Self:
        """Read the ``response`` of a mapping. Raises ValueError.

        `path_names` are the names of the placeholders in the path of the request.
        """
        parts = node.object(_PARTS)
        if "body" in parts and "jsonBody" in parts:
            parts["body"].refuse("give body or jsonBody, not both")
        if "body" in parts:
            parts["body"].text()
        if "transformers" in parts and parts["transformers"].value != ["response-template"]:
            parts["transformers"].refuse('it must be ["response-template"]')
        headers = parts["headers"].object() if "headers" in parts else {}
        for name, value in headers.items():
            _check_header(name, value)
            check_templates(value, path_names)
        body = parts.get("jsonBody", parts.get("body"))
        if body is not None:
            check_templates(body, path_names)
        status = parts["status"].whole_number(200, 599) if "status" in parts else 200
        delay_ms = 0
        if "fixedDelayMilliseconds" in parts:
            delay_ms = parts["fixedDelayMilliseconds"].whole_number(0, _LONGEST_DELAY_MS)
        return cls(
            status=status,
            headers=headers,
            body=body,
            is_json="jsonBody" in parts,
            delay_s=delay_ms / 1000,
        )

    def fill(self, filling: Filling) -> Response:
        """Return the response to a request. Raises ValueError if it cannot be filled."""
        headers = []
        content_type = JSON if self.is_json else _TEXT
        for name, value in self.headers.items():
            text = str(fill_templates(value, filling))
            if not HEADER_VALUE.fullmatch(text):
                raise Unfilled(f"{value.source} {value.path}: a header cannot have this value")
            if name.lower() == "content-type":
                content_type = text
            else:
                headers.append((name, text))
        content = b""
        if self.body is not None:
            body = fill_templates(self.body, filling)
            content = encode(body) if self.is_json else str(body).encode(errors="replace")
        answer = response(self.status, content_type, content, headers)
        answer.delay_s = self.delay_s
        return answer


def _check_header(name: str, node: Node) -> None:
    if not HEADER_NAME.fullmatch(name):
        node.refuse("it is not a valid name of a header")
    if name.lower() in RESERVED_HEADERS:
        node.refuse("the server sets this header itself: leave it out")
    # The value of a template is checked when it is filled in.
    if not HEADER_VALUE.fullmatch(re.sub(r"\{\{.*?\}\}", "x", node.text())):
        node.refuse("it is not a valid value of a header")

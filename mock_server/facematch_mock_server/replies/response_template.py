"""The response of an own reply, with templates in its texts."""

from __future__ import annotations

import base64
import contextlib
import mimetypes
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
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

#: The parts that are a body, at most one of which a response has.
_BODIES = ("body", "jsonBody", "base64Body", "bodyFileName")
_PARTS = ("status", "headers", *_BODIES, "fault", "fixedDelayMilliseconds", "transformers")
#: WireMock's names of faults.
FAULTS = (
    "EMPTY_RESPONSE",
    "MALFORMED_RESPONSE_CHUNK",
    "RANDOM_DATA_THEN_CLOSE",
    "CONNECTION_RESET_BY_PEER",
)
_LONGEST_DELAY_MS = 3_600_000
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"


@attrs.frozen(kw_only=True)
class ResponseTemplate:
    """The response of an own reply.

    Attributes:
        status: The status, 200-599.
        headers: The headers by name.
        body: The JSON or the text; None for an empty body.
        is_json: Whether the body is JSON.
        content: The bytes of the body, if they are no text with templates; else None.
        content_type: The type of the body, if no header says it.
        fault: One of `FAULTS` in place of the response; None for the response.
        delay_s: Seconds by which the response is delayed.
    """

    status: int
    headers: Mapping[str, Node]
    body: Node | None
    is_json: bool
    content: bytes | None = attrs.field(repr=False)
    content_type: str
    fault: str | None
    delay_s: float

    @classmethod
    def read(cls, node: Node, path_names: Collection[str], folders: Sequence[Path]) -> Self:
        """Read the ``response`` of a mapping. Raises ValueError.

        `path_names` are the names of the placeholders in the path of the request; `folders` are
        those of files that it may name.
        """
        parts = node.object(_PARTS)
        bodies = [name for name in _BODIES if name in parts]
        if len(bodies) > 1:
            parts[bodies[0]].refuse(f"give one of {', '.join(_BODIES)}")
        if "body" in parts:
            parts["body"].text()
        if "fault" in parts and parts["fault"].text() not in FAULTS:
            parts["fault"].refuse(f"it must be one of {', '.join(FAULTS)}")
        if "transformers" in parts and parts["transformers"].value != ["response-template"]:
            parts["transformers"].refuse('it must be ["response-template"]')
        headers = parts["headers"].object() if "headers" in parts else {}
        for name, value in headers.items():
            _check_header(name, value)
            check_templates(value, path_names)
        body = parts.get("jsonBody", parts.get("body"))
        content = None
        content_type = JSON if "jsonBody" in parts else _TEXT
        if "base64Body" in parts:
            content = _decode(parts["base64Body"])
            content_type = _BYTES
        elif "bodyFileName" in parts:
            file = _find_file(parts["bodyFileName"], folders)
            content = file.read_bytes()
            content_type = mimetypes.guess_type(file.name)[0] or _BYTES
            # A text may have templates.
            with contextlib.suppress(UnicodeDecodeError):
                body = attrs.evolve(parts["bodyFileName"], value=content.decode())
                content = None
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
            content=content,
            content_type=content_type,
            fault=parts["fault"].text() if "fault" in parts else None,
            delay_s=delay_ms / 1000,
        )

    def fill(self, filling: Filling) -> Response:
        """Return the response to a request. Raises ValueError if it cannot be filled."""
        headers = []
        content_type = self.content_type
        for name, value in self.headers.items():
            text = str(fill_templates(value, filling))
            if not HEADER_VALUE.fullmatch(text):
                raise Unfilled(f"{value.source} {value.path}: a header cannot have this value")
            if name.lower() == "content-type":
                content_type = text
            else:
                headers.append((name, text))
        # Half of this is sent by a fault within the body.
        content = self.content or (b"" if self.fault is None else b"malformed" * 8)
        if self.body is not None:
            body = fill_templates(self.body, filling)
            content = encode(body) if self.is_json else str(body).encode(errors="replace")
        answer = response(self.status, content_type, content, headers)
        answer.delay_s = self.delay_s
        return answer


def _decode(node: Node) -> bytes:
    try:
        return base64.b64decode(node.text(), validate=True)
    except ValueError:
        node.refuse("it must be base64")


def _find_file(node: Node, folders: Sequence[Path]) -> Path:
    """Return the file that a mapping names. Nothing outside the folders is read."""
    name = node.text()
    for folder in folders:
        file = (folder / name).resolve()
        if file.is_relative_to(folder.resolve()) and file.is_file():
            return file
    problem = "there is no such file in __files, which is beside mappings, nor in this folder"
    if not folders:
        problem = "only a mapping in a file can name another file: write its body or base64Body"
    return node.refuse(problem)


def _check_header(name: str, node: Node) -> None:
    if not HEADER_NAME.fullmatch(name):
        node.refuse("it is not a valid name of a header")
    if name.lower() in RESERVED_HEADERS:
        node.refuse("the server sets this header itself: leave it out")
    # The value of a template is checked when it is filled in.
    if not HEADER_VALUE.fullmatch(re.sub(r"\{\{.*?\}\}", "x", node.text())):
        node.refuse("it is not a valid value of a header")

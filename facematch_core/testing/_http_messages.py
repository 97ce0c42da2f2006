"""A request as a double receives it, and a reply as it writes it down."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.message import Message
from http.client import responses
from typing import Any
from urllib.parse import parse_qsl

import attrs


@attrs.frozen(kw_only=True)
class DoubleRequest:
    """A request as it arrived.

    Attributes:
        method, path: As sent, the path with its query.
        headers: By name; case does not matter.
        body: The bytes.
    """

    method: str
    path: str
    headers: Message = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def fields(self) -> dict[str, str]:
        """The form fields that are no files."""
        if self.headers.get_content_type() == "application/x-www-form-urlencoded":
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        return {name: data.decode() for name, is_file, data in self._parts() if not is_file}

    @property
    def files(self) -> dict[str, bytes]:
        """The files of a multipart form."""
        return {name: data for name, is_file, data in self._parts() if is_file}

    def _parts(self) -> list[tuple[str, bool, bytes]]:
        boundary = self.headers.get_boundary()
        if boundary is None:
            return []
        parts = []
        for part in (b"\r\n" + self.body).split(b"\r\n--" + boundary.encode())[1:-1]:
            head, _, data = part.partition(b"\r\n\r\n")
            name = re.search(rb'[; ]name="([^"]*)"', head)
            if name is not None:
                parts.append((name[1].decode(), b"filename=" in head, data))
        return parts


@attrs.frozen(kw_only=True)
class DoubleReply:
    """What the vendor answers.

    Attributes:
        body: JSON of anything, or bytes as they are.
        status: 100-599.
        headers: Further headers.
        charged: Whether the vendor bills the call; None for "if the status is 200".
    """

    body: Any
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    charged: bool | None = None

    def written(self) -> bytes:
        """The reply as bytes of HTTP/1.1."""
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

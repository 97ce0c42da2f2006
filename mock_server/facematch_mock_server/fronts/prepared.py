"""A prepared request of requests as the engine would see it, had it gone over a socket."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.util import SKIP_HEADER

from facematch_mock_server._messages import Head, Request

from .own import MAX_HEAD_BYTES

_DEFAULT_PORTS = {"http": 80, "https": 443}

#: What h11 accepts.
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_VALUE = re.compile(rb"[^\x00\s]*(?:[ \t]+[^\x00\s]+)*")

_TEXT = "latin-1"

#: What urllib3 says if nobody else does.
_USER_AGENT = f"python-urllib3/{version('urllib3')}"


def refused_head(head: Head) -> int | None:
    """The status with which the HTTP server refuses this head; None if it takes it."""
    lines = [f"{head.method} {head.target} HTTP/1.1\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in head.headers]
    if len("".join(lines).encode(_TEXT)) + 2 > MAX_HEAD_BYTES:
        return 431
    for name, value in head.headers:
        if not _is_token(name) or not _is_value(value):
            return 400
    return None


@lru_cache(maxsize=128)
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def _is_value(value: str) -> bool:
    # Most values are plain ASCII, which need not go through the pattern.
    plain = value.isascii() and value.isprintable() and not value.endswith(" ")
    return plain or _VALUE.fullmatch(value.encode(_TEXT)) is not None


def request_of(prepared: requests.PreparedRequest) -> Request:
    """The whole request. A body that is a file or an iterator is used up."""
    return Request(
        method=str(prepared.method),
        target=prepared.path_url,
        headers=_headers(prepared),
        body=_body(prepared.body),
        is_inside=True,
    )


def _headers(prepared: requests.PreparedRequest) -> Iterable[tuple[str, str]]:
    """In the order in which http.client and urllib3 send them, with what they add."""
    own = [
        (_text(name).lower(), _text(value).strip(" \t")) for name, value in prepared.headers.items()
    ]
    known = {name for name, _ in own}
    if "host" not in known:
        yield "host", _host(str(prepared.url))
    if "accept-encoding" not in known:
        yield "accept-encoding", "identity"
    if "content-length" not in known and "transfer-encoding" not in known and prepared.body:
        yield "transfer-encoding", "chunked"
    if "user-agent" not in known:
        yield "user-agent", _USER_AGENT
    yield from ((name, value) for name, value in own if value != SKIP_HEADER)


def _host(url: str) -> str:
    parts = urlsplit(url)
    host = str(parts.netloc).rpartition("@")[2]
    return host.removesuffix(f":{_DEFAULT_PORTS.get(parts.scheme)}")


def _text(value: str | bytes) -> str:
    return value.decode(_TEXT) if isinstance(value, bytes) else value


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read"):
        return _body(body.read())
    return b"".join(map(_body, body))

"""Requests and answers as plain data, and the headers that mark an answer as the mock's."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs

Headers = tuple[tuple[str, str], ...]
#: What a header may carry; everything else would break the framing.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?")

#: The paths that are the mock's own: of the control API, the console, and below that the page on
#: which somebody plays the person of a hosted session.
CONTROL = "/__mock__"
PERSON = f"{CONTROL}/person/"

#: Shows the control API its token.
TOKEN_HEADER = "X-Mock-Token"  # noqa: S105 - the name of a header, no secret
#: The claims that an answer rests on.
CLAIMS_HEADER = "X-Facematch-Claims"


#: In an address: what opens the page of a hosted session.
_PAGE_TOKEN = re.compile(r"(/session/)[A-Za-z0-9_-]{12}(?![A-Za-z0-9_-])")


def hide_token(address: str) -> str:
    """An address without what opens the page of a hosted session."""
    return _PAGE_TOKEN.sub(r"\1***", address)


def _hide_query(target: str) -> str:
    # A query may hold the signature of a picture's address, or a name.
    path, mark, _ = target.partition("?")
    return repr(hide_token(path) + ("?…" if mark else ""))


@attrs.define(kw_only=True)
class Request:
    """A request on its way. The head is all of it until `body` is set, and never changes: it is
    enough to choose a fault, or to refuse the request.
    """

    method: str
    #: Path and query, as sent; the query is not in `repr`.
    target: str = attrs.field(repr=_hide_query)
    #: Names in lower case, in the order sent.
    headers: Headers = attrs.field(default=(), repr=False)
    peer: str = "127.0.0.1"
    #: After the transfer coding was taken off; nobody changes it.
    body: bytes | bytearray = attrs.field(default=b"", repr=False)
    #: The `Fault` that strikes this call, if it is known already.
    fault: Any = attrs.field(default=None, eq=False, repr=False)
    #: The vendor in the world where the call began; None for whoever has the key by now.
    vendor: Any = attrs.field(default=None, eq=False, repr=False)
    #: What `Routed.find` says of it, once that is worked out.
    routed: Any = attrs.field(default=None, eq=False, repr=False)
    until: float | None = attrs.field(default=None, eq=False, repr=False)
    path: str = attrs.field(init=False, eq=False, repr=False)
    #: Whether it is for the control API, or for what is below its path.
    is_control: bool = attrs.field(init=False, eq=False, repr=False)
    #: Whether it is for the control API or for the console's page, and so for no vendor.
    is_for_mock: bool = attrs.field(init=False, eq=False, repr=False)
    _first: dict[str, str] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Worked out once: a request is asked for these ten times.
        self._first, lines = {}, []
        for name, value in self.headers:
            lower = name.lower()
            lines.append((lower, value))
            self._first.setdefault(lower, value)
        self.headers = tuple(lines)
        self.path = path = unquote(self.target.partition("?")[0])
        self.is_control = path == CONTROL or path.startswith(f"{CONTROL}/")
        is_page = path == "/" and "text/html" in self._first.get("accept", "")
        self.is_for_mock = is_page or self.is_control

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded query, in order; a name may occur several times."""
        return tuple(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """The first header of that name (in lower case), or None."""
        return self._first.get(name)


@attrs.define(kw_only=True)
class Response:
    """A whole answer, made for one request; every front sends the same of it."""

    status: int
    #: Without those of the front: Date, Server, Connection, Content-Length, Transfer-Encoding.
    headers: Headers = ()
    body: bytes = attrs.field(default=b"", repr=False)
    claims: tuple[str, ...] = ()
    #: None for the machine's time when the answer is sent.
    date: dt.datetime | None = None
    #: What follows the body, while a client listens at a socket; called on the server's loop.
    more: Callable[[], bytes] | None = attrs.field(default=None, eq=False, repr=False)
    #: The `Fault` of sending it. With one that is postponed nothing is carried out yet.
    fault: Any = attrs.field(default=None, eq=False, repr=False)
    #: The answer of a call that was carried out, in whose place this one is sent.
    instead_of: Response | None = attrs.field(default=None, eq=False, repr=False)
    #: It is not sent but asked for again until then, by `time.monotonic`.
    until: float | None = attrs.field(default=None, eq=False, repr=False)

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case, or None."""
        return next((text for header, text in self.headers if header.lower() == name.lower()), None)

    def json(self) -> Any:
        """The decoded body; ValueError if it is no JSON."""
        return json.loads(self.body)


#: A name or an address of version 4, or one of version 6 in brackets; then perhaps a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


@lru_cache(maxsize=256)
def host_in(header: str) -> str | None:
    """The host that a Host header names, in lower case, without port; None for what is no host."""
    host = _HOST.fullmatch(header)
    return None if host is None else host[1].strip("[]").lower()

"""A request and a response as plain data: what the engine takes and gives, whatever the front."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs

Headers = tuple[tuple[str, str], ...]


def _lowered(headers: Iterable[tuple[str, str]]) -> Headers:
    return tuple([(name.lower(), value) for name, value in headers])


def _path_of(head: Head) -> str:
    return unquote(head.target.partition("?")[0])


def _without_query(target: str) -> str:
    # A query may hold the signature of a picture's address, or a name.
    path, mark, _ = target.partition("?")
    return repr(path + ("?…" if mark else ""))


def _as_they_are(headers: Iterable[tuple[str, str]]) -> Headers:
    return tuple(headers)


@attrs.frozen(kw_only=True)
class Head:
    """What is known of a request before its body: enough to choose a fault or to refuse it early.

    Attributes:
        method: As sent, upper case for the methods that HTTP defines.
        target: Path and query, as sent; the query is not in `repr`.
        headers: Names in lower case, in the order sent.
        peer: Address of the client, without port.
        is_inside: Whether it came without a socket, from a program in this process.
        path: The decoded path.
    """

    method: str
    target: str = attrs.field(repr=_without_query)
    headers: Headers = attrs.field(default=(), converter=_lowered, repr=False)
    peer: str = "127.0.0.1"
    is_inside: bool = attrs.field(default=False, eq=False, repr=False)
    # Worked out once: a request is asked for it ten times.
    path: str = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(_path_of, takes_self=True)
    )

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded query, in order; a name may occur several times."""
        return tuple(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """The first header of that name (in lower case), or None."""
        for known, value in self.headers:
            if known == name:
                return value
        return None


@attrs.frozen(kw_only=True)
class Request(Head):
    """A whole request.

    Attributes:
        body: After the transfer coding was taken off.
    """

    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Response:
    """A whole answer. Every front sends the same status, headers and bytes.

    Attributes:
        status: 100-599.
        headers: Without Date, Server, Connection, Content-Length, Transfer-Encoding: those are the
            front's.
        body: As sent.
        claims: Ids of the claims that the answer rests on.
    """

    status: int
    headers: Headers = attrs.field(default=(), converter=_as_they_are)
    body: bytes = attrs.field(default=b"", repr=False)
    claims: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case, or None."""
        return next((v for known, v in self.headers if known.lower() == name.lower()), None)

    def json(self) -> Any:
        """The decoded body; ValueError if it is no JSON."""
        return json.loads(self.body)

"""One POST over a socket, with one time limit for all of it. Redirects are not followed."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from ._addresses import parsed
from ._records import Letter

if TYPE_CHECKING:
    from http.client import HTTPConnection

#: More of an answer is not read; only its status counts.
_ANSWER_BYTES = 65_536


@attrs.frozen(kw_only=True)
class Answer:
    """What came back.

    Attributes:
        status: Of HTTP; None if no answer came.
        problem: Why not; None if one came.
        elapsed_ms: Until it was known.
    """

    status: int | None = None
    problem: str | None = None
    elapsed_ms: int = 0


class Post(Protocol):
    """Sends a letter; see `post`."""

    def __call__(
        self,
        url: str,
        letter: Letter,
        *,
        timeout_s: float,
        opened: Callable[[socket.socket], None],
    ) -> Answer: ...


def post(
    url: str,
    letter: Letter,
    *,
    timeout_s: float,
    opened: Callable[[socket.socket], None] = lambda _: None,
) -> Answer:
    """Send a letter, and say what came back. Raises nothing that a network can cause.

    Args:
        url: Where to, as `parsed` takes it. The caller has asked whether anything may be sent
            there; no proxy is used.
        letter: What.
        timeout_s: For everything, from connecting on to the status.
        opened: Is handed the socket; shutting it down from another thread ends the waiting.
    """
    from http.client import HTTPException  # not above: most worlds send nothing

    began = time.monotonic()
    status, problem = None, None
    try:
        status = _status(url, letter, began + timeout_s, opened)
    except TimeoutError:
        problem = "timeout"
    except (OSError, HTTPException, ValueError) as error:
        problem = f"no answer: {type(error).__name__}"
    spent = int((time.monotonic() - began) * 1000)
    return Answer(status=status, problem=problem, elapsed_ms=spent)


def _status(url: str, letter: Letter, end: float, opened: Callable[[socket.socket], None]) -> int:
    parts = parsed(url)
    if parts is None:
        raise ValueError("no address that anything can be sent to")
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, end)
    connection.connect()
    with connection.sock as found:
        opened(found)
        connection.sock = _Patient(found, end)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {**dict(letter.headers), "Connection": "close"}
        connection.request("POST", target, letter.body, headers)
        answer = connection.getresponse()
        _drain(answer)
        return answer.status


def _connection(scheme: str, host: str, port: int | None, end: float) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    kind = HTTPSConnection if scheme == "https" else HTTPConnection
    return kind(host, port, timeout=_left(end))


def _drain(answer: io.BufferedIOBase) -> None:
    from http.client import HTTPException

    # Closing before the end would reset what the receiver still writes.
    try:
        answer.read(_ANSWER_BYTES)
    except (OSError, HTTPException):
        return


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Patient:
    """A socket whose operations end, all together, at one time."""

    def __init__(self, found: socket.socket, end: float) -> None:
        self._socket = found
        self._end = end

    def sendall(self, data: Any) -> None:
        self._socket.settimeout(_left(self._end))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._socket, self._end))

    def close(self) -> None:
        """Nothing: an answer may still be read, and whoever opened the socket closes it."""


class _Incoming(io.RawIOBase):
    def __init__(self, found: socket.socket, end: float) -> None:
        self._socket = found
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self._end))
        return self._socket.recv_into(buffer)

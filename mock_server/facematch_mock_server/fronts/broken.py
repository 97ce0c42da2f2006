"""What no process can do to itself: broken framing, as requests and urllib3 report it.

Read off the HTTP server with requests 2.34 and urllib3 2.8; a test compares the two.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable
from typing import Any

import requests
from requests.exceptions import ReadTimeout
from urllib3.exceptions import ProtocolError

from facematch_mock_server.faults import Fault, Kind, Stage

from . import wire


def _reset() -> Exception:
    return ConnectionResetError(104, "Connection reset by peer")


def _no_answer() -> Exception:
    return http.client.RemoteDisconnected("Remote end closed connection without response")


def _no_http() -> Exception:
    return http.client.BadStatusLine(wire.GARBAGE.decode("latin-1"))


#: Where no answer comes: what urllib3 meets. requests makes a ConnectionError of each.
NO_ANSWER: dict[tuple[Stage, Kind], Callable[[], Exception]] = {
    (Stage.CONNECT, Kind.RESET): _reset,
    (Stage.CONNECT, Kind.TRUNCATE): _no_answer,
    (Stage.MID_UPLOAD, Kind.RESET): _reset,
    (Stage.MID_UPLOAD, Kind.TRUNCATE): _no_answer,
    (Stage.AFTER_UPLOAD, Kind.RESET): _reset,
    (Stage.AFTER_UPLOAD, Kind.TRUNCATE): _no_answer,
    (Stage.AFTER_UPLOAD, Kind.GARBAGE): _no_http,
    (Stage.MID_HEADERS, Kind.RESET): _reset,
}

#: Where the head breaks off, http.client takes what came for all of it: an answer without a body.
BARE_ANSWER = frozenset({(Stage.MID_HEADERS, Kind.TRUNCATE), (Stage.MID_HEADERS, Kind.GARBAGE)})

#: Where the body breaks: what its reader meets after the first part; None for an early end, which
#: urllib3 finds by itself.
IN_BODY: dict[tuple[Stage, Kind], Callable[[], Exception | None]] = {
    (Stage.MID_BODY, Kind.RESET): _reset,
    (Stage.MID_BODY, Kind.TRUNCATE): lambda: None,
}


def no_answer(fault: Fault, request: requests.PreparedRequest) -> requests.ConnectionError:
    """The exception of requests for a fault in `NO_ANSWER`."""
    cause = NO_ANSWER[fault.stage, fault.kind]()
    return requests.ConnectionError(ProtocolError("Connection aborted.", cause), request=request)


def timed_out(request: requests.PreparedRequest) -> ReadTimeout:
    """The exception of requests for an answer that does not come in time."""
    return ReadTimeout("Read timed out.", request=request)


class Body(io.RawIOBase):
    """The body of an answer that comes in parts, or not to its end.

    Args:
        first: What is there at once.
        then: What follows byte by byte; each is waited for by `wait`.
        wait: Called before each of these bytes; raises TimeoutError if nobody waits so long.
        end: Raised after the last byte; None for an ordinary end.
    """

    def __init__(
        self,
        first: bytes,
        then: bytes = b"",
        wait: Callable[[], None] = lambda: None,
        end: Exception | None = None,
    ) -> None:
        self._first = io.BytesIO(first)
        self._then = io.BytesIO(then)
        self._wait = wait
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._first.read(len(buffer))
        if not data and (data := self._then.read(1)):
            self._wait()
        if not data and self._end is not None:
            raise self._end
        buffer[: len(data)] = data
        return len(data)

    def read1(self, size: int = -1) -> bytes:
        """What is there, at least a byte unless it is the end."""
        return self.read(65536 if size < 0 else size) or b""

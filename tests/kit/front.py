"""The mock without a socket, whose time passes where somebody sleeps: an adapter of requests."""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ReadTimeout
from urllib3 import HTTPHeaderDict, HTTPResponse, connection_from_url
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError
from urllib3.util import SKIP_HEADER, Timeout

from facematch_mock_server.base.messages import Request
from facematch_mock_server.http import exchange
from facematch_mock_server.http.exchange import AnswerPlan, Handler
from facematch_mock_server.world.faults import Fault, Kind, Stage

_PEER = "127.0.0.1"


class MockAdapter(HTTPAdapter):
    """Answers what a session sends to a base URL: ``session.mount("https://…", MockAdapter(…))``"""

    # Status, headers and bytes are those of the HTTP server (but for Date, Connection and their
    # like), exceptions those that requests raises over a socket. Safe across threads and sessions.

    def __init__(self, handler: Handler, *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__()
        # No server need run beside it that would have done so; it saves a third of a call.
        exchange.keep_freed_pages()
        self._handler = handler
        self._sleep = sleep

    def send(  # noqa: PLR0917 - requests' own signature
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer to `request`; a fault, or a refused connection, is a `RequestException`."""
        return self.build_response(request, self.ask(request, timeout))

    def ask(self, sent: requests.PreparedRequest, timeout: Any = None) -> HTTPResponse:
        """The answer to `sent`, as urllib3 would give it to requests; a fault is raised."""
        if self._is_stopped():
            pool = connection_from_url(str(sent.url))
            error = NewConnectionError(HTTPConnection(pool.host), "[Errno 111] Connection refused")
            cause = MaxRetryError(pool, sent.path_url, error)
            raise requests.ConnectionError(cause, request=sent)
        call = _Call(sent, timeout, self._sleep)
        fault = exchange.at_connection(self._handler, _PEER)
        if fault is not None:
            call.meet(fault)
        request = read_request(sent)
        refusal = exchange.ask(self._handler.begin, request)
        mid_upload = request.fault is not None
        is_too_large = len(request.body) > self._handler.max_body_bytes(request)
        if refusal is None and is_too_large and not mid_upload:
            refusal = exchange.ask(self._handler.too_large, request)
        if refusal is not None:
            return call.answer(request.method, AnswerPlan(response=refusal))
        plan = exchange.carry_out(self._handler, request)
        late = plan.postponed
        if late is not None and plan.fault is not None:
            try:
                call.meet(plan.fault)
            except requests.RequestException:
                self._handler.note(late, f"{plan.fault}; the client did not wait")
                raise
            plan = exchange.carry_out(self._handler, late)
        return call.answer(request.method, plan)

    def _is_stopped(self):
        accounts = getattr(self._handler, "accounts", None)
        return accounts is not None and accounts.is_stopped


class _Call:
    def __init__(
        self, sent: requests.PreparedRequest, timeout: Any, sleep: Callable[[float], None]
    ) -> None:
        # As requests takes it: seconds, a pair of them, one of urllib3, or None.
        limit = timeout.read_timeout if isinstance(timeout, Timeout) else timeout
        limit = limit[1] if isinstance(limit, tuple) else limit
        self._patience_s = None if limit is None else float(limit)
        self._sent = sent
        self._sleep = sleep

    def answer(self, method: str, plan: AnswerPlan) -> HTTPResponse:
        """What is delivered, with its fault; ConnectionError or ReadTimeout if nothing comes."""
        response, fault = plan.response, plan.fault
        if fault is not None:
            self.meet(fault)
        if response is None:
            raise RuntimeError(f"no answer and no exception: {fault}")
        headers = exchange.list_headers(response, method=method)
        whole = exchange.encode_body(response, method=method)
        body: io.IOBase = io.BytesIO(whole)
        if fault is not None and fault.stage is Stage.MID_BODY:
            cut = exchange.body_cut(len(whole))
            # An early end urllib3 finds by itself.
            error = _ERRORS[fault.kind]() if fault.kind is Kind.RESET else None
            body = Body(whole[:cut], end=error)
            if fault.kind is Kind.DRIBBLE:
                body = Body(whole[:cut], whole[cut:], wait=lambda: self._wait(1, fault.seconds))
        elif fault is not None and fault.stage is Stage.MID_HEADERS:
            if fault.kind is Kind.DRIBBLE:
                head = exchange.encode_head(response, method=method, close=False)
                self._wait_for_head(len(head) - exchange.head_cut(head), fault.seconds)
                body = Body(b"", whole, wait=lambda: self._wait(1, fault.seconds))
            else:
                # http.client takes what came for the whole head: an answer without a body.
                headers, body = [], io.BytesIO()
        return HTTPResponse(
            body,
            HTTPHeaderDict(headers),
            status=response.status,
            reason=exchange.REASONS.get(response.status, ""),
            request_method=method,
            preload_content=False,
        )

    def meet(self, fault: Fault) -> None:
        """What a fault does before the head of the answer begins."""
        if fault.kind is Kind.DELAY:
            self._wait_for_head(1, fault.seconds)
        elif fault.stage in _BEFORE_THE_ANSWER or (fault.stage, fault.kind) == _IN_THE_HEAD:
            # What urllib3 makes of what it meets, and requests of that.
            cause = ProtocolError("Connection aborted.", _ERRORS[fault.kind]())
            raise requests.ConnectionError(cause, request=self._sent)

    def _wait_for_head(self, times: int, seconds: float) -> None:
        try:
            self._wait(times, seconds)
        except TimeoutError:
            raise ReadTimeout("Read timed out.", request=self._sent) from None

    def _wait(self, times: int, seconds: float) -> None:
        """Wait that often; the patience is for each time."""
        if self._patience_s is not None and seconds >= self._patience_s:
            self._sleep(self._patience_s)
            raise TimeoutError("timed out")
        self._sleep(times * seconds)


#: Where no byte of an answer comes: at these stages, and where a reset throws away its head.
_BEFORE_THE_ANSWER = (Stage.CONNECT, Stage.MID_UPLOAD, Stage.AFTER_UPLOAD)
_IN_THE_HEAD = (Stage.MID_HEADERS, Kind.RESET)
#: What http.client then meets.
_ERRORS: dict[Kind, Callable[[], Exception]] = {
    Kind.RESET: lambda: ConnectionResetError(104, "Connection reset by peer"),
    Kind.TRUNCATE: lambda: http.client.RemoteDisconnected(
        "Remote end closed connection without response"
    ),
    Kind.GARBAGE: lambda: http.client.BadStatusLine(exchange.GARBAGE.decode("latin-1")),
}


class Body(io.RawIOBase):
    """The body of an answer: `first`, then `then` byte by byte, each after `wait`, then `end`."""

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
        return self.read(65536 if size < 0 else size) or b""


_DEFAULT_PORTS = {"http": 80, "https": 443}

_TEXT = "latin-1"

#: What urllib3 says if nobody else does.
_USER_AGENT = f"python-urllib3/{version('urllib3')}"


def read_request(prepared: requests.PreparedRequest) -> Request:
    """The whole request. A body that is a file or an iterator is used up."""
    return Request.make(
        method=str(prepared.method),
        target=prepared.path_url,
        headers=_list_headers(prepared),
        body=_read_body(prepared.body),
    )


def _list_headers(prepared: requests.PreparedRequest) -> Iterable[tuple[str, str]]:
    """In the order in which http.client and urllib3 send them, with what they add."""
    lines = [
        (_text(name).lower(), _text(value).strip(" \t")) for name, value in prepared.headers.items()
    ]
    names = {name for name, _ in lines}
    if "host" not in names:
        parts = urlsplit(str(prepared.url))
        host = parts.netloc.rpartition("@")[2]
        yield "host", host.removesuffix(f":{_DEFAULT_PORTS.get(parts.scheme)}")
    if "accept-encoding" not in names:
        yield "accept-encoding", "identity"
    if "content-length" not in names and "transfer-encoding" not in names and prepared.body:
        yield "transfer-encoding", "chunked"
    if "user-agent" not in names:
        yield "user-agent", _USER_AGENT
    yield from ((name, value) for name, value in lines if value != SKIP_HEADER)


def _text(value: str | bytes) -> str:
    return value.decode(_TEXT) if isinstance(value, bytes) else value


def _read_body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read"):
        return _read_body(body.read())
    return b"".join(map(_read_body, body))

"""One connection of the HTTP server, which handles one request after another.

Each connection runs as a generator that yields the event it waits for; the socket resumes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import math
import re
import socket
import struct
from collections.abc import Generator, Mapping
from concurrent.futures import Executor
from typing import TypeVar, cast

import attrs
import httptools

from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.world.faults import Fault, Kind, Stage

from . import exchange
from .exchange import MAX_HEAD_BYTES, AnswerPlan, Handler

#: Maximum bytes that a client may pipeline while a request is in progress.
_AHEAD_BYTES = 256 * 1024
#: Seconds between two polls for the next part of an endless response.
_POLL_S = 0.1
#: The socket option that resets a connection when it is closed.
_NO_LINGER = struct.pack("ii", 1, 0)

_METHOD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIRST_LINE = re.compile(
    rb"(?P<method>%b) (?P<target>[!-~]+) HTTP/(?P<major>[0-9])\.(?P<minor>[0-9])\r\n" % _METHOD
)
#: Matches the start of a request line. Any other bytes, such as TLS, are refused at once.
_REQUEST_LINE_START = re.compile(rb"%b(\Z| [!-~]*(\Z| [HTP/0-9.]*(\Z|\r\Z|\r\n)))" % _METHOD)
#: Matches a request target in absolute form.
_ABSOLUTE_TARGET = re.compile(r"https?://([^/?#]*)([^?]*)(\?.*)?", re.IGNORECASE)
#: Matches the option "close" in a Connection header (RFC 9112).
_CLOSE_OPTION = re.compile(r"(\A|,)[ \t]*close[ \t]*(,|\Z)", re.IGNORECASE)
#: Matches the line before a chunk, with its size.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(;[\t -~\x80-\xff]*)?\r\n")

R = TypeVar("R")


class _WaitFor(enum.Enum):
    """The events that a connection's generator waits for."""

    MORE = enum.auto()  # bytes, or the client's end of stream
    MOMENT = enum.auto()  # the end of a delay; an end of stream aborts the connection
    NEXT_BYTE = enum.auto()  # the end of a delay, even after the client's end of stream
    ROOM = enum.auto()  # space in the write buffer
    WORKER = enum.auto()  # a response from another thread
    OTHERS = enum.auto()  # a turn of the event loop, so that other connections run first


Work = Generator[_WaitFor, None, R]


class _Expired(Exception):
    """Raised when the awaited event times out."""


class _BrokenRequest(Exception):
    """Raised for an invalid request, with the response status and a note for the journal."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@attrs.define(kw_only=True, eq=False)
class Service:
    """The state shared by all connections of one server; for the timeouts see `HttpServer`."""

    handler: Handler
    loop: asyncio.AbstractEventLoop
    #: The read buffer; the content is copied before the next read.
    scratch: memoryview
    #: The threads for slow work, by `Request.is_for_mock`: vendors (False), control API (True).
    threads: Mapping[bool, Executor]
    idle_s: float
    linger_s: float
    connections: set[Connection] = attrs.field(factory=set)
    stopped: bool = False


class Connection(asyncio.BufferedProtocol):
    """The asyncio protocol of one connection."""

    def __init__(self, service: Service) -> None:
        """Prepare a connection; its work begins once the transport is made."""
        self._service = service
        self._loop = service.loop
        #: Bytes received but not yet consumed. A Content-Length reserves no memory.
        self._buffer = bytearray()
        #: Whether the client has closed its side.
        self._has_ended = False
        #: Whether the write buffer is full.
        self._is_blocked = False
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._waits_for: _WaitFor | None = None
        self._work = self._serve(service.handler)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._peer = str(self._transport.get_extra_info("peername", ("",))[0])
        self._service.connections.add(self)
        if self._service.stopped:
            self.abort()
        else:
            self._resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._waits_for = None
        self._work.close()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._service.scratch

    def buffer_updated(self, nbytes: int) -> None:
        self._buffer += self._service.scratch[:nbytes]
        if self._waits_for is _WaitFor.MORE:
            self._resume()
        elif len(self._buffer) > _AHEAD_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._has_ended = True
        if self._waits_for is _WaitFor.MOMENT:
            self.abort()  # the client no longer waits for this response
        self._wake(_WaitFor.MORE)
        # TLS has no half-closed connections.
        return self._transport.can_write_eof()

    def pause_writing(self) -> None:
        self._is_blocked = True

    def resume_writing(self) -> None:
        self._is_blocked = False
        # Scheduled, because asyncio does not expect a transport to be closed within this call.
        self._loop.call_soon(self._wake, _WaitFor.ROOM)

    def abort(self) -> None:
        self._transport.abort()

    def _wake(self, waiting: _WaitFor) -> None:
        if self._waits_for is waiting:
            self._resume()

    def _resume(self, *, expired: bool = False) -> None:
        self._waits_for = None
        try:
            self._waits_for = self._work.throw(_Expired()) if expired else next(self._work)
        except StopIteration:
            pass
        except _Expired:
            self.abort()

    def _wait_at_most(self, seconds: float) -> None:
        """Set the timeout for waiting for the client. One timer is reused for many waits."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._check_deadline)

    def _check_deadline(self) -> None:
        self._timer = None
        if self._loop.time() >= self._deadline:
            self._resume(expired=True)
        elif self._deadline < math.inf:
            self._timer = self._loop.call_at(self._deadline, self._check_deadline)

    def _serve(self, handler: Handler) -> Work[None]:
        """Exchange requests and responses until one side closes; refuse what is no HTTP.

        At the end, what still comes is read for a while: closing with unread bytes would reset the
        connection and lose the last response.
        """
        try:
            fault = exchange.at_connection(handler, self._peer)
            stays_open = fault is None or (yield from self._send(b"", b"", fault))
            while stays_open:
                stays_open = (yield from self._await_request()) and (
                    yield from self._exchange(handler)
                )
        except _BrokenRequest as broken:
            handler.note(exchange.empty_head(self._peer), f"broken request: {broken}")
            self._refuse(exchange.make_answer(broken.status))
        if not self._transport.can_write_eof():
            # TLS has no half-closed connections; asyncio reads until the client closes, too.
            self._transport.close()
            return
        # Keep reading for a while: closing with unread bytes would reset the connection.
        end = self._loop.time() + self._service.linger_s
        with contextlib.suppress(OSError):  # the client has disconnected
            if not self._transport.is_closing():
                self._transport.write_eof()
        self._transport.resume_reading()
        while not self._has_ended:
            self._buffer = bytearray()
            self._wait_at_most(end - self._loop.time())
            yield _WaitFor.MORE
        self._transport.close()

    def _await_request(self) -> Work[bool]:
        """Wait for the first byte of a request; return False if none comes."""
        self._wait_at_most(self._service.idle_s)
        while self._is_blocked:
            yield _WaitFor.ROOM
        if self._buffer:
            # Before a pipelined request, let the other connections run.
            yield from self._pause(_WaitFor.OTHERS, 0)
        self._transport.resume_reading()
        while True:
            # Some clients send an extra empty line after a body.
            while self._buffer.startswith((b"\r", b"\n")):
                del self._buffer[:1]
            if self._buffer or self._has_ended:
                return bool(self._buffer)
            try:
                yield _WaitFor.MORE
            except _Expired:
                if self._transport.get_write_buffer_size():
                    raise
                return False

    def _exchange(self, handler: Handler) -> Work[bool]:
        """Read one request and respond; return whether the connection stays open."""
        head = yield from self._read_head()
        request = head.request
        refusal = exchange.ask(handler.begin, request)
        if refusal is not None:
            return self._refuse(refusal, request.method)
        length = head.body_bytes
        limit = handler.max_body_bytes(request)
        # A fault at this stage interrupts the upload.
        is_interrupted = request.fault is not None
        if head.expects_continue and (length is None or 0 < length <= limit):
            self._transport.write(exchange.CONTINUE)
        body: bytearray | None = None
        if length is None:
            body = yield from self._read_chunked(limit, is_interrupted=is_interrupted)
        elif length <= limit and is_interrupted:
            yield from self._read_until((length + 1) // 2)
            body = bytearray()
        elif length <= limit:
            yield from self._read_until(length)
            body = self._take(length)
        if body is None:
            return self._refuse(exchange.ask(handler.too_large, request), request.method)
        request.body = body
        self._deadline = math.inf
        plan = yield from self._plan_answer(handler, request)
        if plan.postponed is not None and plan.fault is not None:
            try:
                yield from self._pause(_WaitFor.MOMENT, plan.fault.seconds)
            except GeneratorExit:
                handler.note(plan.postponed, f"{plan.fault}; the client did not wait")
                raise
            plan = yield from self._plan_answer(handler, plan.postponed)
        closes = head.closes or exchange.is_by_page(request)
        stays_open = yield from self._deliver(plan, request.method, close=closes)
        return stays_open and not closes

    def _plan_answer(self, handler: Handler, request: Request) -> Work[AnswerPlan]:
        if not handler.is_slow(request):
            return exchange.carry_out(handler, request)
        threads = self._service.threads[request.is_for_mock]
        future = self._loop.run_in_executor(threads, exchange.carry_out, handler, request)
        future.add_done_callback(lambda _: self._wake(_WaitFor.WORKER))
        yield _WaitFor.WORKER
        return future.result()

    def _read_head(self) -> Work[_Head]:
        """Read a request's head.

        Raise `_BrokenRequest` for bytes that are none, or for one that is too long.
        """
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            # The timeout covers the whole head; in a body, it restarts with each piece.
            self._wait_at_most(self._service.idle_s)
        while end < 0 and len(self._buffer) < MAX_HEAD_BYTES:
            if b"\n\n" in self._buffer or not _REQUEST_LINE_START.match(self._buffer):
                raise _BrokenRequest(400, "the received bytes are not a request head")
            yield from self._read_more()
            end = self._buffer.find(b"\r\n\r\n")
        if not 0 <= end <= MAX_HEAD_BYTES - 4:
            raise _BrokenRequest(431, "the head is too long")
        return _parse_head(bytes(self._take(end + 4)), self._peer)

    def _read_chunked(self, limit: int, *, is_interrupted: bool) -> Work[bytearray | None]:
        """Return the body; None if it is over the limit, empty if a fault interrupts it."""
        body = bytearray()
        while True:
            line = yield from self._read_line()
            match = _CHUNK_LINE.fullmatch(line)
            if match is None:
                raise _BrokenRequest(400, "a chunk has an invalid size line")
            size = int(match[1], 16)
            if size == 0:
                break
            if len(body) + size > limit:
                return None
            if is_interrupted:
                yield from self._read_until(1)
                return bytearray()
            yield from self._read_until(size + 2)
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise _BrokenRequest(400, "a chunk is longer than its declared size")
        # The trailer ends with an empty line.
        line = bytearray()
        while line != b"\r\n":
            line = yield from self._read_line()
        return body

    def _read_line(self) -> Work[bytearray]:
        end = self._buffer.find(b"\n")
        while end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise _BrokenRequest(400, "a line of a chunked body is too long")
            yield from self._read_until(len(self._buffer) + 1)
            end = self._buffer.find(b"\n")
        return self._take(end + 1)

    def _read_until(self, count: int) -> Work[None]:
        while len(self._buffer) < count:
            self._wait_at_most(self._service.idle_s)
            yield from self._read_more()

    def _read_more(self) -> Work[None]:
        if self._has_ended:
            raise _BrokenRequest(400, "the client closed its side within a request")
        self._transport.resume_reading()
        try:
            yield _WaitFor.MORE
        except _Expired:
            raise _BrokenRequest(408, "the rest of the request did not arrive in time") from None

    def _take(self, count: int) -> bytearray:
        """Consume and return the next bytes, without a copy if they are the whole buffer."""
        if count < len(self._buffer):
            taken = self._buffer[:count]
            # Deleting from the front of a bytearray copies no bytes.
            del self._buffer[:count]
            return taken
        taken = self._buffer
        self._buffer = bytearray()
        return taken

    def _refuse(self, response: Response, method: str = "") -> bool:
        """Respond without reading the rest of the request."""
        head = exchange.encode_head(response, method=method, close=True)
        self._transport.write(head + exchange.encode_body(response, method=method))
        return False

    def _deliver(self, plan: AnswerPlan, method: str, *, close: bool) -> Work[bool]:
        """Send a planned response; return whether the connection stays open."""
        response = plan.response
        fault = plan.fault
        head = b""
        body = b""
        if response is not None:
            if response.more is not None and method != "HEAD" and fault is None:
                # Send an event stream until the client disconnects.
                head = exchange.encode_head(response, method=method, close=True)
                self._transport.write(head + response.body)
                while True:
                    yield from self._pause(_WaitFor.MOMENT, _POLL_S)
                    # If the client does not read, pause sending.
                    if not self._transport.get_write_buffer_size():
                        self._transport.write(response.more())
            head = exchange.encode_head(response, method=method, close=close)
            body = exchange.encode_body(response, method=method)
        if fault is not None:
            return (yield from self._send(head, body, fault))
        self._transport.write(head + body)
        return True

    def _send(self, head: bytes, body: bytes, fault: Fault) -> Work[bool]:
        """Send a response and apply the fault; return whether the connection stays open."""
        whole = head + body
        if fault.kind is Kind.DELAY:
            yield from self._pause(_WaitFor.MOMENT, fault.seconds)
            self._transport.write(whole)
            return True
        # The number of bytes to send before the fault.
        cut = 0
        if fault.stage is Stage.MID_HEADERS:
            cut = exchange.head_cut(head)
        elif fault.stage is Stage.MID_BODY:
            cut = len(head) + exchange.body_cut(len(body))
        garbage = exchange.GARBAGE if fault.kind is Kind.GARBAGE else b""
        if fault.kind is Kind.RESET:
            # A reset drops unsent bytes, so wait until the buffer is empty. With a limit of 0, the
            # transport also reports a single byte that is left.
            self._transport.set_write_buffer_limits(high=0, low=0)
        self._transport.write(whole[:cut] + garbage)
        if fault.kind is Kind.DRIBBLE:
            for index in range(cut, len(whole)):
                yield from self._pause(_WaitFor.NEXT_BYTE, fault.seconds)
                self._transport.write(whole[index : index + 1])
            return True
        if fault.kind is Kind.RESET:
            while self._is_blocked:
                yield _WaitFor.ROOM
            with contextlib.suppress(OSError):
                self._transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
                )
            self.abort()
        return False

    def _pause(self, waiting: _WaitFor, seconds: float) -> Work[None]:
        timer = self._loop.call_later(seconds, self._wake, waiting)
        try:
            yield waiting
        finally:
            timer.cancel()


@attrs.define(kw_only=True)
class _Head:
    """A parsed head of a request."""

    request: Request
    #: The length of the body; None if it is chunked.
    body_bytes: int | None
    #: Whether the connection closes after the request.
    closes: bool
    #: Whether the client waits for 100 Continue before it sends the body.
    expects_continue: bool


class _Headers(list[tuple[str, str]]):
    def on_header(self, name: bytes, value: bytes) -> None:
        self.append((name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")))


def _parse_head(text: bytes, peer: str) -> _Head:
    """Parse a head; raise `_BrokenRequest` with the status of what is wrong or not supported.

    A proxy's absolute target gives the host. A request with two lengths is answered, and the
    connection closed, since servers may disagree about its end.
    """
    line = _FIRST_LINE.match(text)
    if line is None:
        raise _BrokenRequest(400, "the request line is not HTTP")
    if line["major"] == b"2":
        raise _BrokenRequest(505, "HTTP/2 is not imitated; use HTTP/1.1")
    if line["major"] != b"1":
        raise _BrokenRequest(505, "unsupported HTTP version")
    is_http_1_0 = line["minor"] == b"0"
    target = line["target"].decode()
    # The parser accepts a fixed list of methods, stops at CONNECT and Upgrade, and cannot pause, so
    # a new one reads only the headers. Two lengths and unknown codings are handled below.
    headers = _Headers()
    parser = httptools.HttpRequestParser(headers)
    parser.set_dangerous_leniencies(lenient_chunked_length=True, lenient_transfer_encoding=True)
    try:
        parser.feed_data(b"GET / HTTP/1.1\r\n" + text[line.end() :])
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise _BrokenRequest(400, str(error)) from None
    values: dict[str, str] = {}
    for name, value in headers:
        # The values of a repeated header are separated by a line break, which no value contains.
        values[name] = f"{values[name]}\n{value}" if name in values else value
    coding = values.get("transfer-encoding")
    host = values.get("host")
    if coding is not None and coding.lower() != "chunked":
        raise _BrokenRequest(501, "a transfer coding other than chunked")
    if (host is None and not is_http_1_0) or "\n" in (host or ""):
        raise _BrokenRequest(400, "a request must have exactly one Host header")
    absolute = _ABSOLUTE_TARGET.fullmatch(target)
    if absolute is not None:
        # Through a proxy, clients send an absolute URL; its host takes priority (RFC 9112, 3.2.2).
        host, path, query = absolute.groups(default="")
        target = (path or "/") + query
        headers[:] = [("host", host), *(line for line in headers if line[0] != "host")]
    # Servers may disagree about a request with two lengths, so disconnect (RFC 9112, 6.1).
    has_two_lengths = coding is not None and "content-length" in values
    options = values.get("connection", "").replace("\n", ",")
    closes = is_http_1_0 or has_two_lengths or _CLOSE_OPTION.search(options) is not None
    expectations = values.get("expect", "").lower().split("\n")
    return _Head(
        request=Request(
            method=line["method"].decode(), target=target, headers=tuple(headers), peer=peer
        ),
        body_bytes=None if coding else int(values.get("content-length", 0)),
        closes=closes,
        # HTTP/1.0 has no 100 Continue.
        expects_continue=not is_http_1_0 and "100-continue" in expectations,
    )

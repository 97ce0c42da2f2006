"""The part of the HTTP server without sockets: plan and encode responses."""

from __future__ import annotations

import datetime as dt
import http
import json
import logging
from collections.abc import Callable
from email.utils import formatdate
from functools import cache, lru_cache
from typing import Any, Protocol, TypeVar

import attrs

from facematch_core.base.addresses import MOCK_HEADER
from facematch_mock_server.base.messages import (
    HEADER_NAME,
    HEADER_VALUE,
    Headers,
    Request,
    Response,
)
from facematch_mock_server.claims import MissingClaimError
from facematch_mock_server.world.faults import Fault, Kind, Stage

_log = logging.getLogger("facematch_mock_server")

R = TypeVar("R", Response, Response | None)


class Handler(Protocol):
    """The app's interface to the server; see `App`. Thread-safe."""

    def at_connection(self) -> Fault | None: ...
    def begin(self, head: Request) -> Response | None: ...
    def mock_vendor_of(self, head: Request) -> Any: ...
    def max_body_bytes(self, head: Request) -> int: ...
    def handle(self, request: Request) -> Response: ...
    def too_large(self, head: Request) -> Response: ...
    def is_slow(self, request: Request) -> bool: ...
    def latency_s(self, head: Request) -> float: ...
    def note(self, head: Request, what: str) -> None: ...


@attrs.define(kw_only=True)
class AnswerPlan:
    """The response to a complete request, and the fault that interrupts sending it."""

    #: The response; None if no byte of it is sent.
    response: Response | None = None
    #: The fault to apply while sending; never one at `Stage.ANSWER`.
    fault: Fault | None = None
    #: The request to carry out after `fault.seconds`, unless the client disconnects first. The
    #: request refers to its vendor, so a reset in the meantime does not affect it.
    postponed: Request | None = None


def is_by_page(head: Request) -> bool:
    """Return whether the request comes from the console in a browser, not from an API client."""
    # If a keep-alive connection drops, a browser silently repeats a POST, so a fault would charge
    # twice. Therefore the server closes a browser's connection after each response.
    if head.is_for_mock or head.header("sec-fetch-site") == "same-origin":
        return True
    origin = head.header("origin")
    return origin is not None and origin.partition("://")[2] == head.header("host")


def at_connection(handler: Handler, peer: str) -> Fault | None:
    """Return the fault for a new connection, or None, and record it in the journal."""
    fault = handler.at_connection()
    if fault is not None:
        handler.note(empty_head(peer), str(fault))
    return fault


def carry_out(handler: Handler, request: Request) -> AnswerPlan:
    """Carry out a request unless its fault prevents that, and plan the response."""
    upload_fault = request.fault
    if upload_fault is not None and upload_fault.stage is Stage.MID_UPLOAD:
        handler.note(request, str(upload_fault))
        return AnswerPlan(fault=upload_fault)
    response = ask(handler.handle, request)
    # The fault that the handler has looked up for this call.
    fault: Fault | None = response.fault
    if fault is None:
        seconds = handler.latency_s(request) + response.delay_s
        if seconds:
            fault = Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.DELAY, seconds=seconds, executed=True)
        return AnswerPlan(response=response, fault=fault)
    if fault.is_postponed:
        # The handler has only looked up the fault: it carries out the call after the delay.
        postponed = attrs.evolve(request, fault=fault, vendor=handler.mock_vendor_of(request))
        return AnswerPlan(fault=fault, postponed=postponed)
    if fault.stage in (Stage.MID_UPLOAD, Stage.AFTER_UPLOAD) and fault.kind is not Kind.DELAY:
        return AnswerPlan(fault=fault)
    if fault.stage is Stage.MID_BODY and not encode_body(response, method=request.method):
        # A response without a body is cut within its head.
        fault = attrs.evolve(fault, stage=Stage.MID_HEADERS)
    return AnswerPlan(response=response, fault=fault)


def ask(answer: Callable[[Request], R], request: Request) -> R:
    """Return the handler's response, or a 500 if the handler raises or the response is invalid."""
    try:
        response = answer(request)
        if response is not None:
            _encode_headers(response.headers)
    except Exception as error:  # noqa: BLE001 - a server responds with 500 and continues after any error
        _log.exception("the app failed to handle a request")
        # A missing claim is a mistake in the mock vendor, whose author needs the message.
        return make_answer(500, str(error) if isinstance(error, MissingClaimError) else None)
    return response


# Cached, because most responses have the same headers.
@lru_cache(maxsize=1024)
def _encode_headers(headers: Headers) -> str:
    """Return the lines of the app's headers. Raises ValueError for an invalid header."""
    for name, value in headers:
        if not (HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)):
            raise ValueError(f"not an HTTP header: {name!r}")
    lines = (line for line in headers if line[0].lower() not in FRONT_HEADERS)
    return "".join(f"{name}: {value}\r\n" for name, value in lines)


#: Maximum bytes of a request's head, from the method to the empty line.
MAX_HEAD_BYTES = 64 * 1024

#: Messages of the server's own responses, by status.
SENTENCES = {
    400: "The request is not well-formed HTTP.",
    408: "The rest of the request did not arrive in time.",
    431: f"The head of the request is longer than {MAX_HEAD_BYTES} bytes.",
    500: "The mock failed to handle this request; the log has the traceback. Please report it.",
    501: "The request has a transfer coding other than chunked.",
    505: "The request's version is neither HTTP/1.0 nor HTTP/1.1.",
}


def make_answer(status: int, sentence: str | None = None) -> Response:
    """Return one of the server's own responses, or a 400 if `status` is not in `SENTENCES`."""
    if status not in SENTENCES:
        status = 400
    return Response(
        status=status,
        headers=(("Content-Type", "application/json"), (MOCK_HEADER, "front")),
        body=json.dumps({"mock": sentence or SENTENCES[status]}).encode(),
    )


def empty_head(peer: str) -> Request:
    """Return an empty head, to record a connection without a valid head in the journal."""
    return Request(method="", target="", peer=peer)


#: Headers that the server itself writes. If the app sets them, they are dropped.
FRONT_HEADERS = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
)

#: Bytes that are not HTTP, without a line break.
GARBAGE = b"\x00\xff\x16\x03 this is no HTTP \x80\x81"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

#: The statuses of responses without a body.
BODILESS = frozenset({*range(100, 200), 204, 304})

#: The reason phrases by status.
REASONS = {status.value: status.phrase for status in http.HTTPStatus}


@lru_cache(maxsize=8)
def _format_date(unix_second: int) -> str:
    return formatdate(unix_second, usegmt=True)


def encode_head(response: Response, *, method: str, close: bool) -> bytes:
    """Return a response's status line and headers, with the empty line after them."""
    status = response.status
    moment = response.date or dt.datetime.now(dt.UTC)
    status_line = f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\n"
    date = _format_date(int(moment.timestamp() // 1))
    head = f"{status_line}Date: {date}\r\nServer: facematch-mock\r\n"
    head += _encode_headers(response.headers)
    # A response to HEAD has the Content-Length of the response to GET.
    if response.more is None and (method == "HEAD" or status not in BODILESS):
        head += f"Content-Length: {len(response.body)}\r\n"
    if close:
        head += "Connection: close\r\n"
    return f"{head}\r\n".encode("latin-1")


def encode_body(response: Response, *, method: str) -> bytes:
    return b"" if method == "HEAD" or response.status in BODILESS else response.body


def head_cut(head: bytes) -> int:
    """Return the index at which to cut a head: within the name of the second header."""
    return head.index(b"\r\nServer:") + 6


def body_cut(length: int) -> int:
    return length // 2


@cache
def keep_freed_pages() -> None:
    """Make the C library keep freed memory for the next request (five times the throughput)."""
    # When a block is freed, glibc raises its threshold for returning memory, up to 32 MiB. This
    # block is never touched, so it costs no memory. Cached, because a second block would be zeroed.
    bytes(16 * 1024 * 1024)

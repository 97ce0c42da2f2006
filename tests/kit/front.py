"""The mock without a socket: an adapter of requests whose waits are a call of `sleep`."""

import http.client
import io
import time
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ReadTimeout
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import ProtocolError
from urllib3.util import Timeout

from facematch_mock_server.base.messages import Request
from facematch_mock_server.http import exchange
from facematch_mock_server.http.exchange import AnswerPlan
from facematch_mock_server.world.faults import Kind, Stage

#: The errors of http.client by the kind of fault.
ERRORS = {
    Kind.RESET: lambda: ConnectionResetError(104, "Connection reset by peer"),
    Kind.TRUNCATE: lambda: http.client.RemoteDisconnected("Remote end closed connection"),
    Kind.GARBAGE: lambda: http.client.BadStatusLine(exchange.GARBAGE.decode("latin-1")),
}


class MockAdapter(HTTPAdapter):
    """Answers with the status, headers and body of the server; raises what requests would."""

    def __init__(self, handler, *, sleep=time.sleep):
        super().__init__()
        exchange.keep_freed_pages()  # no server does it here; it saves a third of a call
        self._handler = handler
        self._sleep = sleep

    def send(self, request, *, timeout=None, **_):
        call = Call(request, _read_timeout_s(timeout), self._sleep)
        call.meet(exchange.at_connection(self._handler, "127.0.0.1"))
        plan = self._plan(read_request(request), call)
        return self.build_response(request, call.answer(plan))

    def _plan(self, request, call):
        handler = self._handler
        refusal = exchange.ask(handler.begin, request)
        is_too_large = len(request.body) > handler.max_body_bytes(request)
        if refusal is None and is_too_large and request.fault is None:
            refusal = exchange.ask(handler.too_large, request)
        if refusal is not None:
            return AnswerPlan(response=refusal)
        plan = exchange.carry_out(handler, request)
        if plan.postponed is None or plan.fault is None:
            return plan
        try:
            call.meet(plan.fault)
        except requests.RequestException:
            handler.note(plan.postponed, f"{plan.fault}; the client did not wait")
            raise
        return exchange.carry_out(handler, plan.postponed)


def _read_timeout_s(timeout):
    """Return the read timeout of a timeout as requests takes it: a number, a pair, or urllib3's."""
    if isinstance(timeout, Timeout):
        return timeout.read_timeout
    if isinstance(timeout, tuple):
        _connect_timeout_s, read_timeout_s = timeout
        return read_timeout_s
    return timeout


class Call:
    """A request of `requests` to the mock in this process, and the fault that strikes its answer.

    `sleep` passes the time that an answer takes.
    """

    def __init__(self, request, read_timeout_s, sleep):
        self.request = request
        self.read_timeout_s = read_timeout_s
        self.sleep = sleep

    def answer(self, plan):
        """Return the response of a plan, or raise what its fault causes before any byte comes."""
        method = self.request.method
        response = plan.response
        fault = plan.fault
        self.meet(fault)
        head = exchange.encode_head(response, method=method, close=False)
        headers = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:-2]]
        whole = exchange.encode_body(response, method=method)
        body = io.BytesIO(whole)
        if fault is not None and fault.stage is Stage.MID_BODY:
            cut = exchange.body_cut(len(whole))
            # urllib3 notices a body that ends too soon by itself.
            error = ERRORS[fault.kind]() if fault.kind is Kind.RESET else None
            slow = whole[cut:] if fault.kind is Kind.DRIBBLE else b""
            body = Body(whole[:cut], slow, self, fault.seconds, error)
        elif fault is not None and fault.stage is Stage.MID_HEADERS:
            if fault.kind is Kind.DRIBBLE:
                self.wait_for_head(len(head) - exchange.head_cut(head), fault.seconds)
                body = Body(b"", whole, self, fault.seconds)
            else:
                # http.client takes what came for the whole head: an answer without a body.
                headers = []
                body = io.BytesIO()
        return HTTPResponse(
            body,
            HTTPHeaderDict(headers),
            status=response.status,
            reason=exchange.REASONS.get(response.status, ""),
            request_method=method,
            preload_content=False,
        )

    def meet(self, fault):
        """Wait, or raise, as a fault has it before the answer's body."""
        if fault is None:
            return
        if fault.kind is Kind.DELAY:
            self.wait_for_head(1, fault.seconds)
        elif fault.stage in (Stage.CONNECT, Stage.MID_UPLOAD, Stage.AFTER_UPLOAD) or (
            fault.stage is Stage.MID_HEADERS and fault.kind is Kind.RESET
        ):
            cause = ProtocolError("Connection aborted.", ERRORS[fault.kind]())
            raise requests.ConnectionError(cause, request=self.request)

    def wait_for_head(self, times, seconds):
        try:
            self.wait(times, seconds)
        except TimeoutError:
            raise ReadTimeout("Read timed out.", request=self.request) from None

    def wait(self, times, seconds):
        """Wait `times` in a row; each wait may take as long as the read timeout."""
        if self.read_timeout_s is not None and seconds >= self.read_timeout_s:
            self.sleep(self.read_timeout_s)
            raise TimeoutError("timed out")
        self.sleep(times * seconds)


class Body(io.RawIOBase):
    """A body: `first`, then `slow` byte by byte with a wait before each, then `error`."""

    def __init__(self, first, slow, call, seconds, error=None):
        self.first = io.BytesIO(first)
        self.slow = io.BytesIO(slow)
        self.call = call
        self.seconds = seconds
        self.error = error

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.first.read(len(buffer))
        if not data:
            data = self.slow.read(1)
            if data:
                self.call.wait(1, self.seconds)
        if not data and self.error is not None:
            raise self.error
        buffer[: len(data)] = data
        return len(data)

    def read1(self, size=-1):
        return self.read(65536 if size < 0 else size) or b""


def read_request(prepared):
    """Return a request as the mock reads it; a body that is an iterator is used up."""
    body = prepared.body or b""
    if not isinstance(body, str | bytes):
        body = body.read() if hasattr(body, "read") else b"".join(body)
    headers = {"host": urlsplit(prepared.url).netloc}
    for name, value in prepared.headers.items():
        headers[name.lower()] = value.decode("latin-1") if isinstance(value, bytes) else value
    return Request.make(
        method=prepared.method,
        target=prepared.path_url,
        headers=headers.items(),
        body=body.encode() if isinstance(body, str) else bytes(body),
    )

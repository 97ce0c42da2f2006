"""The mock without a socket: an adapter of requests whose waits are a call of `sleep`."""

import http.client
import io
import time

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
        self._handler, self._sleep = handler, sleep

    def send(self, request, *, timeout=None, **_):
        limit = timeout.read_timeout if isinstance(timeout, Timeout) else timeout
        call = Call(request, limit[1] if isinstance(limit, tuple) else limit, self._sleep)
        call.meet(exchange.at_connection(self._handler, "127.0.0.1"))
        return self.build_response(request, call.answer(self._plan(read_request(request), call)))

    def _plan(self, request, call):
        handler = self._handler
        refusal = exchange.ask(handler.begin, request)
        is_too_large = len(request.body) > handler.max_body_bytes(request)
        if refusal is None and is_too_large and request.fault is None:
            refusal = exchange.ask(handler.too_large, request)
        if refusal is not None:
            return AnswerPlan(response=refusal)
        plan = exchange.carry_out(handler, request)
        late = plan.postponed
        if late is None or plan.fault is None:
            return plan
        try:
            call.meet(plan.fault)
        except requests.RequestException:
            handler.note(late, f"{plan.fault}; the client did not wait")
            raise
        return exchange.carry_out(handler, late)


class Call:
    """A request of `requests` to the mock in this process, and the fault that strikes its answer.

    `limit_s` is the read timeout; `sleep` passes the time that an answer takes.
    """

    def __init__(self, sent, limit_s, sleep):
        self.sent, self.limit_s, self.sleep = sent, limit_s, sleep

    def answer(self, plan):
        method, response, fault = self.sent.method, plan.response, plan.fault
        self.meet(fault)
        head = exchange.encode_head(response, method=method, close=False)
        headers = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:-2]]
        whole = exchange.encode_body(response, method=method)
        body = io.BytesIO(whole)
        if fault is not None and fault.stage is Stage.MID_BODY:
            cut = exchange.body_cut(len(whole))
            drips = fault.kind is Kind.DRIBBLE
            # urllib3 notices a body that ends too soon by itself.
            error = ERRORS[fault.kind]() if fault.kind is Kind.RESET else None
            body = Body(whole[:cut], whole[cut:] if drips else b"", self, fault.seconds, error)
        elif fault is not None and fault.stage is Stage.MID_HEADERS:
            if fault.kind is Kind.DRIBBLE:
                self.wait_for_head(len(head) - exchange.head_cut(head), fault.seconds)
                body = Body(b"", whole, self, fault.seconds)
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

    def meet(self, fault):
        if fault is None:
            return
        if fault.kind is Kind.DELAY:
            self.wait_for_head(1, fault.seconds)
        elif fault.stage in (Stage.CONNECT, Stage.MID_UPLOAD, Stage.AFTER_UPLOAD) or (
            fault.stage is Stage.MID_HEADERS and fault.kind is Kind.RESET
        ):
            cause = ProtocolError("Connection aborted.", ERRORS[fault.kind]())
            raise requests.ConnectionError(cause, request=self.sent)

    def wait_for_head(self, times, seconds):
        try:
            self.wait(times, seconds)
        except TimeoutError:
            raise ReadTimeout("Read timed out.", request=self.sent) from None

    def wait(self, times, seconds):
        """Wait `times` in a row; each wait may take as long as the read timeout."""
        if self.limit_s is not None and seconds >= self.limit_s:
            self.sleep(self.limit_s)
            raise TimeoutError("timed out")
        self.sleep(times * seconds)


class Body(io.RawIOBase):
    """A body: `first`, then `slow` byte by byte with a wait before each, then `error`."""

    def __init__(self, first, slow, call, seconds, error=None):
        self.first, self.slow = io.BytesIO(first), io.BytesIO(slow)
        self.call, self.seconds, self.error = call, seconds, error

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.first.read(len(buffer))
        if not data and (data := self.slow.read(1)):
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
    headers = {
        "host": prepared.url.split("/")[2],
        **{name.lower(): value for name, value in prepared.headers.items()},
    }
    return Request.make(
        method=prepared.method,
        target=prepared.path_url,
        headers=[
            (n, v.decode("latin-1") if isinstance(v, bytes) else v) for n, v in headers.items()
        ],
        body=body.encode() if isinstance(body, str) else bytes(body),
    )

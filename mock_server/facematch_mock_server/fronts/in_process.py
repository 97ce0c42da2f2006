"""The engine asked by requests without a socket: from a prepared request to urllib3's answer.

The adapter and the way through `responses` both stand on `InProcess`.
"""

from __future__ import annotations

import datetime as dt
import io
import time
from collections.abc import Callable
from typing import Any

import requests
from urllib3 import HTTPHeaderDict, HTTPResponse

from facematch_mock_server import exchange
from facematch_mock_server._messages import Request
from facematch_mock_server.exchange import Delivery
from facematch_mock_server.faults import Stage
from facematch_mock_server.protocols import Handler

from . import broken, own, prepared, wire
from .buffers import keep_freed_pages
from .calling import Call

_PEER = "127.0.0.1"


class InProcess:
    """Asks one engine. Each request is a connection of its own. Safe across threads.

    Args:
        handler: The engine.
        now: The time for the Date header.
        sleep: Waits for late answers; a test that has no time gives one that does not.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        now: Callable[[], dt.datetime] = wire.machine_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # No server need run beside it that would have done so; it saves a third of a call.
        keep_freed_pages()
        self._handler = handler
        self._date = wire.DateHeader(now)
        self._sleep = sleep

    def ask(self, sent: requests.PreparedRequest, timeout: Any = None) -> HTTPResponse:
        """The answer to `sent`, as urllib3 would give it to requests.

        Args:
            sent: The request.
            timeout: As requests takes it: seconds, a pair of them, one of urllib3, or None.

        Raises:
            requests.RequestException: a fault strikes; the same as over a socket.
        """
        call = Call(sent, timeout, self._sleep)
        fault = exchange.at_connection(self._handler, _PEER)
        if fault is not None:
            call.meet(fault)
        request = prepared.request_of(sent)
        status = prepared.refused_head(request)
        if status is not None:
            self._handler.note(own.nobody(_PEER), "broken request: its head is not taken")
            return self._answer(call, request, Delivery(response=own.answer(status)))
        opening = exchange.opening(self._handler, request)
        if opening.refusal is not None:
            return self._answer(call, request, Delivery(response=opening.refusal))
        mid_upload = opening.fault is not None and opening.fault.stage is Stage.MID_UPLOAD
        if len(request.body) > self._handler.max_body_bytes(request) and not mid_upload:
            response = exchange.too_large(self._handler, request)
            return self._answer(call, request, Delivery(response=response))
        delivery = exchange.delivery(self._handler, request, opening.fault)
        if delivery.postponed and delivery.fault is not None:
            call.meet(delivery.fault)
            delivery = exchange.delivery(self._handler, request, None)
        return self._answer(call, request, delivery)

    def _answer(self, call: Call, request: Request, delivery: Delivery) -> HTTPResponse:
        response, fault = delivery.response, delivery.fault
        date, method = self._date(), request.method
        if fault is not None:
            call.meet(fault)
        if response is None:
            raise RuntimeError(f"no answer and no exception: {fault}")
        headers = wire.headers(response, method=method, date=date)
        body: io.IOBase = io.BytesIO(wire.body(response, method=method))
        if fault is not None and (fault.stage, fault.kind) in broken.BARE_ANSWER:
            headers, body = [], io.BytesIO()
        elif fault is not None:
            head = wire.head(response, method=method, date=date, close=False)
            body = call.body(fault, head, wire.body(response, method=method))
        return HTTPResponse(
            body,
            HTTPHeaderDict(headers),
            status=response.status,
            reason=wire.reason(response.status),
            request_method=method,
            preload_content=False,
        )

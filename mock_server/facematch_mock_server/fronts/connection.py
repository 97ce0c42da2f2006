"""One connection of the HTTP server: reads requests, asks the engine, answers in order."""

from __future__ import annotations

import asyncio
import enum
from typing import cast

import attrs

from facematch_mock_server import exchange
from facematch_mock_server._messages import Request, Response
from facematch_mock_server.exchange import Delivery
from facematch_mock_server.faults import Fault, Stage
from facematch_mock_server.protocols import Handler

from . import own, wire
from .loop import LoopThread
from .patience import Patience
from .reading import BodyRead, Broken, Event, HeadRead, RequestReader
from .sending import Sender, end_of_answers
from .wire import End, Script

#: How much a client may send ahead while its last request is being answered.
_AHEAD_BYTES = 256 * 1024


@attrs.define(kw_only=True, eq=False)
class Service:
    """What all connections of one server share.

    Attributes:
        handler: The engine. With a true attribute `slow` it is asked in another thread.
        thread: Whose loop serves them.
        date: The value of the Date header.
        idle_s: Longest wait for a head, or for the next piece of a body.
        linger_s: How long a connection that is closed on our side takes in what still comes.
        connections: Those that are open.
        stopped: Whether the server is being stopped.
    """

    handler: Handler
    thread: LoopThread
    date: wire.DateHeader
    idle_s: float
    linger_s: float
    connections: set[Connection] = attrs.field(factory=set)
    stopped: bool = False


class _State(enum.Enum):
    READING = enum.auto()
    #: A request is being carried out or answered; what comes meanwhile waits.
    BUSY = enum.auto()
    #: Our side is closed; what comes is thrown away.
    LINGERING = enum.auto()


class Connection(asyncio.BufferedProtocol):
    """One connection, from accept to close."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = service.thread.loop
        self._scratch = service.thread.buffers.scratch
        self._state = _State.READING
        self._ahead = bytearray()
        self._request: HeadRead | None = None
        self._fault: Fault | None = None
        #: Whether the client has ended its side, does not take our bytes, is gone; whether
        #: `_advance` is at work.
        self._ended = self._blocked = self._lost = self._advancing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer = str(self._transport.get_extra_info("peername", ("",))[0])
        self._reader = RequestReader(self._service.thread.buffers, self._peer)
        self._sender = Sender(self._transport, self._loop)
        self._patience = Patience(self._loop, self._expired)
        self._service.connections.add(self)
        if self._service.stopped:
            self._transport.abort()
            return
        fault = exchange.at_connection(self._service.handler, self._peer)
        if fault is None:
            self._patience.wait(self._service.idle_s)
        else:
            self._state = _State.BUSY
            self._sender.perform(wire.script(b"", b"", fault), self._sent)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._service.connections.discard(self)
        self._sender.cancel()
        self._patience.stop()
        self._reader.drop()

    def get_buffer(self, sizehint: int) -> memoryview:
        space = self._reader.space() if self._state is _State.READING else None
        return self._scratch if space is None else space

    def buffer_updated(self, nbytes: int) -> None:
        if self._state is _State.BUSY:
            self._ahead += self._scratch[:nbytes]
            if len(self._ahead) > _AHEAD_BYTES:
                self._transport.pause_reading()
        elif self._state is _State.READING:
            if self._reader.space() is None:
                self._advance(self._scratch[:nbytes])
            else:
                self._reader.filled(nbytes)
                self._advance(self._scratch[:0])

    def eof_received(self) -> bool:
        self._ended = True
        if self._state is _State.READING:
            return self._answered_the_end()
        if self._sender.waiting:
            self._transport.abort()  # nobody waits for this answer any more
        return self._state is _State.BUSY

    def pause_writing(self) -> None:
        self._blocked = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._blocked = False
        # Not from here: asyncio does not expect a transport to be closed within this call.
        self._loop.call_soon(self._unblocked)

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._transport.abort()

    def _advance(self, data: memoryview) -> None:
        """Read and answer as far as `data` goes, or until an answer has to wait."""
        self._advancing = True
        patient = self._reader.idle
        while self._reads:
            event, data = self._reader.advance(data)
            if self._is_mid_upload(event):
                self._strike_mid_upload()
            elif event is None:
                break
            else:
                self._on(event)
                patient = True
        self._advancing = False
        if self._state is not _State.LINGERING:
            self._ahead += data
        # A head has its time as a whole; a body has it for each piece.
        if self._reads and (patient or self._reader.in_body):
            self._patience.wait(self._service.idle_s)

    @property
    def _reads(self) -> bool:
        return self._state is _State.READING and not self._blocked

    def _unblocked(self) -> None:
        if not self._lost:
            self._sender.flushed()
            self._go_on()

    def _go_on(self) -> None:
        """Take up what came while an answer was under way."""
        if self._advancing or self._lost:
            return
        if self._reads:
            ahead, self._ahead = self._ahead, bytearray()
            self._advance(memoryview(ahead))
        if self._blocked or self._state is _State.BUSY:
            return
        self._transport.resume_reading()
        if self._ended and self._reads and not self._answered_the_end():
            self._transport.close()

    def _on(self, event: Event) -> None:
        if isinstance(event, HeadRead):
            self._on_head(event)
        elif isinstance(event, BodyRead):
            self._carry_out(self._whole(event.body), self._fault)
        elif isinstance(event, Broken):
            self._on_broken(event)
        else:
            self._refuse(exchange.too_large(self._service.handler, self._whole(b"")))

    def _on_head(self, read: HeadRead) -> None:
        self._request = read
        handler = self._service.handler
        opening = exchange.opening(handler, read.head)
        if opening.refusal is not None:
            self._refuse(opening.refusal)
            return
        limit = handler.max_body_bytes(read.head)
        if read.length is not None and read.length > limit:
            self._refuse(exchange.too_large(handler, read.head))
            return
        self._fault = opening.fault
        self._reader.begin_body(limit)
        if read.expects_continue and read.length != 0:
            self._transport.write(wire.CONTINUE)

    def _on_broken(self, broken: Broken) -> None:
        self._request = None
        self._service.handler.note(own.nobody(self._peer), f"broken request: {broken.why}")
        self._refuse(own.answer(broken.status))

    def _answered_the_end(self) -> bool:
        """Answer what a client left half done when it ended its side; False if there is nothing."""
        broken = self._reader.ended()
        if broken is not None:
            self._on_broken(broken)
        return broken is not None

    def _is_mid_upload(self, event: Event | None) -> bool:
        if self._fault is None or self._fault.stage is not Stage.MID_UPLOAD:
            return False
        return isinstance(event, BodyRead) or self._reader.half_read

    def _strike_mid_upload(self) -> None:
        self._carry_out(self._whole(b""), self._fault)

    def _whole(self, body: bytes) -> Request:
        if self._request is None:
            raise RuntimeError("no request is open")
        head = self._request.head
        return Request(
            method=head.method, target=head.target, headers=head.headers, peer=head.peer, body=body
        )

    def _carry_out(self, request: Request, fault: Fault | None) -> None:
        self._state, self._fault = _State.BUSY, None
        self._patience.suspend()
        handler = self._service.handler
        if getattr(handler, "slow", False):
            self._loop.run_in_executor(
                self._service.thread.workers, exchange.delivery, handler, request, fault
            ).add_done_callback(lambda done: self._deliver(request, done.result()))
        else:
            self._deliver(request, exchange.delivery(handler, request, fault))

    def _deliver(self, request: Request, delivery: Delivery) -> None:
        if self._lost:
            return
        fault, response = delivery.fault, delivery.response
        if delivery.postponed and fault is not None:
            self._sender.perform(
                Script(wait_s=fault.seconds), lambda _: self._carry_out(request, None)
            )
        elif response is None:
            self._sender.perform(wire.script(b"", b"", fault), self._sent)
        else:
            head = self._head(response, request.method, close=not self._keep_alive)
            body = wire.body(response, method=request.method)
            self._sender.perform(wire.script(head, body, fault), self._sent)

    def _head(self, response: Response, method: str, *, close: bool) -> bytes:
        return wire.head(response, method=method, date=self._service.date(), close=close)

    @property
    def _keep_alive(self) -> bool:
        return self._request is None or self._request.keep_alive

    def _sent(self, end: End) -> None:
        if end is End.KEEP and self._keep_alive:
            self._state = _State.READING
            self._patience.wait(self._service.idle_s)
            self._go_on()
        else:
            self._linger()

    def _refuse(self, response: Response) -> None:
        """Answer without reading on, and close."""
        method = "" if self._request is None else self._request.head.method
        head = self._head(response, method, close=True)
        self._transport.write(head + wire.body(response, method=method))
        self._linger()

    def _linger(self) -> None:
        """Close our side; take in what still comes, for unread bytes would reset the answer."""
        self._state = _State.LINGERING
        self._ahead.clear()
        self._reader.drop()
        self._patience.wait(self._service.linger_s)
        end_of_answers(self._transport)
        if self._ended:
            self._transport.close()
        elif not self._blocked:
            self._transport.resume_reading()

    def _expired(self) -> None:
        if self._state is _State.LINGERING or self._transport.get_write_buffer_size():
            self._transport.abort()
        elif self._reader.idle:
            self._transport.close()
        else:
            self._on_broken(Broken(status=408, why="the rest of the request did not come"))

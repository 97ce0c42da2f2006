"""The HTTP server: one event loop for all servers of the process, a connection at a time."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import enum
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import attrs

from facematch_mock_server.faults import Fault, Stage
from facematch_mock_server.http import exchange
from facematch_mock_server.http import exchange as own
from facematch_mock_server.http import exchange as wire
from facematch_mock_server.http.exchange import (
    DateHeader,
    Delivery,
    End,
    Handler,
    Script,
    keep_freed_pages,
    machine_time,
)
from facematch_mock_server.http.reading import (
    BodyRead,
    Broken,
    Buffers,
    Event,
    HeadRead,
    RequestReader,
)
from facematch_mock_server.messages import Request, Response

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


#: How many connections may wait to be accepted.
_BACKLOG = 1024

#: Hosts that mean every address of the machine, and one that leads there.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - to recognise them


class HttpServer:
    """Serves one app over HTTP/1.1, on the event loop that all servers of the process share.

    A context manager; may be started again after it was stopped. In the child of a fork it is not
    running.

    Args:
        handler: The app. It is asked on the loop's thread, or, while its attribute `slow` is
            true, on one of a few others; it must not call a server of the same process there.
        host: Address to bind. Whoever gives another than a loopback one decides who may reach it.
        port: 0 for any free one, which a later start may change.
        now: The time for the Date header.
        idle_s: Seconds until a connection without a request is closed, a head that is not
            complete, or an upload that stands still, is answered 408.
        linger_s: Seconds for which a connection that is closed on our side takes in, and throws
            away, what its client sends: a client must be done sending before it reads an answer.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        now: Callable[[], dt.datetime] = machine_time,
        idle_s: float = 60.0,
        linger_s: float = 5.0,
    ) -> None:
        self._handler = handler
        self._address = (host, port)
        self._date = DateHeader(now)
        self._idle_s = idle_s
        self._linger_s = linger_s
        self._running: _Running | None = None

    def start(self) -> Self:
        """Listen. Does nothing if it does already.

        Raises:
            OSError: the address cannot be bound.
        """
        if self._running is None:
            self._running = _Running(self._address, self._service)
        return self

    def stop(self) -> None:
        """Close the port and every connection, at once. Does nothing if that is done already."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    @property
    def port(self) -> int:
        """Where it listens.

        Raises:
            RuntimeError: it does not.
        """
        if self._running is None:
            raise RuntimeError("the server is not running")
        return self._running.port

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, without a slash at the end; RuntimeError as `port`."""
        host = _ANY.get(self._address[0], self._address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return 0 if self._running is None else self._running.connections

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _service(self, thread: LoopThread) -> Service:
        return Service(
            handler=self._handler,
            thread=thread,
            date=self._date,
            idle_s=self._idle_s,
            linger_s=self._linger_s,
        )


class _Running:
    """A listening port and its connections."""

    def __init__(self, address: tuple[str, int], service: Callable[[LoopThread], Service]) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        listener = socket.create_server(address, family=family, backlog=_BACKLOG)
        self._socket = listener
        self.port: int = listener.getsockname()[1]
        self._thread = acquire()
        self._thread.listening.add(listener)
        self._service = service(self._thread)
        try:
            self._listener = self._thread.run(self._listen(listener))
        except BaseException:
            self._thread.listening.discard(listener)
            listener.close()
            release(self._thread)
            raise

    @property
    def connections(self) -> int:
        return len(self._service.connections)

    def close(self) -> None:
        if is_ours(self._thread):
            self._thread.run(self._shut())
            release(self._thread)

    async def _listen(self, listener: socket.socket) -> Listener:
        return Listener(listener, lambda: Connection(self._service), self._thread.loop)

    async def _shut(self) -> None:
        self._service.stopped = True
        self._thread.listening.discard(self._socket)
        await self._listener.close()
        for connection in tuple(self._service.connections):
            connection.abort()
        # They learn in the next turn that they are lost.
        while self._service.connections:  # noqa: ASYNC110 - that turn, not a poll
            await asyncio.sleep(0)


#: How much a client may send ahead while its last request is being answered.
_AHEAD_BYTES = 256 * 1024


@attrs.define(kw_only=True, eq=False)
class Service:
    """What all connections of one server share.

    Attributes:
        handler: The app. With a true attribute `slow` it is asked in another thread.
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
        #: A call that waits to be carried out, and the fault that postpones it.
        self._postponed: tuple[Request, Fault] | None = None
        #: Whether the client has ended its side, does not take our bytes, is gone; whether
        #: `_advance` is at work.
        self._ended = self._blocked = self._lost = self._advancing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
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
        if self._postponed is not None:
            exchange.abandoned(self._service.handler, *self._postponed)
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
        self._state, self._fault, self._postponed = _State.BUSY, None, None
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
        late = delivery.request
        if late is not None and fault is not None:
            self._postponed = late, fault
            self._sender.perform(
                Script(wait_s=fault.seconds), lambda _: self._carry_out(late, None)
            )
        elif response is None:
            self._sender.perform(wire.script(b"", b"", fault), self._sent)
        elif response.more is not None and fault is None:
            head = self._head(response, request.method, close=True)
            self._sender.stream(head + response.body, response.more)
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
        if end == "keep" and self._keep_alive:
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


#: Seconds between two looks for more of an answer that does not end.
_EVERY_S = 0.1

_NO_LINGER = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a RST, whatever is still on its way."""
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
        )
    transport.abort()


def end_of_answers(transport: asyncio.Transport) -> None:
    """Send a FIN after what was written; reading goes on."""
    try:
        if transport.can_write_eof() and not transport.is_closing():
            transport.write_eof()
    except OSError:
        transport.abort()  # the client has gone


class Sender:
    """Sends the answers of one connection, one at a time.

    Args:
        transport: Of the connection.
        loop: Whose timers are used.

    Attributes:
        waiting: Whether it holds an answer back (`Script.wait_s`).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._reset_when_flushed = False
        self.waiting = False

    def perform(self, script: Script, done: Callable[[End], None]) -> None:
        """Send what `script` says.

        Args:
            script: What and when.
            done: Called with its end when the last byte is handed over, maybe before this returns;
                not if it ends in a RST, and not after `cancel`.
        """
        if script.wait_s:
            self.waiting = True
            self._timer = self._loop.call_later(script.wait_s, self._waited, script, done)
        else:
            self._begin(script, done)

    def stream(self, first: bytes, more: Callable[[], bytes]) -> None:
        """Send `first`, and what `more` gives again and again, until the client is gone."""
        # A client that ends its side does not listen any more.
        self.waiting = True
        self._transport.write(first)
        self._timer = self._loop.call_later(_EVERY_S, self._more, more)

    def cancel(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def flushed(self) -> None:
        """Called when everything written has gone to the system."""
        if self._reset_when_flushed:
            reset(self._transport)

    def _more(self, more: Callable[[], bytes]) -> None:
        # Who does not read is sent nothing more, and gathers nothing here.
        if not self._transport.get_write_buffer_size():
            self._transport.write(more())
        self._timer = self._loop.call_later(_EVERY_S, self._more, more)

    def _waited(self, script: Script, done: Callable[[End], None]) -> None:
        self.waiting = False
        self._begin(script, done)

    def _begin(self, script: Script, done: Callable[[End], None]) -> None:
        if script.first:
            self._transport.write(script.first)
        if script.then:
            self._later(script, done, 0)
        else:
            self._end(script.end, done)

    def _later(self, script: Script, done: Callable[[End], None], index: int) -> None:
        self._timer = self._loop.call_later(script.every_s, self._byte, script, done, index)

    def _byte(self, script: Script, done: Callable[[End], None], index: int) -> None:
        self._transport.write(script.then[index : index + 1])
        if index + 1 < len(script.then):
            self._later(script, done, index + 1)
        else:
            self._end(script.end, done)

    def _end(self, end: End, done: Callable[[End], None]) -> None:
        self._timer = None
        if end != "reset":
            done(end)
        elif self._transport.get_write_buffer_size():
            # A RST takes back what has not left yet; what the system holds (up to some megabytes,
            # if the client is slow) cannot be helped.
            self._reset_when_flushed = True
            self._transport.set_write_buffer_limits(0)
        else:
            reset(self._transport)


class Patience:
    """A deadline that is moved often and costs one timer.

    Args:
        loop: Whose timers are used.
        expired: Called, once, when the deadline has passed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, seconds: float) -> None:
        """Wait that long from now."""
        self._deadline = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._check)

    def suspend(self) -> None:
        """Wait without an end, until the next `wait`."""
        self._deadline = None

    def stop(self) -> None:
        """The connection is closed."""
        self._deadline = None
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._check)
        else:
            self._expired()


_log = logging.getLogger("facematch_mock_server")

#: How many connections are accepted in one turn of the loop.
_AT_ONCE = 256

#: Seconds until the next try when the process has no descriptor left.
_PAUSE_S = 0.1


class Listener:
    """A listening socket, for use on the loop's thread.

    Args:
        sock: It; closed by `close`.
        make: Makes the protocol of a new connection.
        loop: Whose turn it is.
    """

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._sock = sock
        self._make = make
        self._loop = loop
        self._pause: asyncio.TimerHandle | None = None
        self._beginning: set[asyncio.Task[Any]] = set()
        sock.setblocking(False)
        self._watch()

    async def close(self) -> None:
        """Accept nothing more; returns when every connection that was accepted has its protocol."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
        await asyncio.gather(*self._beginning, return_exceptions=True)

    def _watch(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _peer = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                _log.exception("no connection can be accepted; trying again in %s s", _PAUSE_S)
                self._loop.remove_reader(self._sock)
                self._pause = self._loop.call_later(_PAUSE_S, self._watch)
                return
            connection.setblocking(False)
            task = self._loop.create_task(
                self._loop.connect_accepted_socket(self._make, connection)
            )
            self._beginning.add(task)
            task.add_done_callback(self._begun)

    def _begun(self, task: asyncio.Task[Any]) -> None:
        self._beginning.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a connection could not be set up", exc_info=task.exception())


T = TypeVar("T")

#: How many slow requests are worked on at once.
_WORKERS = 8


class LoopThread:
    """An event loop in a thread of its own. It runs from `__init__` to `close`.

    Attributes:
        loop: The loop.
        buffers: Used by its thread alone.
        listening: Open sockets that the child of a fork has to close.
    """

    def __init__(self) -> None:
        keep_freed_pages()
        # What Windows has by default cannot watch a listening socket.
        self.loop = asyncio.SelectorEventLoop()
        self.buffers = Buffers()
        self.listening: set[socket.socket] = set()
        self._workers: ThreadPoolExecutor | None = None
        self._thread = threading.Thread(target=self._main, name="facematch-mock", daemon=True)
        self._thread.start()

    @property
    def workers(self) -> ThreadPoolExecutor:
        """Threads for what would hold the loop up."""
        if self._workers is None:
            # Not above: only the local engine is so slow.
            from concurrent.futures import ThreadPoolExecutor

            self._workers = ThreadPoolExecutor(_WORKERS, "facematch-mock-worker")
        return self._workers

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it.

        Raises:
            RuntimeError: called on the loop's own thread, where waiting would never end.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a mock server is started and stopped from another thread")
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def close(self) -> None:
        """End the loop and its thread. Slow requests end by themselves; nobody waits for them."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)

    def _main(self) -> None:
        self.loop.run_forever()
        # A connection that was accepted while its server stopped is still being set up.
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(_settled(tasks))
        self.loop.close()


async def _settled(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
    # Transports tell their protocols one turn after they were closed.
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class _Shared:
    """The loop of this process, and how many servers hold it."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.thread: LoopThread | None = None
        self.users = 0


_shared = _Shared()


def acquire() -> LoopThread:
    """The loop of this process; it is started for the first who asks."""
    with _shared.lock:
        if _shared.thread is None:
            _shared.thread = LoopThread()
        _shared.users += 1
        return _shared.thread


def is_ours(thread: LoopThread) -> bool:
    """Whether it runs in this process: after a fork it does so in the parent alone."""
    return thread is _shared.thread


def release(thread: LoopThread) -> None:
    """Hand back what `acquire` gave; with the last one the loop ends."""
    with _shared.lock:
        _shared.users -= 1
        if _shared.users:
            return
        _shared.thread = None
    thread.close()


def _forget() -> None:
    """In the child of a fork there is no loop, whatever the parent had."""
    inherited = _shared.thread
    _shared.begin()
    if inherited is not None:
        # Else the ports would stay open until the child ends.
        for listener in tuple(inherited.listening):
            listener.close()
        # Kept, so that the loop is not closed: its selector is the parent's too.
        _inherited.append(inherited)


_inherited: list[LoopThread] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

"""The HTTP server."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from collections.abc import Callable
from typing import Self

from facematch_mock_server.protocols import Handler

from . import loop
from .accepting import Listener
from .connection import Connection, Service
from .loop import LoopThread
from .wire import DateHeader, machine_time

#: How many connections may wait to be accepted.
_BACKLOG = 1024

#: Hosts that mean every address of the machine, and one that leads there.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - to recognise them


class HttpFront:
    """Serves one engine over HTTP/1.1, on the event loop that all servers of the process share.

    A context manager; may be started again after it was stopped. In the child of a fork it is not
    running.

    Args:
        handler: The engine. It is asked on the loop's thread, or, while its attribute `slow` is
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
        self._thread = loop.acquire()
        self._thread.listening.add(listener)
        self._service = service(self._thread)
        try:
            self._listener = self._thread.run(self._listen(listener))
        except BaseException:
            self._thread.listening.discard(listener)
            listener.close()
            loop.release(self._thread)
            raise

    @property
    def connections(self) -> int:
        return len(self._service.connections)

    def close(self) -> None:
        if loop.is_ours(self._thread):
            self._thread.run(self._shut())
            loop.release(self._thread)

    async def _listen(self, listener: socket.socket) -> Listener:
        return Listener(listener, lambda: Connection(self._service), self._thread.loop)

    async def _shut(self) -> None:
        self._service.stopped = True
        self._thread.listening.discard(self._socket)
        await self._listener.close()
        for connection in tuple(self._service.connections):
            connection.abort()
        # They are told that they are lost in the next turn.
        while self._service.connections:  # noqa: ASYNC110 - that turn, not a poll
            await asyncio.sleep(0)

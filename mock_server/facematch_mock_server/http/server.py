"""The HTTP server: a port, and an event loop in a separate thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import attrs

from .connection import Connection, Service
from .exchange import Handler, keep_freed_pages

#: The listen backlog.
_BACKLOG = 1024
#: How many connections are accepted in one turn of the event loop.
_ACCEPTED_AT_ONCE = 256
#: The number of threads for slow requests to vendors; each may hold a decoded picture.
_VENDOR_THREADS = 8
#: The number of threads for the control API; each may wait for webhooks.
_CONTROL_THREADS = 64
#: Maximum bytes per read: more than two typical pictures.
_READ_BYTES = 512 * 1024
#: The address to connect to, by wildcard address.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - to recognise them

#: The name of each server's thread.
THREAD = "facematch-mock"


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket that does not block. Raises OSError if the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


def url_of(host: str, port: int) -> str:
    """Return the URL at which this machine reaches a listener; of a wildcard, the loopback's."""
    host = _ANY.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class HttpServer:
    """An HTTP/1.1 server for one app, with its own event loop."""

    # A forked child does not serve: requests to the port go to the parent. The server itself
    # accepts connections, because in Python 3.11 a server from `loop.create_server` leaves
    # half-open connections.

    def __init__(
        self,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        # Seconds until an idle connection is closed, and until a stalled upload gets 408.
        idle_s: float = 60.0,
        # Seconds to continue reading a refused upload, because clients send before they read.
        linger_s: float = 5.0,
    ) -> None:
        self._address = (host, port)
        self._settings: Any = {"handler": handler, "idle_s": idle_s, "linger_s": linger_s}
        self._listener: socket.socket | None = None

    def start(self) -> Self:
        """Start listening, if not already started. Raises OSError if the address is unavailable."""
        if self._listener is not None:
            return self
        listener = listen(*self._address)
        self._port: int = listener.getsockname()[1]
        self._setting_up: set[asyncio.Task[None]] = set()
        #: The tasks of `spawn`; they end with the server.
        self._spawned: set[asyncio.Task[None]] = set()
        keep_freed_pages()
        # The default event loop of Windows cannot watch a listening socket.
        self._loop = asyncio.SelectorEventLoop()
        #: The threads by `Request.is_for_mock`.
        self._pools = {
            False: ThreadPoolExecutor(_VENDOR_THREADS, "facematch-mock-worker"),
            True: ThreadPoolExecutor(_CONTROL_THREADS, "facematch-mock-clerk"),
        }
        scratch = memoryview(bytearray(_READ_BYTES))
        self._service = Service(
            loop=self._loop, scratch=scratch, threads=self._pools, **self._settings
        )
        self._services = [self._service]
        self._loop.call_soon(self._loop.add_reader, listener, self._accept, listener)
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
        self._thread.start()
        self._listener = listener
        self._process = os.getpid()
        return self

    def stop(self) -> None:
        """Close the port and all connections at once, if not already closed.

        Does not wait for slow requests. Raises RuntimeError in the server's own thread.
        """
        if self._listener is not None and self._process == os.getpid():
            if threading.current_thread() is self._thread:
                raise RuntimeError("a mock server can only be stopped from another thread")
            closing = self._close(self._listener)
            asyncio.run_coroutine_threadsafe(closing, self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            for pool in self._pools.values():
                pool.shutdown(wait=False, cancel_futures=True)
        self._listener = None

    def open_service(self, handler: Handler) -> Service:
        """Return a service with a handler of its own, for `serve`."""
        service = attrs.evolve(self._service, handler=handler, connections=set())
        self._services.append(service)
        return service

    async def take_over(
        self, accepted: socket.socket, service: Service, tls: ssl.SSLContext | None = None
    ) -> None:
        """Take over a connection that another listener accepted; return once its TLS is set up.

        Raises OSError if TLS fails.
        """
        await self._loop.connect_accepted_socket(lambda: Connection(service), accepted, ssl=tls)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in the server's event loop until it ends or `stop` cancels it."""

        async def begin() -> asyncio.Task[None]:
            task = self._loop.create_task(work)
            self._spawned.add(task)
            task.add_done_callback(self._spawned.discard)
            return task

        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result()

    @property
    def port(self) -> int:
        if self._listener is None:
            raise RuntimeError("the server is not running")
        return self._port

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``. Raises RuntimeError if the server is not running."""
        return url_of(self._address[0], self.port)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _close(self, listener: socket.socket) -> None:
        """Stop accepting, end what runs, and close all connections.

        Waiting clients are accepted first.
        """
        for service in self._services:
            service.stopped = True
        self._accept(listener)  # otherwise waiting clients would be reset
        self._loop.remove_reader(listener)
        listener.close()
        for task in self._spawned:
            task.cancel()
        await asyncio.gather(*self._setting_up, *self._spawned, return_exceptions=True)
        for service in self._services:
            for connection in tuple(service.connections):
                connection.abort()
            # Connections are closed in the loop's next turn.
            while service.connections:  # noqa: ASYNC110 - that turn, not a poll
                await asyncio.sleep(0)

    def _accept(self, listener: socket.socket) -> None:
        """Accept the connections that wait, at most `_ACCEPTED_AT_ONCE` in one turn of the loop."""
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, _peer = listener.accept()
            except OSError:  # nothing to accept, or no descriptor left: the loop retries
                return
            accepted.setblocking(False)
            task = self._loop.create_task(self._connect(accepted))
            self._setting_up.add(task)
            task.add_done_callback(self._setting_up.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):
            await self.take_over(accepted, self._service)

    def _run(self) -> None:
        self._loop.run_forever()
        # Transports notify their protocols one turn after they are closed.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

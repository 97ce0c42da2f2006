"""Connections that apply deadlines, and report the first byte of a request.

urllib3 does not report whether a request was sent, and restarts its timeout with every read. But a
sent request may be charged, and a call has a single deadline. So `Connection` extends urllib3's
class in three ways: it calls `Exchange.begin` just before the first byte of a request, it calls
`Exchange.next_timeout_s` before each wait on the socket, and it rejects truncated response headers.

httpx does report it (its extension `trace`). This is urllib3 nevertheless: `responses`, vcrpy and
our own fixtures replace it in users' tests, one blocking transport serves callers with and without
asyncio, and its cost is measured: 1.1 times the bytecodes of a bare request
(`benchmarks/client_call.py`).
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import attrs
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util import Url

from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning

from .messages import HttpRequest


def unpatched(found: type, module: str) -> Any:
    """Return a library's own class, given that class or a subclass that replaces it."""
    return next(base for base in found.__mro__ if base.__module__ == module)


if not TYPE_CHECKING:
    # This module may be imported while vcrpy or requests-cache has replaced these classes.
    HTTPConnection = unpatched(HTTPConnection, "urllib3.connection")
    HTTPSConnection = unpatched(HTTPSConnection, "urllib3.connection")


@attrs.define(eq=False)
class Exchange:
    """The state of a request and its response; the first fields are arguments of `send`."""

    request: HttpRequest
    backend: str
    charges: int
    #: The timeout of each wait before the first byte, in seconds.
    connect_timeout_s: float
    #: The timeout of each wait after the first byte, in seconds.
    read_timeout_s: float
    deadline: Deadline
    on_sent: Callable[[], None]

    #: When the connect timeout ends; None for a connection that is reused.
    connect_by: Deadline | None = None
    #: Whether the first byte was passed to the socket.
    is_sent: bool = False
    #: The exception raised by `on_sent`.
    refusal: BaseException | None = None
    #: None for a test double.
    pool: ConnectionPool | None = None
    connection: Connection | None = None
    response: Any = None
    #: The status of the response; 0 until its headers are read.
    status: int = 0

    def begin(self) -> None:
        """Call `on_sent` before the first byte."""
        if self.is_sent:
            return
        try:
            self.on_sent()
        except BaseException as error:
            self.refusal = error
            raise
        self.is_sent = True

    def next_timeout_s(self) -> float:
        """Return the timeout of the next wait in seconds.

        Raise `TimeoutError` if the deadline (before the first byte: `send_by` or `connect_by`) has
        passed.
        """
        left_s = (self.deadline if self.is_sent else self.deadline.send_by).left_s()
        if self.connect_by is not None and not self.is_sent:
            left_s = min(left_s, self.connect_by.left_s())
        if left_s <= 0:
            raise TimeoutError("The deadline ran out.")
        return min(left_s, self.read_timeout_s if self.is_sent else self.connect_timeout_s)

    def limit_next_wait(self, sock: Any) -> None:
        """Set the timeout of the next wait on a socket; raises as `next_timeout_s`."""
        wait_s = self.next_timeout_s()
        # Avoid a needless system call, which releases the GIL.
        if sock.gettimeout() != wait_s:
            sock.settimeout(wait_s)


#: The current exchange. A context variable, because urllib3 creates the socket readers.
EXCHANGE: ContextVar[Exchange] = ContextVar("facematch_exchange")


def uses_tls(scheme: str, proxy: Url | None) -> bool:
    """Return whether the origin or the proxy on the way to it uses TLS."""
    return scheme == "https" or (proxy is not None and proxy.scheme == "https")


@attrs.frozen(kw_only=True, eq=False)
class ConnectionPool:
    """The idle connections to one origin, and what a new one is opened with."""

    scheme: str
    host: str
    #: None for the scheme's default port.
    port: int | None
    #: The proxy's URL without the login, and the headers with the login.
    proxy: Url | None
    proxy_headers: Mapping[str, str] = attrs.field(repr=False)
    #: The trusted certificates, if the origin or the proxy uses TLS.
    context: ssl.SSLContext | None = attrs.field(repr=False)
    #: Oldest first. `list.append` and `list.pop` are atomic.
    idle: list[Connection] = attrs.field(factory=list, repr=False)

    def take(self, now: float) -> Connection | None:
        """Return a usable idle connection or None; close unusable connections."""
        with contextlib.suppress(IndexError):
            while True:
                connection = self.idle.pop()
                # After a fork, drop the parent's connections.
                is_fresh = now <= connection.kept_until and connection.process_id == os.getpid()
                if is_fresh and connection.is_connected:
                    return connection
                connection.close()
        return None

    def open(self) -> Connection:
        """Return a new connection, which connects on its first request."""
        proxy = self.proxy
        host = self.host
        port = self.port
        if proxy is not None:
            host = str(proxy.host)
            port = proxy.port or (443 if proxy.scheme == "https" else 80)
        if not uses_tls(self.scheme, proxy):
            return Connection(host, port, proxy=proxy)
        proxy_config = None
        if proxy is not None:
            # For TLS to the proxy itself.
            proxy_config = ProxyConfig(
                ssl_context=self.context,
                use_forwarding_for_https=False,
                assert_hostname=None,
                assert_fingerprint=None,
            )
        connection = TlsConnection(
            host, port, proxy=proxy, proxy_config=proxy_config, ssl_context=self.context
        )
        if proxy is not None and self.scheme == "https":
            connection.set_tunnel(
                self.host, self.port or 443, self.proxy_headers, scheme=str(proxy.scheme)
            )
        return connection


class Connection(HTTPConnection):
    """A connection that applies deadlines, and reports the first byte of a request."""

    #: When the idle connection expires, in seconds on the client's monotonic clock.
    kept_until = 0.0
    #: The id of the process that keeps it; a forked child inherits its parent's connections.
    process_id = 0

    def __del__(self) -> None:
        # A garbage-collected client does not close its connections.
        with contextlib.suppress(Exception):
            self.close()

    def request(self, *args: Any, **options: Any) -> None:
        """Connect if necessary, report the first byte, and send the request."""
        exchange = EXCHANGE.get()
        if self.sock is None:
            exchange.connect_by = Deadline.after(exchange.connect_timeout_s)
            self.connect()
        exchange.next_timeout_s()
        exchange.begin()
        # urllib3 sets this timeout on the socket.
        self.timeout = exchange.next_timeout_s()
        super().request(*args, **options)
        # urllib3 keeps the URL, and logs it if a header is invalid. Its query may contain a key.
        options_kept: Any = self._response_options
        if "?" in options_kept.request_url:
            path, _, _ = options_kept.request_url.partition("?")
            self._response_options = options_kept._replace(request_url=path)

    def send(self, data: Any) -> None:
        """Send bytes in pieces, because `sendall` has a single timeout for the whole upload."""
        exchange = EXCHANGE.get()
        sock = cast(Any, self.sock)
        sent_bytes = 0
        with memoryview(data).cast("B") as view:
            while sent_bytes < len(view):
                exchange.limit_next_wait(sock)
                sent_bytes += sock.send(view[sent_bytes:])

    def _new_conn(self) -> socket.socket:
        """Return a socket to the first address that responds within its share of the time."""
        exchange = EXCHANGE.get()
        try:
            host = self._dns_host.strip("[]")
            addresses = _look_up(host, self.port, exchange.next_timeout_s())
        except OSError as error:
            raise NameResolutionError(self.host, self, cast(socket.gaierror, error)) from error
        last_error = OSError("The host has no address.")
        for number, (family, socket_type, protocol, _, address) in enumerate(addresses):
            try:
                with contextlib.ExitStack() as close_if_failed:
                    sock = close_if_failed.enter_context(
                        socket.socket(family, socket_type, protocol)
                    )
                    for option in self.socket_options or ():
                        sock.setsockopt(*option)
                    # An equal share of the time left, so that a dead address leaves some.
                    sock.settimeout(exchange.next_timeout_s() / (len(addresses) - number))
                    sock.connect(address)
                    exchange.limit_next_wait(sock)  # of the TLS handshake
                    # Connected: the socket stays open.
                    close_if_failed.pop_all()
                    return sock
            except OSError as error:
                last_error = error
        raise NewConnectionError(self, "No address of the host responds.") from last_error

    def _tunnel(self) -> None:
        super()._tunnel()
        EXCHANGE.get().limit_next_wait(self.sock)

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open and has no unread bytes after the last response."""
        # `poll` does not see bytes that TLS has already decrypted.
        if not super().is_connected:
            return False
        count_pending = getattr(self.sock, "pending", None)
        return count_pending is None or not count_pending()


class TlsConnection(Connection, HTTPSConnection):
    """A `Connection` over TLS."""

    def connect(self) -> None:
        """Connect, and verify that the TLS handshake took place."""
        super().connect()
        # If the peer disconnects immediately, Python may return an unencrypted socket.
        if cast(Any, self.sock).version() is None:
            self.close()
            raise ssl.SSLError(0, "The TLS handshake failed.")


#: Maximum number of concurrent DNS look-ups. They cannot be cancelled, and some take 10 s.
MOST_LOOK_UPS = 8

_look_up_threads = HelperThreads(MOST_LOOK_UPS, "facematch-look-up")


def _look_up(host: str, port: int, wait_s: float) -> list[tuple[Any, Any, int, str, Any]]:
    """Return the addresses of a host; concurrent callers share a look-up in a thread."""
    look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    # An IP address needs no DNS, and no thread.
    try:
        return look_up(flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    except UnicodeError:  # a label is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "The name is invalid.") from None
    try:
        return _look_up_threads.run(look_up, Deadline.after(wait_s), key=(host, port))
    except (NoThread, StillRunning):
        raise TimeoutError("The DNS look-up timed out.") from None


class _SocketReader(socket.SocketIO):
    """A socket reader that applies the deadline to each read."""

    _sock: socket.socket
    #: Whether a read has reached the end of the stream.
    has_ended = False

    def readinto(self, buffer: Any) -> int:
        EXCHANGE.get().limit_next_wait(self._sock)
        count = super().readinto(buffer) or 0
        self.has_ended = count == 0
        return count


class _Response(http.client.HTTPResponse):
    """A response that rejects truncated headers."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        # `makefile` accepts no class, and `begin` is not called for the response to a CONNECT.
        self._reads: Any = self.fp.raw
        self._reads.__class__ = _SocketReader

    def begin(self) -> None:
        super().begin()
        # `http.client` accepts truncated headers. It stops reading at the empty line after complete
        # headers, so they are truncated if it reached the end of the stream.
        if self._reads.has_ended:
            raise http.client.IncompleteRead(b"")
        if self.status < http.HTTPStatus.OK:
            self.will_close = True  # another response follows


Connection.response_class = _Response

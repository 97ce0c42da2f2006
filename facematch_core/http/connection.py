"""Connections that end in time and report their first byte.

An HTTP library's exception does not say whether the request has left, and its time-outs start again
with every read. Both matter here: a request that has left may be charged, and a caller's deadline
is one for the whole call. So these subclasses of urllib3's connections do three things more:

- `Connection.request` calls `Exchange.begin` after DNS, proxy and TLS, and before the first byte.
- Each wait on a socket asks `Exchange.wait_s` how long it may take.
- A response whose head broke off, that never ends, or that is too long, is an error.

`Exchange` is the state of one request and its answer. `open_connection` connects along a `Route`.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import os
import socket
import ssl
import zlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, cast

import attrs
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util import Url

from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning


class NotSent(Exception):
    """`on_sent` raised, so nothing may be sent. Not an OSError, which urllib3 would handle."""


class AnswerTooLong(OSError):
    """More bytes came in than any answer within the limits needs."""


class UnreadableBody(Exception):
    """The body is too long, or compressed in a way that cannot be undone."""


@attrs.define(eq=False, kw_only=True)
class Exchange:
    """The state of one request and its answer."""

    #: Longest wait before the first byte, and after it, in seconds.
    timeouts_s: tuple[float, float]
    deadline: Deadline
    on_sent: Callable[[], None]
    #: Number of bytes that may still come in.
    left_to_receive: int

    # Errors need these: names of backend and call, the statuses with which the call goes on, their
    # charges, and whether the vendor can be asked later what became of the call.
    backend: str
    call_id: str | None
    expects: frozenset[int]
    charges: int
    reconcilable: bool

    #: Whether the first byte was handed to the socket.
    is_sent: bool = False
    #: The exception that `on_sent` raised.
    refusal: BaseException | None = None
    connection: Connection | None = None
    response: Any = None
    #: Scheme, host and port that are asked; and the proxy on the way, empty for none.
    origin: str = ""
    proxy: str = ""
    has_body: bool = False
    #: Whether a test double answers, which reports no first byte.
    is_double: bool = False
    #: The status of the answer, once its head is read.
    status: int | None = None
    _is_cut_short: bool = False

    def begin(self) -> None:
        """Call `on_sent` before the first byte; raises `NotSent` if that raises."""
        if self.is_sent:
            return
        try:
            self.on_sent()
        except BaseException as error:  # noqa: BLE001 - raised again by HttpClient.send
            self.refusal = error
            raise NotSent from None
        self.is_sent = True

    def close(self) -> None:
        """Close what a broken exchange has used."""
        for resource in (self.response, self.connection):
            if resource is not None:
                resource.close()

    def left_s(self) -> float:
        """Return the seconds that are left: before the first byte, those for sending it."""
        return (self.deadline if self.is_sent else self.deadline.send_by).left_s()

    def wait_s(self, sock: socket.socket | None = None) -> float:
        """Return how long the next wait may take, and set it on the socket.

        Raises TimeoutError if no time is left.
        """
        timeout_s, left_s = self.timeouts_s[self.is_sent], self.left_s()
        self._is_cut_short = left_s < timeout_s
        if left_s <= 0:
            raise TimeoutError("The deadline ran out.")
        wait_s = min(left_s, timeout_s)
        # Setting it is a system call, in which another thread takes over.
        if sock is not None and sock.gettimeout() != wait_s:
            sock.settimeout(wait_s)
        return wait_s

    def has_expired(self, links: list[BaseException]) -> bool:
        """Whether the deadline ended the exchange, and not one of the time-outs."""
        # A test's clock may stand still while a socket waits.
        has_waited = self._is_cut_short and any(
            isinstance(link, TimeoutError) and link.errno is None for link in links
        )
        return has_waited or self.left_s() <= 0


#: The exchange that the running code belongs to: a connection serves one after the other.
CURRENT: ContextVar[Exchange] = ContextVar("facematch_exchange")


@attrs.frozen(kw_only=True)
class Route:
    """The way to one origin: host, proxy and certificates."""

    scheme: str
    host: str
    #: None for the default port of the scheme.
    port: int | None
    #: The proxy to go through, without its login.
    proxy: Url | None = None
    #: The proxy's login, as a header.
    proxy_headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    #: The trusted certificates; None if nothing on the way speaks TLS.
    context: ssl.SSLContext | None = attrs.field(default=None, repr=False)

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy reads the request and sends it on: plain HTTP through a proxy."""
        return self.proxy is not None and self.scheme == "http"


def open_connection(route: Route) -> Connection:
    """Return a connection along a route; it connects with its first request."""
    proxy = route.proxy
    host, port = route.host, route.port
    if proxy is not None:
        host, port = str(proxy.host), proxy.port or {"http": 80, "https": 443}[str(proxy.scheme)]
    if route.context is None:
        return Connection(host, port, proxy=proxy)
    # Not above: urllib3-future has none, and `check_urllib3` has to name it.
    from urllib3.connection import ProxyConfig

    connection = TlsConnection(
        host,
        port,
        proxy=proxy,
        # Used for TLS to the proxy itself.
        proxy_config=proxy and ProxyConfig(route.context, False, None, None),
        ssl_context=route.context,
    )
    if proxy is not None and route.scheme == "https":
        connection.set_tunnel(
            route.host, route.port or 443, route.proxy_headers, scheme=str(proxy.scheme)
        )
    return connection


class Connection(HTTPConnection):
    """A connection to one server, with deadlines and a report of the first byte."""

    #: The process that opened it, and until when it may be used again, on the client's clock.
    process = 0
    kept_until = 0.0

    def __init__(self, *args: Any, **options: Any) -> None:
        self.process = os.getpid()
        super().__init__(*args, **options)

    def __del__(self) -> None:
        # A thread that ends drops its connections.
        with contextlib.suppress(Exception):
            self.close()

    def request(self, *args: Any, **options: Any) -> None:
        """Connect if need be, report the first byte, and send the request."""
        if self.sock is None:
            self.connect()
        exchange = CURRENT.get()
        exchange.wait_s()
        exchange.begin()
        # urllib3 sets this on the socket.
        self.timeout = exchange.wait_s()
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        """Send bytes piece by piece: `sendall` has one time-out for the whole upload."""
        exchange, sock, done = CURRENT.get(), cast(Any, self.sock), 0
        with memoryview(data).cast("B") as view:
            while done < len(view):
                exchange.wait_s(sock)
                done += sock.send(view[done:])

    def _new_conn(self) -> socket.socket:
        wait_s = CURRENT.get().wait_s
        try:
            addresses = _look_up(self._dns_host.strip("[]"), self.port, wait_s())
        except OSError as error:
            raise NameResolutionError(self.host, self, cast(socket.gaierror, error)) from error
        problem = OSError("The name has no address.")
        for family, kind, protocol, _, address in addresses:
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                # Again for each address: a name may have many, and the deadline is one.
                wait_s(sock)
                sock.connect(address)
                # The TLS handshake waits next.
                wait_s(sock)
            except BaseException as error:
                if sock is not None:
                    sock.close()
                if not isinstance(error, OSError):
                    raise
                problem = error
            else:
                return sock
        raise NewConnectionError(self, "No address of the host answers.") from problem

    def _tunnel(self) -> None:
        super()._tunnel()
        CURRENT.get().wait_s(self.sock)

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open and nothing has come in since the last answer."""
        # `poll` does not see bytes that TLS has decrypted already.
        pending = getattr(self.sock, "pending", None)
        return super().is_connected and not (pending is not None and pending())


class TlsConnection(Connection, HTTPSConnection):
    """A `Connection` over TLS."""

    def connect(self) -> None:
        """Connect, and make sure that the handshake took place."""
        super().connect()
        # If the peer is gone at once, Python may return a socket without a handshake, which would
        # send in the clear.
        if cast(Any, self.sock).version() is None:
            self.close()
            raise ssl.SSLError(0, "The TLS handshake failed.")


#: Most concurrent name look-ups of this process. A look-up cannot be cancelled; with a silent name
#: server it takes ten seconds and more.
MOST_LOOK_UPS = 8

_look_up_threads = HelperThreads(MOST_LOOK_UPS, "facematch-look-up")


def _look_up(host: str, port: int, wait_s: float) -> list[tuple[Any, Any, int, str, Any]]:
    """Return the addresses of a host; concurrent callers share one look-up in a thread."""
    look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    # An IP address needs no name server, and no thread.
    try:
        return look_up(flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    except UnicodeError:  # a label is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "The name is none.") from None
    try:
        return _look_up_threads.run(look_up, Deadline.after(wait_s), key=(host, port))
    except (NoThread, StillRunning):
        raise TimeoutError("The name was not looked up in time.") from None


class _SocketReader(socket.SocketIO):
    """The incoming bytes of a socket, each wait within the deadline."""

    _sock: socket.socket
    #: Whether a read has met the end of the stream.
    has_ended = False

    def readinto(self, buffer: Any) -> int:
        exchange = CURRENT.get()
        exchange.wait_s(self._sock)
        count = super().readinto(buffer) or 0
        exchange.left_to_receive -= count
        if exchange.left_to_receive < 0:
            raise AnswerTooLong("The answer does not end.")
        self.has_ended = count == 0
        return count


class _Response(http.client.HTTPResponse):
    """A response whose head is complete."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        # The unbuffered file counts its users, so the descriptor outlives a connection that is
        # closed before the response is read.
        self._reads: Any = self.fp.raw
        self._reads.__class__ = _SocketReader

    def begin(self) -> None:
        super().begin()
        # `http.client` accepts a head that broke off. The empty line after a complete head needs no
        # further read, so a read that met the end came too soon.
        if self._reads.has_ended:
            raise http.client.IncompleteRead(b"")
        if self.status < http.HTTPStatus.OK:
            self.will_close = True  # another response, or another protocol, follows


Connection.response_class = _Response


def read_body(response: Any, limit: int) -> bytes:
    """Return the body of a response of urllib3, decompressed, at most `limit` bytes.

    urllib3 checks the framing. Raises `UnreadableBody` if the body is too long, or compressed in a
    way that cannot be undone.
    """
    headers = response.headers
    coding = headers.get("Transfer-Encoding", "chunked").strip().lower()
    if coding not in ("chunked", "identity"):
        raise http.client.HTTPException("unknown transfer coding")
    encoding = headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise UnreadableBody("its body is compressed in an unknown way")
    # A compressed body may be a few bytes longer than its content.
    most = limit if encoding == "identity" else 2 * limit + 1024
    body = bytearray()
    for piece in itertools.chain((b"",), response.stream(65536, decode_content=False)):
        body += piece
        if len(body) > most:
            raise UnreadableBody("its body is too long")
    if not body or encoding == "identity":
        return bytes(body)
    # Not by urllib3, which does not notice a gzip stream that broke off. With 32 zlib detects
    # whether it is gzip or deflate.
    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)
    try:
        plain = decoder.decompress(body, limit + 1)
    except zlib.error:
        raise UnreadableBody("its body cannot be decompressed") from None
    if len(plain) > limit:
        raise UnreadableBody("its body is too long")
    if not decoder.eof or decoder.unused_data:
        raise UnreadableBody("its body cannot be decompressed")
    return plain

"""The one place that meets requests and urllib3: connections that note what leaves, and when."""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from ._exchange import CURRENT
from ._socket import RequestSocket, TimedReader, TimedSocket

if TYPE_CHECKING:
    from urllib3.poolmanager import PoolManager

#: Seconds after which an unused connection is not used again. Servers close theirs after 2, 5 or
#: 60 s; a request that meets such a close is lost, and nobody knows its bill. A handshake is cheap.
MAX_IDLE_S = 1.5

#: How many interim answers (100, 102, 103) may precede the answer.
MAX_INTERIM = 16


class FinalResponse(http.client.HTTPResponse):
    """An answer whose head is complete and that is not an interim one.

    `http.client` takes a head that broke off for a whole one. Of interim answers it passes over 100
    alone; with 103 it would take the answer that follows for that of the next request.
    """

    def begin(self) -> None:
        self._whole_head()
        for _ in range(MAX_INTERIM):
            if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                self.will_close = True  # what follows is no HTTP
                return
            if self.status >= http.HTTPStatus.OK:
                return
            # What begin() itself looks at to see whether the head was read.
            self.headers = self.msg = None  # type: ignore[assignment]  # as in its __init__
            self._whole_head()
        raise http.client.BadStatusLine("too many interim answers")

    def _whole_head(self) -> None:
        super().begin()
        # The empty line after a head needs no further read: one that met the end came too early.
        if cast(TimedReader, self.fp.raw).ended:
            raise http.client.IncompleteRead(b"")


class TimedConnection(HTTPConnection):
    """Connects within the deadline and hands out a socket that notes the first byte."""

    response_class = FinalResponse

    def _new_conn(self) -> socket.socket:
        exchange = CURRENT.get()
        patience_s = cast(float, self.timeout)
        try:
            addresses = socket.getaddrinfo(
                self._dns_host.strip("[]"), self.port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            # As an OSError, urllib3 could take it for a failure of the upload.
            raise NameResolutionError(self.host, self, cast(socket.gaierror, error)) from error
        problem = OSError("The name has no address.")
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                # For each address: a name may have many, and the deadline is one.
                sock.settimeout(exchange.wait_s(patience_s))
                sock.connect(address)
                # For the TLS handshake, which is the next to wait.
                sock.settimeout(exchange.wait_s(patience_s))
            except BaseException as error:
                sock.close()
                if not isinstance(error, OSError):
                    raise
                if isinstance(error, TimeoutError):
                    exchange.timed_out(error)
                problem = error
            else:
                return sock
        raise NewConnectionError(self, "No address of the host answers.") from problem

    def _tunnel(self) -> None:
        """Ask a proxy for a tunnel. None of this is a byte of the request."""
        raw = cast(socket.socket, self.sock)
        patience_s = cast(float, self.timeout)
        self.sock = cast(socket.socket, TimedSocket(raw, patience_s))
        super()._tunnel()
        self.sock = raw
        raw.settimeout(CURRENT.get().wait_s(patience_s))

    def connect(self) -> None:
        exchange = CURRENT.get()
        try:
            super().connect()
        except TimeoutError as error:
            exchange.timed_out(error)
            raise
        wrapped = RequestSocket(cast(socket.socket, self.sock), exchange.read_timeout_s)
        self.sock = cast(socket.socket, wrapped)

    @property
    def is_connected(self) -> bool:
        sock: Any = self.sock
        # After an answer that could not be used, the socket is closed behind the connection's back.
        if sock is None or sock.fileno() < 0 or not super().is_connected:
            return False
        if CURRENT.get().idle_s(sock) > MAX_IDLE_S:
            return False
        # Bytes that TLS has already decrypted are not seen by poll: they would be read as the
        # answer to the next request.
        pending = getattr(sock, "pending", None)
        return pending is None or not pending()


class TimedTlsConnection(TimedConnection, HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        super().connect()
        # A peer that is gone at once leaves Python with a socket that never shook hands and would
        # send in the clear.
        sock: Any = self.sock
        if sock.version() is None:
            self.close()
            raise ssl.SSLError(0, "The handshake was not made.")


class Slot:
    """Where a pool keeps its connections, in place of a `queue.LifoQueue`.

    Without a lock, for a pool of ours belongs to one thread: the exception of a signal's handler
    could leave a lock taken, and whoever needs it next would wait for ever.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self._maxsize = maxsize
        self._kept: list[Any] = []

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The connection that was kept last; `queue.Empty` at once if there is none."""
        try:
            return self._kept.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Keep a connection; `queue.Full` at once if there is no room."""
        if len(self._kept) >= self._maxsize:
            raise queue.Full
        self._kept.append(item)

    def qsize(self) -> int:
        """How many are kept."""
        return len(self._kept)


class TimedPool(HTTPConnectionPool):
    """Connections of ours."""

    ConnectionCls = TimedConnection
    QueueCls = Slot  # type: ignore[assignment]  # it has what a pool asks of a queue


class TimedTlsPool(HTTPSConnectionPool):
    """Connections of ours over TLS."""

    ConnectionCls = TimedTlsConnection
    QueueCls = Slot  # type: ignore[assignment]  # it has what a pool asks of a queue


class Adapter(HTTPAdapter):
    """requests' own adapter over connections of ours, with and without a proxy. No retries."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _ours(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        _ours(manager)
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        # The way to a proxy may be TLS although the address is not.
        address = url if conn.proxy is None else "https:"
        super().cert_verify(conn, address, verify, cert)  # type: ignore[no-untyped-call]  # untyped in the stubs

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        CURRENT.get().own = True
        return super().get_connection_with_tls_context(*args, **kwargs)


def is_network(adapter: BaseAdapter) -> bool:
    """Whether it is ours, and no test double that was put in its place."""
    return isinstance(adapter, Adapter)


def _ours(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": TimedPool, "https": TimedTlsPool}


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def new_session(user_agent: str) -> requests.Session:
    """A session for one thread: verified TLS, proxies of the environment, no netrc, no retries."""
    session = requests.Session()
    session.headers.clear()
    session.headers.update(
        {
            "User-Agent": user_agent,
            "Accept": "application/json",
            # Answers are small. What is not compressed cannot be a bomb.
            "Accept-Encoding": "identity",
        }
    )
    # With any auth, even one that does nothing, requests does not look into ~/.netrc.
    session.auth = _as_it_is
    for scheme in ("https://", "http://"):
        session.mount(scheme, Adapter(pool_connections=4, pool_maxsize=1))
    return session

"""Send a program's request to the real vendor, once and as it is."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import threading
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import requests

from facematch_core.base.addresses import CA_VARIABLES, is_loopback
from facematch_mock_server.base.messages import HEADER_NAME, HEADER_VALUE, Request, Response

_CONNECT_S = 15.0
_ANSWER_S = 120.0
#: Largest body of a reply that is recorded, without its compression. The program gets any.
MAX_RECORDED_BYTES = 20_000_000
#: Headers that are about one connection or the proxy, not about the call.
_CONNECTION_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class NotSent(Exception):
    """Raised if no byte of a request was sent, with the reason: the vendor charges nothing."""


class NoAnswer(Exception):
    """Raised if a request was sent and not answered: the vendor may have charged it."""


class Upstream:
    """The way to the real vendors. Thread-safe.

    Args:
        url: The server that takes all requests in place of the vendors' hosts, ``http://`` or
            ``https://``; None for the vendors. Raises ValueError if it is no such URL, or if the
            environment names certificates that cannot be read.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = None if url is None else _parse_origin(url)
        self._context = _verifying_context()
        self._context.set_alpn_protocols(["http/1.1"])
        self._connections: set[http.client.HTTPConnection] = set()
        self._is_closed = False
        self._lock = threading.Lock()

    def host_for(self, request: Request) -> str:
        """Return the host that a request goes to, without port."""
        return self._origin_for(request).hostname or ""

    def send(self, request: Request) -> Response:
        """Send a request and return the reply. Follows no redirect and repeats nothing.

        The method, the target, the body and the headers are sent as they came, with their names in
        lower case; only the connection's headers differ, and Accept-Encoding, so that the reply
        can be read.

        Raises:
            NotSent: the connection failed, or `close` was called before.
            NoAnswer: it failed later.
        """
        origin = self._origin_for(request)
        try:
            connection = self._connect(origin)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotSent(type(error).__name__) from None
        with self._open_until_closed(connection):
            try:
                return exchange(connection, request)
            except (OSError, ValueError, http.client.HTTPException) as error:
                # The text of the error may have bytes of the reply.
                raise NoAnswer(type(error).__name__) from None

    def close(self) -> None:
        """Send no more, and wait for no answer: a vendor may take minutes, or never answer."""
        with self._lock:
            self._is_closed = True
            for connection in self._connections:
                # That of TLS would forget its keys, which another thread is using.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _open_until_closed(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Keep a connection so that closing the recording ends it.

        Raise NotSent if that has ended already.
        """
        with contextlib.closing(connection):
            with self._lock:
                if self._is_closed:
                    raise NotSent("the recording has ended")
                self._connections.add(connection)
            try:
                yield
            finally:
                with self._lock:
                    self._connections.discard(connection)

    def _origin_for(self, request: Request) -> SplitResult:
        if self._url is not None:
            return self._url
        return urlsplit(f"https://{request.header('host', '')}")

    def _connect(self, origin: SplitResult) -> http.client.HTTPConnection:
        """Return a connection to an origin.

        It goes through the environment's proxy unless the origin is this machine.
        """
        host = origin.hostname or ""
        is_tls = origin.scheme == "https"
        port = origin.port or (443 if is_tls else 80)
        proxy = None if is_loopback(host) else _find_proxy(origin)
        if proxy is None:
            connection = self._open(host, port, is_tls=is_tls)
        else:
            connection = self._open(proxy.hostname or "", proxy.port or 80, is_tls=is_tls)
            connection.set_tunnel(host, port, _login_of(proxy))
        connection.connect()
        connection.sock.settimeout(_ANSWER_S)
        return connection

    def _open(self, host: str, port: int, *, is_tls: bool) -> http.client.HTTPConnection:
        if is_tls:
            return http.client.HTTPSConnection(
                host, port, timeout=_CONNECT_S, context=self._context
            )
        return http.client.HTTPConnection(host, port, timeout=_CONNECT_S)


def _verifying_context() -> ssl.SSLContext:
    """Return a TLS context that trusts what a backend trusts: the environment's file, or certifi's.

    Raises ValueError if the file is missing or has no certificates. A folder is read only when a
    server's certificate is checked, so one without certificates trusts no server.
    """
    variable = next(filter(os.environ.get, CA_VARIABLES), None)
    if variable is None:
        return ssl.create_default_context(cafile=requests.utils.DEFAULT_CA_BUNDLE_PATH)
    path = Path(os.environ[variable])
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise ValueError(f"{variable}: {path} cannot be used: {error.strerror}") from None


def _parse_origin(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0  # raises, too, for another invalid one
    except ValueError:
        has_port = False
    if has_port and parts.scheme in ("http", "https") and parts.hostname and len(parts.path) < 2:
        return parts
    raise ValueError("--upstream takes a URL such as http://127.0.0.1:8000, without a path")


def _find_proxy(origin: SplitResult) -> SplitResult | None:
    """Return the proxy that the environment names for a host. Raises ValueError for another."""
    url = origin.geturl()
    proxies = requests.utils.get_environ_proxies(url)
    proxy = requests.utils.select_proxy(url, proxies)
    if not proxy:
        return None
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme != "http":
        raise ValueError("HTTPS_PROXY must begin with http://")
    return parts


def _login_of(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def exchange(connection: http.client.HTTPConnection, request: Request) -> Response:
    """Send a request, all but its connection's headers, and return the reply.

    Accept-Encoding is replaced, so that the reply is not compressed. Raises OSError, ValueError or
    `http.client.HTTPException`.
    """
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    has_length = False
    for name, value in request.headers:
        has_length = has_length or name in ("content-length", "transfer-encoding")
        if name not in _CONNECTION_HEADERS and name != "accept-encoding":
            connection.putheader(name, value.encode("latin-1"))
    connection.putheader("accept-encoding", "identity")
    if has_length:
        connection.putheader("content-length", str(len(request.body)))
    connection.putheader("connection", "close")
    connection.endheaders(bytes(request.body) if has_length else None)
    reply = connection.getresponse()
    body = reply.read()
    headers = []
    for name, value in reply.getheaders():
        is_valid = HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)
        if is_valid and name.lower() not in _CONNECTION_HEADERS:
            headers.append((name, value))
    return Response(status=reply.status, headers=tuple(headers), body=body)


def decode_body(response: Response) -> bytes:
    """Return the body of a reply without its compression, which a vendor may use unasked.

    Raises ValueError, with a reason that ends a sentence, if that is not possible, or if the body
    has more than `MAX_RECORDED_BYTES`.
    """
    encoding = (response.header("content-encoding") or "identity").lower()
    if encoding == "identity":
        body = response.body
    elif encoding in ("gzip", "deflate"):
        # A small reply may be large without its compression.
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            body = unpacker.decompress(response.body, MAX_RECORDED_BYTES + 1)
        except zlib.error:
            raise ValueError("its reply is not compressed as it says") from None
    else:
        raise ValueError("its reply has an unknown compression")
    if len(body) > MAX_RECORDED_BYTES:
        raise ValueError(f"its reply has more than {MAX_RECORDED_BYTES // 1_000_000} MB")
    return body

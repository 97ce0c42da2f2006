"""`HttpClient`: sends a request once, and reports its first byte.

`HttpClient.send` finds the origin's `ConnectionPool` (proxy and certificates, from the settings or
the environment, like requests), takes an idle `Connection` or opens a new one, sends the request,
and reads the whole response. `Exchange` is the state of one such request.

The requests library only finds proxies, prepares URLs, and sends to test doubles.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import re
import ssl
import traceback
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import requests
import requests.utils
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.sessions import Session
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    LocationParseError,
    MaxRetryError,
    NewConnectionError,
)
from urllib3.util import Url, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from facematch_core import errors
from facematch_core._version import __version__
from facematch_core.backend.requests import do_nothing
from facematch_core.base.addresses import CA_VARIABLES, is_loopback
from facematch_core.base.deadline import NO_DEADLINE, Clock, Deadline, SystemClock
from facematch_core.base.exceptions import links_of
from facematch_core.base.masking import Secret

from .connections import EXCHANGE, ConnectionPool, Exchange, unpatched, uses_tls
from .messages import HttpReply, HttpRequest, encode_request
from .refusals import UnreadableBody, explain

#: Seconds for connecting, and for each send or receive after that, by default.
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
#: Seconds to keep an idle connection if the server does not say how long it does. Servers close it
#: after 2 s or more; a request that races the close may have been charged.
KEEP_IDLE_S = 1.5
#: The most seconds to keep an idle connection, if the server sends a ``Keep-Alive`` header.
MOST_IDLE_S = 30.0

_KEEP_ALIVE_TIMEOUT = re.compile(r"(?i)\btimeout\s*=\s*\"?(\d{1,9})\b")

#: The status and headers of a response, and the chunks of its body, which are still to be read.
_UnreadResponse: TypeAlias = tuple[int, Mapping[str, str], Iterable[bytes]]


if not TYPE_CHECKING:
    # This module may be imported while vcrpy or requests-cache has replaced this class.
    Session = unpatched(Session, "requests.sessions")


def _is_patched() -> bool:
    """Return whether a test library (responses, requests-mock, vcrpy, pook) answers requests.

    A tracer's wrapper does not count: `functools.wraps` and wrapt keep the wrapped `__module__`.
    """
    return (
        HTTPAdapter.send.__module__ != "requests.adapters"
        or Session.send.__module__ != "requests.sessions"
        or HTTPConnectionPool.urlopen.__module__ != "urllib3.connectionpool"
        or HTTPConnectionPool.ConnectionCls.__module__ != "urllib3.connection"
        or HTTPSConnectionPool.ConnectionCls.__module__ != "urllib3.connection"
    )


class HttpClient:
    """Sends requests, verifies TLS certificates, and reports the first byte of each request.

    Uses proxies and certificates from the environment, like requests, and ``SSL_CERT_FILE``. Reads
    no ``~/.netrc``, keeps no cookies, follows no redirects and retries nothing. Thread-safe,
    and usable after a fork: each process has its own connections.

    Args:
        connect_timeout_s: Timeout for connecting (DNS, TCP, TLS, proxy), above 0. All addresses of
            a host share it.
        read_timeout_s: Timeout for each send or receive once connected, above 0.
        max_body_bytes: Maximum size of a response body after decompression.
        ca_bundle: File or folder with trusted certificates, instead of the default.
        proxy: ``http://host:port``, without a login, for all hosts except this machine.
        clock: The clock that measures idle time. Socket timeouts use real time.

    Raises:
        ConfigurationError: the CA bundle or proxy cannot be used.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        max_body_bytes: int = 1024 * 1024,
        ca_bundle: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare a client; connections are opened by the first call.

        Raise ConfigurationError for a CA that cannot be read, and for a proxy with a login.
        """
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._max_body_bytes = max_body_bytes
        self.clock: Clock = clock or SystemClock()
        self._ca_bundle: str | None = None
        self._context: ssl.SSLContext | None = None
        if ca_bundle is not None:
            self._ca_bundle = os.fspath(ca_bundle)
            self._context = _tls_context(self._ca_bundle, "ca_bundle")
        self._proxies: dict[str, str] = {}
        if proxy is not None:
            if _parse_proxy(proxy, "proxy").auth:
                raise errors.ConfigurationError(
                    "proxy must not contain a login: set a proxy with a login in HTTPS_PROXY."
                )
            self._proxies = {"http": proxy, "https": proxy}
        self._default_headers = {
            "User-Agent": f"facematch-core/{__version__}",
            "Accept": "application/json",
            # Responses are small, and an uncompressed body cannot be a zip bomb.
            "Accept-Encoding": "identity",
        }
        #: Holds the adapters that tests mount, and sends what a test library answers.
        self._session = Session()
        #: Routes by origin, cached because finding a proxy costs more than the rest of a call.
        self._pools: dict[str, ConnectionPool] = {}
        self._is_closed = False

    def send(
        self,
        request: HttpRequest,
        *,
        backend: str,
        charges: int | None = None,
        deadline: Deadline = NO_DEADLINE,
        on_sent: Callable[[], None] = do_nothing,
    ) -> HttpReply:
        """Send a request once.

        Args:
            request: The request.
            backend: Name of the backend, for errors.
            charges: Number of charges for an expected response; None for `request.charges`.
            deadline: The deadline of the whole exchange; by default only the timeouts apply. The
                first byte must be sent before `deadline.send_by`.
            on_sent: Called once, in this thread, just before the first byte of the request (not of
                a proxy tunnel or a TLS handshake) is passed to the socket. If it raises, nothing is
                sent and the exception propagates.

        Returns:
            Any complete response, whatever its status. Redirects are not followed.

        Raises:
            ConfigurationError: a URL, a header or a proxy is invalid.
            InvalidRequest: the request cannot be encoded as HTTP.
            VendorUnavailable: no byte was sent. `retryable` unless the reason is an invalid
                certificate, a proxy's 4xx, or an expired `send_by`.
            DeadlineExceeded: `deadline` passed after the first byte.
            OutcomeUnknown: the first byte was sent, but no complete, usable response came.
            UnexpectedResponse: a response with an expected status has an unusable body.
        """
        exchange = Exchange(
            request,
            backend=backend,
            charges=request.charges if charges is None else charges,
            connect_timeout_s=self._connect_timeout_s,
            read_timeout_s=self._read_timeout_s,
            deadline=deadline,
            on_sent=on_sent,
        )
        token = EXCHANGE.set(exchange)
        try:
            exchange.next_timeout_s()  # raises if the deadline has passed
            exchange.status, headers, pieces = self._send(exchange)
            body = read_body(headers, pieces, self._max_body_bytes)
            self._put_back(exchange, headers)
            return HttpReply(
                status=exchange.status,
                headers=headers,
                body=body,
                secrets=request.secrets,
                url=request.url,
                is_free=not request.charges,
            )
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = _close_and_explain(error, exchange)
        finally:
            EXCHANGE.reset(token)
        # The error's traceback keeps this frame alive, and with it the picture.
        del request, on_sent, exchange
        try:
            raise failure
        finally:
            failure.__context__ = None
            del failure

    def _send(self, exchange: Exchange) -> _UnreadResponse:
        """Send the request, to the server or to a test double; return the unread response."""
        url, parts = _locate(exchange.request)
        headers, body = encode_request(exchange.request)
        given_names = [name.lower() for name in headers]
        for name, default in self._default_headers.items():
            if name.lower() not in given_names:
                headers[name] = default
        adapter = self._session.get_adapter(url)
        if type(adapter) is HTTPAdapter and not _is_patched():
            return self._send_to_server(exchange, url, parts, headers, body)
        send = adapter.send
        if Session.send.__module__ != "requests.sessions":
            # requests-mock replaces the adapter in `Session.send`, under a lock.
            send = functools.partial(self._session.send, allow_redirects=False)
        send = functools.partial(send, verify=self._ca_path(), proxies=self._proxies_to(url, parts))
        return _send_to_double(send, url, headers, body, exchange)

    def _send_to_server(
        self, exchange: Exchange, url: str, parts: Url, headers: Any, body: bytes | None
    ) -> _UnreadResponse:
        """Send the request on an idle connection or a new one, directly or through a proxy.

        Sets `exchange.connection` and `exchange.response`, which `send` closes after an error.
        """
        origin = f"{parts.scheme}://{parts.netloc}"
        pool = self._pools.get(origin)
        if pool is None:
            # Two threads may both make a pool; setdefault keeps one.
            pool = self._pools.setdefault(origin, self._make_pool(url, parts))
        exchange.pool = pool
        target = parts.request_uri
        if pool.proxy is not None and pool.scheme == "http":
            # Without a tunnel, the proxy needs the full URL and its own headers.
            target = url
            headers = {**pool.proxy_headers, **headers}
        connection = pool.take(self.clock.monotonic()) or pool.open()
        exchange.connection = connection
        try:
            connection.request(
                exchange.request.method,
                target,
                body=body,
                headers=headers,
                preload_content=False,
                decode_content=False,
            )
        except (BrokenPipeError, ConnectionResetError):
            # A server may respond before it has read the whole upload; the response explains why.
            if not exchange.is_sent or connection.sock is None:
                raise
        response = connection.getresponse()
        exchange.response = response
        return response.status, response.headers, response.stream(65536, decode_content=False)

    def _make_pool(self, url: str, parts: Url) -> ConnectionPool:
        """Return the pool, with proxy and certificates from the settings or the environment."""
        proxy: Url | None = None
        proxy_headers: Mapping[str, str] = {}
        proxy_url = requests.utils.select_proxy(url, self._proxies_to(url, parts))
        if proxy_url:
            proxy_with_login = _parse_proxy(proxy_url, "The proxy in the environment")
            proxy_headers = HTTPAdapter().proxy_headers(proxy_with_login.url)
            proxy = proxy_with_login._replace(auth=None)
        if self._context is None and uses_tls(str(parts.scheme), proxy):
            self._context = _tls_context(self._ca_path(), _ca_variable())
        return ConnectionPool(
            scheme=str(parts.scheme),
            host=str(parts.host),
            port=parts.port,
            proxy=proxy,
            proxy_headers=proxy_headers,
            context=self._context,
        )

    def _proxies_to(self, url: str, parts: Url) -> dict[str, str]:
        """Return the proxies for a URL by scheme, from the settings or the environment."""
        if is_loopback(str(parts.host)):
            # Faces sent to this machine, for example to a mock, must not pass through a proxy.
            return {}
        if self._proxies:
            return self._proxies
        return {} if _is_in_no_proxy(parts) else requests.utils.get_environ_proxies(url)

    def _ca_path(self) -> str:
        """Return the file or folder of trusted certificates."""
        default = requests.utils.DEFAULT_CA_BUNDLE_PATH
        return self._ca_bundle or os.environ.get(_ca_variable(), default)

    def _put_back(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        """Keep the connection for reuse, unless the server closed it or may do so soon."""
        connection, pool = exchange.connection, exchange.pool
        if connection is None or connection.sock is None or pool is None:
            return
        # A server that rejects a request other than a GET may close the connection at any time, and
        # the next request would be lost.
        if exchange.status >= http.HTTPStatus.BAD_REQUEST and exchange.request.method != "GET":
            connection.close()
            return
        now = self.clock.monotonic()
        keep_s = KEEP_IDLE_S
        stated_s = _KEEP_ALIVE_TIMEOUT.search(headers.get("Keep-Alive", ""))
        if stated_s is not None:
            # One second less, because the server began to count earlier.
            keep_s = min(int(stated_s[1]) - 1.0, MOST_IDLE_S)
        connection.kept_until = now + keep_s
        connection.process_id = os.getpid()
        pool.idle.append(connection)
        # Close expired connections, for example after a burst.
        with contextlib.suppress(IndexError):  # another thread may have taken the last connection
            while pool.idle[0].kept_until < now:
                pool.idle.pop(0).close()
        # Checked after adding the connection, so that a concurrent close() cannot miss it.
        if self._is_closed:
            self.close()

    def close(self) -> None:
        """Close the idle connections. May be called more than once.

        Running calls finish normally, but their connections are not reused.
        """
        self._is_closed = True
        for pool in [*self._pools.values()]:
            with contextlib.suppress(IndexError):
                while True:
                    pool.idle.pop().close()

    def is_doubled(self, url: str) -> bool:
        """Return whether a mounted test double answers `url`, so that nothing is sent.

        False for a test library (`responses`, vcrpy), which may pass requests through.
        """
        return type(self._session.get_adapter(url)) is not HTTPAdapter

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Mount a test double (a requests adapter) for URLs that begin with `prefix`.

        An adapter cannot report the first byte, so `on_sent` is called after its response. If it
        raises, the outcome is unknown unless the exception proves that no connection was made. A
        deadline shortens its timeouts, and is checked between the chunks of the body.
        """
        self._session.mount(prefix, adapter)


def _close_and_explain(error: BaseException, exchange: Exchange) -> BaseException:
    """Close the resources of a failed exchange; return the exception to raise.

    It is the exception of `on_sent`, a `VendorError` for an exception of the network, or a bug.
    """
    for resource in (exchange.response, exchange.connection):
        with contextlib.suppress(Exception):
            if resource is not None:
                resource.close()
    for link in links_of(error):
        # Clear the frames, which keep the picture alive until the next garbage collection.
        traceback.clear_frames(link.__traceback__)
    trace = error.__traceback__
    if trace is not None:
        # Drop the first frame, `send`, which holds the picture.
        trace = trace.tb_next
    if error is exchange.refusal:
        # The program's own exception keeps its cause.
        return error.with_traceback(trace)
    failure = explain(error, exchange)
    if failure is not None:
        return failure
    error.__cause__ = None
    return error.with_traceback(trace)


def read_body(headers: Mapping[str, str], pieces: Iterable[bytes], max_bytes: int) -> bytes:
    """Return the decompressed body, at most `max_bytes`; urllib3 checks the framing."""
    encoding = headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise UnreadableBody("its Content-Encoding is not supported")
    body = bytearray()
    for piece in pieces:
        EXCHANGE.get().next_timeout_s()  # raises if the deadline has passed
        body += piece
        if len(body) > max_bytes:
            raise UnreadableBody("its body is too long")
    if not body or encoding == "identity":
        return bytes(body)
    # urllib3 would not detect a truncated gzip stream. 32 detects gzip or zlib by the header.
    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)
    with contextlib.suppress(zlib.error):
        decompressed = decoder.decompress(body, max_bytes + 1)
        if len(decompressed) > max_bytes:
            raise UnreadableBody("its body is too long")
        if decoder.eof and not decoder.unused_data:
            return decompressed
    raise UnreadableBody("its body cannot be decompressed")


def _locate(request: HttpRequest) -> tuple[str, Url]:
    """Return the URL of a request, with secrets revealed, as `_parse` does."""
    if not any(isinstance(value, Secret) for value in request.params.values()):
        return _parse(request.url, tuple(request.params.items()))
    revealed = []
    for name, value in request.params.items():
        revealed.append((name, value.reveal() if isinstance(value, Secret) else value))
    # The cache of `_parse` would keep the secrets.
    return _parse.__wrapped__(request.url, tuple(revealed))


@functools.lru_cache(maxsize=64)
def _parse(url: str, params: tuple[tuple[str, str], ...]) -> tuple[str, Url]:
    """Return ``(url, parts)``: the URL with its query, normalised by requests, and parsed."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(url, params)
    except (requests.exceptions.InvalidURL, UnicodeError):
        raise errors.ConfigurationError("The URL of the request is invalid.") from None
    return str(prepared.url), parse_url(str(prepared.url))


def host_of(url: str) -> str:
    """Return the host of a URL, or "" if the URL is invalid (vendors may return such URLs)."""
    with contextlib.suppress(LocationParseError):
        return parse_url(url).host or ""
    return ""


def _send_to_double(
    send: Callable[..., requests.Response],
    url: str,
    headers: Any,
    body: bytes | None,
    exchange: Exchange,
) -> _UnreadResponse:
    """Send to a test double, which neither applies deadlines nor reports the first byte."""
    request = exchange.request
    connect_s = exchange.next_timeout_s()
    # Pass a form as text, because a double may search it for a field.
    form = body.decode() if body and request.fields and not request.files else body
    prepared = requests.Request(request.method, url, headers, data=form).prepare()
    # requests needs a timeout above 0.
    read_s = max(0.001, min(exchange.read_timeout_s, exchange.deadline.send_by.left_s()))
    try:
        response = send(prepared, timeout=(connect_s, read_s), stream=True, cert=None)
    except BaseException as error:
        # Only these exceptions prove that there was no connection.
        links = links_of(error)
        is_unsent = isinstance(error, requests.ConnectTimeout) or (
            any(type(link) is MaxRetryError for link in links)
            and any(isinstance(link, NewConnectionError) for link in links)
        )
        if not is_unsent:
            exchange.begin()
        raise
    # Only now is it known that the request was sent.
    exchange.begin()
    raw = response.raw
    exchange.response = raw
    if not hasattr(raw, "stream"):
        # The `Response` of a hand-written double may have a body, and no stream.
        return response.status_code, response.headers, [response.content]
    pieces = raw.stream(65536, decode_content=False)
    return response.status_code, response.headers, pieces


def _ca_variable() -> str:
    """Return the environment variable that names trusted certificates, or "certifi"."""
    return next(filter(os.environ.get, CA_VARIABLES), "certifi")


def _tls_context(ca_bundle: str, name: str) -> ssl.SSLContext:
    """Return a TLS context that trusts a file or folder. `name` is the setting, for errors."""
    is_folder = os.path.isdir(ca_bundle)  # noqa: PTH112 - a str, as in requests
    # Reading a pipe could block forever.
    if not is_folder and not os.path.isfile(ca_bundle):  # noqa: PTH113 - likewise
        raise errors.ConfigurationError(
            f"{name}: {ca_bundle} is neither a file nor a folder. Set it to the file or folder "
            "with the certificates."
        )
    context = create_urllib3_context()
    try:
        context.load_verify_locations(**{"capath" if is_folder else "cafile": ca_bundle})
    except OSError:
        raise errors.ConfigurationError(f"{name}: {ca_bundle} contains no certificates.") from None
    return context


#: An entry of NO_PROXY for a host and its subdomains, perhaps on one port only.
_NO_PROXY_ENTRY = re.compile(r"(?:\*?\.)?(?P<name>[^:*\s]+)(?::(?P<port>\d+))?")


def _is_in_no_proxy(parts: Url) -> bool:
    """Return whether NO_PROXY names the host, also as ``*.host`` or ``host:port``.

    requests ignores these two forms, and knows others, such as networks.
    """
    host = f".{parts.host}"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    entries = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    for entry in entries.split(","):
        match = _NO_PROXY_ENTRY.fullmatch(entry.strip())
        if match is None or not host.endswith(f".{match['name'].lower()}"):
            continue
        if match["port"] is None or int(match["port"]) == port:
            return True
    return False


def _parse_proxy(proxy: str, name: str) -> Url:
    """Parse an HTTP proxy's URL; errors never contain the password."""
    # As in curl. `requests` reads the host of `localhost:3128` as the scheme.
    url = proxy if "://" in proxy else f"http://{proxy}"
    with contextlib.suppress(LocationParseError, TypeError):  # raised for a login without a host
        parts = parse_url(url)
        # A SOCKS library would open its own connection, without a report of the first byte.
        if parts.host and parts.scheme in ("http", "https"):
            return parts
    raise errors.ConfigurationError(f"{name} must have the form http://host:port.")

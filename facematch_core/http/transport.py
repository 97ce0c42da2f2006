"""`HttpClient`: sends one request, once, and knows whether its first byte has left.

`HttpClient.send` makes an `Exchange`, the state of one request and its answer. It finds the `Route`
(proxy and certificates, from the settings or the environment, as requests finds them), takes an
idle `Connection` or opens one, sends, and reads the whole answer. An exception on the way becomes
an error of ours (`refusals.explain`).

An HTTP library does not say whether a request has left, and starts its time-outs again with every
read. A request that has left may be charged, and a call has one deadline. So `Connection` is
urllib3's with three changes: it calls `Exchange.begin` just before the first byte of a request, it
asks `Exchange.wait_s` before each wait on the socket, and it refuses an answer whose head broke
off. requests itself sends nothing, except to test doubles.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import re
import socket
import ssl
import traceback
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, TypeAlias, cast

import attrs
import requests
import requests.utils
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    LocationParseError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import Url, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from facematch_core import errors
from facematch_core._version import __version__
from facematch_core.backend.calls import ignore
from facematch_core.base.addresses import is_loopback
from facematch_core.base.cancellation import links_of
from facematch_core.base.clock import Clock, SystemClock
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning

from .messages import HttpReply, HttpRequest, encode_request
from .refusals import UnreadableBody, explain

#: Seconds that an idle connection is kept, and at most if its server says for how long. A request
#: that meets the server's close is lost, and its bill unknown; servers close after 2 s and more.
KEEP_IDLE_S, MOST_IDLE_S = 1.5, 30.0

_KEPT = re.compile(r"(?i)\btimeout\s*=\s*\"?(\d{1,9})\b")

#: Environment variables that name trusted certificates; the first one that is set counts.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

#: Status, headers, and the pieces of the body as they come in.
_Answer: TypeAlias = tuple[int, Mapping[str, str], Iterable[bytes]]


class HttpClient:
    """Sends requests with verified TLS, and knows of each whether its first byte has left.

    Proxies and certificates of the environment count, as with requests, and ``SSL_CERT_FILE``. It
    reads no ``~/.netrc``, keeps no cookies, follows no redirects and retries nothing. Safe to share
    between threads and usable after a fork: each process has its own connections.

    Args:
        connect_timeout_s: Longest wait for a name, an address, TLS or a proxy, above 0.
        read_timeout_s: Longest wait for the next piece of upload or answer, above 0.
        max_body_bytes: Longest body of an answer after decompression.
        ca_bundle: File or folder of certificates to trust instead of the usual ones.
        proxy: ``http://host:port``, without a login, to go through to all but this machine.
        clock: Time, for how long connections are kept. Sockets wait in real time.

    Raises:
        ConfigurationError: the CA bundle or proxy cannot be used.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 30.0,
        max_body_bytes: int = 1024 * 1024,
        ca_bundle: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._timeouts_s = connect_timeout_s, read_timeout_s
        self._max_body_bytes = max_body_bytes
        self.clock: Clock = clock or SystemClock()
        self._context: ssl.SSLContext | None = None
        self._proxies: dict[str, str] = {}
        self.configure(ca_bundle, proxy)
        self._headers = {
            "User-Agent": f"facematch-core/{__version__}",
            "Accept": "application/json",
            # Answers are small, and an uncompressed one cannot be a bomb.
            "Accept-Encoding": "identity",
        }
        #: Holds the adapters that tests mount.
        self._session = requests.Session()
        #: By origin: finding a proxy costs more than the rest of a call.
        self._routes: dict[str, Route] = {}
        self._is_closed = False

    def configure(self, ca_bundle: str | os.PathLike[str] | None, proxy: str | None) -> None:
        """Trust these certificates and use this proxy; None leaves what is set."""
        if ca_bundle is not None:
            self._context = _trusting(os.fspath(ca_bundle), "ca_bundle")
        if proxy is not None:
            if _parse_proxy(proxy, "proxy").auth:
                raise errors.ConfigurationError(
                    "proxy must be without a login: put a proxy with one into HTTPS_PROXY."
                )
            self._proxies = {"http": proxy, "https": proxy}

    def send(
        self,
        request: HttpRequest,
        *,
        backend: str,
        charges: int | None = None,
        deadline: Deadline = NO_DEADLINE,
        on_sent: Callable[[], None] = ignore,
    ) -> HttpReply:
        """Send one request, once.

        Args:
            request: What to send.
            backend: Name of the backend, for errors.
            charges: What an answer costs with which the call goes on; None for what `request` says.
            deadline: When everything must be over; by default the time-outs alone count. Its
                `send_by` is when the first byte must have left.
            on_sent: Called exactly once, in this thread, before the first byte of the request (not
                of a proxy's tunnel or of TLS) is handed to the socket; not called if none is. If
                it raises, nothing is sent and its exception is raised here.

        Returns:
            Any complete answer, whatever its status. Redirects are answers.

        Raises:
            ConfigurationError: an address, a header or a proxy is wrong.
            InvalidRequest: the request cannot be put into HTTP.
            VendorUnavailable: no byte of the request has left. Not `retryable` if `send_by` has
                passed, the certificate fails, or the proxy refuses.
            DeadlineExceeded: `deadline` passed after the first byte.
            OutcomeUnknown: the first byte has left, but no complete, usable answer came.
            UnexpectedResponse: a complete answer 200 with a body that cannot be used.
        """
        exchange = Exchange(
            request=request,
            timeouts_s=self._timeouts_s,
            deadline=deadline,
            on_sent=on_sent,
            backend=backend,
            charges=request.charges if charges is None else charges,
        )
        started = self.clock.monotonic()
        token = CURRENT.set(exchange)
        try:
            exchange.wait_s()
            exchange.status, headers, pieces = self._request(exchange)
            body = read_body(headers, pieces, self._max_body_bytes)
            self._put_back(exchange, headers)
            return HttpReply(
                status=exchange.status,
                headers=headers,
                body=body,
                elapsed_s=max(0.0, self.clock.monotonic() - started),
                secrets=request.secrets,
                url=request.url,
                is_free=not request.charges,
            )
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = _give_up(error, exchange)
        finally:
            CURRENT.reset(token)
        # The frame of a function that raises stays alive with the error.
        del request, on_sent, exchange
        try:
            raise failure
        finally:
            failure.__context__ = None
            del failure

    def _request(self, exchange: Exchange) -> _Answer:
        """Send the request; return status, headers and the unread body of the answer."""
        request = exchange.request
        url, parts = _parse(request.url, tuple(request.params.items()))
        headers, body = encode_request(request)
        names = [*map(str.lower, headers)]
        for name, text in self._headers.items():
            if name.lower() not in names:
                headers[name] = text
        adapter = self._session.get_adapter(url)
        # Not compared with a function kept at import: this module may be imported under a patch.
        is_patched = HTTPAdapter.send.__module__ != HTTPAdapter.__module__
        if is_patched or type(adapter) is not HTTPAdapter:
            prepared = requests.Request(request.method, url, headers, data=body).prepare()
            return _ask_double(adapter, prepared, exchange)
        origin = f"{parts.scheme}://{parts.netloc}"
        route = self._routes.get(origin)
        if route is None:
            # Two threads may both find it; setdefault keeps one.
            route = self._routes.setdefault(origin, self._find_route(url, parts))
        exchange.route, path = route, parts.request_uri
        if route.proxy is not None and route.scheme == "http":
            # The proxy reads the request and sends it on.
            path, headers = url, {**route.proxy_headers, **headers}
        connection = exchange.connection = route.take(self.clock.monotonic()) or route.open()
        try:
            connection.request(
                request.method,
                path,
                body=body.encode() if isinstance(body, str) else body,
                headers=headers,
                preload_content=False,
                decode_content=False,
            )
        except (BrokenPipeError, ConnectionResetError):
            # A server may answer before it has read all of an upload; the answer says why.
            if not exchange.is_sent or connection.sock is None:
                raise
        response = exchange.response = connection.getresponse()
        return response.status, response.headers, response.stream(65536, decode_content=False)

    def _find_route(self, url: str, parts: Url) -> Route:
        """Return proxy and certificates: as they are set, else as requests takes them."""
        proxies, proxy_headers, proxy = self._proxies, {}, None
        if is_loopback(str(parts.host)):
            # Faces for this machine, a mock above all, must not take a way around over another.
            proxies = {}
        elif not proxies:
            proxies = requests.utils.get_environ_proxies(url)
        if name := requests.utils.select_proxy(url, proxies):
            with_login = _parse_proxy(name, "The proxy that the environment names")
            proxy_headers = HTTPAdapter().proxy_headers(with_login.url)
            proxy = with_login._replace(auth=None)
        if self._context is None and "https" in (parts.scheme, proxy and proxy.scheme):
            usual = requests.utils.DEFAULT_CA_BUNDLE_PATH, "certifi"
            named = ((os.environ.get(name), name) for name in CA_VARIABLES)
            self._context = _trusting(*next(((path, name) for path, name in named if path), usual))
        host = str(parts.host)
        return Route(str(parts.scheme), host, parts.port, proxy, proxy_headers, self._context)

    def _put_back(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        """Keep the connection for as long as its server says, unless something is left on it."""
        connection, route = exchange.connection, exchange.route
        if connection is None or connection.sock is None or route is None:
            return
        # A server that refuses an upload may close at any moment: the next request would be lost.
        if exchange.status >= http.HTTPStatus.BAD_REQUEST and exchange.request.method != "GET":
            connection.close()
            return
        now, keep_s = self.clock.monotonic(), KEEP_IDLE_S
        if seconds := _KEPT.search(headers.get("Keep-Alive", "")):
            keep_s = min(int(seconds[1]) - 1.0, MOST_IDLE_S)
        connection.kept_until, connection.process = now + keep_s, os.getpid()
        route.keep(connection, now)
        # After it is entered, so that either close() or this line sees it.
        if self._is_closed:
            self.close()

    def close(self) -> None:
        """Close the idle connections. May be called more than once.

        A call that is under way goes on to its end; its connections are not kept.
        """
        self._is_closed = True
        for route in [*self._routes.values()]:
            route.close()

    def is_doubled(self, url: str) -> bool:
        """Whether a mounted test double answers `url`, so that nothing leaves this process.

        A patched `HTTPAdapter.send` (`responses`) does not count: it may pass requests through.
        """
        return type(self._session.get_adapter(url)) is not HTTPAdapter

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Answer addresses that begin with `prefix` by an adapter of requests: a test double.

        It cannot report the first byte, so `on_sent` is called when it has answered, and the
        outcome is unknown unless its exception says that there was no connection. A deadline
        shortens its time-outs, and is checked between the pieces of the body.
        """
        self._session.mount(prefix, adapter)


@attrs.define(eq=False, kw_only=True)
class Exchange:
    """The state of one request and its answer; the first fields are arguments of `send`."""

    request: HttpRequest
    #: Longest wait before the first byte, and after it, in seconds.
    timeouts_s: tuple[float, float]
    deadline: Deadline
    on_sent: Callable[[], None]
    backend: str
    charges: int

    #: Whether the first byte was handed to the socket.
    is_sent: bool = False
    #: The exception that `on_sent` raised.
    refusal: BaseException | None = None
    #: None where a test double answers.
    route: Route | None = None
    connection: Connection | None = None
    response: Any = None
    #: The status of the answer; 0 until its head is read.
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

    def left_s(self) -> float:
        """Return the seconds that are left: before the first byte, those for sending it."""
        return (self.deadline if self.is_sent else self.deadline.send_by).left_s()

    def wait_s(self, sock: socket.socket | None = None) -> float:
        """Return how long the next wait may take, and set it on the socket.

        Raises TimeoutError if no time is left.
        """
        timeout_s, left_s = self.timeouts_s[self.is_sent], self.left_s()
        if left_s <= 0:
            raise TimeoutError("The deadline ran out.")
        wait_s = min(left_s, timeout_s)
        # Setting it is a system call, in which another thread takes over.
        if sock is not None and sock.gettimeout() != wait_s:
            sock.settimeout(wait_s)
        return wait_s


#: The exchange that the running code belongs to: a connection serves one after the other.
CURRENT: ContextVar[Exchange] = ContextVar("facematch_exchange")


def _give_up(error: BaseException, exchange: Exchange) -> BaseException:
    """Close what a broken exchange has used; return what `send` raises."""
    for resource in (exchange.response, exchange.connection):
        with contextlib.suppress(Exception):
            if resource is not None:
                resource.close()
    is_refusal = error is exchange.refusal
    failure = None if is_refusal else explain(error, exchange)
    for link in links_of(error):
        # The frames hold the picture, and would wait for the garbage collector.
        traceback.clear_frames(link.__traceback__)
    if failure is not None:
        return failure
    # A bug, or the program's own exception. Its first frame is that of `send`, which still runs and
    # holds the picture.
    if not is_refusal:
        error.__cause__ = None
    trace = error.__traceback__
    return error.with_traceback(trace and trace.tb_next)


@attrs.frozen(eq=False)
class Route:
    """The way to one origin, and the idle connections along it."""

    scheme: str
    host: str
    #: None for the default of the scheme.
    port: int | None
    #: The proxy to go through, without its login; and its login, as a header.
    proxy: Url | None
    proxy_headers: Mapping[str, str] = attrs.field(repr=False)
    #: The trusted certificates, if anything on the way speaks TLS.
    context: ssl.SSLContext | None = attrs.field(repr=False)
    #: The oldest first. Appending to a list and popping from it are atomic.
    idle: list[Connection] = attrs.field(factory=list, repr=False)

    def take(self, now: float) -> Connection | None:
        """Return an idle connection that can be used; close those that cannot."""
        with contextlib.suppress(IndexError):
            while True:
                connection = self.idle.pop()
                # After a fork the connections are the parent's: they are dropped.
                is_fresh = now <= connection.kept_until and connection.process == os.getpid()
                if is_fresh and connection.is_connected:
                    return connection
                connection.close()
        return None

    def keep(self, connection: Connection, now: float) -> None:
        """Keep a connection, and close those that nobody has taken in time, as after a burst."""
        self.idle.append(connection)
        with contextlib.suppress(IndexError):  # another thread may take one meanwhile
            while self.idle[0].kept_until < now:
                self.idle.pop(0).close()

    def close(self) -> None:
        """Close the idle connections."""
        with contextlib.suppress(IndexError):
            while True:
                self.idle.pop().close()

    def open(self) -> Connection:
        """Return a new connection; it connects with its first request."""
        proxy, host, port = self.proxy, self.host, self.port
        if proxy is not None:
            host, port = str(proxy.host), proxy.port or (443 if proxy.scheme == "https" else 80)
        if "https" not in (self.scheme, proxy and proxy.scheme):
            return Connection(host, port, proxy=proxy)
        # Not above: urllib3-future has none, and `check_urllib3` has to name it.
        from urllib3.connection import ProxyConfig

        # Used for TLS to the proxy itself.
        config = proxy and ProxyConfig(self.context, False, None, None)
        connection = TlsConnection(
            host, port, proxy=proxy, proxy_config=config, ssl_context=self.context
        )
        if proxy is not None and self.scheme == "https":
            scheme, target = str(proxy.scheme), self.port or 443
            connection.set_tunnel(self.host, target, self.proxy_headers, scheme=scheme)
        return connection


class Connection(HTTPConnection):
    """A connection to one server, with deadlines and a report of the first byte."""

    #: Until when it may be used again, on the client's clock; and by which process.
    kept_until, process = 0.0, 0

    def __del__(self) -> None:
        # A client that goes drops its connections.
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
            try:
                with contextlib.ExitStack() as failed:
                    sock = failed.enter_context(socket.socket(family, kind, protocol))
                    for option in self.socket_options or ():
                        sock.setsockopt(*option)
                    # Again for each address: a name may have many, and the deadline is one.
                    wait_s(sock)
                    sock.connect(address)
                    # The TLS handshake waits next.
                    wait_s(sock)
                    failed.pop_all()
                    return sock
            except OSError as error:
                problem = error
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
        # If the peer is gone at once, Python may return a socket that would send in the clear.
        if cast(Any, self.sock).version() is None:
            self.close()
            raise ssl.SSLError(0, "The TLS handshake failed.")


#: Most concurrent name look-ups of this process; none can be cancelled, and some take 10 s.
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
        CURRENT.get().wait_s(self._sock)
        count = super().readinto(buffer) or 0
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
            self.will_close = True  # another response follows


Connection.response_class = _Response


def read_body(headers: Mapping[str, str], pieces: Iterable[bytes], limit: int) -> bytes:
    """Return a body, decompressed, of at most `limit` bytes; urllib3 checks the framing."""
    encoding = headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise UnreadableBody("its body is compressed in an unknown way")
    body = bytearray()
    for piece in pieces:
        CURRENT.get().wait_s()
        body += piece
        if len(body) > limit:
            raise UnreadableBody("its body is too long")
    if not body or encoding == "identity":
        return bytes(body)
    # Not by urllib3, which does not notice a gzip stream that broke off. 32: gzip or deflate.
    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)
    with contextlib.suppress(zlib.error):
        plain = decoder.decompress(body, limit + 1)
        if len(plain) > limit:
            raise UnreadableBody("its body is too long")
        if decoder.eof and not decoder.unused_data:
            return plain
    raise UnreadableBody("its body cannot be decompressed")


@functools.lru_cache(maxsize=64)
def _parse(url: str, params: tuple[tuple[str, str], ...]) -> tuple[str, Url]:
    """Return an address with its query as requests writes it, and its parts."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(url, params)
    except (requests.exceptions.InvalidURL, UnicodeError):
        raise errors.ConfigurationError("The address of the request is not valid.") from None
    return str(prepared.url), parse_url(str(prepared.url))


def host_of(url: str) -> str:
    """Return the host in an address; empty if there is none, as in a vendor's odd answer."""
    with contextlib.suppress(LocationParseError):
        return parse_url(url).host or ""
    return ""


def _ask_double(
    adapter: BaseAdapter, prepared: requests.PreparedRequest, exchange: Exchange
) -> _Answer:
    """Return the answer of a test double, which knows no deadline and no first byte."""
    # requests wants time-outs above 0.
    left_s = max(exchange.left_s(), 0.001)
    connect_s, read_s = (min(timeout_s, left_s) for timeout_s in exchange.timeouts_s)
    try:
        # Not by a session, which would follow redirects and read the body.
        response = adapter.send(
            prepared,
            timeout=(connect_s, read_s),
            stream=True,
            verify=True,
            cert=None,
            proxies={},
        )
    except BaseException as error:
        # Only these exceptions say that there was no connection.
        kinds = [type(link) for link in links_of(error)]
        is_unsent = isinstance(error, requests.ConnectTimeout) or (
            MaxRetryError in kinds and any(issubclass(kind, NewConnectionError) for kind in kinds)
        )
        if not is_unsent:
            exchange.begin()
        raise
    exchange.begin()
    exchange.response = response.raw
    pieces = response.raw.stream(65536, decode_content=False)
    return response.status_code, response.headers, pieces


def _trusting(ca_bundle: str, name: str) -> ssl.SSLContext:
    """Return the TLS settings that trust a file or folder; `name` says who named it."""
    is_folder = os.path.isdir(ca_bundle)  # noqa: PTH112 - text, as requests has it
    # A pipe could block for ever.
    if not is_folder and not os.path.isfile(ca_bundle):  # noqa: PTH113 - likewise
        raise errors.ConfigurationError(
            f"{name}: {ca_bundle} is no file and no folder. Name the one that holds the "
            "certificates."
        )
    context = create_urllib3_context()
    try:
        context.load_verify_locations(**{"capath" if is_folder else "cafile": ca_bundle})
    except OSError:
        raise errors.ConfigurationError(f"{name}: {ca_bundle} holds no certificates.") from None
    return context


def _parse_proxy(proxy: str, name: str) -> Url:
    """Parse the address of an HTTP proxy, as requests does; no error shows its password."""
    with contextlib.suppress(LocationParseError, TypeError):  # of a login without a host
        parts = parse_url(requests.utils.prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call]
        # A SOCKS library would connect by itself, without a report of the first byte.
        if parts.host and parts.scheme in ("http", "https"):
            return parts
    raise errors.ConfigurationError(f"{name} has no address of the form http://host:port.")


def check_urllib3() -> None:
    """Refuse urllib3-future, which niquests installs under the name of urllib3."""
    # The patch numbers of urllib3-future begin at 900.
    version: str = vars(urllib3)["__version__"]
    patch = version.rpartition(".")[2]
    if patch.isdigit() and int(patch) >= 900:
        raise errors.BackendUnavailable(
            f"urllib3 {version} is urllib3-future, which niquests installs in place of "
            "urllib3. facematch cannot send with it: install niquests in another environment."
        )

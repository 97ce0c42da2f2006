"""`HttpClient`: one request, sent once, over connections that each thread keeps for itself.

The way of a request through this module: `send` makes an `Exchange` and finds the `Route` to the
address (proxy and certificates, from settings or the environment, as requests finds them). It takes
this thread's idle connection, or opens one (`connection`), sends, and reads the whole answer. The
connection is kept for the thread's next request only if nothing is left on it. What fails on the
way becomes an error with words of ours (`failures`).

requests itself sends nothing, except for test doubles: an adapter that a test mounts, or a patched
`HTTPAdapter.send` (`responses`), gets a prepared request as usual.
"""

from __future__ import annotations

import contextlib
import functools
import http
import math
import os
import re
import ssl
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.exceptions import InvalidURL
from requests.utils import (
    DEFAULT_CA_BUNDLE_PATH,
    get_environ_proxies,
    prepend_scheme_if_needed,
    select_proxy,
)
from urllib3.exceptions import LocationParseError, MaxRetryError, NewConnectionError
from urllib3.util import parse_url
from urllib3.util.ssl_ import create_urllib3_context

from facematch_core import errors
from facematch_core._version import __version__
from facematch_core.backend.calls import ignore
from facematch_core.base.addresses import is_loopback
from facematch_core.base.clock import Clock, SystemClock
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import Secret, muted

from .connection import CURRENT, Connection, Exchange, Route, open_connection, read_body
from .failures import explain, links_of
from .messages import HttpReply, HttpRequest, encode_request

#: Seconds that an idle connection is kept if its server does not say how long it keeps it. Servers
#: close theirs after 2, 5 or 60 s; a request that meets such a close is lost, and its bill unknown.
KEEP_IDLE_S = 1.5

#: Longest time that an idle connection is kept because its server says so.
MOST_IDLE_S = 30.0

#: Most idle connections of a thread, each to another host.
MOST_HOSTS = 4

_KEPT = re.compile(r"(?i)\btimeout\s*=\s*\"?(\d{1,9})\b")

#: Environment variables that name trusted certificates; the first one that is set counts.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class HttpClient:
    """Sends requests with verified TLS, and knows of each whether its first byte has left.

    Proxies and certificates of the environment count, as with requests, and ``SSL_CERT_FILE``. It
    reads no ``~/.netrc``, keeps no cookies, follows no redirects and retries nothing. Safe to share
    between threads and usable after a fork: each thread of each process has its own connections.

    Args:
        connect_timeout_s: Longest wait for the look-up of a name, for one address, the TLS
            handshake or a proxy, above 0.
        read_timeout_s: Longest wait for the next piece of upload or answer, above 0.
        max_body_bytes: Longest body of an answer after decompression.
        ca_bundle: File or folder of certificates to trust instead of the usual ones.
        proxy: ``http://host:port``, without a login, to go through to all but this machine.
        clock: Time, for how long connections are kept. Sockets wait in real time.

    Raises:
        ConfigurationError: a value is out of range, or the CA bundle or proxy cannot be exchange.
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
        numbers = (connect_timeout_s, read_timeout_s, max_body_bytes)
        if not all(0 < number < math.inf for number in numbers):
            raise errors.ConfigurationError(
                "The time-outs and max_body_bytes must be numbers above 0."
            )
        self._timeouts_s = connect_timeout_s, read_timeout_s
        self._max_body_bytes = int(max_body_bytes)
        self._context: ssl.SSLContext | None = None
        self._proxies: dict[str, str] = {}
        self.configure(ca_bundle, proxy)
        self._headers = {
            "User-Agent": f"facematch-core/{__version__}",
            "Accept": "application/json",
            # Answers are small, and an uncompressed one cannot be a bomb.
            "Accept-Encoding": "identity",
        }
        self.clock: Clock = clock or SystemClock()
        self._is_closed = False
        #: Holds the adapters that tests mount.
        self._session = requests.Session()
        #: Cache by origin: finding a proxy costs more than the rest of a call.
        self._routes: dict[str, Route] = {}
        # The idle connections of a thread end with it; close() finds those of living threads.
        self._of_thread = threading.local()
        self._idle = weakref.WeakValueDictionary[int, _Idle]()

    def configure(self, ca_bundle: str | os.PathLike[str] | None, proxy: str | None) -> None:
        """Trust these certificates and use this proxy; None leaves what is set."""
        if ca_bundle is not None:
            self._context = _trusting(os.fspath(ca_bundle), "ca_bundle")
        if proxy is not None:
            _check_proxy(proxy, "proxy")
            if "@" in proxy:
                raise errors.ConfigurationError(
                    "proxy must be without a login: put a proxy with one into HTTPS_PROXY."
                )
            self._proxies = {"http": proxy, "https": proxy}

    def send(
        self,
        request: HttpRequest,
        *,
        backend: str,
        charges: int = 1,
        deadline: Deadline = NO_DEADLINE,
        on_sent: Callable[[], None] = ignore,
        reconcilable: bool = False,
        call_id: str | None = None,
    ) -> HttpReply:
        """Send one request, once.

        Args:
            request: What to send.
            backend: Name of the backend, for errors.
            charges: What an answer costs with which the call goes on; 0 for a login, say.
            deadline: When everything must be over; by default the time-outs alone count. Its
                `send_by` is when the first byte must have left.
            on_sent: Called exactly once, in this thread, before the first byte of the request (not
                of a proxy's tunnel or of TLS) is handed to the socket; not called if none is. If
                it raises, nothing is sent and its exception is raised here.
            reconcilable: Whether the vendor can be asked later what became of the call.
            call_id: Our id of the call, for errors.

        Returns:
            Any complete answer, whatever its status. Redirects are answers.

        Raises:
            ConfigurationError: an address, a header or a proxy is wrong.
            InvalidRequest: the request cannot be put into HTTP.
            VendorUnavailable: no byte of the request has left. Not `retryable` if `send_by` has
                passed, the certificate fails, or the proxy refuses.
            DeadlineExceeded: `deadline` passed after the first byte.
            OutcomeUnknown: the first byte has left, but no complete, usable answer came.
            UnexpectedResponse: a complete answer 200 with a body that cannot be exchange.
        """
        exchange = Exchange(
            timeouts_s=self._timeouts_s,
            deadline=deadline,
            on_sent=on_sent,
            # Twice the body, for its framing, and room for the head.
            left_to_receive=2 * self._max_body_bytes + 1024 * 1024,
            backend=backend,
            call_id=call_id,
            expects=request.expects,
            charges=charges,
            reconcilable=reconcilable,
        )
        # urllib3 may log whole addresses.
        with muted("urllib3") if _has_secret_address(request) else contextlib.nullcontext():
            outcome = self._try_send(request, exchange)
        if isinstance(outcome, HttpReply):
            return outcome
        # The frame of a function that raises stays alive with the error.
        del request, on_sent, exchange
        context = outcome.__context__
        try:
            raise outcome
        finally:
            # Also when the caller is handling another exception.
            outcome.__context__ = context
            del outcome, context

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

    def close(self) -> None:
        """Close the idle connections of all threads. May be called more than once.

        A call that is under way goes on to its end, with all its requests; their connections are
        not kept.
        """
        self._is_closed = True
        for reference in self._idle.valuerefs():
            if (idle := reference()) is not None:
                idle.close()

    def _try_send(self, request: HttpRequest, exchange: Exchange) -> HttpReply | BaseException:
        """Return the reply, or what is to be raised; raises nothing itself."""
        started = self.clock.monotonic()
        token = CURRENT.set(exchange)
        try:
            exchange.wait_s()
            # Revealed in an argument, so that no frame that lives on holds the secrets.
            response = self._read_head(exchange, request, *self._encode(request))
            reply = HttpReply(
                status=response.status,
                headers=response.headers,
                body=read_body(response, self._max_body_bytes),
                elapsed_s=max(0.0, self.clock.monotonic() - started),
                secrets=request.secrets,
                url=request.url,
            )
            self._put_back(exchange, reply)
        except BaseException as error:  # noqa: BLE001 - raised again by send(); even the frames of Ctrl-C hold the picture
            for link in links_of(error):
                # Frees the request now: the frames refer to one another and would wait for the
                # garbage collector.
                traceback.clear_frames(link.__traceback__)
            with contextlib.suppress(Exception):
                exchange.close()
            if exchange.refusal is not None:
                return exchange.refusal
            if isinstance(error, Exception) and not isinstance(error, errors.FaceMatchError):
                failure = explain(error, exchange)
                if failure is not None:
                    return failure
            # Ours, or no fault of the network: a bug, or the program's own exception. This frame
            # leaves its traceback: it cannot be cleared yet.
            error.__cause__ = error.__context__ = None
            trace = error.__traceback__
            return error.with_traceback(trace and trace.tb_next)
        else:
            return reply
        finally:
            CURRENT.reset(token)

    def _encode(self, request: HttpRequest) -> tuple[dict[str, str], bytes | str | None]:
        """Return headers and body, with their secrets revealed."""
        try:
            sent, body = encode_request(request)
        except (TypeError, ValueError, RecursionError) as error:
            if isinstance(error, errors.FaceMatchError):
                raise
            kind = type(error).__name__
            raise errors.InvalidRequest(  # noqa: B904 - send() drops the context
                f"The request cannot be written as HTTP ({kind}): nothing was sent."
            )
        names = {name.lower() for name in sent}
        headers = {name: text for name, text in self._headers.items() if name.lower() not in names}
        for name, value in sent.items():
            headers[name] = value.reveal() if isinstance(value, Secret) else value
        return headers, body

    def _read_head(
        self,
        exchange: Exchange,
        request: HttpRequest,
        headers: dict[str, str],
        body: bytes | str | None,
    ) -> Any:
        """Send the request and return the response of urllib3, whose body is unread."""
        target = _target(request.url, tuple(request.params.items()))
        exchange.has_body = bool(body)
        adapter = self._session.get_adapter(request.url)
        # Not compared with a function kept at import: this module may be imported under a patch.
        is_patched = HTTPAdapter.send.__module__ != HTTPAdapter.__module__
        if is_patched or type(adapter) is not HTTPAdapter:
            exchange.is_double = True
            prepared = requests.Request(request.method, target.url, headers, data=body).prepare()
            return _ask_double(adapter, prepared, exchange)
        route = self._routes.get(target.origin)
        if route is None:
            route = self._routes[target.origin] = self._find_route(target)
        if route.proxy is not None:
            exchange.proxy = route.proxy.netloc or ""
        exchange.origin = target.origin
        connection = exchange.connection = self._take(target.origin) or open_connection(route)
        path = target.path
        if route.is_forwarded:
            path, headers = target.url, {**route.proxy_headers, **headers}
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
        exchange.status = response.status
        return response

    def _take(self, origin: str) -> Connection | None:
        """Return this thread's idle connection, if it can be exchange."""
        try:
            connection: Connection = self._of_thread.idle.pop(origin)
        except (AttributeError, KeyError):
            return None
        # After a fork the connections are the parent's: they are dropped, and not shut down.
        if connection.process == os.getpid():
            if self.clock.monotonic() <= connection.kept_until and connection.is_connected:
                return connection
            connection.close()
        return None

    def _put_back(self, exchange: Exchange, reply: HttpReply) -> None:
        """Keep the connection for this thread, for as long as its server says."""
        connection = exchange.connection
        if connection is None or connection.sock is None:
            return
        # A server that refuses an upload may not have read it, and closes at any moment: the next
        # request would be lost.
        if exchange.has_body and reply.status >= http.HTTPStatus.BAD_REQUEST:
            connection.close()
            return
        keep_s = KEEP_IDLE_S
        keep_alive = reply.headers.get("Keep-Alive")
        if keep_alive and (seconds := _KEPT.search(keep_alive)):
            keep_s = min(int(seconds[1]) - 1.0, MOST_IDLE_S)
        connection.kept_until = self.clock.monotonic() + keep_s
        idle: _Idle = vars(self._of_thread).setdefault("idle", _Idle())
        self._idle[id(idle)] = idle
        idle.keep(exchange.origin, connection)
        # After it is entered, so that either close() or this line sees it.
        if self._is_closed:
            idle.close()

    def _find_route(self, target: _Target) -> Route:
        """Return proxy and certificates: as they are set, else as requests takes them."""
        proxies, proxy_headers, proxy = self._proxies, {}, None
        if is_loopback(target.host):
            # Faces for this machine, a mock above all, must not take a way around over another.
            proxies = {}
        elif not proxies:
            proxies = get_environ_proxies(target.url)
        if name := select_proxy(target.url, proxies):
            _check_proxy(name, "The proxy that the environment names")
            name = prepend_scheme_if_needed(name, "http")  # type: ignore[no-untyped-call]  # untyped in the stubs
            proxy_headers = HTTPAdapter().proxy_headers(name)
            proxy = parse_url(name)._replace(auth=None)
        schemes = {target.scheme, proxy and proxy.scheme}
        return Route(
            scheme=target.scheme,
            host=target.host,
            port=target.port,
            proxy=proxy,
            proxy_headers=proxy_headers,
            context=self._find_certificates() if "https" in schemes else None,
        )

    def _find_certificates(self) -> ssl.SSLContext:
        """Return the one context of this client, which all its connections share."""
        if self._context is None:
            for variable in CA_VARIABLES:
                if path := os.environ.get(variable):
                    self._context = _trusting(path, variable)
                    break
            else:
                self._context = _trusting(DEFAULT_CA_BUNDLE_PATH, "certifi")
        return self._context


class _Idle(dict[str, Connection]):
    """The idle connections of one thread, by origin."""

    def keep(self, origin: str, connection: Connection) -> None:
        """Add a connection; the oldest goes if there are too many."""
        while len(self) >= MOST_HOSTS:
            self.popitem()[1].close()
        self[origin] = connection

    def close(self) -> None:
        """Close all of them; another thread may take one meanwhile, and then has it."""
        with contextlib.suppress(KeyError):
            while True:
                self.popitem()[1].close()


class _Target(NamedTuple):
    """An address, as it is requested."""

    url: str
    scheme: str
    host: str
    port: int | None
    #: Scheme, host and port.
    origin: str
    #: Path and query.
    path: str


@functools.lru_cache(maxsize=64)
def _target(url: str, params: tuple[tuple[str, str], ...]) -> _Target:
    """Return an address as requests writes it, in parts."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(url, params)
    except (InvalidURL, UnicodeError):
        raise errors.ConfigurationError("The address of the request is not valid.") from None
    parts = parse_url(str(prepared.url))
    return _Target(
        url=str(prepared.url),
        scheme=str(parts.scheme),
        host=str(parts.host),
        port=parts.port,
        origin=f"{parts.scheme}://{parts.netloc}",
        path=parts.request_uri,
    )


def host_of(url: str) -> str:
    """Return the host in an address; empty if there is none, as in a vendor's odd answer."""
    with contextlib.suppress(LocationParseError):
        return parse_url(url).host or ""
    return ""


def _has_secret_address(request: HttpRequest) -> bool:
    """Whether one of the secrets stands in the address."""
    if not request.masked:
        return False
    parts = (request.url, *request.params.values())
    return any(secret.reveal() in part for secret in request.masked for part in parts)


def _ask_double(
    adapter: BaseAdapter, prepared: requests.PreparedRequest, exchange: Exchange
) -> Any:
    """Return the response of a test double, which knows no deadline and no first byte."""
    # requests wants time-outs above 0.
    left_s = max(exchange.left_s(), 0.001)
    connect_s, read_s = exchange.timeouts_s
    try:
        # Not by a session, which would follow redirects and read the body.
        response = adapter.send(
            prepared,
            timeout=(min(connect_s, left_s), min(read_s, left_s)),
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
    exchange.status, exchange.response = response.status_code, response.raw
    return _DoubledResponse(response)


class _DoubledResponse:
    """A response of requests, read as one of urllib3, within the deadline."""

    def __init__(self, response: requests.Response) -> None:
        self.status, self.headers = response.status_code, response.headers
        self._stream = response.raw.stream

    def stream(self, *args: Any, **options: Any) -> Iterator[bytes]:
        for piece in self._stream(*args, **options):
            CURRENT.get().wait_s()
            yield piece


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


def _check_proxy(proxy: str, name: str) -> None:
    """Refuse what is no HTTP proxy, without a word of it, which may hold a password."""
    if proxy.lower().startswith("socks"):
        # The SOCKS library connects by itself, and does not report the first byte.
        raise errors.ConfigurationError("SOCKS proxies are not supported: name an HTTP proxy.")
    try:
        # requests reads it in this way.
        parts = parse_url(prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call]  # untyped in the stubs
    except (LocationParseError, TypeError):  # of a login without a host
        parts = None
    if not (parts and parts.host and parts.scheme in ("http", "https")):
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

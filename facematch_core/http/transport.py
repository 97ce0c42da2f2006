"""The one place that meets requests and urllib3: a request is sent once, and its fate is known.

- Exceptions of an HTTP library do not say whether a byte has left. So the connection itself calls
  `on_sent`, after address, proxy and TLS and before the first byte of the request.
- Time-outs of an HTTP library begin anew with every wait. So every wait on a socket asks here how
  long it may last.
- An exception of requests holds the request, and the frames of its traceback hold it too: they are
  cleared, and an error with words of ours takes its place.
- An adapter belongs to one thread, and is used again only after a whole exchange and no refused
  upload. So nothing of a broken one is ever met: no connection out of step, no lock left taken.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import math
import os
import queue
import re
import socket
import ssl
import threading
import traceback
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, cast

import attrs
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.exceptions import InvalidURL
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    InvalidHeader,
    LocationParseError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)
from urllib3.util import parse_url

from facematch_core import errors
from facematch_core._version import __version__
from facematch_core.backend.base import accepted_billing, unreadable_error
from facematch_core.backend.calls import ignore
from facematch_core.base.addresses import is_loopback
from facematch_core.base.cancellation import find_callers_exception
from facematch_core.base.clock import Clock, SystemClock
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import Secret, muted
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning
from facematch_core.models import Billing, Charged, Ids

from .messages import HttpReply, HttpRequest, encode_request
from .refusals import KEPT, NOT_KEPT

#: Seconds that an idle connection is kept if its server does not say how long it keeps it. Servers
#: close theirs after 2, 5 or 60 s; a request that meets such a close is lost, and its bill unknown.
KEEP_IDLE_S = 1.5

#: Longest time for which an unused connection is kept because its server says that it keeps it.
MOST_IDLE_S = 30.0

#: Of how many hosts the connections are kept, for each thread.
MOST_POOLS = 4


class HttpClient:
    """Sends requests with verified TLS, and knows of each whether its first byte has left.

    Proxies and certificates of the environment are honoured as requests does; ``~/.netrc`` is not
    read, cookies are not kept, redirects are not followed, nothing is repeated. Safe to share
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
        ConfigurationError: a value is out of range, or the CA bundle or proxy cannot be used.
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
        self._ca_bundle: str | None = None
        self._proxies: dict[str, str] = {}
        self.go_by(ca_bundle, proxy)
        self._headers = {
            "User-Agent": f"facematch-core/{__version__}",
            "Accept": "application/json",
            # Answers are small. What is not compressed cannot be a bomb.
            "Accept-Encoding": "identity",
        }
        self.clock: Clock = clock or SystemClock()
        self._is_closed = False
        #: Says who answers an address; an adapter of ours in it stands for that of the thread.
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Adapter())
        #: Proxies and certificates by the beginning of an address: to look for them costs more than
        #: the rest of a call.
        self._routes: dict[str, dict[str, Any]] = {}
        # A thread's idle adapter ends with it; close() finds those of threads that live.
        self._of_thread = threading.local()
        self._idle = weakref.WeakValueDictionary[int, deque[_Adapter]]()

    def go_by(self, ca_bundle: str | os.PathLike[str] | None, proxy: str | None) -> None:
        """Trust these certificates and go through this proxy; None leaves what is set."""
        if ca_bundle is not None:
            path = os.fspath(ca_bundle)
            place = {"capath" if _is_folder(path) else "cafile": path}
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**place)
            except OSError:
                raise errors.ConfigurationError(
                    f"The CA bundle {path} holds no certificates."
                ) from None
            self._ca_bundle = path
        if proxy is not None:
            _check_proxy(proxy, "proxy")
            if "@" in proxy:
                raise errors.ConfigurationError(
                    "proxy must be without a login: name one that asks for it in HTTPS_PROXY."
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
            VendorUnavailable: no byte of the request has left; not `retryable` if that is because
                `deadline.send_by` has passed.
            DeadlineExceeded: `deadline` passed after the first byte.
            OutcomeUnknown: the first byte has left, but no complete, usable answer came.
            UnexpectedResponse: a complete answer 200 with a body that cannot be used.
        """
        exchange = Exchange(
            backend=backend,
            ids=Ids(call=call_id),
            expects=request.expects,
            charges=charges,
            reconcilable=reconcilable,
            started=self.clock.monotonic(),
            deadline=deadline,
            timeouts_s=self._timeouts_s,
            # Twice the body, for its framing, and room for the head.
            left_to_receive=2 * self._max_body_bytes + 1024 * 1024,
            on_sent=on_sent,
        )
        is_secret = any(
            hidden.reveal() in part
            for hidden in request.masked
            for part in (request.url, *request.params.values())
        )
        # urllib3 logs whole addresses.
        with muted("urllib3") if is_secret else contextlib.nullcontext():
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
        """Whether a test double may answer `url` in this process, so that nothing leaves it.

        That is an adapter that was mounted, or one that a fixture puts into every session of
        requests. What replaces `send` of requests' own adapter (`responses`) is not noticed.
        """
        return not isinstance(self._session.get_adapter(url), _Adapter)

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Answer addresses that begin with `prefix` by an adapter of requests: for test doubles.

        Such an adapter cannot tell when a byte leaves: `on_sent` is called when it has answered,
        and unless its exception says that there was no connection, the outcome is unknown. Nor
        can it be broken off: a deadline shortens the time-outs that it is given, and is looked at
        between the pieces of the body that it hands over.
        """
        self._session.mount(prefix, adapter)

    def close(self) -> None:
        """Close the connections of all threads. May be called more than once.

        What is under way goes on to its end, a job that is asked for again and again as well: a
        request after this is sent, and its connection is not kept.
        """
        self._is_closed = True
        for reference in self._idle.valuerefs():
            idle = reference()
            # The first who takes an adapter has it.
            with contextlib.suppress(IndexError):
                while idle:
                    idle.pop().close()

    def _take_adapter(self, url: str) -> BaseAdapter:
        """A double, this thread's adapter or a new one; `_put_back` has it after an exchange."""
        double = self._session.get_adapter(url)
        if not isinstance(double, _Adapter):
            return double
        try:
            adapter: _Adapter = self._of_thread.idle.pop()
        except (AttributeError, IndexError):
            return _Adapter()
        # After a fork the connections are the other process's.
        if adapter.process == os.getpid():
            if self.clock.monotonic() <= adapter.kept_until:
                return adapter
            adapter.close()
        return _Adapter()

    def _put_back(
        self, adapter: BaseAdapter, response: requests.Response, exchange: Exchange
    ) -> None:
        """Keep ours for this thread, for as long as its server says, or the setting."""
        if not isinstance(adapter, _Adapter):
            return
        # Who refuses an upload may not have read it, and closes at any moment: the next request
        # would be lost.
        if exchange.has_body and response.status_code >= http.HTTPStatus.BAD_REQUEST:
            adapter.close()
            return
        keep_alive = response.headers.get("Keep-Alive", "")
        keep_s = KEEP_IDLE_S
        if seconds := re.search(r"(?i)\btimeout\s*=\s*\"?(\d{1,9})\b", keep_alive):
            keep_s = min(int(seconds[1]) - 1.0, MOST_IDLE_S)
        adapter.kept_until = self.clock.monotonic() + keep_s
        idle = vars(self._of_thread).setdefault("idle", deque())
        self._idle[id(idle)] = idle
        idle.append(adapter)
        # After it is entered, so that either close() or this line has it.
        if self._is_closed:
            self.close()

    def _try_send(self, request: HttpRequest, exchange: Exchange) -> HttpReply | BaseException:
        """The reply, or what is to be raised; raises nothing itself."""
        adapter: BaseAdapter | None = None
        response: requests.Response | None = None
        token = CURRENT.set(exchange)
        try:
            exchange.wait_s()
            start = _origin(request.url)
            if start not in self._routes:
                self._routes[start] = self._find_route(request.url)
            adapter = self._take_adapter(request.url)
            # Prepared in an argument, so that no frame that lives on holds it.
            response = _read_head(
                adapter, _prepare(self._headers, request), exchange, self._routes[start]
            )
            reply = HttpReply(
                status=response.status_code,
                headers=response.headers,
                body=read_body(response, self._max_body_bytes, exchange),
                elapsed_s=max(0.0, self.clock.monotonic() - exchange.started),
                secrets=request.secrets,
                url=request.url,
            )
            response.close()
            self._put_back(adapter, response, exchange)
        except BaseException as error:  # noqa: BLE001 - raised again by send(); even the frames of Ctrl-C hold the picture
            interruption = find_callers_exception(error)
            for link in _links(error):
                # Frees the request now; the frames refer to one another and would wait for the
                # garbage collector.
                traceback.clear_frames(link.__traceback__)
            # Not by response.close(), which hands the connection back to its pool.
            for resource in (getattr(response, "raw", None), adapter):
                with contextlib.suppress(Exception):
                    if resource is not None:
                        resource.close()
            if exchange.refusal is not None:
                return exchange.refusal
            if interruption is not None:
                interruption.__cause__ = interruption.__context__ = None
                return interruption  # with its frames, which are cleared: they say who raised it
            if isinstance(error, errors.FaceMatchError) or not isinstance(error, Exception):
                error.__cause__ = error.__context__ = None
                return error.with_traceback(None)
            return exchange.explain(error, None if response is None else response.status_code)
        else:
            return reply
        finally:
            CURRENT.reset(token)

    def _find_route(self, url: str) -> dict[str, Any]:
        """Proxies and certificates: as they are set, else as a session of requests takes them."""
        verify: str | bool | None = self._ca_bundle
        if verify is None:
            variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
            verify = next(filter(None, map(os.environ.get, variables)), True)
            if isinstance(verify, str):
                _is_folder(verify)
        proxies = self._proxies
        if is_loopback(host_of(url)):
            # Faces for this machine, a mock above all, may not take a way around over another.
            proxies = {}
        elif not proxies:
            proxies = get_environ_proxies(url)
            if proxy := select_proxy(url, proxies):
                _check_proxy(proxy, "The proxy that the environment names")
        return {"stream": True, "verify": verify, "cert": None, "proxies": proxies}


@attrs.define(eq=False, kw_only=True)
class Exchange:
    """From one request to its answer: what its connection asks and reports."""

    backend: str
    ids: Ids
    expects: frozenset[int]
    charges: int
    reconcilable: bool
    started: float
    deadline: Deadline
    #: The longest waits, before the first byte and after it.
    timeouts_s: tuple[float, float]
    left_to_receive: int
    on_sent: Callable[[], None]
    #: Whether the request has a body.
    has_body: bool = False
    #: Whether the first byte was handed to the socket.
    is_sent: bool = False
    #: Whether a connection of ours carries it; a test double may, instead.
    is_ours: bool = False
    #: What `on_sent` raised, if it did.
    refusal: BaseException | None = None
    _is_cut_short: bool = False

    def left_s(self) -> float:
        """Seconds that are left, before the first byte those for sending it."""
        return (self.deadline if self.is_sent else self.deadline.send_by).left_s()

    def wait_s(self, sock: socket.socket | None = None) -> float:
        """Seconds that the next wait may take, of a socket; `TimeoutError` if nothing is left."""
        timeout_s = self.timeouts_s[self.is_sent]
        left_s = self.left_s()
        self._is_cut_short = left_s < timeout_s
        if left_s <= 0:
            raise TimeoutError("The deadline ran out.")
        wait_s = min(left_s, timeout_s)
        # Setting it is a system call, during which another thread takes its turn.
        if sock is not None and sock.gettimeout() != wait_s:
            sock.settimeout(wait_s)
        return wait_s

    def name_expiry(self, error: BaseException) -> str:
        """Which time of the caller's ended it; empty for a time-out, or the system's patience."""
        # By a clock of a test no time may have passed although the socket has waited.
        has_waited = self._is_cut_short and any(
            isinstance(link, TimeoutError) and link.errno is None for link in _links(error)
        )
        if not has_waited and self.left_s() > 0:
            return ""
        if self.is_sent or self.deadline.share is None:
            return "the deadline ran out"
        return "the time for connecting ran out"

    def begin(self) -> None:
        """Note the first byte, before it is handed over; `NotSent` if `on_sent` forbids it."""
        if self.is_sent:
            return
        try:
            self.on_sent()
        except BaseException as error:  # noqa: BLE001 - raised again by send()
            self.refusal = error
            raise NotSent from None
        self.is_sent = True

    def explain(self, error: Exception, status_code: int | None) -> errors.VendorError:
        """What it means for the caller and for the bill that no answer came, in words of ours."""
        about: Any = {"backend": self.backend, "ids": self.ids, "status_code": status_code}
        expired = self.name_expiry(error)
        why = expired or _reason(error)
        if not self.is_sent:
            return errors.VendorUnavailable(
                f"{self.backend} could not be reached: {why}. Nothing of this request was sent.",
                # The caller's impatience says nothing of the vendor: no breaker may count it.
                retryable=not expired,
                billing=Billing(Charged.NO, "no byte of the request has left"),
                **about,
            )
        if isinstance(error, UnreadableBody) and status_code in self.expects:
            answered = f"{self.backend} answered {status_code}"
            return unreadable_error(answered, why, accepted_billing(self.charges), **about)
        message = f"The request was sent to {self.backend}, but no usable answer came: {why}."
        if self.charges:
            kept = KEPT if self.reconcilable else NOT_KEPT
            message += f" It may have been executed and charged. {kept}."
        return (errors.DeadlineExceeded if expired else errors.OutcomeUnknown)(
            message,
            billing=Billing(Charged.UNKNOWN, "no complete answer after the first byte had left"),
            reconcilable=self.reconcilable,
            **about,
        )


class NotSent(Exception):
    """`on_sent` raised: the byte is held back. Not an OSError, which urllib3 would swallow."""


class AnswerTooLong(OSError):
    """More bytes came in than any answer within the limits needs."""


class UnreadableBody(Exception):
    """The body is too long, or compressed in a way that cannot be undone."""


#: The exchange that the running code belongs to: a pooled connection serves one after the other.
CURRENT: ContextVar[Exchange] = ContextVar("facematch_exchange")


def _prepare(usual: dict[str, str], request: HttpRequest) -> requests.PreparedRequest:
    """What is sent, with its secrets revealed."""
    prepared = requests.PreparedRequest()
    try:
        sent, body = encode_request(request)
        headers = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in sent.items()
        }
        # Step by step, and not by the session, which would look for cookies, hooks and ~/.netrc.
        prepared.prepare_method(request.method)
        prepared.url = _normalise_url(request.url, tuple(request.params.items()))
        prepared.prepare_headers({**usual, **headers})
        prepared.prepare_body(body, None)
        CURRENT.get().has_body = bool(prepared.body)
    except errors.FaceMatchError:
        raise
    except InvalidURL:
        raise errors.ConfigurationError("The address of the request is not valid.")  # noqa: B904 - send() drops the context
    except Exception as error:
        if find_callers_exception(error) is error:
            raise
        raise errors.InvalidRequest(  # noqa: B904 - send() drops the context
            f"The request cannot be written as HTTP ({type(error).__name__}): nothing was sent."
        )
    return prepared


@functools.lru_cache(maxsize=64)
def _normalise_url(url: str, params: tuple[tuple[str, str], ...]) -> str:
    """An address as requests writes it, which takes as long as all else of a request's head."""
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, params)
    return str(prepared.url)


def _read_head(
    adapter: BaseAdapter,
    prepared: requests.PreparedRequest,
    exchange: Exchange,
    route: dict[str, Any],
) -> requests.Response:
    """The head of the answer; its body is still to be read."""
    timeouts_s = exchange.timeouts_s
    if not isinstance(adapter, _Adapter):
        # It knows no deadline, only time-outs, which must be above 0; ours ask before each wait.
        left_s = max(exchange.left_s(), 0.001)
        timeouts_s = min(timeouts_s[0], left_s), min(timeouts_s[1], left_s)
    # Not by a session: it would follow a redirect in thought and read its body.
    try:
        response = adapter.send(prepared, timeout=timeouts_s, **route)
    except BaseException as error:
        # A transport that is not ours cannot tell whether a byte has left; nor is it known when a
        # Ctrl-C came. These say by themselves that there was no connection.
        kinds = [type(link) for link in _links(error)]
        is_unsent = isinstance(error, requests.ConnectTimeout) or (
            MaxRetryError in kinds and any(issubclass(kind, NewConnectionError) for kind in kinds)
        )
        if not exchange.is_ours and not is_unsent:
            exchange.begin()
        raise
    exchange.begin()
    return response


def _is_folder(ca_bundle: str) -> bool:
    """Whether it is a folder, or else a regular file: whoever reads a pipe may wait for ever."""
    is_folder = os.path.isdir(ca_bundle)  # noqa: PTH112 - text, as requests has it
    if not is_folder and not os.path.isfile(ca_bundle):  # noqa: PTH113 - likewise
        raise errors.ConfigurationError(
            f"The CA bundle {ca_bundle} is no file and no folder: name the one that holds the "
            "certificates."
        )
    return is_folder


def _check_proxy(proxy: str, name: str) -> None:
    """Refuse what is no HTTP proxy, without a word of it, which may hold a password."""
    if proxy.lower().startswith("socks"):
        # Its connections are not ours: whether a byte has left could not be known.
        raise errors.ConfigurationError("SOCKS proxies are not supported: name an HTTP proxy.")
    try:
        # As requests reads it.
        parts = parse_url(prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call]  # untyped in the stubs
    except (LocationParseError, TypeError):  # of a login without a host
        parts = None
    if not (parts and parts.host and parts.scheme in ("http", "https")):
        raise errors.ConfigurationError(f"{name} has no address of the form http://host:port.")


@functools.lru_cache(maxsize=64)
def _origin(url: str) -> str:
    """What an address begins with: scheme, host and port."""
    return "/".join(url.split("/", 3)[:3])


def host_of(url: str) -> str:
    """The host in an address; empty if it has none, for a vendor may have written anything."""
    with contextlib.suppress(LocationParseError):
        return parse_url(url).host or ""
    return ""


def read_body(response: requests.Response, limit: int, exchange: Exchange) -> bytes:
    """The whole body of at most `limit` bytes, whose framing urllib3 checks."""
    coding = response.headers.get("Transfer-Encoding", "chunked").strip().lower()
    if coding not in ("chunked", "identity"):
        raise http.client.HTTPException("unknown transfer coding")
    encoding = response.headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise UnreadableBody("its body is compressed in an unknown way")
    # Of what is compressed, more bytes may come than are in it, if only a few.
    most = limit if encoding == "identity" else 2 * limit + 1024
    body = bytearray()
    for piece in itertools.chain((b"",), response.raw.stream(65536, decode_content=False)):
        if not exchange.is_ours:
            exchange.wait_s()  # a transport that is not ours never asks for the deadline
        body += piece
        if len(body) > most:
            raise UnreadableBody("its body is too long")
    if not body or encoding == "identity":
        return bytes(body)
    # Not by urllib3: older versions have no limit, and none notices that gzip is broken off. 32
    # lets zlib find out which of the two it is.
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


#: How many names may be looked up at a time in this process. Nobody can end a look-up: with a name
#: server that is silent it lasts as long as the system likes, ten seconds and more.
MOST_LOOK_UPS = 8

_look_up_threads = HelperThreads(MOST_LOOK_UPS, "facematch-look-up")


def _look_up(host: str, port: int, wait_s: float) -> list[tuple[Any, Any, int, str, Any]]:
    """What `socket.getaddrinfo` gives for each address; a name by a thread for all who wait."""
    look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    # An address takes no thread: no name server is asked.
    try:
        return look_up(flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    except UnicodeError:  # no name server could be asked: a label is empty, or too long
        raise socket.gaierror(socket.EAI_NONAME, "The name is none.") from None
    try:
        return _look_up_threads.run(look_up, Deadline.after(wait_s), key=(host, port))
    except (NoThread, StillRunning):
        raise TimeoutError("The name was not looked up in time.") from None


class _SocketReader(socket.SocketIO):
    """What comes off a socket, each wait with what is left of the time: dripping ends as well."""

    _sock: socket.socket
    #: Whether the peer has closed its side, and a read has met that.
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
    """An answer whose head is complete."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        # The unbuffered file of the socket keeps count of its users, so that the descriptor lives
        # until the answer is read even if the connection is closed before.
        self._reads: Any = self.fp.raw
        self._reads.__class__ = _SocketReader

    def begin(self) -> None:
        super().begin()
        # `http.client` takes a head that broke off for a whole one. The empty line after a head
        # needs no further read: one that met the end came too soon.
        if self._reads.has_ended:
            raise http.client.IncompleteRead(b"")
        if self.status < http.HTTPStatus.OK:
            self.will_close = True  # another answer, or another protocol, follows


class _Connection(HTTPConnection):
    """Connects and sends within the deadline, and calls `on_sent` before the request."""

    response_class = _Response

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = CURRENT.get()
        exchange.wait_s()
        exchange.begin()
        # urllib3 sets it on the socket, where it need not be set again then.
        self.timeout = exchange.wait_s()
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        # What `http.client` would call, `sendall`, has one time-out for all of an upload, and over
        # TLS one for every piece of it.
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
            # As an OSError, urllib3 could take it for a failure of the upload.
            raise NameResolutionError(self.host, self, cast(socket.gaierror, error)) from error
        problem = OSError("The name has no address.")
        for family, kind, protocol, _, address in addresses:
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                # For each address: a name may have many, and the deadline is one.
                wait_s(sock)
                sock.connect(address)
                # For the TLS handshake, which is the next to wait.
                wait_s(sock)
            except OSError as error:
                problem = error
                if sock is not None:
                    sock.close()
            else:
                return sock
        raise NewConnectionError(self, "No address of the host answers.") from problem

    def _tunnel(self) -> None:
        super()._tunnel()
        CURRENT.get().wait_s(self.sock)

    @property
    def is_connected(self) -> bool:
        # Bytes that TLS has already decrypted are not seen by poll: they would be read as the
        # answer to the next request.
        pending = getattr(self.sock, "pending", None)
        return super().is_connected and not (pending is not None and pending())


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        super().connect()
        # A peer that is gone at once leaves Python with a socket that never shook hands and would
        # send in the clear.
        if cast(Any, self.sock).version() is None:
            self.close()
            raise ssl.SSLError(0, "The TLS handshake failed.")


#: Where a pool keeps its one connection: a queue without a lock that could be left taken.
_SLOT: Any = staticmethod(lambda _maxsize: queue.SimpleQueue[Any]())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection
    QueueCls = _SLOT


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
    QueueCls = _SLOT


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """requests' own adapter over connections of ours, with and without a proxy. No retries."""

    def __init__(self) -> None:
        super().__init__(pool_connections=MOST_POOLS, pool_maxsize=1)
        self.poolmanager.pool_classes_by_scheme = _POOLS
        self._pools: dict[str, Any] = {}
        #: Whose its connections are, and until when they may be used again, on the client's clock.
        self.process, self.kept_until = os.getpid(), 0.0

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        # Not where a double has taken the place of `send`.
        CURRENT.get().is_ours = True
        # Proxies and certificates are those of the address's beginning, as long as the client
        # lives: to find its pool anew costs as much as to write the request.
        pools, start = self._pools, _origin(str(request.url))
        if start not in pools:
            # As many as the manager keeps: it closes the one that was not asked for the longest.
            if len(pools) == MOST_POOLS:
                pools.clear()
            pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
            # The way to a proxy may be TLS although the address is not.
            address = request.url if pool.proxy is None else "https:"
            super().cert_verify(pool, address, verify, cert)  # type: ignore[no-untyped-call]  # untyped in the stubs
            pools[start] = pool
        return pools[start]

    def cert_verify(self, *_: Any) -> None:
        """Done where the pool is found."""

    def request_url(self, request: Any, proxies: Any) -> str:
        return str(super().request_url(request, proxies) if proxies else request.path_url)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        # Without cookies, which are not kept, and without the encoding of a text.
        response = requests.Response()
        response.status_code, response.raw, response.request = resp.status, resp, req
        response.headers = CaseInsensitiveDict(resp.headers)
        return response


def _links(error: BaseException) -> Iterator[BaseException]:
    """`error` and every exception behind it: causes, contexts, arguments."""
    seen: set[int] = set()
    links: list[object] = [error]
    for link in links:  # which grows meanwhile
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            links += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]


def _system_words(link: OSError) -> str:
    if tunnel := re.match(r"Tunnel connection failed: ([0-9]{3})", str(link)):
        return f"the proxy answers {tunnel[1]}"
    return os.strerror(link.errno) if isinstance(link.errno, int) and link.errno > 0 else ""


#: In this order: what comes first says more.
_REASONS: tuple[tuple[Any, str | Callable[[Any], str]], ...] = (
    (AnswerTooLong, "its answer does not end"),
    (UnreadableBody, str),
    (ssl.SSLCertVerificationError, lambda link: f"its certificate fails ({link.verify_message})"),
    # Only errors that come from OpenSSL have a reason; the other is that of `_TlsConnection`.
    (ssl.SSLError, lambda link: f"TLS failed ({getattr(link, 'reason', None) or 'handshake'})"),
    (socket.gaierror, "its host name was not found"),
    (NameResolutionError, "its host name could not be looked up in time"),
    ((TimeoutError, requests.Timeout), "it took too long"),
    (http.client.RemoteDisconnected, "it closed the connection without an answer"),
    (OSError, _system_words),
    (http.client.IncompleteRead, "its answer broke off"),
    ((http.client.HTTPException, ProtocolError, InvalidHeader), "its answer is no proper HTTP"),
    # Of a chunk whose length is below 0. Those of a class of their own are of other things.
    (ValueError, lambda link: "its answer is no proper HTTP" if type(link) is ValueError else ""),
)


def _reason(error: BaseException) -> str:
    """A few words about the peer, for "... could not be reached: <reason>."."""
    links = list(_links(error))
    for kind, words in _REASONS:
        for link in links:
            reason = isinstance(link, kind) and (words if isinstance(words, str) else words(link))
            if reason:
                return reason
    return f"it failed with {type(error).__name__}"

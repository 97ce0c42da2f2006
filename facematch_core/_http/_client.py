"""`HttpClient`: sends one request, and tells a failure in terms of money."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import requests
from requests.adapters import BaseAdapter
from requests.exceptions import InvalidSchema

from facematch_core import Billing
from facematch_core._basics import Clock, SystemClock
from facematch_core.errors import (
    ConfigurationError,
    DeadlineExceeded,
    OutcomeUnknown,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.models import Charged, Ids

from ._exchange import Exchange
from ._messages import HttpReply, HttpRequest
from ._reasons import records_hint
from ._sending import Failure, perform
from ._transport import is_network, new_session


def _nothing() -> None:
    pass


class HttpClient:
    """Sends requests with verified TLS, and knows of each whether its first byte has left.

    Proxies and certificates of the environment are honoured as requests does; ``~/.netrc`` is not
    read, cookies are not kept, redirects are not followed, nothing is repeated. Safe to share
    between threads and usable after a fork: each thread of each process has its own connections.

    Args:
        connect_timeout_s: Longest wait for one address, the TLS handshake or a proxy, above 0.
        read_timeout_s: Longest wait for the next piece of upload or answer, above 0.
        max_body_bytes: Longest body of an answer after decompression.
        user_agent: The header; None for ``facematch-core/<version>``.
        ca_bundle: File or folder of certificates to trust instead of the usual ones.
        clock: Time, for deadlines. Sockets wait in real time.

    Raises:
        ConfigurationError: a value is out of range, or there is no such CA bundle.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 30.0,
        max_body_bytes: int = 1024 * 1024,
        user_agent: str | None = None,
        ca_bundle: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._timeouts_s = (
            _above_zero("connect_timeout_s", connect_timeout_s),
            _above_zero("read_timeout_s", read_timeout_s),
        )
        self._max_body_bytes = int(_above_zero("max_body_bytes", max_body_bytes))
        if ca_bundle is not None and not Path(ca_bundle).exists():
            raise ConfigurationError(f"The CA bundle {os.fspath(ca_bundle)} does not exist.")
        from facematch_core import __version__  # not above: the package imports this module's users

        self._ca_bundle = None if ca_bundle is None else os.fspath(ca_bundle)
        self._user_agent = user_agent or f"facematch-core/{__version__}"
        self.clock: Clock = clock or SystemClock()
        self._closed = False
        self._mounts: dict[str, BaseAdapter] = {}
        # Those that no exchange uses: a thread's ends with it; close() finds those that live.
        self._own = threading.local()
        self._sessions: weakref.WeakValueDictionary[tuple[int, int], requests.Session] = (
            weakref.WeakValueDictionary()
        )

    def send(
        self,
        request: HttpRequest,
        *,
        backend: str,
        deadline_s: float | None = None,
        on_sent: Callable[[], None] = _nothing,
        reconcilable: bool = False,
        call_id: str | None = None,
    ) -> HttpReply:
        """Send one request, once.

        Args:
            request: What to send.
            backend: Name of the backend, for errors.
            deadline_s: Seconds from now for everything but looking up the host's name, which the
                system does not let be cut short; None for the time-outs alone.
            on_sent: Called exactly once, in this thread, before the first byte of the request (not
                of a proxy's tunnel or of TLS) is handed to the socket; not called if none is. If
                it raises, nothing is sent and its exception is raised here.
            reconcilable: Whether the vendor was asked to keep the call.
            call_id: Our id of the call, for errors.

        Returns:
            Any complete answer, whatever its status. Redirects are answers.

        Raises:
            ConfigurationError: the client is closed, or an address, a header or a proxy is wrong.
            InvalidRequest: the request cannot be put into HTTP.
            VendorUnavailable: no byte of the request has left; not `retryable` if that is because
                `deadline_s` ran out.
            DeadlineExceeded: `deadline_s` ran out after the first byte.
            OutcomeUnknown: the first byte has left, but no complete, usable answer came.
            UnexpectedResponse: a complete answer 200 with a body that cannot be used.
        """
        exchange = Exchange(
            clock=self.clock,
            deadline_s=deadline_s,
            read_timeout_s=self._timeouts_s[1],
            # Twice the body, for its framing, and room for the head.
            max_received=2 * self._max_body_bytes + 1024 * 1024,
            on_sent=on_sent,
        )
        outcome = perform(
            self._take_session,
            self._put_back,
            request,
            exchange,
            timeouts_s=self._timeouts_s,
            verify=self._ca_bundle,
            max_body_bytes=self._max_body_bytes,
        )
        # The frame of a function that raises stays alive with the error.
        del request, on_sent, exchange
        if isinstance(outcome, HttpReply):
            return outcome
        if outcome.refusal is not None:
            raise outcome.refusal
        error = outcome.raised or _error(
            outcome, backend=backend, reconcilable=reconcilable, call_id=call_id
        )
        try:
            raise error from None
        finally:
            # Also when the caller is handling another exception.
            error.__context__ = None
            del error, outcome

    def is_doubled(self, url: str) -> bool:
        """Whether a test double may answer `url` in this process, so that nothing leaves it.

        That is an adapter that was mounted, or one that a fixture puts into every session of
        requests. What replaces `send` of requests' own adapter (`responses`) is not noticed.
        """
        if self._mounts or self._closed:
            return bool(self._mounts)
        session = self._take_session()
        try:
            return not is_network(session.get_adapter(url))
        except InvalidSchema:
            return False
        finally:
            self._put_back(session)

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Answer addresses that begin with `prefix` by an adapter of requests: for test doubles.

        Such an adapter cannot tell when a byte leaves: `on_sent` is called when it has answered,
        and unless its exception tells that there was no connection, the outcome is unknown. Nor
        can it be broken off: a deadline shortens the time-outs that it is given, and is looked at
        between the pieces of the body that it hands over.
        """
        self._mounts[prefix] = adapter

    def close(self) -> None:
        """Close the connections of all threads. May be called more than once."""
        self._closed = True
        for reference in self._sessions.valuerefs():
            session = reference()
            # Connections from before a fork belong to the other process.
            if session is not None and reference.key[0] == os.getpid():
                session.close()

    def _take_session(self) -> requests.Session:
        """This thread's session, or a new one; `_put_back` has it again after a whole exchange."""
        if self._closed:
            raise ConfigurationError("This HTTP client is closed: open a new one.")
        process, session = vars(self._own).pop("idle", (0, None))
        # After a fork the connections are the other process's.
        if session is None or process != os.getpid():
            session = new_session(self._user_agent)
        for prefix, adapter in self._mounts.items():
            if session.adapters.get(prefix) is not adapter:
                session.mount(prefix, adapter)
        return cast(requests.Session, session)

    def _put_back(self, session: requests.Session) -> None:
        process = os.getpid()
        self._own.idle = process, session
        self._sessions[process, threading.get_ident()] = session
        # After it is entered, so that either close() or this line sees it.
        if self._closed:
            session.close()


def _above_zero(name: str, value: float) -> float:
    if isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise ConfigurationError(f"{name} must be a number above 0.")
    return value


def _error(
    failure: Failure, *, backend: str, reconcilable: bool, call_id: str | None
) -> VendorError:
    """What a failure means for the caller and for the bill."""
    about: dict[str, Any] = {
        "backend": backend,
        "ids": Ids(call=call_id),
        "status_code": failure.status,
    }
    if not failure.sent:
        why = "the deadline ran out" if failure.expired else failure.reason
        return VendorUnavailable(
            f"{backend} could not be reached: {why}. Nothing was sent.",
            # The caller's impatience says nothing of the vendor: no breaker may count it.
            retryable=not failure.expired,
            billing=Billing(Charged.NO, "no byte of the request has left"),
            **about,
        )
    if failure.unreadable and failure.status == 200:
        return UnexpectedResponse(
            f"{backend} answered 200, but {failure.reason}. It counts as charged.",
            billing=Billing(Charged.YES, "a 200 answer is taken as charged"),
            **about,
        )
    cls = DeadlineExceeded if failure.expired else OutcomeUnknown
    why = "the deadline ran out" if failure.expired else failure.reason
    return cls(
        f"The request was sent to {backend}, but no usable answer came: {why}. It may have been "
        f"executed and charged. {records_hint(reconcilable=reconcilable)}",
        billing=Billing(Charged.UNKNOWN, "no complete answer after the first byte had left"),
        reconcilable=reconcilable,
        **about,
    )

"""No usable answer came: what that means for the caller and for the bill.

The first byte decides. Before it, nothing is charged and the error is `VendorUnavailable`. After it
the call may have been executed, so the error is `OutcomeUnknown`. An exception of the network is
never handed on: it holds the request, with key and faces. Its class only chooses the words.

`refusals` is the chapter about answers that came.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any

import requests
from urllib3.exceptions import (
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    ProtocolError,
)

from facematch_core import errors
from facematch_core.backend.base import accepted_billing, unreadable_error
from facematch_core.models import Billing, Charged, Ids

from .connection import AnswerTooLong, Exchange, UnreadableBody
from .refusals import KEPT, NOT_KEPT


def explain(error: Exception, exchange: Exchange) -> errors.VendorError | None:
    """Return the error for an exception of the network or a test double; None for any other."""
    links = links_of(error)
    is_expired = exchange.has_expired(links)
    reason, is_retryable = _describe(links, is_sent=exchange.is_sent)
    if is_expired:
        is_share = not exchange.is_sent and exchange.deadline.share is not None
        reason = "the time for connecting ran out" if is_share else "the deadline ran out"
    if not reason and not exchange.is_double:
        return None
    reason = reason or f"it failed with {type(error).__name__}"
    about: dict[str, Any] = {
        "backend": exchange.backend,
        "ids": Ids(call=exchange.call_id),
        "status_code": exchange.status,
    }
    through = f" through the proxy {exchange.proxy}" if exchange.proxy else ""
    if not exchange.is_sent:
        return errors.VendorUnavailable(
            f"{exchange.backend} could not be reached{through}: {reason}. Nothing of this request "
            "was sent.",
            # An impatient caller says nothing about the vendor, so no breaker may count it.
            retryable=is_retryable and not is_expired,
            billing=Billing(Charged.NO, "no byte of the request has left"),
            **about,
        )
    if isinstance(error, UnreadableBody) and exchange.status in exchange.expects:
        answered = f"{exchange.backend} answered {exchange.status}"
        return unreadable_error(answered, reason, accepted_billing(exchange.charges), **about)
    message = (
        f"The request was sent to {exchange.backend}{through}, but no usable answer came: {reason}."
    )
    if exchange.charges:
        kept = KEPT if exchange.reconcilable else NOT_KEPT
        message += f" It may have been executed and charged. {kept}."
    return (errors.DeadlineExceeded if is_expired else errors.OutcomeUnknown)(
        message,
        billing=Billing(Charged.UNKNOWN, "no complete answer after the first byte had left"),
        reconcilable=exchange.reconcilable,
        **about,
    )


def links_of(error: BaseException) -> list[BaseException]:
    """Return `error` and every exception behind it: causes, contexts, arguments."""
    seen: set[int] = set()
    found: list[BaseException] = []
    links: list[object] = [error]
    for link in links:  # grows while it is read
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            found.append(link)
            links += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
    return found


#: OpenSSL's codes for a chain that ends at an authority nobody trusts: a company's own, usually.
_UNKNOWN_AUTHORITY = {18, 19, 20, 21}


def _certificate_words(link: ssl.SSLCertVerificationError) -> str:
    words = f"its certificate fails ({link.verify_message})"
    if link.verify_code in _UNKNOWN_AUTHORITY:
        words += (
            "; if a proxy of your company inspects TLS, set ca_bundle or REQUESTS_CA_BUNDLE to the "
            "file with the company's certificates"
        )
    return words


def _tls_words(link: ssl.SSLError) -> str:
    # Only errors of OpenSSL itself have a reason.
    return f"TLS failed ({getattr(link, 'reason', None) or 'handshake'})"


#: The text of `http.client` for a proxy that refuses CONNECT.
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_LOGIN = "; put the login into HTTPS_PROXY: http://user:password@host:port"


def _system_words(link: OSError) -> str:
    if refused := _TUNNEL_REFUSED.match(str(link)):
        return f"the proxy answers {refused[1]}{_LOGIN if refused[1] == '407' else ''}"
    return os.strerror(link.errno) if isinstance(link.errno, int) and link.errno > 0 else ""


#: Words about the peer by class of exception. The first row that fits counts.
_REASONS: tuple[tuple[Any, str | Callable[[Any], str]], ...] = (
    (AnswerTooLong, "its answer does not end"),
    (UnreadableBody, str),
    (ssl.SSLCertVerificationError, _certificate_words),
    (ssl.SSLError, _tls_words),
    (socket.gaierror, "its host name was not found"),
    (NameResolutionError, "its host name could not be looked up in time"),
    ((TimeoutError, requests.Timeout), "it took too long"),
    (http.client.RemoteDisconnected, "it closed the connection without an answer"),
    (OSError, _system_words),
    (http.client.IncompleteRead, "its answer broke off"),
    ((http.client.HTTPException, ProtocolError, InvalidHeader), "its answer is no proper HTTP"),
    ((HTTPError, requests.RequestException), "the connection failed"),
)


def _describe(links: list[BaseException], *, is_sent: bool) -> tuple[str, bool]:
    """Return the words for "... could not be reached: <words>.", and whether a retry may help."""
    for kind, words in _REASONS:
        for link in links:
            reason = isinstance(link, kind) and (words if isinstance(words, str) else words(link))
            if reason:
                refused = _TUNNEL_REFUSED.match(str(link))
                is_final = isinstance(link, ssl.SSLCertVerificationError) or (
                    refused is not None and refused[1].startswith("4")
                )
                return reason, not is_final
    # urllib3 raises a plain ValueError for a chunk whose length is below 0.
    if is_sent and any(type(link) is ValueError for link in links):
        return "its answer is no proper HTTP", False
    # An OSError without a number has no words of its own.
    return ("the connection failed" if any(isinstance(e, OSError) for e in links) else ""), True

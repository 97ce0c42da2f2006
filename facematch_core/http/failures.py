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

import attrs
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


@attrs.frozen(kw_only=True)
class Sending:
    """What an error says of a request."""

    #: Name of the backend.
    backend: str
    #: Our id of the call.
    call_id: str | None
    #: The statuses with which the call goes on.
    expects: frozenset[int]
    #: What such an answer costs.
    charges: int
    #: Whether the vendor can be asked later what became of the call.
    reconcilable: bool
    #: ``host:port`` of the proxy on the way; empty for none.
    proxy: str = ""


def explain(
    error: Exception,
    sending: Sending,
    exchange: Exchange,
    *,
    status_code: int | None = None,
    is_double: bool = False,
) -> errors.VendorError | None:
    """Return the error for an exception of the network; None for any other exception.

    Args:
        error: What was raised while the request was sent or the answer read.
        sending: The request.
        exchange: How far it had come.
        status_code: The status of the answer, if its head was read.
        is_double: Whether a test double raised it: then it counts whatever it is.
    """
    links = links_of(error)
    is_expired = exchange.has_expired(links)
    reason, is_retryable = _describe(links, is_sent=exchange.is_sent)
    if is_expired:
        is_share = not exchange.is_sent and exchange.deadline.share is not None
        reason = "the time for connecting ran out" if is_share else "the deadline ran out"
    if not reason and not is_double:
        return None
    reason = reason or f"it failed with {type(error).__name__}"
    about: dict[str, Any] = {
        "backend": sending.backend,
        "ids": Ids(call=sending.call_id),
        "status_code": status_code,
    }
    through = f" through the proxy {sending.proxy}" if sending.proxy else ""
    if not exchange.is_sent:
        return errors.VendorUnavailable(
            f"{sending.backend} could not be reached{through}: {reason}. Nothing of this request "
            "was sent.",
            # An impatient caller says nothing about the vendor, so no breaker may count it.
            retryable=is_retryable and not is_expired,
            billing=Billing(Charged.NO, "no byte of the request has left"),
            **about,
        )
    if isinstance(error, UnreadableBody) and status_code in sending.expects:
        answered = f"{sending.backend} answered {status_code}"
        return unreadable_error(answered, reason, accepted_billing(sending.charges), **about)
    message = (
        f"The request was sent to {sending.backend}{through}, but no usable answer came: {reason}."
    )
    if sending.charges:
        kept = KEPT if sending.reconcilable else NOT_KEPT
        message += f" It may have been executed and charged. {kept}."
    return (errors.DeadlineExceeded if is_expired else errors.OutcomeUnknown)(
        message,
        billing=Billing(Charged.UNKNOWN, "no complete answer after the first byte had left"),
        reconcilable=sending.reconcilable,
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


#: How `http.client` words a proxy's answer to CONNECT.
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_LOGIN = "; put the login into HTTPS_PROXY: http://user:password@host:port"


def _system_words(link: OSError) -> str:
    if refused := _TUNNEL_REFUSED.match(str(link)):
        return f"the proxy answers {refused[1]}{_LOGIN if refused[1] == '407' else ''}"
    return os.strerror(link.errno) if isinstance(link.errno, int) and link.errno > 0 else ""


#: From classes of exceptions to words about the peer. The first row that fits counts.
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
    # A plain OSError says nothing but that it is one.
    return ("the connection failed" if any(isinstance(e, OSError) for e in links) else ""), True

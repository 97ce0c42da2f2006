"""Words for why an exchange failed: ours and the system's, never those of an exception."""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import InvalidHeader, MaxRetryError, NewConnectionError, ProtocolError

from ._body import Unreadable
from ._exchange import AnswerTooLong

_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")


def links(error: BaseException) -> Iterator[BaseException]:
    """`error` and every exception behind it: causes, contexts, arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]


def reason(error: BaseException) -> str:
    """A few words about the peer, for "... could not be reached: <reason>."."""
    behind = list(links(error))
    for words in (_body, _tls, _name, _waiting, _closed, _system, _proxy, _framing):
        for link in behind:
            said = words(link)
            if said:
                return said
    return f"it failed with {type(error).__name__}"


def _tls(link: BaseException) -> str:
    if isinstance(link, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({link.verify_message})"
    if isinstance(link, ssl.SSLError):
        # Only those that come from OpenSSL have one.
        word = getattr(link, "reason", None)
        return f"TLS failed ({word})" if word else "TLS failed"
    return ""


def _name(link: BaseException) -> str:
    return "its name is not known" if isinstance(link, socket.gaierror) else ""


def _waiting(link: BaseException) -> str:
    late = isinstance(link, (TimeoutError, requests.Timeout))
    return "it took too long" if late else ""


def _closed(link: BaseException) -> str:
    if isinstance(link, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    return ""


def _system(link: BaseException) -> str:
    if isinstance(link, OSError) and isinstance(link.errno, int) and link.errno > 0:
        return os.strerror(link.errno)
    return ""


def _proxy(link: BaseException) -> str:
    if isinstance(link, OSError) and (match := _TUNNEL.match(str(link))):
        return f"the proxy answers {match[1]}"
    return ""


def _framing(link: BaseException) -> str:
    if isinstance(link, http.client.IncompleteRead):
        return "its answer broke off"
    if isinstance(link, (http.client.HTTPException, ProtocolError, InvalidHeader)):
        return "its answer broke off or is no proper HTTP"
    return ""


def _body(link: BaseException) -> str:
    if isinstance(link, AnswerTooLong):
        return "its answer does not end"
    return str(link) if isinstance(link, Unreadable) else ""


def records_hint(*, reconcilable: bool) -> str:
    """The sentence that tells whether a look at the vendor's records can help."""
    if reconcilable:
        return "The vendor was asked to keep the call: look for it in its records."
    return "The vendor was asked to keep nothing, so its records cannot tell."


def never_left(error: BaseException) -> bool:
    """Whether an exception of requests by itself tells that there was no connection.

    For transports that are not ours; everything else may have been sent.
    """
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    return any(isinstance(link, MaxRetryError) for link in links(error)) and any(
        isinstance(link, NewConnectionError) for link in links(error)
    )

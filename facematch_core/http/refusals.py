"""Errors for calls that return no result, and whether the vendor charged for the call.

A backend declares the vendor's documented error responses as rows (`error_table`, `error_codes`);
`default_row` covers all other responses. `vendor_error` creates the error of a row, with the
vendor's message (`excerpt`) and ``Retry-After`` (`retry_after_s`).

For a missing or unusable response, `explain` creates the error. If no byte of the request was sent,
nothing is charged and the error is `VendorUnavailable`. Otherwise it is `OutcomeUnknown`, or
`UnexpectedResponse` if only the body of an expected response is unusable. Network exceptions never
propagate, because they contain the key and faces; they only select the text.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

import attrs
import requests
from urllib3.exceptions import HTTPError, InvalidHeader, NameResolutionError, ProtocolError

from facematch_core import errors
from facematch_core.base.exceptions import links_of
from facematch_core.base.masking import masker, quote_text
from facematch_core.call import bill, ending
from facematch_core.models import Charged, ResultWarning

from .messages import BodyShape, HttpReply

#: Typed as `Any`, because the modules that define these classes import this one.
Exchange: TypeAlias = Any
HttpBackend: TypeAlias = Any


@attrs.frozen
class ErrorRow:
    """The error for one kind of response.

    Attributes:
        error: The error class to raise.
        charged: Whether the vendor charged.
        ground: A short reason for `charged`.
        text: The error text that follows "NAME answered STATUS: ".
        retryable: Whether a retry may help and cannot be charged twice; None for the default.
    """

    error: type[errors.VendorError]
    charged: Charged
    ground: str
    text: str
    retryable: bool | None = None


@attrs.frozen
class InconclusiveRow:
    """An error response that is treated as an INCONCLUSIVE result, for example "no face".

    Applies to 4xx responses, and to 2xx responses if the backend has `codes_in_200`.

    Attributes:
        warning: The warning, for example `NO_FACE`. Its tag defaults to the vendor's code.
        charged: Whether the vendor charged; UNKNOWN if not documented.
        ground: A short reason for `charged`.
    """

    warning: ResultWarning
    charged: Charged
    ground: str


#: Rows by status and body shape.
ErrorTable = Mapping[tuple[int, BodyShape], ErrorRow]


def rows(
    statuses: Iterable[int], row: ErrorRow, shapes: Iterable[BodyShape] = BodyShape
) -> dict[tuple[int, BodyShape], ErrorRow]:
    """Map several statuses to one row, for ``error_table = {**rows(...), **rows(...)}``."""
    kinds = tuple(shapes)
    return {(status, shape): row for status in statuses for shape in kinds}


def default_row(status: int, shape: BodyShape) -> ErrorRow:
    """Return the row for a response other than 200 that is not in the vendor's own tables.

    A status that rejects a call before processing (401, 413, 429 ...) is not charged. Any other 4xx
    is not charged if the body is a JSON object, the vendor's own format; another body may come from
    a gateway, so the charge is UNKNOWN. 301, 307 and 308 are not charged; 302 and 303 may redirect
    to the result, so they are UNKNOWN. Redirects are not followed. 408, 460, 499 and 5xx may come
    from a gateway that timed out, so they are UNKNOWN. Any other 2xx is charged. Doubtful cases are
    UNKNOWN, because "not charged" invites a retry.
    """
    is_vendors = 400 <= status < 500 and shape is BodyShape.JSON_OBJECT
    row = _BY_STATUS.get(status) or (_VENDORS_4XX if is_vendors else None)
    return row or _BY_CLASS.get(status // 100, _BY_CLASS[5])


def _unprocessed(error: type[errors.VendorError], text: str) -> ErrorRow:
    """Return the row for a response that rejects a call before processing."""
    return ErrorRow(error, Charged.NO, "a 4xx response; charges for it are not documented", text)


def _unknown_outcome(ground: str, text: str) -> ErrorRow:
    return ErrorRow(errors.OutcomeUnknown, Charged.UNKNOWN, ground, text)


#: Statuses that gateways return after a timeout.
_TIMEOUTS = (408, 460, 499)
_MAY = "the call may have been executed and charged"
_REDIRECT = "redirects are not followed; correct base_url"
_MOVED = ErrorRow(errors.RequestRejected, Charged.NO, "a redirect, so not executed", _REDIRECT)
_BY_STATUS = {
    **dict.fromkeys((301, 307, 308), _MOVED),
    **dict.fromkeys(
        (411, 414, 417, 421, 426, 428, 431),
        _unprocessed(errors.RequestRejected, "the request was rejected before processing"),
    ),
    **dict.fromkeys(
        _TIMEOUTS,
        _unknown_outcome("the server or a gateway timed out", f"the server timed out; {_MAY}"),
    ),
    401: _unprocessed(errors.AuthenticationFailed, "the key or token is not accepted"),
    402: _unprocessed(errors.InsufficientCredit, "the account has no credit"),
    403: _unprocessed(errors.PermissionDenied, "the key does not have this permission"),
    404: _unprocessed(errors.RequestRejected, "the URL does not exist; check base_url"),
    405: _unprocessed(errors.RequestRejected, "the URL rejects this method; check base_url"),
    407: _unprocessed(errors.RequestRejected, "a proxy requires a login; put it into HTTPS_PROXY"),
    413: _unprocessed(errors.RequestRejected, "the pictures are too large"),
    415: _unprocessed(errors.RequestRejected, "the format of the request is not supported"),
    429: _unprocessed(errors.RateLimited, "too many calls; wait before the next"),
}
_VENDORS_4XX = _unprocessed(errors.RequestRejected, "the request was rejected")
#: Rows by the first digit of the status.
_BY_CLASS = {
    1: _unknown_outcome("no final response", f"no final response came; {_MAY}"),
    2: ErrorRow(
        errors.UnexpectedResponse,
        Charged.YES,
        "a 2xx response counts as charged",
        "a response that this backend cannot read; please report it",
    ),
    3: _unknown_outcome("a redirect after the call", _REDIRECT),
    4: _unknown_outcome(
        "a 4xx response that is not in the vendor's own format",
        f"this is not the vendor's own format, so {_MAY}",
    ),
    5: _unknown_outcome("a 5xx response", _MAY),
}


def vendor_error(
    reply: HttpReply,
    table: ErrorTable,
    *,
    backend: str,
    now: datetime,
    row: ErrorRow | None = None,
    **more: Any,
) -> errors.VendorError:
    """Return the error for a reply, from `table` or else from `default_row`.

    Args:
        reply: A response without a result.
        table: The `error_table` of the backend.
        backend: Name of the backend.
        now: The current time, timezone-aware, for `VendorError.retry_after_s`.
        row: A row to use instead of looking up the status and body shape.
        **more: Further arguments for the error: ``ids``, ``field_errors``.
    """
    shape = reply.shape
    row = row or table.get((reply.status, shape)) or default_row(reply.status, shape)
    if reply.is_free and issubclass(row.error, errors.OutcomeUnknown):
        text = "an unusable response to a free request"
        may_help = reply.status >= 500 or reply.status in _TIMEOUTS
        row = ErrorRow(
            errors.VendorUnavailable, Charged.NO, bill.FREE_GROUND, text, retryable=may_help
        )
    message = f"{backend} answered {reply.status}: {row.text}."
    if shape is BodyShape.HTML:
        message += " The body is an HTML page: a proxy or a firewall may have answered."
    if words := excerpt(reply):
        message += f' It says: "{words.rstrip(".")}."'
    return row.error(
        message,
        backend=backend,
        billing=bill.stated(row.charged, row.ground),
        retryable=row.retryable,
        retry_after_s=retry_after_s(reply, now),
        status_code=reply.status,
        **more,
    )


def find_row(
    backend: HttpBackend, reply: HttpReply
) -> tuple[str | None, ErrorRow | InconclusiveRow | None]:
    """Return ``(code, row)``: the vendor's code in a reply, as text, and its row."""
    code = backend.error_code(reply) if reply.is_json else None
    return (None, None) if code is None else (str(code), backend.error_codes.get(str(code)))


def error_by_table(
    backend: HttpBackend, reply: HttpReply, row: object = None
) -> errors.VendorError:
    """Return the error for a reply, from `row` or the backend's `error_table`."""
    return vendor_error(
        reply,
        backend.error_table,
        backend=backend.name,
        now=backend.client.clock.now(),
        row=row if isinstance(row, ErrorRow) else None,
    )


def retry_after_s(reply: HttpReply, now: datetime | None = None) -> float | None:
    """Return the seconds to wait (0 to 1e9) from ``Retry-After`` or AWS's millisecond header.

    None if the header is missing or invalid. `now` is the timezone-aware current time, to evaluate
    a date in the header; by default it is read from the system clock.
    """
    text, unit_s = reply.headers.get("Retry-After", "").strip(), 1.0
    if not text:
        text, unit_s = reply.headers.get("x-amz-retry-after", "").strip(), 0.001
    try:
        if _NUMBER.fullmatch(text):
            seconds = float(text) * unit_s
        else:
            moment = parsedate_to_datetime(text)
            # A date without a timezone is UTC, like all dates in RFC 9110.
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(0.0, seconds), _LONGEST_WAIT_S)


_NUMBER = re.compile(r"-?[0-9]{1,4096}(\.[0-9]{0,9})?")
#: A longer wait means "never", and would overflow a clock.
_LONGEST_WAIT_S = 1e9

#: Keys under which vendors return error messages.
_NAMES = ("detail", "error", "message", "Message", "exception", "errorMessage", "error_description")


def excerpt(reply: HttpReply) -> str:
    """Return the vendor's error message: at most 200 printable characters, or "".

    It is the first text under a common key (``detail``, ``error``, ``message`` ...), outermost
    first. Only the first item of a list is searched. Secrets and probable keys are masked.
    """
    body = reply.at()
    places = [body] if isinstance(body, dict) else []
    for place in places:  # grows during the loop
        if isinstance(place, list):
            places += place[:1]
        elif isinstance(place, dict):
            for name in _NAMES:
                text = place.get(name)
                if isinstance(text, str) and text.strip():
                    return quote_text(text, masker(reply.secrets))
            places += place.values()
    return ""


class UnreadableBody(Exception):
    """The body is too long, or cannot be decompressed."""


def explain(error: BaseException, exchange: Exchange) -> errors.VendorError | None:
    """Return the `VendorError` for a network exception; None for any other exception."""
    if isinstance(error, errors.FaceMatchError) or not isinstance(error, Exception):
        return None
    links, name, status = links_of(error), exchange.backend, exchange.status
    is_sent, deadline = exchange.is_sent, exchange.deadline
    is_expired = (deadline if is_sent else deadline.send_by).is_over
    reason = _describe(links, is_sent=is_sent)
    if is_expired:
        is_share = not is_sent and deadline.share is not None
        reason = "the time for connecting ran out" if is_share else "the deadline ran out"
    if not reason:
        # Only a test double can respond without a connection.
        if exchange.connection is not None or not is_sent:
            return None
        reason = f"it failed with {type(error).__name__}"
    proxy = exchange.route and exchange.route.proxy
    through = f" through the proxy {proxy.netloc}" if proxy else ""
    if not is_sent:
        # An invalid certificate and a proxy's 4xx are permanent. An expired deadline does not
        # indicate a fault at the vendor, so circuit breakers must not count it.
        is_final = is_expired or any(
            isinstance(link, ssl.SSLCertVerificationError) or _proxy_status(link)[:1] == "4"
            for link in links
        )
        return errors.VendorUnavailable(
            f"{name} could not be reached{through}: {reason}. Nothing of this request was sent.",
            backend=name,
            retryable=not is_final,
            billing=bill.NO_BYTE_SENT,
        )
    if isinstance(error, UnreadableBody) and status in exchange.request.expects:
        billing = bill.accepted(exchange.charges)
        unreadable = ending.unreadable_response(name, status, reason, billing)
        unreadable.backend, unreadable.status_code = name, status
        return unreadable
    may = " It may have been executed and charged." if exchange.charges else ""
    return (errors.DeadlineExceeded if is_expired else errors.OutcomeUnknown)(
        f"The request was sent to {name}{through}, but no usable response came: {reason}.{may}",
        backend=name,
        billing=bill.NO_COMPLETE_RESPONSE,
        status_code=status or None,
    )


def _describe(links: list[BaseException], *, is_sent: bool) -> str:
    """Return a reason to show in an error message, or "" if the exception is our own bug."""
    for kind, words in _REASONS:
        for link in links:
            reason = isinstance(link, kind) and (words if isinstance(words, str) else words(link))
            if reason:
                return reason
    # urllib3 raises a plain ValueError for a negative chunk length.
    if is_sent and any(type(link) is ValueError for link in links):
        return "its response is not valid HTTP"
    # An OSError without an errno has no system message.
    return "the connection failed" if any(isinstance(link, OSError) for link in links) else ""


def _certificate_words(link: ssl.SSLCertVerificationError) -> str:
    advice = ""
    # OpenSSL's codes for an untrusted root certificate, usually a company's internal CA.
    if link.verify_code in {18, 19, 20, 21}:
        advice = (
            "; if a proxy of your company inspects TLS, set ca_bundle or REQUESTS_CA_BUNDLE to the "
            "file with the company's certificates"
        )
    return f"its certificate is invalid ({link.verify_message}){advice}"


def _tls_words(link: ssl.SSLError) -> str:
    # Only errors from OpenSSL itself have a reason.
    reason = getattr(link, "reason", None) or "handshake"
    advice = (
        "; the server or the proxy may expect http://" if reason == "WRONG_VERSION_NUMBER" else ""
    )
    return f"TLS failed ({reason}){advice}"


def _proxy_status(link: BaseException) -> str:
    """Return the status with which a proxy refused a tunnel, else ""."""
    refused = re.match("Tunnel connection failed: ([0-9]{3})", str(link))
    return refused[1] if refused else ""


def _system_words(link: OSError) -> str:
    if status := _proxy_status(link):
        login = "; put the login into HTTPS_PROXY: http://user:password@host:port"
        return f"the proxy answers {status}{login if status == '407' else ''}"
    return os.strerror(link.errno) if isinstance(link.errno, int) and link.errno > 0 else ""


#: Error texts by exception class. The first matching row applies.
_REASONS: tuple[tuple[Any, str | Callable[[Any], str]], ...] = (
    (UnreadableBody, str),
    (ssl.SSLCertVerificationError, _certificate_words),
    (ssl.SSLError, _tls_words),
    (socket.gaierror, "its host name was not found"),
    (NameResolutionError, "its host name could not be looked up in time"),
    ((TimeoutError, requests.Timeout), "it timed out"),
    (http.client.RemoteDisconnected, "it closed the connection without a response"),
    (OSError, _system_words),
    (http.client.IncompleteRead, "its response was cut off"),
    ((http.client.HTTPException, ProtocolError, InvalidHeader), "its response is not valid HTTP"),
    ((HTTPError, requests.RequestException), "the connection failed"),
)

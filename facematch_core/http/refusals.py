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
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import requests
from urllib3.exceptions import HTTPError, InvalidHeader, NameResolutionError, ProtocolError

from facematch_core import errors
from facematch_core.base.addresses import HINT_HEADER, MOCK_HEADER
from facematch_core.base.deadline import Clock
from facematch_core.base.exceptions import links_of
from facematch_core.base.masking import masker, quote_text
from facematch_core.call import bill, ending
from facematch_core.models import Charged, ResultWarning

from .messages import BodyShape, HttpReply

if TYPE_CHECKING:
    from .connections import Exchange


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
    body_shapes = tuple(shapes)
    table: dict[tuple[int, BodyShape], ErrorRow] = {}
    for status in statuses:
        for shape in body_shapes:
            table[status, shape] = row
    return table


def default_row(status: int, shape: BodyShape) -> ErrorRow:
    """Return the row for a response other than 200 that is not in the vendor's own tables.

    A status that rejects a call before processing (401, 413, 429 ...) is not charged. Any other 4xx
    is not charged if the body is a JSON object, the vendor's own format; another body may come from
    a gateway, so the charge is UNKNOWN. 301, 307 and 308 are not charged; 302 and 303 may redirect
    to the result, so they are UNKNOWN. Redirects are not followed. 408, 460, 499 and 5xx may come
    from a gateway that timed out, so they are UNKNOWN. Any other 2xx is charged. Doubtful cases are
    UNKNOWN, because "not charged" invites a retry.
    """
    row = _BY_STATUS.get(status)
    if row is not None:
        return row
    if 400 <= status < 500 and shape is BodyShape.JSON_OBJECT:
        return _VENDORS_4XX
    # A status above 599 counts as 5xx.
    return _BY_FIRST_DIGIT.get(status // 100, _BY_FIRST_DIGIT[5])


def _unprocessed(error: type[errors.VendorError], text: str) -> ErrorRow:
    """Return the row for a response that rejects a call before processing."""
    return ErrorRow(error, Charged.NO, "a 4xx response; charges for it are not documented", text)


def _unknown_outcome(ground: str, text: str) -> ErrorRow:
    return ErrorRow(errors.OutcomeUnknown, Charged.UNKNOWN, ground, text)


#: Statuses that gateways return after a timeout.
_TIMEOUTS = (408, 460, 499)
_MAY_BE_CHARGED = "the call may have been executed and charged"
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
        _unknown_outcome(
            "the server or a gateway timed out", f"the server timed out; {_MAY_BE_CHARGED}"
        ),
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
_FOREIGN = "the body is not in the vendor's own format, so a gateway may have answered"
_FOREIGN_404 = _unprocessed(
    errors.RequestRejected, f"the URL does not exist, check base_url; {_FOREIGN}"
)
#: Refusals that gateways and firewalls return, too, and that a vendor's own rows may give another
#: meaning, such as "no such session".
_BY_FOREIGN_STATUS = {
    401: _unprocessed(errors.AuthenticationFailed, f"a login was refused; {_FOREIGN}"),
    403: _unprocessed(errors.PermissionDenied, f"the request was refused; {_FOREIGN}"),
    404: _FOREIGN_404,
    410: _FOREIGN_404,
    429: _unprocessed(errors.RateLimited, f"too many calls, wait before the next; {_FOREIGN}"),
}
_BY_FIRST_DIGIT = {
    1: _unknown_outcome("no final response", f"no final response came; {_MAY_BE_CHARGED}"),
    2: ErrorRow(
        errors.UnexpectedResponse,
        Charged.YES,
        "a 2xx response counts as charged",
        "a response that this backend cannot read; please report it",
    ),
    3: _unknown_outcome("a redirect after the call", _REDIRECT),
    4: _unknown_outcome(
        "a 4xx response that is not in the vendor's own format",
        f"this is not the vendor's own format, so {_MAY_BE_CHARGED}",
    ),
    5: _unknown_outcome("a 5xx response", _MAY_BE_CHARGED),
}


def vendor_error(
    reply: HttpReply,
    table: ErrorTable,
    *,
    backend: str,
    now: datetime,
    row: ErrorRow | None = None,
    **fields: Any,
) -> errors.VendorError:
    """Return the error for a reply, from `table` or else from `default_row`.

    Args:
        reply: A response without a result.
        table: The `error_table` of the backend.
        backend: Name of the backend.
        now: The current time, timezone-aware, for `VendorError.retry_after_s`.
        row: A row to use instead of looking up the status and body shape.
        **fields: Further arguments for the error: ``ids``, ``field_errors``.
    """
    shape = reply.shape
    if row is None:
        row = table.get((reply.status, shape)) or default_row(reply.status, shape)
    if reply.is_free and issubclass(row.error, errors.OutcomeUnknown):
        row = ErrorRow(
            errors.VendorUnavailable,
            Charged.NO,
            bill.FREE_GROUND,
            "an unusable response to a free request",
            retryable=reply.status >= 500 or reply.status in _TIMEOUTS,
        )
    message = f"{backend} answered {reply.status}: {row.text}."
    if shape is BodyShape.HTML and row not in _BY_FOREIGN_STATUS.values():
        message += " The body is an HTML page: a proxy or a firewall may have answered."
    vendors_message = excerpt(reply).rstrip(".")
    if vendors_message:
        message += f' It says: "{vendors_message}."'
    hint = reply.headers.get(HINT_HEADER)
    if hint is not None and MOCK_HEADER in reply.headers:
        message += f' The mock adds: "{quote_text(hint, masker(reply.secrets))}."'
    return row.error(
        message,
        backend=backend,
        billing=bill.stated(row.charged, row.ground),
        retryable=row.retryable,
        retry_after_s=retry_after_s(reply, now),
        status_code=reply.status,
        **fields,
    )


@attrs.frozen
class FoundCode:
    """The vendor's code in a reply.

    Attributes:
        code: The code as text; None if the reply has none.
        row: Its row in the backend's `error_codes`, or None.
    """

    code: str | None = None
    row: ErrorRow | InconclusiveRow | None = None


#: For a reply without a code.
NO_CODE = FoundCode()


class HasClock(Protocol):
    """The client of a backend, of which errors need the clock."""

    clock: Clock


class ErrorReader(Protocol):
    """An `HttpBackend`, as far as errors are read with it."""

    @property
    def name(self) -> str: ...
    @property
    def client(self) -> HasClock: ...
    @property
    def error_table(self) -> ErrorTable: ...
    @property
    def error_codes(self) -> Mapping[str, ErrorRow | InconclusiveRow]: ...
    def error_code(self, reply: HttpReply) -> object: ...
    def is_own_error(self, reply: HttpReply) -> bool: ...
    def error(self, reply: HttpReply, request: Any) -> errors.VendorError: ...


def find_code(backend: ErrorReader, reply: HttpReply) -> FoundCode:
    """Return the vendor's code in a reply, and its row."""
    if not reply.is_json:
        return NO_CODE
    code = backend.error_code(reply)
    if code is None:
        return NO_CODE
    return FoundCode(str(code), backend.error_codes.get(str(code)))


def error_by_table(
    backend: ErrorReader, reply: HttpReply, found: FoundCode = NO_CODE
) -> errors.VendorError:
    """Return the error for a reply, from the row of its code or the backend's `error_table`."""
    error = vendor_error(
        reply,
        backend.error_table,
        backend=backend.name,
        now=backend.client.clock.now(),
        # An `InconclusiveRow` stands for a result, so it has no error.
        row=found.row if isinstance(found.row, ErrorRow) else None,
    )
    if found.code and found.row is None:
        code = quote_text(found.code, masker(reply.secrets))
        ending.add_to_message(error, f' Its code is "{code}".')
    return error


def error_of_reply(backend: ErrorReader, reply: HttpReply, request: Any) -> errors.VendorError:
    """Return the error for an error reply, as `HttpBackend.error` reads it.

    A 401, 403, 404, 410 or 429 whose body is not the vendor's own (`HttpBackend.is_own_error`) says
    nothing about a session, a key or the credit at the vendor, so the backend is not asked.
    """
    row = _BY_FOREIGN_STATUS.get(reply.status)
    if row is None or backend.is_own_error(reply):
        return backend.error(reply, request)
    return vendor_error(reply, {}, backend=backend.name, now=backend.client.clock.now(), row=row)


def retry_after_s(reply: HttpReply, now: datetime | None = None) -> float | None:
    """Return the seconds to wait (0 to 1e9) from ``Retry-After``.

    None if the header is missing or invalid, 0 for a negative number or a past date. `now` is the
    timezone-aware current time, to evaluate a date in the header; by default it is read from the
    system clock.
    """
    text = reply.headers.get("Retry-After", "").strip()
    if _SIGNED_NUMBER.fullmatch(text):
        seconds = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
            if moment.tzinfo is None:
                # A date without a timezone is UTC, like all dates in RFC 9110.
                moment = moment.replace(tzinfo=UTC)
            seconds = (moment - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(0.0, seconds), _LONGEST_WAIT_S)


_SIGNED_NUMBER = re.compile(r"-?[0-9]{1,4096}(\.[0-9]{0,9})?")
#: A longer wait means "never", and would overflow a clock.
_LONGEST_WAIT_S = 1e9

#: Keys under which vendors return error messages. The first key wins.
_MESSAGE_KEYS = (
    "detail",
    "error",
    "message",
    "Message",
    "exception",
    "errorMessage",
    "error_description",
    "error_message",
    "error_msg",
    "details",
    "title",
    "description",
)


def excerpt(reply: HttpReply) -> str:
    """Return the vendor's error message: at most 200 printable characters, or "".

    It is the first text under a common key (``detail``, ``error``, ``message`` ...), outermost
    first. Only the first item of a list is searched. Secrets and probable keys are masked.
    """
    body = reply.at()
    if not isinstance(body, dict):
        return ""
    parts: list[Any] = [body]
    for part in parts:  # grows during the loop: the parts inside a part follow it
        if isinstance(part, list):
            parts.extend(part[:1])
        elif isinstance(part, dict):
            message = _find_message(part)
            if message is not None:
                return quote_text(message, masker(reply.secrets))
            parts.extend(part.values())
    return ""


def _find_message(part: Mapping[str, Any]) -> str | None:
    """Return the text under the first of `_MESSAGE_KEYS` that has one, or None."""
    for key in _MESSAGE_KEYS:
        text = part.get(key)
        if isinstance(text, str) and text.strip():
            return text
    return None


class UnreadableBody(Exception):
    """The body is too long, or cannot be decompressed."""


def explain(error: BaseException, exchange: Exchange) -> errors.VendorError | None:
    """Return the `VendorError` for a network exception; None for any other exception."""
    if isinstance(error, errors.FaceMatchError) or not isinstance(error, Exception):
        return None
    links = links_of(error)
    if not exchange.is_sent:
        return _explain_unsent(links, exchange)
    if isinstance(error, UnreadableBody) and exchange.status in exchange.request.expects:
        return _explain_unreadable(error, exchange)
    return _explain_lost(links, exchange)


def _explain_unsent(
    links: list[BaseException], exchange: Exchange
) -> errors.VendorUnavailable | None:
    """Return the error for a request of which no byte was sent; None for a bug of ours."""
    deadline = exchange.deadline
    is_expired = deadline.send_by.is_over
    reason = _describe(links)
    # `share` is the part of the deadline after which a failover asks its next member.
    if is_expired and deadline.share is not None:
        reason = "the time for connecting ran out"
    elif is_expired:
        reason = "the deadline ran out"
    if not reason:
        return None
    # After the deadline, a retry would not be sent either.
    is_final = is_expired or any(_is_permanent(link) for link in links)
    return errors.VendorUnavailable(
        f"{exchange.backend} could not be reached{_proxy_note(exchange)}: {reason}. Nothing of "
        "this request was sent.",
        backend=exchange.backend,
        retryable=not is_final,
        billing=bill.NO_BYTE_SENT,
    )


def _explain_unreadable(error: UnreadableBody, exchange: Exchange) -> errors.UnexpectedResponse:
    """Return the error for an expected response with an unusable body."""
    reason = "the deadline ran out" if exchange.deadline.is_over else str(error)
    unreadable = ending.unreadable_response(
        exchange.backend, exchange.status, reason, bill.accepted(exchange.charges)
    )
    unreadable.backend = exchange.backend
    unreadable.status_code = exchange.status
    return unreadable


def _explain_lost(links: list[BaseException], exchange: Exchange) -> errors.OutcomeUnknown | None:
    """Return the error for a sent request without a usable response; None for a bug of ours."""
    error_type = errors.OutcomeUnknown
    reason = _describe(links)
    if exchange.deadline.is_over:
        error_type = errors.DeadlineExceeded
        reason = "the deadline ran out"
    if not reason:
        # Only a test double can respond without a connection, and it may raise anything.
        if exchange.connection is not None:
            return None
        reason = f"it failed with {type(links[0]).__name__}"
    message = (
        f"The request was sent to {exchange.backend}{_proxy_note(exchange)}, but no usable "
        f"response came: {reason}."
    )
    if exchange.charges:
        message += " It may have been executed and charged."
    else:
        message += " Such a request is free."
    return error_type(
        message,
        backend=exchange.backend,
        billing=bill.NO_COMPLETE_RESPONSE,
        status_code=exchange.status or None,
    )


def _proxy_note(exchange: Exchange) -> str:
    """Return " through the proxy HOST", to follow the vendor's name; "" without a proxy."""
    if exchange.pool is None or exchange.pool.proxy is None:
        return ""
    return f" through the proxy {exchange.pool.proxy.netloc}"


def _is_permanent(link: BaseException) -> bool:
    """Return whether a connection fails in the same way again: by its certificate, or its proxy."""
    return isinstance(link, ssl.SSLCertVerificationError) or _proxy_status(link).startswith("4")


def _describe(links: list[BaseException]) -> str:
    """Return a reason to show in an error message, or "" if the exception is our own bug."""
    for reason in _REASONS:
        for link in links:
            if isinstance(link, reason.error_type):
                text = reason.describe(link)
                if text:
                    return text
    # An OSError without an errno has no system message.
    if any(isinstance(link, OSError) for link in links):
        return "the connection failed"
    return ""


def _describe_certificate(link: ssl.SSLCertVerificationError) -> str:
    reason = f"its certificate is invalid ({link.verify_message})"
    # OpenSSL's codes for an untrusted root certificate, usually a company's internal CA.
    if link.verify_code in {18, 19, 20, 21}:
        reason += (
            "; if a proxy of your company inspects TLS, set ca_bundle or REQUESTS_CA_BUNDLE to the "
            "file with the company's certificates"
        )
    return reason


def _describe_tls_error(link: ssl.SSLError) -> str:
    # Only errors from OpenSSL itself have a reason.
    reason = getattr(link, "reason", None) or "handshake"
    if reason == "WRONG_VERSION_NUMBER":
        return f"TLS failed ({reason}); the server or the proxy may expect http://"
    return f"TLS failed ({reason})"


def _proxy_status(link: BaseException) -> str:
    """Return the status with which a proxy refused a tunnel, else ""."""
    refused = re.match("Tunnel connection failed: ([0-9]{3})", str(link))
    return refused[1] if refused else ""


def _describe_system_error(link: OSError) -> str:
    """Return the text for an OSError; "" if it has neither a proxy's status nor an errno."""
    status = _proxy_status(link)
    if status == "407":
        return (
            "the proxy answers 407; put the login into HTTPS_PROXY: http://user:password@host:port"
        )
    if status:
        return f"the proxy answers {status}"
    if isinstance(link.errno, int) and link.errno > 0:
        return os.strerror(link.errno)
    return ""


@attrs.frozen
class _Reason:
    """How the exceptions of a class, or of several, are described."""

    error_type: Any
    #: Used if there is no `describe_error`.
    text: str = ""
    describe_error: Callable[[Any], str] | None = None

    def describe(self, error: BaseException) -> str:
        """Return the reason to show, or "" if the exception says nothing."""
        return self.text if self.describe_error is None else self.describe_error(error)


#: The first row that describes one of the exceptions in a chain applies.
_REASONS = (
    _Reason(UnreadableBody, describe_error=str),
    _Reason(ssl.SSLCertVerificationError, describe_error=_describe_certificate),
    _Reason(ssl.SSLError, describe_error=_describe_tls_error),
    _Reason(socket.gaierror, "its host name was not found"),
    _Reason(NameResolutionError, "its host name could not be looked up in time"),
    _Reason((TimeoutError, requests.Timeout), "it timed out"),
    _Reason(http.client.RemoteDisconnected, "it closed the connection without a response"),
    _Reason(OSError, describe_error=_describe_system_error),
    _Reason(http.client.IncompleteRead, "its response was cut off"),
    _Reason(
        (http.client.HTTPException, ProtocolError, InvalidHeader), "its response is not valid HTTP"
    ),
    _Reason((HTTPError, requests.RequestException), "the connection failed"),
)

"""What an answer means that is no result, by a table of status and body, and what a call costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import attrs

from facematch_core import errors
from facematch_core.base.masking import masker, quote_text
from facematch_core.models import Billing, Charged, ResultWarning

from .messages import BodyShape, HttpReply

#: Why an outcome that nobody knows is not simply repeated, and what can be done about it.
KEPT = "The vendor was asked to keep the call: look for it in its records"
NOT_KEPT = (
    "It is not repeated, for that might be charged twice. The vendor was asked to keep "
    "nothing, so its records cannot say what happened"
)


#: The bill of an answer that says nothing of money.
SILENT = Billing()
#: The bill of a request without a price, whatever became of it.
_FREE_GROUND = "nothing is charged for this request"
FREE_BILLING = Billing(Charged.NO, _FREE_GROUND)


@attrs.frozen
class ErrorRow:
    """What one kind of answer means.

    Attributes:
        error: The class to raise.
        charged: Whether the vendor charged.
        ground: Why we say so, in a few words.
        text: What it means for the reader, after "NAME answered STATUS: ".
        retryable: Whether a repeat is certain not to pay twice and may help; None for the usual of
            the class.
    """

    error: type[errors.VendorError]
    charged: Charged
    ground: str
    text: str
    retryable: bool | None = None


@attrs.frozen
class InconclusiveRow:
    """What a refusal means that is an answer about the faces: there was nothing to compare.

    It becomes a result, INCONCLUSIVE and with this warning, if its status is a 4xx, or a 2xx where
    the backend has `codes_in_200`.

    Attributes:
        warning: `NO_FACE`, say. The vendor's code becomes its tag, unless it has one.
        charged: Whether the vendor charged; UNKNOWN where no document says so.
        ground: Why we say so, in a few words.
    """

    warning: ResultWarning
    charged: Charged
    ground: str


#: From (status, shape of the body) to its meaning.
ErrorTable = Mapping[tuple[int, BodyShape], ErrorRow]


def rows(
    statuses: Iterable[int], row: ErrorRow, shapes: Iterable[BodyShape] = BodyShape
) -> dict[tuple[int, BodyShape], ErrorRow]:
    """The same row for many answers: ``error_table = {**rows(...), **rows(...)}``."""
    kinds = tuple(shapes)
    return {(status, shape): row for status in statuses for shape in kinds}


def default_row(status: int, shape: BodyShape) -> ErrorRow:
    """What an answer other than 200 means, for a vendor that says nothing of its own.

    What decides is who may have spoken, and how far the call had come by then. When in doubt it is
    UNKNOWN: an error that says "not charged" invites a repeat.

    - A refusal by its very status (401, 413, 429 ...) is given before any work, by the vendor or
      by a gateway, whatever its body: not charged.
    - Any other 4xx speaks of the vendor's own checks only if it is a JSON object: not charged. As
      markup, empty or in another form it is some gateway's: not known.
    - 301, 307 and 308 say "ask elsewhere": not charged. 302 and 303 are also how a server says
      "done, look there": not known. None is followed: key and faces would go to an address that
      nobody set.
    - 408, 460 and 499 are a gateway's words for a call that was given up half way; 5xx, 1xx and
      what is no status at all say nothing certain. Not known.
    - Another 2xx than 200 is success of a kind that we cannot read: charged.
    """
    if status in _REFUSALS:
        error, text = _REFUSALS[status]
        return ErrorRow(error, Charged.NO, _4XX, text)
    if status in (301, 307, 308):
        return ErrorRow(
            errors.RequestRejected, Charged.NO, "a redirect; not executed here", _REDIRECT
        )
    if 200 <= status < 300:
        text = "success in a form that this backend does not know; please report it"
        return ErrorRow(
            errors.UnexpectedResponse, Charged.YES, "a 2xx answer is taken as charged", text
        )
    may = "the call may have been executed and charged"
    if status in _GIVEN_UP:
        ground = "given up half way by the server or a gateway"
        text = f"it gave up waiting; {may}"
    elif 400 <= status < 500 and shape is BodyShape.JSON_OBJECT:
        return ErrorRow(errors.RequestRejected, Charged.NO, _4XX, "the request was rejected")
    elif 400 <= status < 500:
        ground = "a 4xx answer that is not in the vendor's own form"
        text = f"this is not the vendor's own form, so {may}"
    elif 300 <= status < 400:
        ground, text = "a redirect after the call", _REDIRECT
    elif status < 200:
        ground, text = "no final answer", f"no final answer came; {may}"
    else:
        ground, text = "a 5xx answer", "it may have executed and charged the call"
    return ErrorRow(errors.OutcomeUnknown, Charged.UNKNOWN, ground, text)


#: A gateway's words for a call that was given up half way.
_GIVEN_UP = (408, 460, 499)
_4XX = "a 4xx answer; the vendor says nothing of charging"
_REDIRECT = "redirects are never followed; correct the address (base_url)"
_REFUSALS: dict[int, tuple[type[errors.VendorError], str]] = {
    401: (errors.AuthenticationFailed, "the key or token is not accepted"),
    402: (errors.InsufficientCredit, "the account has no credit"),
    403: (errors.PermissionDenied, "the key may not do this"),
    404: (errors.RequestRejected, "there is nothing at this address; check base_url"),
    405: (errors.RequestRejected, "the address does not accept this method; check base_url"),
    407: (errors.RequestRejected, "a proxy asks for a login; put it into the proxy setting"),
    413: (errors.RequestRejected, "the pictures are too large"),
    415: (errors.RequestRejected, "the form of the request is not accepted"),
    429: (errors.RateLimited, "too many calls; wait before the next"),
    **dict.fromkeys(
        (411, 414, 417, 421, 426, 428, 431),
        (errors.RequestRejected, "the request was rejected unread"),
    ),
}


def vendor_error(
    reply: HttpReply,
    table: ErrorTable,
    *,
    backend: str,
    now: datetime,
    reconcilable: bool = False,
    is_free: bool = False,
    row: ErrorRow | None = None,
    **more: Any,
) -> errors.VendorError:
    """The error for `reply`: by `table`, and by `default_row` for what is not in it.

    Args:
        reply: An answer that gives no result.
        table: The vendor's own rows.
        backend: Name of the backend.
        now: Time of day, with its zone, for `VendorError.retry_after_s`.
        reconcilable: Whether the vendor can be asked later what became of the call.
        is_free: Whether the request has no price, so that it may be asked again.
        row: What it means, where something else than status and shape decided that.
        **more: Further arguments of the error: ``ids``, ``field_errors``.
    """
    shape = reply.shape
    row = row or table.get((reply.status, shape)) or default_row(reply.status, shape)
    if is_free and issubclass(row.error, errors.OutcomeUnknown):
        text = "no answer that can be used, to a request that is free"
        may_help = reply.status >= 500 or reply.status in _GIVEN_UP
        row = ErrorRow(errors.VendorUnavailable, Charged.NO, _FREE_GROUND, text, retryable=may_help)
    message = f"{backend} answered {reply.status}: {row.text}."
    if words := excerpt(reply):
        message += f' It says: "{words}".'
    if issubclass(row.error, errors.OutcomeUnknown):
        message += f" {KEPT if reconcilable else NOT_KEPT}."
        more["reconcilable"] = reconcilable
    return row.error(
        message,
        backend=backend,
        billing=Billing(row.charged, row.ground),
        retryable=row.retryable,
        retry_after_s=retry_after_s(reply, now),
        status_code=reply.status,
        **more,
    )


def retry_after_s(reply: HttpReply, now: datetime | None = None) -> float | None:
    """Seconds to wait by the header ``Retry-After``, or AWS's in milliseconds: from 0 to 1e9.

    Args:
        reply: Any reply.
        now: Time of day, with its zone, for the form that is a date; None for the machine's.

    Returns:
        None if there is no such header or it makes no sense.
    """
    text = reply.headers.get("Retry-After", "").strip()
    unit_s = 1.0
    if not text:
        text, unit_s = reply.headers.get("x-amz-retry-after", "").strip(), 0.001
    if _NUMBER.fullmatch(text):
        seconds = float(text) * unit_s
    else:
        try:
            moment = parsedate_to_datetime(text)
            # A date without a zone is UTC, as RFC 9110 has all dates.
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(0.0, seconds), _LONGEST_WAIT_S)


_NUMBER = re.compile(r"-?[0-9]{1,4096}(\.[0-9]{0,9})?")
#: What is longer means "never", and would be too much for a clock.
_LONGEST_WAIT_S = 1e9

#: What vendors call a sentence for people.
_NAMES = ("detail", "error", "message", "Message", "exception", "errorMessage", "error_description")
#: After so many values a body has no sentence about the call.
_MOST_PLACES = 100


def excerpt(reply: HttpReply) -> str:
    """What the vendor says to people, fit for an error message: ``Response.Error.Message``, say.

    It is the first text that is called ``detail``, ``error``, ``message``, ``Message``,
    ``exception``, ``errorMessage`` or ``error_description``, in the body or as deep in it as it
    takes, the outermost first; of a list only its first item is looked at.

    Returns:
        Up to 200 printable characters, the request's secrets and anything that looks like a key
        masked; empty if the body is no JSON object or none of them is text.
    """
    body = reply.at()
    places = [body] if isinstance(body, dict) else []
    for place in places:  # which grows meanwhile
        if isinstance(place, list):
            places += place[:1]
        elif isinstance(place, dict):
            for name in _NAMES:
                text = place.get(name)
                if isinstance(text, str) and text.strip():
                    return quote_text(text, masker(reply.secrets))
            places += place.values()
        if len(places) > _MOST_PLACES:
            break
    return ""

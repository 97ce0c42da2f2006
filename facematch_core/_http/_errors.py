"""What an answer other than 200 means, for every status and every kind of body: data, not code.

What decides is who may have spoken, and how far the call had come by then. When in doubt it is
UNKNOWN: an error that says "not charged" invites a repeat.

- A refusal by its very status (401, 413, 429 ...) is given before any work, by the vendor or by a
  gateway before it, so its body does not matter: not charged.
- Any other 4xx speaks of the vendor's own checks only if it comes in the vendor's own words, a JSON
  object. The same status as a page of markup, empty or in another form is some gateway's, and what
  became of the call behind it is not known.
- 301, 307 and 308 say "ask elsewhere": not executed. 302 and 303 are also how a server says "done,
  look there": not known. None is followed: key and faces would go to an address that nobody set.
- 408, 460 and 499 are a gateway's words for a call that was given up half way; 5xx and 1xx say
  nothing certain. Not known.
- Another 2xx than 200 is success of a kind that we cannot read: charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from facematch_core import Billing
from facematch_core.errors import (
    AuthenticationFailed,
    InsufficientCredit,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    UnexpectedResponse,
    VendorError,
)
from facematch_core.models import Charged

from ._messages import BodyShape, HttpReply, retry_after_s
from ._reasons import records_hint
from ._words import excerpt


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

    error: type[VendorError]
    charged: Charged
    ground: str
    text: str
    retryable: bool | None = None


#: From (status, shape of the body) to its meaning.
ErrorTable = Mapping[tuple[int, BodyShape], ErrorRow]


def rows(
    statuses: Iterable[int], row: ErrorRow, shapes: Iterable[BodyShape] = BodyShape
) -> dict[tuple[int, BodyShape], ErrorRow]:
    """The same row for many answers; lay it over a table: ``{**DEFAULT_ERRORS, **rows(...)}``."""
    kinds = tuple(shapes)
    return {(status, shape): row for status in statuses for shape in kinds}


_4XX = "a 4xx answer; the vendor says nothing of charging"
_REDIRECT = "redirects are never followed; correct the address (base_url)"


def _refusal(text: str, error: type[VendorError] = RequestRejected) -> ErrorRow:
    return ErrorRow(error, Charged.NO, _4XX, text)


_UNKNOWN_5XX = ErrorRow(
    OutcomeUnknown, Charged.UNKNOWN, "a 5xx answer", "it may have executed and charged the call"
)

_BY_CLASS: ErrorTable = {
    **rows(
        range(100, 200),
        ErrorRow(
            OutcomeUnknown,
            Charged.UNKNOWN,
            "no final answer",
            "no final answer came; the call may have been executed and charged",
        ),
    ),
    **rows(
        range(200, 300),
        ErrorRow(
            UnexpectedResponse,
            Charged.YES,
            "a 2xx answer is taken as charged",
            "success in a form that this backend does not know; please report it",
        ),
    ),
    **rows(
        range(300, 400),
        ErrorRow(OutcomeUnknown, Charged.UNKNOWN, "a redirect after the call", _REDIRECT),
    ),
    **rows(
        range(400, 500),
        ErrorRow(
            OutcomeUnknown,
            Charged.UNKNOWN,
            "a 4xx answer that is not in the vendor's own form",
            "this is not the vendor's own form, so the call may have been executed and charged",
        ),
    ),
    **rows(range(500, 600), _UNKNOWN_5XX),
}

#: In the vendor's own words: a JSON object.
_OWN_WORDS: ErrorTable = rows(
    range(400, 500), _refusal("the request was rejected"), [BodyShape.JSON_OBJECT]
)

_WHATEVER_THE_BODY: ErrorTable = {
    **rows(
        (301, 307, 308),
        ErrorRow(RequestRejected, Charged.NO, "a redirect; not executed here", _REDIRECT),
    ),
    **rows((401,), _refusal("the key or token is not accepted", AuthenticationFailed)),
    **rows((402,), _refusal("the account has no credit", InsufficientCredit)),
    **rows((403,), _refusal("the key may not do this", PermissionDenied)),
    **rows((404,), _refusal("there is nothing at this address; check base_url")),
    **rows((405,), _refusal("the address does not take this method; check base_url")),
    **rows((407,), _refusal("a proxy on the way asks for a login; put it into the proxy setting")),
    **rows((413,), _refusal("the pictures are too large")),
    **rows((415,), _refusal("the form of the request is not accepted")),
    **rows((411, 414, 417, 421, 426, 428, 431), _refusal("the request was rejected unread")),
    **rows((429,), _refusal("too many calls; wait before the next", RateLimited)),
    **rows(
        (408, 460, 499),
        ErrorRow(
            OutcomeUnknown,
            Charged.UNKNOWN,
            "given up half way by the server or a gateway",
            "it gave up waiting; the call may have been executed and charged",
        ),
    ),
}

#: The whole table for a vendor that says nothing of its own: statuses 100-599, every shape.
DEFAULT_ERRORS: ErrorTable = MappingProxyType({**_BY_CLASS, **_OWN_WORDS, **_WHATEVER_THE_BODY})


def vendor_error(
    reply: HttpReply,
    table: ErrorTable,
    *,
    backend: str,
    now: datetime,
    reconcilable: bool = False,
    **more: Any,
) -> VendorError:
    """The error that `table` has for `reply`.

    Args:
        reply: An answer that gives no result.
        table: Total for 100-599; a status beyond is treated as 500.
        backend: Name of the backend.
        now: Time of day, with its zone, for `RateLimited.retry_after_s`.
        reconcilable: Whether the vendor was asked to keep the call.
        **more: Further arguments of the error: ``ids``, ``field_errors``.
    """
    row = table.get((reply.status, reply.shape), _UNKNOWN_5XX)
    said = excerpt(reply)
    message = f"{backend} answered {reply.status}: {row.text}."
    if said:
        message += f' It says: "{said}".'
    if issubclass(row.error, OutcomeUnknown):
        message += f" {records_hint(reconcilable=reconcilable)}"
        more["reconcilable"] = reconcilable
    if issubclass(row.error, RateLimited):
        more["retry_after_s"] = retry_after_s(reply, now)
    return row.error(
        message,
        backend=backend,
        billing=Billing(row.charged, row.ground),
        retryable=row.retryable,
        status_code=reply.status,
        **more,
    )

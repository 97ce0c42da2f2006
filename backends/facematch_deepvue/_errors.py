"""What Deepvue's answers other than 200 mean, and the error in a 200.

Deepvue's pages and its callers know three forms of an error (Deepvue docs, /errors and
/response-format, read 2026-11-20):

- ``{"detail": text}``, or a list of ``{"loc": [...], "msg": text}`` with a 422;
- the envelope of a success, with `transaction_id`, `sub_code` and `message`;
- a 200 that hides a failure: another `sub_code`, `data.error_code`, or no data.

Deepvue does not say what it charges for. A refusal in its own words (4xx) is taken as free, as in
the core's `default_row`; after a 5xx of any kind nobody knows. Whatever is no JSON object is
some gateway's.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from facematch_core import Billing, Charged
from facematch_core.errors import (
    DeadlineExceeded,
    OutcomeUnknown,
    RequestRejected,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import (
    BodyShape,
    ErrorRow,
    ErrorTable,
    HttpReply,
    default_row,
    rows,
    vendor_error,
)

from ._repeating import masked, masked_fields, transaction_id
from ._words import ABOUT_CREDENTIALS, NAME, NOT_A_FACE_CALL


class NoVerdict(UnexpectedResponse):
    """An answer 200 of Deepvue's that reports no success. Counts as charged.

    Attributes:
        sub_code: Deepvue's word for what became of the call; None if it has none.
        error_code: That in ``data``, as text; None if it has none.
    """

    carried = (*UnexpectedResponse.carried, "sub_code", "error_code")

    def __init__(
        self,
        message: str,
        *,
        sub_code: str | None = None,
        error_code: str | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(message, **rest)
        self.sub_code = sub_code
        self.error_code = error_code


class Speaks(enum.Enum):
    """What an answer speaks of, as far as its text is one that the pages know."""

    CREDENTIALS = enum.auto()
    OTHERS = enum.auto()


_OBJECT = (BodyShape.JSON_OBJECT,)
_REFUSED = default_row(401, BodyShape.JSON_OBJECT)
_NOWHERE = attrs.evolve(
    default_row(404, BodyShape.JSON_OBJECT),
    text="there is nothing of this kind at this address; check base_url and api_version",
)

_FACE_CALLS: ErrorTable = rows([404, 405], _NOWHERE)

#: What differs from the core's `default_row`, for each of the two.
TABLES: Mapping[Speaks, ErrorTable] = MappingProxyType(
    {
        Speaks.CREDENTIALS: {**_FACE_CALLS, **rows([400, 403], _REFUSED, _OBJECT)},
        Speaks.OTHERS: _FACE_CALLS,
    }
)


def row_of(status: int, shape: BodyShape, speaks: Speaks, *, free: bool = False) -> ErrorRow:
    """What an answer other than 200 means.

    Args:
        status: Its status.
        shape: The kind of its body.
        speaks: What it speaks of.
        free: Whether it answers a login or a look at the balance, which charge and change nothing.
    """
    if free and 300 <= status < 400:
        # Nothing is lost that was paid for, so any redirect is a wrong address, and no outage.
        status = 307
    row = TABLES[speaks].get((status, shape)) or default_row(status, shape)
    if not free:
        return row
    if issubclass(row.error, OutcomeUnknown):
        text = "no answer that can be used"
        return ErrorRow(VendorUnavailable, Charged.NO, NOT_A_FACE_CALL, text)
    return attrs.evolve(row, charged=Charged.NO, ground=NOT_A_FACE_CALL)


def error_of(reply: HttpReply, *, now: datetime, free: bool = False, **about: Any) -> VendorError:
    """The error for an answer other than 200.

    Args:
        reply: The answer.
        now: Time of day, with its zone.
        free: As of `row_of`.
        **about: Further arguments of `vendor_error`: ``reconcilable``, ``ids``.
    """
    text, fields = said(reply)
    known = text.strip().lower() in ABOUT_CREDENTIALS
    speaks = Speaks.CREDENTIALS if known else Speaks.OTHERS
    # In the form of which the core repeats the text, masked and shortened.
    spoken = attrs.evolve(reply, body=json.dumps({"detail": text}).encode())
    row = row_of(reply.status, reply.shape, speaks, free=free)
    table = {(reply.status, spoken.shape): row}
    error = vendor_error(spoken, table, backend=NAME, now=now, **about)
    error.ids = attrs.evolve(error.ids, vendor=transaction_id(_object(reply)))
    if isinstance(error, RequestRejected):
        error.field_errors = masked_fields(fields, reply)
    return error


def telling(error: NoVerdict, reply: HttpReply) -> NoVerdict:
    """`error` with Deepvue's codes and words in its message, masked and shortened."""
    error.sub_code = masked(error.sub_code, reply)
    error.error_code = masked(error.error_code, reply)
    codes = {"sub_code": error.sub_code, "error_code": error.error_code}
    told = ", ".join(f"{name} {code}" for name, code in codes.items() if code)
    words = masked(said(reply)[0], reply)
    if told:
        error.message += f" It says {told}."
    if words:
        error.message += f' It says: "{words}".'
    error.args = (error.message,)
    return error


def unanswered(error: VendorError) -> VendorError:
    """What a failure to send or to read means for a login or a look at the balance."""
    kind = UnexpectedResponse if isinstance(error, UnexpectedResponse) else VendorUnavailable
    told = error.message.partition(" It may have been executed")[0]
    # The caller's impatience says nothing of the vendor: neither repeated nor counted by a breaker.
    hasty = isinstance(error, DeadlineExceeded) or (
        isinstance(error, VendorUnavailable) and not error.retryable
    )
    return kind(
        told.partition(" It counts as charged")[0],
        backend=NAME,
        billing=Billing(Charged.NO, NOT_A_FACE_CALL),
        retryable=False if hasty else None,
        status_code=error.status_code,
        environment=error.environment,
    )


def said(reply: HttpReply) -> tuple[str, dict[str, tuple[str, ...]]]:
    """What an answer says, and what of it about which field."""
    body = _object(reply)
    for name in ("detail", "details", "message"):
        told = body.get(name)
        if isinstance(told, str) and told.strip():
            return told, {}
        if isinstance(told, list) and (faults := tuple(_faults(told))):
            fields: dict[str, tuple[str, ...]] = {}
            for place, text in faults:
                fields[place] = (*fields.get(place, ()), text)
            return "; ".join(f"{place}: {text}" for place, text in faults), fields
    data = body.get("data")
    told = data.get("message") if isinstance(data, dict) else None
    if isinstance(told, str) and told.strip():
        return told, {}
    return _as_it_is(reply), {}


def _faults(items: list[Any]) -> Iterator[tuple[str, str]]:
    """Place and text of what is wrong with a request, of a list as FastAPI makes it."""
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("msg"), str):
            loc = item.get("loc")
            steps = loc if isinstance(loc, list) else [loc]
            yield ".".join(str(s) for s in steps if isinstance(s, (str, int))), item["msg"]


def _object(reply: HttpReply) -> dict[str, Any]:
    try:
        body = reply.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _as_it_is(reply: HttpReply) -> str:
    """A body in no form that is known; empty if it is no text."""
    # Not shortened here: half a key is masked by nobody.
    try:
        return reply.body.decode()
    except UnicodeDecodeError:
        return ""

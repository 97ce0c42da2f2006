"""What Didit's answers other than 200 mean: data, total, the same for every edition.

(status, who speaks and how) gives (error, billed, repeatable). The editions differ only in whether
a bad key is 401 or 403, and both are here, so the edition need not be known.

Didit never sends a code, only one of four forms of words (read on 2026-11-20):

- ``{"error": text}``: no credit (403), a picture that cannot be used (400);
- ``{"detail": text}``: key and rights (401, 403), method, media type, rate limit (429);
- ``{field: [text]}``: everything that is wrong with the fields of a form (400);
- ``[text]``: the same without a field, of other calls than these.

Didit charges one credit for each answer 200 (Didit API reference, Face Match, June 2026), so none
for others. That is believed of those forms, because then it is Didit who speaks. A page of markup,
an empty answer or another form is some gateway's, and stands as in the core's `DEFAULT_ERRORS`. An
answer that breaks off is none: the core raises `OutcomeUnknown` before it gets here.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from facematch_core import Billed
from facematch_core.errors import (
    AuthenticationFailed,
    InsufficientCredit,
    RateLimited,
    RequestRejected,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import (
    DEFAULT_ERRORS,
    BodyShape,
    ErrorRow,
    ErrorTable,
    HttpReply,
    rows,
    vendor_error,
)

from ._words import NAME

STATED = "only answers 200 are charged (Didit API reference, Face Match, June 2026)"


class Words(enum.Enum):
    """In which form an answer speaks."""

    ERROR = enum.auto()
    DETAIL = enum.auto()
    FIELDS = enum.auto()
    LIST = enum.auto()
    #: None of Didit's.
    OTHERS = enum.auto()


_OBJECT = (BodyShape.JSON_OBJECT,)

#: Where Didit itself reports a fault, in words whose form is not documented for it. Not 502, 504
#: and 520 and more: those are words of a gateway that lost sight of a call that may go on.
_FAULTS = tuple(status for status in range(500, 520) if status not in (502, 504))

_FAULT = rows(
    _FAULTS,
    ErrorRow(VendorUnavailable, Billed.NO, STATED, "the vendor reports a fault of its own", True),
    _OBJECT,
)

#: A refusal in Didit's words: the usual error, on a better ground than the usual. A list stands
#: here as an object does, because `read_words` brings both into one form.
_REFUSALS: ErrorTable = {
    (status, shape): attrs.evolve(row, ground=STATED)
    for (status, shape), row in DEFAULT_ERRORS.items()
    if 400 <= status < 500 and shape in _OBJECT and row.billed is Billed.NO
}

_NO_CREDIT = ErrorRow(
    InsufficientCredit, Billed.NO, STATED, "the account has no credit; a person must top it up"
)
_BAD_KEY = ErrorRow(
    AuthenticationFailed, Billed.NO, STATED, "the key is not accepted, or may not do this"
)

#: For every form of words a table that is total for statuses 100-599.
TABLES: Mapping[Words, ErrorTable] = MappingProxyType(
    {
        Words.ERROR: {**DEFAULT_ERRORS, **_REFUSALS, **_FAULT, **rows([403], _NO_CREDIT, _OBJECT)},
        Words.DETAIL: {**DEFAULT_ERRORS, **_REFUSALS, **_FAULT, **rows([403], _BAD_KEY, _OBJECT)},
        Words.FIELDS: {**DEFAULT_ERRORS, **_REFUSALS},
        Words.LIST: {**DEFAULT_ERRORS, **_REFUSALS},
        Words.OTHERS: DEFAULT_ERRORS,
    }
)

#: The name under which Didit's framework tells what belongs to no field.
NO_FIELD = "non_field_errors"


def read_words(reply: HttpReply) -> tuple[Words, dict[str, tuple[str, ...]]]:
    """In which form `reply` speaks, and its texts by field (for the forms that have fields)."""
    try:
        body = reply.json()
    except ValueError:
        return Words.OTHERS, {}
    if isinstance(body, dict):
        for name, words in (("error", Words.ERROR), ("detail", Words.DETAIL)):
            if isinstance(body.get(name), str):
                return words, {}
        fields = {name: _texts(value) for name, value in body.items()}
        return (Words.FIELDS, fields) if body and all(fields.values()) else (Words.OTHERS, {})
    texts = _texts(body) if isinstance(body, list) else ()
    return (Words.LIST, {NO_FIELD: texts}) if texts else (Words.OTHERS, {})


def _texts(value: Any) -> tuple[str, ...]:
    """A text or a list of texts; () for anything else."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return ()
    return tuple(texts)


def error_of(
    reply: HttpReply, *, now: datetime, tables: Mapping[Words, ErrorTable] = TABLES, **about: Any
) -> VendorError:
    """The error for an answer other than 200.

    Args:
        reply: The answer.
        now: Time of day, with its zone.
        tables: A total table for every form of words.
        **about: Further arguments of `vendor_error`: ``reconcilable``, ``attempt_id``.
    """
    words, fields = read_words(reply)
    if fields:
        # In the form of which the core repeats the text, masked and shortened.
        said = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        spoken = attrs.evolve(reply, body=json.dumps({"detail": said}).encode())
    else:
        spoken = reply
    error = vendor_error(spoken, tables[words], backend=NAME, now=now, **about)
    if isinstance(error, RequestRejected):
        error.field_errors = fields
    if isinstance(error, RateLimited) and error.retry_after_s is None:
        error.retry_after_s = _reset_s(reply, now)
    return error


def _reset_s(reply: HttpReply, now: datetime) -> float | None:
    """Seconds until the window of the quota headers ends, at least 0; None if they do not tell."""
    text = reply.headers.get("X-RateLimit-Reset", "").strip()
    # Seconds since 1970: with more digits it would be something else.
    if not re.fullmatch(r"[0-9]{1,10}", text):
        return None
    return max(0.0, int(text) - now.timestamp())

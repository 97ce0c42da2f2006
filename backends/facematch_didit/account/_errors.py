"""What answers other than 2xx, and missing answers, mean for the calls around a match: data.

Two kinds of calls. One only reads: nothing is charged for asking, so without an answer it may
simply be asked again. The other changes something: without an answer it is not known whether it
did, and the sentence says what to look at. The tables are those of the backend with that laid over.

No page shows a body of the host that registers accounts, so there the status alone decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from facematch_core import Billed, Environment
from facematch_core.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    RequestRejected,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import DEFAULT_ERRORS, BodyShape, ErrorRow, ErrorTable, rows
from facematch_didit._errors import TABLES, Words
from facematch_didit._words import NAME

Tables = Mapping[Words, ErrorTable]
E = TypeVar("E", bound=VendorError)

FREE_TO_ASK = "nothing is charged for asking"
NO_PRICE = "Didit names no price for this call"


class SessionNotFound(RequestRejected, LookupError):
    """No session of this id can be had: it is unknown, deleted, or out of the key's scope."""


class DestinationNotFound(RequestRejected, LookupError):
    """The application has no webhook destination of this id."""


#: Statuses of a server or gateway that gave up half way, below 500.
_GAVE_UP = frozenset({408, 460, 499})


def _when_reading(status: int, row: ErrorRow) -> ErrorRow:
    if row.billed is not Billed.UNKNOWN:
        return row
    if status in _GAVE_UP or not 300 <= status < 500:
        text = "no answer that can be used; nothing is charged for asking, so ask again"
        return ErrorRow(VendorUnavailable, Billed.NO, FREE_TO_ASK, text, retryable=True)
    text = row.text if status < 400 else "this is not the vendor's own form; check the address"
    return ErrorRow(RequestRejected, Billed.NO, FREE_TO_ASK, text)


def _when_changing(status: int, row: ErrorRow) -> ErrorRow:
    # The bare class stands for "not known" until `changed` has put the advice in.
    if row.billed is Billed.UNKNOWN or status >= 500:
        return ErrorRow(
            VendorError, Billed.NO, NO_PRICE, "whether it was carried out is not known", False
        )
    return row


READING: Tables = MappingProxyType(
    {
        words: {key: _when_reading(key[0], row) for key, row in table.items()}
        for words, table in TABLES.items()
    }
)
CHANGING: Tables = MappingProxyType(
    {
        words: {key: _when_changing(key[0], row) for key, row in table.items()}
        for words, table in TABLES.items()
    }
)


def missing(tables: Tables, error: type[RequestRejected], text: str) -> Tables:
    """`tables`, in which a 404 in Didit's words is `error`."""
    row = ErrorRow(error, Billed.NO, "an answer 404", text)
    found = {**tables[Words.DETAIL], **rows([404], row, [BodyShape.JSON_OBJECT])}
    return MappingProxyType({**tables, Words.DETAIL: found})


_NOT_ACCEPTED = ErrorRow(
    AuthenticationFailed, Billed.NO, NO_PRICE, "email, password or code is not accepted"
)
_NOWHERE = ErrorRow(
    RequestRejected, Billed.NO, NO_PRICE, "there is nothing of this kind; check auth_url"
)

_BY_STATUS: ErrorTable = {
    (status, shape): _when_changing(status, DEFAULT_ERRORS[status, BodyShape.JSON_OBJECT])
    for status, shape in DEFAULT_ERRORS
} | {**rows([401, 403], _NOT_ACCEPTED), **rows([404], _NOWHERE)}

#: Of the host that registers accounts (Didit face-match skill page, early 2026).
REGISTERING: Tables = MappingProxyType(dict.fromkeys(Words, _BY_STATUS))


def unanswered(error: VendorError, *, reads: bool, advice: str) -> VendorError:
    """What a failure of the client means for one of these calls.

    Args:
        error: As `HttpClient.send` raises it.
        reads: Whether the call only reads.
        advice: What to look at if it changes something.
    """
    if isinstance(error, UnexpectedResponse):
        told = error.message.partition(" It counts as charged")[0]
        return _like(error, UnexpectedResponse, told, FREE_TO_ASK if reads else NO_PRICE)
    if not isinstance(error, OutcomeUnknown):
        return error
    told = error.message.partition(" It may have been executed")[0]
    if reads:
        told += " Nothing is charged for asking, so ask again."
        return _like(error, VendorUnavailable, told, FREE_TO_ASK)
    # Not reconcilable: `FaceVerifier.reconcile` looks for calls of a verifier, and this is none.
    return _like(error, type(error), f"{told} {advice}", NO_PRICE)


def changed(error: VendorError, *, advice: str) -> VendorError:
    """`error`; where it stands for "not known", that, with what to look at."""
    if type(error) is not VendorError:
        return error
    return _like(error, OutcomeUnknown, f"{error.message} {advice}", NO_PRICE)


def unconfirmed(status: int, *, advice: str, environment: Environment | None) -> OutcomeUnknown:
    """What an answer 2xx means that is not Didit's own: a gateway may have given it."""
    return OutcomeUnknown(
        f"{NAME} answered {status}, but not in its own form, so whether it was carried out is not "
        f"known. {advice}",
        backend=NAME,
        billed=Billed.NO,
        billed_ground=NO_PRICE,
        status_code=status,
        environment=environment,
    )


def _like(error: VendorError, kind: type[E], message: str, ground: str) -> E:
    return kind(
        message,
        backend=error.backend,
        billed=Billed.NO,
        billed_ground=ground,
        status_code=error.status_code,
        environment=error.environment,
    )

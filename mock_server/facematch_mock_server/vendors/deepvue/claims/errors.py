"""Errors: the shapes that they come in, and the words of a status that a test asks for."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims._claim import Origin, row, table
from facematch_mock_server.claims._reply import Reply

from .sources import CLIENTS, ERRORS, OURS, RESPONSE_FORMAT, STATUS_ORDER, WALLET_PAGE

_SHAPE = "error_shape"
_WHOLE = ("transaction_id", "timestamp", "sub_code", "message")


def error(
    key: str, status: int, text: str, statement: str, source: Origin, *, words: Origin
) -> tuple[tuple[Any, ...], ...]:
    """The rows of a refusal: its status, and its words; each with its source."""
    return (
        row(key, Reply(status), statement, source),
        row(f"{key}.text", text, f'The words of that refusal are "{text}".', words),
    )


_SHAPES = (
    row(
        "error.shape",
        "detail",
        "An error is an object with the one key detail.",
        RESPONSE_FORMAT,
        turned="envelope",
        when=(_SHAPE, ("detail",)),
        name="detail",
    ),
    row(
        "error.shape",
        "envelope",
        "400, 422, 500 and 503 come in an envelope instead.",
        CLIENTS,
        turned="detail",
        when=(_SHAPE, ("envelope",)),
        name="envelope",
    ),
    row("error.key", "detail", "The words of an error stand under detail.", RESPONSE_FORMAT),
    row(
        "error.envelope",
        {422: _WHOLE, 500: _WHOLE},
        "The envelope of an error has transaction_id, timestamp, sub_code and message.",
        CLIENTS,
        turned={},
        when=(_SHAPE, ("envelope",)),
        name="whole",
    ),
    row(
        "error.envelope_bare",
        {400: ("message",), 503: ("transaction_id", "timestamp", "message")},
        "The envelope of a 400 has only a message, that of a 503 no sub_code.",
        CLIENTS,
        turned={},
        when=(_SHAPE, ("envelope",)),
        name="bare",
    ),
    row(
        "error.sub_code",
        "FAILED",
        "The sub_code of an error is FAILED; no document names one.",
        OURS,
        when=(_SHAPE, ("envelope",)),
    ),
)

_ASKED_FOR = (
    *error("error.400", 400, "Bad Request", "A malformed call is 400.", ERRORS, words=ERRORS),
    *error(
        "error.500",
        500,
        "Internal Server Error",
        "A fault on the vendor's side is 500.",
        WALLET_PAGE,
        words=WALLET_PAGE,
    ),
    *error(
        "error.503",
        503,
        "Source Unavailable",
        "A source that is down is 503.",
        STATUS_ORDER,
        words=STATUS_ORDER,
    ),
)

CLAIMS = table("deepvue", *_SHAPES, *_ASKED_FOR)

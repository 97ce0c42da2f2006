"""What a front answers by itself, to what is no HTTP or when the engine fails: words of ours."""

from __future__ import annotations

import json

from facematch_mock_server._messages import Head, Response

#: As `facematch_core.http.MOCK_HEADER`, which would bring requests along.
MOCK_HEADER = "X-Facematch-Mock"

#: Longest head of a request in bytes, from the method to the empty line.
MAX_HEAD_BYTES = 64 * 1024

#: Why a front answered by itself, by status.
SENTENCES = {
    400: "The request is not well-formed HTTP.",
    408: "The rest of the request did not come in time.",
    431: f"The head of the request is longer than {MAX_HEAD_BYTES} bytes.",
    500: "The mock failed over this request; the log has the traceback. Please report it.",
    501: "The request has a transfer coding other than chunked.",
    505: "The request is of another version than HTTP/1.0 and HTTP/1.1.",
}


#: Said under 500 when a change could not be written into the store.
NOT_KEPT = (
    "The store of the mock cannot be written, so nothing is answered any more; the log says why."
)


def answer(status: int, sentence: str | None = None) -> Response:
    """The answer of a front; for a status that is not in `SENTENCES`, that for 400.

    Args:
        status: Of the answer.
        sentence: None for that of the status.
    """
    status = status if status in SENTENCES else 400
    return Response(
        status=status,
        headers=(("Content-Type", "application/json"), (MOCK_HEADER, "front")),
        body=json.dumps({"mock": sentence or SENTENCES[status]}).encode(),
    )


def nobody(peer: str) -> Head:
    """A head for the journal where there was none, or none that could be read."""
    return Head(method="", target="", peer=peer)

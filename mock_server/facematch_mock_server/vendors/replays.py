"""Answers that are given again to a request with the same idempotency key."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading

import attrs

from facematch_mock_server.base.messages import Headers, Request, Response
from facematch_mock_server.base.state import Collection
from facematch_mock_server.claims import JSON, response

#: The maximum number of answers that can be replayed.
_MOST_SAVED = 10_000


def digest_of(request: Request) -> str:
    """Return the SHA-256 of a request's path and body."""
    content = request.path.encode() + b" " + bytes(request.body)
    return hashlib.sha256(content).hexdigest()


@attrs.frozen(kw_only=True)
class SavedAnswer:
    """The answer to the first request with an idempotency key.

    Attributes:
        request: The digest of the request.
        status, body: The answer's.
        saved_at: When it was given, UTC.
    """

    request: str
    status: int
    body: bytes
    saved_at: dt.datetime

    def again(self, headers: Headers) -> Response:
        """Return the answer with these headers."""
        return response(self.status, JSON, self.body, headers)


class SavedAnswers:
    """The answers of one world that can be replayed, by environment and idempotency key."""

    def __init__(self) -> None:
        self._saved: Collection[SavedAnswer] = Collection(limit=_MOST_SAVED)
        #: Held by a request with a key while it looks for its answer.
        self.lock = threading.Lock()

    def forget(self) -> None:
        """Forget all answers, as after the time for which a vendor keeps them."""
        self._saved = Collection(limit=_MOST_SAVED)

    def find(self, name: str, now: dt.datetime, *, lasts_s: float) -> SavedAnswer | None:
        """Return the answer that is not too old; None if there is none."""
        saved = self._saved.find(name)
        if saved is None or (now - saved.saved_at).total_seconds() >= lasts_s:
            return None
        return saved

    def save(self, name: str, request: Request, answer: Response, now: dt.datetime) -> None:
        """Save the answer to the first request with a key."""
        saved = SavedAnswer(
            request=digest_of(request),
            status=answer.status,
            body=bytes(answer.body),
            saved_at=now,
        )
        self._saved.put(name, saved)

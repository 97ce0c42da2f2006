"""The access tokens that a vendor issues at a login, for vendors that require one."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Any

import attrs

from facematch_mock_server.base.state import Collection
from facematch_mock_server.world.vendor import Extension, endpoint

#: The maximum number of stored tokens.
MOST_TOKENS = 10_000


@attrs.frozen(kw_only=True)
class IssuedToken:
    """The record of an access token, without the token itself.

    Attributes:
        number: The token's number in its world, counted from 1.
        at: The time of issue, UTC.
        client: The client id that the token was issued to.
        expires: The time of expiry, UTC.
        revoked: Whether the token was revoked.
    """

    number: int
    at: dt.datetime
    client: str
    expires: dt.datetime
    revoked: bool = False


class TokenRecords:
    """The tokens of one world by their text, and the number of token requests. Thread-safe."""

    def __init__(self) -> None:
        self.tokens: Collection[IssuedToken] = Collection(limit=MOST_TOKENS)
        #: The number of token requests so far, successful or not.
        self.requests: Collection[int] = Collection(limit=1)

    def count_token_request(self) -> None:
        """Count a token request."""
        self.requests.append(lambda number: number)

    def add(self, text: str, *, at: dt.datetime, client: str, expires: dt.datetime) -> None:
        """Record an issued token."""
        make = functools.partial(IssuedToken, at=at, client=client, expires=expires)
        self.tokens.append(make, text)

    def find_valid(self, text: str, now: dt.datetime) -> IssuedToken | None:
        """Return a token that was issued, and neither revoked nor expired; None for any other."""
        token = self.tokens.find(text)
        if token is None or token.revoked or now >= token.expires:
            return None
        return token


class Tokens(Extension["TokenRecords"]):
    """The access tokens of one world, in memory only. Thread-safe."""

    @property
    def asked(self) -> int:
        """The number of token requests, successful or not."""
        latest = self._records.requests.all()
        return latest[-1] if latest else 0

    def issued(self) -> tuple[IssuedToken, ...]:
        """Return records of the newest 10,000 issued tokens, in order."""
        return self._records.tokens.all()

    @endpoint("POST", "tokens/revoke", result_key="revoked")
    def revoke(self) -> int:
        """Revoke all tokens, and return how many of them were valid."""
        tokens = self._records.tokens
        valid = [text for text, token in tokens.items() if not token.revoked]
        for text in valid:
            tokens.change(text, lambda token: attrs.evolve(token, revoked=True))
        return len(valid)

    @endpoint("GET", "tokens")
    def _http_tokens(self) -> Any:
        """The number of token requests, and the issued tokens."""
        return {"asked": self.asked, "issued": self.issued()}

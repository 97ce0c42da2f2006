"""Deepvue's access tokens, and what a test does to them."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hmac
import json
import threading
from typing import Any

import attrs

from facematch_mock_server.base.state import Collection
from facematch_mock_server.world.clock import Ids
from facematch_mock_server.world.kinds import Extension, Records, operation

#: The newest tokens that are known.
MOST_TOKENS = 10_000


@attrs.frozen(kw_only=True)
class IssuedToken:
    """An access token, without its text.

    Attributes:
        number: 1 for the first of the world.
        at: When it was given out, UTC.
        client: The client id that it was given to.
        expires: When it ends, UTC.
        revoked: Whether it was taken back.
    """

    number: int
    at: dt.datetime
    client: str
    expires: dt.datetime
    revoked: bool = False


class DeepvueRecords(Records):
    """The tokens of one world, by text; counts requests. Safe across threads."""

    def __init__(self) -> None:
        self.tokens: Collection[IssuedToken] = Collection(limit=MOST_TOKENS)
        self._lock = threading.Lock()
        #: The number of requests for a token, with a right or a wrong pair.
        self.requests = 0

    def count_request(self) -> None:
        with self._lock:
            self.requests += 1

    def issue(self, client: str, now: dt.datetime, expires: dt.datetime, ids: Ids) -> str:
        """Return a new token for a client: a JSON Web Token signed with HS256 (RFC 7519)."""
        # The id is ours, so that no two tokens are equal.
        claims = {"sub": client, "exp": int(expires.timestamp()), "jti": ids.uuid()}
        parts = ({"alg": "HS256", "typ": "JWT"}, claims)
        text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        text = f"{text}.{_encode(hmac.digest(ids.secret, text.encode(), 'sha256'))}"
        make = functools.partial(IssuedToken, at=now, client=client, expires=expires)
        self.tokens.append(make, text)
        return text

    def client_of(self, text: str, now: dt.datetime) -> str | None:
        """Return the client of a token; None if it is unknown, over, or taken back."""
        token = self.tokens.find(text)
        is_good = token is not None and not token.revoked and now < token.expires
        return token.client if token is not None and is_good else None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens(Extension["DeepvueRecords"]):
    """The access tokens of one world. In memory only. Safe across threads."""

    @property
    def asked(self) -> int:
        """Return the number of token requests, with a right or a wrong pair."""
        return self._records.requests

    def issued(self) -> tuple[IssuedToken, ...]:
        """The newest 10,000 that were given out, without their texts, in order."""
        return self._records.tokens.all()

    @operation("POST", "tokens/revoke", gives="revoked")
    def revoke(self) -> int:
        """Revoke every token given out so far, and return how many were valid."""
        tokens = self._records.tokens
        valid = [text for text, token in tokens.items() if not token.revoked]
        for text in valid:
            tokens.change(text, lambda token: attrs.evolve(token, revoked=True))
        return len(valid)

    @operation("GET", "tokens")
    def _list(self) -> Any:
        """The number of token requests, and the tokens that were issued."""
        return {"asked": self.asked, "issued": self.issued()}

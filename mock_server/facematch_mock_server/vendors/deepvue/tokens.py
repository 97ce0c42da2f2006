"""Deepvue's access tokens, and what a test does to them."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_mock_server.world.kinds import Extension, Records, Row

#: The newest tokens that can be listed.
MOST_TOKENS = 10_000

# JSON Web Tokens signed with HS256 (RFC 7519, RFC 7515)


def sign(claims: Mapping[str, Any], key: bytes) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, dict(claims))
    text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{text}.{_sign(text, key)}"


def read_claims(token: str, key: bytes) -> dict[str, Any] | None:
    """The claims of a token that was signed with `key`; None for any other text."""
    text, _, signature = token.rpartition(".")
    if not token.isascii() or not hmac.compare_digest(signature, _sign(text, key)):
        return None
    middle = text.partition(".")[2]
    try:
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def _sign(text: str, key: bytes) -> str:
    return _encode(hmac.digest(key, text.encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


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


class TokenBook:
    """The tokens of one world, without their texts; counts requests. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued: deque[IssuedToken] = deque(maxlen=MOST_TOKENS)
        self._count = self._revoked_to = 0
        #: Counts the calls for a token, with a right or a wrong pair.
        self.requests = 0

    def count_request(self) -> None:
        with self._lock:
            self.requests += 1

    def issue(
        self, client: str, now: dt.datetime, expires: dt.datetime, secret: bytes
    ) -> tuple[str, IssuedToken]:
        """A new token for a client: its text, signed with `secret`, and its record."""
        with self._lock:
            self._count += 1
            issued = IssuedToken(number=self._count, at=now, client=client, expires=expires)
            self._issued.append(issued)
        # Shaped as client programs read it; the number is ours, so that no two tokens are equal.
        claims = {"sub": client, "exp": int(expires.timestamp()), "jti": str(issued.number)}
        return sign(claims, secret), issued

    def client_of(self, text: str, now: dt.datetime, secret: bytes) -> str | None:
        """Whose token it is; None if it is not one of this world, over, or taken back."""
        claims = read_claims(text, secret)
        if claims is None or now.timestamp() >= claims["exp"]:
            return None
        if not self._revoked_to < int(claims["jti"]) <= self._count:
            return None
        return str(claims.get("sub", ""))

    def issued(self) -> tuple[IssuedToken, ...]:
        with self._lock:
            last = self._revoked_to
            return tuple(attrs.evolve(x, revoked=x.number <= last) for x in self._issued)

    def revoke(self) -> int:
        """Revoke every token given out so far, and return how many were valid."""
        with self._lock:
            count, self._revoked_to = self._count - self._revoked_to, self._count
            return count


class DeepvueRecords(Records):
    """The further state of one world. Safe across threads."""

    def __init__(self) -> None:
        self.tokens = TokenBook()


class Tokens(Extension["DeepvueRecords"]):
    """The access tokens of one world. In memory only. Safe across threads."""

    OPERATIONS: ClassVar[tuple[Row, ...]] = (
        Row("POST", "tokens/revoke", "revoke", gives="revoked"),
        Row("GET", "tokens", "_list"),
    )

    @property
    def asked(self) -> int:
        """Return the number of token requests, with a right or a wrong pair."""
        return self._records.tokens.requests

    def issued(self) -> tuple[IssuedToken, ...]:
        """The newest 10,000 that were given out, without their texts, in order."""
        return self._records.tokens.issued()

    def revoke(self) -> int:
        """Revoke every token given out so far, and return how many were valid."""
        return self._records.tokens.revoke()

    def _list(self) -> Any:
        """The number of token requests, and the tokens that were issued."""
        return {"asked": self.asked, "issued": self.issued()}

"""Access tokens: given out, checked, taken back."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque

import attrs

from facematch_mock_server.claims import Told

from . import _jwt

#: How many of the newest tokens can be listed.
KEPT = 10_000


@attrs.frozen(kw_only=True)
class IssuedToken:
    """One access token, without its text.

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
    """The tokens of one world. Their texts are not kept. Safe across threads.

    Attributes:
        asked: How often a token was asked for, with a good pair or a wrong one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued: deque[IssuedToken] = deque(maxlen=KEPT)
        self._count = self._revoked_to = 0
        self.asked = 0

    def ask(self) -> None:
        """Count one call for a token."""
        with self._lock:
            self.asked += 1

    def issue(
        self, told: Told, client: str, now: dt.datetime, secret: bytes
    ) -> tuple[str, IssuedToken]:
        """A new token for a client, as text, and what is known of it.

        Args:
            told: What it is made with.
            client: Whose it is.
            now: The time.
            secret: What it is signed with.
        """
        expires = now + dt.timedelta(seconds=told["token.life_s"])
        with self._lock:
            if not told["token.many"]:
                self._revoked_to = self._count
            self._count += 1
            issued = IssuedToken(number=self._count, at=now, client=client, expires=expires)
            self._issued.append(issued)
        known = {"sub": client, "exp": int(expires.timestamp())}
        claims = {name: known[name] for name in told["token.claims"]}
        if told["token.jti"]:
            claims["jti"] = str(issued.number)
        return _jwt.signed(claims, secret), issued

    def client_of(self, text: str, now: dt.datetime, secret: bytes) -> str | None:
        """Whose token it is; None if it is not one of this world, over, or taken back."""
        claims = _jwt.claims_of(text, secret)
        if claims is None or now.timestamp() >= claims["exp"]:
            return None
        if not self._revoked_to < int(claims.get("jti", self._count)) <= self._count:
            return None
        return str(claims.get("sub", ""))

    def issued(self) -> tuple[IssuedToken, ...]:
        """The newest 10,000, in order."""
        with self._lock:
            upto = self._revoked_to
            return tuple(
                attrs.evolve(one, revoked=True) if one.number <= upto else one
                for one in self._issued
            )

    def revoke(self) -> int:
        """Take back every token that was given out; how many of them had not been."""
        with self._lock:
            fresh, self._revoked_to = self._count - self._revoked_to, self._count
            return fresh

"""Tokens in memory: one per address and client, fetched by one thread while the others wait."""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Callable

import attrs

from facematch_core import Clock, FaceMatchError, Secret

from ._expiry import EARLY_S


@attrs.frozen(kw_only=True)
class Token:
    """What a login gave.

    Attributes:
        secret: The token.
        ends: When it ends, on the monotonic clock.
    """

    secret: Secret
    ends: float


#: Fetches a token within so many seconds (None for no limit); an error is given back, not raised.
Fetch = Callable[[float | None], Token | FaceMatchError]


class Flight:
    """One login on its way.

    Attributes:
        over: Set when it has ended.
        outcome: What it gave to all who waited; None if they have to see for themselves.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self.outcome: Token | FaceMatchError | None = None


class _Sharing:
    """What the threads of one process share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.flight: Flight | None = None


class Tokens:
    """The token of one client at one address. Safe across threads and after a fork."""

    def __init__(self) -> None:
        # A child process may use what its parent fetched.
        self._token: Token | None = None
        # A lock that another thread held at a fork is never let go in the child: by process.
        self._by_process: dict[int, _Sharing] = {}

    def get(
        self, fetch: Fetch, clock: Clock, deadline_s: float | None
    ) -> Token | FaceMatchError | None:
        """The token, fetched if there is none that lasts.

        Args:
            fetch: Called by one thread at a time; the others take what it gives, errors too.
            clock: Time, for the life of the token and for the deadline.
            deadline_s: Longest wait, in seconds; None for no limit.

        Returns:
            The token, the error of the login, or None if the deadline ran out.
        """
        until = None if deadline_s is None else clock.monotonic() + deadline_s
        while True:
            left_s = None if until is None else until - clock.monotonic()
            if left_s is not None and left_s <= 0:
                return None
            found, mine = self._board(clock)
            if isinstance(found, Token):
                return found
            if mine:
                return self._fly(found, fetch, clock, left_s)
            if not found.over.wait(left_s):
                return None
            if isinstance(found.outcome, FaceMatchError):
                # Each caller raises, and completes, an error of its own.
                return copy.copy(found.outcome)
            if found.outcome is not None:
                return found.outcome

    def forget(self, secret: Secret) -> None:
        """Not to use a token again that the vendor refused, if it is still the one in use."""
        with self._sharing().lock:
            if self._token is not None and self._token.secret == secret:
                self._token = None

    def _sharing(self) -> _Sharing:
        # setdefault is one step: of two threads that both make one, both get the same.
        return self._by_process.setdefault(os.getpid(), _Sharing())

    def _board(self, clock: Clock) -> tuple[Token | Flight, bool]:
        """The token, if it lasts; else a login on its way, and whether it is this thread's."""
        sharing = self._sharing()
        with sharing.lock:
            if self._token is not None and clock.monotonic() < self._token.ends - EARLY_S:
                return self._token, False
            if sharing.flight is not None:
                return sharing.flight, False
            sharing.flight = Flight()
            return sharing.flight, True

    def _fly(
        self, flight: Flight, fetch: Fetch, clock: Clock, left_s: float | None
    ) -> Token | FaceMatchError:
        outcome: Token | FaceMatchError | None = None
        since = clock.monotonic()
        try:
            outcome = fetch(left_s)
            return outcome
        finally:
            # A failure that came of this caller's short deadline says nothing to the others.
            late = left_s is not None and clock.monotonic() - since >= left_s
            sharing = self._sharing()
            with sharing.lock:
                if isinstance(outcome, Token):
                    self._token = outcome
                if isinstance(outcome, Token) or not late:
                    flight.outcome = copy.copy(outcome)
                sharing.flight = None
            flight.over.set()


#: Backends of one client share its token, for whether a second login ends the first token is not
#: documented. By the key as well: a wrong one must not ride on the token of the right one. What no
#: backend holds any more is forgotten.
_SHARED: weakref.WeakValueDictionary[tuple[str, Secret, Secret], Tokens] = (
    weakref.WeakValueDictionary()
)


class _Turn:
    """The lock of `_SHARED`. A child process made by fork begins with a free one.

    Another thread may have held it when the process was copied, and does not exist in the copy.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def renew(self) -> None:
        """Take a lock that nobody holds."""
        self.lock = threading.Lock()


_TURN = _Turn()

if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_TURN.renew)


def tokens_of(base_url: str, client_id: Secret, client_secret: Secret) -> Tokens:
    """The tokens of a client at an address, of all backends that are open for it."""
    key = (base_url, client_id, client_secret)
    # The setdefault of a dictionary of weak references is several steps.
    with _TURN.lock:
        tokens = _SHARED.get(key)
        if tokens is None:
            tokens = _SHARED[key] = Tokens()
        return tokens

"""The token of one client at one address, shared by all its backends in a process.

No page says whether a second login revokes the first token, so one thread fetches the token while
the others wait. It is kept in memory only.
"""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Callable

import attrs

from facematch_core import Billing, Charged, FaceMatchError, Secret, VendorUnavailable
from facematch_core.base.clock import Clock
from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import fork_safe_lock

from .wire import NAME

#: Seconds before its end from which a token is not used any more (ours).
EARLY_S = 300.0


@attrs.frozen
class Token:
    """The token of a login; `ends` is on the monotonic clock."""

    secret: Secret
    ends: float


class Login:
    """A login. All threads that wait for it get its token or its error."""

    def __init__(self) -> None:
        self.has_ended = threading.Event()
        # Set before `has_ended`, in one step that Ctrl-C cannot divide.
        self.is_over = False
        self.token: Token | None = None
        self.error: FaceMatchError | None = None
        # A forked child has no thread that would end the login.
        self.process = os.getpid()

    def is_of_use(self, clock: Clock) -> bool:
        """Return whether its token is valid, or it is under way in this process."""
        if not self.is_over:
            return self.process == os.getpid()
        return self.token is not None and clock.monotonic() < self.token.ends - EARLY_S


class Tokens:
    """The token of a client at an address. Safe across threads and after a fork."""

    def __init__(self) -> None:
        self._login: Login | None = None

    def get(self, fetch: Callable[[Deadline], Token], clock: Clock, deadline: Deadline) -> Token:
        """Return the token; one thread fetches it, and all others get the same token or error."""
        new = Login()
        try:
            while (login := self._join(new, clock)) is not new:
                if not (login.is_over or login.has_ended.wait(deadline.timeout_s())):
                    raise VendorUnavailable(
                        f"The deadline ran out before {NAME} gave a token. Nothing else was sent.",
                        backend=NAME,
                        billing=Billing(Charged.NO, "nothing was sent"),
                        retryable=False,
                    )
                if login.token is not None:
                    return login.token
                if login.error is not None:
                    # A copy, since each caller adds to its error.
                    raise copy.copy(login.error)
            token = new.token = fetch(deadline)
        except FaceMatchError as error:
            # The deadline of this caller is no error of the others.
            if not deadline.is_over:
                new.error = copy.copy(error)
            raise
        else:
            return token
        finally:
            # Also after Ctrl-C, so that no thread waits for ever.
            new.is_over = True
            new.has_ended.set()

    def _join(self, new: Login, clock: Clock) -> Login:
        """Return the login in use; `new` if there is none."""
        with _LOCK:
            if self._login is None or not self._login.is_of_use(clock):
                self._login = new
            return self._login

    def forget(self, secret: Secret) -> None:
        """Drop a token that the vendor refused, if it is still in use."""
        with _LOCK:
            token = None if self._login is None else self._login.token
            if token is not None and token.secret == secret:
                self._login = None


#: Tokens by address, client and key: a wrong key must not use the token of the right one. Dropped
#: with the last backend that holds them.
_SHARED: weakref.WeakValueDictionary[tuple[str, Secret, Secret], Tokens] = (
    weakref.WeakValueDictionary()
)

#: Held for a few steps only, never during a login.
_LOCK = fork_safe_lock()


def shared_tokens(base_url: str, client_id: Secret, client_secret: Secret) -> Tokens:
    """Return the tokens that all backends of a client at an address share."""
    # `setdefault` of a WeakValueDictionary is not atomic.
    with _LOCK:
        return _SHARED.setdefault((base_url, client_id, client_secret), Tokens())

"""Access tokens, one per client and address, in memory only. A process's backends share them.

Deepvue does not document whether a second login revokes the first token. So one thread logs in
while the others wait.
"""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Callable

import attrs

from facematch_core import Billing, Charged, FaceMatchError, Secret, VendorUnavailable
from facematch_core.base.deadline import Clock, Deadline
from facematch_core.base.threads import fork_safe_lock

from .wire import NAME

#: A token is treated as expired this many seconds early (ours).
EARLY_S = 300.0


@attrs.frozen
class Token:
    """A token from a login; `ends` is its expiry on the monotonic clock."""

    secret: Secret
    ends: float


class Login:
    """A login. All threads that wait for it get the same token or error."""

    def __init__(self) -> None:
        self.has_ended = threading.Event()
        # Set before `has_ended`, in one assignment that a Ctrl-C cannot interrupt.
        self.is_over = False
        self.token: Token | None = None
        self.error: FaceMatchError | None = None
        # A forked child lacks the thread that would finish the login.
        self.process = os.getpid()

    def is_usable(self, clock: Clock) -> bool:
        """Return whether the token is valid or the login is under way in this process."""
        if not self.is_over:
            return self.process == os.getpid()
        return self.token is not None and clock.monotonic() < self.token.ends - EARLY_S


class Tokens:
    """The token of one client at one address. Safe across threads and after a fork."""

    def __init__(self) -> None:
        self._login: Login | None = None

    def get(self, fetch: Callable[[Deadline], Token], clock: Clock, deadline: Deadline) -> Token:
        """Return the token. One thread fetches it; the others wait for its token or error."""
        new = Login()
        try:
            while (login := self._join(new, clock)) is not new:
                if not (login.is_over or login.has_ended.wait(deadline.timeout_s())):
                    raise VendorUnavailable(
                        f"The deadline passed before {NAME} returned a token. Nothing was sent.",
                        backend=NAME,
                        billing=Billing(Charged.NO, "nothing was sent"),
                        retryable=False,
                    )
                if login.token is not None:
                    return login.token
                if login.error is not None:
                    # A copy, because each caller changes its error.
                    raise copy.copy(login.error)
            token = new.token = fetch(deadline)
        except FaceMatchError as error:
            # An expired deadline of this caller must not fail the other callers.
            if not deadline.is_over:
                new.error = copy.copy(error)
            raise
        else:
            return token
        finally:
            # Also after a Ctrl-C: otherwise the other threads would wait forever.
            new.is_over = True
            new.has_ended.set()

    def _join(self, new: Login, clock: Clock) -> Login:
        """Return the current login, which becomes `new` if there is no usable login."""
        with _LOCK:
            if self._login is None or not self._login.is_usable(clock):
                self._login = new
            return self._login

    def forget(self, secret: Secret) -> None:
        """Drop a token that the vendor rejected, if it is the current one."""
        with _LOCK:
            token = None if self._login is None else self._login.token
            if token is not None and token.secret == secret:
                self._login = None


#: Tokens by address, client and key, so that an invalid key cannot reuse the valid key's token. An
#: entry lives as long as a backend refers to it.
_SHARED: weakref.WeakValueDictionary[tuple[str, Secret, Secret], Tokens] = (
    weakref.WeakValueDictionary()
)

#: Lock for `_SHARED` and every `_login`. Never held during a login.
_LOCK = fork_safe_lock()


def shared_tokens(base_url: str, client_id: Secret, client_secret: Secret) -> Tokens:
    """Return the `Tokens` that all backends with this address, client and key share."""
    # `setdefault` of a WeakValueDictionary is not atomic.
    with _LOCK:
        return _SHARED.setdefault((base_url, client_id, client_secret), Tokens())

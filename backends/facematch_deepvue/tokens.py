"""The token of one client at one address, which all its backends in a process share.

Whether a second login ends the first token is not documented, so there is only one: one thread
fetches it while the others wait. It is kept in memory alone.
"""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Callable

import attrs

from facematch_core import Billing, Charged, Clock, FaceMatchError, Secret, VendorUnavailable
from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import fork_safe_lock

from .wire import NAME

#: So long before its end a token is not used any more, in seconds: ours.
EARLY_S = 300.0


@attrs.frozen
class Token:
    """What a login gave; `ends` is on the monotonic clock."""

    secret: Secret
    ends: float


class Login:
    """A login, under way or over: its end is what all who wait for it get."""

    def __init__(self) -> None:
        self.has_ended = threading.Event()
        # The same in one step, which no Ctrl-C divides.
        self.is_over = False
        self.token: Token | None = None
        self.error: FaceMatchError | None = None
        # A fork copies it without the thread that would end it.
        self.process = os.getpid()

    def is_of_use(self, clock: Clock) -> bool:
        """Whether it gave a token that lasts, or is under way in this process."""
        if not self.is_over:
            return self.process == os.getpid()
        return self.token is not None and clock.monotonic() < self.token.ends - EARLY_S


class Tokens:
    """The token of a client at an address. Safe across threads and after a fork."""

    def __init__(self) -> None:
        self._login: Login | None = None

    def get(self, fetch: Callable[[Deadline], Token], clock: Clock, deadline: Deadline) -> Token:
        """The token; one thread fetches it, and all who wait get the same token or error."""
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
                    # Each caller completes an error of its own.
                    raise copy.copy(login.error)
            token = new.token = fetch(deadline)
        except FaceMatchError as error:
            # A failure that came of this caller's short deadline says nothing to the others.
            if not deadline.is_over:
                new.error = copy.copy(error)
            raise
        else:
            return token
        finally:
            # Whatever has ended it, a Ctrl-C between any two lines, too: nobody waits for it.
            new.is_over = True
            new.has_ended.set()

    def _join(self, new: Login, clock: Clock) -> Login:
        """The login to take the token from, `new` if there is no other."""
        with _LOCK:
            if self._login is None or not self._login.is_of_use(clock):
                self._login = new
            return self._login

    def forget(self, secret: Secret) -> None:
        """Not to use a token again that the vendor refused, if it is still the one in use."""
        with _LOCK:
            token = None if self._login is None else self._login.token
            if token is not None and token.secret == secret:
                self._login = None


#: By address, client and key: a wrong key must not ride on the token of the right one. What no
#: backend holds any more is forgotten.
_SHARED: weakref.WeakValueDictionary[tuple[str, Secret, Secret], Tokens] = (
    weakref.WeakValueDictionary()
)

#: For all that is shared, and never held for long.
_LOCK = fork_safe_lock()


def shared_tokens(base_url: str, client_id: Secret, client_secret: Secret) -> Tokens:
    """The tokens of a client at an address, of all backends that are open for it."""
    # The setdefault of a dictionary of weak references is several steps.
    with _LOCK:
        return _SHARED.setdefault((base_url, client_id, client_secret), Tokens())

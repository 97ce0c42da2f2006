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

from .wire import NAME

#: So long before its end a token is not used any more, in seconds: ours.
EARLY_S = 300.0


@attrs.frozen
class Token:
    """What a login gave; `ends` is on the monotonic clock."""

    secret: Secret
    ends: float


class Login:
    """A login that is under way: its end is what all who wait for it get."""

    def __init__(self) -> None:
        self.has_ended = threading.Event()
        self.token: Token | None = None
        self.error: FaceMatchError | None = None
        # A fork copies it without the thread that would end it.
        self.process = os.getpid()


class Tokens:
    """The token of a client at an address. Safe across threads and after a fork."""

    def __init__(self) -> None:
        self._token: Token | None = None
        self._login: Login | None = None

    def get(self, fetch: Callable[[Deadline], Token], clock: Clock, deadline: Deadline) -> Token:
        """The token; one thread fetches it, and all who wait get the same token or error."""
        while True:
            with _LOCK:
                if self._token is not None and clock.monotonic() < self._token.ends - EARLY_S:
                    return self._token
                login = self._login
                if login is None or login.process != os.getpid():
                    login = self._login = Login()
                    break
            if not login.has_ended.wait(deadline.timeout_s()):
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
        try:
            token = login.token = fetch(deadline)
        except FaceMatchError as error:
            # A failure that came of this caller's short deadline says nothing to the others.
            if not deadline.is_over:
                login.error = copy.copy(error)
            raise
        else:
            return token
        finally:
            with _LOCK:
                self._token = login.token or self._token
                self._login = None
            login.has_ended.set()

    def forget(self, secret: Secret) -> None:
        """Not to use a token again that the vendor refused, if it is still the one in use."""
        with _LOCK:
            if self._token is not None and self._token.secret == secret:
                self._token = None


#: By address, client and key: a wrong key must not ride on the token of the right one. What no
#: backend holds any more is forgotten.
_SHARED: weakref.WeakValueDictionary[tuple[str, Secret, Secret], Tokens] = (
    weakref.WeakValueDictionary()
)

#: For all that is shared, and never held for long: a fork waits for it.
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(
        before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
    )


def shared_tokens(base_url: str, client_id: Secret, client_secret: Secret) -> Tokens:
    """The tokens of a client at an address, of all backends that are open for it."""
    # The setdefault of a dictionary of weak references is several steps.
    with _LOCK:
        return _SHARED.setdefault((base_url, client_id, client_secret), Tokens())

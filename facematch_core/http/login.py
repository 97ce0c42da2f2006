"""`LoginToken`: the token of a vendor that requires a login before a call.

A vendor may revoke a token at the next login. So all backends of a process that log in with the
same request share a token, and one thread logs in while the others wait. Tokens are kept in memory
only.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
import threading
import weakref
from collections.abc import Callable

import attrs

from facematch_core import errors
from facematch_core.backend import number
from facematch_core.backend.base import HookFailed, guard
from facematch_core.backend.requests import Request
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import Secret
from facematch_core.base.threads import fork_safe_lock
from facematch_core.call import bill, ending
from facematch_core.models import Environment

from .backend import HttpBackend
from .messages import HttpReply, HttpRequest, encode_request
from .refusals import error_of_reply

#: Seconds before its expiry from which a token is not used, at most half of its life (ours).
EARLY_S = 300.0


def _as_token(text: Secret | str) -> Secret:
    token = Secret.of(text)
    if not re.fullmatch("[!-~]+", token.reveal()):
        raise ValueError("The token is empty, or has a character that a header cannot contain.")
    return token


@attrs.frozen
class IssuedToken:
    """A token in a vendor's response to a login.

    Attributes:
        token: The token: printable ASCII without spaces. Text is converted to a `Secret`.
        lasts_s: Seconds from now until the token expires; `math.inf` if it does not expire.

    Raises:
        TypeError: `lasts_s` is not a number.
        ValueError, ConfigurationError: `token` is not such a text.
    """

    token: Secret = attrs.field(converter=_as_token)
    lasts_s: float = attrs.field(converter=number)


class _Login:
    """One login. All threads that wait for it get the same token or error."""

    def __init__(self) -> None:
        """Begin a login, for which other threads wait until it is over."""
        self.end_event = threading.Event()
        # Set before `end_event`, in one assignment that a Ctrl-C cannot interrupt.
        self.is_over = False
        #: None until the login succeeds.
        self.token: Secret | None = None
        #: When a token is no longer used, in seconds on the backend's monotonic clock.
        self.used_until = 0.0
        #: None unless the login failed for a reason that concerns every caller.
        self.error: errors.FaceMatchError | None = None
        self.process_id = os.getpid()

    def is_usable(self, now: float) -> bool:
        """Return whether the token is valid or the login is under way in this process."""
        if not self.is_over:
            # A forked child lacks the thread that would finish the login.
            return self.process_id == os.getpid()
        return self.token is not None and now < self.used_until


class _Account:
    """The latest login of one client at one address."""

    #: None before the first login, and after its token was rejected.
    latest: _Login | None = None


#: Accounts by the digest of their login request. An entry lives until the last `LoginToken` that
#: uses it is closed.
_ACCOUNTS: weakref.WeakValueDictionary[str, _Account] = weakref.WeakValueDictionary()

#: Lock for `_ACCOUNTS` and every `latest`. Never held during a login.
_LOCK = fork_safe_lock()


def _find_account(request: HttpRequest) -> _Account:
    """Return the account that all logins with this request share."""
    params = {name: Secret.of(text).reveal() for name, text in request.params.items()}
    content = f"{request.method} {request.url} {params} {encode_request(request)}"
    # A digest, because a dictionary's key with the client's secret could be shown.
    digest = hashlib.sha256(content.encode()).hexdigest()
    with _LOCK:  # `setdefault` of a WeakValueDictionary is not atomic
        return _ACCOUNTS.setdefault(digest, _Account())


@attrs.define(kw_only=True, eq=False)
class LoginToken:
    """The token of a backend's vendor, renewed by a login when it has expired or was rejected.

    Create it once per backend. Call `get` in `HttpBackend.sign`, `forget` in
    `HttpBackend.should_relogin`, and `close` in `Backend.close`. Thread-safe, and usable after a
    fork.

    Args:
        backend: The backend. Its `error` reads a response without a token, and its `error_code` if
            it has `codes_in_200`.
        request: The login, with ``charges=0``. Backends with the same request share the token.
        read: Returns the `IssuedToken` in a response with a status that `request` expects. If it
            raises, the login failed with an `UnexpectedResponse`.
    """

    backend: HttpBackend
    request: HttpRequest
    read: Callable[[HttpReply], IssuedToken] = attrs.field(repr=False)
    _account: _Account = attrs.field(init=False, repr=False)

    @_account.default
    def _find_own_account(self) -> _Account:
        return _find_account(self.request)

    def get(self, request: Request, deadline: Deadline = NO_DEADLINE) -> Secret:
        """Return a valid token. One thread logs in for it; the others wait for its token or error.

        Args:
            request, deadline: The arguments of `sign`. A login or a wait ends at the deadline.

        Raises:
            VendorError: there is no token, and `billing` is NO.
        """
        own_login = _Login()
        try:
            login = self._join(own_login)
            while login is not own_login:
                token = self._wait(login, deadline)
                if token is not None:
                    return token
                # The login that we waited for ended without a token or an error: its thread met its
                # own deadline, or a Ctrl-C.
                login = self._join(own_login)
            issued = self._log_in(request, deadline)
            early_s = min(EARLY_S, issued.lasts_s / 2)
            own_login.used_until = self.backend.client.clock.monotonic() + issued.lasts_s - early_s
            own_login.token = issued.token
        except errors.FaceMatchError as error:
            # An expired deadline of this caller must not fail the others.
            if not deadline.is_over:
                own_login.error = copy.copy(error)
            raise
        else:
            return issued.token
        finally:
            # Also after a Ctrl-C: otherwise the other threads would wait forever.
            own_login.is_over = True
            own_login.end_event.set()

    def forget(self, http_request: HttpRequest) -> None:
        """Forget the token that a request was signed with, because the vendor rejected it.

        Does nothing if another thread has already replaced that token.
        """
        with _LOCK:
            latest = self._account.latest
            if latest is not None and latest.token in http_request.secrets:
                self._account.latest = None

    def close(self) -> None:
        """Drop the token, unless another backend shares it."""
        self._account = _Account()

    def _join(self, own_login: _Login) -> _Login:
        """Return the latest login if it is usable; else make `own_login` the latest."""
        now = self.backend.client.clock.monotonic()
        with _LOCK:
            latest = self._account.latest
            if latest is not None and latest.is_usable(now):
                return latest
            self._account.latest = own_login
            return own_login

    def _wait(self, login: _Login, deadline: Deadline) -> Secret | None:
        """Return the token of another thread's login, or raise its error; None without both."""
        if not login.is_over and not login.end_event.wait(deadline.timeout_s()):
            name = self.backend.name
            raise errors.VendorUnavailable(
                f"The deadline passed before {name} returned a token. Nothing was sent.",
                backend=name,
                billing=bill.REQUEST_NOT_SENT,
                retryable=False,
            )
        if login.error is not None:
            # A copy, because each caller changes its error.
            raise copy.copy(login.error)
        return login.token

    def _log_in(self, request: Request, deadline: Deadline) -> IssuedToken:
        """Send the login and return its token. All errors are billed NO."""
        backend = self.backend
        status: int | None = None
        environment: Environment | None = None
        try:
            mismatch = backend.find_mismatch(url=self.request.url)
            if mismatch is not None:
                raise mismatch
            reply = backend.client.send(self.request, backend=backend.name, deadline=deadline)
            status = reply.status
            if MOCK_HEADER in reply.headers:
                environment = Environment.MOCK
            mismatch = backend.find_mismatch(reply)
            if mismatch is not None:
                raise mismatch
            has_code = (
                backend.codes_in_200 and reply.is_json and backend.error_code(reply) is not None
            )
            if status not in self.request.expects or has_code:
                raise error_of_reply(backend, reply, request)
            issued = guard(self.read, reply)
            if not isinstance(issued, HookFailed):
                return issued
            error: errors.VendorError = ending.unreadable_response(
                backend.name, status, issued.fault, bill.REQUEST_NOT_SENT
            )
        except errors.VendorError as problem:
            error = problem
        if isinstance(error, errors.OutcomeUnknown):
            is_late = isinstance(error, errors.DeadlineExceeded)
            error = ending.free_request_failed(error)
            error.retryable = not is_late
        error.message = f"The login failed: {error.message}"
        error.args = (error.message,)
        error.backend = backend.name
        error.billing = bill.REQUEST_NOT_SENT
        error.environment = error.environment or environment
        error.status_code = error.status_code or status
        raise error

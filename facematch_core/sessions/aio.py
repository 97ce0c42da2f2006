"""`AsyncSessions` and `AsyncSessionStore`: hosted sessions for asyncio and trio."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import attrs

from facematch_core.backend.session_types import Person
from facematch_core.base.threads import DEFAULT_CONCURRENCY
from facematch_core.errors import ConfigurationError
from facematch_core.store.aio import AsyncCase, as_async
from facematch_core.store.table import Use
from facematch_core.verifier.aio import Awaited, awaited

from .sessions import Sessions
from .store import SessionStore, VerificationCase


class AsyncSessions(Awaited):
    """`Sessions` with async methods. `plan` and `receive` send nothing and stay synchronous.

    Works like `AsyncFaceVerifier`. If a start is cancelled before its first byte is sent, nothing
    is sent. If it is cancelled later, the start finishes in the background and is counted. Starting
    the same record again then returns that session if the vendor can find it.

    Args:
        sessions: The sessions to call; closed together with this object.
        max_concurrency: Maximum number of threads, 1 to 1024, started on demand.

    Raises:
        ConfigurationError: an argument is invalid.

    Example:
        >>> import asyncio
        >>> async def read():
        ...     async with AsyncSessions(open_sessions(profile="payout")) as sessions:
        ...         return await sessions.read(record)
        >>> print(asyncio.run(read()).state)
        decided
    """

    _verifier: Sessions

    def __init__(self, sessions: Sessions, *, max_concurrency: int = DEFAULT_CONCURRENCY) -> None:
        if not isinstance(sessions, Sessions):
            raise ConfigurationError(
                f"AsyncSessions takes Sessions, not {type(sessions).__name__}; with a name, call "
                'open_async_sessions("didit").'
            )
        super().__init__(sessions, sessions.verifier.runner, max_concurrency=max_concurrency)
        self.plan = sessions.plan
        self.receive = sessions.receive

    @property
    def sessions(self) -> Sessions:
        """The wrapped sessions."""
        return self._verifier

    start = awaited(Sessions.start)
    """Start the planned session; see `Sessions.start`."""

    read = awaited(Sessions.read)
    """Read a session from the vendor; see `Sessions.read`."""

    delete = awaited(Sessions.delete)
    """Delete a session at the vendor; see `Sessions.delete`."""


@attrs.frozen(kw_only=True, repr=False)
class AsyncVerificationCase(AsyncCase[VerificationCase]):
    """`VerificationCase` with async methods, which run in threads: see `AsyncSessionStore.of`.

    If `begin` is cancelled while the session is started, the start finishes in the background, is
    stored and is counted: the next `begin` returns that session.

    Attributes:
        case: The wrapped case.

    Example:
        >>> import asyncio
        >>> async def begin():
        ...     store = SessionStore("sqlite:///shop.sqlite3", open_sessions(profile="payout"))
        ...     async with AsyncSessionStore(store) as store:
        ...         login = store.of("customer-21", purpose="login", about=None)
        ...         await login.begin(reference=document)
        ...         return await login.use(max_age_s=600)
        >>> print(asyncio.run(begin()))
        no
    """

    begin = awaited(VerificationCase.begin)
    """Return the open session, or start one; see `VerificationCase.begin`."""

    @as_async
    def use(
        self,
        *,
        max_age_s: float,
        document: Person | None = None,
        any_settings: bool = False,
        connection: object = None,
    ) -> Coroutine[Any, Any, Use]:
        """Return FIRST once if the person is verified; see `VerificationCase.use`.

        Args:
            max_age_s, document, any_settings: See `VerificationCase.use`.
            connection: An AsyncConnection or AsyncSession of SQLAlchemy, with an open transaction:
                the session is read from the vendor outside it, and marked in it.
        """
        return self._use(
            connection, max_age_s=max_age_s, document=document, any_settings=any_settings
        )

    find = awaited(VerificationCase.find)
    """Return the newest session, as last read; see `VerificationCase.find`."""

    why_not = awaited(VerificationCase.why_not)
    """Return all reasons why `use` would not be FIRST; see `VerificationCase.why_not`."""


class AsyncSessionStore(Awaited):
    """`SessionStore` with async methods, which run in threads. `of` stays synchronous.

    Works like `AsyncFaceVerifier`.

    Args:
        store: The store to call; closed together with this object.
        max_concurrency: Maximum number of threads, 1 to 1024, started on demand.

    Raises:
        ConfigurationError: an argument is invalid.

    Example:
        >>> import asyncio
        >>> async def begin():
        ...     store = SessionStore("sqlite:///shop.sqlite3", open_sessions(profile="payout"))
        ...     async with AsyncSessionStore(store) as store:
        ...         payout = store.of("customer-19", purpose="payout", about="payout 8842")
        ...         return await payout.begin(reference=document)
        >>> print(asyncio.run(begin()).is_open)
        True
    """

    _verifier: SessionStore

    def __init__(self, store: SessionStore, *, max_concurrency: int = DEFAULT_CONCURRENCY) -> None:
        if not isinstance(store, SessionStore):
            raise ConfigurationError(
                f"AsyncSessionStore takes a SessionStore, not {type(store).__name__}."
            )
        # The runner has the default deadline for the wait for a thread.
        runner = next(iter(store.sessions.values())).verifier.runner
        super().__init__(store, runner, max_concurrency=max_concurrency)

    @property
    def store(self) -> SessionStore:
        """The wrapped store."""
        return self._verifier

    def of(self, subject_ref: str, *, purpose: str, about: str | None) -> AsyncVerificationCase:
        """Return a case, whose methods are async; see `SessionStore.of`."""
        case = self._verifier.of(subject_ref, purpose=purpose, about=about)
        return AsyncVerificationCase(case=case, call=self._call)

    look = awaited(SessionStore.look)
    """Read the sessions that are due; see `SessionStore.look`."""

    receive = awaited(SessionStore.receive)
    """Set the sessions of a webhook due; see `SessionStore.receive`."""

    set_due = awaited(SessionStore.set_due)
    """Set a person's open sessions due; see `SessionStore.set_due`."""

    cancel = awaited(SessionStore.cancel)
    """Delete a person's unfinished sessions; see `SessionStore.cancel`."""

    erase = awaited(SessionStore.erase)
    """Delete all sessions of a person; see `SessionStore.erase`."""

    close_begun_before = awaited(SessionStore.close_begun_before)
    """Close unused sessions after a restore; see `SessionStore.close_begun_before`."""

    export = awaited(SessionStore.export)
    """Return all that is stored of a person; see `SessionStore.export`."""

    forget = awaited(SessionStore.forget)
    """Delete old sessions; see `SessionStore.forget`."""

"""`AsyncSessions` and `AsyncSessionStore`: hosted sessions for asyncio and trio."""

from __future__ import annotations

from facematch_core.errors import ConfigurationError
from facematch_core.verifier.aio import Awaited, awaited

from .sessions import Sessions
from .store import SessionStore


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

    def __init__(self, sessions: Sessions, *, max_concurrency: int = 64) -> None:
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


class AsyncSessionStore(Awaited):
    """`SessionStore` with async methods, which run in threads.

    Works like `AsyncFaceVerifier`. If `begin` is cancelled while the session is started, the start
    finishes in the background, is stored and is counted: the next `begin` returns that session.

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
        ...         return await store.begin("customer-19", purpose="payout", reference=document)
        >>> print(asyncio.run(begin()).is_open)
        True
    """

    _verifier: SessionStore

    def __init__(self, store: SessionStore, *, max_concurrency: int = 64) -> None:
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

    begin = awaited(SessionStore.begin)
    """Return the open session, or start one; see `SessionStore.begin`."""

    look = awaited(SessionStore.look)
    """Read the sessions that are due; see `SessionStore.look`."""

    receive = awaited(SessionStore.receive)
    """Set the sessions of a webhook due; see `SessionStore.receive`."""

    set_due = awaited(SessionStore.set_due)
    """Set a person's open sessions due; see `SessionStore.set_due`."""

    use = awaited(SessionStore.use)
    """Return True once if the person is verified; see `SessionStore.use`."""

    find = awaited(SessionStore.find)
    """Return the newest session, as last read; see `SessionStore.find`."""

    cancel = awaited(SessionStore.cancel)
    """Delete a person's unfinished sessions; see `SessionStore.cancel`."""

    forget = awaited(SessionStore.forget)
    """Delete old sessions; see `SessionStore.forget`."""

"""`AsyncSessions`: hosted sessions for programs with an event loop."""

from __future__ import annotations

from facematch_core.errors import ConfigurationError
from facematch_core.verifier.aio import Awaited, awaited

from .sessions import Sessions


class AsyncSessions(Awaited):
    """The methods of `Sessions`, to be awaited; `plan` and `receive` send nothing, and are plain.

    As `AsyncFaceVerifier` says, of which it is one for sessions: a start whose ``await`` is
    cancelled is not made, unless its first byte has left. Then it is finished in the background,
    and counted; the same start again finds it where the vendor can.

    Args:
        sessions: Closed together with this object.
        max_concurrency: Threads, 1 to 1024; they are started as they are needed.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    _verifier: Sessions

    def __init__(self, sessions: Sessions, *, max_concurrency: int = 64) -> None:
        if not isinstance(sessions, Sessions):
            raise ConfigurationError(
                f"AsyncSessions takes Sessions, not {type(sessions).__name__}; with a name, call "
                'open_async_sessions("didit").'
            )
        super().__init__(sessions, max_concurrency=max_concurrency)
        self.plan, self.receive = sessions.plan, sessions.receive

    @property
    def sessions(self) -> Sessions:
        """The sessions that answer."""
        return self._verifier

    start = awaited(Sessions.start)
    """Make the session that was planned; see `Sessions.start`."""

    read = awaited(Sessions.read)
    """Read a session from the vendor; see `Sessions.read`."""

    delete = awaited(Sessions.delete)
    """Have the vendor delete a session; see `Sessions.delete`."""

"""What somebody at the vendor's console does to a session: verbs of the control API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from ._sessions import Session
from .world import World


class Console:
    """The vendor's own staff. Safe across threads.

    Args:
        world: Whose sessions they see.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def set_status(self, session_id: str, status: str) -> Session:
        """Put a session into any status, ``In Review`` say. No review is written, nobody is told.

        Args:
            session_id: As answers tell it.
            status: A word of the vendor's.

        Raises:
            LookupError: there is no such session.
            ValueError: the vendor has no such status.
        """
        known = self._world.behaviours["session.statuses"]
        if status not in known:
            raise ValueError(f"there is no status of that name; there are {', '.join(known)}")
        session = self._world.sessions.change(
            session_id, lambda there: attrs.evolve(there, status=status)
        )
        if session is None:
            raise LookupError("there is no session of that id")
        return session


def _set_status(control: Any, _: str, body: dict[str, Any]) -> Any:
    unknown = sorted(set(body) - {"session_id", "status"})
    if unknown:
        raise ValueError(f"there is no {unknown[0]} here; there is session_id, status")
    texts = [body.get(name) for name in ("session_id", "status")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("session_id and status are texts")
    session = control.console.set_status(*texts)
    return {"session_id": session.id, "status": session.status}


#: By method and path below the prefix of the control API.
VERBS: dict[tuple[str, str], Callable[[Any, str, dict[str, Any]], Any]] = {
    ("POST", "console/status"): _set_status,
}

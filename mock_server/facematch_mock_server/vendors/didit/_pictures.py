"""The pictures of saved calls: in memory only, and not for ever."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping

from facematch_mock_server._sessions import KEPT

#: Pictures up to this many bytes in all are kept.
MAX_BYTES = 64 * 1024 * 1024


class Pictures:
    """Pictures by name, each name once; what was kept longest ago goes first. Safe across threads.

    A picture goes with the last session that has it. Nothing of pictures is ever written down.

    Args:
        max_bytes: That are kept in all, at least 0. A larger picture is not kept.
        max_sessions: Of how many of the newest sessions pictures are kept, from 1 on.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, max_sessions: int = KEPT) -> None:
        self._max_bytes = max_bytes
        self._max_sessions = max_sessions
        self._lock = threading.Lock()
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        #: The names of each session, and how many sessions have a name.
        self._names: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._uses: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Pictures({len(self._known)} pictures, {self._bytes} bytes)"

    @property
    def kept_bytes(self) -> int:
        """How many bytes are held, at most `max_bytes`."""
        return self._bytes

    def keep(self, session_id: str, pictures: Mapping[str, bytes]) -> None:
        """Keep the pictures of a session; one that is there already is the newest again."""
        with self._lock:
            self._forget(session_id)
            self._names[session_id] = tuple(pictures)
            self._uses.update(tuple(pictures))
            for name, picture in pictures.items():
                self._keep(name, picture)
            while len(self._names) > self._max_sessions:
                self._forget(next(iter(self._names)))

    def forget(self, session_id: str) -> None:
        """A session is gone, and what no other session has with it."""
        with self._lock:
            self._forget(session_id)

    def find(self, name: str) -> bytes | None:
        """The picture of that name, or None if it is not kept, or no longer."""
        with self._lock:
            return self._known.get(name)

    def _keep(self, name: str, picture: bytes) -> None:
        if name in self._known:
            self._known.move_to_end(name)
            return
        self._known[name] = picture
        self._bytes += len(picture)
        while self._bytes > self._max_bytes:
            self._bytes -= len(self._known.popitem(last=False)[1])

    def _forget(self, session_id: str) -> None:
        for name in self._names.pop(session_id, ()):
            self._uses[name] -= 1
            if not self._uses[name]:
                del self._uses[name]
                self._bytes -= len(self._known.pop(name, b""))

"""Sessions: what a saved call leaves behind."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ._ledger import FIRST_OWNER
from .state import Collection, Memory, Store

#: How many of the newest sessions are kept.
KEPT = 10_000


@attrs.frozen(kw_only=True)
class Review:
    """A note on a session, or a change of its status.

    Attributes:
        user: Who wrote it, in the vendor's words.
        new_status: The vendor's word; None for a note alone.
        comment: As written; None without one.
        created_at: UTC.
    """

    user: str
    new_status: str | None
    comment: str | None
    created_at: dt.datetime


@attrs.frozen(kw_only=True)
class Session:
    """One saved call.

    Attributes:
        id: The request id of its answer.
        number: 1 for the first session of the world.
        internal_id: Another id of it, which lists tell.
        service: As the vendor calls it.
        status: The vendor's word; changes when somebody updates it.
        created_at: UTC.
        vendor_data, metadata: As sent; None if they were not.
        pictures: SHA-256 by the vendor's name of the picture; None where digests are off.
        result: The part of the answer that belongs to the service.
        owner: Whose it is.
        reviews: In the order they were written.
    """

    id: str
    number: int
    internal_id: str = ""
    service: str
    status: str
    created_at: dt.datetime
    vendor_data: str | None
    metadata: Mapping[str, Any] | None = attrs.field(repr=False)
    pictures: Mapping[str, str | None]
    result: Mapping[str, Any] = attrs.field(repr=False)
    owner: str = FIRST_OWNER
    reviews: tuple[Review, ...] = ()


@attrs.frozen
class _Count:
    made: int


class Sessions:
    """The newest 10,000 sessions of one world. Safe across threads.

    Args:
        store: Where changes are written down.
    """

    def __init__(self, store: Store | None = None) -> None:
        store = store or Memory()
        self._lock = threading.Lock()
        self._counts = Collection(store, "session numbers", _Count)
        self._sessions = Collection(store, "sessions", Session, limit=KEPT)

    def add(self, session_id: str, **fields: Any) -> Session:
        """Keep a session under the next number; `fields` are those of `Session`."""
        with self._lock:
            count = self._counts.find("") or _Count(0)
            session = Session(id=session_id, number=count.made + 1, **fields)
            # A number is given once, even if its session was deleted since.
            self._counts.put("", _Count(session.number))
            self._sessions.put(session_id, session)
        return session

    def find(self, session_id: str) -> Session | None:
        """The session of that id, or None."""
        return self._sessions.find(session_id)

    def change(self, session_id: str, change: Callable[[Session], Session]) -> Session | None:
        """Replace a session by what `change` makes of it; None if there is none."""
        return self._sessions.change(session_id, change)

    def remove(self, session_id: str) -> Session | None:
        """Take a session away; None if there is none."""
        return self._sessions.remove(session_id)

    def all(self) -> tuple[Session, ...]:
        """In the order they were made."""
        return self._sessions.all()

"""Sessions: what a saved call leaves behind."""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import attrs

#: How many of the newest sessions are kept.
KEPT = 10_000


@attrs.frozen(kw_only=True)
class Session:
    """One saved call.

    Attributes:
        id: The request id of its answer.
        number: 1 for the first session of the world.
        service: As the vendor calls it.
        status: The vendor's word.
        created_at: UTC.
        vendor_data, metadata: As sent; None if they were not.
        pictures: SHA-256 by the vendor's name of the picture; None where digests are off.
        result: The part of the answer that belongs to the service.
    """

    id: str
    number: int
    service: str
    status: str
    created_at: dt.datetime
    vendor_data: str | None
    metadata: Mapping[str, Any] | None = attrs.field(repr=False)
    pictures: Mapping[str, str | None]
    result: Mapping[str, Any] = attrs.field(repr=False)


class Sessions:
    """The newest 10,000 sessions of one world. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def add(self, session_id: str, **fields: Any) -> Session:
        """Keep a session under the next number; `fields` are those of `Session`."""
        with self._lock:
            self._count += 1
            session = Session(id=session_id, number=self._count, **fields)
            self._sessions[session_id] = session
            if len(self._sessions) > KEPT:
                self._sessions.popitem(last=False)
        return session

    def find(self, session_id: str) -> Session | None:
        """The session of that id, or None."""
        with self._lock:
            return self._sessions.get(session_id)

    def all(self) -> tuple[Session, ...]:
        """In the order they were made."""
        with self._lock:
            return tuple(self._sessions.values())

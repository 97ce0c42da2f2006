"""The journal of an account's requests. It stores neither pictures nor secrets."""

from __future__ import annotations

import datetime as dt
import itertools
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.replies import OwnReply

from .money import Charge

#: The maximum number of stored entries.
MAX_ENTRIES = 10_000
#: The maximum total size of the stored responses in bytes.
MAX_ANSWER_BYTES = 16 * 1024 * 1024


def compose_note(head: Request, note: str | None) -> str | None:
    """Return the note for a call: the fault that applied to it, if any, then `note`."""
    if head.fault is None:
        return note or None
    return f"{head.fault}; {note}" if note else str(head.fault)


@attrs.define
class SentFile:
    """A file in a form, without its bytes.

    Attributes:
        field: The name of the form field.
        name: The name of the file.
        size: The size in bytes.
        digest: The SHA-256 in hexadecimal.
    """

    field: str
    name: str
    size: int
    digest: str | None


@attrs.define(kw_only=True, eq=False)
class Entry:
    """A request or a connection event.

    Attributes:
        at: The time, by the account's clock.
        method, path: The method, and the path without its query, as sent.
        status: The status of the response; None for a connection event.
        vendor: The vendor of the request, or None.
        key: ``live``, ``sandbox``, ``none``, or ``wrong`` for an unknown or invalid key.
        fields: The fields of query, form and JSON body, by name, and the header that names the
            call, if the vendor has one path for all. Secrets are masked, and most texts are
            replaced by their type and length.
        files: The files that were sent.
        claims: The ids of the claims behind the response.
        note: A remark, such as the fault that applied, or None.
        charge: The charge for the call; None if it was free.
        number: The entry's number in the journal, counted from 1.
        answer: The response; None once 16 MiB of newer responses have displaced it.
        ms: The processing time in milliseconds, without the delays that a test set.
        reply: The `OwnReply` that answered, written by the user or recorded; None if the mock did.
    """

    at: dt.datetime
    method: str
    path: str
    status: int | None = None
    vendor: str | None = None
    key: str = "none"
    claims: tuple[str, ...] = ()
    note: str | None = None
    charge: Charge | None = None
    number: int = 0
    answer: Response | None = attrs.field(default=None, repr=False)
    ms: float | None = None
    reply: OwnReply | None = None
    # The fields are described on first access, because most entries are never read.
    _fields: Mapping[str, str] | Callable[[], Mapping[str, str]] = attrs.field(
        factory=dict, repr=False
    )
    files: tuple[SentFile, ...] = attrs.field(default=(), repr=False)

    @property
    def fields(self) -> Mapping[str, str]:
        if callable(self._fields):
            self._fields = self._fields()
        return self._fields

    def to_dict(self) -> dict[str, Any]:
        """Return the entry in the control API's JSON format."""
        names = ("number", "method", "path", "status", "vendor", "key", "note")
        return {
            **{name: getattr(self, name) for name in names},
            "reply": None if self.reply is None else self.reply.source,
            "recorded": None if self.reply is None else self.reply.recorded,
            "at": self.at.isoformat(timespec="microseconds"),
            "fields": dict(self.fields),
            "files": [attrs.asdict(file) for file in self.files],
            "claims": list(self.claims),
            "charge": None if self.charge is None else f"{self.charge.amount:.4f}",
        }


class Journal:
    """The newest entries of one account. Thread-safe."""

    def __init__(self) -> None:
        """Make an empty journal, which keeps the newest entries and a bounded number of bytes."""
        self._lock = threading.Lock()
        #: The newest entries; `deque` drops the oldest one for a further one.
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        #: The entries whose response is stored, oldest first, and the bytes of these responses.
        self._answered: deque[Entry] = deque()
        self._answer_bytes = 0
        #: The number of the newest entry.
        self._last = 0
        #: An id that changes each time the journal is cleared.
        self.run = secrets.token_hex(4)

    def add(self, entry: Entry) -> Entry:
        """Append an entry with the next number."""
        with self._lock:
            self._last += 1
            entry.number = self._last
            self._entries.append(entry)
            if entry.answer is not None:
                self._answered.append(entry)
                self._answer_bytes += len(entry.answer.body)
                while self._answer_bytes > MAX_ANSWER_BYTES or len(self._answered) > MAX_ENTRIES:
                    oldest = self._answered.popleft()
                    if oldest.answer is not None:  # for the type checker: each one has an answer
                        self._answer_bytes -= len(oldest.answer.body)
                        oldest.answer = None
        return entry

    def clear(self) -> None:
        """Remove all entries; the numbers continue."""
        with self._lock:
            self._entries.clear()
            self._answered.clear()
            self._answer_bytes = 0
            self.run = secrets.token_hex(4)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, oldest first."""
        with self._lock:
            return tuple(self._entries)

    def since(self, number: int, limit: int) -> tuple[str, int, list[Entry]]:
        """Return the journal's id, its last number, and at most `limit` entries after `number`."""
        with self._lock:
            first_number = self._entries[0].number if self._entries else self._last + 1
            start = max(0, number + 1 - first_number)
            return self.run, self._last, list(itertools.islice(self._entries, start, start + limit))

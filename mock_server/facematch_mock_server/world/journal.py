"""What was asked and answered: names, sizes and digests, never pictures, keys or secrets."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Request

#: How many entries are kept.
MAX_ENTRIES = 10_000


def compose_note(head: Request, note: str | None) -> str | None:
    """The note of a call: the fault that struck it, if one did, and what there is to say of it."""
    fault = str(head.fault) if head.fault else None
    return "; ".join(filter(None, (fault, note))) or None


@attrs.frozen(kw_only=True)
class SentFile:
    """A file of a form, without its bytes.

    Attributes:
        field: Name of the form field.
        name: Name of the file.
        size: Bytes.
        digest: SHA-256 in hexadecimal.
    """

    field: str
    name: str
    size: int
    digest: str | None


@attrs.frozen(kw_only=True)
class Entry:
    """One request, or what the transport did by itself.

    Attributes:
        at: When, by the clock of the world.
        method, path: As asked; the path without its query.
        status: Of the answer; None for what the transport did by itself.
        vendor: Whose request it was; None for nobody's.
        key: ``live``, ``sandbox``, ``none``, or ``wrong`` for one that is not known or not valid.
        fields: Query, form and JSON body: names with short values, secrets masked; of most texts
            type and length.
        files: The files that were sent.
        claims: Ids of the claims that the answer rests on.
        note: What else is worth knowing; None for nothing.
        number: Its place in the journal, from 1 on.
    """

    at: dt.datetime
    method: str
    path: str
    status: int | None = None
    vendor: str | None = None
    key: str = "none"
    fields: Mapping[str, str] = attrs.field(factory=dict)
    files: tuple[SentFile, ...] = ()
    claims: tuple[str, ...] = ()
    note: str | None = None
    number: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            **attrs.asdict(self, recurse=False),
            "at": self.at.isoformat(timespec="microseconds"),
            "fields": dict(self.fields),
            "files": [attrs.asdict(file) for file in self.files],
            "claims": list(self.claims),
        }


class Journal:
    """The newest entries of one account. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._last = 0
        #: Is called with each entry once it is written, and with None once all are forgotten.
        self.watch: Callable[[Entry | None], None] | None = None

    def add(self, fields: dict[str, Any]) -> Entry:
        """Write one more entry with these fields, under the next number."""
        with self._lock:
            fields["number"] = self._last = self._last + 1
            entry = Entry(**fields)
            self._entries.append(entry)
        if self.watch is not None:
            self.watch(entry)
        return entry

    def clear(self) -> None:
        """Forget all; the numbers go on."""
        with self._lock:
            self._entries.clear()
        if self.watch is not None:
            self.watch(None)

    @property
    def is_full(self) -> bool:
        """Whether each new entry pushes out the oldest one."""
        return len(self._entries) == MAX_ENTRIES

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The oldest first."""
        with self._lock:
            return tuple(self._entries)

"""What was asked and answered: names, sizes and digests, never pictures, keys or secrets."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

#: How many entries are kept.
KEPT = 10_000
#: A longer value is cut to so many characters.
SHORT = 80
_SECRET = re.compile(r"key|secret|token|passw|authori[sz]ation|signature|^code$", re.IGNORECASE)


def short(text: str, length: int = SHORT) -> str:
    """`text`, cut with an ellipsis if it is long."""
    return text if len(text) <= length else text[: length - 1] + "…"


def presentable(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names and short values; a value whose name sounds secret is masked."""
    return {short(name): "***" if _SECRET.search(name) else short(value) for name, value in fields}


@attrs.frozen(kw_only=True)
class SentFile:
    """A file of a form, without its bytes.

    Attributes:
        field: Name of the form field.
        name: Name of the file.
        size: Bytes.
        digest: SHA-256 in hexadecimal; None where digests are off.
    """

    field: str
    name: str
    size: int
    digest: str | None


@attrs.frozen(kw_only=True)
class Entry:
    """One request, or what a front did by itself.

    Attributes:
        at: When, by the clock of the world.
        method, path: As asked; the path without its query.
        status: Of the answer; None for what a front did by itself.
        vendor: Whose request it was; None for nobody's.
        key: ``live``, ``sandbox``, ``none``, or ``wrong`` for one that is not known or not valid.
        fields: Query and form: names and short values, secrets masked.
        files: The files that were sent.
        claims: Ids of the claims that the answer rests on.
        note: What else is worth knowing; None for nothing.
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

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            **attrs.asdict(self, recurse=True),
            "at": self.at.isoformat(timespec="microseconds"),
            "files": [attrs.asdict(file) for file in self.files],
            "claims": list(self.claims),
        }


class Journal:
    """The newest entries of one world. Safe across threads.

    Args:
        size: How many are kept, from 0 on.
    """

    def __init__(self, size: int = KEPT) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=size)

    def add(self, entry: Entry) -> None:
        """Write one more."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._entries.clear()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The oldest first."""
        with self._lock:
            return tuple(self._entries)

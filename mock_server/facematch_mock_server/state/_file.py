"""The SQLite file of a store: whose it is, and how records are read from it and written to it."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

import attrs

from ._records import StoreError

R = TypeVar("R")

#: In the header of a file, so that no other program's file is taken for a store: "fmck".
APPLICATION: Final = 0x666D636B
#: Of the tables and of the records in them; a file of another one is left alone.
VERSION: Final = 1

_MAGIC = b"SQLite format 3\0"
_TABLE = """
CREATE TABLE IF NOT EXISTS records (
    place INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key BLOB NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (kind, key)
)
"""
# One that is replaced keeps its place.
_PUT = """
INSERT INTO records (place, kind, key, value) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value
"""


@attrs.frozen
class Change:
    """One change of the records.

    Attributes:
        place: Its number: a later change has a greater one. A new record stands there.
        kind, key: Of the record; kind None for all that there are.
        value: The record as JSON; None to take it away.
    """

    place: int
    kind: str | None
    key: str
    value: str | None


class RecordFile:
    """The file, locked for this process until it is closed. Not safe across threads.

    What was written is there after the process was killed. After a power cut it may be missing, or
    the file may be damaged.

    Args:
        path: The file. It is made, for its owner alone, if it is not there or empty.

    Raises:
        StoreError: it is another program's file or of another version, it is in use, or it cannot
            be read and written. The file is left as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process = os.getpid()
        is_new = self._made()
        try:
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=0
            )
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        try:
            self._begin(is_new=is_new)
            # Both files were made; a change of either is lost if somebody takes one away.
            self._made_as = self._identity()
        except (sqlite3.Error, OSError) as error:
            self._connection.close()
            raise self._unusable(error) from None
        _open.add(self)

    def last_place(self) -> int:
        """The greatest number of a change that is still seen; 0 in an empty file."""
        query = "SELECT ifnull(max(place), 0) FROM records"
        return self._asked(lambda file: int(file.execute(query).fetchone()[0]))

    def records(self, kind: str) -> list[tuple[str, str]]:
        """Key and JSON of the records of a kind, in the order they were first put."""
        query = "SELECT key, value FROM records WHERE kind = ? ORDER BY place"
        found = self._asked(lambda file: file.execute(query, (kind,)).fetchall())
        return [(key.decode(errors="surrogatepass"), value) for key, value in found]

    def write(self, changes: Iterable[Change]) -> None:
        """Write them down in order, all or none.

        Raises:
            StoreError: they are not written.
        """

        def work(file: sqlite3.Connection) -> None:
            file.execute("BEGIN IMMEDIATE")
            for change in changes:
                _write(file, change)
            file.execute("COMMIT")

        self._asked(work)
        # What goes into a file without a name is gone with this process.
        with contextlib.suppress(OSError):
            if self._identity() == self._made_as:
                return
        raise StoreError(errno.ENOENT, "the file of the mock's store was taken away", self._name)

    def close(self) -> None:
        """Give it back. May be called more than once."""
        if os.getpid() == self._process:
            self._connection.close()

    @property
    def _name(self) -> str:
        return str(self.path)

    def _made(self) -> bool:
        """Whether it is new; it is there afterwards."""
        if self.path.exists() and not self.path.is_file():
            raise StoreError(errno.EINVAL, "the mock's store must be a file", self._name)
        try:
            head = self._head()
        except OSError as error:
            raise self._unusable(error) from None
        if not head:
            return True
        theirs = int.from_bytes(head[68:72], "big")
        if not head.startswith(_MAGIC) or theirs != APPLICATION:
            what = "this file is no store of a mock; it was left as it is. Name another one"
            raise StoreError(errno.EINVAL, what, self._name)
        version = int.from_bytes(head[60:64], "big")
        if version != VERSION:
            what = (
                f"this store is of version {version}, and this facematch has version {VERSION}; it "
                "was left as it is. Name another file, or use the facematch that made it"
            )
            raise StoreError(errno.EINVAL, what, self._name)
        return False

    def _head(self) -> bytes:
        # Not by SQLite, which may change a file that it only looks into.
        number = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            head = os.read(number, 100)
            if not head:
                os.fchmod(number, 0o600)
        finally:
            os.close(number)
        return head

    def _begin(self, *, is_new: bool) -> None:
        file = self._connection
        # The lock is taken with the first access, and the system drops it when the process ends.
        file.execute("PRAGMA locking_mode = EXCLUSIVE")
        if is_new:
            file.execute("BEGIN EXCLUSIVE")
            file.execute(_TABLE)
            file.execute(f"PRAGMA application_id = {APPLICATION}")
            file.execute(f"PRAGMA user_version = {VERSION}")
            file.execute("COMMIT")
        file.execute("PRAGMA journal_mode = WAL")
        # What was handed to the system outlives the process. To wait for the disk would help with a
        # power cut alone, and hold all answers up: 3 to 10 ms for every hundredth.
        file.execute("PRAGMA synchronous = OFF")
        file.execute("BEGIN IMMEDIATE")
        file.execute("COMMIT")

    def _identity(self) -> list[tuple[int, int]]:
        both = (self._name, self._name + "-wal")
        return [(found.st_dev, found.st_ino) for found in map(os.stat, both)]

    def _asked(self, ask: Callable[[sqlite3.Connection], R]) -> R:
        if os.getpid() != self._process:
            what = "this store belongs to the process that opened it, and not to its child"
            raise StoreError(errno.EPERM, what, self._name)
        try:
            return ask(self._connection)
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            if isinstance(error, sqlite3.Error):
                raise self._unusable(error) from None
            raise

    def _unusable(self, error: sqlite3.Error | OSError) -> StoreError:
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            return StoreError(error.errno, f"the mock's store cannot be used: {reason}", self._name)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            what = "another mock uses this store; end that one, or name another file"
            return StoreError(errno.EBUSY, what, self._name)
        return StoreError(errno.EIO, f"the mock's store cannot be used: {error}", self._name)


def _write(file: sqlite3.Connection, change: Change) -> None:
    # JSON may hold half a surrogate pair, which no text of SQLite may.
    key = change.key.encode(errors="surrogatepass")
    if change.kind is None:
        file.execute("DELETE FROM records")
    elif change.value is None:
        file.execute("DELETE FROM records WHERE kind = ? AND key = ?", (change.kind, key))
    else:
        file.execute(_PUT, (change.place, change.kind, key, change.value))


_open: weakref.WeakSet[RecordFile] = weakref.WeakSet()


def _forget() -> None:
    """In the child of a fork the files stay open for good: closing one would tidy it up.

    SQLite would believe that it holds the lock of the parent, and take away what the parent still
    writes to.
    """
    if _open:
        import ctypes  # not above: few programs fork

        for one in tuple(_open):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(one._connection))  # noqa: SLF001 - ours


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

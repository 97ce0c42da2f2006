"""A store in a file of SQLite: units of work, written in the order in which they were made."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from facematch_mock_server.state import Record, StoreError

# ASCII, so that half a surrogate pair is no hindrance.
_encode = json.JSONEncoder(separators=(",", ":")).encode


class _Unit:
    """What one thread has put between the begin and the end of its outermost block."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.is_written = False


class _Mine(threading.local):
    unit: _Unit | None = None


class SqliteStore:
    """Keeps records in a file of SQLite. Safe across threads; for one process at a time.

    A change is written before `together` ends, or at once outside of it. Threads that are in blocks
    side by side are written in one transaction, when none of them is half way: a balance is never
    there without the charge of another thread that led to it. So a block must not wait for another
    thread that is in one. When writing fails once, nothing is taken any more, because memory is
    ahead of the file then.

    Args:
        path: The file. It is made, for its owner alone, if it is not there or empty.

    Raises:
        StoreError: it is another program's file or of another version, it is in use, or it cannot
            be read and written. It is left as it was.
    """

    keeps = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = RecordFile(Path(path))
        self._place = self._file.last_place()
        self._turn = threading.Condition()
        self._mine = _Mine()
        #: Units that are over and not written yet; those that put something and are not over.
        self._over: list[_Unit] = []
        self._half_way = 0
        self._failure: StoreError | None = None
        self.era = 0

    def put(self, kind: str, key: str, record: Record | None, *, era: int | None = None) -> None:
        """As `Store.put`; StoreError if nothing is taken any more."""
        value = None if record is None else _encode(record())
        with self._turn:
            if era is None or era == self.era:
                self._note(kind, key, value)

    def load(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """As `Store.load`: with what was put in this block."""
        with self._turn:
            found = dict(self._file.records(kind))
            mine = [] if self._mine.unit is None else [self._mine.unit]
            for change in _in_order([*self._over, *mine]):
                if change.kind is None:
                    found.clear()
                elif change.kind != kind:
                    continue
                elif change.value is None:
                    found.pop(change.key, None)
                else:
                    found[change.key] = change.value
        return ((key, json.loads(value)) for key, value in found.items())

    def clear(self) -> None:
        """As `Store.clear`."""
        with self._turn:
            self._note(None, "", None)
            self.era += 1

    def check(self) -> None:
        """As `Store.check`."""
        with self._turn:
            self._check()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """As `Store.together`; StoreError if what was put is not written.

        Of a block that raises nothing is written; what it changed in memory stays so.
        """
        if self._mine.unit is not None:
            yield
            return
        self._enter()
        unit = self._mine.unit = _Unit()
        try:
            yield
        except BaseException:
            self._leave(unit)
            self._drop(unit)
            raise
        self._leave(unit)
        self._keep(unit)

    def close(self) -> None:
        """Give the file back; nothing is taken any more. May be called more than once."""
        with self._turn:
            if self._failure is None:
                what = "the mock's store was closed with its mock; make a new one to go on"
                self._failure = StoreError(errno.EBADF, what, str(self._file.path))
            self._file.close()
            self._turn.notify_all()

    def _note(self, kind: str | None, key: str, value: str | None) -> None:
        self._check()
        self._place += 1
        change = Change(self._place, kind, key, value)
        unit = self._mine.unit
        if unit is not None:
            self._half_way += not unit.changes
            unit.changes.append(change)
            return
        unit = _Unit()
        unit.changes.append(change)
        self._over.append(unit)
        # Whoever puts holds a lock that a unit may wait for, so this one does not wait. If others
        # are half way it is written with them, still in its order.
        self._write()

    def _enter(self) -> None:
        with self._turn:
            # Else new ones could for ever keep those that are over from being written.
            self._turn.wait_for(lambda: not self._over or self._failure)
            self._check()

    def _leave(self, unit: _Unit) -> None:
        self._mine.unit = None
        with self._turn:
            self._half_way -= bool(unit.changes)

    def _drop(self, unit: _Unit) -> None:
        with self._turn:
            if any(change.kind is None for change in unit.changes):
                self._failure = StoreError(
                    errno.EIO,
                    "a reset of the mock failed half way; start it again on its store",
                    str(self._file.path),
                )
            # Others may have waited for this one alone.
            with contextlib.suppress(StoreError):
                self._write()
            self._turn.notify_all()

    def _keep(self, unit: _Unit) -> None:
        if not unit.changes:
            return
        with self._turn:
            self._over.append(unit)
            self._write()
            self._turn.wait_for(lambda: unit.is_written or self._failure)
            if not unit.is_written:
                self._check()

    def _write(self) -> None:
        """Write all that are over, unless somebody is half way: then that one does it."""
        self._check()
        if self._half_way or not self._over:
            return
        try:
            self._file.write(_in_order(self._over))
        except StoreError as error:
            self._failure = error
            raise
        finally:
            self._turn.notify_all()
        for unit in self._over:
            unit.is_written = True
        self._over.clear()

    def _check(self) -> None:
        if self._failure is not None:
            error = self._failure
            raise StoreError(error.errno, error.strerror, error.filename)


def _in_order(units: list[_Unit]) -> list[Change]:
    changes = [change for unit in units for change in unit.changes]
    return sorted(changes, key=lambda change: change.place)


R = TypeVar("R")

#: In the header of a file, so that no other program's file passes as a store: "fmck".
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
        place: Its number: a later change has a greater one. A new record is there.
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
        # Windows would else read it as text.
        number = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            head = os.read(number, 100)
            if not head and sys.platform != "win32":  # which knows no such rights
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

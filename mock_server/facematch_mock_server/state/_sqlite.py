"""A store in a file: units of work, written in the order in which they were put."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._file import Change, RecordFile
from ._records import Record, StoreError

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

"""`RunFile`: an SQLite file on this machine, changed by one process at a time."""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, TypeVar

from facematch_core.base.clock import Clock, SystemClock
from facematch_core.errors import ConfigurationError, InvalidRequest, StoreUnavailable
from facematch_core.store import SqlStore
from facematch_core.store.sql import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection

    Db: TypeAlias = Connection

T = TypeVar("T")

#: Schema version; a file of another version is rejected unchanged.
VERSION: Final = 4

#: One row: the schema version and the process that locked the file, even if it was killed since.
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS facematch_comparison_store (
  version INTEGER NOT NULL PRIMARY KEY, host TEXT, pid INTEGER, since VARCHAR(40))"""

#: Errors raised while reading a row that facematch did not write.
_DAMAGE: Final = ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError


class RunFile:
    """An SQLite file, changed in transactions; the first transaction creates it."""

    #: Statements that create the tables of a new file.
    tables: ClassVar[tuple[str, ...]] = ()

    def __init__(self, where: str, *, clock: Clock | None = None) -> None:
        name = where.removeprefix("sqlite:///").partition("?")[0]
        if name in (where, ""):
            # Quote only the scheme: a URL may hold a password.
            raise ConfigurationError(
                "A run database must be a local SQLite file, such as "
                f"sqlite:///study.sqlite3 (got {where.partition(':')[0][:60]!r})."
            )
        self._where, self._file = where, Path(name)
        self._clock = clock or SystemClock()
        self._database: Database | None = None
        self._lock: sqlite3.Connection | None = None
        if self._file.exists():
            self._open()

    def now(self) -> str:
        return text_of(self._clock.now())

    def _open(self) -> Database:
        database = self._database = Database(self._where, label="run database")
        version = self.transact(self._make_tables)
        if version != VERSION:
            self.close()
            raise ConfigurationError(
                f"Run database version {str(version)[:20]} is not supported (expected {VERSION}): "
                "use another file, or the version of facematch that created this one."
            )
        return database

    def _make_tables(self, db: Db) -> object:
        """Create missing tables; return the schema version of the file."""
        db.exec_driver_sql(_TABLE)
        for row in select(db, "SELECT version FROM facematch_comparison_store"):
            return row["version"]
        for statement in self.tables:
            db.exec_driver_sql(statement)
        change(db, "INSERT INTO facematch_comparison_store (version) VALUES (?)", VERSION)
        return VERSION

    def transact(self, step: Callable[..., T], *parameters: object) -> T:
        """Run a step in a transaction. Errors never quote the content of the file."""
        try:
            return (self._database or self._open()).run(step, *parameters)
        except (ConfigurationError, InvalidRequest):
            # Store errors are ValueErrors, too.
            raise
        except StoreUnavailable as error:
            problem = error.message
        except _DAMAGE as error:
            problem = (
                "The run database is damaged and cannot be read "
                f"({type(error).__name__}). Restore a backup, or use a new file."
            )
        # Outside the except block: the exception may name a value.
        raise ConfigurationError(problem)

    def close(self) -> None:
        """Unlock the file and close its connections. The next transaction reopens it."""
        self.unlock()
        if self._database is not None:
            self._database.close()

    def lock(self) -> None:
        """Lock the file for writing until `unlock`, `close` or the end of the process."""
        lock = _take_lock(f"{self._file.resolve()}.lock")
        if lock is None:
            query, who = "SELECT * FROM facematch_comparison_store", "another process"
            (row,) = self.transact(select, query)
            if row["pid"] is not None:
                since = str(row["since"])[:19].replace("T", " ")
                who = f"process {row['pid']} on {row['host']}, since {since} UTC"
            raise ConfigurationError(
                f"The run database {self._file} is in use by {who[:300]}. Only one process at a "
                "time can run or resolve; nothing was sent. Wait for that process, or stop it: "
                "the next run asks the pairs that are left."
            )
        self._lock = lock
        try:
            self._note_holder(platform.node()[:200], os.getpid(), self.now())
        except BaseException:
            self.unlock()
            raise

    def unlock(self) -> None:
        """Unlock the file. May be called more than once."""
        lock, self._lock = self._lock, None
        if lock is not None:
            # The note only says who holds the lock.
            with contextlib.suppress(ConfigurationError):
                self._note_holder(None, None, None)
            lock.close()

    def _note_holder(self, *holder: object) -> None:
        note = "UPDATE facematch_comparison_store SET host = ?, pid = ?, since = ?"
        self.transact(change, note, *holder)

    def calls(self) -> SqlStore | None:
        """Open the call store in this run database, if it has one."""
        query = "SELECT name FROM sqlite_master WHERE name = 'facematch_attempts'"
        return SqlStore(self._where) if self.transact(select, query) else None


def select(db: Db, query: str, *parameters: object) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in db.exec_driver_sql(query, parameters).mappings()]


def change(db: Db, statement: str, *parameters: object) -> int:
    return db.exec_driver_sql(statement, parameters).rowcount


def text_of(at: datetime) -> str:
    """Return a UTC time as sortable text."""
    return at.isoformat(timespec="microseconds")


def time_of(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("no time zone")
    return at


def _take_lock(file: str) -> sqlite3.Connection | None:
    """Take an SQLite lock on an empty file until the process ends; return None if it is taken."""
    try:
        with contextlib.suppress(FileExistsError):
            # Mode 0600: another user who can open the lock file could lock its owner out.
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        lock = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            lock.close()
            raise
    except (OSError, sqlite3.Error) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return None
        reason = getattr(error, "strerror", None) or str(error)
    else:
        return lock
    raise ConfigurationError(f"Cannot lock {file}: {reason}.")
